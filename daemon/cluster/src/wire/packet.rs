//! One packet: a part of a message, and who sent it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::fields::check_name;
use super::message::Message;
use super::msgpack::{read, write};
use super::version::{VERSION, Version};
use super::wrong::Wrong;
use crate::beat::Node;

/// The largest packet, all in all. A NATS server takes 1 MiB unless it is told otherwise.
pub const PART_BYTES_MAX: usize = 256 * 1024;
/// The largest message. A server drops a client that has as much waiting.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// What stands around a part: names of at most 64 bytes, numbers, and the fields' names.
const AROUND_BYTES_MAX: usize = 256;
const CONTENT_BYTES_MAX: usize = PART_BYTES_MAX - AROUND_BYTES_MAX;
pub(super) const PARTS_MAX: u16 = MESSAGE_BYTES_MAX.div_ceil(CONTENT_BYTES_MAX) as u16;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Packet<'a> {
    pub v: u16,
    /// The node's name.
    from: &'a str,
    life: u64,
    /// Counts the messages of one process.
    pub id: u64,
    pub kind: &'a str,
    /// Which part this is, from 0, and how many there are.
    #[serde(default)]
    pub i: u16,
    #[serde(default = "one")]
    pub n: u16,
    #[serde(serialize_with = "as_bytes")]
    pub body: &'a [u8],
}

fn one() -> u16 {
    1
}

fn as_bytes<S: Serializer>(bytes: &&[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(bytes)
}

/// What the packets of every version have.
#[derive(Deserialize)]
struct Front<'a> {
    v: u16,
    from: &'a str,
}

impl<'a> Packet<'a> {
    pub fn new(me: &'a Node, id: u64, kind: &'a str, i: u16, n: u16, body: &'a [u8]) -> Packet<'a> {
        Packet { v: VERSION.0, from: &me.name, life: me.life, id, kind, i, n, body }
    }

    /// Which node sent it, the version that it speaks, and the packet.
    pub fn read(bytes: &'a [u8]) -> Result<(Node, Version, Packet<'a>), Wrong> {
        let Front { v, from } = read(bytes).map_err(|error| Wrong::broken(None, &error))?;
        check_name(from).map_err(|error| Wrong::broken(None, &error))?;
        let (name, version) = (Arc::from(from), Version(v));
        if version.major() > VERSION.major() {
            return Err(Wrong::Newer { node: name, version });
        }
        let broken = |why: &dyn fmt::Display| unread(&name, version, why);
        if version.major() == 0 {
            return Err(broken(&"it has no version"));
        }
        let packet: Packet<'_> = read(bytes).map_err(|error| broken(&error))?;
        if packet.i >= packet.n || packet.n > PARTS_MAX || packet.body.len() > PART_BYTES_MAX {
            return Err(broken(&"the packet is none of a message's parts"));
        }
        Ok((Node { name, life: packet.life }, version, packet))
    }
}

/// Something cannot be read: it is broken, or newer than what this node knows.
pub(super) fn unread(node: &Arc<str>, version: Version, why: &dyn fmt::Display) -> Wrong {
    if version > VERSION {
        Wrong::Newer { node: node.clone(), version }
    } else {
        Wrong::broken(Some(node), why)
    }
}

/// More than one message may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooBig {
    pub bytes: usize,
}

impl fmt::Display for TooBig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooBig { bytes } = self;
        write!(f, "a message to other nodes has {bytes} bytes; at most {MESSAGE_BYTES_MAX} can be sent")
    }
}

impl std::error::Error for TooBig {}

/// Numbers the messages of this process.
#[derive(Debug)]
pub struct Writer {
    me: Node,
    id: u64,
}

impl Writer {
    pub fn new(me: Node) -> Writer {
        Writer { me, id: 0 }
    }

    /// The packets to send, one after the other on one subject.
    pub fn write(&mut self, message: &Message) -> Result<Packets, TooBig> {
        let body = message.body();
        if body.len() > MESSAGE_BYTES_MAX {
            return Err(TooBig { bytes: body.len() });
        }
        self.id += 1;
        let n = u16::try_from(body.len().div_ceil(CONTENT_BYTES_MAX).max(1)).unwrap_or(PARTS_MAX);
        Ok(Packets { me: self.me.clone(), id: self.id, kind: message.kind(), i: 0, n, body })
    }
}

/// The packets of one message.
#[derive(Debug)]
pub struct Packets {
    me: Node,
    id: u64,
    kind: &'static str,
    i: u16,
    n: u16,
    body: Vec<u8>,
}

impl Iterator for Packets {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let Packets { me, id, kind, i, n, body } = self;
        let body = body.chunks(CONTENT_BYTES_MAX).nth(usize::from(*i)).filter(|_| *i < *n)?;
        let packet = write(&Packet::new(me, *id, kind, *i, *n, body));
        *i += 1;
        Some(packet)
    }
}
