//! What nodes say to each other of who may connect: what was revoked, and tickets of one node that are shown at another.

use serde::{Deserialize, Serialize};

use super::bytes::Bytes;
use super::fields;

/// What was revoked: something new, to all; or all that a node knows, to who asked for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Names all of the list, as the node's heartbeat does; 0: these are not all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub digest: u64,
    pub list: Vec<Revocation>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// `user`, `token`, `jti` or `issued_before`. Who does not know the kind leaves it out, and keeps the others.
    #[serde(deserialize_with = "fields::text")]
    pub kind: Box<str>,
    /// Whose, or which. Empty: it is of no one in particular.
    #[serde(default, deserialize_with = "fields::text", skip_serializing_if = "str::is_empty")]
    pub name: Box<str>,
    /// With `issued_before`: the time, in Unix seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub before: u64,
    /// When it was revoked, in Unix seconds, by the clock of the node where that was said.
    pub at: u64,
}

/// To a node whose heartbeat names another list: all that it knows is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AskRevoked {
    /// Names what the asking node knows.
    pub known: u64,
}

/// To the node that gave a ticket out: it is shown here, and used up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeem {
    /// The asking node's own number for it.
    pub id: u64,
    /// The SHA-256 of the ticket. Whoever reads it cannot show the ticket.
    pub ticket: Bytes,
    /// The asking node's public key for this answer alone (X25519).
    pub key: Bytes,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeemed {
    pub id: u64,
    /// What the ticket was bought with, sealed with the ticket and closed for the key. None: it is not good any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Bytes>,
}

pub(super) fn is_zero(number: &u64) -> bool {
    *number == 0
}
