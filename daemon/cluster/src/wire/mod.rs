//! How nodes write what they send: MessagePack with named fields, in parts that a NATS server takes.
//!
//! [`Writer`] makes the packets of a [`Message`], [`Assembly`] makes the message of the packets. What is read is checked: names,
//! values, eras, and who speaks. What others send never ends the process, and takes memory within bounds.
//!
//! # Nodes of two versions
//! Fields are named, so one that is not known is skipped, and one that is new has a default. A packet says the version of the node
//! that wrote it. What cannot be read from a newer node is [`Wrong::Newer`]: its feeds are not followed, and that is told. A
//! node of another major version is not read at all. The bytes in `tests/golden/` are what version 1.0 writes; they stay readable.

mod assembly;
mod bytes;
pub mod fields;
mod message;
mod packet;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use self::assembly::{Assembly, Dropped};
pub use self::bytes::Bytes;
pub use self::message::{
    Ask, Heartbeat, Message, Move, Publish, Published, Refused, Reply, Said, Seen, Tell,
};
pub use self::packet::{MESSAGE_BYTES_MAX, PART_BYTES_MAX, Packets, TooBig, Writer};

/// What this node writes, and the newest that it knows.
pub const VERSION: Version = Version::new(1, 0);

/// The major one in the upper byte: nodes of two do not understand each other. The minor one in the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u16);

impl Version {
    const fn new(major: u8, minor: u8) -> Version {
        Version(u16::from_be_bytes([major, minor]))
    }

    fn major(self) -> u8 {
        self.0.to_be_bytes()[0]
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor] = self.0.to_be_bytes();
        write!(f, "{major}.{minor}")
    }
}

/// Why something that came is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// Nobody writes that. `node`: who says to have sent it, if that can be read.
    Broken { node: Option<Arc<str>>, why: Box<str> },
    /// A node that speaks a newer version wrote it.
    Newer { node: Arc<str>, version: Version },
}

impl Wrong {
    /// `why` may have what was sent in it.
    fn broken(node: Option<&Arc<str>>, why: &dyn fmt::Display) -> Wrong {
        let mut why = why.to_string();
        if let Some((end, _)) = why.char_indices().nth(WHY_CHARS_MAX) {
            why.truncate(end);
        }
        Wrong::Broken { node: node.cloned(), why: why.into() }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Broken { node: Some(node), why } => {
                write!(f, "node {node} sent what cannot be read: {why}")
            }
            Wrong::Broken { node: None, why } => write!(f, "somebody sent what cannot be read: {why}"),
            Wrong::Newer { node, version } => write!(
                f,
                "node {node} speaks version {version} of the cluster's messages, this node {VERSION}; upgrade this node"
            ),
        }
    }
}

impl std::error::Error for Wrong {}

/// Longest reason that is kept of what was wrong.
const WHY_CHARS_MAX: usize = 200;
/// What is nested deeper is not read. What nodes send needs a third of it.
const DEPTH_MAX: usize = 32;

fn read<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, rmp_serde::decode::Error> {
    let mut from = rmp_serde::Deserializer::from_read_ref(bytes);
    from.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut from)
}

fn write<T: serde::Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("lists and maps have a length, and a Vec takes all that is written")
}
