//! Providers of data as they behave on good and on bad days, on loopback.

pub mod socket;

pub use socket::{GUARD, Peer, Sockets};
