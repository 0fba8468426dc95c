//! Counts requests by the generic cell rate algorithm, for several windows at once. Pure: the time is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Limit;

/// Most windows in a count, since a shared file may hold more than it should.
pub(super) const WINDOWS_MAX: usize = 16;

/// For each window, the time up to which its units are spent; and the time until which nothing may pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Count {
    /// By the length of the window in milliseconds.
    pub spent_until: BTreeMap<u64, Duration>,
    pub blocked_until: Duration,
}

impl Count {
    /// Takes `cost` units of every limit, or none of any. The error is how long until it would succeed.
    pub fn try_take(&mut self, limits: &[Limit], cost: u32, now: Duration) -> Result<(), Duration> {
        let spent_until =
            |limit: &Limit| self.spent_until.get(&limit.window_ms()).map_or(now, |at| now.max(*at));
        let wait = limits
            .iter()
            .map(|limit| spent_until(limit).saturating_sub(now + limit.ahead(cost)))
            .chain([self.blocked_until.saturating_sub(now)])
            .max()
            .unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        let spent: Vec<_> = limits
            .iter()
            .map(|limit| (limit.window_ms(), spent_until(limit).saturating_add(limit.price(cost))))
            .collect();
        self.spent_until.extend(spent);
        Ok(())
    }

    /// Lets nothing pass before `until`.
    pub fn block(&mut self, until: Duration) {
        self.blocked_until = self.blocked_until.max(until);
    }

    /// Adds what another count knows.
    pub fn merge(&mut self, other: &Count) {
        self.block(other.blocked_until);
        for (window, at) in &other.spent_until {
            if self.spent_until.len() < WINDOWS_MAX || self.spent_until.contains_key(window) {
                let own = self.spent_until.entry(*window).or_default();
                *own = (*own).max(*at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let (limits, mut count) = ([Limit::per_minute(60).burst(6)], Count::default());
        let start = Duration::from_secs(1000);
        for _ in 0..6 {
            assert_eq!(count.try_take(&limits, 1, start), Ok(()));
        }
        let wait = count.try_take(&limits, 1, start).unwrap_err();
        assert_eq!(wait, limits[0].interval());
        assert_eq!(count.try_take(&limits, 1, start + wait), Ok(()));
        assert!(count.try_take(&limits, 1, start + wait).is_err());
    }

    #[test]
    fn one_per_minute_is_one_per_minute() {
        let (limits, mut count) = ([Limit::per_minute(1)], Count::default());
        let start = Duration::from_secs(5);
        assert_eq!(count.try_take(&limits, 1, start), Ok(()));
        assert_eq!(count.try_take(&limits, 1, start + 59_999 * MS), Err(MS));
        assert_eq!(count.try_take(&limits, 1, start + 60_000 * MS), Ok(()));
    }

    #[test]
    fn the_narrowest_window_decides_and_a_refusal_costs_nothing() {
        let limits = [Limit::per_second(10).burst(5), Limit::per_day(6).burst(3)];
        let (mut count, now) = (Count::default(), Duration::from_secs(9));
        for _ in 0..3 {
            assert_eq!(count.try_take(&limits, 1, now), Ok(()));
        }
        let before = count.clone();
        assert!(count.try_take(&limits, 1, now).unwrap_err() > Duration::from_secs(60 * 60));
        assert_eq!(count, before);
    }

    #[test]
    fn a_request_costlier_than_the_burst_passes_when_all_is_paid_and_pays_itself() {
        let (limits, mut count) = ([Limit::per_minute(60).burst(6)], Count::default());
        let now = Duration::from_secs(9);
        assert_eq!(count.try_take(&limits, 50, now), Ok(()));
        let wait = count.try_take(&limits, 50, now).unwrap_err();
        assert_eq!(wait, limits[0].interval() * 50);
        assert_eq!(count.try_take(&limits, 50, now + wait), Ok(()));
    }

    #[test]
    fn a_block_holds_everything_back_until_its_end() {
        let (limits, mut count) = ([Limit::per_second(100)], Count::default());
        let now = Duration::from_secs(9);
        count.block(now + 30_000 * MS);
        count.block(now + 10_000 * MS);
        assert_eq!(count.try_take(&limits, 1, now), Err(30_000 * MS));
        assert_eq!(count.try_take(&[], 1, now + 29_999 * MS), Err(MS));
        assert_eq!(count.try_take(&limits, 1, now + 30_000 * MS), Ok(()));
    }

    proptest! {
        /// At any sequence of requests, no window lets more through than its quota, and after the wait that is told
        /// the request succeeds.
        #[test]
        fn no_window_passes_the_quota(
            quota in 1u32..50,
            burst in 1u32..50,
            per_ms in 10u64..5_000,
            steps in prop::collection::vec((0u64..400, 1u32..3, any::<bool>()), 1..300),
        ) {
            let limit = Limit::new(quota, Duration::from_millis(per_ms)).burst(burst);
            let (mut count, mut now) = (Count::default(), Duration::from_secs(100));
            let mut passed: Vec<(Duration, u32)> = Vec::new();
            let mut widest = 1;
            for (ms, cost, patient) in steps {
                now += Duration::from_millis(ms);
                let mut answer = count.try_take(&[limit], cost, now);
                if let (Err(wait), true) = (answer, patient) {
                    now += wait;
                    answer = count.try_take(&[limit], cost, now);
                    prop_assert!(answer.is_ok(), "the wait of {:?} was not enough", wait);
                }
                if answer.is_ok() {
                    passed.push((now, cost));
                    widest = widest.max(cost);
                }
            }
            // A request may cost more than the burst. Then its cost is what comes at once.
            let over = widest.saturating_sub(burst.min(quota / 2).max(1));
            for (i, (from, _)) in passed.iter().enumerate() {
                let end = *from + Duration::from_millis(per_ms);
                let sum: u32 = passed[i..].iter().take_while(|(at, _)| *at < end).map(|(_, cost)| cost).sum();
                prop_assert!(sum <= quota + over, "{} of {} in {} ms", sum, quota, per_ms);
            }
        }

        /// A merged count never allows what one of its parts would hold back.
        #[test]
        fn merging_only_holds_back_more(a in 0u64..10_000, b in 0u64..10_000, block in 0u64..10_000) {
            let limits = [Limit::per_second(5)];
            let count = |spent, blocked| Count {
                spent_until: [(1000, Duration::from_millis(spent))].into(),
                blocked_until: Duration::from_millis(blocked),
            };
            let now = Duration::from_secs(1);
            let (one, other) = (count(a, 0), count(b, block));
            let mut both = one.clone();
            both.merge(&other);
            let wait = |count: &Count| count.clone().try_take(&limits, 1, now).err().unwrap_or_default();
            prop_assert_eq!(wait(&both), wait(&one).max(wait(&other)));
        }
    }
}
