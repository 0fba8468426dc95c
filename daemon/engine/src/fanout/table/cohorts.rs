//! Cohorts: the connections that asked for the same in the same encoding, and the wires from topics to them.
//!
//! The key of a cohort is what was asked (exact topics and patterns with their terms, and the encoding), as an
//! order-independent 128-bit sum that is compared in full on a hit. New topics extend cohorts in place; a connection alone in its cohort changes
//! the exact topics of it in place, so that subscribing to topics one by one is not quadratic. Any other change builds a new cohort, which may
//! take several turns (see `building`).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use self::asked::Asked;
use self::building::Building;
use self::kinds::Kinds;
use super::asks::{Ask, Edit, Member, TierChange, What};
use super::effort::Effort;
use super::ids::{CohortId, SlotId};
use super::patterns::{Patterns, Scope};
use super::topics::Topics;
use super::wants::Wants;
use crate::exchange::ConnId;
use tickerd_model::basics::slab::Slab;
use tickerd_model::protocol::command::Terms;
use tickerd_model::tier::Tier;
use tickerd_model::topic::first_segment;
use tickerd_model::wire::encoding::Encoding;
use tickerd_model::wire::shared::Stream;

/// Tiers by slot.
type SlotMap = HashMap<SlotId, Tier, foldhash::fast::RandomState>;
type SlotSet = HashSet<SlotId, foldhash::fast::RandomState>;

/// Of what was asked, which is many small numbers. Two keys that are the same by chance are told apart by what was asked.
type Hashers = foldhash::quality::RandomState;

/// A topic that a cohort gets, and at which tier.
#[derive(Debug, Clone, Copy)]
pub struct Wire {
    /// The topic.
    pub slot: SlotId,
    /// Where the slot keeps this cohort's tap.
    tap: u32,
    /// The tier.
    pub tier: Tier,
}

/// Connections that asked for the same, and what they get.
#[derive(Debug, Default)]
pub struct Cohort {
    key: u128,
    /// In which bytes its members get it.
    pub encoding: Encoding,
    /// Sorted by what.
    asks: Vec<Ask>,
    kinds: Kinds,
    /// What it gets.
    pub wires: Vec<Wire>,
    /// How many of them carry every tick.
    pub streams: usize,
    /// Who is in it.
    pub members: Vec<ConnId>,
    /// How many commands wait until it is whole.
    awaited: u32,
    /// Present until it is.
    building: Option<Box<Building>>,
    /// Indices into the beat's list of what is due, while a beat is delivered.
    pub due: Vec<u32>,
    /// The stream that its members share, if it is worth one.
    pub stream: Option<Box<Stream>>,
}

impl Cohort {
    /// Whether it asks for any pattern.
    pub fn has_patterns(&self) -> bool {
        self.asks.last().is_some_and(|ask| matches!(ask.what, What::Pattern(_)))
    }

    /// The patterns that it asks for.
    pub fn patterns<'a>(&'a self, patterns: &'a Patterns) -> impl Iterator<Item = &'a Scope> {
        self.asks.iter().filter_map(|ask| match ask.what {
            What::Pattern(id) => patterns.get(id),
            What::Exact(_) => None,
        })
    }

    /// What was asked, sorted.
    pub fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// The tier at which it gets a slot.
    pub fn tier_of(&self, slot: SlotId) -> Option<Tier> {
        self.wires.iter().find(|wire| wire.slot == slot).map(|wire| wire.tier)
    }

    fn pattern_asks(&self) -> &[Ask] {
        let exact = self.asks.partition_point(|ask| matches!(ask.what, What::Exact(_)));
        self.asks.get(exact..).unwrap_or_default()
    }

    fn terms(&self, what: What) -> Option<Terms> {
        let at = self.asks.binary_search_by_key(&what, |ask| ask.what).ok()?;
        self.asks.get(at).map(|ask| ask.terms)
    }
}

/// All cohorts of a shard.
#[derive(Debug, Default)]
pub struct Cohorts {
    cohorts: Slab<CohortId, Cohort>,
    /// Nobody is in them, and some of their wires are left.
    dead: VecDeque<CohortId>,
    by_key: HashMap<u128, Vec<CohortId>, Hashers>,
    /// What they ask for besides exact topics.
    pub patterns: Patterns,
    hashers: (Hashers, Hashers),
    count: usize,
    /// Of all members together.
    subscriptions: Kinds,
    /// How many asks of cohorts are for every tick.
    every: Arc<AtomicUsize>,
    /// Which bars they ask for.
    pub wants: Wants,
}

impl Cohorts {
    /// No cohorts yet. `every` counts how many of their asks are for every tick.
    pub fn counting(every: Arc<AtomicUsize>) -> Cohorts {
        Cohorts { every, ..Cohorts::default() }
    }

    /// A cohort that may be gone.
    pub fn get(&self, id: CohortId) -> Option<&Cohort> {
        self.cohorts.get(id)
    }

    /// The same, to change.
    pub fn get_mut(&mut self, id: CohortId) -> Option<&mut Cohort> {
        self.cohorts.get_mut(id)
    }

    /// A cohort that is there, since someone is in it, waits for it, or has one of its wires; see [`Slab::held`].
    #[track_caller]
    pub fn held(&self, id: CohortId) -> Option<&Cohort> {
        self.cohorts.held(id)
    }

    /// The same, to change.
    #[track_caller]
    pub fn held_mut(&mut self, id: CohortId) -> Option<&mut Cohort> {
        self.cohorts.held_mut(id)
    }

    /// How many cohorts someone is in or waits for.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Subscriptions of all members together, by kind.
    pub fn subscriptions(&self) -> &Kinds {
        &self.subscriptions
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (CohortId, &Cohort)> {
        self.cohorts.iter()
    }

    /// Whether a cohort gets topics of a feed, or would if they appeared.
    pub fn is_in_feed(&self, topics: &Topics, cohort: &Cohort, name: &str) -> bool {
        cohort.asks.iter().any(|ask| match ask.what {
            What::Exact(slot) => topics.held(slot).is_some_and(|slot| first_segment(&slot.name) == name),
            // A pattern that begins with a wildcard may be in any feed.
            What::Pattern(id) => self.patterns.get(id).is_some_and(|scope| scope.reaches(name)),
        })
    }

    /// Changes what `member` asks for; answers its new cohort, and which topics it gets differently now. Costs little once
    /// [`Cohorts::prepare`] has said so; else as much as it takes.
    pub fn edit(
        &mut self,
        topics: &mut Topics,
        member: Member,
        from: Option<CohortId>,
        edits: &[Edit],
    ) -> (Option<CohortId>, Vec<TierChange>) {
        let asked = self.asked_after(member, from, edits);
        let found = self.find(&asked, member);
        let (to, mut moved) = match found {
            Some(_) if found == from => (found, Vec::new()),
            None if !asked.asks.is_empty() && self.may_change(from, edits) => {
                (from, self.change(topics, from, asked, edits))
            }
            _ => {
                let begun = || (!asked.asks.is_empty()).then(|| self.begin(topics, member, asked));
                let to = found.or_else(begun);
                (to, self.move_over(topics, member, from, to))
            }
        };
        moved.sort_unstable_by_key(|moved| moved.slot);
        for edit in edits {
            match edit {
                Edit::Clear(What::Exact(slot)) => topics.release(*slot),
                Edit::Clear(What::Pattern(pattern)) => self.patterns.release(*pattern),
                Edit::Set(_) => {}
            }
        }
        (to, moved)
    }

    /// Takes a member out for good.
    pub fn leave(&mut self, topics: &mut Topics, member: ConnId, from: CohortId) {
        let Some(cohort) = self.cohorts.held_mut(from) else { return };
        if let Some(at) = cohort.members.iter().position(|m| *m == member) {
            cohort.members.swap_remove(at);
            kinds::add(&mut self.subscriptions, &cohort.kinds, -1);
        }
        self.remove_if_unused(topics, from);
    }

    /// Whether a cohort may be changed in place: nobody else is in it, and what changes are topics by name.
    fn may_change(&self, from: Option<CohortId>, edits: &[Edit]) -> bool {
        let is_exact = |edit: &Edit| {
            matches!(edit, Edit::Set(Ask { what: What::Exact(_), .. }) | Edit::Clear(What::Exact(_)))
        };
        let alone = |c: &Cohort| c.members.len() == 1 && c.awaited == 0;
        from.and_then(|id| self.held(id)).is_some_and(alone) && edits.iter().all(is_exact)
    }

    /// Changes exact topics of a cohort in place.
    fn change(
        &mut self,
        topics: &mut Topics,
        id: Option<CohortId>,
        asked: Asked,
        edits: &[Edit],
    ) -> Vec<TierChange> {
        let Some(id) = id else { return Vec::new() };
        let named = edits.iter().filter_map(|edit| match edit {
            Edit::Set(Ask { what: What::Exact(slot), .. }) | Edit::Clear(What::Exact(slot)) => Some(*slot),
            Edit::Set(_) | Edit::Clear(_) => None,
        });
        let mut slots: Vec<SlotId> = named.collect();
        slots.sort_unstable();
        slots.dedup();
        let before = self.tiers(id, &slots);
        self.reask(topics, id, asked);
        self.rewire(topics, id, &slots);
        let now = self.tiers(id, &slots);
        let moved = slots.iter().zip(before).zip(now).map(|((slot, before), now)| TierChange {
            slot: *slot,
            before,
            now,
        });
        moved.filter(|m| m.before != m.now).collect()
    }

    fn tiers(&self, id: CohortId, slots: &[SlotId]) -> Vec<Option<Tier>> {
        let Some(cohort) = self.held(id) else { return vec![None; slots.len()] };
        if slots.len() < 16 {
            return slots.iter().map(|slot| cohort.tier_of(*slot)).collect();
        }
        let tiers: SlotMap = cohort.wires.iter().map(|wire| (wire.slot, wire.tier)).collect();
        slots.iter().map(|slot| tiers.get(slot).copied()).collect()
    }

    /// Moves a member from one cohort to another, which is built first as far as it is not.
    fn move_over(
        &mut self,
        topics: &mut Topics,
        member: Member,
        from: Option<CohortId>,
        to: Option<CohortId>,
    ) -> Vec<TierChange> {
        if let Some(to) = to {
            self.build_on(topics, to, &mut Effort::unlimited());
            if let Some(cohort) = self.cohorts.held_mut(to) {
                cohort.members.push(member.id);
                kinds::add(&mut self.subscriptions, &cohort.kinds, 1);
            }
        }
        let wires =
            |id: Option<CohortId>| id.and_then(|id| self.held(id)).map(|c| &*c.wires).unwrap_or_default();
        let mut before: SlotMap = wires(from).iter().map(|wire| (wire.slot, wire.tier)).collect();
        let mut moved = Vec::new();
        for Wire { slot, tier, .. } in wires(to) {
            let before = before.remove(slot);
            if before != Some(*tier) {
                moved.push(TierChange { slot: *slot, before, now: Some(*tier) });
            }
        }
        moved.extend(before.into_iter().map(|(slot, tier)| TierChange {
            slot,
            before: Some(tier),
            now: None,
        }));
        if let Some(from) = from {
            self.leave(topics, member.id, from);
        }
        moved
    }
}

#[cfg(test)]
mod tests;

mod asked;
mod building;
mod kinds;
mod wires;
