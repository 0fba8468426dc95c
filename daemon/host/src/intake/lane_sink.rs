//! tickerd's end of what a feed says: each sample is checked, counted, and put into the feed's lane.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use prometheus::local::LocalHistogram;
use tracing::Level;

use crate::intake::acceptance::Acceptance;
use crate::intake::activity::Activity;
use crate::intake::metrics::Metrics;
use crate::intake::refusals::Refusals;
use crate::intake::sink::{Sink, check_relative};
use crate::log::feed_log::FeedLog;
use crate::log::text::printable;
use crate::log::trace;
use tickerd_model::health::FeedState;
use tickerd_model::lane::{Allowance, Lane, Taken};
use tickerd_model::normalise::{Normaliser, Reject, SOURCE_TIME_MAX};
use tickerd_model::sample::Sample;
use tickerd_model::topic::GrammarError;
use tickerd_process::clock::now_unix_ms;

/// Stands between the reason of a refusal and the line that was refused.
pub const LINE_FOLLOWS: &str = "; the line: ";
/// A source time below this, in Unix milliseconds, is hardly meant: today in seconds would be read as January 1970.
const YEAR_2001_MS: u64 = 978_307_200_000;
/// Nor is one that is further ahead of the clock: today in microseconds would be read as the year 58,900.
const AHEAD_MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// Takes what one feed says and hands it to the feed's lane.
pub struct LaneSink {
    taking: Mutex<Taking>,
    lane: Arc<Lane>,
    samples: IntCounter,
    dropped: IntCounter,
    metrics: Arc<Metrics>,
    refusals: Mutex<Refusals>,
    acceptance: Mutex<Acceptance>,
    /// True while `acceptance` has to be told of accepted samples too.
    is_refusing: AtomicBool,
    feed_log: Arc<FeedLog>,
    activity: Arc<Activity>,
    /// True once the log has said that the source times are odd.
    doubted: AtomicBool,
}

/// What one sample is taken with at a time.
struct Taking {
    normaliser: Normaliser,
    allowance: Allowance,
    /// How long after their source time samples came. It is added to the metrics once a second, so that a sample costs no atomic.
    lag: LocalHistogram,
    /// When it was last added, Unix milliseconds.
    told_ms: u64,
}

/// Time between two additions to the metrics.
const TELL_LAG_MS: u64 = 1000;

impl LaneSink {
    /// For the feed of `feed_log`, whose name must be one topic segment. It may have `topics_max` topics.
    pub fn new(
        topics_max: usize,
        lane: Arc<Lane>,
        metrics: Arc<Metrics>,
        feed_log: Arc<FeedLog>,
        activity: Arc<Activity>,
    ) -> LaneSink {
        let feed = feed_log.feed();
        LaneSink {
            taking: Mutex::new(Taking {
                normaliser: Normaliser::new(feed, topics_max),
                allowance: Allowance::default(),
                lag: metrics.source_lag(feed).local(),
                told_ms: 0,
            }),
            lane,
            samples: metrics.samples(feed),
            dropped: metrics.dropped(feed),
            metrics,
            refusals: Mutex::default(),
            acceptance: Mutex::default(),
            is_refusing: AtomicBool::new(false),
            feed_log,
            activity,
            doubted: AtomicBool::new(false),
        }
    }

    /// Takes a sample. `merged` is the number of earlier samples of its topic that were merged into it on the way here.
    ///
    /// `line` is the line that the sample was read from, if it was: it is logged with the reason of a refusal.
    ///
    /// # Errors
    /// Why the sample is refused; that has been counted and logged.
    pub fn take(
        &self,
        sample: &Sample<'_>,
        merged: u64,
        line: Option<&dyn Display>,
    ) -> Result<Taken, Reject> {
        let now = now_unix_ms();
        // Held over the push, so that two threads of one feed cannot swap the order of a topic's samples.
        let mut taking = self.taking();
        let pushed = taking.normaliser.accept(sample, now).map(|mut tick| {
            tick.merged += merged;
            self.lane.push(tick)
        });
        if pushed.is_ok()
            && let Some(is_flooded) = taking.allowance.spend(1 + merged, now)
        {
            self.lane.set_flooded(is_flooded);
        }
        if pushed.is_ok() && (YEAR_2001_MS..=SOURCE_TIME_MAX).contains(&sample.src_ts) {
            // A source whose clock is ahead has no lag.
            taking.lag.observe(now.saturating_sub(sample.src_ts) as f64 / 1000.0);
            taking.tell_lag(now);
        }
        drop(taking);
        match &pushed {
            Ok(taken) => {
                self.samples.inc_by(1 + merged);
                let lost = merged + u64::from(*taken == Taken::Coalesced);
                if lost > 0 {
                    self.dropped.inc_by(lost);
                }
                self.activity.note_accepted();
                match sample.src_ts {
                    0 => {}
                    usual if usual >= YEAR_2001_MS && usual <= now.saturating_add(AHEAD_MAX_MS) => {}
                    odd => self.doubt(odd),
                }
                self.note_accepted();
            }
            Err(reject) => match line {
                Some(line) => self.refuse(reject.code(), &format_args!("{reject}{LINE_FOLLOWS}{line}")),
                None => self.refuse(reject.code(), reject),
            },
        }
        pushed
    }

    /// Logs, once, that a source time can hardly be meant.
    fn doubt(&self, src_ts: u64) {
        if !self.doubted.swap(true, Ordering::Relaxed) {
            let text = if src_ts > SOURCE_TIME_MAX {
                format!(
                    "its source time {src_ts} is far too great: write Unix milliseconds, not nanoseconds; it is left out"
                )
            } else if src_ts >= YEAR_2001_MS {
                format!(
                    "its source time {src_ts} is more than a day ahead of the clock: write Unix milliseconds, not microseconds; \
                     the values are sent with it as it is"
                )
            } else {
                format!(
                    "its source time {src_ts} lies before 2001: write Unix milliseconds, and multiply seconds by 1000; the \
                     values are sent with it as it is"
                )
            };
            self.feed_log.tell(Level::WARN, None, &text);
        }
    }

    /// Tells what was counted and not told yet, when it is time: refusals to the log, and lag to the metrics. The supervisor calls this now and then.
    pub fn settle(&self, now: Instant) {
        let now_ms = now_unix_ms();
        let mut taking = self.taking();
        taking.tell_lag(now_ms);
        // A flood that has ended by falling silent is over as well.
        if let Some(is_flooded) = taking.allowance.spend(0, now_ms) {
            self.lane.set_flooded(is_flooded);
        }
        drop(taking);
        let text = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).settle(now);
        if let Some(text) = text {
            self.feed_log.tell_refusals(&printable(&text));
        }
    }

    /// As [`Sink::refuse`], for `count` samples at once.
    pub fn refuse_many(&self, code: &'static str, why: &dyn Display, count: u64) {
        let why: &dyn Display = &self.feed_log.hiding(why);
        let feed = self.feed_log.feed();
        self.metrics.rejects(feed, code).inc_by(count);
        self.lane.refuse(code, count);
        trace::refusal(feed, code, why, count);
        let now = Instant::now();
        self.is_refusing.store(true, Ordering::Release);
        if self.acceptance().refuse(code, count, now) {
            self.activity.wake();
        }
        let text = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).note(code, why, count, now);
        if let Some(text) = text {
            self.feed_log.tell_refusals(&printable(&text));
        }
    }

    /// Why the feed brings nothing usable, if all of its samples are refused.
    pub fn refused(&self, now: Instant) -> Option<String> {
        let mut acceptance = self.acceptance();
        let poor = acceptance.judge(self.activity.has_accepted(), now).map(str::to_owned);
        self.is_refusing.store(!acceptance.is_clean(), Ordering::Release);
        poor
    }

    /// How long until [`LaneSink::refused`] may answer something else even if nothing comes.
    pub fn next_look(&self, now: Instant) -> Option<Duration> {
        let next = self.acceptance().next_look(self.activity.has_accepted())?;
        Some(next.saturating_duration_since(now))
    }

    fn note_accepted(&self) {
        // Read first: this is called for each sample, and a cache line that is only read is shared between cores.
        if self.is_refusing.load(Ordering::Relaxed) {
            let mut acceptance = self.acceptance();
            let is_news = acceptance.accept();
            self.is_refusing.store(!acceptance.is_clean(), Ordering::Release);
            drop(acceptance);
            if is_news {
                self.activity.wake();
            }
        }
    }

    fn acceptance(&self) -> MutexGuard<'_, Acceptance> {
        self.acceptance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts samples that the feed's process accepted and then gave up, because their topic ended before they were
    /// written.
    pub fn count_given_up(&self, count: u64) {
        self.samples.inc_by(count);
        self.dropped.inc_by(count);
    }

    /// From now on the feed may have `topics_max` topics.
    pub fn set_topics_max(&self, topics_max: usize) {
        self.taking().normaliser.set_topics_max(topics_max);
    }

    /// A line came, whatever it says.
    pub fn note_came(&self) {
        self.activity.note_came();
    }

    /// A sign of life, which does not mean that the feed is well.
    pub fn note_alive(&self) {
        self.activity.note_alive();
    }

    /// The feed's log.
    pub fn feed_log(&self) -> &Arc<FeedLog> {
        &self.feed_log
    }

    fn taking(&self) -> MutexGuard<'_, Taking> {
        // If a thread panicked while it held the lock, at worst one topic is not known yet; the next sample adds it.
        self.taking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taking {
    fn tell_lag(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.told_ms) >= TELL_LAG_MS {
            self.told_ms = now_ms;
            self.lag.flush();
        }
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
        self.activity.note_alive();
        let mut taking = self.taking();
        let given_up = taking.normaliser.retire(topic).map_or(0, |topic| self.lane.retire(topic));
        if given_up > 0 {
            self.dropped.inc_by(given_up as u64);
        }
        Ok(())
    }

    fn health(&self, state: FeedState, message: &str) {
        self.activity.note_state(state, &printable(&self.feed_log.hide(message)));
    }

    fn log(&self, level: Level, message: &str) {
        self.feed_log.write(level, None, message);
    }

    fn heartbeat(&self) {
        self.activity.note_heard();
    }
}
