//! What is kept of the past: of each topic its last pushed ticks, in order, within a count, an age and a number of bytes.
//!
//! A ring holds what was pushed and nothing else, so that what follows its newest tick is live. It knows up to which
//! number ticks are gone; who saw less than that cannot be brought level by it, and is told so: never a partial recovery.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::board::TopicId;
use super::frame::Frame;

/// Entries of the order whose tick is gone, beyond as many as there are ticks.
const LEFT_OVER_MAX: usize = 1024;

/// How much is kept; whichever limit is met first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Ticks per topic.
    pub count: usize,
    /// Age of a tick, since it was pushed.
    pub age: Duration,
    /// Bytes of all topics together; the oldest go first.
    pub bytes: usize,
}

impl Limits {
    /// Keeps nothing.
    pub const NONE: Limits = Limits { count: 0, age: Duration::ZERO, bytes: 0 };
}

/// What is kept of one topic.
#[derive(Debug, Default)]
struct Ring {
    frames: VecDeque<Arc<Frame>>,
    /// Ticks up to this number are gone, or were never here.
    floor: u64,
    /// The newest number that was pushed.
    last: u64,
}

/// A tick's place in the order of all.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// When it was pushed, on the board's clock; before its start for those of an earlier run.
    at: i64,
    n: u64,
    topic: TopicId,
}

/// See the module.
#[derive(Debug)]
pub struct History {
    limits: Limits,
    /// By the topic's number.
    rings: Vec<Option<Ring>>,
    /// Oldest first. A tick that its ring gave up for itself is still named here until it is its turn.
    order: VecDeque<Kept>,
    ticks: usize,
    bytes: usize,
}

impl History {
    /// An empty one.
    pub fn new(limits: Limits) -> History {
        History { limits, rings: Vec::new(), order: VecDeque::new(), ticks: 0, bytes: 0 }
    }

    /// A topic begins, whose first tick gets a number above `floor`.
    pub fn open(&mut self, topic: TopicId, floor: u64) {
        let at = topic.0 as usize;
        if self.rings.len() <= at {
            self.rings.resize_with(at + 1, || None);
        }
        if let Some(ring) = self.rings.get_mut(at) {
            *ring = Some(Ring { floor, last: floor, ..Ring::default() });
        }
    }

    /// A topic ends, and its past with it.
    pub fn close(&mut self, topic: TopicId) {
        let Some(ring) = self.rings.get_mut(topic.0 as usize).and_then(Option::take) else { return };
        self.ticks -= ring.frames.len();
        self.bytes -= ring.frames.iter().map(|frame| frame.weight()).sum::<usize>();
        self.tidy();
    }

    /// A tick was pushed, at `at` microseconds on the board's clock.
    pub fn push(&mut self, topic: TopicId, frame: Arc<Frame>, at: i64) {
        let count = self.limits.count;
        let Some(ring) = self.ring_mut(topic) else { return };
        ring.last = frame.tick().seq;
        if count == 0 {
            ring.floor = ring.last;
            return;
        }
        let is_full = ring.frames.len() >= count;
        if is_full {
            self.drop_oldest(topic);
        }
        self.ticks += 1;
        self.bytes += frame.weight();
        self.order.push_back(Kept { at, n: frame.tick().n, topic });
        if let Some(ring) = self.ring_mut(topic) {
            ring.frames.push_back(frame);
        }
        while self.bytes > self.limits.bytes && self.pop() {}
        self.tidy();
    }

    /// Gives up what is too old `now`.
    pub fn expire(&mut self, now: i64) {
        let age = i64::try_from(self.limits.age.as_micros()).unwrap_or(i64::MAX);
        while self.order.front().is_some_and(|kept| now.saturating_sub(kept.at) > age) {
            self.pop();
        }
    }

    /// Every tick after `seq`, in order; `None` if some of them are gone, or if `seq` is none that was ever pushed.
    pub fn since(&self, topic: TopicId, seq: u64) -> Option<impl ExactSizeIterator<Item = &Arc<Frame>>> {
        let ring = self.ring(topic)?;
        if seq < ring.floor || seq > ring.last {
            return None;
        }
        let from = ring.frames.partition_point(|frame| frame.tick().seq <= seq);
        Some(ring.frames.range(from..))
    }

    /// The newest ticks, `limit` at most, in order.
    pub fn newest(&self, topic: TopicId, limit: usize) -> impl DoubleEndedIterator<Item = &Arc<Frame>> {
        let ring = self.ring(topic);
        ring.into_iter().flat_map(move |r| r.frames.range(r.frames.len().saturating_sub(limit)..))
    }

    /// How many ticks are kept.
    pub fn ticks(&self) -> usize {
        self.ticks
    }

    /// What they cost, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn ring(&self, topic: TopicId) -> Option<&Ring> {
        self.rings.get(topic.0 as usize)?.as_ref()
    }

    fn ring_mut(&mut self, topic: TopicId) -> Option<&mut Ring> {
        self.rings.get_mut(topic.0 as usize)?.as_mut()
    }

    /// Gives up the oldest of all; false when there is none.
    fn pop(&mut self) -> bool {
        let Some(Kept { n, topic, .. }) = self.order.pop_front() else { return false };
        let oldest = self.ring(topic).and_then(|ring| ring.frames.front());
        if oldest.is_some_and(|frame| frame.tick().n == n) {
            self.drop_oldest(topic);
        }
        true
    }

    fn drop_oldest(&mut self, topic: TopicId) {
        let Some(ring) = self.ring_mut(topic) else { return };
        let Some(frame) = ring.frames.pop_front() else { return };
        ring.floor = frame.tick().seq;
        self.ticks -= 1;
        self.bytes -= frame.weight();
    }

    /// Keeps the order about as long as there are ticks.
    fn tidy(&mut self) {
        if self.order.len() <= 2 * self.ticks + LEFT_OVER_MAX {
            return;
        }
        let History { order, rings, .. } = self;
        // Numbers only grow, also those of topics that have another's place, so what is older than the oldest is gone.
        order.retain(|kept| {
            let ring = rings.get(kept.topic.0 as usize).and_then(Option::as_ref);
            ring.and_then(|ring| ring.frames.front()).is_some_and(|oldest| oldest.tick().n <= kept.n)
        });
    }
}

#[cfg(test)]
mod tests;
