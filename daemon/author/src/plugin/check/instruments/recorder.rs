//! Keeps what a checked feed says: judged as the daemon would judge it, counted, and within bounds.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt::Display;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use tracing::Level;

use tickerd_host::{Sink, printable};
use tickerd_model::health::FeedState;
use tickerd_model::lane::Taken;
use tickerd_model::normalise::{Normaliser, Reject};
use tickerd_model::sample::Sample;
use tickerd_model::topic::{self, GrammarError};
use tickerd_process::clock::now_unix_ms;

/// Most samples that are kept; later ones are counted.
const SAMPLES_MAX: usize = 1_000;
/// Most log lines that are kept, the last ones.
const LINES_MAX: usize = 20;
/// Topics that a feed may have, as by default in a daemon.
const TOPICS_MAX: usize = 10_000;
/// Most threads that are told apart.
const THREADS_MAX: usize = 64;

/// An accepted sample.
#[derive(Debug, Clone)]
pub struct RecordedSample {
    /// Its topic, relative to the feed.
    pub topic: String,
    /// Its event.
    pub event: String,
    /// Its value's JSON.
    pub value: String,
    /// The source's time, in Unix milliseconds; 0: unknown.
    pub src_ts: u64,
}

/// What the feed said so far.
#[derive(Debug, Default)]
pub struct Kept {
    /// The first samples that were accepted.
    pub samples: Vec<RecordedSample>,
    /// Number of samples that were accepted.
    pub accepted: u64,
    /// What was refused, by its code: how often, and the first reason.
    pub refused: BTreeMap<&'static str, (u64, String)>,
    /// The last log lines.
    pub lines: VecDeque<String>,
    /// The state that it reported last.
    pub health: Option<(FeedState, String)>,
    /// Number of signs of life; everything it says is one.
    pub signs: u64,
    /// The threads that emitted.
    pub threads: HashSet<ThreadId>,
}

/// The sink of a checked feed.
pub struct Recorder {
    normaliser: Mutex<Normaliser>,
    kept: Mutex<Kept>,
    changed: Condvar,
}

impl Recorder {
    /// For a feed of this name.
    pub fn new(feed: &str) -> Recorder {
        Recorder {
            normaliser: Mutex::new(Normaliser::new(feed, TOPICS_MAX)),
            kept: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// What the feed said so far.
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `is_so` is true, or the time is up. Answers `is_so`.
    pub fn wait(&self, at_most: Duration, is_so: impl Fn(&Kept) -> bool) -> bool {
        let kept = self.kept();
        let waited = self.changed.wait_timeout_while(kept, at_most, |kept| !is_so(kept));
        let (kept, _) = waited.unwrap_or_else(PoisonError::into_inner);
        is_so(&kept)
    }

    fn note(&self, change: impl FnOnce(&mut Kept)) {
        let mut kept = self.kept();
        kept.signs += 1;
        change(&mut kept);
        drop(kept);
        self.changed.notify_all();
    }
}

impl Kept {
    /// Why there may be no samples, in the feed's own words.
    pub fn excuse(&self) -> Option<String> {
        let health = self.health.as_ref().filter(|(state, _)| *state != FeedState::Up);
        let health = health.map(|(state, why)| format!("it says it is {}: {why}", state.as_str()));
        let line = self.lines.iter().rev().find(|line| line.starts_with("WARN") || line.starts_with("ERROR"));
        health.or_else(|| line.map(|line| format!("it logged: {line}")))
    }

    /// What was refused, in one line. None: nothing was.
    pub fn refusals(&self) -> Option<String> {
        let told: Vec<String> = self
            .refused
            .iter()
            .map(|(code, (count, why))| format!("{code} ({count} times): {why}"))
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

impl Sink for Recorder {
    fn offer(&self, sample: &Sample<'_>) -> Result<Taken, Reject> {
        let accepted =
            self.normaliser.lock().unwrap_or_else(PoisonError::into_inner).accept(sample, now_unix_ms());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match accepted {
            Ok(tick) => {
                self.note(|kept| {
                    kept.accepted += 1;
                    if kept.threads.len() < THREADS_MAX {
                        kept.threads.insert(std::thread::current().id());
                    }
                    if kept.samples.len() < SAMPLES_MAX {
                        kept.samples.push(RecordedSample {
                            topic: text(sample.topic),
                            event: text(sample.event),
                            value: text(&tick.value),
                            src_ts: sample.src_ts,
                        });
                    }
                });
                Ok(Taken::Queued)
            }
            Err(reject) => {
                self.refuse(reject.code(), &reject);
                Err(reject)
            }
        }
    }

    fn refuse(&self, code: &'static str, why: &dyn Display) {
        self.note(|kept| {
            kept.refused.entry(code).or_insert_with(|| (0, printable(&why.to_string()))).0 += 1;
        });
    }

    fn retire(&self, topic: &[u8]) -> Result<(), GrammarError> {
        if !topic.is_empty() {
            topic::check(topic)?;
        }
        self.normaliser.lock().unwrap_or_else(PoisonError::into_inner).retire(topic);
        self.note(|_| {});
        Ok(())
    }

    fn health(&self, state: FeedState, message: &str) {
        self.note(|kept| kept.health = Some((state, printable(message))));
    }

    fn log(&self, level: Level, message: &str) {
        self.note(|kept| {
            if kept.lines.len() == LINES_MAX {
                kept.lines.pop_front();
            }
            kept.lines.push_back(format!("{level} {}", printable(message)));
        });
    }

    fn heartbeat(&self) {
        self.note(|_| {});
    }
}
