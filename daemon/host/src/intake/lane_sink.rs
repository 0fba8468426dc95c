//! The daemon's end of what a feed says: normalised, counted, and handed over to the feed's lane.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use tracing::Level;

use crate::intake::acceptance::Harvest;
use crate::intake::activity::Voice;
use crate::intake::metrics::Metrics;
use crate::intake::refusals::Rejects;
use crate::intake::sink::{Sink, check_relative};
use crate::log::feed_log::Journal;
use crate::log::text::printable;
use crate::log::trace;
use tickerd_model::lane::{FeedState, Lane, Taken};
use tickerd_model::normalise::{Normaliser, Reject};
use tickerd_model::sample::Sample;
use tickerd_model::topic::GrammarError;
use tickerd_process::clock::now_unix_ms;

/// Stands between the reason of a refusal and the line that was refused.
pub const LINE_FOLLOWS: &str = "; the line: ";
/// Source times before this, in Unix milliseconds, are hardly meant: seconds of today are in January 1970.
const YEAR_2001_MS: u64 = 978_307_200_000;

/// Why a feed is down of which nothing has come yet.
pub const STARTING: &str = "starting";

/// The daemon's sink: normalises and hands over to the lane.
pub struct LaneSink {
    feed: String,
    normaliser: Mutex<Normaliser>,
    lane: Arc<Lane>,
    samples: IntCounter,
    dropped: IntCounter,
    metrics: Arc<Metrics>,
    rejects: Mutex<Rejects>,
    harvest: Mutex<Harvest>,
    /// Whether the harvest has to know of what is accepted.
    is_refusing: AtomicBool,
    journal: Arc<Journal>,
    voice: Arc<Voice>,
    /// It was told that its source times are odd.
    doubted: AtomicBool,
}

impl LaneSink {
    /// For the feed of this name, which must be one topic segment.
    pub fn new(
        feed: &str,
        topics_max: usize,
        lane: Arc<Lane>,
        metrics: Arc<Metrics>,
        journal: Arc<Journal>,
        voice: Arc<Voice>,
    ) -> LaneSink {
        LaneSink {
            feed: feed.into(),
            normaliser: Mutex::new(Normaliser::new(feed, topics_max)),
            lane,
            samples: metrics.samples(feed),
            dropped: metrics.dropped(feed),
            metrics,
            rejects: Mutex::default(),
            harvest: Mutex::default(),
            is_refusing: AtomicBool::new(false),
            journal,
            voice,
            doubted: AtomicBool::new(false),
        }
    }

    /// A sample into which `merged` earlier ones of its topic went on their way here.
    ///
    /// `line` is what a program wrote, for who has to find out why it was refused.
    pub fn take(
        &self,
        sample: &Sample<'_>,
        merged: u64,
        line: Option<&dyn Display>,
    ) -> Result<Taken, Reject> {
        let now = now_unix_ms();
        // Held over the push, so that two threads of one feed cannot swap a topic's order.
        let mut normaliser = self.normaliser();
        let pushed = normaliser.accept(sample, now).map(|mut tick| {
            tick.merged += merged;
            self.lane.push(tick)
        });
        drop(normaliser);
        match &pushed {
            Ok(taken) => {
                self.samples.inc_by(1 + merged);
                let lost = merged + u64::from(*taken == Taken::Coalesced);
                if lost > 0 {
                    self.dropped.inc_by(lost);
                }
                self.voice.speak();
                if sample.src_ts != 0 && sample.src_ts < YEAR_2001_MS {
                    self.doubt(sample.src_ts);
                }
                self.accepted();
            }
            Err(reject) => match line {
                Some(line) => self.refuse(reject.code(), &format_args!("{reject}{LINE_FOLLOWS}{line}")),
                None => self.refuse(reject.code(), reject),
            },
        }
        pushed
    }

    /// A time of the source that can hardly be meant; told once.
    fn doubt(&self, src_ts: u64) {
        if !self.doubted.swap(true, Ordering::Relaxed) {
            let text = format!(
                "its source time {src_ts} lies before 2001: write Unix milliseconds, and multiply seconds by 1000; the values \
                 are sent with it as it is"
            );
            self.journal.tell(Level::WARN, None, &text);
        }
    }

    /// Tells what was refused and not told yet; called now and then by the supervisor.
    pub fn settle(&self, now: Instant) {
        let text = self.rejects.lock().unwrap_or_else(PoisonError::into_inner).settle(now);
        if let Some(text) = text {
            self.journal.tell_refusals(&printable(&text));
        }
    }

    /// As [`Sink::refuse`], for several samples at once.
    pub fn refuse_many(&self, code: &'static str, why: &dyn Display, count: u64) {
        let why: &dyn Display = &self.journal.hiding(why);
        self.metrics.rejects(&self.feed, code).inc_by(count);
        self.lane.refuse(count);
        trace::refusal(&self.feed, code, why, count);
        let now = Instant::now();
        self.is_refusing.store(true, Ordering::Release);
        if self.harvest().refuse(code, count, now) {
            self.voice.rouse();
        }
        let text = self.rejects.lock().unwrap_or_else(PoisonError::into_inner).note(code, why, count, now);
        if let Some(text) = text {
            self.journal.tell_refusals(&printable(&text));
        }
    }

    /// The feed's state, as it says itself or its supervisor sees it, in the light of what is accepted: a feed that runs, and
    /// brings nothing that is, is degraded.
    pub fn judge(&self, state: FeedState, reason: String, now: Instant) -> (FeedState, String) {
        let mut harvest = self.harvest();
        let poor = harvest.judge(self.voice.is_fruitful(), now).map(str::to_owned);
        self.is_refusing.store(!harvest.is_clean(), Ordering::Release);
        match (state, poor) {
            (FeedState::Up, Some(poor)) => (FeedState::Degraded, poor),
            // A program without a hello has started once it has said something.
            (FeedState::Down, Some(poor)) if reason == STARTING => (FeedState::Degraded, poor),
            (state, _) => (state, reason),
        }
    }

    /// How long until [`LaneSink::judge`] may say something else though nothing comes.
    pub fn next_look(&self, now: Instant) -> Option<Duration> {
        let next = self.harvest().next_look(self.voice.is_fruitful())?;
        Some(next.saturating_duration_since(now))
    }

    fn accepted(&self) {
        // Read first: see `Voice::live`.
        if self.is_refusing.load(Ordering::Relaxed) {
            let mut harvest = self.harvest();
            let is_news = harvest.accept();
            self.is_refusing.store(!harvest.is_clean(), Ordering::Release);
            drop(harvest);
            if is_news {
                self.voice.rouse();
            }
        }
    }

    fn harvest(&self) -> MutexGuard<'_, Harvest> {
        self.harvest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepted samples that were given up with a topic that ended, before they got here.
    pub fn lose(&self, count: u64) {
        self.samples.inc_by(count);
        self.dropped.inc_by(count);
    }

    /// A sign of life that says nothing about how it goes.
    pub fn live(&self) {
        self.voice.live();
    }

    /// The log of the feed.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    fn normaliser(&self) -> MutexGuard<'_, Normaliser> {
        // A panic inside left at worst one topic not introduced.
        self.normaliser.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for LaneSink {
    fn offer(&self, sample: &Sample<'_>) -> Result<Taken, Reject> {
        self.take(sample, 0, None)
    }

    fn refuse(&self, code: &'static str, why: &dyn Display) {
        self.refuse_many(code, why, 1);
    }

    fn retire(&self, topic: &[u8]) -> Result<(), GrammarError> {
        check_relative(topic)?;
        self.voice.live();
        let mut normaliser = self.normaliser();
        let given_up = normaliser.retire(topic).map_or(0, |topic| self.lane.retire(topic));
        if given_up > 0 {
            self.dropped.inc_by(given_up as u64);
        }
        Ok(())
    }

    fn health(&self, state: FeedState, message: &str) {
        self.voice.report(state, &printable(&self.journal.hide(message)));
    }

    fn log(&self, level: Level, message: &str) {
        self.journal.write(level, None, message);
    }

    fn heartbeat(&self) {
        self.voice.hear();
    }
}
