//! Counts what was dropped, and why. New counts are logged now and then, and told as health when they are many.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tickerd_sdk::{Host, Level};

use crate::is_ahead;

/// The shortest time between two log entries, and the length of time over which the share is judged.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Counts what a feed drops, by reason. Reasons are fixed texts in the code, so there are few.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<&'static str, u64>,
    untold: bool,
    told: Option<Instant>,
    minute: Minute,
    trouble: Option<String>,
}

/// What came since the share was last judged.
#[derive(Debug, Default)]
struct Minute {
    since: Option<Instant>,
    came: u64,
    odd: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Counts a value that came, good or bad. [`trouble`](Tally::trouble) tells the share of these.
    pub fn came(&mut self) {
        self.minute.came = self.minute.came.saturating_add(1);
    }

    /// Counts a value that came and is of no use, or not as it is. `what` is a plural: `duplicate trades`.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
        *self.minute.odd.entry(what).or_default() += 1;
    }

    /// Counts `n` of `what` that are not values that came, such as trades that never came.
    pub fn add(&mut self, what: &'static str, n: u64) {
        if n > 0 {
            let count = self.counts.entry(what).or_default();
            *count = count.saturating_add(n);
            self.untold = true;
        }
    }

    /// Counts one less of `what`, since it came after all.
    pub fn less(&mut self, what: &'static str) {
        if let Some(count) = self.counts.get_mut(what) {
            *count = count.saturating_sub(1);
        }
    }

    /// A source's time, if it is to be believed. A time that [`is_ahead`] of `now_ms`, this machine's clock, gives
    /// `None` and is counted.
    pub fn believed(&mut self, source_ms: Option<u64>, now_ms: u64) -> Option<u64> {
        let believed = source_ms.filter(|ms| !is_ahead(*ms, now_ms));
        if believed != source_ms {
            self.count("values dated ahead of this machine's clock");
        }
        believed
    }

    /// How many of `what` there were.
    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// What to tell as health: the share and the reasons, if half or more of the values were of no use in the last
    /// minute that was judged. [`tell`](Tally::tell) judges.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Logs new counts: the first at once, further ones once a minute. Also judges the share once a minute.
    pub fn tell(&mut self, host: &Host, now: Instant) {
        let since = *self.minute.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= TOLD_EVERY {
            self.judge(now);
        }
        if self.told.is_none_or(|at| now.saturating_duration_since(at) >= TOLD_EVERY) {
            self.tell_all(host, now);
        }
    }

    /// Logs all new counts now.
    pub fn tell_all(&mut self, host: &Host, now: Instant) {
        if self.counts.values().all(|n| *n == 0) {
            return;
        }
        if std::mem::take(&mut self.untold) {
            self.told = Some(now);
            host.log(Level::Warn, self);
        }
    }

    fn judge(&mut self, now: Instant) {
        let Minute { came, odd, .. } =
            std::mem::replace(&mut self.minute, Minute { since: Some(now), came: 0, odd: BTreeMap::new() });
        let bad: u64 = odd.values().sum();
        let came = came.max(bad);
        // A minute in which nothing came is not judged.
        if came > 0 {
            self.trouble = (bad * 2 >= came).then(|| {
                format!(
                    "of {came} values in the last minute {bad} were not as they should be: {}",
                    Listed(&odd)
                )
            });
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "so far: {}", Listed(&self.counts))
    }
}

/// The counts in one line, without those that are 0.
struct Listed<'a>(&'a BTreeMap<&'static str, u64>);

impl std::fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (what, n)) in self.0.iter().filter(|(_, n)| **n > 0).enumerate() {
            f.write_str(if i > 0 { ", " } else { "" })?;
            write!(f, "{n} {what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_sdk::testing::TestHost;

    fn logs(test: &TestHost) -> Vec<String> {
        test.logs().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_once_a_minute() {
        let test = TestHost::new();
        let (host, start) = (test.host(), Instant::now());
        let mut tally = Tally::default();
        tally.tell(&host, start);
        assert!(test.logs().is_empty(), "nothing to tell");
        tally.count("late quotes");
        tally.tell(&host, start);
        tally.add("duplicate trades", 3);
        tally.tell(&host, start + TOLD_EVERY - Duration::from_millis(1));
        tally.tell(&host, start + TOLD_EVERY);
        tally.tell(&host, start + 2 * TOLD_EVERY);
        assert_eq!(logs(&test), ["so far: 1 late quotes", "so far: 3 duplicate trades, 1 late quotes"]);
        assert_eq!((tally.of("duplicate trades"), tally.of("what never was")), (3, 0));
    }

    #[test]
    fn what_came_after_all_is_not_told() {
        let test = TestHost::new();
        let mut tally = Tally::default();
        tally.add("trades that never came", 1);
        tally.less("trades that never came");
        tally.tell_all(&test.host(), Instant::now());
        assert!(test.logs().is_empty(), "{:?}", test.logs());
        tally.count("late quotes");
        tally.tell_all(&test.host(), Instant::now());
        assert_eq!(logs(&test), ["so far: 1 late quotes"]);
    }

    #[test]
    fn a_time_ahead_is_not_believed_and_is_counted() {
        let mut tally = Tally::default();
        let now_ms = 1_000_000;
        let times = [Some(now_ms - 1), None, Some(now_ms + 5_000), Some(now_ms + 5_001)];
        let believed = times.map(|ms| tally.believed(ms, now_ms));
        assert_eq!(believed, [Some(now_ms - 1), None, Some(now_ms + 5_000), None]);
        assert_eq!(tally.of("values dated ahead of this machine's clock"), 1);
    }

    #[test]
    fn half_of_a_minute_is_a_trouble_until_a_better_minute() {
        let test = TestHost::new();
        let (host, start) = (test.host(), Instant::now());
        let mut tally = Tally::default();
        let mut minute = |number: u32, good: u32, bad: u32| {
            for _ in 0..good + bad {
                tally.came();
            }
            for _ in 0..bad {
                tally.count("late quotes");
            }
            tally.tell(&host, start + number * TOLD_EVERY);
            tally.trouble().map(str::to_owned)
        };
        assert_eq!(minute(0, 0, 9), None, "the minute is not over");
        let told = "of 12 values in the last minute 9 were not as they should be: 9 late quotes";
        assert_eq!(minute(1, 3, 0).as_deref(), Some(told));
        assert_eq!(minute(2, 0, 0).as_deref(), Some(told), "nothing came that would be better");
        assert_eq!(minute(3, 3, 1), None);
        tally.add("trades that never came", 100);
        tally.tell(&host, start + 4 * TOLD_EVERY);
        assert_eq!(tally.trouble(), None, "what did not come is no share of what came");
    }
}
