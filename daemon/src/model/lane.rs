//! The bounded queue between one feed and the pulse.
//!
//! Up to its capacity it keeps every tick in order. Over that a tick of a state topic takes the place of the waiting one
//! of its topic, and an event topic's tick pushes out the oldest waiting event tick; what is lost is counted, and travels
//! with the topic's next tick (`Tick::merged`), so that `seq` shows the gap. A state topic always keeps its newest tick,
//! so the lane holds at most its capacity and one tick per state topic.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::sample::Class;
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

/// How a feed is, as it says itself or its supervisor sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeedState {
    /// Values come.
    Up,
    /// Values come, but not all or not as they should.
    Degraded,
    /// No value came for longer than expected.
    Stale,
    /// It does not run; it will be started again.
    Down,
    /// Its source is closed for now (a market at night); nothing is wrong.
    Closed,
}

impl FeedState {
    /// All of them, for metrics.
    pub const ALL: [FeedState; 5] = [Self::Up, Self::Degraded, Self::Stale, Self::Down, Self::Closed];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Stale => "stale",
            Self::Down => "down",
            Self::Closed => "closed",
        }
    }
}

/// A feed's state, since when, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The state.
    pub state: FeedState,
    /// Since when, Unix milliseconds.
    pub since: u64,
    /// Why, in words for a person; empty when there is nothing to say.
    pub reason: String,
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
}

/// See the module.
pub struct Lane {
    inner: Mutex<Inner>,
    capacity: usize,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Entry>,
    /// Where each state topic's tick waits; filled only while the lane is over its capacity.
    places: HashMap<Topic, usize>,
    /// Losses of event topics, owed to the topic's next tick.
    owed: HashMap<Topic, u64>,
    events_waiting: usize,
    health: Option<Health>,
    lost: u64,
}

impl Lane {
    /// `wake` is called, on the feed's thread, when the lane gets half full or a health is told.
    pub fn new(capacity: usize, wake: Box<dyn Fn() + Send + Sync>) -> Lane {
        Lane { inner: Mutex::default(), capacity: capacity.max(2), wake }
    }

    /// Never blocks for longer than another push or drain takes.
    pub fn push(&self, tick: Tick) -> Taken {
        let mut inner = self.lock();
        let taken = if inner.waiting.len() < self.capacity {
            inner.append(tick);
            Taken::Queued
        } else {
            inner.coalesce(tick)
        };
        let half_full = inner.waiting.len() == self.capacity / 2;
        drop(inner);
        if half_full {
            (self.wake)();
        }
        taken
    }

    /// The topic ends after what waits already.
    pub fn retire(&self, topic: Topic) {
        let mut inner = self.lock();
        // A later tick of a topic of this name is another Topic, so nothing can be merged across this entry.
        inner.owed.remove(&topic);
        inner.waiting.push_back(Entry::Retire(topic));
        let half_full = inner.waiting.len() >= self.capacity / 2;
        drop(inner);
        if half_full {
            (self.wake)();
        }
    }

    /// Tells the feed's state; only the newest is kept.
    pub fn report(&self, health: Health) {
        self.lock().health = Some(health);
        (self.wake)();
    }

    /// Takes everything out.
    pub fn drain(&self) -> Drained {
        let mut inner = self.lock();
        let mut entries = std::mem::take(&mut inner.waiting);
        inner.places.clear();
        inner.events_waiting = 0;
        if !inner.owed.is_empty() {
            for entry in &mut entries {
                if let Entry::Tick(tick) = entry
                    && let Some(lost) = inner.owed.remove(&tick.topic)
                {
                    tick.merged += lost;
                }
            }
        }
        Drained { entries, health: inner.health.take(), lost: std::mem::take(&mut inner.lost) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A feed's thread that panicked inside a push left at worst one tick out.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn append(&mut self, tick: Tick) {
        self.events_waiting += usize::from(tick.topic.class() == Class::Event);
        self.waiting.push_back(Entry::Tick(tick));
    }

    fn coalesce(&mut self, mut tick: Tick) -> Taken {
        match tick.topic.class() {
            Class::State => {
                if self.places.is_empty() {
                    self.index();
                }
                let place = self.places.get(&tick.topic).copied();
                if let Some(Entry::Tick(old)) = place.and_then(|at| self.waiting.get_mut(at)) {
                    tick.merged += old.merged + 1;
                    *old = tick;
                    self.lost += 1;
                    Taken::Coalesced
                } else {
                    self.places.insert(tick.topic.clone(), self.waiting.len());
                    self.append(tick);
                    Taken::Queued
                }
            }
            Class::Event => {
                if self.events_waiting == 0 {
                    // Only state ticks wait: the event still gets its place, the next one will push it out.
                    self.append(tick);
                    return Taken::Queued;
                }
                self.drop_oldest_event();
                self.append(tick);
                Taken::Coalesced
            }
        }
    }

    fn index(&mut self) {
        for (at, entry) in self.waiting.iter().enumerate() {
            if let Entry::Tick(tick) = entry
                && tick.topic.class() == Class::State
            {
                self.places.insert(tick.topic.clone(), at);
            }
        }
    }

    fn drop_oldest_event(&mut self) {
        let oldest = self
            .waiting
            .iter()
            .position(|entry| matches!(entry, Entry::Tick(tick) if tick.topic.class() == Class::Event));
        if let Some(at) = oldest
            && let Some(Entry::Tick(old)) = self.waiting.remove(at)
        {
            *self.owed.entry(old.topic).or_default() += old.merged + 1;
            self.events_waiting -= 1;
            self.lost += 1;
            // What waited behind it moved up by one.
            self.places.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn tick(topic: &Topic, value: &str) -> Tick {
        Tick {
            topic: topic.clone(),
            seq: 0,
            n: 0,
            ts: 0,
            src_ts: 0,
            value: value.as_bytes().into(),
            merged: 0,
        }
    }

    fn lane(capacity: usize) -> (Lane, Arc<AtomicUsize>) {
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        (
            Lane::new(
                capacity,
                Box::new(move || {
                    count.fetch_add(1, Ordering::Relaxed);
                }),
            ),
            woken,
        )
    }

    fn seen(lane: &Lane) -> Vec<(String, String, u64)> {
        lane.drain()
            .entries
            .into_iter()
            .map(|entry| match entry {
                Entry::Tick(t) => {
                    (t.topic.name().into(), String::from_utf8(t.value.into()).unwrap(), t.merged)
                }
                Entry::Retire(t) => (t.name().into(), "retired".into(), 0),
            })
            .collect()
    }

    #[test]
    fn under_its_capacity_everything_is_kept_in_order() {
        let (lane, woken) = lane(4);
        let a = Topic::new("f.a", "q", Class::State);
        for value in ["1", "2", "3"] {
            assert_eq!(lane.push(tick(&a, value)), Taken::Queued);
        }
        assert_eq!(woken.load(Ordering::Relaxed), 1, "woken once, when half full");
        let got: Vec<_> = seen(&lane).into_iter().map(|(_, v, m)| (v, m)).collect();
        assert_eq!(got, [("1".into(), 0), ("2".into(), 0), ("3".into(), 0)]);
        assert!(seen(&lane).is_empty());
    }

    #[test]
    fn over_it_state_coalesces_and_counts() {
        let (lane, _) = lane(2);
        let (a, b) = (Topic::new("f.a", "q", Class::State), Topic::new("f.b", "q", Class::State));
        lane.push(tick(&a, "1"));
        lane.push(tick(&a, "2"));
        assert_eq!(lane.push(tick(&a, "3")), Taken::Coalesced);
        assert_eq!(lane.push(tick(&a, "4")), Taken::Coalesced);
        assert_eq!(lane.push(tick(&b, "1")), Taken::Queued, "a state topic never loses its newest");
        assert_eq!(lane.push(tick(&b, "2")), Taken::Coalesced);
        assert_eq!(
            seen(&lane),
            [("f.a".into(), "1".into(), 0), ("f.a".into(), "4".into(), 2), ("f.b".into(), "2".into(), 1)]
        );
        assert_eq!(lane.drain().lost, 0, "told once");
    }

    #[test]
    fn over_it_events_drop_their_oldest_and_owe_it_to_the_next() {
        let (lane, _) = lane(2);
        let (a, b) = (Topic::new("f.a", "t", Class::Event), Topic::new("f.b", "t", Class::Event));
        for value in ["1", "2", "3"] {
            lane.push(tick(&a, value));
        }
        lane.push(tick(&b, "1"));
        // a: 1 and 2 are gone, 3 carries both; b: whole.
        assert_eq!(seen(&lane), [("f.a".into(), "3".into(), 2), ("f.b".into(), "1".into(), 0)]);
        for value in ["4", "5"] {
            lane.push(tick(&a, value));
        }
        lane.push(tick(&b, "2"));
        lane.push(tick(&b, "3"));
        assert_eq!(seen(&lane), [("f.b".into(), "2".into(), 0), ("f.b".into(), "3".into(), 0)]);
        lane.push(tick(&a, "6"));
        assert_eq!(seen(&lane), [("f.a".into(), "6".into(), 2)], "the debt outlives a drain");
    }

    proptest::proptest! {
        /// Whatever comes, each topic's ticks and losses add up to what was pushed, and the newest is never older than
        /// what came before it.
        #[test]
        fn nothing_is_lost_uncounted(pushes in proptest::collection::vec((0usize..5, proptest::bool::ANY), 1..200)) {
            let (lane, _) = lane(8);
            let topics: Vec<Topic> = (0..5)
                .map(|i| Topic::new(&format!("f.{i}"), "q", if i < 3 { Class::State } else { Class::Event }))
                .collect();
            let (mut pushed, mut counted, mut last) = ([0u64; 5], [0u64; 5], [0u64; 5]);
            let mut collect = |lane: &Lane| {
                let drained = lane.drain();
                assert!(drained.entries.len() <= 8 + 3 + 1);
                for entry in drained.entries {
                    let Entry::Tick(t) = entry else { continue };
                    let at = topics.iter().position(|x| *x == t.topic).unwrap();
                    let value: u64 = std::str::from_utf8(&t.value).unwrap().parse().unwrap();
                    assert!(value > last[at]);
                    last[at] = value;
                    counted[at] += 1 + t.merged;
                    assert_eq!(counted[at], value, "seq tells the gap exactly");
                }
            };
            for (at, drain) in pushes {
                pushed[at] += 1;
                lane.push(tick(&topics[at], &pushed[at].to_string()));
                if drain {
                    collect(&lane);
                }
            }
            collect(&lane);
            for i in 0..3 {
                proptest::prop_assert_eq!(counted[i], pushed[i]);
            }
        }
    }
}
