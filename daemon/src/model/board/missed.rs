//! What someone missed who was there before: all of it, or the word that some is gone.

use std::sync::Arc;

use super::{Board, TopicId};
use crate::model::frame::Frame;
use crate::model::sample::Class;

impl Board {
    /// Every tick of a topic that was pushed after `seq`, in order; `None` if some of them are gone, or may be.
    pub fn since(&self, name: &str, seq: u64) -> Option<Vec<Arc<Frame>>> {
        match self.find(name) {
            Some(topic) => Some(self.history.since(topic, seq)?.cloned().collect()),
            // It has not spoken, or it has ended and what it said is gone.
            None => (seq == 0 && !self.groups.iter().any(|group| group.retired_any)).then(Vec::new),
        }
    }

    /// What each event topic that is `wanted` said after the tick with the process-wide number `n` was pushed; `None` where
    /// some of that is gone, and for all of them if it is not known when that was.
    pub fn missed_after(
        &self,
        n: u64,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<(&str, Option<Vec<Arc<Frame>>>)> {
        let place = self.history.place(n);
        let places =
            self.places.iter().zip(0..).filter_map(|(place, id)| Some((place.as_ref()?, TopicId(id))));
        let events = places.filter(|(place, _)| place.topic.class() == Class::Event);
        let wanted = events.map(|(place, id)| (place.topic.name(), id)).filter(|(name, _)| wanted(name));
        let missed = wanted.map(|(name, id)| {
            let frames = place.and_then(|place| self.history.after(id, place));
            (name, frames.map(|frames| frames.cloned().collect()))
        });
        missed.collect()
    }
}
