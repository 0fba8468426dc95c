//! What each address may still ask over HTTP of what costs the others something: publishing, and lists and values of many topics.
//!
//! A WebSocket is held to `commands_per_s` by itself. HTTP connections are many and short, so there the address is held to
//! it; `peer` says whose address a request has. The bytes of the past that an address fetches are counted over both. What patterns cost is counted by address for WebSockets too: a client that
//! connects anew keeps the debt of its last connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::peer::outside;
use crate::exchange::arrival::{AddressShare, Share};
use tickerd_model::basics::bucket::Bucket;

/// How many connections' worth of work with patterns one address may ask for. A whole office behind one address comes back at
/// once; 8 connections' worth is 2 % of a core in the long run.
pub const PATTERNS_SHARE: u32 = 8;
/// Addresses that are remembered, at most. Who has asked nothing while so many others did begins with a full share, which
/// it would have after a few seconds anyway.
const ADDRESSES_MAX: usize = 16_384;

/// One bucket for each address that asked lately.
pub struct Budgets {
    per_s: u32,
    burst: u32,
    started: Instant,
    known: Mutex<Known>,
}

/// What the connections of one address may ask together.
#[derive(Clone)]
pub struct Shared {
    /// Work with patterns.
    pub patterns: Arc<Budgets>,
    /// Bytes of the past: a token is one KiB.
    pub past: Arc<Budgets>,
}

/// Bytes of one token of [`Shared::past`].
const PAST_TOKEN_BYTES: f32 = 1024.0;
/// An address that was quiet may fetch at once what it may fetch in so many seconds.
const PAST_BURST_S: u32 = 10;

/// A connection's part in what its address may ask.
struct Part {
    shared: Shared,
    address: IpAddr,
}

impl Shared {
    /// `past_per_s` is the bytes of the past that an address may fetch in a second.
    pub fn new(patterns: Budgets, past_per_s: usize) -> Shared {
        let tokens = u32::try_from(past_per_s / PAST_TOKEN_BYTES as usize).unwrap_or(u32::MAX).max(1);
        let past = Budgets::new(tokens, tokens.saturating_mul(PAST_BURST_S));
        Shared { patterns: Arc::new(patterns), past: Arc::new(past) }
    }

    /// A connection's part in the share of its address; none if it has no limit.
    pub fn part(&self, client: Option<IpAddr>) -> Option<Share> {
        let address = client.and_then(outside)?;
        Some(Box::new(Part { shared: self.clone(), address }))
    }
}

impl AddressShare for Part {
    fn address(&self) -> IpAddr {
        self.address
    }

    fn owed_ms(&self) -> Option<u64> {
        self.shared.patterns.owed_ms(self.address)
    }

    fn charge(&self, looks: usize) {
        self.shared.patterns.charge_looks(self.address, looks);
    }

    fn owed_past_ms(&self) -> Option<u64> {
        self.shared.past.owed_ms(self.address)
    }

    fn charge_past(&self, bytes: usize) {
        self.shared.past.charge_past(self.address, bytes);
    }
}

/// Two halves: when the recent one is full it becomes the other, and what that held is forgotten.
#[derive(Default)]
struct Known {
    recent: HashMap<IpAddr, Bucket>,
    before: HashMap<IpAddr, Bucket>,
}

impl Budgets {
    /// Each address has `burst` at once, and `per_s` in the long run.
    pub fn new(per_s: u32, burst: u32) -> Budgets {
        Budgets { per_s, burst, started: Instant::now(), known: Mutex::default() }
    }

    /// Takes one out of the share of who asks; `client` is `None` if that is a unix peer. Whose share it is, if anyone's.
    ///
    /// # Errors
    /// There is nothing left: after how many milliseconds there is, and what the limit is.
    pub fn take(&self, client: Option<IpAddr>) -> Result<Option<IpAddr>, (u64, String)> {
        let Some(address) = client.and_then(outside) else { return Ok(None) };
        let now_ms = self.now_ms();
        let taken = self.known().of(address, self.burst, now_ms).take(self.per_s, self.burst, now_ms);
        taken.map(|()| Some(address)).map_err(|wait_ms| {
            let Budgets { per_s, burst, .. } = self;
            let limit =
                format!("from one address at most {per_s} messages, lists and requests for values a second, {burst} at once");
            (wait_ms, format!("{limit}; wait, or hold one WebSocket open"))
        })
    }

    /// Takes out what a list cost beyond its token: it looked at so many topics.
    pub fn charge_looks(&self, address: IpAddr, looks: usize) {
        let now_ms = self.now_ms();
        self.known().of(address, self.burst, now_ms).charge_looks(looks, self.per_s);
    }

    /// Takes out what an answer with so many bytes of the past cost.
    pub fn charge_past(&self, address: IpAddr, bytes: usize) {
        let now_ms = self.now_ms();
        let tokens = bytes as f32 / PAST_TOKEN_BYTES;
        self.known().of(address, self.burst, now_ms).charge(tokens, self.per_s);
    }

    /// If an address has nothing left: after how many milliseconds it has.
    pub fn owed_ms(&self, address: IpAddr) -> Option<u64> {
        let now_ms = self.now_ms();
        self.known().of(address, self.burst, now_ms).owed_ms(self.per_s, self.burst, now_ms)
    }

    fn now_ms(&self) -> u32 {
        self.started.elapsed().as_millis() as u32
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn of(&mut self, address: IpAddr, burst: u32, now_ms: u32) -> &mut Bucket {
        if !self.recent.contains_key(&address) && self.recent.len() >= ADDRESSES_MAX / 2 {
            self.before = std::mem::take(&mut self.recent);
        }
        let before = &mut self.before;
        let known = || before.remove(&address).unwrap_or_else(|| Bucket::new(burst, now_ms));
        self.recent.entry(address).or_insert_with(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// None, so that the clock has no part in it.
    const REFILL: u32 = 0;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn each_address_has_its_share() {
        let budgets = Budgets::new(REFILL, 2);
        let first = address("192.0.2.1");
        assert!(budgets.take(first).is_ok() && budgets.take(first).is_ok());
        let (wait_ms, why) = budgets.take(first).unwrap_err();
        assert!((1..=1000).contains(&wait_ms) && why.contains("at most 0 "), "{wait_ms} {why}");
        assert!(budgets.take(address("::ffff:192.0.2.1")).is_err(), "the same");
        assert!(budgets.take(address("192.0.2.2")).is_ok());
        for peer in [None, address("127.0.0.1"), address("::1"), address("::ffff:127.0.0.9")] {
            assert!((0..10).all(|_| budgets.take(peer).is_ok()), "{peer:?} is this machine");
        }
    }

    #[test]
    fn a_list_of_very_many_costs_more() {
        let budgets = Budgets::new(REFILL, 3);
        let peer = address("192.0.2.1");
        let whose = budgets.take(peer).unwrap().unwrap();
        budgets.charge_looks(whose, 10_000);
        assert!(budgets.take(peer).is_err());
        assert_eq!(budgets.take(None), Ok(None), "nobody's");
    }

    #[test]
    fn who_connects_anew_brings_the_debt_of_its_address_along() {
        let budgets = Shared::new(Budgets::new(1, 2), 1 << 20);
        let share = |peer| budgets.part(address(peer)).expect("it has a limit");
        let first = share("192.0.2.1");
        assert_eq!(first.owed_ms(), None);
        first.charge(30_000);
        drop(first);
        let owed_ms = share("192.0.2.1").owed_ms().unwrap();
        assert!((3_000..=5_000).contains(&owed_ms), "{owed_ms}");
        assert_eq!(share("192.0.2.2").owed_ms(), None);
        assert!(budgets.part(None).is_none() && budgets.part(address("127.0.0.1")).is_none());
    }

    #[test]
    fn addresses_that_are_remembered_have_a_bound_and_the_oldest_go() {
        let budgets = Budgets::new(REFILL, 1);
        let nth = |n: u32| Some(IpAddr::from((0x0a00_0000 + n).to_be_bytes()));
        for n in 0..3 * ADDRESSES_MAX as u32 {
            assert!(budgets.take(nth(n)).is_ok());
            let known = budgets.known.lock().unwrap();
            assert!(known.recent.len() + known.before.len() <= ADDRESSES_MAX);
        }
        let last = 3 * ADDRESSES_MAX as u32 - 1;
        assert!(budgets.take(nth(last)).is_err(), "it is remembered");
        assert!(budgets.take(nth(0)).is_ok(), "it is forgotten");
    }

    /// Goal: an attacker with a million networks takes a bounded place. Each of them is one /64, whichever of its addresses
    /// asks.
    #[test]
    fn a_million_networks_take_a_bounded_place() {
        let shared = Shared::new(Budgets::new(REFILL, 2), 1 << 20);
        for n in 0..1_000_000_u128 {
            let address = std::net::Ipv6Addr::from(0x2001_0db8_u128 << 96 | n << 64 | n);
            let share = shared.part(Some(address.into())).unwrap();
            share.charge(1);
        }
        let known = shared.patterns.known();
        assert!(known.recent.len() + known.before.len() <= ADDRESSES_MAX);
        assert!(known.recent.capacity() + known.before.capacity() <= 4 * ADDRESSES_MAX);
    }
}
