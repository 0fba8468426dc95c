//! What nodes say to each other.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::access::{AskRevoked, Redeem, Redeemed, Revoked, is_zero};
use super::bytes::Bytes;
use super::fields;
use super::msgpack::{read, write};
use crate::beat::{Answer, Beat, Head, Node, Position, Root};
use crate::era::Era;
use crate::load::{Load, Turnover};
use crate::words::Claim;

/// One message. Who sent it stands on the packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    Beat(Said),
    Heartbeat(Heartbeat),
    Ask(Ask),
    Answer(Reply),
    Tell(Tell),
    Move(Move),
    Publish(Publish),
    Published(Published),
    Presence(Presence),
    Revoked(Revoked),
    AskRevoked(AskRevoked),
    Redeem(Redeem),
    Redeemed(Redeemed),
}

/// What the holder of a feed says to all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    #[serde(deserialize_with = "fields::name")]
    pub feed: Box<str>,
    pub beat: Beat<Arc<Load>>,
}

/// What a node says of itself each half second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    /// The version of tickerd that it runs.
    #[serde(deserialize_with = "fields::text")]
    pub version: Box<str>,
    /// It never holds a feed.
    pub is_edge: bool,
    /// Its clock, Unix milliseconds.
    pub ts: u64,
    /// The hash of its configuration, so that nodes can be compared.
    pub config: u64,
    /// The cluster's epoch, as its records have it; empty: not known yet. Those of one cluster have the same.
    #[serde(deserialize_with = "fields::text", skip_serializing_if = "str::is_empty")]
    pub epoch: Box<str>,
    /// The feeds that it follows or holds.
    pub feeds: Vec<Seen>,
    /// Names all that was revoked, as far as it knows; 0: nothing was.
    #[serde(skip_serializing_if = "is_zero")]
    pub revoked: u64,
}

/// What a node says of one feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    #[serde(deserialize_with = "fields::name")]
    pub feed: Box<str>,
    /// It holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// It hears nobody who holds it.
    #[serde(default)]
    pub misses: bool,
    /// It may take it.
    #[serde(default)]
    pub may_hold: bool,
    /// It has no section of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_bare: bool,
}

impl Seen {
    pub fn new(feed: &str, said: crate::Heartbeat, is_bare: bool) -> Seen {
        let crate::Heartbeat { claim, misses, may_hold, .. } = said;
        Seen { feed: feed.into(), claim, misses, may_hold, is_bare }
    }

    /// As the rules take it.
    pub fn heartbeat(self, node: Node, is_edge: bool) -> crate::Heartbeat {
        let Seen { claim, misses, may_hold, .. } = self;
        crate::Heartbeat { node, claim, misses, may_hold, is_edge }
    }
}

/// What comes after that beat, for a board with that root's numbers?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    #[serde(deserialize_with = "fields::name")]
    pub feed: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Position>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    #[serde(deserialize_with = "fields::name")]
    pub feed: Box<str>,
    pub answer: Answer<Arc<Load>>,
}

/// To who holds the feed: this era has been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tell {
    #[serde(deserialize_with = "fields::name")]
    pub feed: Box<str>,
    pub era: Era,
    /// Whose era it is: others hold nothing. None: that is not known, and whoever holds it begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Node>,
}

/// To who holds the feed: hand it over to that node. An operator wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    #[serde(deserialize_with = "fields::name")]
    pub feed: Box<str>,
    #[serde(deserialize_with = "fields::name")]
    pub to: Arc<str>,
}

/// To who holds the room: a client of this node publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    #[serde(deserialize_with = "fields::name")]
    pub feed: Box<str>,
    /// The node's own number for it. It stays the same when it is sent again.
    pub id: u64,
    #[serde(deserialize_with = "fields::topic")]
    pub topic: Arc<str>,
    #[serde(default, deserialize_with = "fields::address", skip_serializing_if = "Option::is_none")]
    pub from: Option<Arc<str>>,
    /// The one whom it is for; without it all.
    #[serde(default, deserialize_with = "fields::address", skip_serializing_if = "Option::is_none")]
    pub to: Option<Arc<str>>,
    /// Whose share of the room it takes: the client's network address, and its connection.
    #[serde(default, deserialize_with = "fields::address", skip_serializing_if = "Option::is_none")]
    pub address: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<(u32, u32, u32)>,
    #[serde(deserialize_with = "fields::value")]
    pub value: Bytes,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    pub id: u64,
    /// Its number, unless it was refused.
    #[serde(default)]
    pub seq: u64,
    /// Whom it was for, if not for all, and how many connections get it.
    #[serde(default, deserialize_with = "fields::address", skip_serializing_if = "Option::is_none")]
    pub to: Option<Arc<str>>,
    #[serde(default)]
    pub delivered: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// To who holds the room: clients of this node came and left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    #[serde(deserialize_with = "fields::name")]
    pub feed: Box<str>,
    /// These are all of this node who are there.
    #[serde(default)]
    pub whole: bool,
    pub turnovers: Vec<Turnover>,
}

/// As the protocol's errors are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub code: u16,
    #[serde(deserialize_with = "fields::text")]
    pub reason: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Why a body is no message.
#[derive(Debug)]
pub enum Unread {
    /// Not a kind that this version knows.
    Unknown,
    No(String),
}

impl Message {
    /// The word for it on packets.
    pub fn kind(&self) -> &'static str {
        match self {
            Message::Beat(_) => "beat",
            Message::Heartbeat(_) => "heartbeat",
            Message::Ask(_) => "ask",
            Message::Answer(_) => "answer",
            Message::Tell(_) => "tell",
            Message::Move(_) => "move",
            Message::Publish(_) => "publish",
            Message::Published(_) => "published",
            Message::Presence(_) => "presence",
            Message::Revoked(_) => "revoked",
            Message::AskRevoked(_) => "ask_revoked",
            Message::Redeem(_) => "redeem",
            Message::Redeemed(_) => "redeemed",
        }
    }

    pub(super) fn body(&self) -> Vec<u8> {
        match self {
            Message::Beat(said) => write(said),
            Message::Heartbeat(heartbeat) => write(heartbeat),
            Message::Ask(ask) => write(ask),
            Message::Answer(reply) => write(reply),
            Message::Tell(tell) => write(tell),
            Message::Move(wanted) => write(wanted),
            Message::Publish(publish) => write(publish),
            Message::Published(published) => write(published),
            Message::Presence(presence) => write(presence),
            Message::Revoked(revoked) => write(revoked),
            Message::AskRevoked(ask) => write(ask),
            Message::Redeem(redeem) => write(redeem),
            Message::Redeemed(redeemed) => write(redeemed),
        }
    }

    pub(super) fn read(kind: &str, body: &[u8], from: &Node) -> Result<Message, Unread> {
        let no = |error: rmp_serde::decode::Error| Unread::No(format!("in a message {kind:?}: {error}"));
        let message = match kind {
            "beat" => Message::Beat(read(body).map_err(no)?),
            "heartbeat" => Message::Heartbeat(read(body).map_err(no)?),
            "ask" => Message::Ask(read(body).map_err(no)?),
            "answer" => Message::Answer(read(body).map_err(no)?),
            "tell" => Message::Tell(read(body).map_err(no)?),
            "move" => Message::Move(read(body).map_err(no)?),
            "publish" => Message::Publish(read(body).map_err(no)?),
            "published" => Message::Published(read(body).map_err(no)?),
            "presence" => Message::Presence(read(body).map_err(no)?),
            "revoked" => Message::Revoked(read(body).map_err(no)?),
            "ask_revoked" => Message::AskRevoked(read(body).map_err(no)?),
            "redeem" => Message::Redeem(read(body).map_err(no)?),
            "redeemed" => Message::Redeemed(read(body).map_err(no)?),
            _ => return Err(Unread::Unknown),
        };
        match message.fault(from) {
            Some(fault) => Err(Unread::No(format!("in a message {kind:?}: {fault}"))),
            None => Ok(message),
        }
    }

    /// What the fields alone do not show.
    fn fault(&self, from: &Node) -> Option<&'static str> {
        let impossible = "the beat's place in the order is not possible";
        match self {
            Message::Beat(Said { beat, .. }) if beat.head.at.node != *from => {
                Some("the beat is another node's")
            }
            Message::Beat(Said { beat, .. }) if !beat.head.is_sound() => Some(impossible),
            Message::Answer(Reply { answer: Answer::Beats(beats), .. }) => {
                beats.iter().any(|beat| !beat.head.is_sound()).then_some(impossible)
            }
            Message::Answer(Reply { answer: Answer::Whole(Beat { head, load }), .. }) => {
                let Head { at, root, .. } = head;
                let possible = at.era > Era::NONE && at.number > 0 && root.era <= at.era;
                if !possible {
                    return Some(impossible);
                }
                load.whole.is_none().then_some("the whole board is not there")
            }
            Message::Heartbeat(Heartbeat { feeds, .. }) => {
                let unsound = |claim: &Claim| claim.era == Era::NONE || claim.root.era > claim.era;
                let found = feeds.iter().filter_map(|seen| seen.claim.as_ref()).any(unsound);
                found.then_some("an era that is not possible")
            }
            Message::Ask(_)
            | Message::Beat(_)
            | Message::Tell(_)
            | Message::Move(_)
            | Message::Publish(_)
            | Message::Published(_)
            | Message::Presence(_)
            | Message::Revoked(_)
            | Message::AskRevoked(_)
            | Message::Redeem(_)
            | Message::Redeemed(_) => None,
        }
    }
}
