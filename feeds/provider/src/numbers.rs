//! Decides which of a source's numbered events are new. Each counts once, in whatever order they come.

use crate::order::{is_ahead, is_later};

/// Most gaps that are remembered. Above that, the oldest one counts as filled.
const RANGES_MAX: usize = 64;

/// Where a numbered event stands among those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It is the next one, or the first of all.
    Next,
    /// It is newer, and this number of events between it and the newest have not come so far.
    After(u64),
    /// It fills a gap: it was missing so far.
    Filling,
    /// It is older than all that came.
    Early,
    /// It came before.
    Again,
    /// Its number is lower or came before, but its time is later: the source has begun to count anew.
    Anew,
}

impl Came {
    /// Whether the event is new.
    pub fn is_new(self) -> bool {
        self != Came::Again
    }
}

/// The numbers of one symbol's events of one kind, such as trades, which the source numbers without holes.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    /// The numbers that came, as ranges in rising order that do not touch. Both ends are included.
    ranges: Vec<(u64, u64)>,
    /// The latest source time that was believed, in Unix milliseconds.
    newest_ms: Option<u64>,
}

impl Numbers {
    /// Places an event and remembers it. `now_ms` is this machine's clock; times are in Unix milliseconds.
    pub fn came(&mut self, number: u64, source_ms: Option<u64>, now_ms: u64) -> Came {
        let ms = source_ms.filter(|ms| !is_ahead(*ms, now_ms));
        let came = self.place(number, ms);
        if came == Came::Anew {
            self.ranges.clear();
        }
        if came.is_new() {
            self.insert(number);
        }
        self.newest_ms = self.newest_ms.max(ms);
        came
    }

    /// Whether any event came.
    pub fn has_begun(&self) -> bool {
        !self.ranges.is_empty()
    }

    /// Whether an event is older than all that came, by its number and its time: it happened before the feed began to
    /// listen.
    pub fn is_before(&self, number: u64, source_ms: Option<u64>) -> bool {
        let is_lower = self.ranges.first().is_some_and(|(first, _)| number < *first);
        is_lower && !is_later(source_ms, self.newest_ms)
    }

    fn place(&self, number: u64, ms: Option<u64>) -> Came {
        let (Some((first, _)), Some((_, newest))) = (self.ranges.first(), self.ranges.last()) else {
            return Came::Next;
        };
        if number > *newest {
            return match number - newest - 1 {
                0 => Came::Next,
                missing => Came::After(missing),
            };
        }
        let did_come = self.ranges.iter().any(|(from, to)| (from..=to).contains(&&number));
        match (did_come, number < *first) {
            // An event that is repeated has its old time.
            (true, _) | (_, true) if is_later(ms, self.newest_ms) => Came::Anew,
            (true, _) => Came::Again,
            (_, true) => Came::Early,
            _ => Came::Filling,
        }
    }

    fn insert(&mut self, number: u64) {
        let at = self.ranges.partition_point(|(from, _)| *from <= number);
        self.ranges.insert(at, (number, number));
        // Merges the range with neighbours that it touches.
        self.ranges.dedup_by(|next, before| {
            let touches = before.1.checked_add(1) == Some(next.0);
            if touches {
                before.1 = next.1;
            }
            touches
        });
        if self.ranges.len() > RANGES_MAX
            && let [first, second, ..] = self.ranges.as_mut_slice()
        {
            second.0 = first.0;
            self.ranges.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Came::{After, Again, Anew, Early, Filling, Next};
    use proptest::prelude::*;

    const NOW: u64 = 3_600_000;

    #[test]
    fn each_counts_once_in_any_order() {
        let mut numbers = Numbers::default();
        let came: Vec<_> = [660, 663, 662, 662, 661, 663, 660, 664, 659, 659]
            .into_iter()
            .map(|number| numbers.came(number, Some(NOW), NOW))
            .collect();
        assert_eq!(came, [Next, After(2), Filling, Again, Filling, Again, Again, Next, Early, Again]);
        assert_eq!(numbers.ranges, [(659, 664)]);
        assert!(numbers.is_before(658, Some(NOW)) && !numbers.is_before(660, Some(NOW)));
        assert!(!numbers.is_before(658, Some(NOW + 1_000)), "it is of a new count");
    }

    #[test]
    fn a_count_that_begins_anew_is_followed_and_a_repetition_is_not_taken_for_it() {
        let mut numbers = Numbers::default();
        for number in 1..=100 {
            numbers.came(number, Some(NOW - 60_000 + number), NOW);
        }
        assert_eq!(numbers.came(50, Some(NOW - 60_000 + 50), NOW), Again);
        assert_eq!(numbers.came(50, None, NOW), Again);
        assert_eq!(numbers.came(50, Some(NOW + 3_600_000), NOW), Again, "a time ahead says nothing");
        assert_eq!(numbers.came(1, Some(NOW - 10_000), NOW), Anew, "into numbers that came");
        assert_eq!(numbers.came(2, Some(NOW - 9_990), NOW), Next);
        assert_eq!(numbers.came(0, Some(NOW - 5_000), NOW), Anew, "below them");
    }

    #[test]
    fn a_number_far_off_holds_up_nothing() {
        let mut numbers = Numbers::default();
        let came: Vec<_> =
            [7, u64::MAX, 8, 9, 0].into_iter().map(|number| numbers.came(number, None, NOW)).collect();
        assert_eq!(came, [Next, After(u64::MAX - 8), Filling, Filling, Early]);
    }

    #[test]
    fn no_more_holes_are_kept_than_that() {
        let mut numbers = Numbers::default();
        for number in 0..1_000 {
            numbers.came(number * 2, None, NOW);
        }
        assert_eq!(numbers.ranges.len(), RANGES_MAX);
        assert_eq!(numbers.came(1, None, NOW), Again, "an old hole is closed");
        assert_eq!(numbers.came(1_997, None, NOW), Filling);
    }

    proptest! {
        /// Every number counts as new exactly once.
        #[test]
        fn new_is_new_once(order in proptest::collection::vec(0u64..100, 1..400)) {
            let mut numbers = Numbers::default();
            let mut known = std::collections::HashSet::new();
            for number in order {
                prop_assert_eq!(numbers.came(number, None, NOW).is_new(), known.insert(number), "{}", number);
            }
        }
    }
}
