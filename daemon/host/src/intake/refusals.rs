//! When refused samples are logged: the first at once, and then at most one summary every ten seconds, with counts.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::log::text::prefix;

/// Shortest time between two messages about one feed's refused samples.
const QUIET: Duration = Duration::from_secs(10);
/// Longest reason kept for the summary, in bytes.
const REASON_BYTES_MAX: usize = 512;

/// The refusals of one feed since the last message.
#[derive(Debug, Default)]
pub struct Refusals {
    told: Option<Instant>,
    counts: Vec<(&'static str, u64)>,
    last: String,
}

impl Refusals {
    /// Counts `count` refusals for one reason. Answers a text when it is time to log something.
    pub fn note(
        &mut self,
        code: &'static str,
        why: &dyn std::fmt::Display,
        count: u64,
        now: Instant,
    ) -> Option<String> {
        match self.counts.iter_mut().find(|(known, _)| *known == code) {
            Some((_, known)) => *known += count,
            // The codes are a fixed set, so this list is bounded.
            None => self.counts.push((code, count)),
        }
        // Formatting costs more than the check that failed. Between two messages the first reason is enough.
        if self.last.is_empty() || self.due(now) {
            self.last.clear();
            let _ = write!(self.last, "{why}");
            self.last.truncate(prefix(&self.last, REASON_BYTES_MAX).len());
        }
        self.settle(now)
    }

    /// A text about what was counted and not logged yet, when it is time.
    pub fn settle(&mut self, now: Instant) -> Option<String> {
        if self.counts.is_empty() || !self.due(now) {
            return None;
        }
        let total: u64 = self.counts.iter().map(|(_, count)| count).sum();
        let mut text = format!("refused {total} sample{}", if total == 1 { "" } else { "s" });
        for (at, (code, count)) in self.counts.iter().enumerate() {
            let _ = write!(text, "{} {code} {count}", if at == 0 { ":" } else { "," });
        }
        let _ = write!(text, "; {}", self.last);
        self.told = Some(now);
        self.counts.clear();
        self.last.clear();
        Some(text)
    }

    fn due(&self, now: Instant) -> bool {
        self.told.is_none_or(|told| now.duration_since(told) >= QUIET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_at_once_then_one_summary_with_counts() {
        let mut rejects = Refusals::default();
        let start = Instant::now();
        assert_eq!(
            rejects.note("bad_json", &"no value", 1, start).unwrap(),
            "refused 1 sample: bad_json 1; no value"
        );
        for _ in 0..50 {
            assert!(rejects.note("bad_json", &"no value", 1, start + Duration::from_secs(1)).is_none());
        }
        assert!(rejects.note("bad_topic", &"a space", 1, start + Duration::from_secs(2)).is_none());
        let text = rejects.settle(start + Duration::from_secs(11)).unwrap();
        assert_eq!(text, "refused 51 samples: bad_json 50, bad_topic 1; no value");
        assert!(rejects.settle(start + Duration::from_secs(60)).is_none(), "nothing new");
    }
}
