//! `tickerd.v1`: what clients say ([`command`]), what they are told ([`event`]), and what they did wrong ([`error`]).
pub mod command;
pub mod error;
pub mod event;
mod fields;
pub mod problem;
pub mod rate;
pub mod shape;
pub mod words;

/// The version in `connected`.
pub const VERSION: u32 = 1;
/// The text subprotocol's name. A client that names no subprotocol speaks it too.
pub const SUBPROTOCOL_JSON: &str = "tickerd.v1.json";
/// The binary subprotocol's name.
pub const SUBPROTOCOL_MSGPACK: &str = "tickerd.v1.msgpack";
/// The longest long poll, in seconds. Proxies hang up after a minute of silence.
pub const WAIT_MAX_S: u64 = 30;
/// All subprotocols. A client that names none speaks the first.
pub const SUBPROTOCOLS: [&str; 2] = [SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK];
