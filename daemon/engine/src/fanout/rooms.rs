//! Declared topics, as a shard knows them: its clients publish to them, come to them and leave them.
//!
//! Who is where, and what waits for whom, the pulse keeps for all shards. A shard reports who moved; what it could not
//! report yet it holds, one line per connection and topic.

use std::collections::HashMap;
use std::rc::Rc;

use super::comings::Named;
use super::connection::Then;
use super::shard::Shard;
use super::walk;
use crate::exchange::ConnId;
use crate::exchange::question::{About, MEMBERS_MAX, Message as Said, Move, Published};
use crate::fanout::table::cohorts::Moved;
use crate::fanout::table::ids::{CohortId, SlotId};
use crate::fanout::table::topics::Slot;
use tickerd_model::board::TopicId;
use tickerd_model::encoding::Encoding;
use tickerd_model::message::Message;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::protocol::event::{self, Member};
use tickerd_model::rooms::{Letter, Person, Publisher, Seat, To, Turnover, checked_value};

/// Bytes of answers and letters that may wait for a client; further letters are passed over, and told as skipped.
const LETTERS_BYTES_MAX: usize = 1 << 20;

/// See the module.
#[derive(Debug, Default)]
pub struct Rooms {
    by_slot: HashMap<SlotId, usize>,
    /// What is to be reported: the latest of each.
    moves: HashMap<(usize, Seat), Option<Person>>,
}

/// How a connection is told apart by people: what `connected` says.
pub fn told_as(seat: Seat) -> String {
    // Generations are a shard's own count.
    format!("{:x}-{:x}", seat.shard, seat.generation)
}

impl Shard {
    /// Where a connection sits, if it is there.
    pub(super) fn seat(&mut self, id: ConnId) -> Option<Seat> {
        let shard = u32::try_from(self.number).unwrap_or(u32::MAX);
        self.connection(id).map(|conn| Seat { shard, conn: id, generation: conn.generation })
    }

    fn person(&mut self, id: ConnId) -> Option<(Seat, Person)> {
        let seat = self.seat(id)?;
        let name = self.connection(id).and_then(|conn| conn.name.clone());
        Some((seat, Person { conn: told_as(seat).into(), name }))
    }

    /// Notes that a topic is a declared one, if it is. Clients may have been quicker: who has it already is in it.
    pub(super) fn know_room(&mut self, at: SlotId, name: &str) {
        let Some(room) = self.settings.rooms.iter().position(|room| **room == *name) else { return };
        self.rooms.by_slot.insert(at, room);
        let taps =
            self.topics.slot(at).into_iter().flat_map(|slot| slot.all_tiers()).flat_map(|tier| &tier.taps);
        let cohorts = taps.filter_map(|tap| self.cohorts.get(tap.cohort));
        let members: Vec<ConnId> = cohorts.flat_map(|cohort| cohort.members.iter().copied()).collect();
        for id in members {
            if let Some((seat, person)) = self.person(id) {
                self.rooms.moves.insert((room, seat), Some(person));
            }
        }
        self.report_moves();
    }

    /// Notes that a connection came to declared topics, or left them.
    pub(super) fn note_moves(&mut self, id: ConnId, moved: &[Moved]) {
        if self.rooms.by_slot.is_empty() {
            return;
        }
        for Moved { slot, before, now } in moved {
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
    pub(super) fn leave_cohort(&mut self, id: ConnId, generation: u32, cohort: CohortId) {
        if !self.rooms.by_slot.is_empty() {
            let shard = u32::try_from(self.number).unwrap_or(u32::MAX);
            let seat = Seat { shard, conn: id, generation };
            let has = |slot: SlotId| {
                let tiers = self.topics.slot(slot).into_iter().flat_map(Slot::all_tiers);
                tiers.flat_map(|tier| &tier.taps).any(|tap| tap.cohort == cohort)
            };
            let left: Vec<usize> =
                self.rooms.by_slot.iter().filter(|(slot, _)| has(**slot)).map(|(_, room)| *room).collect();
            self.rooms.moves.extend(left.into_iter().map(|room| ((room, seat), None)));
            self.report_moves();
        }
        self.cohorts.leave(&mut self.topics, id, cohort);
    }

    /// Reports who moved; if the pulse has not read earlier reports, at a later time.
    pub(super) fn report_moves(&mut self) {
        if self.rooms.moves.is_empty() {
            return;
        }
        let moves = self.rooms.moves.drain().map(|((room, seat), person)| Move { room, seat, person });
        if let Err(moves) = self.uplink.report(moves.collect()) {
            self.rooms.moves.extend(moves.into_iter().map(|m| ((m.room, m.seat), m.person)));
        }
    }

    /// Passes a client's message on.
    pub(super) fn publish(
        &mut self,
        id: ConnId,
        request: Option<Id>,
        topic: String,
        value: &str,
        to: Option<&str>,
    ) {
        let Some((seat, person)) = self.person(id) else { return };
        let share = self.connection(id).and_then(|conn| conn.share.as_ref());
        let origin = Publisher { address: share.map(|share| share.address()), seat: Some(seat) };
        let checked = self
            .topics
            .sources()
            .check_room(&topic)
            .and_then(|()| checked_value(value.as_bytes()))
            .and_then(|value| Ok((value, to.map(To::parse).transpose()?)));
        match checked {
            Ok((value, to)) => {
                let publisher = person.address();
                let message = Said { topic, publisher, origin, to, value };
                self.ask_pulse(id, About::Publish(message), Then::TellPublished { request });
            }
            Err(error) => self.tell_error(id, request, &error),
        }
    }

    pub(super) fn tell_published(
        &mut self,
        id: ConnId,
        request: Option<Id>,
        result: Result<Published, ProtocolError>,
    ) {
        match result {
            // Without an id nobody waits for it.
            Ok(_) if request.is_none() => {}
            Ok(published) => self.tell(id, &published.told(request)),
            Err(error) => self.tell_error(id, request, &error),
        }
    }

    pub(super) fn tell_members(
        &mut self,
        id: ConnId,
        request: Option<Id>,
        topic: &str,
        result: Result<(usize, Vec<Person>), ProtocolError>,
    ) {
        match result {
            Ok((count, people)) => {
                self.charge_looks(id, people.len());
                let members = people.into_iter().map(member).collect();
                self.tell(id, &event::Members { id: request, topic, count, members });
            }
            Err(error) => self.tell_error(id, request, &error),
        }
    }

    /// Makes due to who is in a declared topic who came and went.
    pub(super) fn tell_turnover(&mut self, topic: TopicId, turnover: &Turnover) {
        let Some(at) = self.topics.of_board(topic) else { return };
        let Some(slot) = self.topics.slot(at) else { return };
        let mut cohorts: Vec<CohortId> =
            slot.all_tiers().flat_map(|tier| &tier.taps).map(|tap| tap.cohort).collect();
        cohorts.sort_unstable();
        cohorts.dedup();
        if cohorts.is_empty() {
            return;
        }
        let named = |people: &[Person]| people.iter().take(MEMBERS_MAX).cloned().map(member).collect();
        let about = walk::About::Roster(Rc::new(Named::Room(at)));
        let event = event::Turnover {
            topic: &slot.name,
            count: turnover.count,
            joined: named(&turnover.joined),
            left: named(&turnover.left),
            more: turnover.joined.len().max(turnover.left.len()) > MEMBERS_MAX,
        };
        let message = Rc::new(event::message(&event));
        self.pos += 1;
        let item = self.add_notice(self.pos, about, message);
        for cohort in cohorts {
            self.owe(cohort, item);
        }
    }

    /// Sends letters to those of this shard's connections that they are for.
    pub(super) fn hand_out(&mut self, letters: &[(Seat, Letter)]) {
        let mut written: Option<(&Letter, Message)> = None;
        let number = self.number;
        for (seat, letter) in letters.iter().filter(|(seat, _)| seat.shard as usize == number) {
            let Some(conn) = self.connection(seat.conn).filter(|conn| conn.generation == seat.generation)
            else {
                continue;
            };
            if let Some(stall) = conn.stall.as_mut().filter(|stall| stall.answers() > LETTERS_BYTES_MAX) {
                stall.missed += 1;
                continue;
            }
            if conn.closing_until_s.is_some() {
                continue;
            }
            let encoding = conn.encoding;
            // One letter to several connections of a user is written once.
            let message = match &written {
                Some((last, message)) if *last == letter => message,
                _ => &written.insert((letter, letter_message(letter))).1,
            };
            let bytes = self.letter_bytes(message, encoding);
            self.send(seat.conn, &bytes, &[]);
            self.tally.frames += 1;
        }
    }

    fn letter_bytes(&self, message: &Message, encoding: Encoding) -> Vec<u8> {
        message.bytes(encoding, &self.encoder).to_vec()
    }
}

fn letter_message(letter: &Letter) -> Message {
    let value = std::str::from_utf8(letter.value()).unwrap_or("null");
    let value: &serde_json::value::RawValue =
        serde_json::from_str(value).expect("the value was checked when it was published");
    let (topic, from, to) = (letter.topic(), letter.from(), letter.to());
    event::message(&event::LetterTo { topic, seq: letter.seq(), ts: letter.ts(), from, to, value })
}

fn member(person: Person) -> Member {
    Member { conn: person.conn, name: person.name }
}
