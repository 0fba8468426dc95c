//! The server alone, over real sockets: what is said to it byte by byte, and what it hands to the shards.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod handshake;
mod listening;
mod page;
mod raw;
mod requests;
