//! Declared topics, as a shard knows them: its clients publish to them, come to them and leave them.
//!
//! Who is where, and what waits for whom, the pulse keeps for all shards. A shard reports who moved; what it could not
//! report yet it holds, one line per connection and topic.

use std::collections::HashMap;

use super::Shard;
use crate::exchange::ConnId;
use crate::exchange::question::Move;
use crate::fanout::table::asks::TierChange;
use crate::fanout::table::ids::{CohortId, SlotId};
use crate::fanout::table::topics::Slot;
use tickerd_model::access::user;
use tickerd_model::board::TopicId;
use tickerd_model::rooms::{Person, Seat};
use tickerd_model::source::Kind;

/// Which slots are declared topics, and what is still to be reported of them.
#[derive(Debug, Default)]
pub struct Rooms {
    by_slot: HashMap<SlotId, TopicId>,
    /// What is to be reported: the latest of each.
    moves: HashMap<(TopicId, Seat), Option<Person>>,
}

impl Shard {
    /// How a connection is told apart by people: what `connected` and the operator's list say. Among several
    /// nodes its own comes first.
    pub fn told_as(&self, generation: u32) -> String {
        // Generations are a shard's own count.
        let here = format!("{:x}-{generation:x}", self.number);
        self.settings.node.as_deref().map_or_else(|| here.clone(), |node| format!("{node}-{here}"))
    }

    /// Where a connection sits, if it is there.
    pub fn seat(&mut self, id: ConnId) -> Option<Seat> {
        let shard = u32::try_from(self.number).unwrap_or(u32::MAX);
        self.connection(id).map(|conn| Seat { shard, conn: id, generation: conn.generation })
    }

    pub fn person(&mut self, id: ConnId) -> Option<(Seat, Person)> {
        let seat = self.seat(id)?;
        let has_auth = self.settings.access.is_some();
        let name = self.connection(id).and_then(|conn| match has_auth {
            // A name is a fact then.
            true => conn.who.user.as_deref().map(|user| user::segment(user).into()),
            false => conn.name.clone(),
        });
        let info = self.connection(id).and_then(|conn| conn.who.info.clone());
        Some((seat, Person { conn: self.told_as(seat.generation).into(), name, info }))
    }

    /// A connection has said who it is: in the declared topics that it has it goes by that from now on.
    pub fn rename(&mut self, id: ConnId) {
        let cohort = self.connection(id).and_then(|conn| conn.cohort);
        let (Some(cohort), Some((seat, person))) = (cohort, self.person(id)) else { return };
        for (slot, room) in &self.rooms.by_slot {
            let mut taps = self.table.topics.held(*slot).into_iter().flat_map(Slot::taps);
            if taps.any(|tap| tap.cohort == cohort) {
                self.rooms.moves.insert((*room, seat), Some(person.clone()));
            }
        }
        self.report_moves();
    }

    /// Notes that a topic is a declared one, if it is. Clients may have subscribed to it before: they are in it from now on.
    pub fn know_room(&mut self, at: SlotId, room: TopicId, name: &str) {
        if self.table.topics.sources().of(name).is_none_or(|source| source.kind != Kind::Room) {
            return;
        }
        self.rooms.by_slot.insert(at, room);
        let taps = self.table.topics.held(at).into_iter().flat_map(Slot::taps);
        let cohorts = taps.filter_map(|tap| self.table.cohorts.held(tap.cohort));
        let members: Vec<ConnId> = cohorts.flat_map(|cohort| cohort.members.iter().copied()).collect();
        for id in members {
            if let Some((seat, person)) = self.person(id) {
                self.rooms.moves.insert((room, seat), Some(person));
            }
        }
        self.report_moves();
    }

    /// A topic is declared no longer, if it was.
    pub fn forget_room(&mut self, at: SlotId) {
        if let Some(room) = self.rooms.by_slot.remove(&at) {
            self.rooms.moves.retain(|(moved, _), _| *moved != room);
        }
    }

    /// Notes that a connection came to declared topics, or left them.
    pub fn note_moves(&mut self, id: ConnId, moved: &[TierChange]) {
        if self.rooms.by_slot.is_empty() {
            return;
        }
        for TierChange { slot, before, now } in moved {
            let Some(room) = self.rooms.by_slot.get(slot).copied() else { continue };
            let Some((seat, person)) = self.person(id) else { return };
            match (before, now) {
                (None, Some(_)) => self.rooms.moves.insert((room, seat), Some(person)),
                (Some(_), None) => self.rooms.moves.insert((room, seat), None),
                _ => None,
            };
        }
        self.report_moves();
    }

    /// Takes a connection out of its cohort, and out of the declared topics it had.
    pub fn leave_cohort(&mut self, id: ConnId, generation: u32, cohort: CohortId) {
        if !self.rooms.by_slot.is_empty() {
            let shard = u32::try_from(self.number).unwrap_or(u32::MAX);
            let seat = Seat { shard, conn: id, generation };
            let has = |slot: SlotId| {
                let mut taps = self.table.topics.held(slot).into_iter().flat_map(Slot::taps);
                taps.any(|tap| tap.cohort == cohort)
            };
            let left: Vec<TopicId> =
                self.rooms.by_slot.iter().filter(|(slot, _)| has(**slot)).map(|(_, room)| *room).collect();
            self.rooms.moves.extend(left.into_iter().map(|room| ((room, seat), None)));
            self.report_moves();
        }
        self.table.cohorts.leave(&mut self.table.topics, id, cohort);
        self.report_wants();
    }

    /// Reports who moved; if the pulse has not read earlier reports, at a later time.
    pub fn report_moves(&mut self) {
        if self.rooms.moves.is_empty() {
            return;
        }
        let moves = self.rooms.moves.drain().map(|((room, seat), person)| Move { room, seat, person });
        if let Err(moves) = self.uplink.report(moves.collect()) {
            self.rooms.moves.extend(moves.into_iter().map(|m| ((m.room, m.seat), m.person)));
        }
    }
}
