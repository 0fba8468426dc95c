//! How many ticks the feeds say per second: their counts are looked at once a second, and the last ten looks are kept.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::feeds::Feeds;
use tickerd_model::source::SourceId;

/// Looks that are kept, so that a rate is that of the last ten seconds.
const LOOKS_MAX: usize = 11;

/// Ticks of each feed so far.
type Counts = BTreeMap<SourceId, u64>;

/// The last looks, oldest first.
#[derive(Default)]
pub struct Rates(Mutex<VecDeque<(Instant, Counts)>>);

impl Rates {
    fn look(&self, feeds: &Feeds) {
        let counts = feeds.all().iter().map(|feed| (feed.id, feed.lane.tally().accepted)).collect();
        self.keep(Instant::now(), counts);
    }

    /// Looks when it is called, which is to be about once a second, as long as the feeds are there.
    pub fn looker(self: &Arc<Rates>, feeds: &Arc<Feeds>) -> Arc<dyn Fn() + Send + Sync> {
        let (rates, feeds) = (self.clone(), Arc::downgrade(feeds));
        Arc::new(move || feeds.upgrade().iter().for_each(|feeds| rates.look(feeds)))
    }

    fn keep(&self, now: Instant, counts: Counts) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= LOOKS_MAX {
            looks.pop_front();
        }
        looks.push_back((now, counts));
    }

    /// Ticks per second of each feed. Those that came meanwhile, and all in the first second, have none.
    pub fn all(&self) -> BTreeMap<SourceId, f64> {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some((began, before)), Some((ended, now))) = (looks.front(), looks.back()) else {
            return BTreeMap::new();
        };
        let seconds = ended.duration_since(*began).as_secs_f64();
        let rate = |(id, now): (&SourceId, &u64)| {
            let said = now.saturating_sub(*before.get(id)?);
            (seconds > 0.0).then_some((*id, said as f64 / seconds))
        };
        now.iter().filter_map(rate).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_ten_seconds() {
        let (rates, start) = (Rates::default(), Instant::now());
        let at =
            |s: u64, count: u64| rates.keep(start + Duration::from_secs(s), [(SourceId(1), count)].into());
        assert!(rates.all().is_empty());
        at(0, 1_000_000);
        assert!(rates.all().is_empty());
        (1..=30).for_each(|s| at(s, 1_000_000 + 5 * s));
        assert_eq!(rates.all(), [(SourceId(1), 5.0)].into());
    }
}
