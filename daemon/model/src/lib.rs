//! What tickerd computes, without a socket, a thread or a clock.
//!
//! All modules are pure: they use no tokio, no sockets and no clock. Bytes and `now` come in, values go out.
#![forbid(unsafe_code)]

pub mod access;
pub mod bars;
pub mod basics;
pub mod board;
pub mod fields;
pub mod health;
pub mod history;
pub mod lane;
pub mod normalise;
pub mod protocol;
pub mod rooms;
pub mod sample;
pub mod schedule;
pub mod source;
pub mod tick;
pub mod tier;
pub mod topic;
pub mod web;
pub mod wire;
