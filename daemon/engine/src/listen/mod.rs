//! What all listeners share: by which names they are reached, the files of unix sockets, sockets that are passed, and why one
//! cannot listen.

pub mod error;
pub mod hosts;
pub mod log_limit;
pub mod passed;
pub mod socket_file;
