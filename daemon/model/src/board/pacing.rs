//! Sources whose topics are pushed on arrival, beside those that beat.

use super::Board;
use super::arrivals::Arrivals;
use super::due::Due;
use super::place::Place;
use crate::source::SourceId;

impl Board {
    /// When [`Board::take_arrived`] has something to do for a source, in microseconds on the monotonic clock. `None` while
    /// nothing waits, and for a source that beats.
    pub fn next_arrival(&self, source: SourceId) -> Option<u64> {
        self.sources.get(&source)?.arrivals.as_ref()?.next()
    }

    /// Appends to `due` what is due of a source with [`Pace::Arrival`], as [`Board::take_due`] does at an own beat.
    pub fn take_arrived(&mut self, source: SourceId, now: u64, due: &mut Vec<Due>) {
        let Board { sources, places, .. } = self;
        let Some(state) = sources.get_mut(&source) else { return };
        let Some((_, slower)) = state.dirty.split_first_mut() else { return };
        let Some(arrivals) = &mut state.arrivals else { return };
        for id in arrivals.ready(places, &state.topics, now) {
            let Some(place) = Place::of(places, &state.topics, id) else { continue };
            let Some(taken) = place.take(id, state.source.always, slower) else { continue };
            arrivals.rest(place, &taken, now);
            due.push(taken);
        }
    }

    /// A source's pace or interval is another: what waits is due by these, and no topic rests for longer than an interval.
    pub(super) fn repace(&mut self, source: SourceId) {
        let Board { sources, places, now, .. } = self;
        let Some(state) = sources.get_mut(&source) else { return };
        let Some(own) = state.dirty.first_mut() else { return };
        own.clear();
        let ended = state.arrivals.take().map_or(0, |arrivals| arrivals.rests_until);
        state.arrivals = Arrivals::of(&state.source);
        if let Some(arrivals) = &mut state.arrivals {
            arrivals.rests_until = ended.min(*now + arrivals.interval);
        }
        for id in &state.topics {
            let Some(Some(place)) = places.get_mut(id.0 as usize) else { continue };
            let is_waiting = place.dirty & 1 != 0;
            match &mut state.arrivals {
                None if is_waiting => own.push(*id),
                None => {}
                Some(arrivals) => {
                    place.rests_until = place.rests_until.min(*now + arrivals.interval);
                    if is_waiting {
                        arrivals.wait(*id, place, *now);
                    }
                }
            }
        }
    }
}
