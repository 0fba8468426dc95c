//! What all listeners share: by which names they are reached, the files of unix sockets, and why one cannot listen.

pub mod error;
pub mod hosts;
pub mod log_limit;
pub mod socket_file;
