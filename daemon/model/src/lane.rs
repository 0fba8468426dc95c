//! The bounded queue between one feed and the pulse.
//!
//! Up to its capacity it keeps every tick in order. Over that a tick of a state topic takes the place of the waiting one
//! of its topic, and an event topic's tick pushes out the oldest waiting event tick; what is lost is counted, and travels
//! with the topic's next tick (`Tick::merged`), so that `seq` shows the gap. A state topic always keeps its newest tick.
//!
//! A topic that is retired ends behind what waits of it. Over the capacity what waits of it goes too, events as well, and
//! is counted: the board would not push what a topic said just before its end either. If nobody downstream ever saw the
//! topic, nothing of it stays; otherwise its end does, once. So the lane holds at most its capacity, one tick per state
//! topic, one event, and one end per topic known downstream, whatever the feed does. (In memory up to twice that: ticks
//! that are gone are swept out together.)

mod freshness;
mod waiting;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::freshness::Freshness;
use self::waiting::Waiting;
use super::health::Health;
use super::tick::Tick;
use super::topic::Topic;

/// Ticks a lane holds before it coalesces.
pub const LANE_TICKS_MAX: usize = 1024;

/// What became of a pushed tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It waits in order.
    Queued,
    /// It waits, and an earlier tick was merged into it or dropped for it.
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
    /// Samples that went with topics that ended, those merged into them before included: no tick's count tells of them.
    pub given_up: u64,
}

/// See the module.
pub struct Lane {
    inner: Mutex<Inner>,
    capacity: usize,
    wake: Box<dyn Fn() + Send + Sync>,
    freshness: Freshness,
}

#[derive(Default)]
struct Inner {
    waiting: Waiting,
    health: Option<Health>,
    told: Option<Health>,
    lost: u64,
    tally: Tally,
}

/// What became of a feed's samples, since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Taken, those that were merged into others included.
    pub accepted: u64,
    /// Refused, for any reason.
    pub refused: u64,
}

impl Lane {
    /// `wake` is called, on the feed's thread, when the lane gets half full or a health is told.
    pub fn new(capacity: usize, wake: Box<dyn Fn() + Send + Sync>) -> Lane {
        Lane { inner: Mutex::default(), capacity: capacity.max(2), wake, freshness: Freshness::default() }
    }

    /// Never blocks for longer than another push or drain takes.
    pub fn push(&self, tick: Tick) -> Taken {
        let mut inner = self.lock();
        inner.tally.accepted += 1 + tick.merged;
        let taken = if inner.waiting.len() < self.capacity {
            inner.waiting.append(tick);
            Taken::Queued
        } else {
            inner.waiting.squeeze(tick)
        };
        inner.lost += u64::from(taken == Taken::Coalesced);
        let half_full = inner.waiting.len() == self.capacity / 2;
        drop(inner);
        if half_full {
            (self.wake)();
        }
        taken
    }

    /// The topic ends after what waits already. Answers how many waiting ticks were given up for it.
    ///
    /// No tick of this `Topic` may follow; one of the same name that comes back is another.
    pub fn retire(&self, topic: Topic) -> usize {
        let mut inner = self.lock();
        let given_up = if inner.waiting.len() < self.capacity {
            inner.waiting.end(topic);
            0
        } else {
            inner.waiting.cut(topic)
        };
        inner.lost += given_up as u64;
        let half_full = inner.waiting.len() >= self.capacity / 2;
        drop(inner);
        if half_full {
            (self.wake)();
        }
        given_up
    }

    /// Ends a topic of which nothing was ever pushed here, however full the lane is: the caller bounds how many there are.
    pub fn end(&self, topic: Topic) {
        self.lock().waiting.end(topic);
        (self.wake)();
    }

    /// Samples of the feed were refused: none of them comes here.
    pub fn refuse(&self, count: u64) {
        self.lock().tally.refused += count;
    }

    /// What became of the feed's samples.
    pub fn tally(&self) -> Tally {
        self.lock().tally
    }

    /// Tells the feed's state to clients, which read the reason; only the newest is kept.
    pub fn report(&self, health: Health) {
        let mut inner = self.lock();
        inner.told = Some(health.clone());
        inner.health = Some(health);
        drop(inner);
        (self.wake)();
    }

    /// The state that clients were told last, if any was.
    pub fn told(&self) -> Option<Health> {
        self.lock().told.clone()
    }

    /// How old its news may get, and are.
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// Takes everything out.
    pub fn drain(&self) -> Drained {
        let mut inner = self.lock();
        let load = inner.waiting.take();
        let (health, lost) = (inner.health.take(), std::mem::take(&mut inner.lost));
        // Nobody has to wait while it is put in order.
        drop(inner);
        let given_up = load.given_up;
        Drained { entries: load.in_order(), health, lost, given_up }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A feed's thread that panicked inside a push left at worst one tick out.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
