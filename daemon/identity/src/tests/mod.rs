//! Tests of the whole crate: tokens in, identities out. The keys in `keys/` are for these tests alone.

mod canaries;
mod chance;
mod claims;
mod fetched;
mod kit;
mod revoked;
mod server;
mod statics;
mod table;
mod tickets;
