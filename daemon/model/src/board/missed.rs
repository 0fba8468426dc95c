//! What a client missed while it was away: all of it, or the answer that some of it is gone.

use std::sync::Arc;

use super::Board;
use crate::sample::Class;
use crate::topic::first_segment;
use crate::wire::frame::Frame;

/// How much earlier than the last tick of an event stream its next node begins: ticks of several topics are not sent in the order
/// of their times, and nodes' clocks are apart.
const EARLIER_MS: u64 = 2_000;

/// The last tick that an event stream brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// Its process-wide number.
    Number(u64),
    /// When it was accepted, Unix milliseconds: where the stream may have come from another node.
    Time(u64),
}

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

    /// For each of these event topics, the ticks pushed after the last one that was had; after a time, perhaps some before it
    /// too. `None` for a topic of which some are gone; `None` for all topics if the place of the last one is not known. A name that
    /// is not an event topic on the board is left out.
    pub fn missed_after<'a>(
        &self,
        last: Last,
        names: impl Iterator<Item = &'a str>,
    ) -> Vec<(&'a str, Option<Vec<Arc<Frame>>>)> {
        let place = match last {
            Last::Number(n) => self.history.place(n),
            Last::Time(_) => None,
        };
        let missed = names.filter_map(|name| {
            let id = self.find(name)?;
            let is_event = self.places.get(id.0 as usize)?.as_ref()?.topic.class() == Class::Event;
            let frames = match last {
                Last::Number(_) => {
                    place.and_then(|place| Some(self.history.after(id, place)?.cloned().collect()))
                }
                Last::Time(ms) => {
                    let from = self.history.from(id, ms.saturating_sub(EARLIER_MS));
                    from.map(|frames| frames.cloned().collect())
                }
            };
            is_event.then_some((name, frames))
        });
        missed.collect()
    }
}
