//! The history: of each topic the last pushed ticks, in order, within a count, an age and a number of bytes.
//!
//! A ring holds only ticks that were pushed, so what follows its newest tick is live. A ring knows up to which number
//! ticks are gone. A client that saw less than that is told so; it never gets a partial recovery.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::topic::TopicId;
use crate::wire::frame::Frame;

use self::order::{Kept, Order};

/// How much is kept. Ticks go as soon as any of the limits is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most ticks per topic.
    pub count: usize,
    /// Greatest age of a tick, counted from its push.
    pub age: Duration,
    /// Most bytes of all topics together. The oldest ticks go first.
    pub bytes: usize,
}

impl Limits {
    /// Keeps nothing.
    pub const NONE: Limits = Limits { count: 0, age: Duration::ZERO, bytes: 0 };

    /// What is kept of a topic that has no limits of its own.
    pub fn depth(&self) -> Depth {
        Depth { count: self.count, age: self.age }
    }
}

/// How much is kept of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Most ticks.
    pub count: usize,
    /// Greatest age of a tick, counted from its push. There should be few different ages, since the ticks of each are
    /// kept apart.
    pub age: Duration,
}

/// Most names of retired topics that wait to be saved. Above that, everything is saved anew.
const GONE_MAX: usize = 65_536;

/// What is kept of one topic.
#[derive(Debug, Default)]
struct Ring {
    /// Most ticks it keeps.
    count: usize,
    /// The queue that has its ticks.
    queue: usize,
    /// The kept ticks, each with its place among all pushes.
    frames: VecDeque<(u64, Arc<Frame>)>,
    /// Ticks with a `seq` up to this number are gone, or were never here.
    floor: u64,
    /// The place of the newest tick that is gone; 0 if none is gone.
    gone: u64,
    /// The newest `seq` that was pushed.
    last: u64,
    /// Numbers begin anew above this one. What has a number up to it is of a history before.
    base: u64,
    /// The newest tick while the ring is empty. It is still needed for saving when it is too old for the ring.
    outlived: Option<Arc<Frame>>,
    /// Ticks with a `seq` up to this number were handed out to be saved.
    saved: u64,
    /// Whether it changed since it was last saved.
    is_unsaved: bool,
    /// Whether it is never saved.
    is_passing: bool,
}

/// What has to be saved of one topic.
#[derive(Debug, Clone)]
pub struct Unsaved {
    /// Its newest tick.
    pub newest: Arc<Frame>,
    /// Ticks up to this number are gone.
    pub floor: u64,
    /// Ticks that are not saved yet, in order.
    pub frames: Vec<Arc<Frame>>,
}

/// What has to be saved.
#[derive(Debug, Default)]
pub struct Batch {
    /// Whether everything that was saved earlier is to be deleted first.
    pub all: bool,
    /// Names of retired topics. Delete them before saving `topics`, which may have a new topic of the same name.
    pub gone: Vec<Box<str>>,
    /// Topics that changed since they were saved.
    pub topics: Vec<Unsaved>,
    /// The process-wide number of the newest tick.
    pub n: u64,
    /// What has to be saved of the bars.
    pub bars: crate::bars::saving::Batch,
}

/// The topics that changed since the last batch. Kept only if batches are taken.
#[derive(Debug, Default)]
struct Ledger {
    topics: Vec<TopicId>,
    gone: Vec<Box<str>>,
    /// Whether more topics ended between two batches than are noted.
    is_lost: bool,
}

impl Ring {
    fn newest(&self) -> Option<&Arc<Frame>> {
        self.frames.back().map(|(_, frame)| frame).or(self.outlived.as_ref())
    }

    /// The ticks with a number above `seq`.
    fn above(&self, seq: u64) -> impl ExactSizeIterator<Item = &Arc<Frame>> {
        let from = self.frames.partition_point(|(_, frame)| frame.tick().seq <= seq);
        self.frames.range(from..).map(|(_, frame)| frame)
    }

    /// Notes that the tick with this place is gone.
    fn lose(&mut self, place: u64, frame: &Arc<Frame>) {
        (self.floor, self.gone) = (self.floor.max(frame.tick().seq), place);
        if self.frames.is_empty() {
            self.outlived = Some(frame.clone());
        }
    }
}

/// Ticks that were dropped to each of the limits since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evicted {
    pub count: u64,
    pub age: u64,
    pub bytes: u64,
}

/// The rings of all topics.
#[derive(Debug)]
pub struct History {
    limits: Limits,
    /// By the topic's number.
    rings: Vec<Option<Ring>>,
    order: Order,
    /// Ticks pushed so far.
    pushes: u64,
    ticks: usize,
    bytes: usize,
    evicted: Evicted,
    /// Present if the caller takes batches.
    ledger: Option<Ledger>,
}

impl History {
    /// An empty history.
    pub fn new(limits: Limits) -> History {
        let (rings, order, evicted) = (Vec::new(), Order::default(), Evicted::default());
        History { limits, rings, order, pushes: 0, ticks: 0, bytes: 0, evicted, ledger: None }
    }

    /// Begins a topic. Its first tick will have a number above `floor`. `depth` says how much is kept of it, if that is
    /// not what is kept of others.
    pub fn open(&mut self, topic: TopicId, floor: u64, depth: Option<Depth>) {
        let Depth { count, age } = depth.unwrap_or(self.limits.depth());
        let queue = self.order.queue_of(age);
        let at = topic.0 as usize;
        if self.rings.len() <= at {
            self.rings.resize_with(at + 1, || None);
        }
        if let Some(ring) = self.rings.get_mut(at) {
            *ring = Some(Ring { count, queue, floor, last: floor, saved: floor, ..Ring::default() });
        }
    }

    /// Begins a topic that is not saved.
    pub fn open_passing(&mut self, topic: TopicId, floor: u64) {
        self.open(topic, floor, None);
        self.ring_mut(topic).into_iter().for_each(|ring| ring.is_passing = true);
    }

    /// Says that an open topic is of an earlier run; the caller pushes its kept ticks next. Ticks of it that are gone
    /// count as pushed just now, since their time is not known.
    pub fn reopen(&mut self, topic: TopicId, floor: u64, newest: Arc<Frame>) {
        // Together, the ticks that are gone have one place, like one more push.
        self.pushes += u64::from(floor > 0);
        let gone = if floor > 0 { self.pushes } else { 0 };
        if let Some(ring) = self.ring_mut(topic) {
            (ring.floor, ring.saved, ring.gone) = (floor, floor, gone);
            (ring.last, ring.outlived) = (newest.tick().seq, Some(newest));
        }
        self.note(topic);
    }

    /// From now on, notes what changes, for [`History::take_unsaved`].
    pub fn keep_ledger(&mut self) {
        self.ledger = Some(Ledger { is_lost: true, ..Ledger::default() });
    }

    /// Whether anything changed since the last batch.
    pub fn has_unsaved(&self) -> bool {
        self.ledger.as_ref().is_some_and(|l| l.is_lost || !l.topics.is_empty() || !l.gone.is_empty())
    }

    /// What changed since the last call. With `all`, everything there is.
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
            let Some(ring) = self.ring_mut(topic).filter(|ring| !ring.is_passing) else { continue };
            ring.is_unsaved = false;
            let Some(newest) = ring.newest().cloned() else { continue };
            let from = if all { 0 } else { ring.saved };
            let frames = ring.above(from).cloned().collect();
            ring.saved = ring.last;
            batch.topics.push(Unsaved { newest, floor: ring.floor, frames });
        }
        batch
    }

    /// Notes that a topic changed since it was saved.
    fn note(&mut self, topic: TopicId) {
        let Some(ledger) = &mut self.ledger else { return };
        let Some(ring) = self.rings.get_mut(topic.0 as usize).and_then(Option::as_mut) else { return };
        if !ring.is_passing && !std::mem::replace(&mut ring.is_unsaved, true) {
            ledger.topics.push(topic);
        }
    }

    /// Ends a topic and drops its ticks.
    pub fn close(&mut self, topic: TopicId) {
        let Some(ring) = self.rings.get_mut(topic.0 as usize).and_then(Option::take) else { return };
        if let (Some(ledger), Some(newest), false) = (&mut self.ledger, ring.newest(), ring.is_passing) {
            if ledger.gone.len() == GONE_MAX {
                (ledger.gone, ledger.is_lost) = (Vec::new(), true);
            }
            ledger.gone.push(newest.tick().topic.name().into());
        }
        self.ticks -= ring.frames.len();
        self.bytes -= ring.frames.iter().map(|(_, frame)| frame.weight()).sum::<usize>();
        self.tidy();
    }

    /// Adds ticks that were pushed: those in `earlier`, then `newest`. `at` is the time in microseconds on the
    /// board's clock.
    pub fn push(&mut self, topic: TopicId, earlier: &[Arc<Frame>], newest: &Arc<Frame>, at: i64) {
        let Some(ring) = self.ring(topic) else { return };
        let (count, queue, had) = (ring.count, ring.queue, ring.frames.len());
        let come = earlier.len() + 1;
        for _ in 0..(had + come).saturating_sub(count).min(had) {
            self.drop_oldest(topic);
            self.evicted.count += 1;
        }
        let History { rings, order, pushes, ticks, bytes, .. } = self;
        let Some(ring) = rings.get_mut(topic.0 as usize).and_then(Option::as_mut) else { return };
        // The newer ticks would push these out at once, so these do not go in.
        let passed = come.saturating_sub(count);
        for (frame, nth) in earlier.iter().chain([newest]).zip(0..) {
            *pushes += 1;
            if nth < passed {
                ring.lose(*pushes, frame);
                continue;
            }
            *ticks += 1;
            *bytes += frame.weight();
            order.push(queue, Kept { at, place: *pushes, n: frame.tick().n, topic });
            ring.frames.push_back((*pushes, frame.clone()));
            ring.outlived = None;
        }
        ring.last = ring.last.max(newest.tick().seq);
        self.note(topic);
        while self.bytes > self.limits.bytes
            && let Some(oldest) = self.order.pop()
        {
            self.evicted.bytes += u64::from(self.drop_kept(oldest));
        }
        self.tidy();
    }

    /// Notes that ticks with a `seq` up to this number are gone, though older ones may be here: some never came.
    pub fn lose_up_to(&mut self, topic: TopicId, seq: u64) {
        self.ring_mut(topic).into_iter().for_each(|ring| ring.floor = ring.floor.max(seq));
    }

    /// Drops what is too old at `now`, in microseconds on the board's clock.
    pub fn expire(&mut self, now: i64) {
        while let Some(old) = self.order.pop_expired(now) {
            self.evicted.age += u64::from(self.drop_kept(old));
        }
    }

    /// Every tick after `seq`, in order. `None` if some of them are gone, or if no tick with the number `seq` was
    /// ever pushed.
    pub fn since(&self, topic: TopicId, seq: u64) -> Option<impl ExactSizeIterator<Item = &Arc<Frame>>> {
        let ring = self.ring(topic)?;
        let seq = seq.max(ring.base);
        if seq < ring.floor || seq > ring.last {
            return None;
        }
        Some(ring.above(seq))
    }

    /// The place among all pushes of the tick with the process-wide number `n`. `None` if it is no longer known.
    /// Feeds beat at different times, so ticks are not pushed in the order of their numbers.
    pub fn place(&self, n: u64) -> Option<u64> {
        self.order.place(n)
    }

    /// Every tick of a topic that was pushed after `place`, in order. `None` if some of them are gone.
    pub fn after(&self, topic: TopicId, place: u64) -> Option<impl ExactSizeIterator<Item = &Arc<Frame>>> {
        let ring = self.ring(topic).filter(|ring| ring.gone <= place)?;
        let from = ring.frames.partition_point(|(at, _)| *at <= place);
        Some(ring.frames.range(from..).map(|(_, frame)| frame))
    }

    /// The newest ticks, at most `limit`, in order.
    pub fn newest(&self, topic: TopicId, limit: usize) -> impl DoubleEndedIterator<Item = &Arc<Frame>> {
        let ring = self.ring(topic);
        let frames =
            ring.into_iter().flat_map(move |r| r.frames.range(r.frames.len().saturating_sub(limit)..));
        frames.map(|(_, frame)| frame)
    }

    /// How many ticks are kept.
    pub fn ticks(&self) -> usize {
        self.ticks
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many were dropped to the limits so far.
    pub fn evicted(&self) -> Evicted {
        self.evicted
    }

    fn ring(&self, topic: TopicId) -> Option<&Ring> {
        self.rings.get(topic.0 as usize)?.as_ref()
    }

    fn ring_mut(&mut self, topic: TopicId) -> Option<&mut Ring> {
        self.rings.get_mut(topic.0 as usize)?.as_mut()
    }

    /// Drops a tick that was taken out of the order, unless its ring has dropped it before. Whether it did.
    fn drop_kept(&mut self, Kept { place, topic, .. }: Kept) -> bool {
        let oldest = self.ring(topic).and_then(|ring| ring.frames.front());
        let is_there = oldest.is_some_and(|(at, _)| *at == place);
        if is_there {
            self.drop_oldest(topic);
            self.note(topic);
        }
        is_there
    }

    fn drop_oldest(&mut self, topic: TopicId) {
        let Some(ring) = self.ring_mut(topic) else { return };
        let Some((place, frame)) = ring.frames.pop_front() else { return };
        ring.lose(place, &frame);
        self.ticks -= 1;
        self.bytes -= frame.weight();
    }

    /// Keeps the order about as long as there are ticks.
    fn tidy(&mut self) {
        let History { order, rings, ticks, .. } = self;
        // An entry that is older than its topic's oldest tick is gone. The same holds if the number now belongs to
        // another topic.
        order.tidy(*ticks, |kept| {
            let ring = rings.get(kept.topic.0 as usize).and_then(Option::as_ref);
            ring.and_then(|ring| ring.frames.front()).is_some_and(|(oldest, _)| *oldest <= kept.place)
        });
    }
}

mod from;
mod numbers;
mod order;
#[cfg(test)]
mod tests;
