//! The wires between cohorts and topics: each end knows where the other keeps it, so either is taken out at once, and
//! what many topics cost grows with their number alone.

use super::{Cohort, CohortId, Cohorts, SlotSet, What, Wire};
use crate::fanout::table::ids::{PatternId, SlotId};
use crate::fanout::table::topics::{Slot, Tap, Topics};
use tickerd_model::tier::Tier;

impl Cohorts {
    /// A topic appeared: those whose patterns match get it, and those who asked for it by name get it at the tier that
    /// its class allows.
    pub fn appear(&mut self, topics: &mut Topics, slot: SlotId) {
        let Some(name) = topics.held(slot).map(|s| s.name.clone()) else { return };
        self.patterns.recount(&name, true);
        let tapped = tapped(topics, slot);
        let mut asking: Vec<(CohortId, PatternId)> = self.patterns.asking(&name).collect();
        asking.sort_unstable();
        for (id, at) in &tapped {
            self.set_wire(topics, *id, slot, Some(*at));
        }
        for asked in asking.chunk_by(|(one, _), (next, _)| one == next) {
            let Some((id, _)) = asked.first().copied() else { continue };
            if tapped.binary_search_by_key(&id, |(id, _)| *id).is_ok() {
                continue;
            }
            let Some(cohort) = self.held_mut(id) else { continue };
            if let Some(building) = &mut cohort.building {
                building.seen.insert(slot);
            }
            let Some(cohort) = self.held(id) else { continue };
            let tier = self.tier_for(topics, cohort, slot, asked.iter().map(|(_, pattern)| *pattern));
            if let Some(tier) = tier {
                self.wire(topics, id, slot, tier);
            }
        }
    }

    /// A topic's source came, or is another: those who asked for it get it at a tier that the source has.
    pub fn regrant(&mut self, topics: &mut Topics, slot: SlotId) {
        for (id, at) in tapped(topics, slot) {
            self.set_wire(topics, id, slot, Some(at));
        }
    }

    /// A topic was retired: those who had it through a pattern lose the wire, those who named it keep one.
    pub fn vanish(&mut self, topics: &mut Topics, slot: SlotId) {
        if let Some(slot) = topics.held(slot) {
            self.patterns.recount(&slot.name, false);
        }
        for (id, at) in tapped(topics, slot) {
            self.set_wire(topics, id, slot, Some(at));
        }
        topics.release(slot);
    }

    /// Sets the wires of these slots, each named once, to what the cohort's asks say.
    pub(super) fn rewire(&mut self, topics: &mut Topics, id: CohortId, slots: &[SlotId]) {
        let mut missing: SlotSet = slots.iter().copied().collect();
        let wires = self.held(id).map(|cohort| &*cohort.wires).unwrap_or_default();
        // Downward, because what moves into a gap comes from above and was looked at already.
        let mut downward = wires.iter().enumerate().rev();
        let mut had = Vec::with_capacity(slots.len());
        while !missing.is_empty()
            && let Some((at, wire)) = downward.next()
        {
            if missing.remove(&wire.slot) {
                had.push((at, wire.slot));
            }
        }
        for (at, slot) in had {
            self.set_wire(topics, id, slot, Some(at));
        }
        for slot in slots.iter().filter(|slot| missing.contains(slot)) {
            self.set_wire(topics, id, *slot, None);
        }
    }

    /// The tier at which a cohort gets a slot, as its asks say.
    fn resolve(&self, topics: &Topics, cohort: &Cohort, id: SlotId) -> Option<Tier> {
        // A topic may go while it waits to be wired to a cohort that is built.
        let slot = topics.slot(id)?;
        let matching = cohort.pattern_asks().iter().filter_map(|ask| match ask.what {
            What::Pattern(pattern) if self.patterns.get(pattern)?.matches(&slot.name) => Some(pattern),
            _ => None,
        });
        self.tier_for(topics, cohort, id, matching)
    }

    /// The tier at which a cohort gets a slot, given which of its patterns match. Exact beats pattern; among patterns every tick beats the newest,
    /// and then the fastest wins.
    fn tier_for(
        &self,
        topics: &Topics,
        cohort: &Cohort,
        id: SlotId,
        matching: impl Iterator<Item = PatternId>,
    ) -> Option<Tier> {
        let slot = topics.held(id)?;
        if let Some(terms) = cohort.terms(What::Exact(id)) {
            return Some(topics.grant(slot, terms));
        }
        slot.topic.as_ref()?;
        matching.filter_map(|pattern| Some(topics.grant(slot, cohort.terms(What::Pattern(pattern))?))).min()
    }

    /// Wires a slot to a cohort as its asks say; `at` is where the cohort has the slot now, if it has.
    pub(super) fn set_wire(&mut self, topics: &mut Topics, id: CohortId, slot: SlotId, at: Option<usize>) {
        let Some(cohort) = self.held(id) else { return };
        let tier = self.resolve(topics, cohort, slot);
        if at.and_then(|at| cohort.wires.get(at)).map(|wire| wire.tier) == tier {
            return;
        }
        if let Some(at) = at {
            self.unwire(topics, id, at);
        }
        if let Some(tier) = tier {
            self.wire(topics, id, slot, tier);
        }
    }

    fn wire(&mut self, topics: &mut Topics, id: CohortId, slot: SlotId, tier: Tier) {
        let Some(cohort) = self.held_mut(id) else { return };
        let Some(taps) = topics.held_mut(slot).and_then(|s| s.tier_mut(tier)) else {
            return;
        };
        taps.taps.push(Tap { cohort: id, wire: cohort.wires.len() as u32 });
        cohort.wires.push(Wire { slot, tap: taps.taps.len() as u32 - 1, tier });
        cohort.streams += usize::from(tier == Tier::Every);
    }

    /// Takes one wire out; the last of each list moves into the gap, and its other end is told.
    pub(super) fn unwire(&mut self, topics: &mut Topics, id: CohortId, at: usize) {
        let Some(cohort) = self.held_mut(id) else { return };
        let gone = cohort.wires.swap_remove(at);
        cohort.streams -= usize::from(gone.tier == Tier::Every);
        if let Some(moved) = cohort.wires.get(at).copied() {
            let tier = topics.held_mut(moved.slot).and_then(|s| s.tier_mut(moved.tier));
            if let Some(tap) = tier.and_then(|tier| tier.taps.get_mut(moved.tap as usize)) {
                tap.wire = at as u32;
            }
        }
        let tier = topics.held_mut(gone.slot).and_then(|s| s.tier_mut(gone.tier));
        let Some(tier) = tier else { return };
        tier.taps.swap_remove(gone.tap as usize);
        if let Some(moved) = tier.taps.get(gone.tap as usize).copied()
            && let Some(wire) = self.held_mut(moved.cohort).and_then(|c| c.wires.get_mut(moved.wire as usize))
        {
            wire.tap = gone.tap;
        }
    }
}

/// Who has a slot, sorted, and where each keeps its wire.
fn tapped(topics: &Topics, slot: SlotId) -> Vec<(CohortId, usize)> {
    let taps = topics.held(slot).into_iter().flat_map(Slot::taps);
    let mut tapped: Vec<_> = taps.map(|tap| (tap.cohort, tap.wire as usize)).collect();
    tapped.sort_unstable();
    tapped
}
