//! What the crowd has got.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;

use crate::message::{Message, Tick, skipped};

/// Longest time that is told from longer ones.
const LONGEST_US: u64 = 3_600_000_000;
/// Topics whose gaps are counted, for each client.
const TOPICS_MAX: usize = 10_000;

/// Times, as a histogram of microseconds.
#[derive(Debug)]
pub struct Spread(Option<Histogram<u64>>);

impl Default for Spread {
    fn default() -> Spread {
        // The bounds are right, so there is one.
        Spread(Histogram::new_with_bounds(1, LONGEST_US, 3).ok())
    }
}

impl Spread {
    pub fn add(&mut self, us: u64) {
        if let Some(times) = &mut self.0 {
            times.saturating_record(us.max(1));
        }
    }

    /// The time that so many percent do not exceed.
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_micros(
            self.0.as_ref().map_or(0, |times| times.value_at_percentile(percent).min(times.max())),
        )
    }

    pub fn max(&self) -> Duration {
        Duration::from_micros(self.0.as_ref().map_or(0, Histogram::max))
    }

    fn clear(&mut self) {
        if let Some(times) = &mut self.0 {
            times.reset();
        }
    }
}

/// Figures of all clients together.
#[derive(Debug, Default)]
pub struct Tally {
    /// Clients that were served.
    pub served: usize,
    /// Clients that were not, or no longer are, by reason.
    pub lost: BTreeMap<String, usize>,
    /// From the beginning of each connection to its `connected`.
    pub connect: Spread,
    pub ticks: u64,
    /// Of those messages, without what WebSocket, TLS and TCP add.
    pub bytes: u64,
    /// Values that were merged into newer ones before they came, by jumps of `seq`.
    pub skipped: u64,
    /// Notices that a client did not read in time.
    pub lags: u64,
    pub age: Spread,
    numbers: HashMap<Box<str>, usize>,
    now_us: u64,
}

/// Kinds of reasons that are counted apart.
const REASONS_MAX: usize = 16;

impl Tally {
    /// What came so far does not count.
    pub(super) fn begin(&mut self) {
        (self.ticks, self.bytes, self.skipped, self.lags) = (0, 0, 0, 0);
        self.age.clear();
    }

    /// Something is about to be read.
    pub(super) fn read(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.now_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    }

    pub(super) fn lose(&mut self, why: String) {
        let has_room = self.lost.len() < REASONS_MAX || self.lost.contains_key(&why);
        *self.lost.entry(if has_room { why } else { "other reasons".to_owned() }).or_default() += 1;
    }

    /// A message to a client, which has seen these numbers of each topic.
    pub(super) fn take(&mut self, text: &str, seen: &mut Vec<u64>) {
        let Some((topic, seq, ts)) = head(text).or_else(|| whole(text)) else {
            self.lags += u64::from(text.starts_with(r#"{"event":"notice","data":{"type":"lag""#));
            return;
        };
        self.ticks += 1;
        self.bytes += text.len() as u64;
        self.age.add(self.now_us.saturating_sub(ts.saturating_mul(1_000)));
        let number = match self.numbers.get(topic.as_ref()) {
            Some(number) => *number,
            None if self.numbers.len() < TOPICS_MAX => {
                let number = self.numbers.len();
                self.numbers.insert(topic.into_owned().into_boxed_str(), number);
                number
            }
            None => return,
        };
        if seen.len() <= number {
            seen.resize(number + 1, 0);
        }
        let Some(last) = seen.get_mut(number) else { return };
        if *last > 0 {
            self.skipped += skipped(*last, seq);
        }
        *last = seq;
    }
}

type Head<'a> = (std::borrow::Cow<'a, str>, u64, u64);

/// What a tick begins with, in the order in which daemons write it: thousands come at once.
fn head(text: &str) -> Option<Head<'_>> {
    let (_, rest) = text.strip_prefix(r#"{"event":""#)?.split_once('"')?;
    let (topic, rest) = rest.strip_prefix(r#","data":{"topic":""#)?.split_once('"')?;
    let (seq, rest) = rest.strip_prefix(r#","seq":"#)?.split_once(',')?;
    let rest = rest.strip_prefix(r#""ts":"#)?;
    let ts = rest.get(..rest.find([',', '}'])?)?;
    Some((topic.into(), seq.parse().ok()?, ts.parse().ok()?))
}

/// The same in any order.
fn whole(text: &str) -> Option<Head<'_>> {
    let tick: Tick<'_> = Message::read(text)?.tick()?;
    Some((tick.topic, tick.seq, u64::try_from(tick.ts).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_counted_with_their_age_and_their_gaps() {
        let mut tally = Tally { now_us: 5_000_000, ..Tally::default() };
        let mut seen = Vec::new();
        for text in [
            r#"{"event":"quote","data":{"topic":"a.b","seq":3,"ts":4990,"value":1}}"#,
            r#"{"event":"quote","data":{"topic":"a.b","seq":7,"ts":4000,"src_ts":1,"value":1}}"#,
            r#"{"event":"quote","data":{"ts":4990,"seq":8,"topic":"a.b","value":1}}"#,
            r#"{"event":"published","data":{"topic":"a.b","seq":8}}"#,
            r#"{"event":"notice","data":{"type":"lag","skipped":3}}"#,
            r#"{"event":"heartbeat","data":{"ts":1}}"#,
        ] {
            tally.take(text, &mut seen);
        }
        assert_eq!((tally.ticks, tally.skipped, tally.lags, seen.as_slice()), (3, 3, 1, &[8][..]));
        assert_eq!(tally.age.percentile(50.0).as_millis(), 10);
        assert_eq!(tally.age.max().as_millis(), 1_000);
        tally.begin();
        assert_eq!((tally.ticks, tally.age.max()), (0, Duration::ZERO));
    }

    #[test]
    fn reasons_are_bounded() {
        let mut tally = Tally::default();
        (0..100).for_each(|n| tally.lose(format!("reason {n}")));
        assert!(tally.lost.len() <= REASONS_MAX + 1);
        assert_eq!(tally.lost.values().sum::<usize>(), 100);
    }
}
