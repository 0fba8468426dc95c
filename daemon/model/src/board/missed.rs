//! What someone missed who was there before: all of it, or the word that some is gone.

use std::sync::Arc;

use super::Board;
use crate::frame::Frame;
use crate::sample::Class;
use crate::topic::first_segment;

impl Board {
    /// Every tick of a topic that was pushed after `seq`, in order; `None` if some of them are gone, or may be.
    pub fn since(&self, name: &str, seq: u64) -> Option<Vec<Arc<Frame>>> {
        match self.find(name) {
            Some(topic) => Some(self.history.since(topic, seq)?.cloned().collect()),
            // It has not spoken, or it has ended and what it said is gone.
            None => {
                let first = first_segment(name);
                let source = self.sources.values().find(|state| *state.source.name == *first);
                (seq == 0 && source.is_some_and(|state| !state.retired_any)).then(Vec::new)
            }
        }
    }

    /// What each of these event topics said after the tick with the process-wide number `n` was pushed; `None` where some of that
    /// is gone, and for all of them if it is not known when that was. Of a name that is none there is nothing.
    pub fn missed_after<'a>(
        &self,
        n: u64,
        names: impl Iterator<Item = &'a str>,
    ) -> Vec<(&'a str, Option<Vec<Arc<Frame>>>)> {
        let place = self.history.place(n);
        let missed = names.filter_map(|name| {
            let id = self.find(name)?;
            let is_event = self.places.get(id.0 as usize)?.as_ref()?.topic.class() == Class::Event;
            let frames = place.and_then(|place| self.history.after(id, place));
            is_event.then(|| (name, frames.map(|frames| frames.cloned().collect())))
        });
        missed.collect()
    }
}
