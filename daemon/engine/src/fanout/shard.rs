//! A shard: one thread, its own runtime, and the connections it owns outright. No locks and no atomics per message.

mod delivery;
mod ending;
mod sweep;

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::Settings;
use super::connection::{Budget, Connection};
use super::enquiries::Waiting;
use super::jobs::{self, Jobs};
use super::link::Link;
use super::metrics::Metrics;
use super::rooms::Rooms;
use super::walk::Walk;
use crate::exchange::ConnId;
use crate::exchange::arrival::{Arrival, Kind};
use crate::exchange::enquiry::Enquiry;
use crate::exchange::question::{Downlink, Uplink};
use crate::fanout::table::cohorts::Cohorts;
use crate::fanout::table::topics::Topics;
use tickerd_model::close::CloseCode;
use tickerd_model::decoder::Decoder;
use tickerd_model::deflate::Inflater;
use tickerd_model::encoding::{Encoder, Encoding};
use tickerd_model::lane::FeedState;
use tickerd_model::message::Message;
use tickerd_model::slab::Slab;

/// Clients taken in between two beats when beats come without a pause.
const ARRIVALS_PER_BEAT: usize = 256;
/// What one read takes at most.
const SCRATCH_BYTES: usize = 64 * 1024;

/// What was last told of a feed.
#[derive(Debug)]
pub struct Told {
    /// Its state.
    pub state: FeedState,
    /// When, on the shard's count of pushes.
    pub pos: u64,
    /// The notice, ready to send.
    pub notice: Rc<Message>,
}

/// Counts since the last flush.
#[derive(Debug, Default)]
pub struct Tally {
    pub frames: u64,
    pub bytes: u64,
    pub skipped: u64,
}

impl Tally {
    /// Adds them to the metrics.
    pub fn flush(&mut self, metrics: &Metrics) {
        metrics.frames_sent.inc_by(std::mem::take(&mut self.frames));
        metrics.sent_bytes.inc_by(std::mem::take(&mut self.bytes));
        metrics.ticks_skipped.inc_by(std::mem::take(&mut self.skipped));
    }
}

/// What a shard is reached by.
pub struct Inbox {
    pub beats: mpsc::Receiver<Downlink>,
    pub arrivals: mpsc::Receiver<Arrival>,
    pub enquiries: mpsc::Receiver<Enquiry>,
    /// Leads to the pulse.
    pub uplink: Uplink,
    pub stop: watch::Receiver<bool>,
    /// Counts the shard's sweeps.
    pub turns: Arc<AtomicU64>,
}

/// See the module.
pub struct Shard {
    me: Weak<RefCell<Shard>>,
    /// Which of the shards.
    pub number: usize,
    pub settings: Arc<Settings>,
    pub metrics: Arc<Metrics>,
    pub encoder: Rc<Encoder>,
    load: Arc<AtomicUsize>,
    /// Leads to the pulse.
    pub uplink: Uplink,
    pub connections: Slab<ConnId, Connection>,
    generations: u32,
    pub topics: Topics,
    pub cohorts: Cohorts,
    /// Declared topics, and who came to or left them.
    pub rooms: Rooms,
    cohorts_told: i64,
    /// By feed.
    pub health: Vec<Told>,
    /// Pushes so far: one per frame that was due, so that "later than" is a comparison.
    pub pos: u64,
    /// When a topic was last told to be stale or not to be, on that count.
    pub aged_pos: u64,
    /// Beats so far.
    pub beat: u64,
    /// Whether what the pulse says is being taken: then replays wait, however many want to go on.
    pub is_taking: bool,
    /// Some did since the last beat.
    pub has_held_back: bool,
    pub walk: Walk,
    pub scratch: Vec<u8>,
    pub inflater: Inflater,
    pub waiting: Waiting,
    /// What is done piece by piece.
    pub jobs: Jobs,
    pub tally: Tally,
    started: Instant,
    pub now: Instant,
    /// Seconds since the shard started.
    pub now_s: u32,
    pub slowest_tier_s: u32,
    /// Its clients are seen off.
    stopping: bool,
}

impl Shard {
    /// Runs until told to stop, then sees its clients off.
    pub async fn run(
        number: usize,
        settings: Arc<Settings>,
        metrics: Arc<Metrics>,
        load: Arc<AtomicUsize>,
        mut inbox: Inbox,
    ) {
        let shard = Rc::new_cyclic(|me| {
            RefCell::new(Shard::new(me.clone(), number, settings.clone(), metrics, load, inbox.uplink))
        });
        let mut sweep = tokio::time::interval(Duration::from_secs(1));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                never = jobs::begin_turns(&shard) => match never {},
                _ = inbox.stop.wait_for(|stop| *stop) => break,
                _ = sweep.tick() => {
                    inbox.turns.fetch_add(1, Ordering::Relaxed);
                    shard.borrow_mut().sweep();
                }
                item = inbox.beats.recv() => {
                    let Some(item) = item else { break };
                    delivery::take(&shard, item).await;
                    // Under a load where the next beat waits already, clients still come in.
                    for _ in 0..ARRIVALS_PER_BEAT {
                        let Ok(arrival) = inbox.arrivals.try_recv() else { break };
                        shard.borrow_mut().arrive(arrival);
                    }
                    if let Ok(enquiry) = inbox.enquiries.try_recv() {
                        shard.borrow_mut().answer_enquiry(enquiry);
                    }
                }
                () = jobs::work_to_do(&shard) => {
                    shard.borrow_mut().work();
                    tokio::task::yield_now().await;
                }
                Some(arrival) = inbox.arrivals.recv() => shard.borrow_mut().arrive(arrival),
                Some(enquiry) = inbox.enquiries.recv() => {
                    shard.borrow_mut().answer_enquiry(enquiry);
                    // A crowd of askers leaves room for reading.
                    tokio::task::yield_now().await;
                }
            }
        }
        // The pulse's last beat may have come together with the word to stop.
        while let Ok(item) = inbox.beats.try_recv() {
            delivery::take(&shard, item).await;
        }
        ending::see_off(&shard, settings.drain, &mut inbox.arrivals).await;
    }

    fn new(
        me: Weak<RefCell<Shard>>,
        number: usize,
        settings: Arc<Settings>,
        metrics: Arc<Metrics>,
        load: Arc<AtomicUsize>,
        uplink: Uplink,
    ) -> Shard {
        let up = |_| Told { state: FeedState::Up, pos: 0, notice: Rc::new(Message::new(b"", 0)) };
        let tiers = settings.feeds.iter().flat_map(|feed| feed.tiers.all().iter().skip(1));
        let slowest_tier_s = tiers.max().map_or(0, |tier| tier.as_secs() as u32 + 1);
        let now = Instant::now();
        let cohorts = Cohorts::counting(uplink.every.clone());
        Shard {
            me,
            number,
            load,
            uplink,
            connections: Slab::default(),
            generations: 0,
            topics: Topics::new(settings.feeds.clone()),
            cohorts,
            rooms: Rooms::default(),
            cohorts_told: 0,
            health: settings.feeds.iter().map(up).collect(),
            encoder: Rc::new(Encoder::new(&settings.epoch, settings.deflate)),
            settings,
            metrics,
            pos: 0,
            aged_pos: 0,
            beat: 0,
            is_taking: false,
            has_held_back: false,
            walk: Walk::default(),
            scratch: vec![0; SCRATCH_BYTES],
            inflater: Inflater::default(),
            waiting: Waiting::default(),
            jobs: Jobs::default(),
            tally: Tally::default(),
            started: now,
            now,
            now_s: 0,
            slowest_tier_s,
            stopping: false,
        }
    }

    /// A connection by its number.
    pub fn connection(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.connections.get_mut(id)
    }

    /// How a connection is spoken to; one that is gone is not, so it does not matter.
    pub fn encoding(&self, id: ConnId) -> Encoding {
        let conn = self.connections.get(id);
        conn.map_or_else(Encoding::default, |conn| conn.encoding)
    }

    /// Reads the clock once, for all that happens now.
    pub fn look_at_clock(&mut self) {
        self.now = Instant::now();
        self.now_s = self.now.duration_since(self.started).as_secs() as u32;
    }

    /// Milliseconds since the shard started; they wrap after 49 days, and only differences are taken.
    pub fn now_ms(&self) -> u32 {
        self.now.duration_since(self.started).as_millis() as u32
    }

    fn arrive(&mut self, arrival: Arrival) {
        self.look_at_clock();
        let Arrival { socket, read_buf, kind, encoding, permit, share } = arrival;
        let link = match Link::new(socket) {
            Ok(link) => Rc::new(link),
            Err(error) => {
                self.load.fetch_sub(1, Ordering::Relaxed);
                return tracing::warn!(%error, "a connection was lost on its way to its shard");
            }
        };
        self.generations = self.generations.wrapping_add(1);
        let generation = self.generations;
        let connection = Connection {
            link: link.clone(),
            decoder: Decoder::new(),
            encoding,
            name: match &kind {
                Kind::Ticker { name, .. } => name.clone(),
                Kind::Echo => None,
            },
            cohort: None,
            generation,
            beat: self.beat,
            fresh: None,
            stall: None,
            asking: None,
            shut: None,
            share,
            sent_s: self.now_s,
            heard_s: self.now_s,
            pinged: false,
            reading: false,
            waiting: false,
            greeted: false,
            echo: matches!(kind, Kind::Echo),
            closing_until_s: None,
            budget: Budget::new(self.settings.commands_burst, self.now_ms()),
            _permit: permit,
        };
        let id = self.connections.insert(connection);
        self.metrics.connections.inc();
        let Some(shard) = self.me.upgrade() else { return };
        tokio::task::spawn_local(async move {
            // The runtime learns that a new socket takes bytes when it first looks; before that every write seems refused.
            // An error shows again at the first write.
            drop(link.writable().await);
            shard.borrow_mut().welcome(id, generation, kind, &read_buf);
        });
    }

    /// Says the first words to a new connection and hears what came with its handshake. When the shard is about to stop the
    /// first words are the last.
    fn welcome(&mut self, id: ConnId, generation: u32, kind: Kind, read_buf: &[u8]) {
        self.look_at_clock();
        let stopping = self.stopping;
        let Some(conn) = self.connection(id).filter(|conn| conn.generation == generation) else { return };
        conn.greeted = true;
        if stopping {
            self.close(id, CloseCode::ServiceRestart);
            return self.start_reading(id);
        }
        // A beat may have begun since it arrived, and snapshots hold that already.
        self.serve_early(id);
        if let Kind::Ticker { opening, .. } = kind {
            self.greet(id, opening);
        }
        if !read_buf.is_empty() {
            self.hear(id, &mut read_buf.to_vec());
        }
        self.start_reading(id);
    }

    /// Starts the task that waits for the client to speak, unless it runs or must not now.
    pub fn start_reading(&mut self, id: ConnId) {
        let Some(shard) = self.me.upgrade() else { return };
        let Some(conn) = self.connection(id) else { return };
        if conn.reading || conn.stall.is_some() || conn.asking.is_some() || conn.shut.is_some() {
            return;
        }
        conn.reading = true;
        let (link, generation) = (conn.link.clone(), conn.generation);
        tokio::task::spawn_local(async move {
            while link.readable().await.is_ok() {
                if !shard.borrow_mut().read(id, generation) {
                    return;
                }
                // Waiting for what is ready already does not yield, and who talks without a pause would be alone here.
                tokio::task::yield_now().await;
            }
        });
    }

    /// Starts the task that waits until the client's socket takes bytes again, unless it runs.
    pub fn wait_writable(&mut self, id: ConnId) {
        let Some(shard) = self.me.upgrade() else { return };
        let Some(conn) = self.connection(id) else { return };
        if std::mem::replace(&mut conn.waiting, true) {
            return;
        }
        let (link, generation) = (conn.link.clone(), conn.generation);
        tokio::task::spawn_local(async move {
            while link.writable().await.is_ok() {
                if !shard.borrow_mut().resume(id, generation) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
    }

    /// The socket takes bytes again: sends what is owed; false when the waiting task should end.
    fn resume(&mut self, id: ConnId, generation: u32) -> bool {
        self.look_at_clock();
        let is_taking = self.is_taking;
        let Some(conn) = self.connection(id).filter(|conn| conn.generation == generation) else {
            return false;
        };
        if is_taking && conn.stall.as_ref().is_some_and(|stall| !stall.replay.is_empty()) {
            self.has_held_back = true;
            return true;
        }
        // The share of a beat that is on its way is owed like the rest: the walk must not bring it once more.
        self.serve_early(id);
        self.pump(id);
        let Some(conn) = self.connection(id) else { return false };
        conn.waiting = conn.stall.is_some();
        conn.waiting
    }
}

#[cfg(test)]
mod tests;
