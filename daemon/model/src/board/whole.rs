//! In a cluster: all topics of a source as they were pushed, to be had by another node, and a board that becomes like them.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Aged, Board, Unsound};
use crate::sample::Class;
use crate::source::SourceId;
use crate::tick::Tick;
use crate::topic::{Topic, TopicId};
use crate::wire::frame::Frame;

/// Ticks of one topic's past that go with it.
const PAST_MAX: usize = 256;
/// The same in bytes of values: of one topic, and of all of a source together.
const TOPIC_BYTES_MAX: usize = 1 << 20;
const BYTES_MAX: usize = 8 << 20;
/// What a tick takes besides its value, about.
const TICK_BYTES: usize = 64;

/// One topic, as it was pushed.
#[derive(Debug, Clone)]
pub struct Kept<T> {
    pub topic: Topic,
    /// The number up to which its ticks were pushed.
    pub seq: u64,
    /// How long it had no news, in microseconds.
    pub age: u64,
    pub is_stale: bool,
    /// Ticks with a number up to this one are gone.
    pub floor: u64,
    /// The ticks above it, in order.
    pub past: Vec<T>,
    /// Its newest tick, if it is not among them.
    pub newest: Option<T>,
}

impl Board {
    /// All topics of a source, without what waits to be pushed. Of their past the newest part goes with them.
    pub fn whole(&self, source: SourceId) -> Vec<Kept<Arc<Frame>>> {
        let Some(state) = self.sources.get(&source) else { return Vec::new() };
        let share = (BYTES_MAX / state.topics.len().max(1)).min(TOPIC_BYTES_MAX);
        let of = |id: &TopicId| {
            let place = self.places.get(id.0 as usize)?.as_ref()?;
            let (mut past, mut bytes, mut floor) = (Vec::new(), 0, self.history.floor(*id));
            for frame in self.history.newest(*id, usize::MAX).rev() {
                bytes += frame.tick().value.len() + TICK_BYTES;
                if past.len() == PAST_MAX || bytes > share {
                    floor = frame.tick().seq;
                    break;
                }
                past.push(frame.clone());
            }
            past.reverse();
            let newest = self.history.last(*id).filter(|_| past.is_empty()).cloned();
            Some(Kept {
                topic: place.topic.clone(),
                seq: self.history.pushed(*id),
                age: place.age(self.now, &state.ages),
                is_stale: place.is_stale,
                floor,
                past,
                newest,
            })
        };
        state.topics.iter().filter_map(of).collect()
    }

    /// Makes a source's topics like those of another node. `top`: the first tick of a new topic has a number above it. What
    /// differs is due at the own beat, and a topic of which ticks were missed is added to `resets`. A topic that has a newer
    /// tick than the other node keeps it.
    ///
    /// Returns the topics that went.
    pub fn replace(
        &mut self,
        source: SourceId,
        all: Vec<Kept<Tick>>,
        top: u64,
        resets: &mut Vec<TopicId>,
    ) -> Result<Vec<Topic>, Unsound> {
        for kept in &all {
            self.check_name(source, kept.topic.name())?;
        }
        let names: HashSet<&str> = all.iter().map(|kept| kept.topic.name()).collect();
        let is_like =
            |kept: &Topic, topic: &Topic| (kept.kind(), kept.class()) == (topic.kind(), topic.class());
        let mut gone: Vec<(TopicId, Topic)> = Vec::new();
        for id in self.sources.get(&source).map(|state| state.topics.as_slice()).unwrap_or_default() {
            let Some(Some(place)) = self.places.get(id.0 as usize) else { continue };
            if !names.contains(place.topic.name()) {
                gone.push((*id, place.topic.clone()));
            }
        }
        for kept in &all {
            let id = self.find(kept.topic.name());
            let place = id.and_then(|id| Some((id, self.places.get(id.0 as usize)?.as_ref()?)));
            gone.extend(
                place.filter(|(_, p)| !is_like(&p.topic, &kept.topic)).map(|(id, p)| (id, p.topic.clone())),
            );
        }
        gone.iter().for_each(|(id, _)| self.take_off(source, *id));
        for kept in all {
            self.replace_topic(source, kept, resets);
        }
        self.numbers_of(source).into_iter().for_each(|numbers| numbers.top = numbers.top.max(top));
        Ok(gone.into_iter().map(|(_, topic)| topic).collect())
    }

    fn replace_topic(&mut self, source: SourceId, kept: Kept<Tick>, resets: &mut Vec<TopicId>) {
        let Kept { topic, seq, age, is_stale, floor, past, newest } = kept;
        let id = self.find(topic.name()).unwrap_or_else(|| self.introduce_like(source, &topic));
        // Who was told of a topic's end had all up to it.
        let (base, gone) = self.numbers_of(source).map_or((0, 0), |n| (n.base, n.gone(topic.name())));
        let own = self.history.last(id).cloned();
        let have = own.as_ref().map_or(gone, |frame| frame.tick().seq);
        let pushed = self.history.pushed(id);
        let (had, mut come): (Vec<Tick>, Vec<Tick>) =
            past.into_iter().chain(newest).partition(|tick| tick.seq <= have);
        if have < floor {
            // Some are gone that were pushed meanwhile, so what is here cannot go on.
            if seq > pushed {
                resets.push(id);
            }
            self.history.close(id);
            self.history.open(id, floor, self.depths.get(topic.name()).copied());
            self.history.begin(id, base);
            let last = come.pop();
            let now = i64::try_from(self.now).unwrap_or(i64::MAX);
            // What was pushed here already stays, so that it is not taken for new by the next whole board.
            own.iter().filter(|_| had.is_empty()).for_each(|own| self.history.push(id, &[], own, now));
            for tick in had.into_iter().chain(come) {
                let frame = self.framed(source, id, tick);
                self.history.push(id, &[], &frame, now);
            }
            come = last.into_iter().collect();
        }
        for tick in come {
            let frame = self.framed(source, id, tick);
            let (Some(Some(place)), Some(state)) =
                (self.places.get_mut(id.0 as usize), self.sources.get_mut(&source))
            else {
                return;
            };
            place.ticks.push_back(frame);
            if place.dirty & 1 == 0
                && let Some(list) = state.dirty.first_mut()
            {
                place.dirty |= 1;
                list.push(id);
            }
        }
        self.history.reach(id, seq);
        let (Some(Some(place)), Some(state)) =
            (self.places.get_mut(id.0 as usize), self.sources.get_mut(&source))
        else {
            return;
        };
        place.seq = place.seq.max(seq);
        place.heard = i64::try_from(self.now)
            .unwrap_or(i64::MAX)
            .saturating_sub(i64::try_from(age).unwrap_or(i64::MAX));
        place.is_deserted = false;
        if place.topic.class() == Class::Event {
            place.is_restored = false;
            return;
        }
        state.ages.restored -= usize::from(std::mem::take(&mut place.is_restored));
        // It may be stale before those of the last look.
        state.ages.next_look = 0;
        if place.is_stale != is_stale {
            place.is_stale = is_stale;
            state.ages.stale = if is_stale { state.ages.stale + 1 } else { state.ages.stale - 1 };
            self.aged.push(Aged { topic: id, is_stale });
        }
    }

    /// Puts a topic on the board that another node has: its numbers may be below those of topics that ended here.
    fn introduce_like(&mut self, source: SourceId, topic: &Topic) -> TopicId {
        let top = self.numbers_of(source).map(|numbers| {
            let least = numbers.base.max(numbers.gone(topic.name()));
            std::mem::replace(&mut numbers.top, least)
        });
        let id = self.introduce(source, topic);
        self.numbers_of(source).zip(top).into_iter().for_each(|(numbers, top)| numbers.top = top);
        id
    }

    /// A tick of a topic that is here, as it is sent.
    fn framed(&mut self, source: SourceId, id: TopicId, mut tick: Tick) -> Arc<Frame> {
        if let Some(Some(place)) = self.places.get(id.0 as usize) {
            tick.topic = place.topic.clone();
        }
        self.n = (self.n + 1).max(tick.seq);
        tick.n = self.n;
        let signer = self.sources.get(&source).and_then(|state| state.source.signer.as_ref());
        Arc::new(Frame::of(tick, signer))
    }
}
