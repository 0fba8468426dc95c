//! What a client missed while it was away: all of it, or the answer that some of it is gone.

use std::sync::Arc;

use super::Board;
use crate::sample::Class;
use crate::topic::first_segment;
use crate::wire::frame::Frame;

impl Board {
    /// Every tick of a topic that was pushed after `seq`, in order. `None` if some of them are gone, or may be.
    pub fn since(&self, name: &str, seq: u64) -> Option<Vec<Arc<Frame>>> {
        match self.find(name) {
            Some(topic) => Some(self.history.since(topic, seq)?.cloned().collect()),
            // The topic had no tick yet, or it was retired and its ticks are gone.
            None => {
                let first = first_segment(name);
                let source = self.sources.values().find(|state| *state.source.name == *first)?;
                let was_silent = match &source.numbers {
                    Some(numbers) => seq <= numbers.base && numbers.top == numbers.base,
                    None => seq == 0 && !source.retired_any,
                };
                was_silent.then(Vec::new)
            }
        }
    }

    /// For each of these event topics, the ticks pushed after the tick with the process-wide number `n`. `None` for a
    /// topic of which some are gone; `None` for all topics if the place of `n` is not known. A name that is not an
    /// event topic on the board is left out.
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
