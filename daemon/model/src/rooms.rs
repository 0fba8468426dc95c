//! Rooms: declared topics that clients publish to. Who is in which, and the letters that wait for who is not.
//!
//! A room's own messages are ticks of its topic and go the way of all ticks. Here is what goes beside them: presence, and
//! letters, messages from one to one. A letter goes to each connection of its addressee that is subscribed to the room. A
//! user without one finds it there upon subscribing, with all connections that come at the same time, as long as the limits keep it; a connection that is gone does not come
//! back, so what is for one is refused then.
//!
//! Everything is bounded: members by connections, news of who came and went by members, letters by count, age and bytes.

mod fairness;
mod mail;

use std::collections::{BTreeMap, HashMap};

pub use self::fairness::Publisher;
use self::fairness::{Fairness, KEPT};
use self::mail::Mail;
pub use self::mail::{Letter, Limits};
use super::json;
use super::normalise::{Reject, VALUE_BYTES_MAX, VALUE_DEPTH_MAX};
use super::protocol::error::{Code, ProtocolError};
use super::topic::SEGMENT_BYTES_MAX;

/// The kind of what clients publish.
pub const KIND: &str = "message";
/// Messages a room takes per second in the long run, from all its publishers together.
pub const MESSAGES_PER_S: u64 = 100;
/// Messages a room takes at once.
pub const MESSAGES_BURST: u64 = 200;
/// What nobody may call himself, in any case of letters: it would look like the server.
pub const NAMES_RESERVED: [&str; 4] = ["tickerd", "server", "system", "admin"];

/// Letters that are given out at once where a user has many connections; each gets all or none, and one gets all in any case.
pub const COLLECTED_MAX: usize = 16_384;

/// A connection: which shard's, which of its, and which appearance of that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// The shard's number.
    pub shard: u32,
    /// The connection's number there.
    pub conn: u32,
    /// Tells it from a later one of the same number.
    pub generation: u32,
}

/// Who has a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The connection's name, as it was told in `connected`.
    pub conn: Box<str>,
    /// What the client calls itself.
    pub name: Option<Box<str>>,
}

impl Person {
    /// How others address it: `user:NAME`, else `conn:CONN`.
    pub fn address(&self) -> Box<str> {
        match &self.name {
            Some(name) => format!("user:{name}").into(),
            None => format!("conn:{}", self.conn).into(),
        }
    }
}

/// Whether a client may call itself so: 1 to 64 of `A–Z a–z 0–9 _ -`, and not like the server.
pub fn is_name(name: &str) -> bool {
    is_plain(name) && !NAMES_RESERVED.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// As a segment of a topic.
fn is_plain(name: &str) -> bool {
    let fits = (1..=SEGMENT_BYTES_MAX).contains(&name.len());
    fits && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Whom a letter is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum To {
    /// All connections of that name.
    User(Box<str>),
    /// One connection.
    Conn(Box<str>),
}

impl To {
    /// Reads `user:NAME` or `conn:CONN`.
    ///
    /// # Errors
    /// What to write.
    pub fn parse(text: &str) -> Result<To, ProtocolError> {
        let shown = || text.chars().take(80).collect::<String>();
        let refuse = |what: String| Err(ProtocolError::new(Code::BadRequest, what));
        match text.split_once(':') {
            Some(("user", name)) if is_name(name) => Ok(To::User(name.into())),
            Some(("conn", conn)) if is_plain(conn) => Ok(To::Conn(conn.into())),
            _ => refuse(format!(
                "{:?} is no addressee: write \"user:NAME\", or \"conn:\" and what the other was told in connected",
                shown()
            )),
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
    /// Whether it tells who is there.
    pub presence: bool,
    /// Letters kept for each absent user.
    pub letters_max: usize,
}

/// Who came and went since it was last told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turnover {
    /// Who is there now and was not.
    pub joined: Vec<Person>,
    /// Who was there and is not.
    pub left: Vec<Person>,
    /// How many are there.
    pub count: usize,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It is the room's: offer it to the board.
    ToAll,
    /// It goes to these seats.
    ToSeats(Vec<Seat>, Letter),
    /// Its addressee is not there, and will find it.
    Kept(Letter),
}

#[derive(Debug)]
struct Room {
    declared: Declared,
    members: BTreeMap<Seat, Person>,
    /// Who moved since it was last told, and whether that was a member then.
    moved: BTreeMap<Seat, (Person, bool)>,
    /// Messages that may still be taken, in thousandths, as of `at_ms`.
    budget: u64,
    at_ms: u64,
    /// Whose turn it is while that is little.
    fairness: Fairness,
    /// Letters so far.
    letters: u64,
}

/// Every room, and the letters that wait in them.
#[derive(Debug)]
pub struct Rooms {
    /// By number. A number is not given again.
    rooms: BTreeMap<usize, Room>,
    count: usize,
    by_name: HashMap<Box<str>, usize>,
    mail: Mail,
}

impl Rooms {
    /// None yet; letters are kept within these limits.
    pub fn new(limits: Limits) -> Rooms {
        Rooms { rooms: BTreeMap::new(), count: 0, by_name: HashMap::new(), mail: Mail::new(limits) }
    }

    /// A topic is declared, with nobody in it. Answers its number.
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

    /// A topic is declared no longer. Letters that wait in it are given up.
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

    /// A connection subscribed. What waits for it is had by [`Rooms::collect`], once all who came with it are in.
    pub fn join(&mut self, room: usize, seat: Seat, person: Person) {
        let Some(state) = self.rooms.get_mut(&room) else { return };
        if state.members.insert(seat, person.clone()).is_none() {
            state.turn(seat, person, false);
        }
    }

    /// Takes out what waits for a user, oldest first, for each of their connections that are there; if none is any more, it
    /// goes on waiting. Of very many connections some get it: [`COLLECTED_MAX`].
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

    /// Takes a message. `value` has been checked; the letter carries it, if it is one.
    ///
    /// # Errors
    /// There is no such room, it takes none, too many came, or nobody can get it.
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
        let letters_max = state.declared.letters_max;
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

    /// Who came and went in a room since the last call; nothing when nobody did, or when the room does not tell.
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
                // Back before anyone was told.
                _ => {}
            }
        }
        (!turnover.joined.is_empty() || !turnover.left.is_empty()).then_some(turnover)
    }

    /// How many are in a room, and the first `max` of them.
    ///
    /// # Errors
    /// There is no such room, or it does not tell.
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

    /// Letters that wait, over all rooms.
    pub fn letters_waiting(&self) -> usize {
        self.mail.len()
    }

    /// Letters that were given up to a limit since the last call.
    pub fn take_letters_lost(&mut self) -> u64 {
        self.mail.take_lost()
    }
}

impl Room {
    fn turn(&mut self, seat: Seat, person: Person, was_there: bool) {
        self.moved.entry(seat).or_insert((person, was_there));
    }

    /// Takes one message out of the budget, or tells for how many milliseconds there is none for this publisher.
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

/// A value as a feed's would be checked.
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
