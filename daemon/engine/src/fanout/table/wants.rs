//! Which bars a shard's clients ask for, by the names and patterns that they write. The pulse makes ticks of those alone.

use std::collections::HashMap;

use crate::exchange::question::Want;
use tickerd_model::topic::bar;

/// How many cohorts ask for each name of bars, and what of that is still to be reported.
#[derive(Debug, Default)]
pub struct Wants {
    counts: HashMap<Box<str>, u32>,
    /// By name, whether it is asked for now. What is again as it was reported is not here.
    changes: HashMap<Box<str>, bool>,
}

impl Wants {
    /// One more asks for this topic or pattern; nothing if it is none of bars.
    pub fn begin(&mut self, name: &str) {
        if bar::reach(name).is_none() {
            return;
        }
        match self.counts.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(name.into(), 1);
                self.note(name.into(), true);
            }
        }
    }

    /// One fewer does.
    pub fn end(&mut self, name: &str) {
        let Some(count) = self.counts.get_mut(name) else { return };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(name);
            self.note(name.into(), false);
        }
    }

    /// Whether nothing is to be reported.
    pub fn is_told(&self) -> bool {
        self.changes.is_empty()
    }

    /// What is to be reported.
    pub fn take_changes(&mut self) -> Vec<Want> {
        self.changes.drain().map(|(name, is_wanted)| Want { name, is_wanted }).collect()
    }

    /// It could not be reported; what changes meanwhile is put together with it.
    pub fn put_back(&mut self, wants: Vec<Want>) {
        wants.into_iter().for_each(|Want { name, is_wanted }| self.note(name, is_wanted));
    }

    fn note(&mut self, name: Box<str>, is_wanted: bool) {
        // It was the other way round before, and that was not reported.
        if self.changes.remove(&name).is_none() {
            self.changes.insert(name, is_wanted);
        }
    }
}
