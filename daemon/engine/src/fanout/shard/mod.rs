//! What a shard holds, and the few things that all above it do with that: send, end a connection, change what it asks for.
//! No locks and no atomics per message.
//!
//! Whatever decides what happens next (the loop, the commands) lies above and is not known here.

mod ending;
pub mod rooms;
mod sending;
mod serving;
mod streams;
pub mod tasks;
pub mod turns;
pub mod waiters;
mod wants;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use self::rooms::Rooms;
use self::tasks::Tasks;
use self::turns::Turns;
use self::waiters::Waiters;
use super::beat::walk::Walk;
use super::connection::Connection;
use super::metrics::clients::KINDS;
use super::metrics::{Counts, Metrics};
use super::notices::health::SourceHealth;
use super::outbox::refill::Current;
use super::settings::{Newest, Settings};
use super::table::Table;
use super::table::cohorts::Cohorts;
use super::table::topics::Topics;
use crate::exchange::question::Uplink;
use crate::exchange::{ConnId, access};
use tickerd_model::access::identity::Identity;
use tickerd_model::basics::slab::Slab;
use tickerd_model::source::SourceId;
use tickerd_model::wire::deflate::Inflater;
use tickerd_model::wire::encoding::{Encoder, Encoding};

/// What one read takes at most.
const SCRATCH_BYTES: usize = 64 * 1024;

/// One thread's connections, and all that is needed to serve them.
pub struct Shard {
    /// Which of the shards.
    pub number: usize,
    /// As they were when they were looked at last.
    pub settings: Arc<Settings>,
    newest_settings: Newest,
    /// The epoch of `connected` has been another, and connections may be here that were told so: each is told all others.
    pub tells_epochs: bool,
    /// Who has not said who it is.
    anyone: Arc<Identity>,
    pub metrics: Arc<Metrics>,
    pub encoder: Rc<Encoder>,
    /// Connections of this shard, also those on their way to it.
    pub load: Arc<AtomicUsize>,
    /// Leads to the pulse.
    pub uplink: Uplink,
    pub connections: Slab<ConnId, Connection>,
    /// Connections so far; they wrap.
    pub generations: u32,
    /// Who asked for what, and what that leads to.
    pub table: Table,
    /// Declared topics, and who came to or left them.
    pub rooms: Rooms,
    /// Cohorts that the metrics know of.
    pub cohorts_told: i64,
    /// Subscriptions that they know of.
    pub subscriptions_told: [i64; KINDS.len()],
    /// Shared streams that they know of.
    pub streams_told: i64,
    /// Of each source, and of some that went.
    pub health: BTreeMap<SourceId, SourceHealth>,
    /// Pushes so far: one per frame that was due, so that "later than" is a comparison.
    pub pos: u64,
    /// When a topic was last told to be stale or not to be, on that count.
    pub stale_pos: u64,
    /// Beats so far.
    pub beat: u64,
    /// Whether what the pulse says is being taken: then replays wait, however many want to go on.
    pub is_taking: bool,
    /// Some did since the last beat.
    pub has_held_back: bool,
    pub walk: Walk,
    pub scratch: Vec<u8>,
    cork: sending::Cork,
    pub inflater: Inflater,
    /// HTTP requests that wait for a value.
    pub waiters: Waiters,
    /// Commands that are done piece by piece.
    pub turns: Turns,
    pub counts: Counts,
    /// Starts what waits for a socket.
    pub tasks: Tasks,
    started: Instant,
    pub now: Instant,
    /// Seconds since the shard started.
    pub now_s: u32,
    pub slowest_tier_s: u32,
    /// How often someone's right to be here was withdrawn, when it was last looked at.
    pub revocations_seen: u64,
    /// Its clients are seen off.
    pub is_stopping: bool,
}

impl Shard {
    /// A shard without connections.
    pub fn new(
        number: usize,
        newest_settings: Newest,
        metrics: Arc<Metrics>,
        load: Arc<AtomicUsize>,
        (uplink, tasks): (Uplink, Tasks),
    ) -> Shard {
        let now = Instant::now();
        let settings = newest_settings.get();
        let cohorts = Cohorts::counting(uplink.every.clone());
        Shard {
            number,
            load,
            uplink,
            connections: Slab::default(),
            // Other nodes know connections by it, and may still hold some of an earlier life of this node for there.
            generations: if settings.node.is_some() { rand::random() } else { 0 },
            table: Table { topics: Topics::default(), cohorts },
            rooms: Rooms::default(),
            cohorts_told: 0,
            subscriptions_told: Default::default(),
            streams_told: 0,
            health: BTreeMap::new(),
            encoder: Rc::new(settings.encoder()),
            anyone: access::anyone(settings.access.as_deref()),
            revocations_seen: 0,
            walk: Walk::new(settings.pending),
            settings,
            newest_settings,
            tells_epochs: false,
            metrics,
            pos: 0,
            stale_pos: 0,
            beat: 0,
            is_taking: false,
            has_held_back: false,
            scratch: vec![0; SCRATCH_BYTES],
            cork: sending::Cork::default(),
            inflater: Inflater::default(),
            waiters: Waiters::default(),
            turns: Turns::default(),
            counts: Counts::default(),
            tasks,
            started: now,
            now,
            now_s: 0,
            slowest_tier_s: 0,
            is_stopping: false,
        }
    }

    /// Takes the settings as they are now.
    pub fn look_at_settings(&mut self) {
        let Some(settings) = self.newest_settings.other_than(&self.settings) else { return };
        self.walk.set_pending(settings.pending);
        self.anyone = access::anyone(settings.access.as_deref());
        if (&settings.epoch, &settings.node) != (&self.settings.epoch, &self.settings.node) {
            self.encoder = Rc::new(settings.encoder());
        }
        self.tells_epochs |= settings.epoch != self.settings.epoch;
        self.settings = settings;
    }

    /// A connection by its number.
    pub fn connection(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.connections.get_mut(id)
    }

    /// The connection of this number, if it is still that one and not a later one.
    pub fn same_connection(&mut self, id: ConnId, generation: u32) -> Option<&mut Connection> {
        self.connection(id).filter(|conn| conn.generation == generation)
    }

    /// Whom a connection speaks for; one that is gone for nobody in particular.
    pub fn who(&self, id: ConnId) -> Arc<Identity> {
        self.connections.get(id).map_or_else(|| self.anyone.clone(), |conn| conn.who.clone())
    }

    /// How a connection is spoken to; one that is gone is not, so it does not matter.
    pub fn encoding(&self, id: ConnId) -> Encoding {
        self.connections.get(id).map_or_else(Encoding::default, |conn| conn.encoding)
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

    /// When each tier has beaten once from now on, in the shard's seconds.
    pub fn all_tiers_by_s(&self) -> u32 {
        self.now_s + self.slowest_tier_s + 2
    }

    /// One connection fewer is here or on its way.
    pub fn lose_load(&self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }

    /// The connections, and what there is to send to them.
    fn current(&mut self) -> (&mut Slab<ConnId, Connection>, Current<'_>, &mut Counts) {
        let Shard {
            connections,
            table: Table { topics, cohorts },
            health,
            counts,
            encoder,
            pos,
            stale_pos,
            ..
        } = self;
        let current = Current { topics, cohorts, health, encoder, pos: *pos, stale_pos: *stale_pos };
        (connections, current, counts)
    }
}
