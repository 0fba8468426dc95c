//! Keeps one feed alive: starts it, watches it, starts it again after a growing wait, and ends it in order.

mod overseer;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::allowance::Allowance;
use crate::door::Admitted;
use crate::journal::Journal;
use crate::life::End;
use crate::metrics::Metrics;
use crate::reload::{OnReloaded, Requests};
use crate::report::{Failure, Hello, Report};
use crate::sink::{LaneSink, STARTING, Voice};
use crate::{OnChange, OnHello, Spec};
use overseer::Overseer;
use tickerd_model::digest::Digest;
use tickerd_model::lane::{FeedState, Health, Lane};
use tickerd_process::clock::now_unix_ms;

/// Reports that wait for the supervisor. It never waits for who sends them, so they cannot wait for each other.
const REPORTS_MAX: usize = 256;
/// State changes of one feed that are told at once, and per second for ever: each is a notice to its subscribers.
const CHANGES_BURST: f64 = 10.0;
/// See [`CHANGES_BURST`].
const CHANGES_PER_S: f64 = 1.0;
/// How long `join` waits for a feed that was killed.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A handle on one supervised feed. Dropping it begins its ordered stop.
pub struct Supervisor {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    name: String,
    health: Mutex<Health>,
    voice: Arc<Voice>,
    failed: AtomicBool,
    last_end: Mutex<Option<End>>,
    stopping: AtomicBool,
    hurrying: AtomicBool,
    retrying: AtomicBool,
    reloads: Requests,
    /// What runs, or ran last: its file, and the SHA-256 of that.
    runs: Mutex<Option<(PathBuf, Option<Digest>)>>,
    events: SyncSender<Event>,
    ended: Mutex<bool>,
    on_end: Condvar,
}

enum Event {
    /// Look at the flags and at what the feed says about itself.
    Wake,
    /// Of the life with this number; those of earlier ones mean nothing any more.
    Report { life: u64, report: Report },
    /// The file for the life with this number was looked at.
    Looked { life: u64, looked: Result<Admitted, Failure> },
}

/// Starts a feed and keeps it alive until its supervisor is stopped. Never fails: what goes wrong is the feed's health.
pub fn start(
    spec: Spec,
    lane: Arc<Lane>,
    metrics: Arc<Metrics>,
    on_change: OnChange,
    on_hello: OnHello,
) -> Supervisor {
    let (events, received) = sync_channel(REPORTS_MAX);
    let (wake, rouse) = (events.clone(), events.clone());
    let voice = Arc::new(Voice::new(Box::new(move || drop(wake.try_send(Event::Wake)))));
    lane.freshness().on_silence(move || drop(rouse.try_send(Event::Wake)));
    let health = Health { state: FeedState::Down, since: now_unix_ms(), reason: STARTING.into() };
    lane.report(health.clone());
    metrics.watch(&spec.name);
    metrics.set_state(&spec.name, health.state);
    let shared = Arc::new(Shared {
        name: spec.name.clone(),
        health: Mutex::new(health),
        voice: voice.clone(),
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
    let journal = Arc::new(Journal::new(&spec.name, &spec.config));
    let sink =
        LaneSink::new(&spec.name, spec.topics_max, lane.clone(), metrics.clone(), journal.clone(), voice);
    let overseer = Overseer {
        shared: shared.clone(),
        lane,
        metrics,
        journal,
        sink: Arc::new(sink),
        on_change,
        on_hello: Arc::new(on_hello),
        told: (false, false),
        changes: Allowance::new(CHANGES_BURST, CHANGES_PER_S, Instant::now()),
        left_behind: false,
        lives: 0,
    };
    let name = format!("watch-{}", spec.name);
    let thread = std::thread::Builder::new().name(name).spawn(move || overseer.run(&spec, &received));
    if let Err(e) = &thread {
        tracing::error!(feed = shared.name, "cannot start a thread for the feed: {e}");
        shared.failed.store(true, Ordering::Release);
        shared.end();
    }
    Supervisor { shared, thread: Mutex::new(thread.ok()) }
}

impl Supervisor {
    /// The feed's configured name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// How it is now.
    pub fn health(&self) -> Health {
        self.shared.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a sample of it was ever accepted.
    pub fn has_spoken(&self) -> bool {
        self.shared.voice.has_spoken()
    }

    /// Whether it ever failed: did not start, ended, hung, or a poll went wrong.
    pub fn has_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }

    /// What waits to be tried again is tried now: a feed that is down, or a poll that failed.
    pub fn retry(&self) {
        self.shared.retrying.store(true, Ordering::Release);
        let _ = self.shared.events.try_send(Event::Wake);
    }

    /// Has its file read again, and a new process of it take over from the one that runs, without a gap in what
    /// subscribers get; see [`super::swap`]. Unless `always`, only when the file's bytes are not those that run.
    pub fn reload(&self, always: bool, answer: OnReloaded) {
        self.shared.reloads.push(always, answer);
        let _ = self.shared.events.try_send(Event::Wake);
    }

    /// The file of what runs, or ran last, and the SHA-256 of its bytes where they are known.
    pub fn runs(&self) -> Option<(PathBuf, Option<Digest>)> {
        self.shared.runs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How its last life ended, if one has; without an error when it ended of itself. What it said is taken by then.
    pub fn last_end(&self) -> Option<Result<(), Failure>> {
        self.shared.last_end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it said last of who it is; there before its first sample, if it says it at all.
    pub fn hello(&self) -> Option<Hello> {
        self.shared.voice.hello()
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
            // It has ended, or is about to; a panic in it has been printed already.
            let _ = thread.join();
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn note(&self, admitted: &Admitted) {
        let runs = (admitted.plugin.clone(), admitted.digest);
        *self.runs.lock().unwrap_or_else(PoisonError::into_inner) = Some(runs);
    }

    fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.on_end.notify_all();
    }

    fn await_end(&self, deadline: Instant) -> bool {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            ended = self.on_end.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
