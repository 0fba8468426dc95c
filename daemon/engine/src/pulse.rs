//! The pulse: one thread that owns the board and the schedule. It collects what waits in the lanes, then beats.
//!
//! It never touches a socket and never waits for a shard; a shard that is behind gets the newest of what it missed.

pub(crate) mod answers;
mod enquiries;
mod metrics;
pub mod rooms;
mod stats;
mod watch;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::answers::Desk;
pub use self::enquiries::Enquiries;
pub use self::metrics::Metrics;
use self::rooms::{Room, Rooms};
pub use self::stats::{STATS, Stats};
use self::watch::Watch;
use crate::exchange::beat::{Beat, Stale};
use crate::exchange::outlet::Outlet;
use crate::store::Writer;
use tickerd_model::board::{Board, Group, Restored};
use tickerd_model::history::Limits;
use tickerd_model::lane::{Entry, Lane};
use tickerd_model::protocol::rate::Tiers;
use tickerd_model::schedule::Schedule;
use tickerd_process::Bell;
use tickerd_process::clock::{now_unix_ms, now_unix_us};

/// The pulse looks around at least this often, so that a watchdog can see it live.
const NAP_MAX: Duration = Duration::from_secs(1);
/// Time between two batches of the past that are written down: what a crash may lose.
const SAVE_EVERY_US: u64 = 1_000_000;
/// How soon a shard that was behind is tried again when no beat comes sooner.
const RETRY: Duration = Duration::from_millis(5);

/// One feed, as the pulse sees it.
pub struct Source {
    /// Its name, for metrics.
    pub name: String,
    /// Where its ticks wait.
    pub lane: Arc<Lane>,
    /// Its push interval and the slower tiers.
    pub tiers: Tiers,
    /// Push at each beat whether or not anything changed.
    pub always: bool,
}

/// What is kept of the past, and where.
pub struct Past {
    /// How much.
    pub limits: Limits,
    /// What an earlier run left.
    pub restored: Vec<Restored>,
    /// The number of that run's newest tick.
    pub n: u64,
    /// Writes it down.
    pub writer: Option<Writer>,
}

/// What beats besides feeds.
pub struct Own {
    /// Declared topics.
    pub rooms: Vec<Room>,
    /// What the server says of itself.
    pub stats: Stats,
    /// What HTTP asks.
    pub enquiries: Enquiries,
}

/// The running thread.
pub struct Running {
    bell: Arc<Bell>,
    stop: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
    thread: JoinHandle<Option<Writer>>,
}

impl Running {
    /// How often the pulse has looked around; a number that stands still means that it hangs.
    pub fn turns(&self) -> Arc<AtomicU64> {
        self.turns.clone()
    }

    /// Sends what still waits as a last beat, and ends. Who writes down the past may have that to write still.
    pub fn stop(self) -> Option<Writer> {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
        self.thread.join().unwrap_or_else(|_| {
            tracing::error!("the pulse ended in a panic");
            None
        })
    }
}

/// Starts the thread. The last of `sources` is the server's own. `bell` is what the lanes ring.
pub fn start(
    sources: Vec<Source>,
    own: Own,
    past: Past,
    outlet: Outlet,
    bell: Arc<Bell>,
    metrics: Metrics,
) -> io::Result<Running> {
    let (stop, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (rung, stopped, counted) = (bell.clone(), stop.clone(), turns.clone());
    let mut pulse = Pulse::new(sources, own, past, outlet, metrics);
    // Declared topics, the server's own, and what an earlier run left, are with the shards before any client is.
    pulse.send();
    let thread = std::thread::Builder::new().name("pulse".into()).spawn(move || {
        while !stopped.load(Ordering::Acquire) {
            counted.fetch_add(1, Ordering::Relaxed);
            rung.wait(pulse.nap());
            pulse.turn();
        }
        pulse.last_beat();
        pulse.save_last()
    })?;
    Ok(Running { bell, stop, turns, thread })
}

struct Pulse {
    sources: Vec<Source>,
    outlet: Outlet,
    metrics: Metrics,
    board: Board,
    schedule: Schedule,
    /// By interval of the schedule: which feed's which tier beats.
    beats: Vec<Vec<(usize, u8)>>,
    intervals: Vec<Duration>,
    started: Instant,
    due: Vec<tickerd_model::schedule::DueBeat>,
    pending: Beat,
    /// By feed.
    watches: Vec<Watch>,
    rooms: Rooms,
    enquiries: Enquiries,
    stats: Stats,
    /// The source of the server's own topics.
    own: usize,
    writer: Option<Writer>,
    /// When the past may be written down again.
    next_save: u64,
}

impl Pulse {
    fn new(sources: Vec<Source>, own: Own, past: Past, outlet: Outlet, metrics: Metrics) -> Pulse {
        let groups: Vec<Group> = sources
            .iter()
            .map(|source| Group { tiers: source.tiers.all().len() as u8, always: source.always })
            .collect();
        let mut intervals: Vec<Duration> = sources.iter().flat_map(|s| s.tiers.all()).copied().collect();
        intervals.sort_unstable();
        intervals.dedup();
        let beats = intervals
            .iter()
            .map(|interval| {
                let tiers = sources.iter().enumerate().flat_map(|(feed, source)| {
                    source.tiers.all().iter().zip(0u8..).map(move |(tier, at)| (feed, *tier, at))
                });
                tiers.filter(|(_, tier, _)| tier == interval).map(|(feed, _, at)| (feed, at)).collect()
            })
            .collect();
        for interval in &intervals {
            metrics.watch_interval(*interval);
        }
        let started = Instant::now();
        let Past { limits, restored, n, writer } = past;
        let letters = tickerd_model::rooms::Limits {
            age_ms: u64::try_from(limits.age.as_millis()).unwrap_or(u64::MAX),
            bytes: limits.bytes,
        };
        let mut board = Board::new(&groups, limits);
        if writer.is_some() {
            board.keep_ledger();
        }
        for (feed, source) in sources.iter().enumerate() {
            let max_age = source.lane.freshness().source_max_age();
            board.heed_source(feed, max_age.map(|age| age.as_micros() as u64));
        }
        let mut pending = Beat::default();
        if n > 0 {
            board.restore(restored, n, now_unix_ms(), &mut pending.due);
        }
        let Own { rooms, stats, enquiries } = own;
        // The last: see `Source`.
        let own = groups.len().saturating_sub(1);
        let rooms = Rooms::new(rooms, letters, &mut board);
        stats.declare(own, &mut board);
        let mut pulse = Pulse {
            watches: sources.iter().map(|_| Watch::default()).collect(),
            sources,
            outlet,
            metrics,
            board,
            rooms,
            enquiries,
            stats,
            own,
            schedule: Schedule::new(&intervals, 0, now_unix_us()),
            beats,
            intervals,
            started,
            due: Vec::new(),
            pending,
            writer,
            next_save: 0,
        };
        if n > 0 {
            // No age is known of them: they are from before.
            pulse.take_aged(Stale { since: now_unix_ms(), max_age_ms: 0 });
        }
        pulse
    }

    fn mono_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// How long nothing is due.
    fn nap(&self) -> Duration {
        let most = if self.outlet.owes() || self.enquiries.is_owing() { RETRY } else { NAP_MAX };
        let next = self.schedule.next().into_iter().chain(self.next_look()).min();
        let Some(next) = next else { return most };
        Duration::from_micros(next.saturating_sub(self.mono_us())).min(most)
    }

    /// Collects, and beats if it is time.
    fn turn(&mut self) {
        self.collect();
        self.look_at_ages();
        let now = self.mono_us();
        self.schedule.due(now, &mut self.due);
        self.schedule.slew(now, now_unix_us());
        for due in std::mem::take(&mut self.due) {
            if due.late > 0
                && let Some(interval) = self.intervals.get(due.interval)
            {
                self.metrics.count_late(*interval, due.late);
            }
            for (feed, tier) in self.beats.get(due.interval).into_iter().flatten() {
                if *tier == 0 && *feed == self.own {
                    self.stats.tell(*feed, now_unix_ms(), &mut self.board);
                }
                self.board.take_due(*feed, *tier, &mut self.pending.due);
                if *tier == 0 {
                    self.rooms.beat(*feed, &mut self.pending);
                }
            }
        }
        self.push();
        self.board.forget();
        self.metrics.set_history(self.board.history());
        // Behind the beat, so that all that was pushed is with the shards.
        let Pulse { board, rooms, pending, outlet, enquiries, .. } = self;
        let mut desk = Desk { board, rooms, beat: pending, now_ms: now_unix_ms() };
        outlet.answer(|question| answers::answer(&mut desk, question));
        enquiries.answer(&mut desk);
        self.save(now);
    }

    /// Hands over what changed of the past, if the last of it is written.
    fn save(&mut self, now: u64) {
        let Some(writer) = self.writer.as_ref().filter(|writer| now >= self.next_save && writer.is_idle())
        else {
            return;
        };
        let all = writer.take_failure();
        if all || self.board.history().has_unsaved() {
            writer.write(self.board.take_unsaved(all));
            self.next_save = now + SAVE_EVERY_US;
        }
    }

    /// Hands over what is left to be written. Nothing will be told to anyone any more.
    fn save_last(self) -> Option<Writer> {
        let Pulse { mut board, writer, .. } = self;
        let writer = writer?;
        let all = writer.take_failure();
        writer.write_last(board.take_unsaved(all));
        Some(writer)
    }

    fn collect(&mut self) {
        self.board.set_clock(self.mono_us());
        self.board.want_every(self.outlet.wants_every());
        let moves = self.outlet.moves();
        self.rooms.settle(moves, now_unix_ms(), &mut self.pending);
        for (feed, source) in self.sources.iter().enumerate() {
            let drained = source.lane.drain();
            for entry in drained.entries {
                match entry {
                    Entry::Tick(tick) => drop(self.board.offer(feed, tick)),
                    Entry::Retire(topic) => self.board.retire(feed, &topic),
                }
            }
            if let Some(health) = drained.health {
                if let Some(watch) = self.watches.get_mut(feed) {
                    watch.hear(health.state, feed, &mut self.board);
                }
                self.pending.health.push((feed, health));
            }
        }
    }

    /// Hands over what is pending; what was due in it, if anything, has become the past.
    fn send(&mut self) -> Option<Arc<Beat>> {
        let mut sent = None;
        let changes = self.board.take_changes();
        let changed = !changes.is_empty();
        self.pending.changes = changes;
        if !self.pending.is_empty() || self.outlet.owes() {
            sent = Some(self.outlet.send(std::mem::take(&mut self.pending)));
        }
        self.metrics.count_letters_lost(self.rooms.take_letters_lost());
        for (feed, source) in self.sources.iter().enumerate() {
            if changed {
                self.metrics.set_topics(&source.name, self.board.topics(feed));
            }
            self.metrics.count_merged(&source.name, self.board.take_merged(feed));
        }
        sent
    }

    fn push(&mut self) {
        if let Some(beat) = self.send() {
            self.board.remember(&beat.due);
        }
    }

    fn last_beat(&mut self) {
        self.collect();
        self.look_at_ages();
        for feed in 0..self.sources.len() {
            self.board.take_due(feed, 0, &mut self.pending.due);
        }
        self.push();
    }
}
