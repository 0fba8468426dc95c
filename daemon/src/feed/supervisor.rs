//! Keeps one feed alive: starts it, watches it, starts it again after a growing wait, and ends it in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::Level;

use crate::feed::allowance::Allowance;
use crate::feed::find::located;
use crate::feed::journal::{Journal, printable};
use crate::feed::life::{End, Life};
use crate::feed::metrics::Metrics;
use crate::feed::recovery::{Record, Recovery};
use crate::feed::report::{Failure, Hello, Report, Reporter};
use crate::feed::running::Running;
use crate::feed::sink::{LaneSink, Voice, now_unix_ms};
use crate::feed::{OnChange, OnHello, Spec};
use crate::model::lane::{FeedState, Health, Lane};

/// Reports that wait for the supervisor. It never waits for who sends them, so they cannot wait for each other.
const REPORTS_MAX: usize = 256;
/// Longest time without a look at what is owed to the log.
const LOOK: Duration = Duration::from_secs(10);
/// State changes of one feed that are told at once, and per second for ever: each is a notice to its subscribers.
const CHANGES_BURST: f64 = 10.0;
/// See [`CHANGES_BURST`].
const CHANGES_PER_S: f64 = 1.0;
/// How long `join` waits for a feed that was killed.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A handle on one supervised feed. Dropping it begins its ordered stop.
pub struct Supervisor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
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
    events: SyncSender<Event>,
    ended: Mutex<bool>,
    on_end: Condvar,
}

enum Event {
    /// Look at the flags and at what the feed says about itself.
    Wake,
    /// Of the life with this number; those of earlier ones mean nothing any more.
    Report { life: u64, report: Report },
}

impl Supervisor {
    /// See [`crate::feed::start`].
    pub(super) fn start(
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
        let health = Health { state: FeedState::Down, since: now_unix_ms(), reason: "starting".into() };
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
            events,
            ended: Mutex::new(false),
            on_end: Condvar::new(),
        });
        let journal = Arc::new(Journal::new(&spec.name));
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
        };
        let name = format!("watch-{}", spec.name);
        let thread = std::thread::Builder::new().name(name).spawn(move || overseer.run(&spec, &received));
        if let Err(e) = &thread {
            tracing::error!(feed = shared.name, "cannot start a thread for the feed: {e}");
            shared.failed.store(true, Ordering::Release);
            shared.end();
        }
        Supervisor { shared, thread: thread.ok() }
    }

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
    pub fn join(mut self, deadline: Instant) {
        self.stop();
        if !self.shared.await_end(deadline) {
            self.shared.hurrying.store(true, Ordering::Release);
            let _ = self.shared.events.try_send(Event::Wake);
            if !self.shared.await_end(Instant::now() + LAST_WAIT) {
                return;
            }
        }
        if let Some(thread) = self.thread.take() {
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

/// The supervisor's own thread.
struct Overseer {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    metrics: Arc<Metrics>,
    journal: Arc<Journal>,
    sink: Arc<LaneSink>,
    on_change: OnChange,
    on_hello: Arc<OnHello>,
    /// Whether a first sample and a first failure were told.
    told: (bool, bool),
    changes: Allowance,
    /// The last life's thread did not end.
    left_behind: bool,
}

/// How a wait between two lives ended.
enum Pause {
    Over,
    /// Someone asked for the next life now.
    Cut,
    Stopping,
}

/// Says that the thread is over, however it ends.
impl Drop for Overseer {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Overseer {
    fn run(mut self, spec: &Spec, events: &Receiver<Event>) {
        let mut recovery = Recovery::new(&spec.limits);
        for life in 1u64.. {
            if life > 1 {
                self.metrics.restarts(&spec.name).inc();
            }
            let began = Instant::now();
            self.shared.voice.begin();
            let end = self.live(spec, events, life);
            *self.shared.last_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end.clone());
            if self.shared.is_stopping() {
                break;
            }
            let voice = &self.shared.voice;
            let record = Record {
                is_fruitful: voice.is_fruitful(),
                is_healthy: began.elapsed() >= spec.limits.healthy_after && voice.is_heard(),
                is_left_behind: std::mem::take(&mut self.left_behind),
            };
            let failure = end.err().unwrap_or_else(|| Failure::transient("it ended of itself"));
            let (wait, reason) = recovery.after(&failure, record, rand::random::<f64>());
            self.fail();
            self.metrics.set_resident(&spec.name, 0);
            self.set(FeedState::Down, reason);
            match self.pause(events, wait.map(|wait| Instant::now() + wait)) {
                Pause::Over => {}
                Pause::Cut => recovery.forgive(),
                Pause::Stopping => break,
            }
        }
        self.sink.settle(Instant::now());
        self.set(FeedState::Down, "stopped".into());
    }

    fn live(&mut self, spec: &Spec, events: &Receiver<Event>, life: u64) -> End {
        // What was not there before may have been installed since.
        let spec = &Spec { source: located(&spec.source, &spec.working_dir)?, ..spec.clone() };
        let (events_in, greeted) = (self.shared.events.clone(), self.shared.voice.clone());
        let (on_hello, noted) = (self.on_hello.clone(), self.journal.clone());
        let report: Reporter = Arc::new(move |report| {
            if let Report::Hello(hello) = &report {
                greeted.greet(hello);
                for remark in on_hello(hello) {
                    noted.write(Level::WARN, None, &printable(&remark));
                }
            }
            drop(events_in.send(Event::Report { life, report }));
        });
        let running = Running::start(spec, self.sink.clone(), report)?;
        let (voice, journal) = (self.shared.voice.clone(), self.journal.clone());
        let mut current = Life::new(spec, &voice, &journal, running, Instant::now());
        loop {
            current.pace().into_iter().for_each(|pace| self.lane.freshness().set_pace(pace));
            let now = Instant::now();
            if self.shared.is_stopping() {
                current.close(now, None);
                if self.shared.hurrying.swap(false, Ordering::AcqRel)
                    && let Some(end) = current.kill(now, None)
                {
                    return end;
                }
            }
            if self.shared.retrying.swap(false, Ordering::AcqRel) {
                current.retry(now);
            }
            if let Some(end) = current.act(now) {
                self.left_behind = current.is_left_behind();
                return end;
            }
            if let Some(bytes) = current.resident() {
                self.metrics.set_resident(&spec.name, bytes);
            }
            if current.is_failing() {
                self.fail();
            }
            let shown = current.view().is_none_or(|(state, reason)| self.show(state, reason, now));
            let look = if shown { LOOK } else { Duration::from_secs(1) };
            self.sink.settle(now);
            let wait = current.wait(now).map_or(look, |wait| wait.min(look));
            if let Ok(Event::Report { life: of, report }) = events.recv_timeout(wait)
                && of == life
                && let Some(end) = current.hear(report, Instant::now())
            {
                return end;
            }
        }
    }

    /// Waits between two lives; without an end, until it is time to stop.
    fn pause(&mut self, events: &Receiver<Event>, until: Option<Instant>) -> Pause {
        while !self.shared.is_stopping() {
            let left = until.map_or(LOOK, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Pause::Over;
            }
            if self.shared.retrying.swap(false, Ordering::AcqRel) && until.is_some() {
                return Pause::Cut;
            }
            let _ = events.recv_timeout(left.min(LOOK));
            self.sink.settle(Instant::now());
        }
        Pause::Stopping
    }

    fn fail(&self) {
        self.shared.failed.store(true, Ordering::Release);
    }

    /// As [`Overseer::set`], unless the feed has changed too often lately; then false, and it is to be asked again.
    fn show(&mut self, state: FeedState, reason: String, now: Instant) -> bool {
        let (state, reason) = self.lane.freshness().judge(state, reason);
        let health = self.shared.health.lock().unwrap_or_else(PoisonError::into_inner);
        let same = health.state == state && health.reason == reason;
        drop(health);
        if !same && self.changes.take(now).is_none() {
            return false;
        }
        self.set(state, reason);
        true
    }

    /// Tells everyone when the state or its reason changed, or when the first sample or failure came.
    fn set(&mut self, state: FeedState, reason: String) {
        let firsts = (self.shared.voice.has_spoken(), self.shared.failed.load(Ordering::Acquire));
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
        let told = health.clone();
        drop(health);
        self.write(&told);
        self.metrics.set_state(&self.shared.name, state);
        self.lane.report(told);
        (self.on_change)();
    }

    fn write(&self, health: &Health) {
        let level = match health.state {
            FeedState::Up | FeedState::Closed => Level::INFO,
            FeedState::Down if self.shared.is_stopping() || health.reason == "starting" => Level::DEBUG,
            FeedState::Degraded | FeedState::Stale | FeedState::Down => Level::WARN,
        };
        let mut text = health.state.as_str().to_owned();
        if !health.reason.is_empty() {
            text.push_str(": ");
            text.push_str(&printable(&health.reason));
        }
        self.journal.tell(level, None, &text);
    }
}
