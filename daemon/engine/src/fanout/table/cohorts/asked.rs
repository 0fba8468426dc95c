//! What cohorts ask for: the key by which a cohort of the same asks is found, and who asks for what.

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::Ordering;

use super::{Cohort, CohortId, Cohorts, kinds};
use crate::fanout::table::asks::{Ask, Edit, Member, What, changes};
use crate::fanout::table::topics::Topics;
use tickerd_model::protocol::command::Mode;

/// What a cohort asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Of these asks and the encoding.
    pub(super) key: u128,
    /// Sorted by what.
    pub(super) asks: Vec<Ask>,
}

impl Cohorts {
    /// What is asked for after these edits.
    pub(super) fn asked_after(&self, member: Member, from: Option<CohortId>, edits: &[Edit]) -> Asked {
        let from = from.and_then(|id| self.held(id));
        let mut key = from.map_or_else(|| self.hash(member.encoding), |cohort| cohort.key);
        let mut asks = from.map(|cohort| cohort.asks.clone()).unwrap_or_default();
        for edit in edits {
            let (what, ask) = match edit {
                Edit::Set(ask) => (ask.what, Some(*ask)),
                Edit::Clear(what) => (*what, None),
            };
            let before = match (asks.binary_search_by_key(&what, |ask| ask.what), ask) {
                (Ok(at), Some(ask)) => asks.get_mut(at).map(|before| std::mem::replace(before, ask)),
                (Err(at), Some(ask)) => {
                    asks.insert(at, ask);
                    None
                }
                (Ok(at), None) => Some(asks.remove(at)),
                (Err(_), None) => None,
            };
            key = key.wrapping_sub(before.map_or(0, |before| self.hash(before)));
            key = key.wrapping_add(ask.map_or(0, |ask| self.hash(ask)));
        }
        Asked { key, asks }
    }

    /// The cohort of these asks that is spoken to as `member` is.
    pub(super) fn find(&self, asked: &Asked, member: Member) -> Option<CohortId> {
        let hits = self.by_key.get(&asked.key)?;
        let same = |c: &Cohort| c.encoding == member.encoding && c.asks == asked.asks;
        hits.iter().copied().find(|id| self.held(*id).is_some_and(same))
    }

    /// A part of a key.
    pub(super) fn hash(&self, part: impl Hash) -> u128 {
        u128::from(self.hashers.0.hash_one(&part)) << 64 | u128::from(self.hashers.1.hash_one(&part))
    }

    /// Gives a cohort its asks, and keeps the counts of who asks for what.
    pub(super) fn reask(&mut self, topics: &mut Topics, id: CohortId, asked: Asked) {
        let Asked { key, asks } = asked;
        let Some(cohort) = self.cohorts.held_mut(id) else { return };
        let old_key = std::mem::replace(&mut cohort.key, key);
        let old = std::mem::replace(&mut cohort.asks, asks);
        if let Some(ids) = self.by_key.get_mut(&old_key) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_key.remove(&old_key);
            }
        }
        if !cohort.asks.is_empty() {
            self.by_key.entry(key).or_default().push(id);
        }
        let members = cohort.members.len() as i64;
        kinds::add(&mut self.subscriptions, &cohort.kinds, -members);
        for (before, now) in changes(&old, &cohort.asks) {
            for (ask, times) in before.map(|ask| (ask, -1)).into_iter().chain(now.map(|ask| (ask, 1))) {
                kinds::count(&mut cohort.kinds, ask, times);
            }
            let is_every =
                |ask: Option<&Ask>| usize::from(ask.is_some_and(|ask| ask.terms.mode == Mode::All));
            self.every.fetch_add(is_every(now), Ordering::Relaxed);
            self.every.fetch_sub(is_every(before), Ordering::Relaxed);
            match (before, now) {
                (None, Some(Ask { what: What::Exact(slot), .. })) => {
                    topics.held_mut(*slot).into_iter().for_each(|slot| {
                        slot.asked += 1;
                        self.wants.begin(&slot.name);
                    });
                }
                (None, Some(Ask { what: What::Pattern(pattern), .. })) => {
                    self.patterns.join(*pattern, id);
                    let scope = self.patterns.get(*pattern).into_iter();
                    scope.for_each(|scope| self.wants.begin(scope.pattern().as_str()));
                }
                (Some(Ask { what: What::Exact(slot), .. }), None) => {
                    topics.held_mut(*slot).into_iter().for_each(|slot| {
                        slot.asked -= 1;
                        self.wants.end(&slot.name);
                    });
                }
                (Some(Ask { what: What::Pattern(pattern), .. }), None) => {
                    self.patterns.part(*pattern, id);
                    let scope = self.patterns.get(*pattern).into_iter();
                    scope.for_each(|scope| self.wants.end(scope.pattern().as_str()));
                }
                // On other terms.
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        kinds::add(&mut self.subscriptions, &cohort.kinds, members);
    }
}
