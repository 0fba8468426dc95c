//! Whether a feed's samples are accepted: a pure judge, which is given the time.
//!
//! A feed whose samples are all refused runs, and yet brings nothing: it is called poor here, and shown as degraded. A few
//! refused samples among accepted ones mean nothing for the feed as a whole.
//!
//! - A feed becomes poor when samples were refused for [`ROW`], and none was accepted in between. If none was accepted since
//!   the feed was started, [`FIRST_ROW`] is enough. It has to last, because one poll may bring many samples at once.
//! - It is poor no more when it has made up for its refusals, each accepted sample for one (at most [`DEBT_MAX`]), or when
//!   nothing was refused for [`ROW`] and the last sample was accepted.

use std::time::{Duration, Instant};

/// How long a row of refusals must last, from its first to its last, before it means something.
const ROW: Duration = Duration::from_secs(5);
/// The same for a feed of which nothing was accepted since its start, from its first refusal on.
const FIRST_ROW: Duration = Duration::from_secs(1);
/// Most accepted samples that make up for refused ones.
const DEBT_MAX: u64 = 3;
/// Reasons that are named, the most frequent first.
const REASONS_MAX: usize = 3;

/// What was accepted and refused of one feed of late.
#[derive(Debug, Default)]
pub struct Acceptance {
    /// The samples that were refused since the last one was accepted; none: the last one was accepted.
    row: Option<Row>,
    /// Present while the feed is poor.
    poor: Option<Poor>,
}

#[derive(Debug)]
struct Row {
    first: Instant,
    last: Instant,
    count: u64,
    /// How often each code was the reason; the codes are a fixed set.
    reasons: Vec<(&'static str, u64)>,
}

#[derive(Debug)]
struct Poor {
    /// The reason when the feed became poor. It stays, so that what is told does not change with each sample.
    reason: String,
    debt: u64,
    refused_last: Instant,
}

impl Acceptance {
    /// `count` samples were refused for this reason. Answers whether [`Acceptance::judge`] should be asked now.
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

    /// A sample was accepted. Answers whether [`Acceptance::judge`] should be asked now.
    pub fn accept(&mut self) -> bool {
        self.row = None;
        let Some(poor) = &mut self.poor else { return false };
        poor.debt = poor.debt.saturating_sub(1);
        poor.debt == 0
    }

    /// Whether no refusal matters any more, so that accepted samples need not be told.
    pub fn is_clean(&self) -> bool {
        self.row.is_none() && self.poor.is_none()
    }

    /// Why the feed is poor, if it is. `has_accepted`: a sample was accepted since the feed was started.
    pub fn judge(&mut self, has_accepted: bool, now: Instant) -> Option<&str> {
        match (&self.poor, &self.row) {
            (None, Some(row)) if row.is_long(has_accepted, now) => {
                self.poor = Some(Poor { reason: row.reason(), debt: DEBT_MAX, refused_last: row.last });
            }
            (Some(poor), None) if poor.debt == 0 || now.duration_since(poor.refused_last) >= ROW => {
                self.poor = None;
            }
            _ => {}
        }
        self.poor.as_ref().map(|poor| poor.reason.as_str())
    }

    /// When [`Acceptance::judge`] may answer something else even if nothing comes.
    pub fn next_look(&self, has_accepted: bool) -> Option<Instant> {
        match (&self.poor, &self.row) {
            (None, Some(row)) if !has_accepted => Some(row.first + FIRST_ROW),
            (Some(poor), None) => Some(poor.refused_last + ROW),
            _ => None,
        }
    }
}

impl Row {
    fn is_long(&self, has_accepted: bool, now: Instant) -> bool {
        !has_accepted && now.duration_since(self.first) >= FIRST_ROW
            || self.last.duration_since(self.first) >= ROW
    }

    /// `all of the last 12 samples were refused: bad_json 10, bad_topic 2`. Only codes, because clients read this, and a
    /// refused sample may hold what is not for them.
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
