//! What goes over the wire and comes from it: WebSocket frames, compression, JSON and MessagePack, close codes, and the bytes of
//! a tick, which are built once.

pub mod close;
pub mod decoder;
pub mod deflate;
pub mod encoding;
pub mod frame;
pub mod json;
pub mod message;
pub mod msgpack;
pub mod shared;
pub mod signature;
pub mod websocket;
