//! The sum of a run: what it counts, and the figures at its end.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use tickerd_model::tick::Tick;
use tickerd_model::topic::Topic;

/// Most polls whose duration is kept for the percentiles, the newest ones. Each takes 16 bytes.
const POLLS_MAX: usize = 65_536;

/// What a run counts. Its size is bounded by the topics that a feed may have, the reasons there are, and [`POLLS_MAX`].
#[derive(Debug, Default)]
pub struct Sum {
    /// Samples that were printed.
    pub samples: u64,
    /// Polls that failed.
    pub failed_polls: u64,
    /// Samples that were merged or dropped on their way here.
    pub merged: u64,
    /// How many times the feed was started again.
    pub restarts: u64,
    polls: u64,
    took: Vec<Duration>,
    live: HashMap<Topic, Count>,
    topics: u64,
    refused: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    seq: u64,
    ts: u64,
}

/// The figures at the end of a run.
#[derive(Debug, PartialEq, Serialize)]
pub struct Figures {
    samples: u64,
    topics: u64,
    refused: BTreeMap<String, u64>,
    merged: u64,
    polls: u64,
    failed_polls: u64,
    poll_p50_ms: Option<f64>,
    poll_p95_ms: Option<f64>,
    poll_max_ms: Option<f64>,
    restarts: u64,
    seconds: f64,
}

impl Sum {
    /// Numbers a tick as the daemon would. Answers the time since its topic's last one, in milliseconds.
    pub fn number(&mut self, tick: &mut Tick) -> Option<u64> {
        self.samples += 1;
        let before = self.live.get(&tick.topic).copied();
        tick.seq = before.map_or(0, |count| count.seq) + tick.merged + 1;
        self.live.insert(tick.topic.clone(), Count { seq: tick.seq, ts: tick.ts });
        self.topics += u64::from(before.is_none());
        before.map(|count| tick.ts.saturating_sub(count.ts))
    }

    /// A topic ended.
    pub fn retire(&mut self, topic: &Topic) {
        self.live.remove(topic);
    }

    /// Another build begins. Its topics are new ones, though they may have the same names.
    pub fn begin_anew(&mut self) {
        self.live.clear();
    }

    /// A poll returned after this time.
    pub fn poll(&mut self, took: Duration, failed: bool) {
        let at = usize::try_from(self.polls).unwrap_or(usize::MAX) % POLLS_MAX;
        match self.took.get_mut(at) {
            Some(old) => *old = took,
            None => self.took.push(took),
        }
        self.polls += 1;
        self.failed_polls += u64::from(failed);
    }

    /// So many samples were refused. The codes are a fixed set.
    pub fn refuse(&mut self, code: &str, count: u64) {
        *self.refused.entry(code.to_owned()).or_default() += count;
    }

    /// The figures of a run that took this time.
    pub fn figures(&self, ran: Duration) -> Figures {
        let mut took = self.took.clone();
        took.sort_unstable();
        let ms = |took: Duration| (took.as_secs_f64() * 1e6).round() / 1e3;
        let at = |share: f64| {
            let place = (took.len() as f64 * share).ceil() as usize;
            took.get(place.saturating_sub(1)).copied().map(ms)
        };
        Figures {
            samples: self.samples,
            topics: self.topics,
            refused: self.refused.clone(),
            merged: self.merged,
            polls: self.polls,
            failed_polls: self.failed_polls,
            poll_p50_ms: at(0.5),
            poll_p95_ms: at(0.95),
            poll_max_ms: took.last().copied().map(ms),
            restarts: self.restarts,
            seconds: (ran.as_secs_f64() * 1e3).round() / 1e3,
        }
    }
}

impl Figures {
    /// How long it ran, in seconds.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// The figures in a few lines, for people.
    pub fn text(&self) -> String {
        let s = |count: u64| if count == 1 { "" } else { "s" };
        let Figures { samples, topics, merged, polls, failed_polls, restarts, .. } = self;
        let mut text = format!("{samples} sample{} of {topics} topic{}", s(*samples), s(*topics));
        let _ = write!(text, " in {:.1} s; {merged} merged; ", self.seconds);
        let refused: u64 = self.refused.values().sum();
        let _ = write!(text, "{refused} refused");
        for (at, (code, count)) in self.refused.iter().enumerate() {
            let _ = write!(text, "{} {code} {count}", if at == 0 { ":" } else { "," });
        }
        if let (Some(p50), Some(p95), Some(max)) = (self.poll_p50_ms, self.poll_p95_ms, self.poll_max_ms) {
            let _ = write!(
                text,
                "\n{polls} poll{}, {failed_polls} failed; took p50 {p50:.1} ms, p95 {p95:.1} ms, at most {max:.1} ms",
                s(*polls)
            );
        }
        if *restarts > 0 {
            let _ = write!(text, "\nstarted again {restarts} time{} after a failure", s(*restarts));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tickerd_model::sample::Class;

    fn tick(topic: &Topic, ts: u64, merged: u64) -> Tick {
        Tick { topic: topic.clone(), seq: 0, n: 0, ts, src_ts: 0, from: None, value: b"1"[..].into(), merged }
    }

    #[test]
    fn figures_are_those_of_the_run() {
        let mut sum = Sum::default();
        let [a, b] = ["f.a", "f.b"].map(|name| Topic::new(name, "quote", Class::State));
        let mut numbered = |topic: &Topic, ts, merged| {
            let mut tick = tick(topic, ts, merged);
            let since = sum.number(&mut tick);
            (tick.seq, since)
        };
        assert_eq!(numbered(&a, 1000, 0), (1, None));
        assert_eq!(numbered(&a, 1250, 3), (5, Some(250)), "merged samples count");
        assert_eq!(numbered(&b, 1300, 0), (1, None));
        for ms in 1..=100 {
            sum.poll(Duration::from_millis(ms), ms == 3);
        }
        sum.refuse("bad_json", 2);
        sum.refuse("bad_topic", 1);
        (sum.merged, sum.restarts) = (3, 1);
        let figures = sum.figures(Duration::from_millis(2_500));
        assert_eq!(
            figures.text(),
            "3 samples of 2 topics in 2.5 s; 3 merged; 3 refused: bad_json 2, bad_topic 1\n\
             100 polls, 1 failed; took p50 50.0 ms, p95 95.0 ms, at most 100.0 ms\n\
             started again 1 time after a failure"
        );
        assert_eq!(serde_json::to_value(&figures).unwrap()["poll_p95_ms"], 95.0);
        assert_eq!(
            Sum::default().figures(Duration::ZERO).text(),
            "0 samples of 0 topics in 0.0 s; 0 merged; 0 refused"
        );
    }
}
