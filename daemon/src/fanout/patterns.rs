//! A shard's patterns, each kept once, and the cohorts that ask for them.

use std::collections::HashMap;

use super::cohorts::CohortId;
use crate::model::topic::Pattern;

/// Number of a pattern in its shard.
pub type PatternId = u32;

#[derive(Debug)]
struct Entry {
    pattern: Pattern,
    cohorts: Vec<CohortId>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Patterns {
    entries: Vec<Option<Entry>>,
    free: Vec<PatternId>,
    by_text: HashMap<Pattern, PatternId>,
}

impl Patterns {
    /// The pattern of a number.
    pub fn get(&self, id: PatternId) -> Option<&Pattern> {
        self.entries.get(id as usize)?.as_ref().map(|entry| &entry.pattern)
    }

    /// The number of a pattern, if any cohort asks for it.
    pub fn find(&self, pattern: &Pattern) -> Option<PatternId> {
        self.by_text.get(pattern).copied()
    }

    /// The number of a pattern; follow with an edit that asks for it, or [`Patterns::release`].
    pub fn intern(&mut self, pattern: &Pattern) -> PatternId {
        if let Some(id) = self.find(pattern) {
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            PatternId::try_from(self.entries.len() - 1).unwrap_or(PatternId::MAX)
        });
        if let Some(entry) = self.entries.get_mut(id as usize) {
            *entry = Some(Entry { pattern: pattern.clone(), cohorts: Vec::new() });
        }
        self.by_text.insert(pattern.clone(), id);
        id
    }

    /// Frees a pattern that no cohort asks for.
    pub fn release(&mut self, id: PatternId) {
        let Some(slot) = self.entries.get_mut(id as usize) else { return };
        if slot.as_ref().is_some_and(|entry| entry.cohorts.is_empty())
            && let Some(entry) = slot.take()
        {
            self.by_text.remove(&entry.pattern);
            self.free.push(id);
        }
    }

    /// A cohort asks for it from now on.
    pub fn join(&mut self, id: PatternId, cohort: CohortId) {
        if let Some(Some(entry)) = self.entries.get_mut(id as usize) {
            entry.cohorts.push(cohort);
        }
    }

    /// A cohort does not ask for it any more.
    pub fn part(&mut self, id: PatternId, cohort: CohortId) {
        if let Some(Some(entry)) = self.entries.get_mut(id as usize) {
            entry.cohorts.retain(|other| *other != cohort);
        }
    }

    /// The cohorts that ask for a pattern which `topic` matches; one may come several times.
    pub fn asking(&self, topic: &str) -> impl Iterator<Item = CohortId> {
        let matching = self.entries.iter().flatten().filter(move |entry| entry.pattern.matches(topic));
        matching.flat_map(|entry| entry.cohorts.iter().copied())
    }
}
