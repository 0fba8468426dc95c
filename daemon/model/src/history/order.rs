//! The order of all kept ticks, to find the oldest. Topics that keep ticks for the same time share one queue, so that
//! ticks of a long age do not stand before others that are too old.

use std::collections::VecDeque;
use std::time::Duration;

use crate::topic::TopicId;

/// The queues are cleaned when they have more entries than twice the kept ticks plus this number.
pub(super) const LEFT_OVER_MAX: usize = 1024;

/// An entry for a tick.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// When it was pushed, in microseconds on the board's clock. A tick of an earlier run may be before the clock's
    /// start.
    pub at: i64,
    /// How many ticks were pushed until then: its place.
    pub place: u64,
    pub n: u64,
    pub topic: TopicId,
}

/// The ticks of topics with one greatest age, oldest first.
#[derive(Debug)]
struct Queue {
    /// In microseconds.
    age: i64,
    kept: VecDeque<Kept>,
}

/// All ticks. A tick that its ring has dropped stays here until it is the oldest.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// One for each age; there are few.
    queues: Vec<Queue>,
}

impl Order {
    /// The number of the queue of this age.
    pub fn queue_of(&mut self, age: Duration) -> usize {
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        if let Some(at) = self.queues.iter().position(|queue| queue.age == age) {
            return at;
        }
        self.queues.push(Queue { age, kept: VecDeque::new() });
        self.queues.len() - 1
    }

    /// Adds the newest tick of all.
    pub fn push(&mut self, queue: usize, kept: Kept) {
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.kept.push_back(kept);
        }
    }

    /// Takes out the oldest tick of all.
    pub fn pop(&mut self) -> Option<Kept> {
        let fronts = self.queues.iter_mut().filter(|queue| !queue.kept.is_empty());
        fronts.min_by_key(|queue| queue.kept.front().map(|kept| kept.place))?.kept.pop_front()
    }

    /// Takes out a tick that is too old at `now`, if there is one.
    pub fn pop_expired(&mut self, now: i64) -> Option<Kept> {
        let is_old =
            |queue: &Queue| queue.kept.front().is_some_and(|kept| now.saturating_sub(kept.at) > queue.age);
        self.queues.iter_mut().find(|queue| is_old(queue))?.kept.pop_front()
    }

    /// The place of the tick with the process-wide number `n`, if it is still known.
    pub fn place(&self, n: u64) -> Option<u64> {
        let of = |queue: &Queue| queue.kept.iter().rev().find(|kept| kept.n == n).map(|kept| kept.place);
        self.queues.iter().find_map(of)
    }

    pub fn len(&self) -> usize {
        self.queues.iter().map(|queue| queue.kept.len()).sum()
    }

    /// Drops the entries that are not `wanted`, if there are many more than the `ticks` that are kept.
    pub fn tidy(&mut self, ticks: usize, wanted: impl Fn(&Kept) -> bool) {
        if self.len() > 2 * ticks + LEFT_OVER_MAX {
            self.queues.iter_mut().for_each(|queue| queue.kept.retain(&wanted));
        }
    }
}
