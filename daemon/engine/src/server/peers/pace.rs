//! How many new connections there may be in a second. Those over it wait for their turn: a crowd that comes back at once is
//! served in order.
//!
//! Each address has a line of its own too, which gives a tenth of all turns. Who opens very many connections from one address
//! waits there, and takes no turn of others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::exchange::limit::{Limit, Tally};

/// One address has one turn out of this many.
const SHARE: u32 = 10;
/// And as many a second at least, so that an office behind one address comes in under a low limit too.
const SHARE_MIN: u32 = 10;
/// The longest wait for a turn, in nanoseconds. A request that waits 30 s after it still fits the time that HTTP may take.
const LONGEST: u64 = 25 * SECOND;
const SECOND: u64 = 1_000_000_000;
/// Addresses that are remembered, at most.
const ADDRESSES_MAX: usize = 16_384;

/// Gives turns to new connections.
pub struct Pace {
    per_s: AtomicU32,
    started: Instant,
    lines: Mutex<Lines>,
}

/// The line is too long to join it.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

/// Those of addresses are in two halves: when the recent one is full it becomes the other, and what that held is forgotten.
#[derive(Default)]
struct Lines {
    all: Line,
    recent: HashMap<IpAddr, Line>,
    before: HashMap<IpAddr, Line>,
}

/// When the last who joined has its turn, in nanoseconds. That may be over.
#[derive(Clone, Copy, Default)]
struct Line(u64);

impl Line {
    /// Joins it. How long it takes until the turn, which is at most `longest`.
    fn join(&mut self, per_s: u32, longest: u64, now: u64) -> Result<u64, TooLong> {
        // The turns of a quiet second may be taken at once.
        let turn = self.0.max(now.saturating_sub(SECOND)) + SECOND / u64::from(per_s.max(1));
        let wait = turn.saturating_sub(now);
        if wait > longest {
            return Err(TooLong);
        }
        self.0 = turn;
        Ok(wait)
    }
}

impl Lines {
    fn of(&mut self, address: IpAddr) -> &mut Line {
        if !self.recent.contains_key(&address) && self.recent.len() >= ADDRESSES_MAX / 2 {
            self.before = std::mem::take(&mut self.recent);
        }
        let before = &mut self.before;
        self.recent.entry(address).or_insert_with(|| before.remove(&address).unwrap_or_default())
    }
}

impl Pace {
    /// So many in a second, and as many at once after a quiet second.
    pub fn new(per_s: u32) -> Pace {
        Pace { per_s: AtomicU32::new(per_s), started: Instant::now(), lines: Mutex::default() }
    }

    /// So many from now on.
    pub fn set(&self, per_s: u32) {
        self.per_s.store(per_s, Ordering::Relaxed);
    }

    /// Done when a new connection may be served. `whose` is the address that it counts for, if that is limited.
    pub async fn turn(&self, whose: Option<IpAddr>, tally: &Tally) -> Result<(), TooLong> {
        let mut is_counted = false;
        for line in whose.map(Some).into_iter().chain([None]) {
            if self.join(line, 0, self.now()).is_ok() {
                continue;
            }
            if !is_counted && !tally.enforce(Limit::HandshakesPerS) {
                return Ok(());
            }
            is_counted = true;
            let wait = self.join(line, LONGEST, self.now())?;
            tokio::time::sleep(Duration::from_nanos(wait)).await;
        }
        Ok(())
    }

    /// Whether a connection that is refused may be told why: if its address has a turn at once. It takes none of all turns.
    pub fn may_be_told(&self, whose: Option<IpAddr>, tally: &Tally) -> bool {
        let Some(address) = whose else { return true };
        self.join(Some(address), 0, self.now()).is_ok() || !tally.enforce(Limit::HandshakesPerS)
    }

    /// Joins the line of an address, or of all.
    fn join(&self, line: Option<IpAddr>, longest: u64, now: u64) -> Result<u64, TooLong> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let per_s = self.per_s.load(Ordering::Relaxed);
        match line {
            Some(address) => lines.of(address).join(of_address(per_s), longest, now),
            None => lines.all.join(per_s, longest, now),
        }
    }

    /// A second later than the clock, so that there is a quiet second before the start.
    fn now(&self) -> u64 {
        SECOND + u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX / 2)
    }
}

/// How many of so many one address has.
fn of_address(per_s: u32) -> u32 {
    (per_s / SHARE).max(SHARE_MIN).min(per_s)
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    fn address(n: u32) -> Option<IpAddr> {
        Some(IpAddr::from((0x0a00_0000 + n).to_be_bytes()))
    }

    /// How long each of so many who come at once waits, in milliseconds.
    fn waits(pace: &Pace, line: Option<IpAddr>, count: usize, now: u64) -> Vec<u64> {
        (0..count).map(|_| pace.join(line, LONGEST, now).unwrap() / 1_000_000).collect()
    }

    #[test]
    fn a_crowd_takes_turns_in_order_and_waits_no_longer_than_it_must() {
        let pace = Pace::new(500);
        let waits = waits(&pace, None, 10_000, SECOND);
        assert!(
            waits.iter().is_sorted() && waits[499] == 0 && waits[9_999] == 19_000,
            "500 at once, then 500 a second"
        );
        assert_eq!(pace.join(None, 18 * SECOND, SECOND), Err(TooLong));
        assert_eq!(pace.join(None, LONGEST, 21 * SECOND).unwrap(), 0, "a second later there is no line");
    }

    #[test]
    fn one_address_has_a_tenth_and_others_do_not_wait_behind_it() {
        let pace = Pace::new(500);
        let own = waits(&pace, address(1), 100, SECOND);
        assert!(own[49] == 0 && own[99] == 1_000, "{own:?}");
        assert_eq!(waits(&pace, address(2), 50, SECOND), [0; 50]);
        assert_eq!(waits(&pace, None, 500, SECOND), [0; 500]);
        for (per_s, per_address) in [(1, 1), (10, 10), (50, 10), (1_000, 100)] {
            assert_eq!(of_address(per_s), per_address, "{per_s}");
        }
    }

    #[tokio::test]
    async fn who_is_refused_takes_turns_of_its_own_address_alone() {
        let tally = Tally::new(&Registry::new(), &[]).unwrap();
        let pace = Pace::new(20);
        let told = (0..1_000).filter(|_| pace.may_be_told(address(1), &tally)).count();
        assert!((10..500).contains(&told), "{told}");
        assert!(pace.may_be_told(address(2), &tally) && pace.may_be_told(None, &tally));
        assert_eq!(pace.join(None, 0, SECOND), Ok(0));
    }

    #[tokio::test]
    async fn who_would_wait_for_too_long_is_told_at_once() {
        let tally = Tally::new(&Registry::new(), &[]).unwrap();
        let pace = Pace::new(1);
        while pace.join(None, LONGEST, pace.now()).is_ok() {}
        assert_eq!(pace.turn(None, &tally).await, Err(TooLong));
    }

    #[tokio::test]
    async fn nobody_waits_in_a_dry_run() {
        let tally = Tally::new(&Registry::new(), &["handshakes_per_s"]).unwrap();
        let pace = Pace::new(1);
        // They would take a day.
        for _ in 0..86_400 {
            assert_eq!(pace.turn(address(1), &tally).await, Ok(()));
        }
    }

    #[test]
    fn addresses_that_are_remembered_have_a_bound_and_the_oldest_go() {
        let pace = Pace::new(1);
        let last = 3 * ADDRESSES_MAX as u32;
        for n in 0..=last {
            pace.join(address(n), LONGEST, SECOND).unwrap();
            let lines = pace.lines.lock().unwrap();
            assert!(lines.recent.len() + lines.before.len() <= ADDRESSES_MAX);
        }
        assert_eq!(pace.join(address(last), LONGEST, SECOND), Ok(SECOND), "it is remembered");
        assert_eq!(pace.join(address(0), LONGEST, SECOND), Ok(0), "it is forgotten");
    }
}
