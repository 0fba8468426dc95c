//! What was dropped, and why: counted always, told now and then.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tickerd_sdk::{Host, Level};

/// The shortest time between two tellings.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Counts what a feed drops, by reason. Reasons are words in the code, so there are few.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<&'static str, u64>,
    untold: bool,
    told: Option<Instant>,
}

impl Tally {
    /// Counts one more of `what`, a plural: `duplicate trades`.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// Counts `n` more of `what`.
    pub fn add(&mut self, what: &'static str, n: u64) {
        if n > 0 {
            let count = self.counts.entry(what).or_default();
            *count = count.saturating_add(n);
            self.untold = true;
        }
    }

    /// How many of `what` there were.
    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Tells the log what is new: the first at once, further ones once a minute.
    pub fn tell(&mut self, host: &Host, now: Instant) {
        if self.told.is_none_or(|at| now.saturating_duration_since(at) >= TOLD_EVERY) {
            self.tell_all(host, now);
        }
    }

    /// Tells the log what is new, now.
    pub fn tell_all(&mut self, host: &Host, now: Instant) {
        if std::mem::take(&mut self.untold) {
            self.told = Some(now);
            host.log(Level::Warn, self);
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("so far: ")?;
        for (i, (what, n)) in self.counts.iter().enumerate() {
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
        let logs: Vec<_> = test.logs().into_iter().map(|(_, text)| text).collect();
        assert_eq!(logs, ["so far: 1 late quotes", "so far: 3 duplicate trades, 1 late quotes"]);
        assert_eq!((tally.of("duplicate trades"), tally.of("what never was")), (3, 0));
    }
}
