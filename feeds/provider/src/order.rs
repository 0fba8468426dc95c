//! The rule of order for all feeds: which of a source's data are news, even if its clock, its count or its order is
//! wrong.
//!
//! A source's times and numbers put its data in order, but they are never trusted alone:
//! - A time ahead of this machine's clock is not believed ([`is_ahead`]). Its value counts in the order in which it
//!   came.
//! - A value older than the newest is late. Late values come within seconds of the newer one. If a source goes on
//!   with older times or lower numbers for longer, its clock was set or its count began anew, and the new order is
//!   followed.
//!
//! [`Order`] is for states, where the newest replaces the rest. [`Numbers`](crate::Numbers) is for events, where each
//! one counts.

/// How far ahead of this machine's clock a time is still believed, in milliseconds. Synchronised clocks differ by
/// less than a second, and a request may take some seconds.
pub const AHEAD_MAX_MS: u64 = 5_000;
/// How long a source may send only late values, in milliseconds. After that it counts as begun anew.
const LATE_MAX_MS: u64 = 5_000;
/// A lower number whose time is later by at least this many milliseconds belongs to a new count. Clocks of one source
/// differ by less.
pub(crate) const ANEW_MS: u64 = 1_000;

/// Whether a source's time lies too far ahead of this machine's clock to be believed. Both are Unix milliseconds.
pub fn is_ahead(source_ms: u64, now_ms: u64) -> bool {
    source_ms > now_ms.saturating_add(AHEAD_MAX_MS)
}

/// Where a state stands among those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is the newest.
    News,
    /// It is the newest, though older by its time or number: the source has begun anew.
    Anew,
    /// It is the last one, repeated.
    Again,
    /// It is older than the newest.
    Late,
}

impl Place {
    /// Whether it should be passed on.
    pub fn is_news(self) -> bool {
        matches!(self, Place::News | Place::Anew)
    }
}

/// The newest of one symbol's states of one kind, from one channel of its source.
#[derive(Debug, Clone, Copy, Default)]
pub struct Order {
    /// The newest state's time or number.
    newest: Option<u64>,
    /// The newest state's time, if states are ordered by a number.
    newest_ms: Option<u64>,
    /// Since when only late states came, by this machine's clock in Unix milliseconds.
    late_since: Option<u64>,
}

impl Order {
    /// Places a state by its time. Two states of the same time are both news, and so is one without a time. `now_ms`
    /// is this machine's clock; all times are Unix milliseconds.
    pub fn timed(&mut self, source_ms: Option<u64>, now_ms: u64) -> Place {
        match source_ms.filter(|ms| !is_ahead(*ms, now_ms)) {
            Some(ms) if self.newest.is_some_and(|newest| ms < newest) => {
                self.late(Place::Late, ms, None, now_ms)
            }
            Some(ms) => self.news(Place::News, ms, None),
            None => {
                self.late_since = None;
                Place::News
            }
        }
    }

    /// Places a state by a number that grows, with gaps, such as that of a change to an order book. If its time is
    /// known, a new count is recognised at once.
    pub fn sequenced(&mut self, number: u64, source_ms: Option<u64>, now_ms: u64) -> Place {
        let ms = source_ms.filter(|ms| !is_ahead(*ms, now_ms));
        let Some(newest) = self.newest.filter(|newest| number <= *newest) else {
            return self.news(Place::News, number, ms);
        };
        if is_later(ms, self.newest_ms) {
            return self.news(Place::Anew, number, ms);
        }
        let place = if number == newest { Place::Again } else { Place::Late };
        self.late(place, number, ms, now_ms)
    }

    /// Whether any state came.
    pub fn has_begun(&self) -> bool {
        self.newest.is_some()
    }

    /// Forgets all states, for example when a new connection begins with a snapshot.
    pub fn forget(&mut self) {
        *self = Order::default();
    }

    fn news(&mut self, place: Place, key: u64, ms: Option<u64>) -> Place {
        *self = Order { newest: Some(key), newest_ms: ms.or(self.newest_ms), late_since: None };
        place
    }

    fn late(&mut self, place: Place, key: u64, ms: Option<u64>, now_ms: u64) -> Place {
        // This machine's clock may be set back as well.
        let since = self.late_since.filter(|since| *since <= now_ms).unwrap_or(now_ms);
        self.late_since = Some(since);
        if now_ms - since < LATE_MAX_MS { place } else { self.news(Place::Anew, key, ms) }
    }
}

/// Whether a time is so much later than another that a lower number is a new count.
pub(crate) fn is_later(ms: Option<u64>, newest_ms: Option<u64>) -> bool {
    matches!((ms, newest_ms), (Some(ms), Some(newest)) if ms >= newest.saturating_add(ANEW_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Place::{Again, Anew, Late, News};
    use proptest::prelude::*;

    /// An hour by this machine's clock.
    const NOW: u64 = 3_600_000;

    #[test]
    fn times_drop_only_what_is_older() {
        let mut order = Order::default();
        let places: Vec<_> = [5, 5, 9, 8, 9].into_iter().map(|at| order.timed(Some(at), NOW)).collect();
        assert_eq!(places, [News, News, News, Late, News]);
        assert!(order.has_begun());
        order.forget();
        assert!(!order.has_begun() && order.timed(Some(1), NOW).is_news());
    }

    #[test]
    fn a_time_ahead_of_our_clock_is_never_the_newest() {
        let mut order = Order::default();
        assert_eq!(order.timed(Some(NOW + 86_400_000), NOW), News, "it came last");
        assert_eq!(order.timed(Some(NOW - 10), NOW), News, "and holds up nothing");
        assert_eq!(order.timed(Some(NOW + AHEAD_MAX_MS + 1), NOW), News);
        assert_eq!(order.timed(Some(NOW - 11), NOW), Late);
        assert_eq!(order.timed(None, NOW), News, "no time: as it comes");
        assert!(is_ahead(NOW + AHEAD_MAX_MS + 1, NOW) && !is_ahead(NOW + AHEAD_MAX_MS, NOW));
        assert!(!is_ahead(u64::MAX, u64::MAX));
    }

    #[test]
    fn a_clock_that_was_set_back_is_followed_after_seconds() {
        let mut order = Order::default();
        order.timed(Some(NOW), NOW);
        let hour_ago = |since_ms: u64| (Some(NOW - 3_000_000 + since_ms), NOW + since_ms);
        let places: Vec<_> = [0, 2_000, 4_999, 5_000, 5_100]
            .into_iter()
            .map(|since_ms| {
                let (at, now) = hour_ago(since_ms);
                order.timed(at, now)
            })
            .collect();
        assert_eq!(places, [Late, Late, Late, Anew, News]);
        // A single late value after a long silence is late, however long the silence was.
        assert_eq!(order.timed(Some(1), NOW + 600_000), Late);
        // If this machine's clock is set back, the waiting begins again.
        assert_eq!(order.timed(Some(1), NOW - 500_000), Late);
        assert_eq!(order.timed(Some(1), NOW - 500_000 + LATE_MAX_MS), Anew);
    }

    #[test]
    fn news_in_between_makes_what_is_late_a_straggler() {
        let mut order = Order::default();
        for second in 0..20 {
            let now = NOW + second * 1_000;
            assert_eq!(order.timed(Some(now), now), News);
            assert_eq!(order.timed(Some(now - 3_000), now), Late, "{second}");
        }
    }

    #[test]
    fn sequences_have_holes_but_no_number_twice() {
        let mut order = Order::default();
        let places: Vec<_> =
            [5, 9, 9, 7].into_iter().map(|number| order.sequenced(number, None, NOW)).collect();
        assert_eq!(places, [News, News, Again, Late]);
    }

    #[test]
    fn a_count_that_begins_anew_is_followed() {
        let mut order = Order::default();
        order.sequenced(1_000_000, Some(NOW - 2_000), NOW);
        assert_eq!(order.sequenced(999_999, Some(NOW - 1_900), NOW), Late, "not later, or hardly");
        assert_eq!(order.sequenced(1, Some(NOW - 1_000), NOW), Anew, "at once, as its time is later");
        assert_eq!(order.sequenced(2, Some(NOW - 990), NOW), News);
        let mut untimed = Order::default();
        untimed.sequenced(1_000_000, None, NOW);
        let places: Vec<_> = [(1, 0), (2, 4_000), (3, 5_000), (4, 5_100)]
            .into_iter()
            .map(|(number, ms)| untimed.sequenced(number, None, NOW + ms))
            .collect();
        assert_eq!(places, [Late, Late, Anew, News], "without a time after seconds");
        let mut stuck = Order::default();
        let places: Vec<_> = (0..4).map(|s| stuck.sequenced(0, None, NOW + s * 2_500)).collect();
        assert_eq!(places, [News, Again, Again, Anew], "a count that stands still holds up nothing");
    }

    proptest! {
        /// For any times and numbers of a source, and any steps of this machine's clock, values are held up for
        /// seconds at most.
        #[test]
        fn nothing_freezes(
            keys in proptest::collection::vec((any::<u64>(), proptest::option::of(any::<u64>())), 1..50),
            by_time in any::<bool>(),
        ) {
            let mut order = Order::default();
            for (key, ms) in keys {
                if by_time { order.timed(ms, NOW) } else { order.sequenced(key, ms, NOW) };
            }
            let place = |order: &mut Order, at: u64| {
                if by_time { order.timed(Some(at), at) } else { order.sequenced(at - NOW, Some(at), at) }
            };
            let news = (0..4).filter(|s| place(&mut order, NOW + s * 3_000).is_news()).count();
            prop_assert!(news >= 1);
        }
    }
}
