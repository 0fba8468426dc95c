//! In a cluster: whose numbers a source's ticks have, and how the board takes ticks that another node numbered.

use super::ages::Aged;
use super::numbers::{Numbers, Turn, Unsound};
use super::place::Place;
use super::{Board, SourceState};
use crate::sample::Class;
use crate::source::SourceId;
use crate::tick::Tick;
use crate::topic::{Topic, TopicId, first_segment};

impl Board {
    /// The numbers of a source's ticks begin anew above `floor`, unless they did. Its topics and their past stay.
    pub fn begin(&mut self, source: SourceId, floor: u64) {
        let Board { sources, places, history, n, .. } = self;
        let Some(state) = sources.get_mut(&source) else { return };
        let numbers = state.numbers.get_or_insert_default();
        (numbers.base, numbers.top) = (numbers.base.max(floor), numbers.top.max(floor));
        *n = floor.max(*n);
        for id in &state.topics {
            if let Some(Some(place)) = places.get_mut(id.0 as usize) {
                place.seq = place.seq.max(floor);
                history.begin(*id, floor);
            }
        }
    }

    /// The board numbers a source's ticks from now on, until [`Board::leave`], and notes which topics come and go.
    pub fn hold(&mut self, source: SourceId) {
        let Board { sources, places, .. } = self;
        let Some(state) = sources.get_mut(&source) else { return };
        state.numbers.get_or_insert_default().turns = Some(Vec::new());
        for id in &state.topics {
            if let Some(Some(place)) = places.get_mut(id.0 as usize) {
                place.is_anothers = true;
            }
        }
    }

    /// The board does not number a source's ticks from now on. Those that were not pushed are dropped.
    pub fn leave(&mut self, source: SourceId) {
        let Board { sources, places, history, .. } = self;
        let Some(state) = sources.get_mut(&source) else { return };
        state.numbers.get_or_insert_default().turns = None;
        for id in &state.topics {
            let Some(Some(place)) = places.get_mut(id.0 as usize) else { continue };
            if !place.ticks.is_empty() {
                place.ticks.clear();
                place.seq = history.pushed(*id);
            }
            place.dirty &= !1;
        }
        state.dirty.first_mut().into_iter().for_each(Vec::clear);
        state.arrivals.iter_mut().for_each(|arrivals| drop(arrivals.drain()));
    }

    /// The topics of a source that came and went since the last call, in order, while the board numbers its ticks.
    pub fn take_turns(&mut self, source: SourceId) -> Vec<Turn> {
        self.numbers_of(source)
            .and_then(|numbers| numbers.turns.as_mut())
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// How many [`Board::take_turns`] has now.
    pub fn turns(&self, source: SourceId) -> usize {
        let numbers = self.sources.get(&source).and_then(|state| state.numbers.as_ref());
        numbers.and_then(|numbers| numbers.turns.as_ref()).map_or(0, Vec::len)
    }

    /// The greatest number that a topic of a source has.
    pub fn greatest(&self, source: SourceId) -> u64 {
        let topics = self.sources.get(&source).map(|state| state.topics.as_slice()).unwrap_or_default();
        let places = topics.iter().filter_map(|id| self.places.get(id.0 as usize)?.as_ref());
        places.map(|place| place.seq).max().unwrap_or(0)
    }

    /// All topics of a source.
    pub fn topics_of(&self, source: SourceId) -> impl Iterator<Item = &Topic> {
        let topics = self.sources.get(&source).map(|state| state.topics.as_slice()).unwrap_or_default();
        let places = topics.iter().filter_map(|id| self.places.get(id.0 as usize)?.as_ref());
        places.map(|place| &place.topic)
    }

    /// The topic of this name, as everyone here knows it.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        let place = self.places.get(self.find(name)?.0 as usize)?.as_ref()?;
        Some(&place.topic)
    }

    /// The first tick of a new topic has a number above this one.
    pub fn top(&self, source: SourceId) -> u64 {
        let numbers = self.sources.get(&source).and_then(|state| state.numbers.as_ref());
        numbers.map_or(0, |numbers| numbers.top)
    }

    /// Puts a topic on the board that another node has. Nothing changes if it is there.
    pub fn add(&mut self, source: SourceId, topic: &Topic) -> Result<TopicId, Unsound> {
        self.check_name(source, topic.name())?;
        let Some(id) = self.find(topic.name()) else { return Ok(self.introduce(source, topic)) };
        match self.places.get(id.0 as usize) {
            Some(Some(place))
                if (place.topic.kind(), place.topic.class()) == (topic.kind(), topic.class()) =>
            {
                Ok(id)
            }
            Some(Some(place)) if place.is_restored => {
                self.take_off(source, id);
                Ok(self.introduce(source, topic))
            }
            _ => Err(Unsound::Changed),
        }
    }

    /// Takes a topic off the board that another node has no more. What it was.
    pub fn remove(&mut self, source: SourceId, name: &str) -> Result<Option<Topic>, Unsound> {
        self.check_name(source, name)?;
        let Some(id) = self.find(name) else { return Ok(None) };
        let topic = self.places.get(id.0 as usize).and_then(Option::as_ref).map(|place| place.topic.clone());
        self.take_off(source, id);
        Ok(topic)
    }

    /// The topic of a tick that another node numbered, if the tick can be taken: then [`Board::accept`] it.
    pub fn expect(&self, source: SourceId, name: &str, seq: u64, merged: u64) -> Result<&Topic, Unsound> {
        self.check_name(source, name)?;
        let id = self.find(name).ok_or(Unsound::NoTopic)?;
        let place = self.places.get(id.0 as usize).and_then(Option::as_ref).ok_or(Unsound::NoTopic)?;
        let least = place.seq.checked_add(merged).and_then(|seq| seq.checked_add(1));
        match least.is_some_and(|least| seq >= least) {
            true => Ok(&place.topic),
            false => Err(Unsound::Back),
        }
    }

    /// Makes a tick that another node numbered the newest of its topic. What [`Board::expect`] refuses is dropped.
    pub fn accept(&mut self, source: SourceId, tick: Tick) -> Result<(), Unsound> {
        self.expect(source, tick.topic.name(), tick.seq, tick.merged)?;
        let id = self.find(tick.topic.name()).ok_or(Unsound::NoTopic)?;
        // The number among all is never less than the topic's own.
        self.n = self.n.max(tick.seq.saturating_sub(1 + tick.merged));
        self.put(source, id, tick);
        Ok(())
    }

    /// Nobody is heard who holds a source: its state topics are stale.
    pub fn desert(&mut self, source: SourceId) {
        self.each_state(source, |place, ages_stale| {
            if place.is_stale {
                return None;
            }
            (place.is_stale, place.is_deserted) = (true, true);
            *ages_stale += 1;
            Some(true)
        });
    }

    /// Its holder is heard again: topics are stale that were before.
    pub fn undesert(&mut self, source: SourceId) {
        self.each_state(source, |place, ages_stale| {
            if !std::mem::take(&mut place.is_deserted) || !place.is_stale {
                return None;
            }
            place.is_stale = false;
            *ages_stale -= 1;
            Some(false)
        });
        // They have their old ages, so that they may be stale before those of the last look.
        self.sources.get_mut(&source).into_iter().for_each(|state| state.ages.next_look = 0);
    }

    /// `age` says whether a topic went stale, or had news.
    fn each_state(&mut self, source: SourceId, age: impl Fn(&mut Place, &mut usize) -> Option<bool>) {
        let Board { sources, places, aged, .. } = self;
        let Some(SourceState { topics, ages, .. }) = sources.get_mut(&source) else { return };
        for id in topics {
            let place = places.get_mut(id.0 as usize).and_then(Option::as_mut);
            let Some(place) = place.filter(|place| place.topic.class() == Class::State) else { continue };
            let is_stale = age(place, &mut ages.stale);
            aged.extend(is_stale.map(|is_stale| Aged { topic: *id, is_stale }));
        }
    }

    pub(super) fn check_name(&self, source: SourceId, name: &str) -> Result<(), Unsound> {
        let state = self.sources.get(&source).ok_or(Unsound::NoSource)?;
        match *state.source.name == *first_segment(name) {
            true => Ok(()),
            false => Err(Unsound::Astray),
        }
    }

    pub(super) fn numbers_of(&mut self, source: SourceId) -> Option<&mut Numbers> {
        self.sources.get_mut(&source)?.numbers.as_mut()
    }
}
