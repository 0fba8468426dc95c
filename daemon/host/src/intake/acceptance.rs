//! Whether anything usable comes of a feed: a pure judge of what was accepted and what was refused.
//!
//! A feed all of whose samples are refused runs well and brings nothing. A few that are refused among others mean nothing
//! for the whole, and are counted. So the feed is poor when a row of refusals has lasted for [`ROW`], or [`FIRST_ROW`] where
//! nothing was accepted since the feed was started; a poll may bring many at once, and the next one will tell. It is poor
//! no more when more is accepted than refused, or when what came last was accepted for [`ROW`].

use std::time::{Duration, Instant};

/// From the first to the last refusal of a row, for it to mean something.
const ROW: Duration = Duration::from_secs(5);
/// From the first refusal of a feed of which nothing was accepted since its start.
const FIRST_ROW: Duration = Duration::from_secs(1);
/// Samples that have to be accepted above those that are refused, at most, for the feed to be well again.
const DEBT_MAX: u64 = 3;
/// Reasons that are named, the most frequent first.
const REASONS_MAX: usize = 3;

/// See the module.
#[derive(Debug, Default)]
pub struct Acceptance {
    /// Samples that were refused since the last one was accepted; none: the last one was accepted.
    row: Option<Row>,
    /// Present while the feed is poor.
    poor: Option<Poor>,
}

#[derive(Debug)]
struct Row {
    first: Instant,
    last: Instant,
    count: u64,
    /// By their codes, which are a fixed set.
    reasons: Vec<(&'static str, u64)>,
}

#[derive(Debug)]
struct Poor {
    /// As it was when this began: what is told does not change with each sample.
    reason: String,
    debt: u64,
    refused_last: Instant,
}

impl Acceptance {
    /// `count` samples were refused for this reason. Whether it is worth a look now.
    pub fn refuse(&mut self, code: &'static str, count: u64, now: Instant) -> bool {
        let is_first = self.row.is_none();
        let row = self.row.get_or_insert(Row { first: now, last: now, count: 0, reasons: Vec::new() });
        row.last = now;
        row.count += count;
        match row.reasons.iter_mut().find(|(known, _)| *known == code) {
            Some((_, known)) => *known += count,
            None => row.reasons.push((code, count)),
        }
        if let Some(poor) = &mut self.poor {
            poor.debt = (poor.debt + count).min(DEBT_MAX);
            poor.refused_last = now;
            return false;
        }
        is_first || row.last.duration_since(row.first) >= ROW
    }

    /// A sample was accepted. Whether it is worth a look now.
    pub fn accept(&mut self) -> bool {
        self.row = None;
        let Some(poor) = &mut self.poor else { return false };
        poor.debt = poor.debt.saturating_sub(1);
        poor.debt == 0
    }

    /// Whether nothing was refused that still matters.
    pub fn is_clean(&self) -> bool {
        self.row.is_none() && self.poor.is_none()
    }

    /// Why the feed brings nothing, if so. `is_fruitful`: a sample was accepted since it was started.
    pub fn judge(&mut self, is_fruitful: bool, now: Instant) -> Option<&str> {
        match (&self.poor, &self.row) {
            (None, Some(row)) if row.is_long(is_fruitful, now) => {
                self.poor = Some(Poor { reason: row.reason(), debt: DEBT_MAX, refused_last: row.last });
            }
            (Some(poor), None) if poor.debt == 0 || now.duration_since(poor.refused_last) >= ROW => {
                self.poor = None;
            }
            _ => {}
        }
        self.poor.as_ref().map(|poor| poor.reason.as_str())
    }

    /// When [`Acceptance::judge`] may say something else though nothing came.
    pub fn next_look(&self, is_fruitful: bool) -> Option<Instant> {
        match (&self.poor, &self.row) {
            (None, Some(row)) if !is_fruitful => Some(row.first + FIRST_ROW),
            (Some(poor), None) => Some(poor.refused_last + ROW),
            _ => None,
        }
    }
}

impl Row {
    fn is_long(&self, is_fruitful: bool, now: Instant) -> bool {
        !is_fruitful && now.duration_since(self.first) >= FIRST_ROW
            || self.last.duration_since(self.first) >= ROW
    }

    /// `all of the last 12 samples were refused: bad_json 10, bad_topic 2`. Codes alone: clients read it, and what was
    /// refused may hold what is not for them.
    fn reason(&self) -> String {
        let mut reasons = self.reasons.clone();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut named: Vec<String> =
            reasons.iter().take(REASONS_MAX).map(|(code, count)| format!("{code} {count}")).collect();
        if let ([(code, _)], Some(one)) = (reasons.as_slice(), named.first_mut()) {
            *one = (*code).to_owned();
        }
        let what = match self.count {
            1 => "the last sample was refused".to_owned(),
            count => format!("all of the last {count} samples were refused"),
        };
        format!("{what}: {}", named.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_feed_of_which_nothing_was_ever_accepted_is_poor_soon() {
        let (mut acceptance, start) = (Acceptance::default(), Instant::now());
        assert!(acceptance.refuse("bad_json", 1, start), "look at it");
        assert_eq!(acceptance.judge(false, start), None, "the next may be right");
        assert_eq!(acceptance.next_look(false), Some(start + FIRST_ROW));
        acceptance.refuse("bad_json", 10, start + ms(10));
        acceptance.refuse("bad_topic", 1, start + ms(20));
        let said = acceptance.judge(false, start + FIRST_ROW).map(str::to_owned);
        assert_eq!(
            said.as_deref(),
            Some("all of the last 12 samples were refused: bad_json 11, bad_topic 1")
        );
        acceptance.refuse("bad_json", 1, start + ms(2_000));
        assert_eq!(
            acceptance.judge(false, start + ms(2_000)),
            said.as_deref(),
            "what is told stays as it is"
        );
    }

    #[test]
    fn one_of_many_means_nothing_however_often() {
        let (mut acceptance, start) = (Acceptance::default(), Instant::now());
        for poll in 0..100 {
            let now = start + ms(1_000 * poll);
            (0..9).for_each(|_| assert!(!acceptance.accept()));
            acceptance.refuse("bad_json", 1, now);
            assert_eq!(acceptance.judge(true, now), None);
            assert_eq!(acceptance.judge(true, now + ms(999)), None);
        }
        assert!(!acceptance.is_clean());
        acceptance.accept();
        assert!(acceptance.is_clean());
    }

    #[test]
    fn many_at_once_mean_nothing_before_the_next_poll() {
        let (mut acceptance, start) = (Acceptance::default(), Instant::now());
        acceptance.refuse("kind_changed", 20, start);
        assert_eq!(acceptance.judge(true, start + ms(599_000)), None);
        assert!(
            acceptance.refuse("kind_changed", 1, start + ms(600_000)),
            "the next poll, and nothing between"
        );
        assert!(acceptance.judge(true, start + ms(600_000)).is_some());
    }

    #[test]
    fn it_is_well_when_more_is_accepted_than_refused_or_nothing_is_refused_any_more() {
        let start = Instant::now();
        let poor = || {
            let mut acceptance = Acceptance::default();
            acceptance.refuse("bad_json", 1, start);
            assert_eq!(
                acceptance.judge(false, start + FIRST_ROW),
                Some("the last sample was refused: bad_json")
            );
            acceptance
        };
        let mut fast = poor();
        assert_eq!([fast.accept(), fast.accept(), fast.accept()], [false, false, true]);
        assert_eq!(fast.judge(true, start + ms(1_001)), None);
        let mut slow = poor();
        slow.accept();
        assert!(slow.judge(true, start + ms(1_001)).is_some());
        assert_eq!(slow.next_look(true), Some(start + ROW));
        assert_eq!(slow.judge(true, start + ROW), None);
        // Mostly refused is still of no use.
        let mut mixed = poor();
        for n in 0..50 {
            let now = start + ms(2_000 + n * 100);
            mixed.accept();
            mixed.refuse("bad_json", 14, now);
            assert!(mixed.judge(true, now).is_some());
        }
    }
}
