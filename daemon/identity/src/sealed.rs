//! What a ticket was bought with, sealed with the ticket: only who is shown the ticket can read it.
//!
//! Another node at which the ticket is shown gets this from the one that gave it out. It judges what is in it as if the client had
//! brought that: by its own configuration, keys and revocations. So no node has to believe another. On its way it is closed once more, for the node
//! that asked ([`envelope`]): so whoever listened between them learns nothing, also if the ticket turns up in a log later.

pub mod envelope;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use serde::{Deserialize, Serialize};
use tickerd_model::access::secret::Secret;

use crate::tickets::TicketPlace;

/// What a client has brought to say who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brought {
    /// A token.
    Token(Secret),
    /// A certificate with these names, which is valid until then, in Unix milliseconds. That it was shown is the word of the node.
    Certificate { names: Vec<String>, until_ms: u64 },
}

#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    #[serde(default)]
    until_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<std::net::IpAddr>,
}

/// A ticket is random, and seals one content alone. So its key needs no salt, and its nonce may be fixed.
fn key(ticket: &str) -> Option<LessSafeKey> {
    let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, ticket.as_bytes()), b"tickerd ticket");
    UnboundKey::new(&AES_256_GCM, derived.as_ref()).ok().map(LessSafeKey::new)
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

pub(crate) fn seal(ticket: &str, place: &TicketPlace, brought: &Brought) -> Option<Box<[u8]>> {
    let TicketPlace { origin, address: network } = place.coarse();
    let (token, names, until_ms) = match brought {
        Brought::Token(token) => (Some(token.expose().into()), Vec::new(), 0),
        Brought::Certificate { names, until_ms } => (None, names.clone(), *until_ms),
    };
    let content = Content { token, names, until_ms, origin, network };
    let mut bytes = serde_json::to_vec(&content).ok()?;
    key(ticket)?.seal_in_place_append_tag(nonce(), Aad::empty(), &mut bytes).ok()?;
    Some(bytes.into())
}

/// None: it was not sealed with this ticket.
pub(crate) fn open(ticket: &str, mut sealed: Box<[u8]>) -> Option<(TicketPlace, Brought)> {
    let bytes = key(ticket)?.open_in_place(nonce(), Aad::empty(), &mut sealed).ok()?;
    let Content { token, names, until_ms, origin, network } = serde_json::from_slice(bytes).ok()?;
    let brought = match token {
        Some(token) => Brought::Token(Secret::new(token)),
        None => Brought::Certificate { names, until_ms },
    };
    Some((TicketPlace { origin, address: network }, brought))
}
