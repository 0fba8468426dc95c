//! Decides whose messages a busy room takes. Each address has the same share of the room, and each publisher at an
//! address has the same share of that address's share. While the room is not busy, every message is taken.

use std::collections::HashMap;
use std::net::IpAddr;

use super::{MESSAGES_BURST, MESSAGES_PER_S, Seat};

/// Who publishes, as far as fairness is concerned. The client's name is not used, since anyone can take any number of
/// names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Publisher {
    /// Its address. `None`: on this machine.
    pub address: Option<IpAddr>,
    /// Its connection. `None`: it publishes over HTTP.
    pub seat: Option<Seat>,
}

/// A publisher that has not tried for this long leaves its share to the others.
const ACTIVE_MS: u64 = 5_000;
/// Publishers that are told apart. All further ones share one share.
const PUBLISHERS_MAX: usize = 4_096;
/// The part of the room's rate that is shared out, in messages per millisecond. It is a little less than all, so that
/// a room that was flooded becomes able to take bursts again.
const SHARED_PER_MS: f64 = 0.9 * MESSAGES_PER_S as f64 / 1_000.0;
/// Messages kept for publishers that have not used up their share: half of what a room takes at once.
pub const KEPT: u64 = MESSAGES_BURST / 2;

/// What a publisher may still say while the room is busy, in messages, as of `at_ms`.
#[derive(Debug, Clone, Copy)]
struct Share {
    left: f64,
    at_ms: u64,
}

/// The shares of all publishers of one room.
#[derive(Debug, Default)]
pub struct Fairness {
    by_address: HashMap<Option<IpAddr>, HashMap<Option<Seat>, Share>>,
    publishers: usize,
    swept_ms: u64,
}

impl Fairness {
    /// Takes one message out of a publisher's share. With `is_busy`, it is refused if nothing of the share is left.
    ///
    /// # Errors
    /// The milliseconds until the publisher has one, if it has none left.
    pub fn take(&mut self, who: Publisher, is_busy: bool, now_ms: u64) -> Result<(), u64> {
        self.sweep(now_ms);
        let is_known = self.by_address.get(&who.address).is_some_and(|known| known.contains_key(&who.seat));
        let who = if is_known || self.publishers < PUBLISHERS_MAX { who } else { Publisher::default() };
        let addresses = self.by_address.len() + usize::from(!self.by_address.contains_key(&who.address));
        let neighbours = self.by_address.entry(who.address).or_default();
        let others = neighbours.len() + usize::from(!neighbours.contains_key(&who.seat));
        let sharers = addresses * others;
        let part = 1.0 / sharers as f64;
        let first = (KEPT as f64 * part).max(1.0);
        // At least 2, so that a publisher that tries now and then loses nothing of what comes in between.
        let most = first.max(2.0);
        let share = neighbours.entry(who.seat).or_insert_with(|| {
            self.publishers += 1;
            Share { left: first, at_ms: now_ms }
        });
        let passed = now_ms.saturating_sub(share.at_ms) as f64;
        share.left = (share.left + passed * SHARED_PER_MS * part).min(most);
        share.at_ms = share.at_ms.max(now_ms);
        if !is_busy || sharers == 1 {
            return Ok(());
        }
        if share.left < 1.0 {
            return Err(((1.0 - share.left) / (SHARED_PER_MS * part)).ceil() as u64);
        }
        share.left -= 1.0;
        Ok(())
    }

    /// Once a second, forgets publishers that are not active.
    fn sweep(&mut self, now_ms: u64) {
        if now_ms.abs_diff(self.swept_ms) < 1_000 {
            return;
        }
        self.swept_ms = now_ms;
        self.by_address.retain(|_, publishers| {
            publishers.retain(|_, share| now_ms.abs_diff(share.at_ms) < ACTIVE_MS);
            !publishers.is_empty()
        });
        self.publishers = self.by_address.values().map(HashMap::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(conn: u32) -> Publisher {
        Publisher { address: None, seat: Some(Seat { shard: 0, conn, generation: 1 }) }
    }

    fn far(last: u8, conn: u32) -> Publisher {
        Publisher { address: Some(IpAddr::from([192, 0, 2, last])), ..seat(conn) }
    }

    /// For ten seconds each loud publisher tries 50 times a second, and the quiet one says one message every half
    /// second. Returns how many messages of the quiet one were taken, and how many of all.
    fn heard(loud: &[Publisher], quiet: Publisher) -> (usize, usize) {
        let (mut fairness, mut heard, mut all) = (Fairness::default(), 0, 0);
        for now_ms in (0..10_000).step_by(20) {
            for who in loud {
                all += usize::from(fairness.take(*who, true, now_ms).is_ok());
            }
            if now_ms % 500 == 0 {
                heard += usize::from(fairness.take(quiet, true, now_ms).is_ok());
            }
        }
        (heard, all + heard)
    }

    #[test]
    fn who_says_little_is_heard_beside_those_who_shout() {
        let crowd: Vec<Publisher> = (0..20).map(seat).collect();
        let (quiet, all) = heard(&crowd, seat(99));
        assert_eq!(quiet, 20, "its share is four a second");
        assert!((700..=1_100).contains(&all), "{all}");
        let (quiet, _) = heard(&(0..100).map(seat).collect::<Vec<_>>(), seat(999));
        assert!((8..=12).contains(&quiet), "its share is a little less than one a second: {quiet}");
    }

    #[test]
    fn many_connections_of_one_address_have_one_share() {
        let crowd: Vec<Publisher> = (0..64).map(|conn| far(1, conn)).collect();
        let (quiet, _) = heard(&crowd, far(2, 0));
        assert_eq!(quiet, 20);
    }

    #[test]
    fn who_is_alone_has_all_and_who_is_silent_leaves_it_to_others() {
        let mut fairness = Fairness::default();
        assert!(
            (0..1_000).all(|_| fairness.take(seat(1), true, 0).is_ok()),
            "nobody is there to share it with"
        );
        for conn in 10..19 {
            assert_eq!(fairness.take(seat(conn), false, 2), Ok(()));
        }
        let taken = (0..100).filter(|_| fairness.take(seat(1), true, 3).is_ok()).count();
        assert_eq!(taken as u64, KEPT / 10, "ten share what is kept");
        let wait_ms = fairness.take(seat(1), true, 3).unwrap_err();
        assert!((100..=112).contains(&wait_ms), "and ninety a second: {wait_ms}");
        assert!(
            (0..100).all(|_| fairness.take(seat(1), false, 4).is_ok()),
            "nobody waits for a room that is not busy"
        );
        assert!((0..100).all(|_| fairness.take(seat(1), true, 6_100).is_ok()), "the others are forgotten");
        assert_eq!(fairness.publishers, 1);
        assert!(fairness.take(seat(1), true, 0).is_ok(), "a clock that goes back takes nothing away");
    }

    #[test]
    fn publishers_that_are_told_apart_have_a_bound() {
        let mut fairness = Fairness::default();
        for conn in 0..2 * PUBLISHERS_MAX as u32 {
            let _ = fairness.take(seat(conn), true, 0);
        }
        assert!(fairness.publishers <= PUBLISHERS_MAX + 1);
    }
}
