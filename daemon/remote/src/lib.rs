//! The client room: how `tickerd tail`, `get` and the other commands speak with a daemon, on this machine or elsewhere.
//!
//! - `address`: what `--url` says: TCP, TLS or a unix socket.
//! - `target`: the address with all that is needed to connect: token, trusted certificates, and how the address was found.
//! - `stream`, `upgrade`: the bytes, and the WebSocket's handshake on them.
//! - `connection`: one WebSocket, blocking: messages come, commands go and are answered.
//! - `message`: the messages of PROTOCOL.md that are read here.
//! - `follow`: a subscription that survives restarts of the daemon; `past` finds where it begins, `pause` when it connects again.
//! - `bench`: thousands of clients on one thread, and the figures.
//! - `failure`: what can go wrong, what to do then, and the exit code for scripts.
//!
//! It uses nothing else of tickerd: PROTOCOL.md is all that it knows of a daemon.
#![forbid(unsafe_code)]

mod address;
pub mod bench;
mod connection;
mod failure;
mod follow;
mod message;
mod past;
mod pause;
mod stream;
mod target;
mod upgrade;

pub use address::{Address, Way};
pub use connection::Connection;
pub use failure::{Failure, Then};
pub use follow::{Happening, Period, Wish, follow};
pub use message::{Failed, Listed, Message, Past, Tick, Topics, Values, is_pattern};
pub use past::Since;
pub use target::{Target, Token};
