//! Sources that come and go at run time, and what is counted of each.

use std::sync::Arc;

use super::ages::Ages;
use super::arrivals::Arrivals;
use super::{Board, Change, SourceState};
use crate::source::{Source, SourceId};

impl Board {
    /// Opens a source. Ticks of a source that is not open are dropped.
    pub fn open(&mut self, source: &Arc<Source>) {
        let state = SourceState {
            source: source.clone(),
            dirty: vec![Vec::new(); source.tiers.all().len()],
            topics: Vec::new(),
            retired_any: self.closed_any,
            merged: 0,
            ages: Ages::default(),
            arrivals: Arrivals::of(source),
            numbers: None,
        };
        self.sources.insert(source.id, state);
        self.changes.push(Change::Opened(source.clone()));
    }

    /// A source that is open is another from now on: its beats, or what is done with its ticks. Its topics, their numbers and
    /// their past stay. What was due by the slower beats before must have been taken; it is due by none of these.
    pub fn reopen(&mut self, source: &Arc<Source>) {
        let Some(state) = self.sources.get_mut(&source.id) else { return self.open(source) };
        state.source = source.clone();
        state.dirty.truncate(1);
        state.dirty.resize_with(source.tiers.all().len(), Vec::new);
        for id in &state.topics {
            if let Some(Some(place)) = self.places.get_mut(id.0 as usize) {
                place.dirty &= 1;
            }
        }
        self.repace(source.id);
        self.changes.push(Change::Opened(source.clone()));
    }

    /// Closes a source and retires its topics.
    pub fn close(&mut self, source: SourceId) {
        let Some(state) = self.sources.get(&source) else { return };
        for id in state.topics.clone() {
            self.take_off(source, id);
        }
        self.closed_any = true;
        self.sources.remove(&source);
        self.changes.push(Change::Closed(source));
    }

    /// How many topics a source has.
    pub fn topics(&self, source: SourceId) -> usize {
        self.sources.get(&source).map_or(0, |g| g.topics.len())
    }

    /// Ticks of a source that were merged into newer ones before they were pushed, since the last call.
    pub fn take_merged(&mut self, source: SourceId) -> u64 {
        self.sources.get_mut(&source).map_or(0, |g| std::mem::take(&mut g.merged))
    }
}
