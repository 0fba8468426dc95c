//! What all listeners share: by which names they are reached, how a query is read, the files of unix sockets, sockets that are passed, and why one
//! cannot listen.

pub mod error;
pub mod hosts;
pub mod log_limit;
pub mod passed;
pub mod query;
pub mod socket_file;
