//! The pulse: one thread that owns the board and the schedule. It collects what waits in the lanes, then beats.
//!
//! It never touches a socket and never waits for a shard; a shard that is behind gets the newest of what it missed.

pub(crate) mod answers;
mod arrivals;
mod bars;
mod collecting;
mod enquiries;
mod live;
mod metrics;
mod nodes;
mod rooms;
mod saving;
mod signing;
mod sources;
mod stats;
pub mod wants;
mod watch;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::answers::Desk;
use self::arrivals::Arrivals;
pub use self::bars::plan;
pub use self::enquiries::Enquiries;
use self::live::{Live, Stage};
pub use self::metrics::Metrics;
use self::nodes::Cluster;
pub use self::nodes::{NodePort, Nodes};
use self::rooms::Rooms;
use self::signing::Ahead;
use self::sources::Followed;
pub use self::sources::{Opening, Orders};
pub use self::stats::{STATS, Stats};
use self::wants::Wants;
use crate::exchange::beat::{Beat, Stale};
use crate::exchange::outlet::Outlet;
use crate::exchange::source::Directory;
use crate::store::Writer;
use tickerd_model::bars::Bars;
use tickerd_model::board::{Board, Restored};
use tickerd_model::history::Limits;
use tickerd_model::schedule::{DueBeat, Schedule};
use tickerd_model::source::SourceId;
use tickerd_process::Bell;
use tickerd_process::clock::{now_unix_ms, now_unix_us};

/// The pulse looks around at least this often, so that a watchdog can see it live.
const NAP_MAX: Duration = Duration::from_secs(1);
/// Time between two looks for bars that are too old.
const EXPIRE_EVERY_US: u64 = 20_000_000;
/// How soon a shard that was behind is tried again when no beat comes sooner.
const RETRY: Duration = Duration::from_millis(5);

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
    /// The bars, and what an earlier run left of them.
    pub bars: Bars,
}

/// What the pulse is made of, besides its sources.
pub struct Parts {
    pub past: Past,
    /// What the server says of itself.
    pub stats: Stats,
    /// What HTTP asks.
    pub enquiries: Enquiries,
    pub outlet: Outlet,
    /// What the lanes ring.
    pub bell: Arc<Bell>,
    pub metrics: Metrics,
    /// The other nodes, in a cluster.
    pub nodes: Option<NodePort>,
}

/// The running thread.
pub struct Running {
    orders: Orders,
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

    /// Through which sources come and go.
    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// Sends what still waits as a last beat, and ends. The writer that comes back may still have to write the past down.
    pub fn stop(self) -> Option<Writer> {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
        self.thread.join().unwrap_or_else(|_| {
            tracing::error!("the pulse ended in a panic");
            None
        })
    }
}

/// Starts the thread, with these sources.
pub fn start(sources: Vec<Opening>, parts: Parts) -> io::Result<Running> {
    let (stop, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let bell = parts.bell.clone();
    let (orders, ordered) = Orders::new(&bell);
    let (rung, stopped, counted) = (bell.clone(), stop.clone(), turns.clone());
    let mut pulse = Pulse::new(sources, parts);
    // Sources, declared topics, and what an earlier run left, are with the shards before any client is.
    pulse.send();
    let thread = std::thread::Builder::new().name("pulse".into()).spawn(move || {
        while !stopped.load(Ordering::Acquire) {
            counted.fetch_add(1, Ordering::Relaxed);
            rung.wait(pulse.nap());
            for order in ordered.try_iter() {
                pulse.settle();
                pulse.obey(order);
            }
            pulse.turn();
        }
        pulse.last_beat();
        pulse.save_last()
    })?;
    Ok(Running { orders, bell, stop, turns, thread })
}

struct Pulse {
    sources: BTreeMap<SourceId, Followed>,
    directory: Directory,
    outlet: Outlet,
    metrics: Metrics,
    board: Board,
    bars: Bars,
    schedule: Schedule,
    /// By interval of the schedule: which source's which tier beats.
    beats: BTreeMap<Duration, Vec<(SourceId, u8)>>,
    arrivals: Arrivals,
    /// When the next lane that is flooded has to be emptied.
    flooded_until: Option<u64>,
    started: Instant,
    due: Vec<DueBeat>,
    pending: Beat,
    rooms: Rooms,
    enquiries: Enquiries,
    stats: Stats,
    /// Which bars anyone asks for.
    wants: Wants,
    live: Live,
    /// There once a source is signed.
    ahead: Option<Ahead>,
    /// The other nodes, in a cluster.
    nodes: Option<Cluster>,
    writer: Option<Writer>,
    /// When the past may be written down again.
    next_save: u64,
    /// When bars that are too old are looked for.
    next_expiry: u64,
}

impl Pulse {
    fn new(sources: Vec<Opening>, parts: Parts) -> Pulse {
        let Parts { past, stats, enquiries, outlet, metrics, nodes, bell: _ } = parts;
        let Past { limits, restored, n, writer, mut bars } = past;
        let letters = tickerd_model::rooms::Limits {
            age_ms: u64::try_from(limits.age.as_millis()).unwrap_or(u64::MAX),
            bytes: limits.bytes,
        };
        let mut board = Board::new(limits);
        if writer.is_some() {
            board.keep_ledger();
            bars.keep_ledger();
        }
        let periods = sources.iter().flat_map(|opening| &opening.source.periods);
        let wants = Wants::new(periods.map(|period| &**period));
        let mut pulse = Pulse {
            sources: BTreeMap::new(),
            directory: Directory::default(),
            outlet,
            metrics,
            board,
            bars,
            schedule: Schedule::new(0, now_unix_us()),
            beats: BTreeMap::new(),
            arrivals: Arrivals::default(),
            flooded_until: None,
            started: Instant::now(),
            due: Vec::new(),
            pending: Beat::default(),
            rooms: Rooms::new(letters, nodes.as_ref().map(NodePort::me)),
            enquiries,
            stats,
            wants,
            live: Live::default(),
            ahead: None,
            nodes: nodes.map(Cluster::new),
            writer,
            next_save: 0,
            next_expiry: 0,
        };
        let mut declared = Vec::new();
        for Opening { source, lane, bars, rooms, .. } in sources {
            pulse.limit(&rooms);
            declared.push((source.clone(), rooms));
            pulse.follow(source, lane, bars);
        }
        // First what an earlier run left: a declared topic that it had goes on with its numbers.
        if n > 0 {
            pulse.board.restore(restored, n, now_unix_ms(), &mut pulse.pending.due);
        }
        for (source, rooms) in declared {
            pulse.declare(&source, rooms);
        }
        if n > 0 {
            // They are from before this run, so their age is not known.
            pulse.take_aged(Stale { since: now_unix_ms(), max_age_ms: 0 });
        }
        pulse
    }

    fn mono_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// How long nothing is due.
    fn nap(&self) -> Duration {
        let nodes = self.nodes.as_ref();
        let owes = self.outlet.owes() || self.enquiries.is_owing() || nodes.is_some_and(Cluster::owes);
        let owes = owes || self.live.is_owing();
        let most = if owes { RETRY } else { NAP_MAX };
        let most = self.arrivals.nap().map_or(most, |nap| nap.min(most));
        // While what is pending waits for other nodes, nothing is collected and nothing beats.
        let is_held_up = !self.pending.due.is_empty() && self.is_joining();
        let own =
            [self.schedule.next(), self.next_look(), self.arrivals.next(&self.board), self.flooded_until];
        let own = own.into_iter().flatten().filter(|_| !is_held_up);
        let next = own.chain(nodes.and_then(Cluster::deadline)).min();
        let Some(next) = next else { return most };
        Duration::from_micros(next.saturating_sub(self.mono_us())).min(most)
    }

    /// Collects, and beats if it is time.
    fn turn(&mut self) {
        if self.nodes.is_some() && !self.hear_nodes() {
            return;
        }
        let now = self.mono_us();
        self.schedule.due(now, &mut self.due);
        self.collect();
        self.look_at_ages();
        self.schedule.slew(now, now_unix_us());
        self.take_arrived(now);
        for DueBeat { interval, at, late } in std::mem::take(&mut self.due) {
            if late > 0 {
                self.metrics.count_late(interval, late);
            }
            for (source, tier) in self.beats.get(&interval).into_iter().flatten() {
                if *tier == 0 {
                    let now_ms = now_unix_ms();
                    self.stats.tell(*source, now_ms, &mut self.board);
                    let mut stage = Stage { bars: &mut self.bars, board: &mut self.board, now_ms };
                    self.live.beat(*source, &mut self.wants, &mut stage);
                }
                let before = self.pending.due.len();
                self.board.take_due(*source, *tier, &mut self.pending.due);
                if *tier == 0 {
                    let due = before..self.pending.due.len();
                    self.nodes.iter_mut().for_each(|nodes| nodes.beat(*source, at / 1_000, due.clone()));
                    self.rooms.beat(*source, &mut self.pending);
                }
            }
        }
        let mut stage = Stage { bars: &mut self.bars, board: &mut self.board, now_ms: now_unix_ms() };
        self.live.work(&self.wants, &mut stage);
        if self.nodes.is_some() && !self.tell_nodes() {
            return;
        }
        self.push();
        self.board.forget();
        self.metrics.set_history(self.board.history());
        if now >= self.next_expiry {
            self.next_expiry = now + EXPIRE_EVERY_US;
            self.bars.expire();
        }
        let sources = &self.sources;
        let feed = |id| sources.get(&id).map(|followed| &*followed.source.name);
        bars::count(&mut self.bars, &self.metrics.bars, feed);
        // Behind the beat, so that all that was pushed is with the shards.
        let (now_ms, now_us) = (now_unix_ms(), self.mono_us());
        let Pulse { board, bars, live, rooms, directory, pending, outlet, enquiries, nodes, .. } = self;
        let mut desk = Desk { board, bars, live, rooms, directory, beat: pending, nodes, now_ms, now_us };
        outlet.answer(|port, question| answers::answer(&mut desk, port, question));
        enquiries.answer(&mut desk);
        self.save(now);
    }

    /// Takes what is due on arrival. If there is a beat all the same, what waits only to be joined goes with it.
    fn take_arrived(&mut self, now: u64) {
        let is_due = self.arrivals.next(&self.board).is_some_and(|at| at <= now);
        if !is_due && self.due.is_empty() {
            return;
        }
        for id in &self.arrivals.sources {
            let before = self.pending.due.len();
            self.board.take_arrived(*id, now, &mut self.pending.due);
            let due = before..self.pending.due.len();
            if !due.is_empty() {
                self.nodes.iter_mut().for_each(|nodes| nodes.beat(*id, now_unix_ms(), due.clone()));
            }
        }
    }

    /// Hands over what is pending; what was due in it, if anything, has become the past.
    fn send(&mut self) -> Option<Arc<Beat>> {
        let mut sent = None;
        let changes = self.board.take_changes();
        let changed = !changes.is_empty();
        self.pending.leave_out(&changes);
        self.pending.changes = changes;
        if !self.pending.is_empty() || self.outlet.owes() {
            self.ahead.iter().for_each(|ahead| ahead.hand(&self.pending.due));
            sent = Some(self.outlet.send(std::mem::take(&mut self.pending)));
        }
        self.metrics.set_rooms(&mut self.rooms);
        for (id, Followed { source, .. }) in &self.sources {
            if changed {
                self.metrics.set_topics(&source.name, self.board.topics(*id));
            }
            self.metrics.count_merged(&source.name, self.board.take_merged(*id));
        }
        sent
    }

    fn push(&mut self) {
        if let Some(beat) = self.send() {
            self.board.remember(&beat.due);
        }
    }

    fn last_beat(&mut self) {
        self.settle();
        self.collect_all();
        self.look_at_ages();
        for id in self.sources.keys() {
            let before = self.pending.due.len();
            self.board.take_due(*id, 0, &mut self.pending.due);
            let due = before..self.pending.due.len();
            self.nodes.iter_mut().for_each(|nodes| nodes.beat(*id, now_unix_ms(), due.clone()));
        }
        self.say();
        self.push();
    }
}
