//! Real feeds against the plugin host: C plugins built on the spot, shell scripts, and everything that can go wrong.
//!
//! Nothing here sleeps to wait: tests wait on what the supervisor tells, with a deadline.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use tickerd_model::health::FeedState;
use tickerd_model::lane::{Entry, LANE_TICKS_MAX, Lane};
use tickerd_model::sample::Class;

mod changes;
mod endings;
mod executables;
mod files;
mod hangs;
mod libraries;
mod plugin;
mod process;
mod program_swaps;
mod programs;
mod replaceable;
mod stand_in;
mod swaps;

/// Ends a wait for something that never comes. No outcome depends on its length.
const PATIENCE: Duration = Duration::from_secs(60);
/// A stop takes less, on a busy machine too, unless it waits for something that hangs; that takes [`PATIENCE`].
const SOON: Duration = Duration::from_secs(20);

/// A feed under test: its supervisor, and everything it told, in order.
struct Bench {
    supervisor: Option<Supervisor>,
    lane: Arc<Lane>,
    metrics: Arc<Metrics>,
    bell: Arc<Bell>,
    seen: Vec<Seen>,
    states: Vec<(FeedState, String)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Seen {
    topic: String,
    kind: String,
    class: Class,
    value: String,
    src_ts: u64,
    merged: u64,
}

/// Rings when something changed.
#[derive(Default)]
struct Bell {
    rung: Mutex<u64>,
    ring: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() += 1;
        self.ring.notify_all();
    }

    fn rung(&self) -> u64 {
        *self.rung.lock().unwrap()
    }

    /// Waits until it rings again, or a moment: single ticks and counters do not ring.
    fn nap(&self, rung: u64) {
        let guard = self.rung.lock().unwrap();
        drop(self.ring.wait_timeout_while(guard, Duration::from_millis(10), |now| *now == rung).unwrap());
    }
}

impl Bench {
    fn start(spec: Spec) -> Bench {
        let bell = Arc::new(Bell::default());
        let (woken, changed) = (bell.clone(), bell.clone());
        let lane = Arc::new(Lane::new(LANE_TICKS_MAX, Box::new(move || woken.ring())));
        let metrics = Arc::new(Metrics::new());
        let (on_change, on_hello) = (Box::new(move || changed.ring()), Box::new(|_: &Hello| Vec::new()));
        let supervisor = start(spec, lane.clone(), metrics.clone(), on_change, on_hello);
        Bench { supervisor: Some(supervisor), lane, metrics, bell, seen: Vec::new(), states: Vec::new() }
    }

    fn supervisor(&self) -> &Supervisor {
        self.supervisor.as_ref().unwrap()
    }

    /// Drains the lane until `found` is true. The bell rings when the lane is half full and at every change of state.
    fn until(&mut self, what: &str, found: impl Fn(&Bench) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rung = self.bell.rung();
            self.drain();
            if found(self) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{what}: waited in vain; {:?} {:?}",
                self.states,
                self.seen.last()
            );
            self.bell.nap(rung);
        }
    }

    fn drain(&mut self) {
        let drained = self.lane.drain();
        if let Some(health) = drained.health {
            self.states.push((health.state, health.reason));
        }
        for entry in drained.entries {
            self.seen.push(match entry {
                Entry::Tick(tick) => Seen {
                    topic: tick.topic.name().into(),
                    kind: tick.topic.kind().into(),
                    class: tick.topic.class(),
                    value: String::from_utf8(tick.value.into()).unwrap(),
                    src_ts: tick.src_ts,
                    merged: tick.merged,
                },
                Entry::Retire(topic) => Seen {
                    topic: topic.name().into(),
                    kind: "retired".into(),
                    class: topic.class(),
                    value: String::new(),
                    src_ts: 0,
                    merged: 0,
                },
            });
        }
    }

    fn until_state(&mut self, state: FeedState, reason: &str) {
        self.until(&format!("{state:?} {reason}"), |bench| {
            let health = bench.supervisor().health();
            let told = bench.states.iter().any(|(s, r)| *s == state && r.contains(reason));
            told || (health.state == state && health.reason.contains(reason))
        });
    }

    fn until_values(&mut self, count: usize) {
        self.until(&format!("{count} values"), |bench| bench.seen.len() >= count);
    }

    fn values(&self) -> Vec<&str> {
        self.seen.iter().map(|seen| seen.value.as_str()).collect()
    }

    /// Stops it and says how long that took.
    fn stop(&mut self) -> Duration {
        let began = Instant::now();
        self.supervisor.take().unwrap().join(Instant::now() + PATIENCE);
        began.elapsed()
    }

    fn rejects(&self, reason: &'static str) -> u64 {
        self.metrics.rejects("f", reason).get()
    }
}

fn quick() -> Policy {
    Policy {
        restart_first: Duration::from_millis(20),
        restart_max: Duration::from_millis(100),
        stop_grace: Duration::from_millis(300),
        term_grace: Duration::from_millis(300),
        ..Policy::default()
    }
}

pub(super) fn spec(source: Source) -> Spec {
    Spec {
        name: "f".into(),
        source,
        sha256: None,
        interval: Duration::from_millis(50),
        poll: None,
        config: serde_json::json!({}),
        topics_max: 100,
        working_dir: std::env::temp_dir(),
        program: stand_in::program(),
        warden: Arc::new(Warden::new(stand_in::program())),
        policy: quick(),
    }
}

fn shell(script: &str) -> Spec {
    spec(Source::Exec(vec!["sh".into(), "-c".into(), script.into()]))
}

fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}
