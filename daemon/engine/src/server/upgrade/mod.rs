//! Whether a request becomes a WebSocket or an event stream: its handshake, its Origin, and the compression it offers.

pub mod credentials;
pub mod extensions;
pub mod handshake;
pub mod origin;
