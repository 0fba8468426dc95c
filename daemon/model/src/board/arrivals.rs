//! With [`Pace::Arrival`]: which topics of a source are pushed when.
//!
//! A topic's first value after a quiet interval is due at once, which is after [`JOIN_US`]: topics that move together are
//! pushed together. Then the topic rests for an interval. What comes meanwhile is merged, as it is between two beats, and
//! is due when the interval is over, by the monotonic clock.
//!
//! A feed that is polled once in an interval brings a value late now and then. The ones after it come in time again, and
//! would all have to wait if a topic rested for a whole interval each time. So as much as a push came after the end of the
//! rest before, the next one may come earlier, by half an interval at most. After a quiet interval there is no such credit.
//! And a topic goes along with others if its rest ends soon after: then the next one lasts as much longer. So 11 pushes of
//! a topic take 10 intervals, or 9.3 at least.
//!
//! The value that was pushed last, said again, is pushed to nobody but those who take every tick. It is due after an
//! interval and the topic does not rest after it, so that a feed that repeats itself does not delay the next other value.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::due::Due;
use super::place::Place;
use crate::sample::Class;
use crate::source::{Pace, Source};
use crate::topic::TopicId;
use crate::wire::frame::Frame;

/// How long a topic's first value waits for values of other topics, in microseconds: long enough for what a source says at
/// once, and short beside the shortest interval, 10 ms.
pub const JOIN_US: u64 = 1_000;

/// A topic whose rest ends within this part of an interval goes along with others: else topics that were once apart, since
/// the machine was busy, would stay apart, and each take a write of its own.
const REACH: u64 = 8;

/// What waits of one source.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) interval: u64,
    /// When each topic that has waiting ticks is due, the next one first. An entry holds if the topic is marked as due then.
    queue: BinaryHeap<Reverse<(u64, u32)>>,
    /// Until when topics that ended would rest. A new one rests as long: it may be one of them again.
    pub(super) rests_until: u64,
}

impl Arrivals {
    /// For a source of this pace. `None`: it beats.
    pub(super) fn of(source: &Source) -> Option<Arrivals> {
        let interval = source.tiers.rate(0).as_micros() as u64;
        let arrivals = Arrivals { interval, queue: BinaryHeap::new(), rests_until: 0 };
        (source.pace == Pace::Arrival).then_some(arrivals)
    }

    /// A tick came, and waits.
    pub(super) fn note(&mut self, id: TopicId, place: &mut Place, frame: &Frame, now: u64) {
        let soon = place.rests_until.max(now + JOIN_US);
        let is_waiting = place.dirty & 1 != 0;
        if is_waiting && place.due_at <= soon {
            return;
        }
        let at = if place.has_pushed(frame) { now + self.interval } else { soon };
        if is_waiting && place.due_at <= at {
            return;
        }
        (place.dirty, place.due_at) = (place.dirty | 1, at);
        self.queue.push(Reverse((at, id.0)));
    }

    /// A topic waits until it rests no more.
    pub(super) fn wait(&mut self, id: TopicId, place: &mut Place, now: u64) {
        place.due_at = place.rests_until.max(now);
        self.queue.push(Reverse((place.due_at, id.0)));
    }

    /// When the next topic is due.
    pub(super) fn next(&self) -> Option<u64> {
        let Reverse((at, _)) = self.queue.peek()?;
        Some(*at)
    }

    /// A topic was pushed.
    pub(super) fn rest(&self, place: &mut Place, due: &Due, now: u64) {
        // Other values on the way to the one that was pushed before count as well: who takes every tick has had them.
        let newest = &due.frame.tick().value;
        let has_moved = || due.frames().any(|frame| frame.tick().value != *newest);
        if due.is_newest || place.topic.class() == Class::Event || has_moved() {
            let early = place.rests_until.saturating_sub(now);
            if early > 0 && early <= self.interval / REACH {
                place.rests_until += self.interval;
                return;
            }
            let late = now.saturating_sub(place.rests_until);
            let is_quiet = place.rests_until == 0 || late >= self.interval;
            let credit = if is_quiet { 0 } else { late.min(self.interval / 2) };
            place.rests_until = now + self.interval - credit;
        }
    }

    /// A topic ended.
    pub(super) fn retire(&mut self, place: &Place) {
        self.rests_until = self.rests_until.max(place.rests_until);
    }

    /// All that may wait.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = TopicId> + '_ {
        self.queue.drain().map(|Reverse((_, id))| TopicId(id))
    }

    /// Topics that come and go leave entries behind. Cleans when there are more than `most`.
    pub(super) fn sweep(&mut self, most: usize, places: &[Option<Place>]) {
        if self.queue.len() > most {
            self.queue.retain(|Reverse((at, id))| {
                let place = places.get(*id as usize).and_then(Option::as_ref);
                place.is_some_and(|place| place.is_due_at(*at))
            });
        }
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Takes out the topics to be pushed now: those that are due, and those that will be in a moment.
    pub(super) fn ready(
        &mut self,
        places: &mut [Option<Place>],
        topics: &[TopicId],
        now: u64,
    ) -> Vec<TopicId> {
        let (until, mut ready) = (now + self.interval / REACH, Vec::new());
        while let Some(next) = self.queue.peek_mut().filter(|next| next.0.0 <= until) {
            let Reverse((at, id)) = PeekMut::pop(next);
            let place = Place::of(places, topics, TopicId(id)).filter(|place| place.is_due_at(at));
            ready.extend(place.map(|_| TopicId(id)));
        }
        ready
    }
}

impl Place {
    fn is_due_at(&self, at: u64) -> bool {
        self.dirty & 1 != 0 && self.due_at == at
    }
}
