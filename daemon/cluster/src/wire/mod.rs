//! How nodes write what they send: MessagePack with named fields, in parts that a NATS server takes.
//!
//! [`Writer`] makes the packets of a [`Message`], [`Assembly`] makes the message of the packets. What is read is checked: names,
//! values, eras, and who speaks. What others send never ends the process, and takes memory within bounds.
//!
//! # Nodes of two versions
//! Fields are named, so one that is not known is skipped, and one that is new has a default. A packet says the version of the node
//! that wrote it. What cannot be read from a newer node is [`Wrong::Newer`]: its feeds are not followed, and that is told. A
//! node of another major version is not read at all. The bytes in `tests/golden/` are what version 1.0 writes; they stay readable.

mod access;
mod assembly;
mod bytes;
pub mod fields;
mod message;
mod msgpack;
mod packet;
mod version;
mod wrong;

#[cfg(test)]
mod tests;

pub use self::access::{AskRevoked, Redeem, Redeemed, Revocation, Revoked};
pub use self::assembly::{Assembly, Dropped};
pub use self::bytes::Bytes;
pub use self::message::{
    Ask, Heartbeat, Message, Move, Presence, Publish, Published, Refused, Reply, Said, Seen, Tell,
};
pub use self::packet::{MESSAGE_BYTES_MAX, PART_BYTES_MAX, Packets, TooBig, Writer};
pub use self::version::{VERSION, Version};
pub use self::wrong::Wrong;
