//! Pure rooms: no tokio, no sockets, no clock. Bytes and `now` come in, values go out.
pub mod board;
pub mod close;
pub mod decoder;
pub mod digest;
pub mod encoding;
pub mod frame;
pub mod history;
pub mod json;
pub mod lane;
pub mod message;
pub mod normalise;
pub mod protocol;
pub mod sample;
pub mod schedule;
pub mod tick;
pub mod topic;
