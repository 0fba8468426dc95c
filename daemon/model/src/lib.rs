//! What tickerd computes, without a socket, a thread or a clock.
//!
//! All modules are pure: they use no tokio, no sockets and no clock. Bytes and `now` come in, values go out.
#![forbid(unsafe_code)]

pub mod board;
pub mod bucket;
pub mod close;
pub mod decoder;
pub mod deflate;
pub mod digest;
pub mod encoding;
pub mod frame;
pub mod health;
pub mod history;
pub mod host;
pub mod json;
pub mod lane;
pub mod message;
pub mod msgpack;
pub mod near;
pub mod normalise;
pub mod protocol;
pub mod rooms;
pub mod sample;
pub mod schedule;
pub mod slab;
pub mod source;
pub mod tick;
pub mod tier;
pub mod topic;
pub mod web_origin;
pub mod wire;
