//! Topics that go.

use super::{Board, Change};
use crate::sample::Class;
use crate::source::SourceId;
use crate::topic::{Topic, TopicId};

/// A source's list of topics that may be due is cleaned when it has more entries than twice the source's topics plus
/// this number.
pub(super) const LEFT_OVER_MAX: usize = 1024;

impl Board {
    /// Takes a topic off the board.
    pub fn retire(&mut self, source: SourceId, topic: &Topic) {
        if let Some(id) = self.by_topic.get(topic).copied() {
            self.take_off(source, id);
        }
    }

    pub(super) fn take_off(&mut self, source: SourceId, id: TopicId) {
        let Some(place) = self.places.get_mut(id.0 as usize).and_then(Option::take) else { return };
        let topic = &place.topic;
        self.by_topic.remove(place.alias.as_ref().unwrap_or(topic));
        self.by_name.remove(topic.name());
        if let Some(state) = self.sources.get_mut(&source) {
            state.retired_any = true;
            if let Some(numbers) = &mut state.numbers {
                numbers.retire(topic, self.history.pushed(id));
            }
            state.ages.states -= usize::from(topic.class() == Class::State);
            state.ages.stale -= usize::from(place.is_stale);
            state.ages.restored -= usize::from(place.is_restored && topic.class() == Class::State);
            state.arrivals.iter_mut().for_each(|arrivals| arrivals.retire(&place));
            // The last topic moves into the gap. The lists of topics that may be due are not searched: an entry
            // without a mark is not due.
            state.topics.swap_remove(place.at);
            let moved =
                state.topics.get(place.at).and_then(|id| self.places.get_mut(id.0 as usize)?.as_mut());
            if let Some(moved) = moved {
                moved.at = place.at;
            }
            // Without this, topics that come and go between two slow beats would make the lists long.
            let most = 2 * state.topics.len() + LEFT_OVER_MAX;
            for (list, tier) in state.dirty.iter_mut().zip(0u8..).filter(|(list, _)| list.len() > most) {
                list.sort_unstable_by_key(|id| id.0);
                list.dedup();
                list.retain(
                    |id| matches!(self.places.get(id.0 as usize), Some(Some(p)) if p.dirty & 1 << tier != 0),
                );
            }
            state.arrivals.iter_mut().for_each(|arrivals| arrivals.sweep(most, &self.places));
        }
        self.history.close(id);
        self.changes.push(Change::Removed(id));
    }
}
