//! What someone missed who was there before: all of it, or the word that some is gone.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Board, TopicId};
use crate::model::frame::Frame;
use crate::model::history::After;
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
        let mut by_topic: HashMap<TopicId, Option<Vec<Arc<Frame>>>> = HashMap::new();
        let after = self.history.after(n);
        let is_known = after.is_some();
        if let Some(After { gone, left }) = after {
            by_topic.extend(gone.into_iter().map(|topic| (topic, None)));
            for (topic, frame) in left {
                if let Some(frames) = by_topic.entry(topic).or_insert_with(|| Some(Vec::new())) {
                    frames.push(frame.clone());
                }
            }
        }
        let places =
            self.places.iter().zip(0..).filter_map(|(place, id)| Some((place.as_ref()?, TopicId(id))));
        let events =
            places.filter(|(place, _)| place.topic.class() == Class::Event && wanted(place.topic.name()));
        let missed = events.map(|(place, id)| {
            let nothing = is_known.then(Vec::new);
            (place.topic.name(), by_topic.remove(&id).unwrap_or(nothing))
        });
        missed.collect()
    }
}
