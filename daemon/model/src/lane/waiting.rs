//! What waits in a lane: plain data, for one thread at a time.
//!
//! Event ticks wait apart from the rest, so that the oldest of them is at hand; a count of arrivals puts both rows in
//! order again when they are taken out. Each operation costs a constant time on average: the index is built once per
//! overflow, and what a retired topic leaves behind is swept out when it is half of what waits.

use std::collections::VecDeque;

use super::{Entry, Taken};
use crate::sample::Class;
use crate::tick::Tick;
use crate::topic::{Topic, TopicMap, TopicSet};

/// See the module.
#[derive(Default)]
pub struct Waiting {
    /// State ticks and ends of topics, each with its number of arrival.
    kept: VecDeque<(u64, Entry)>,
    /// Event ticks, likewise.
    events: VecDeque<(u64, Tick)>,
    arrivals: u64,
    /// What waits of each topic; filled only while there is more than the lane's capacity.
    index: Option<TopicMap<Share>>,
    /// Topics that were retired over the capacity: their ticks still lie in the rows, and are as good as gone.
    gone: TopicSet,
    /// How many ticks that are.
    gone_ticks: usize,
    /// Losses of event topics, owed to the topic's next tick.
    owed: TopicMap<u64>,
    /// Samples that went with their topic, those merged into them earlier included, since the last take.
    given_up: u64,
    /// Topics of which a tick was taken out, so that their end has to be told.
    told: TopicSet,
}

/// What waits of one topic.
#[derive(Default)]
struct Share {
    ticks: usize,
    /// Where the newest of a state topic lies in `kept`.
    newest: usize,
    /// What was merged into its ticks.
    merged: u64,
}

impl Share {
    fn add(&mut self, tick: &Tick) {
        self.ticks += 1;
        self.merged += tick.merged;
    }
}

/// What was taken out. Putting it in order needs no lock.
#[derive(Default)]
pub struct Load {
    kept: VecDeque<(u64, Entry)>,
    events: VecDeque<(u64, Tick)>,
    gone: TopicSet,
    /// Samples that went with their topic.
    pub given_up: u64,
}

impl Waiting {
    /// How much waits, what is gone and not swept out included.
    pub fn len(&self) -> usize {
        self.kept.len() + self.events.len()
    }

    /// Takes a tick in, in order.
    pub fn append(&mut self, tick: Tick) {
        self.arrivals += 1;
        if let Some(index) = &mut self.index {
            let share = index.entry(tick.topic.clone()).or_default();
            share.add(&tick);
            share.newest = self.kept.len();
        }
        match tick.topic.class() {
            Class::State => self.kept.push_back((self.arrivals, Entry::Tick(tick))),
            Class::Event => self.events.push_back((self.arrivals, tick)),
        }
    }

    /// Takes a tick in, at the cost of one that waits if its class has one to give.
    pub fn squeeze(&mut self, mut tick: Tick) -> Taken {
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
            // Only state ticks wait: the event still gets its place, the next one will push it out.
            Class::Event if self.events.is_empty() => Taken::Queued,
            Class::Event => self.drop_oldest_event(),
        };
        self.append(tick);
        taken
    }

    /// Ends a topic behind what waits of it.
    pub fn end(&mut self, topic: Topic) {
        self.arrivals += 1;
        self.kept.push_back((self.arrivals, Entry::Retire(topic)));
    }

    /// Ends a topic, and what waits of it; says how many ticks that were.
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
        (self.index, self.gone_ticks) = (None, 0);
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
                // Behind all of its ticks: those of events were seen to above.
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
        if self.gone.contains(&old.topic) {
            // Its loss was told when its topic was cut.
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
        (self.index, self.gone_ticks) = (None, 0);
    }
}

impl Load {
    /// In the order it came.
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
