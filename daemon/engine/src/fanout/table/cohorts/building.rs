//! Cohorts that come and go piece by piece: one that gets many topics is built, and taken down, in as many turns as its wires
//! need. A connection that waits for a cohort stays in its old one until the new one is whole, and then moves at once.

use std::collections::HashSet;

use super::asked::Asked;
use super::{Cohort, CohortId, Cohorts, Edit, Member, What};
use crate::fanout::table::effort::Effort;
use crate::fanout::table::ids::{PatternId, SlotId};
use crate::fanout::table::topics::Topics;

/// Cohorts with no more wires are taken down at once.
const FEW_WIRES: usize = 64;
/// A member that moves looks at each wire of both cohorts, but for no pattern: so many such looks are one step.
const MOVES_PER_STEP: usize = 4;

/// How far a cohort is built.
#[derive(Debug, Default)]
pub struct Building {
    /// The next of its asks.
    next: usize,
    /// Topics of the ask before that are still to be wired.
    left: Vec<SlotId>,
    /// Topics whose wire is as the asks say, or is kept so from now on.
    pub seen: HashSet<SlotId>,
}

impl Cohorts {
    /// Builds the cohort that [`Cohorts::edit`] with these edits would bring `member` to, as far as `effort` goes; whether it
    /// is whole, so that the edit costs little. `held` keeps it alive meanwhile: start with none, and [`Cohorts::let_go`] of it
    /// in the end.
    pub fn prepare(
        &mut self,
        topics: &mut Topics,
        member: Member,
        from: Option<CohortId>,
        edits: &[Edit],
        held: &mut Option<CohortId>,
        effort: &mut Effort,
    ) -> bool {
        let target = self.target(topics, member, from, edits);
        if *held != target {
            if let Some(cohort) = target.and_then(|id| self.held_mut(id)) {
                cohort.awaited += 1;
            }
            if let Some(old) = std::mem::replace(held, target) {
                self.let_go(topics, old);
            }
        }
        target.is_none_or(|id| self.build_on(topics, id, effort))
    }

    /// Nobody waits for it on behalf of one command any more.
    pub fn let_go(&mut self, topics: &mut Topics, id: CohortId) {
        if let Some(cohort) = self.held_mut(id) {
            cohort.awaited = cohort.awaited.saturating_sub(1);
        }
        self.remove_if_unused(topics, id);
    }

    /// The cohort of what is asked for after these edits: the one there is, or one that is begun. None where nothing is asked
    /// for, or the member's own cohort is changed in place.
    fn target(
        &mut self,
        topics: &mut Topics,
        member: Member,
        from: Option<CohortId>,
        edits: &[Edit],
    ) -> Option<CohortId> {
        let asked = self.asked_after(member, from, edits);
        if asked.asks.is_empty() {
            return None;
        }
        if let Some(found) = self.find(&asked, member) {
            return Some(found);
        }
        (!self.may_change(from, edits)).then(|| self.begin(topics, member, asked))
    }

    /// About how many looks at topics an edit costs, with all that it builds.
    pub fn cost(&self, topics: &Topics, member: Member, from: Option<CohortId>, edits: &[Edit]) -> usize {
        let asked = self.asked_after(member, from, edits);
        let found = self.find(&asked, member);
        let asks = asked.asks;
        let is_whole = |id: CohortId| self.held(id).is_some_and(|cohort| cohort.building.is_none());
        if found.is_some_and(is_whole) || asks.is_empty() {
            return self.cost_of_move(from, found);
        }
        if self.may_change(from, edits) {
            return edits.len();
        }
        let patterns = asks.iter().filter_map(|ask| match ask.what {
            What::Pattern(id) => self.patterns.get(id),
            What::Exact(_) => None,
        });
        let costs: Vec<usize> = patterns.map(|scope| topics.cost(scope.pattern())).collect();
        let looks: usize = costs.iter().sum();
        let wires = looks.min(topics.present_count()) + asks.len() - costs.len();
        looks + wires * (1 + costs.len()) + self.cost_of_move(from, None)
    }

    /// How much of a turn it costs to move from one cohort to another.
    pub fn cost_of_move(&self, from: Option<CohortId>, to: Option<CohortId>) -> usize {
        let wires = |id: Option<CohortId>| id.and_then(|id| self.held(id)).map_or(0, |c| c.wires.len());
        (wires(from) + wires(to)).div_ceil(MOVES_PER_STEP)
    }

    /// A cohort of nobody yet, of which nothing is wired.
    pub(super) fn begin(&mut self, topics: &mut Topics, member: Member, asked: Asked) -> CohortId {
        let building = Some(Box::default());
        let id = self.cohorts.insert(Cohort { encoding: member.encoding, building, ..Cohort::default() });
        self.count += 1;
        self.reask(topics, id, asked);
        id
    }

    /// Wires more of a cohort; whether it is whole.
    pub(super) fn build_on(&mut self, topics: &mut Topics, id: CohortId, effort: &mut Effort) -> bool {
        loop {
            let Some(cohort) = self.held_mut(id) else { return true };
            let per_wire = 1 + cohort.pattern_asks().len();
            let Some(building) = &mut cohort.building else { return true };
            if let Some(slot) = building.left.pop() {
                if !building.seen.contains(&slot) {
                    if !effort.take(per_wire) {
                        building.left.push(slot);
                        return false;
                    }
                    building.seen.insert(slot);
                    self.set_wire(topics, id, slot, None);
                }
                continue;
            }
            match cohort.asks.get(building.next).map(|ask| ask.what) {
                None => {
                    cohort.building = None;
                    return true;
                }
                Some(What::Exact(slot)) => {
                    building.next += 1;
                    building.left.push(slot);
                }
                Some(What::Pattern(pattern)) => {
                    let Some(found) = self.look_up(topics, pattern, effort) else { return false };
                    let Some(building) = self.held_mut(id).and_then(|cohort| cohort.building.as_mut()) else {
                        return true;
                    };
                    building.next += 1;
                    building.left = found;
                }
            }
        }
    }

    /// The topics that a pattern matches; none if that is too much for now.
    fn look_up(&mut self, topics: &Topics, id: PatternId, effort: &mut Effort) -> Option<Vec<SlotId>> {
        let Some(scope) = self.patterns.get(id) else { return Some(Vec::new()) };
        if !effort.take(topics.cost(scope.pattern())) {
            return None;
        }
        let matching = topics.matching(scope.pattern()).into_iter();
        let found: Vec<SlotId> =
            matching.filter(|(_, slot)| scope.grants(&slot.name)).map(|(slot, _)| slot).collect();
        self.patterns.set_count(id, found.len());
        Some(found)
    }

    /// Takes down a cohort that nobody is in or waits for.
    pub(super) fn remove_if_unused(&mut self, topics: &mut Topics, id: CohortId) {
        let Some(cohort) = self.held_mut(id) else { return };
        if !cohort.members.is_empty() || cohort.awaited > 0 || cohort.asks.is_empty() {
            return;
        }
        let (asks, wires) = (cohort.asks.clone(), cohort.wires.len());
        cohort.building = None;
        cohort.stream = None;
        self.reask(topics, id, Asked::default());
        self.count -= 1;
        for ask in asks {
            match ask.what {
                What::Exact(slot) => topics.release(slot),
                What::Pattern(pattern) => self.patterns.release(pattern),
            }
        }
        self.dead.push_back(id);
        if wires <= FEW_WIRES {
            // It is the last, and the others stay as they are.
            self.dead.rotate_right(1);
            self.bury_first(topics, &mut Effort::unlimited());
        }
    }

    /// Takes down more of what is left of cohorts that are no more.
    pub fn bury(&mut self, topics: &mut Topics, effort: &mut Effort) {
        while !self.dead.is_empty() && self.bury_first(topics, effort) {}
    }

    fn bury_first(&mut self, topics: &mut Topics, effort: &mut Effort) -> bool {
        let Some(id) = self.dead.front().copied() else { return true };
        while let Some(last) = self.held(id).and_then(|c| c.wires.len().checked_sub(1)) {
            if !effort.take(1) {
                return false;
            }
            let slot = self.held(id).and_then(|c| c.wires.get(last)).map(|wire| wire.slot);
            self.unwire(topics, id, last);
            slot.into_iter().for_each(|slot| topics.release(slot));
        }
        self.dead.pop_front();
        self.cohorts.remove(id);
        true
    }

    /// Whether something is left to bury.
    pub fn has_dead(&self) -> bool {
        !self.dead.is_empty()
    }
}
