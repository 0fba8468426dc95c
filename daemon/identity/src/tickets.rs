//! One-time tickets, for clients that cannot send a token: 128 random bits that stand for an identity for half a minute.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;

use crate::sealed::{self, Brought};
use crate::tokens::sha256;

/// How every ticket begins.
pub(crate) const PREFIX: &str = "tkt_";
/// What stands before the name of the node that gave it out. It is in no name, and needs no escape in an address.
const NODE: &str = ".";
/// How long a ticket is good for, in milliseconds.
const LIFE_MS: u64 = 30_000;
/// Most tickets that are out at once.
const TICKETS_MAX: usize = 4_096;
/// Most tickets of one user that are out at once. When it asks for one more, its oldest is good no longer.
const TICKETS_PER_USER_MAX: usize = 16;

/// Where a ticket was given out, and where it is shown: both must be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketPlace {
    /// The page's Origin; `None` for who is no page.
    pub origin: Option<String>,
    /// The client's address, compared as /24 or /64, since phones and offices change it within; `None` on unix sockets.
    pub address: Option<IpAddr>,
}

impl TicketPlace {
    /// The same with no more of the address than counts.
    pub(crate) fn coarse(&self) -> TicketPlace {
        TicketPlace { origin: self.origin.clone(), address: self.network() }
    }

    fn network(&self) -> Option<IpAddr> {
        self.address.map(|address| match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & !0xff)),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        })
    }

    pub(crate) fn is_same(&self, other: &TicketPlace) -> bool {
        self.origin == other.origin && self.network() == other.network()
    }
}

struct Ticket {
    who: Arc<Identity>,
    place: TicketPlace,
    ends_ms: u64,
    /// For another node, if it is shown there.
    sealed: Option<Box<[u8]>>,
}

/// The tickets that are out.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<Out>);

#[derive(Default)]
struct Out {
    /// By their SHA-256.
    all: HashMap<[u8; 32], Ticket>,
    /// The same by user, the oldest first.
    by_user: HashMap<Box<str>, VecDeque<[u8; 32]>>,
}

impl Tickets {
    /// Makes a ticket. In a cluster it names the node, and what it was bought with is kept for the others, sealed with the ticket.
    pub fn give(
        &self,
        who: &Arc<Identity>,
        place: TicketPlace,
        at_node: Option<(&str, &Brought)>,
        now_ms: u64,
    ) -> Result<Secret, Refusal> {
        let mut bits = [0; 16];
        SystemRandom::new().fill(&mut bits).map_err(|_| Refusal::Busy)?;
        let mut text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits));
        if let Some((node, _)) = at_node {
            text.extend([NODE, node]);
        }
        let sealed = at_node.and_then(|(_, brought)| sealed::seal(&text, &place, brought));
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.make_room(who, now_ms)?;
        let digest = sha256(text.as_bytes());
        out.by_user.entry(user(who).into()).or_default().push_back(digest);
        let ends_ms = now_ms.saturating_add(LIFE_MS);
        out.all.insert(digest, Ticket { who: who.clone(), place, ends_ms, sealed });
        Ok(Secret::new(text))
    }

    /// Takes a ticket back, whose it is. It is used up, even if it is shown in the wrong place.
    pub fn take(&self, text: &Secret, place: &TicketPlace, now_ms: u64) -> Result<Arc<Identity>, Refusal> {
        let digest = sha256(text.expose().as_bytes());
        let ticket = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest);
        match ticket {
            Some(ticket) if now_ms < ticket.ends_ms && ticket.place.is_same(place) => Ok(ticket.who),
            _ => Err(Refusal::Ticket),
        }
    }

    /// Takes back a ticket that is shown at another node. What it was bought with, sealed.
    pub fn give_up(&self, digest: &[u8; 32], now_ms: u64) -> Option<Box<[u8]>> {
        let ticket = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(digest)?;
        ticket.sealed.filter(|_| now_ms < ticket.ends_ms)
    }
}

/// The node that a ticket names. None: it was given out by a daemon that is alone, or it is no ticket.
pub(crate) fn node_of(ticket: &Secret) -> Option<&str> {
    ticket.expose().strip_prefix(PREFIX)?.split_once(NODE).map(|(_, node)| node)
}

impl Out {
    /// Makes room for one more of this user's.
    fn make_room(&mut self, who: &Identity, now_ms: u64) -> Result<(), Refusal> {
        let own = self.by_user.get(user(who));
        if let Some(oldest) = own.filter(|own| own.len() >= TICKETS_PER_USER_MAX).and_then(|own| own.front())
        {
            let oldest = *oldest;
            self.remove(&oldest);
        }
        if self.all.len() >= TICKETS_MAX {
            let Out { all, by_user } = self;
            all.retain(|_, ticket| now_ms < ticket.ends_ms);
            by_user.retain(|_, own| {
                own.retain(|digest| all.contains_key(digest));
                !own.is_empty()
            });
        }
        if self.all.len() < TICKETS_MAX { Ok(()) } else { Err(Refusal::Busy) }
    }

    fn remove(&mut self, digest: &[u8; 32]) -> Option<Ticket> {
        let ticket = self.all.remove(digest)?;
        if let Some(own) = self.by_user.get_mut(user(&ticket.who)) {
            own.retain(|other| other != digest);
            if own.is_empty() {
                self.by_user.remove(user(&ticket.who));
            }
        }
        Some(ticket)
    }
}

/// Whose a ticket is. Who is anonymous gets none.
fn user(who: &Identity) -> &str {
    who.user.as_deref().unwrap_or_default()
}
