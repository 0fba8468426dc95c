//! The handle on one supervised feed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::feed::spec::Spec;
use crate::intake::activity::Activity;
use crate::intake::lane_sink::LaneSink;
use crate::intake::metrics::Metrics;
use crate::log::feed_log::{FeedLog, Line};
use crate::report::{Failure, Hello};
use crate::supervise::health_notices::{HealthNotices, OnChange};
use crate::supervise::overseer::{OnHello, Overseer};
use crate::supervise::reload::{OnReloaded, Requests};
use crate::supervise::shared::{Event, Shared};
use tickerd_model::basics::digest::Digest;
use tickerd_model::health::STARTING;
use tickerd_model::health::{FeedState, Health};
use tickerd_model::lane::Lane;
use tickerd_process::clock::now_unix_ms;

/// Reports that wait for the supervisor's thread. That thread never waits for whoever sends them, so the two cannot wait for
/// each other.
const REPORTS_MAX: usize = 256;
/// How long `join` waits for a feed that was killed.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A handle on one supervised feed. Dropping it begins its ordered stop.
pub struct Supervisor {
    shared: Arc<Shared>,
    feed_log: Arc<FeedLog>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Starts a feed and keeps it alive until its supervisor is stopped. Never fails: what goes wrong shows in the feed's health.
pub fn start(
    spec: Spec,
    lane: Arc<Lane>,
    metrics: Arc<Metrics>,
    on_change: OnChange,
    on_hello: OnHello,
) -> Supervisor {
    let (events, received) = sync_channel(REPORTS_MAX);
    let (wake, rouse) = (events.clone(), events.clone());
    let activity = Arc::new(Activity::new(Box::new(move || drop(wake.try_send(Event::Wake)))));
    lane.freshness().on_silence(move || drop(rouse.try_send(Event::Wake)));
    let health = Health { state: FeedState::Down, since: now_unix_ms(), reason: STARTING.into() };
    lane.report(health.clone());
    metrics.watch(&spec.name);
    metrics.set_state(&spec.name, health.state);
    let shared = Arc::new(Shared {
        name: spec.name.clone(),
        health: Mutex::new(health),
        activity: activity.clone(),
        failed: AtomicBool::new(false),
        last_end: Mutex::default(),
        stopping: AtomicBool::new(false),
        hurrying: AtomicBool::new(false),
        retrying: AtomicBool::new(false),
        reloads: Requests::default(),
        runs: Mutex::default(),
        events,
        ended: Mutex::new(false),
        on_end: Condvar::new(),
    });
    let feed_log = Arc::new(FeedLog::new(&spec.name, &spec.config));
    let sink =
        Arc::new(LaneSink::new(spec.topics_max, lane.clone(), metrics.clone(), feed_log.clone(), activity));
    let notices = HealthNotices::new(shared.clone(), lane.clone(), metrics.clone(), sink.clone(), on_change);
    let overseer = Overseer {
        shared: shared.clone(),
        lane,
        metrics,
        sink,
        on_hello: Arc::new(on_hello),
        notices,
        left_behind: false,
        begins_anew: false,
        lives: 0,
    };
    let name = format!("watch-{}", spec.name);
    let thread =
        std::thread::Builder::new().name(name).spawn(move || overseer.run(Arc::new(spec), &received));
    if let Err(e) = &thread {
        tracing::error!(feed = shared.name, "cannot start a thread for the feed: {e}");
        shared.note_failure();
        shared.end();
    }
    Supervisor { shared, feed_log, thread: Mutex::new(thread.ok()) }
}

impl Supervisor {
    /// The feed's configured name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The last lines of its log that are no mere detail, oldest first.
    pub fn last_lines(&self) -> Vec<Line> {
        self.feed_log.recent()
    }

    /// How the feed is now.
    pub fn health(&self) -> Health {
        self.shared.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a sample of the feed was ever accepted.
    pub fn has_spoken(&self) -> bool {
        self.shared.activity.has_spoken()
    }

    /// Whether the feed ever failed: it did not start, it ended, it hung, or a poll went wrong.
    pub fn has_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }

    /// Tries now what waits to be tried again: a feed that is down, or a poll that failed.
    pub fn retry(&self) {
        self.shared.retrying.store(true, Ordering::Release);
        let _ = self.shared.events.try_send(Event::Wake);
    }

    /// Reads the feed's file again, and has a new process take over from the one that runs. Subscribers get everything that
    /// both say, in order. Unless `always`, nothing happens when the file's bytes are those that run.
    pub fn reload(&self, always: bool, answer: OnReloaded) {
        self.shared.reloads.push(always, None, answer);
        let _ = self.shared.events.try_send(Event::Wake);
    }

    /// Has the feed run as `spec` says from now on. A new process takes over as at a reload, and if it cannot be started
    /// the old one goes on as before. Code inside tickerd cannot be taken over: it is ended, and started again.
    pub fn change(&self, spec: Spec, answer: OnReloaded) {
        self.shared.reloads.push(true, Some(Arc::new(spec)), answer);
        let _ = self.shared.events.try_send(Event::Wake);
    }

    /// The file of what runs, or ran last, and the SHA-256 of its bytes, if that is known.
    pub fn runs(&self) -> Option<(PathBuf, Option<Digest>)> {
        self.shared.runs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the last life ended, if one has; `Ok` when it ended of itself. All that it said is taken by then.
    pub fn last_end(&self) -> Option<Result<(), Failure>> {
        self.shared.last_end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The feed's newest hello. If the feed says hello at all, it is here before its first sample.
    pub fn hello(&self) -> Option<Hello> {
        self.shared.activity.hello()
    }

    /// Whether its process has written anything in this life.
    pub fn has_come(&self) -> bool {
        self.shared.activity.has_come()
    }

    /// Begins the ordered stop and returns at once.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        let _ = self.shared.events.try_send(Event::Wake);
    }

    /// Waits for the end. What is not over at `deadline` is killed; a hung thread of this process is left behind.
    pub fn join(&self, deadline: Instant) {
        self.stop();
        if !self.shared.await_end(deadline) {
            self.shared.hurrying.store(true, Ordering::Release);
            let _ = self.shared.events.try_send(Event::Wake);
            if !self.shared.await_end(Instant::now() + LAST_WAIT) {
                return;
            }
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The thread is over, or about to be. A panic in it has been printed already.
            let _ = thread.join();
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}
