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

/// Names of topics that ended and wait to be saved; over that everything is saved anew.
const GONE_MAX: usize = 65_536;

/// What is kept of one topic.
#[derive(Debug, Default)]
struct Ring {
    frames: VecDeque<Arc<Frame>>,
    /// Ticks up to this number are gone, or were never here.
    floor: u64,
    /// The newest number that was pushed.
    last: u64,
    /// That tick, also when it is too old for the ring.
    newest: Option<Arc<Frame>>,
    /// Ticks up to this number were handed out to be saved.
    saved: u64,
    /// It is among those that are not saved as they are.
    is_unsaved: bool,
}

/// What has to be written down of one topic, for it to be as it is here.
#[derive(Debug, Clone)]
pub struct Unsaved {
    /// Its newest tick.
    pub newest: Arc<Frame>,
    /// Ticks up to this number are gone.
    pub floor: u64,
    /// Ticks that were not written down yet, in order.
    pub frames: Vec<Arc<Frame>>,
}

/// What has to be written down.
#[derive(Debug, Default)]
pub struct Batch {
    /// What was written down earlier goes first, all of it.
    pub all: bool,
    /// Topics that ended; they go before `topics`, where one of the same name may be.
    pub gone: Vec<Box<str>>,
    /// Topics that are not as they were written down.
    pub topics: Vec<Unsaved>,
    /// The process-wide number of the newest tick.
    pub n: u64,
}

/// Topics whose state is to be saved, if anything is.
#[derive(Debug, Default)]
struct Ledger {
    topics: Vec<TopicId>,
    gone: Vec<Box<str>>,
    /// Too much went on between two batches.
    is_lost: bool,
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
    /// Present if someone takes batches.
    ledger: Option<Ledger>,
}

impl History {
    /// An empty one.
    pub fn new(limits: Limits) -> History {
        History { limits, rings: Vec::new(), order: VecDeque::new(), ticks: 0, bytes: 0, ledger: None }
    }

    /// A topic begins, whose first tick gets a number above `floor`.
    pub fn open(&mut self, topic: TopicId, floor: u64) {
        let at = topic.0 as usize;
        if self.rings.len() <= at {
            self.rings.resize_with(at + 1, || None);
        }
        if let Some(ring) = self.rings.get_mut(at) {
            *ring = Some(Ring { floor, last: floor, saved: floor, ..Ring::default() });
        }
    }

    /// A topic of an earlier run begins again, whose past is pushed next.
    pub fn reopen(&mut self, topic: TopicId, floor: u64, newest: Arc<Frame>) {
        self.open(topic, floor);
        if let Some(ring) = self.ring_mut(topic) {
            (ring.last, ring.newest) = (newest.tick().seq, Some(newest));
        }
        self.note(topic);
    }

    /// From now on what changes is noted for [`History::take_unsaved`].
    pub fn keep_ledger(&mut self) {
        self.ledger = Some(Ledger { is_lost: true, ..Ledger::default() });
    }

    /// Whether anything changed since it was last taken.
    pub fn has_unsaved(&self) -> bool {
        self.ledger.as_ref().is_some_and(|l| l.is_lost || !l.topics.is_empty() || !l.gone.is_empty())
    }

    /// What changed since the last call, or all there is.
    pub fn take_unsaved(&mut self, all: bool) -> Batch {
        let ledger = self.ledger.take().unwrap_or_default();
        self.ledger = Some(Ledger::default());
        let all = all || ledger.is_lost;
        let topics = match all {
            true => (0..self.rings.len()).map(|at| TopicId(at as u32)).collect(),
            false => ledger.topics,
        };
        let mut batch = Batch { all, gone: ledger.gone, ..Batch::default() };
        for topic in topics {
            let Some(ring) = self.ring_mut(topic) else { continue };
            ring.is_unsaved = false;
            let Some(newest) = ring.newest.clone() else { continue };
            let from = if all { 0 } else { ring.saved };
            let at = ring.frames.partition_point(|frame| frame.tick().seq <= from);
            let frames = ring.frames.range(at..).cloned().collect();
            ring.saved = ring.last;
            batch.topics.push(Unsaved { newest, floor: ring.floor, frames });
        }
        batch
    }

    /// Notes that a topic is not as it was saved.
    fn note(&mut self, topic: TopicId) {
        let Some(ledger) = &mut self.ledger else { return };
        let Some(ring) = self.rings.get_mut(topic.0 as usize).and_then(Option::as_mut) else { return };
        if !std::mem::replace(&mut ring.is_unsaved, true) {
            ledger.topics.push(topic);
        }
    }

    /// A topic ends, and its past with it.
    pub fn close(&mut self, topic: TopicId) {
        let Some(ring) = self.rings.get_mut(topic.0 as usize).and_then(Option::take) else { return };
        if let (Some(ledger), Some(newest)) = (&mut self.ledger, &ring.newest) {
            if ledger.gone.len() == GONE_MAX {
                (ledger.gone, ledger.is_lost) = (Vec::new(), true);
            }
            ledger.gone.push(newest.tick().topic.name().into());
        }
        self.ticks -= ring.frames.len();
        self.bytes -= ring.frames.iter().map(|frame| frame.weight()).sum::<usize>();
        self.tidy();
    }

    /// A tick was pushed, at `at` microseconds on the board's clock.
    pub fn push(&mut self, topic: TopicId, frame: Arc<Frame>, at: i64) {
        let count = self.limits.count;
        let Some(ring) = self.ring_mut(topic) else { return };
        ring.last = frame.tick().seq;
        ring.newest = Some(frame.clone());
        if count == 0 {
            ring.floor = ring.last;
            return self.note(topic);
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
        self.note(topic);
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

    /// What was pushed after the tick with the process-wide number `n`, in that order: topics, and their ticks where they are
    /// still kept. `None` if that tick's place is not known any more.
    pub fn after(&self, n: u64) -> Option<impl Iterator<Item = (TopicId, Option<&Arc<Frame>>)>> {
        let place = self.order.iter().rposition(|kept| kept.n == n)?;
        Some(self.order.range(place + 1..).filter_map(|kept| {
            let frames = &self.ring(kept.topic)?.frames;
            let at = frames.partition_point(|frame| frame.tick().n < kept.n);
            Some((kept.topic, frames.get(at).filter(|frame| frame.tick().n == kept.n)))
        }))
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
        self.note(topic);
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
