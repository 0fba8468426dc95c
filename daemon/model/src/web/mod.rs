//! Names and addresses as browsers and proxies write them: hosts, Origins, networks, and the header of the PROXY protocol.

pub mod host;
pub mod network;
pub mod origin;
pub mod proxy;
