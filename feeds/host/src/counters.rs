//! The growth per second of counters that only grow.

use std::collections::BTreeMap;
use std::time::Duration;

/// Shortest time between two readings. Of nearer readings the clock's error is a large part.
const APART_MIN: Duration = Duration::from_millis(50);

/// The last reading of `N` counters for each of several names.
#[derive(Debug, Default)]
pub(crate) struct Counters<const N: usize> {
    last: BTreeMap<String, Reading<N>>,
}

#[derive(Debug)]
struct Reading<const N: usize> {
    counts: [u64; N],
    at: Duration,
}

impl<const N: usize> Counters<N> {
    /// Growth per second since the last reading. `None` for the first reading, for one that follows too soon, and
    /// when a counter went backwards: it wrapped or was reset, so its growth is unknown.
    pub(crate) fn rates(&mut self, name: &str, counts: [u64; N], at: Duration) -> Option<[f64; N]> {
        let Some(last) = self.last.get_mut(name) else {
            self.last.insert(name.to_owned(), Reading { counts, at });
            return None;
        };
        let apart = at.saturating_sub(last.at);
        if apart < APART_MIN {
            return None;
        }
        let mut rates = [0.0; N];
        let mut grown = true;
        for ((rate, now), before) in rates.iter_mut().zip(counts).zip(last.counts) {
            match now.checked_sub(before) {
                Some(growth) => *rate = growth as f64 / apart.as_secs_f64(),
                None => grown = false,
            }
        }
        *last = Reading { counts, at };
        grown.then_some(rates)
    }

    /// Forgets the names that are gone and returns them.
    pub(crate) fn forget(&mut self, is_there: impl Fn(&str) -> bool) -> Vec<String> {
        let gone: Vec<String> = self.last.keys().filter(|name| !is_there(name)).cloned().collect();
        for name in &gone {
            self.last.remove(name);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn growth_is_per_second() {
        let mut counters = Counters::default();
        assert_eq!(counters.rates("a", [100, 0], s(1)), None);
        assert_eq!(counters.rates("a", [300, 1], s(3)), Some([100.0, 0.5]));
    }

    #[test]
    fn a_reset_skips_one_reading() {
        let mut counters = Counters::default();
        counters.rates("a", [u64::from(u32::MAX), 5], s(0));
        assert_eq!(counters.rates("a", [10, 6], s(1)), None, "wrapped");
        assert_eq!(counters.rates("a", [20, 7], s(2)), Some([10.0, 1.0]));
    }

    #[test]
    fn readings_too_near_keep_the_older_one() {
        let mut counters = Counters::default();
        counters.rates("a", [0], s(0));
        assert_eq!(counters.rates("a", [10], Duration::from_millis(1)), None);
        assert_eq!(counters.rates("a", [10], s(1)), Some([10.0]));
        assert_eq!(counters.rates("a", [10], s(0)), None, "a clock that went back");
    }

    #[test]
    fn the_gone_are_told_once() {
        let mut counters = Counters::default();
        counters.rates("a", [0], s(0));
        counters.rates("b", [0], s(0));
        assert_eq!(counters.forget(|name| name == "a"), ["b"]);
        assert!(counters.forget(|name| name == "a").is_empty());
        assert_eq!(counters.rates("b", [5], s(1)), None, "starts anew");
    }
}
