//! Rooms: declared topics that clients publish to. This knows who is in which room, and keeps letters for users who
//! are absent.
//!
//! A message to a whole room is a tick of its topic and is pushed like any tick. This file handles what goes beside
//! the ticks: presence, and letters, which are messages to one user or connection. A letter goes to each connection
//! of its addressee that is subscribed to the room. A user who has none gets it when they subscribe, on all
//! connections that subscribe at the same time, as long as the limits keep it. A letter to a single connection that
//! is gone is refused, since a connection does not come back.
//!
//! Everything is bounded: members by the limit of connections, news of who came and went by the members, letters by
//! count, age and bytes.

mod fairness;
mod mail;
mod size;
mod to;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use self::fairness::Publisher;
use self::fairness::{Fairness, KEPT};
use self::mail::Mail;
pub use self::mail::{Letter, Limits};
pub use self::to::{CONN_BYTES_MAX, To, is_name};
use crate::history::Depth;
use crate::normalise::{Reject, VALUE_BYTES_MAX, VALUE_DEPTH_MAX};
use crate::protocol::error::{Code, ProtocolError};
pub use crate::topic::PUBLISHED as KIND;
use crate::wire::json;

/// Messages that a room takes per second in the long run, from all its publishers together.
pub const MESSAGES_PER_S: u64 = 100;
/// Messages that a room takes at once.
pub const MESSAGES_BURST: u64 = 200;

/// Letters that are delivered at once where a user has many connections. Each connection gets all of them or none,
/// and at least one connection gets all.
pub const COLLECTED_MAX: usize = 16_384;

/// A connection, by its shard, its number there and its generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// The shard's number.
    pub shard: u32,
    /// The connection's number there.
    pub conn: u32,
    /// Tells this connection from a later one with the same number.
    pub generation: u32,
}

/// The person on a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The connection's name, as the client was told in `connected`.
    pub conn: Box<str>,
    /// What the client calls itself.
    pub name: Option<Box<str>>,
    /// What its token says of it to others, as JSON.
    pub info: Option<Arc<str>>,
}

impl Person {
    /// How others address this person: `user:NAME`, or `conn:CONN` without a name.
    pub fn address(&self) -> Box<str> {
        match &self.name {
            Some(name) => format!("user:{name}").into(),
            None => format!("conn:{}", self.conn).into(),
        }
    }
}

/// A declared topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: Box<str>,
    /// Whether clients may publish.
    pub publish: bool,
    /// Whether clients may see who is there.
    pub presence: bool,
    /// How much is kept of its messages. As many letters are kept for each absent user.
    pub depth: Depth,
}

/// Who came and went since the last call of [`Rooms::take_turnover`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turnover {
    /// Those who are there now and were not.
    pub joined: Vec<Person>,
    /// Those who were there and are not now.
    pub left: Vec<Person>,
    /// How many are there.
    pub count: usize,
}

/// What the caller has to do with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It is for the whole room: offer it to the board.
    ToAll,
    /// Send the letter to these seats.
    ToSeats(Vec<Seat>, Letter),
    /// Nothing: the addressee is absent, and the letter is kept.
    Kept(Letter),
}

#[derive(Debug)]
struct Room {
    declared: Declared,
    members: BTreeMap<Seat, Person>,
    /// Who joined or left since the last telling, and whether they were members at that time.
    moved: BTreeMap<Seat, (Person, bool)>,
    /// Messages that the room may still take, in thousandths, as of `at_ms`.
    budget: u64,
    at_ms: u64,
    /// Decides whose messages are taken while the budget is small.
    fairness: Fairness,
    /// How many letters were sent so far.
    letters: u64,
}

/// Every room, and the letters that wait in them.
#[derive(Debug)]
pub struct Rooms {
    /// The rooms by their numbers. A number is not used again.
    rooms: BTreeMap<usize, Room>,
    count: usize,
    by_name: HashMap<Box<str>, usize>,
    mail: Mail,
}

impl Rooms {
    /// No rooms yet. Letters are kept within `limits`.
    pub fn new(limits: Limits) -> Rooms {
        Rooms { rooms: BTreeMap::new(), count: 0, by_name: HashMap::new(), mail: Mail::new(limits) }
    }

    /// Adds a declared topic with nobody in it. Returns its number.
    pub fn open(&mut self, declared: Declared) -> usize {
        let number = self.count;
        self.count += 1;
        self.by_name.insert(declared.name.clone(), number);
        let room = Room {
            declared,
            members: BTreeMap::new(),
            moved: BTreeMap::new(),
            budget: MESSAGES_BURST * 1000,
            at_ms: 0,
            fairness: Fairness::default(),
            letters: 0,
        };
        self.rooms.insert(number, room);
        number
    }

    /// A topic that is declared already is declared so from now on: who is there stays, and letters wait on. Returns how it
    /// was declared before; `None` if it was not.
    pub fn redeclare(&mut self, declared: &Declared) -> Option<Declared> {
        let room = self.find(&declared.name).and_then(|room| self.rooms.get_mut(&room))?;
        Some(std::mem::replace(&mut room.declared, declared.clone()))
    }

    /// Removes a declared topic. Letters that wait in it are dropped.
    pub fn close(&mut self, room: usize) {
        if let Some(closed) = self.rooms.remove(&room) {
            if self.find(&closed.declared.name) == Some(room) {
                self.by_name.remove(&closed.declared.name);
            }
            self.mail.give_up_all(room);
        }
    }

    /// The number of a declared topic.
    pub fn find(&self, topic: &str) -> Option<usize> {
        self.by_name.get(topic).copied()
    }

    /// A connection subscribed. The caller gets the letters that wait for it from [`Rooms::collect`], after all
    /// connections that came at the same time have joined.
    pub fn join(&mut self, room: usize, seat: Seat, person: Person) {
        let Some(state) = self.rooms.get_mut(&room) else { return };
        if state.members.insert(seat, person.clone()).is_none() {
            state.turn(seat, person, false);
        }
    }

    /// Takes out the letters that wait for a user, oldest first, for each of their connections that are there. If
    /// none is there any more, the letters go on waiting. If there are very many connections, only some get them:
    /// [`COLLECTED_MAX`].
    pub fn collect(&mut self, room: usize, name: &str, now_ms: u64) -> Vec<(Seat, Letter)> {
        let Some(state) = self.rooms.get(&room).filter(|_| self.mail.waits(room, name)) else {
            return Vec::new();
        };
        let named = state.members.iter().filter(|(_, person)| person.name.as_deref() == Some(name));
        let seats: Vec<Seat> = named.map(|(seat, _)| *seat).collect();
        if seats.is_empty() {
            return Vec::new();
        }
        let letters = self.mail.take(room, name, now_ms);
        let seats_max = (COLLECTED_MAX / letters.len().max(1)).max(1);
        let seats: Vec<Seat> = seats.into_iter().take(seats_max).collect();
        letters.iter().flat_map(|letter| seats.iter().map(|seat| (*seat, letter.clone()))).collect()
    }

    /// A connection unsubscribed or is gone.
    pub fn leave(&mut self, room: usize, seat: Seat) {
        if let Some(state) = self.rooms.get_mut(&room)
            && let Some(person) = state.members.remove(&seat)
        {
            state.turn(seat, person, true);
        }
    }

    /// Takes a message. `value` must have been checked; a letter carries it.
    ///
    /// # Errors
    /// The room does not exist, takes no messages, or got too many of them; or nobody can get the letter.
    pub fn publish(
        &mut self,
        topic: &str,
        (from, publisher): (&str, Publisher),
        to: Option<&To>,
        value: &[u8],
        now_ms: u64,
    ) -> Result<Sent, ProtocolError> {
        let refuse = |code, what: String| Err(ProtocolError::new(code, what));
        let Some((room, state)) = self.find(topic).and_then(|room| Some((room, self.rooms.get_mut(&room)?)))
        else {
            let what = "this is no topic that was declared; the operator may add it as a [[topic]]";
            return refuse(Code::UnknownTopic, what.into());
        };
        if !state.declared.publish {
            return refuse(
                Code::Forbidden,
                "nobody may publish here; its [[topic]] would need publish = true".into(),
            );
        }
        if let Err(wait_ms) = state.spend(publisher, now_ms) {
            let what = format!(
                "the room takes {MESSAGES_PER_S} messages a second, {MESSAGES_BURST} at once, from all who publish; wait"
            );
            let mut error = ProtocolError::new(Code::RateLimited, what);
            error.retry_after_ms = Some(wait_ms);
            return Err(error);
        }
        let Some(to) = to else { return Ok(Sent::ToAll) };
        let is_meant = |person: &Person| match to {
            To::User(name) => person.name.as_ref() == Some(name),
            To::Conn(conn) => person.conn == *conn,
        };
        let seats: Vec<Seat> =
            state.members.iter().filter(|(_, person)| is_meant(person)).map(|(seat, _)| *seat).collect();
        let letters_max = state.declared.depth.count;
        let seq = state.letters + 1;
        let letter = Letter::new(topic, from, to, seq, now_ms, value);
        if !seats.is_empty() {
            state.letters = seq;
            return Ok(Sent::ToSeats(seats, letter));
        }
        match to {
            To::Conn(_) => refuse(
                Code::UnknownTopic,
                "no such connection is subscribed here; only what is for a user waits".into(),
            ),
            To::User(_) if letters_max == 0 => {
                refuse(Code::UnknownTopic, "the user is not here, and this room keeps no messages".into())
            }
            To::User(name) => {
                state.letters = seq;
                self.mail.keep(room, name, letter.clone(), letters_max, now_ms);
                Ok(Sent::Kept(letter))
            }
        }
    }

    /// Who came and went in a room since the last call. `None` if nobody did, or if the room does not tell.
    pub fn take_turnover(&mut self, room: usize) -> Option<Turnover> {
        let state = self.rooms.get_mut(&room)?;
        let moved = std::mem::take(&mut state.moved);
        if !state.declared.presence {
            return None;
        }
        let mut turnover = Turnover { count: state.members.len(), ..Turnover::default() };
        for (seat, (person, was_there)) in moved {
            match (was_there, state.members.contains_key(&seat)) {
                (false, true) => turnover.joined.push(person),
                (true, false) => turnover.left.push(person),
                // The person came back, or left again, before anyone was told.
                _ => {}
            }
        }
        (!turnover.joined.is_empty() || !turnover.left.is_empty()).then_some(turnover)
    }

    /// How many are in a room, and the first `max` of them.
    ///
    /// # Errors
    /// The room does not exist, or does not tell who is there.
    pub fn who(&self, topic: &str, max: usize) -> Result<(usize, Vec<Person>), ProtocolError> {
        let Some(state) = self.find(topic).and_then(|room| self.rooms.get(&room)) else {
            let what = "this is no topic that was declared, so nobody is counted there";
            return Err(ProtocolError::new(Code::UnknownTopic, what));
        };
        if !state.declared.presence {
            let what = "this topic does not tell who is there; its [[topic]] would need presence = true";
            return Err(ProtocolError::new(Code::Forbidden, what));
        }
        Ok((state.members.len(), state.members.values().take(max).cloned().collect()))
    }

    /// Everyone in a room, by seat.
    pub fn members(&self, room: usize) -> impl Iterator<Item = (Seat, &Person)> {
        self.rooms.get(&room).into_iter().flat_map(|room| &room.members).map(|(seat, person)| (*seat, person))
    }

    /// Who has a seat in a room.
    pub fn member(&self, room: usize, seat: Seat) -> Option<&Person> {
        self.rooms.get(&room)?.members.get(&seat)
    }

    /// How many letters wait, in all rooms together.
    pub fn letters_waiting(&self) -> usize {
        self.mail.len()
    }

    /// How many letters were dropped because of a limit since the last call.
    pub fn take_letters_lost(&mut self) -> u64 {
        self.mail.take_lost()
    }
}

impl Room {
    fn turn(&mut self, seat: Seat, person: Person, was_there: bool) {
        self.moved.entry(seat).or_insert((person, was_there));
    }

    /// Takes one message out of the budget. If this publisher has none left, the error is the milliseconds until it
    /// has.
    fn spend(&mut self, publisher: Publisher, now_ms: u64) -> Result<(), u64> {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        let gained = passed.saturating_mul(MESSAGES_PER_S);
        self.budget = self.budget.saturating_add(gained).min(MESSAGES_BURST * 1000);
        if self.budget < 1000 {
            return Err((1000 - self.budget).div_ceil(MESSAGES_PER_S));
        }
        self.fairness.take(publisher, self.budget <= KEPT * 1000, now_ms)?;
        self.budget -= 1000;
        Ok(())
    }
}

/// Checks a value by the rules for a feed's values.
///
/// # Errors
/// What is wrong with it.
pub fn checked_value(value: &[u8]) -> Result<Box<[u8]>, ProtocolError> {
    if value.len() > VALUE_BYTES_MAX {
        let what = Reject::TooLarge(value.len()).to_string();
        return Err(ProtocolError::new(Code::TooLarge, what));
    }
    json::compact(value, VALUE_DEPTH_MAX)
        .map_err(|fault| ProtocolError::new(Code::BadRequest, Reject::BadJson(fault).to_string()))
}

#[cfg(test)]
mod tests;
