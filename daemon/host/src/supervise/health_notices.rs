//! Tells everyone how a feed is: its log, the metrics, the lane (and through it the clients), and whoever owns the feed.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tracing::Level;

use crate::intake::lane_sink::LaneSink;
use crate::intake::metrics::Metrics;
use crate::log::feed_log::FeedLog;
use crate::log::rate_limit::RateLimit;
use crate::log::text::printable;
use crate::supervise::shared::Shared;
use tickerd_model::health::{Facts, FeedState, Health, STARTING};
use tickerd_model::lane::Lane;
use tickerd_process::clock::now_unix_ms;

/// Called on the supervisor's thread when a feed's state changes, and at its first sample and first failure.
pub type OnChange = Box<dyn Fn() + Send + Sync>;

/// State changes of one feed that are told at once: each is a notice to all its subscribers.
const CHANGES_BURST: u32 = 10;
/// State changes a second that are told in the long run.
const CHANGES_PER_S: u32 = 1;

/// What clients are told of a feed whose configuration is wrong. Details may hold paths, names and what was written there.
const CONFIG_WRONG: &str = "its configuration is wrong; tickerd's log says what to change";

/// The notices of one feed.
pub struct HealthNotices {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    metrics: Arc<Metrics>,
    feed_log: Arc<FeedLog>,
    sink: Arc<LaneSink>,
    on_change: OnChange,
    /// Whether a first sample and a first failure were told.
    told: (bool, bool),
    changes: RateLimit,
}

impl HealthNotices {
    /// Nothing is told yet. `sink` is the feed's, which knows what is accepted of it.
    pub fn new(
        shared: Arc<Shared>,
        lane: Arc<Lane>,
        metrics: Arc<Metrics>,
        sink: Arc<LaneSink>,
        on_change: OnChange,
    ) -> HealthNotices {
        HealthNotices {
            shared,
            lane,
            metrics,
            feed_log: sink.feed_log().clone(),
            sink,
            on_change,
            told: (false, false),
            changes: RateLimit::new(CHANGES_BURST, CHANGES_PER_S, Instant::now()),
        }
    }

    /// Tells the state of a feed that runs, if it changed. False: it has changed too often of late, so nothing was told, and
    /// the caller asks again later.
    ///
    /// What is wrong with the configuration (`is_config`) is for operators alone.
    pub fn show(&mut self, state: FeedState, reason: String, is_config: bool, now: Instant) -> bool {
        let (refused, silence) = (self.sink.refused(now), self.lane.freshness().silence());
        let facts = Facts { own: (state, reason), refused, silence };
        if facts.is_refused() {
            // Whoever waits for the feed's first sample need not wait any longer.
            self.shared.note_failure();
        }
        let (state, reason) = facts.judge();
        let health = self.shared.health.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = health.state == state && health.reason == reason;
        drop(health);
        if !is_same && self.changes.take(now).is_none() {
            return false;
        }
        self.tell(state, reason, is_config);
        true
    }

    /// Tells the state at any rate, if it or its reason changed, or if a first sample or failure came.
    pub fn tell(&mut self, state: FeedState, reason: String, is_config: bool) {
        let firsts = (self.shared.activity.has_spoken(), self.shared.failed.load(Ordering::Acquire));
        let is_first = std::mem::replace(&mut self.told, firsts) != firsts;
        let mut health = self.shared.health.lock().unwrap_or_else(PoisonError::into_inner);
        if health.state == state && health.reason == reason {
            drop(health);
            if is_first {
                (self.on_change)();
            }
            return;
        }
        if health.state != state {
            health.since = now_unix_ms();
        }
        (health.state, health.reason) = (state, reason);
        let mut told = health.clone();
        drop(health);
        self.log(&told);
        if is_config {
            told.reason = CONFIG_WRONG.into();
        }
        self.metrics.set_state(&self.shared.name, state);
        self.lane.report(told);
        (self.on_change)();
    }

    fn log(&self, health: &Health) {
        let level = match health.state {
            FeedState::Up | FeedState::Closed => Level::INFO,
            FeedState::Down if self.shared.is_stopping() || health.reason == STARTING => Level::DEBUG,
            FeedState::Degraded | FeedState::Stale | FeedState::Down => Level::WARN,
        };
        let mut text = health.state.as_str().to_owned();
        if !health.reason.is_empty() {
            text.push_str(": ");
            text.push_str(&printable(&health.reason));
        }
        self.feed_log.tell_state(level, &text);
    }
}
