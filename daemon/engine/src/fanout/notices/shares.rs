//! Words that each concern some cohorts: those that are told the same words share one set of notices.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::fanout::table::ids::CohortId;

/// By cohort, which of the words are for it.
#[derive(Debug, Default)]
pub struct Shares(BTreeMap<CohortId, Vec<u32>>);

impl Shares {
    /// A cohort is to be told the word of this number. Words are added in order.
    pub fn add(&mut self, cohort: CohortId, word: u32) {
        let words = self.0.entry(cohort).or_default();
        if words.last() != Some(&word) {
            words.push(word);
        }
    }

    /// Each set of words and who is told it.
    pub fn sets(self) -> impl Iterator<Item = (Vec<u32>, Rc<[CohortId]>)> {
        let mut sets: HashMap<Vec<u32>, Vec<CohortId>> = HashMap::new();
        for (cohort, words) in self.0 {
            sets.entry(words).or_default().push(cohort);
        }
        sets.into_iter().map(|(words, cohorts)| (words, cohorts.into()))
    }
}
