//! Where a feed's words go: into the daemon's lane here, into lines on a pipe in a child ([`super::line_sink`]).

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use tracing::Level;

use crate::harvest::Harvest;
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::rejects::Rejects;
use crate::report::Hello;
use crate::trace;
use tickerd_model::lane::{FeedState, Lane, Taken};
use tickerd_model::normalise::{Normaliser, Reject};
use tickerd_model::sample::Sample;
use tickerd_model::topic::{self, GrammarError};
use tickerd_process::clock::now_unix_ms;

/// Stands between the reason of a refusal and the line that was refused.
pub const LINE_FOLLOWS: &str = "; the line: ";
/// Source times before this, in Unix milliseconds, are hardly meant: seconds of today are in January 1970.
const YEAR_2001_MS: u64 = 978_307_200_000;

/// What a feed can say. Any thread, never blocks for longer than another call takes.
pub trait Sink: Send + Sync {
    /// A sample. A refusal has been counted and logged when this returns.
    fn offer(&self, sample: &Sample<'_>) -> Result<Taken, Reject>;
    /// A sample that was refused before it was one; `code` is a metric label from a fixed set.
    fn refuse(&self, code: &'static str, why: &dyn Display);
    /// A topic, relative to the feed, ends. An unknown one is fine.
    fn retire(&self, topic: &[u8]) -> Result<(), GrammarError>;
    /// How the values are, until told otherwise.
    fn health(&self, state: FeedState, message: &str);
    /// A line for the log.
    fn log(&self, level: Level, message: &str);
    /// Alive, without a value.
    fn heartbeat(&self);
}

/// Why a feed is down of which nothing has come yet.
pub const STARTING: &str = "starting";

/// Checks a topic relative to its feed; empty is the feed's own.
pub fn check_relative(topic: &[u8]) -> Result<(), GrammarError> {
    if topic.is_empty() { Ok(()) } else { topic::check(topic).map(drop) }
}

/// What the supervisor wants to know of a feed without being in the way of its samples.
pub struct Voice {
    /// A sample was accepted, ever.
    spoken: AtomicBool,
    /// A sample was accepted in this life.
    fruitful: AtomicBool,
    /// Anything sensible came since the feed was started last.
    heard: AtomicBool,
    /// A sign of life came since the last look.
    alive: AtomicBool,
    hello: Mutex<Option<Hello>>,
    reported: Mutex<Option<(FeedState, String)>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Voice {
    /// `wake` is called when something changed that the supervisor should look at.
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Voice {
        Voice {
            spoken: AtomicBool::new(false),
            fruitful: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            alive: AtomicBool::new(false),
            hello: Mutex::default(),
            reported: Mutex::default(),
            wake,
        }
    }

    /// Whether a sample was accepted, ever.
    pub fn has_spoken(&self) -> bool {
        self.spoken.load(Ordering::Acquire)
    }

    /// Whether a sample was accepted in this life.
    pub fn is_fruitful(&self) -> bool {
        self.fruitful.load(Ordering::Acquire)
    }

    /// Whether there was a sign of life since this was asked last.
    pub fn take_alive(&self) -> bool {
        self.alive.swap(false, Ordering::AcqRel)
    }

    /// Whether anything came in this life.
    pub fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Acquire)
    }

    /// What it said last of who it is. There before the first sample, if it says it at all.
    pub fn hello(&self) -> Option<Hello> {
        self.hello.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It said who it is; called on the thread that brings the samples.
    pub fn greet(&self, hello: &Hello) {
        *self.hello.lock().unwrap_or_else(PoisonError::into_inner) = Some(hello.clone());
    }

    /// What the feed says about its own state, if it ever did in this life.
    pub fn reported(&self) -> Option<(FeedState, String)> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new life begins: forget what the last one said.
    pub fn begin(&self) {
        self.fruitful.store(false, Ordering::Release);
        self.heard.store(false, Ordering::Release);
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The feed is alive, which does not mean that it is well.
    pub fn live(&self) {
        // Read first: this is called for each sample, and a line that is only read is shared between cores.
        if !self.alive.load(Ordering::Relaxed) {
            self.alive.store(true, Ordering::Release);
        }
    }

    /// The feed said something sensible.
    pub fn hear(&self) {
        self.live();
        if !self.heard.load(Ordering::Relaxed) {
            self.heard.store(true, Ordering::Release);
            (self.wake)();
        }
    }

    /// The supervisor should look.
    fn rouse(&self) {
        (self.wake)();
    }

    fn speak(&self) {
        if !self.spoken.load(Ordering::Relaxed) {
            self.spoken.store(true, Ordering::Release);
            (self.wake)();
        }
        if !self.fruitful.load(Ordering::Relaxed) {
            self.fruitful.store(true, Ordering::Release);
        }
        self.hear();
    }

    fn report(&self, state: FeedState, message: &str) {
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = Some((state, message.to_owned()));
        self.hear();
        (self.wake)();
    }
}

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
            self.journal.tell_refusals(&super::journal::printable(&text));
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
            self.journal.tell_refusals(&super::journal::printable(&text));
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
        self.voice.report(state, &super::journal::printable(&self.journal.hide(message)));
    }

    fn log(&self, level: Level, message: &str) {
        self.journal.write(level, None, message);
    }

    fn heartbeat(&self) {
        self.voice.hear();
    }
}
