//! How old the newest ticks are. A state topic without news for too long is stale until the next news.
//!
//! Every tick is news, also one with the same value. Event topics never age, since it is normal that nothing happens.
//! Ages are measured on the monotonic clock that the board is given, so a step of the wall clock neither ages a topic
//! nor hides its age. If the source's own time is heeded, a tick that was old when it came counts as old: such a
//! topic is stale although ticks keep coming.

use super::Board;
use super::ages::{Aged, Ages};
use super::place::Place;
use crate::sample::Class;
use crate::source::SourceId;
use crate::tick::Tick;
use crate::topic::TopicId;

/// How often a source's ages are looked at within its greatest age. With 4, a stale topic is told at most a quarter
/// of that age too late.
const LOOKS: u64 = 4;

impl Board {
    /// Sets the time, in microseconds on the monotonic clock. Ticks offered after this call came at this time.
    pub fn set_clock(&mut self, now: u64) {
        self.now = now;
    }

    /// Marks as stale each state topic that had no news for `max_age` microseconds. Cheap while no topic can be that
    /// old: the topics are looked at only when the oldest one may have become stale, and at most [`LOOKS`] times within
    /// `max_age`. With another `max_age` than before they are looked at now.
    pub fn look(&mut self, source: SourceId, max_age: u64) {
        let Some(state) = self.sources.get_mut(&source) else { return };
        if std::mem::replace(&mut state.ages.max_age, max_age) != max_age {
            state.ages.next_look = 0;
        }
        for id in std::mem::take(&mut state.ages.old) {
            let Some(Some(place)) = self.places.get_mut(id.0 as usize) else { continue };
            // The topic may have ended or had news since.
            if !place.is_stale
                && place.topic.class() == Class::State
                && place.age(self.now, &state.ages) >= max_age
            {
                place.is_stale = true;
                state.ages.stale += 1;
                self.aged.push(Aged { topic: id, is_stale: true });
            }
        }
        let now = self.now;
        if now < state.ages.next_look {
            return;
        }
        let mut oldest = 0;
        for id in &state.topics {
            let Some(Some(place)) = self.places.get_mut(id.0 as usize) else { continue };
            if place.is_stale || place.topic.class() == Class::Event {
                continue;
            }
            let age = place.age(now, &state.ages);
            if age >= max_age {
                place.is_stale = true;
                state.ages.stale += 1;
                self.aged.push(Aged { topic: *id, is_stale: true });
            } else {
                oldest = oldest.max(age);
            }
        }
        state.ages.next_look = state.ages.look_after(now, oldest);
    }

    /// When [`Board::look`] has something to do for a source, in microseconds on the monotonic clock. `None` while
    /// every topic that can be stale is stale.
    pub fn next_look(&self, source: SourceId) -> Option<u64> {
        let ages = &self.sources.get(&source)?.ages;
        (ages.stale < ages.states).then_some(ages.next_look)
    }

    /// Counts all topics of the source as heard now, for example after a market was closed. A topic that is stale
    /// stays stale until its next tick.
    pub fn forgive(&mut self, source: SourceId) {
        if let Some(state) = self.sources.get_mut(&source) {
            state.ages.floor = Some(self.now);
        }
    }

    /// From now on, a tick that was at least `max_age` microseconds old by its source's own time when it came is no
    /// news. `None`: the source's time is not heeded.
    pub fn heed_source(&mut self, source: SourceId, max_age: Option<u64>) {
        if let Some(state) = self.sources.get_mut(&source) {
            state.ages.source_max_age = max_age;
        }
    }

    /// How old the newest value of a source is by its own time, in microseconds. `None` if no tick came within the
    /// last `max_age` microseconds, or if the source's time is not heeded.
    pub fn old_news(&self, source: SourceId, max_age: u64) -> Option<u64> {
        let ages = &self.sources.get(&source)?.ages;
        let comes = ages.source_max_age.is_some() && self.now.saturating_sub(ages.came) < max_age;
        comes.then(|| since(ages.newest, self.now))
    }

    /// The topics that became stale or had news since the last call. Topics that have ended since may be among them.
    pub fn take_aged(&mut self) -> Vec<Aged> {
        std::mem::take(&mut self.aged)
    }

    /// How many topics of a source are stale.
    pub fn stale(&self, source: SourceId) -> usize {
        self.sources.get(&source).map_or(0, |g| g.ages.stale)
    }

    /// Whether a source has state topics that were heard in this run, and all its state topics are stale.
    pub fn is_silent(&self, source: SourceId) -> bool {
        self.sources.get(&source).is_some_and(|g| {
            let Ages { states, stale, restored, .. } = g.ages;
            states > restored && stale == states
        })
    }
}

impl Ages {
    /// When the topics have to be looked at if the oldest one has this age now.
    fn look_after(&self, now: u64, oldest: u64) -> u64 {
        now.saturating_add(self.max_age.saturating_sub(oldest).max(self.max_age / LOOKS))
    }

    /// Notes a topic whose newest tick was too old when it came, of a source that has so many topics.
    pub(super) fn note_old(&mut self, id: TopicId, topics: usize) {
        if self.old.len() >= topics {
            // Nobody looks, as while a feed is closed. A look at all topics will find it too.
            self.old.clear();
            self.next_look = 0;
        }
        self.old.push(id);
    }
}

impl Place {
    /// Notes that a tick came. Returns whether the tick was too old by its source's time to be news.
    pub(super) fn hear(&mut self, tick: &Tick, now: u64, ages: &mut Ages) -> bool {
        let age = match ages.source_max_age {
            Some(_) => tick.source_age_ms().saturating_mul(1_000),
            None => 0,
        };
        self.heard = signed(now).saturating_sub(signed(age));
        if self.topic.class() == Class::Event {
            return false;
        }
        ages.newest = if ages.came == 0 { self.heard } else { ages.newest.max(self.heard) };
        ages.came = now.max(1);
        if age > 0 {
            // It has less than the whole age to go, so that it may be stale before those of the last look.
            ages.next_look = ages.next_look.min(ages.look_after(now, age));
        }
        ages.source_max_age.is_some_and(|max_age| age >= max_age)
    }

    /// How long the topic had no news, in microseconds.
    pub(super) fn age(&self, now: u64, ages: &Ages) -> u64 {
        let heard = ages.floor.map_or(self.heard, |floor| self.heard.max(signed(floor)));
        since(heard, now)
    }
}

fn signed(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

fn since(then: i64, now: u64) -> u64 {
    u64::try_from(signed(now).saturating_sub(then)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
