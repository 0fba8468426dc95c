//! The bounded queue between one feed and the pulse.
//!
//! Up to its capacity the lane keeps every tick in order. Above it, a tick of a state topic replaces the waiting tick
//! of its topic. Events have room of their own, since each one matters: up to 64 times the capacity, and 16 MiB of values.
//! Above that, a tick of an event topic pushes out the oldest waiting event tick. What is lost is counted and
//! travels with the topic's next tick (`Tick::merged`), so that `seq` shows the gap. A state topic always keeps its
//! newest tick.
//!
//! A retired topic ends after its waiting ticks. Above the capacity its waiting ticks are dropped too, events as
//! well, and are counted: the board would not push them either, since the topic ends right after. If nobody
//! downstream ever saw the topic, nothing of it stays; otherwise its end is told once. So the lane holds at most its
//! capacity, one tick per state topic, the events, and one end per topic known downstream, whatever the feed does. (In
//! memory up to twice that: dropped ticks are removed many at a time.)

mod allowance;
mod described;
mod freshness;
mod ledger;
mod waiting;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

pub use self::allowance::Allowance;
use self::described::Described;
pub use self::described::FieldsByKind;
pub use self::freshness::Freshness;
pub use self::ledger::Ledger;
use self::waiting::{Room, Waiting};
use crate::fields::Fields;
use crate::health::Health;
use crate::tick::Tick;
use crate::topic::Topic;

/// Ticks that a lane holds before it merges ticks of one topic.
pub const LANE_TICKS_MAX: usize = 1024;

/// Events that a lane holds for each of these.
const EVENTS_PER_TICK: usize = 64;

/// The same for both while the feed floods: few enough that the others' beats do not wait for the pulse to take them.
pub const FLOOD_TICKS_MAX: usize = 256;

/// What [`Lane::push`] did with a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It waits in order.
    Queued,
    /// It waits, and an earlier tick was merged into it or dropped to make room.
    Coalesced,
}

/// One thing that waits in a lane.
#[derive(Debug)]
pub enum Entry {
    /// A tick.
    Tick(Tick),
    /// The topic ends here.
    Retire(Topic),
}

/// What [`Lane::drain`] took out.
#[derive(Debug, Default)]
pub struct Drained {
    /// In the order they came.
    pub entries: VecDeque<Entry>,
    /// The newest health told since the last drain.
    pub health: Option<Health>,
    /// Ticks merged or dropped since the last drain.
    pub lost: u64,
    /// Samples that were dropped because their topic ended, including those merged into them earlier. No tick's
    /// `merged` tells of them.
    pub given_up: u64,
}

/// The queue of one feed, shared by the feed's thread and the pulse.
pub struct Lane {
    inner: Mutex<Inner>,
    capacity: usize,
    is_flooded: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
    freshness: Freshness,
    described: Described,
}

#[derive(Default)]
struct Inner {
    waiting: Waiting,
    health: Option<Health>,
    told: Option<Health>,
    lost: u64,
    tally: Tally,
    ledger: Ledger,
    /// Whether the pulse wants to know of the first tick that comes.
    is_eager: bool,
    /// Whether the next tick wakes the pulse.
    is_armed: bool,
}

/// What became of a feed's samples, since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accepted samples, including those that were merged into others.
    pub accepted: u64,
    /// Refused samples, for any reason.
    pub refused: u64,
}

impl Lane {
    /// A lane for `capacity` ticks. It calls `wake` on the feed's thread when the lane becomes half full or a health
    /// is told, and at the first tick if it [is to](Lane::set_eager).
    pub fn new(capacity: usize, wake: Box<dyn Fn() + Send + Sync>) -> Lane {
        let (freshness, described) = (Freshness::default(), Described::default());
        let (inner, is_flooded) = (Mutex::default(), AtomicBool::new(false));
        Lane { inner, capacity: capacity.max(2), is_flooded, wake, freshness, described }
    }

    /// Adds a tick. Blocks at most as long as another push or drain takes.
    pub fn push(&self, tick: Tick) -> Taken {
        let mut inner = self.lock();
        inner.tally.accepted += 1 + tick.merged;
        let (is_flooded, room) = self.room();
        let taken = inner.waiting.push(tick, room);
        inner.lost += u64::from(taken == Taken::Coalesced);
        let half_full = !is_flooded && inner.waiting.len() == room.entries / 2;
        let wakes = std::mem::take(&mut inner.is_armed) || half_full;
        drop(inner);
        if wakes {
            (self.wake)();
        }
        taken
    }

    /// From now on, whether the first tick wakes the pulse. After that no tick does, unless the lane becomes half full, until a
    /// [`Lane::drain`] finds nothing: so a feed that says much costs no wake for each tick.
    pub fn set_eager(&self, is_eager: bool) {
        let mut inner = self.lock();
        (inner.is_eager, inner.is_armed) = (is_eager, false);
        drop(inner);
        if is_eager {
            (self.wake)();
        }
    }

    /// Whether the feed floods from now on. While it does, the lane holds at most [`FLOOD_TICKS_MAX`] states and as many events, and
    /// wakes nobody for being half full: the flood is merged here, on the feed's own thread.
    pub fn set_flooded(&self, is_flooded: bool) {
        self.is_flooded.store(is_flooded, Ordering::Relaxed);
        (self.wake)();
    }

    /// Whether the feed floods.
    pub fn is_flooded(&self) -> bool {
        self.is_flooded.load(Ordering::Relaxed)
    }

    /// Whether the feed floods, and how many ticks wait before they are merged.
    fn room(&self) -> (bool, Room) {
        let few = self.capacity.min(FLOOD_TICKS_MAX);
        match self.is_flooded() {
            true => (true, Room { entries: few, events: few }),
            false => (false, Room { entries: self.capacity, events: self.capacity * EVENTS_PER_TICK }),
        }
    }

    /// Ends the topic after its waiting ticks. Returns how many waiting ticks were dropped for it.
    ///
    /// No tick of this `Topic` may follow. A topic of the same name that comes back is another `Topic`.
    pub fn retire(&self, topic: Topic) -> usize {
        let mut inner = self.lock();
        let (is_flooded, room) = self.room();
        let given_up = if inner.waiting.has_room(room) {
            inner.waiting.end(topic);
            0
        } else {
            inner.waiting.cut(topic)
        };
        inner.lost += given_up as u64;
        let half_full = !is_flooded && inner.waiting.len() >= room.entries / 2;
        drop(inner);
        if half_full {
            (self.wake)();
        }
        given_up
    }

    /// Ends a topic of which no tick was ever pushed here, however full the lane is. The caller bounds how many such
    /// topics there are.
    pub fn end(&self, topic: Topic) {
        self.lock().waiting.end(topic);
        (self.wake)();
    }

    /// Counts samples of the feed that were refused for this reason. They do not enter the lane.
    pub fn refuse(&self, code: &'static str, count: u64) {
        let mut inner = self.lock();
        inner.tally.refused += count;
        inner.ledger.refuse(code, count);
    }

    /// Why samples were refused, and how the feed's state changed, as clients were told.
    pub fn ledger(&self) -> Ledger {
        self.lock().ledger.clone()
    }

    /// How many samples of the feed were accepted and refused.
    pub fn tally(&self) -> Tally {
        self.lock().tally
    }

    /// Tells the feed's state to clients, which read the reason. Only the newest state is kept.
    pub fn report(&self, health: Health) {
        let mut inner = self.lock();
        inner.told = Some(health.clone());
        inner.ledger.report(health.clone());
        inner.health = Some(health);
        drop(inner);
        (self.wake)();
    }

    /// The state that clients were told last, if there was one.
    pub fn told(&self) -> Option<Health> {
        self.lock().told.clone()
    }

    /// How old the feed's news may get, and how many of its topics are stale.
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// Says what the fields of the feed's values mean, by kind. What was said before does not hold any more.
    pub fn set_fields(&self, fields: FieldsByKind) {
        self.described.set(fields);
    }

    /// What the fields of a kind mean, if the feed has a schema for it.
    pub fn fields(&self, kind: &str) -> Option<Arc<Fields>> {
        self.described.of(kind)
    }

    /// What the fields of all kinds mean.
    pub fn all_fields(&self) -> FieldsByKind {
        self.described.all()
    }

    /// Another number once [`Lane::set_fields`] said something else. It costs one load.
    pub fn fields_generation(&self) -> u64 {
        self.described.generation()
    }

    /// Takes everything out.
    pub fn drain(&self) -> Drained {
        self.take(self.lock())
    }

    /// Takes everything out, unless another thread has the lane at this moment. That thread may have to wait for a processor
    /// meanwhile, and a feed that floods has it most of the time.
    pub fn try_drain(&self) -> Option<Drained> {
        match self.inner.try_lock() {
            Ok(inner) => Some(self.take(inner)),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.take(poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn take(&self, mut inner: MutexGuard<'_, Inner>) -> Drained {
        inner.is_armed = inner.is_eager && inner.waiting.len() == 0;
        let load = inner.waiting.take();
        let (health, lost) = (inner.health.take(), std::mem::take(&mut inner.lost));
        // The lock is released first, so that nobody waits while the ticks are put in order.
        drop(inner);
        let given_up = load.given_up;
        Drained { entries: load.in_order(), health, lost, given_up }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked inside a push left out at most one tick.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
