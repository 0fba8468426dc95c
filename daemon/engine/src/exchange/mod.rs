//! What the engine's rooms hand each other. It knows none of them: the server, the pulse and the fan-out meet here alone.

pub mod access;
pub mod arrival;
pub mod beat;
pub mod enquiry;
pub mod limit;
pub mod nodes;
pub mod outlet;
pub mod past_bars;
pub mod question;
pub mod rows;
pub mod source;
pub mod standing;

/// The number of a connection in its shard, which a later one may have again.
pub type ConnId = u32;
