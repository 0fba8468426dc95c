//! What waits in a lane: plain data, for one thread at a time.
//!
//! Event ticks wait in a queue of their own, so that the oldest is found at once. Each entry has its number of
//! arrival, by which the two queues are merged again when they are taken out. Each operation takes constant time on
//! average: the index is built once per overflow, and what a retired topic leaves behind is removed when it is half
//! of what waits.

use std::collections::VecDeque;

use super::{Entry, Taken};
use crate::sample::Class;
use crate::tick::Tick;
use crate::topic::{Topic, TopicMap, TopicSet};

/// Most bytes of waiting events, if they are more than a few.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// What may wait before ticks are merged or dropped.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// State ticks and ends of topics; of events these many are few.
    pub entries: usize,
    /// Event ticks.
    pub events: usize,
}

/// The two queues of a lane.
#[derive(Default)]
pub struct Waiting {
    /// State ticks and ends of topics, each with its number of arrival.
    kept: VecDeque<(u64, Entry)>,
    /// Event ticks, each with its number of arrival.
    events: VecDeque<(u64, Tick)>,
    /// The bytes of their values.
    event_bytes: usize,
    arrivals: u64,
    /// What waits of each topic; filled only while there is more than the lane's capacity.
    index: Option<TopicMap<Share>>,
    /// Topics that were retired while the lane was above its capacity. Their ticks are still in the queues, but count
    /// as dropped.
    gone: TopicSet,
    /// How many ticks of these topics are still in the queues.
    gone_ticks: usize,
    /// Lost ticks of event topics, which the topic's next tick has to count.
    owed: TopicMap<u64>,
    /// Samples that were dropped because their topic ended since the last take, including those merged into them
    /// earlier.
    given_up: u64,
    /// Topics of which a tick was taken out. Their end has to be told.
    told: TopicSet,
}

/// What waits of one topic.
#[derive(Default)]
struct Share {
    ticks: usize,
    /// The position in `kept` of a state topic's newest tick.
    newest: usize,
    /// How many samples were merged into its ticks.
    merged: u64,
}

impl Share {
    fn add(&mut self, tick: &Tick) {
        self.ticks += 1;
        self.merged += tick.merged;
    }
}

/// What was taken out. It can be put in order without the lock.
#[derive(Default)]
pub struct Load {
    kept: VecDeque<(u64, Entry)>,
    events: VecDeque<(u64, Tick)>,
    gone: TopicSet,
    /// Samples that were dropped because their topic ended.
    pub given_up: u64,
}

impl Waiting {
    /// How many entries wait, including dropped ones that are not removed yet.
    pub fn len(&self) -> usize {
        self.kept.len() + self.events.len()
    }

    /// Whether one more state tick or end has room.
    pub fn has_room(&self, room: Room) -> bool {
        self.kept.len() < room.entries
    }

    /// Whether one more event tick has room.
    fn has_room_for(&self, event: &Tick, room: Room) -> bool {
        let is_light = self.event_bytes + event.value.len() <= EVENT_BYTES_MAX;
        self.events.len() < room.events && (is_light || self.events.len() < room.entries)
    }

    /// Adds a tick. Without room it drops or merges a waiting one of its class.
    pub fn push(&mut self, tick: Tick, room: Room) -> Taken {
        let has_room = match tick.topic.class() {
            Class::State => self.has_room(room),
            Class::Event => self.has_room_for(&tick, room),
        };
        if !has_room {
            return self.squeeze(tick);
        }
        self.append(tick);
        Taken::Queued
    }

    fn append(&mut self, tick: Tick) {
        self.arrivals += 1;
        if let Some(index) = &mut self.index {
            let share = index.entry(tick.topic.clone()).or_default();
            share.add(&tick);
            share.newest = self.kept.len();
        }
        match tick.topic.class() {
            Class::State => self.kept.push_back((self.arrivals, Entry::Tick(tick))),
            Class::Event => {
                self.event_bytes += tick.value.len();
                self.events.push_back((self.arrivals, tick));
            }
        }
    }

    fn squeeze(&mut self, mut tick: Tick) -> Taken {
        let taken = match tick.topic.class() {
            Class::State => {
                self.build_index();
                let mut share = self.index.as_mut().and_then(|index| index.get_mut(&tick.topic));
                let place = share.as_ref().and_then(|share| self.kept.get_mut(share.newest));
                if let Some((_, Entry::Tick(old))) = place {
                    if let Some(share) = &mut share {
                        share.merged += tick.merged + 1;
                    }
                    tick.merged += old.merged + 1;
                    *old = tick;
                    return Taken::Coalesced;
                }
                Taken::Queued
            }
            Class::Event => self.drop_oldest_event(),
        };
        self.append(tick);
        taken
    }

    /// Ends a topic after its waiting ticks.
    pub fn end(&mut self, topic: Topic) {
        self.arrivals += 1;
        self.kept.push_back((self.arrivals, Entry::Retire(topic)));
    }

    /// Ends a topic and drops its waiting ticks. Returns how many they were.
    pub fn cut(&mut self, topic: Topic) -> usize {
        self.build_index();
        let share = self.index.as_mut().and_then(|index| index.remove(&topic)).unwrap_or_default();
        let ticks = share.ticks;
        self.given_up += ticks as u64 + share.merged + self.owed.remove(&topic).unwrap_or(0);
        if ticks > 0 {
            self.gone.insert(topic.clone());
            self.gone_ticks += ticks;
        }
        if self.told.remove(&topic) {
            self.end(topic);
        }
        if self.gone_ticks > self.len() / 2 {
            self.sweep();
        }
        ticks
    }

    /// Takes everything out.
    pub fn take(&mut self) -> Load {
        let mut load = Load {
            kept: std::mem::take(&mut self.kept),
            events: std::mem::take(&mut self.events),
            gone: std::mem::take(&mut self.gone),
            given_up: 0,
        };
        (self.index, self.gone_ticks, self.event_bytes) = (None, 0, 0);
        for (_, tick) in &mut load.events {
            if load.gone.contains(&tick.topic) {
                continue;
            }
            if let Some(lost) = self.owed.remove(&tick.topic) {
                tick.merged += lost;
            }
            if !self.told.contains(&tick.topic) {
                self.told.insert(tick.topic.clone());
            }
        }
        for (_, entry) in &load.kept {
            match entry {
                Entry::Tick(tick) if self.told.contains(&tick.topic) || load.gone.contains(&tick.topic) => {}
                Entry::Tick(tick) => drop(self.told.insert(tick.topic.clone())),
                // The end comes after all ticks of its topic; event ticks were handled above.
                Entry::Retire(topic) => {
                    self.told.remove(topic);
                    self.given_up += self.owed.remove(topic).unwrap_or(0);
                }
            }
        }
        load.given_up = std::mem::take(&mut self.given_up);
        load
    }

    fn drop_oldest_event(&mut self) -> Taken {
        let Some((_, old)) = self.events.pop_front() else { return Taken::Queued };
        self.event_bytes -= old.value.len();
        if self.gone.contains(&old.topic) {
            // Its loss was counted when its topic was cut.
            self.gone_ticks -= 1;
            return Taken::Queued;
        }
        if let Some(share) = self.index.as_mut().and_then(|index| index.get_mut(&old.topic)) {
            share.ticks -= 1;
            share.merged -= old.merged;
        }
        *self.owed.entry(old.topic).or_default() += old.merged + 1;
        Taken::Coalesced
    }

    fn build_index(&mut self) {
        if self.index.is_some() {
            return;
        }
        let mut index: TopicMap<Share> = TopicMap::default();
        for (at, (_, entry)) in self.kept.iter().enumerate() {
            if let Entry::Tick(tick) = entry {
                let share = index.entry(tick.topic.clone()).or_default();
                share.add(tick);
                share.newest = at;
            }
        }
        for (_, tick) in &self.events {
            index.entry(tick.topic.clone()).or_default().add(tick);
        }
        self.index = Some(index);
    }

    fn sweep(&mut self) {
        let gone = std::mem::take(&mut self.gone);
        self.kept.retain(|(_, entry)| !matches!(entry, Entry::Tick(tick) if gone.contains(&tick.topic)));
        self.events.retain(|(_, tick)| !gone.contains(&tick.topic));
        self.event_bytes = self.events.iter().map(|(_, tick)| tick.value.len()).sum();
        (self.index, self.gone_ticks) = (None, 0);
    }
}

impl Load {
    /// The entries in the order in which they came.
    pub fn in_order(self) -> VecDeque<Entry> {
        let Load { kept, events, gone, .. } = self;
        let mut entries = VecDeque::with_capacity(kept.len() + events.len());
        let mut events = events.into_iter().peekable();
        for (arrival, entry) in kept {
            while let Some((_, tick)) = events.next_if(|(earlier, _)| *earlier < arrival) {
                entries.push_back(Entry::Tick(tick));
            }
            entries.push_back(entry);
        }
        entries.extend(events.map(|(_, tick)| Entry::Tick(tick)));
        if !gone.is_empty() {
            entries.retain(|entry| !matches!(entry, Entry::Tick(tick) if gone.contains(&tick.topic)));
        }
        entries
    }
}
