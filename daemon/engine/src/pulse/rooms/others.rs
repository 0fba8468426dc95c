//! In a cluster: clients of other nodes in the rooms, and what other nodes are told of this one's.
//!
//! Everyone of the cluster is in the model. A client of another node has a seat that no connection here has.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{Beat, Place, Rooms};
use tickerd_cluster::load::{Conn, Letter as LetterWord, Person as PersonWord, Turnover as TurnoverWord};
use tickerd_cluster::wire::Bytes;
use tickerd_model::rooms::{self, Letter, Person, Seat, Turnover};
use tickerd_model::source::SourceId;

/// The shard of those who are on none here.
const ELSEWHERE: u32 = u32::MAX;
/// Seats that connections of other nodes have here, more than a cluster has that serves a million clients.
const SEATS_MAX: usize = 2_000_000;

#[derive(Debug)]
pub struct Others {
    /// This node's name, with which its connections' names begin.
    me: Box<str>,
    /// By room, and by connection.
    seats: HashMap<usize, HashMap<Box<str>, Seat>>,
    /// How many seats that are.
    taken: usize,
    count: u64,
    /// Who of this node came and left since it was told, in order.
    moved: BTreeMap<SourceId, Vec<TurnoverWord>>,
    /// Turnovers and letters that were told here and go to other nodes.
    turnovers: BTreeMap<SourceId, Vec<TurnoverWord>>,
    letters: BTreeMap<SourceId, Vec<LetterWord>>,
}

impl Others {
    pub fn new(me: &str) -> Others {
        Others {
            me: me.into(),
            seats: HashMap::new(),
            taken: 0,
            count: 0,
            moved: BTreeMap::new(),
            turnovers: BTreeMap::new(),
            letters: BTreeMap::new(),
        }
    }

    /// A client of this node comes, or leaves.
    pub(super) fn note(&mut self, place: &Place, seat: Seat, person: Option<&Person>, model: &rooms::Rooms) {
        let mut turnover = TurnoverWord { topic: place.topic.name().into(), ..TurnoverWord::default() };
        match person {
            Some(person) => turnover.joined.push(person_word(person)),
            None => match model.member(place.number, seat) {
                Some(person) => turnover.left.push(Conn(person.conn.clone())),
                None => return,
            },
        }
        self.moved.entry(place.source).or_default().push(turnover);
    }

    pub(super) fn tell(&mut self, place: &Place, turnover: &Turnover) {
        let word = TurnoverWord {
            topic: place.topic.name().into(),
            joined: turnover.joined.iter().map(person_word).collect(),
            left: turnover.left.iter().map(|person| Conn(person.conn.clone())).collect(),
        };
        self.turnovers.entry(place.source).or_default().push(word);
    }

    fn find(&self, room: usize, conn: &str) -> Option<Seat> {
        self.seats.get(&room)?.get(conn).copied()
    }

    /// Those seats go of which this is not so.
    fn retain(&mut self, stays: impl Fn(&str, &Seat) -> bool) {
        self.seats.values_mut().for_each(|seats| seats.retain(|conn, seat| stays(conn, seat)));
        self.seats.retain(|_, seats| !seats.is_empty());
        self.taken = self.seats.values().map(HashMap::len).sum();
    }

    /// `None`: there are too many.
    fn seat(&mut self, room: usize, conn: &str) -> Option<Seat> {
        if let Some(seat) = self.find(room, conn) {
            return Some(seat);
        }
        if self.taken >= SEATS_MAX {
            return None;
        }
        (self.count, self.taken) = (self.count + 1, self.taken + 1);
        let (conn_number, generation) = (self.count as u32, (self.count >> 32) as u32);
        let seat = Seat { shard: ELSEWHERE, conn: conn_number, generation };
        self.seats.entry(room).or_default().insert(conn.into(), seat);
        Some(seat)
    }
}

impl Rooms {
    /// Letters go to the connections here with this beat, and to those elsewhere with what their node is told.
    pub(super) fn hand_out(&mut self, room: usize, letters: Vec<(Seat, Letter)>, beat: &mut Beat) {
        let source = self.places.values().find(|place| place.number == room).map(|place| place.source);
        for (seat, letter) in letters {
            if seat.shard != ELSEWHERE {
                beat.letters.push((seat, letter));
                continue;
            }
            let person = self.model.member(room, seat);
            if let (Some(others), Some(source), Some(person)) = (&mut self.others, source, person) {
                let word = letter_word(&person.conn, &letter);
                others.letters.entry(source).or_default().push(word);
            }
        }
    }

    /// Letters that the holder of a room has for connections here.
    pub fn deliver(&mut self, letters: &[LetterWord], beat: &mut Beat) {
        for word in letters {
            let Some(room) = self.model.find(&word.topic) else { continue };
            let is_meant =
                |(seat, person): &(Seat, &Person)| seat.shard != ELSEWHERE && person.conn == word.conn.0;
            let Some((seat, _)) = self.model.members(room).find(is_meant) else { continue };
            beat.letters.push((seat, letter(word)));
        }
    }

    /// Who of this node moved in the rooms of each source, since the last call.
    pub fn take_moved(&mut self) -> BTreeMap<SourceId, Vec<TurnoverWord>> {
        self.others.as_mut().map(|others| std::mem::take(&mut others.moved)).unwrap_or_default()
    }

    /// What a beat of a source that is held tells other nodes.
    pub fn take_told(&mut self, source: SourceId) -> (Vec<TurnoverWord>, Vec<LetterWord>) {
        let Some(others) = &mut self.others else { return Default::default() };
        let turnovers = others.turnovers.remove(&source).unwrap_or_default();
        (turnovers, others.letters.remove(&source).unwrap_or_default())
    }

    /// Everyone in the rooms of a source; or only those of this node.
    pub fn everyone(&self, source: SourceId, only_mine: bool) -> Vec<TurnoverWord> {
        let of = |place: &Place| {
            let members = self.model.members(place.number);
            let joined = members.filter(|(seat, _)| !only_mine || seat.shard != ELSEWHERE);
            let joined: Vec<_> = joined.map(|(_, person)| person_word(person)).collect();
            TurnoverWord { topic: place.topic.name().into(), joined, left: Vec::new() }
        };
        let all = self.places.values().filter(|place| place.source == source).map(of);
        all.filter(|turnover| !turnover.joined.is_empty()).collect()
    }

    /// Clients of other nodes came and left. `of`: those of that node alone are heeded. `whole`: they are all who are there.
    pub fn move_others(
        &mut self,
        source: SourceId,
        of: Option<&str>,
        whole: bool,
        turnovers: &[TurnoverWord],
        (now_ms, beat): (u64, &mut Beat),
    ) {
        let Some(me) = self.others.as_ref().map(|others| others.me.clone()) else { return };
        let is_heeded =
            |conn: &str| node_of(conn).is_some_and(|node| node != &*me && of.is_none_or(|of| of == node));
        let topics: HashMap<&str, usize> = self
            .places
            .values()
            .filter(|place| place.source == source)
            .map(|place| (place.topic.name(), place.number))
            .collect();
        let topics: Vec<(usize, Vec<&TurnoverWord>)> = topics
            .into_iter()
            .map(|(name, room)| (room, turnovers.iter().filter(|word| &*word.topic == name).collect()))
            .collect();
        let mut came = BTreeSet::new();
        for (room, words) in topics {
            if whole {
                let listed: HashSet<&str> =
                    words.iter().flat_map(|word| &word.joined).map(|person| &*person.conn.0).collect();
                self.leave_if(room, |conn| is_heeded(conn) && !listed.contains(conn));
            }
            for word in words {
                let joined = || word.joined.iter().filter(|person| is_heeded(&person.conn.0));
                joined().for_each(|person| self.unseat_another(room, person));
                for conn in word.left.iter().filter(|conn| is_heeded(&conn.0)) {
                    let seat = self.others.as_ref().and_then(|others| others.find(room, &conn.0));
                    seat.into_iter().for_each(|seat| self.model.leave(room, seat));
                }
                for person in joined() {
                    let seat = self.others.as_mut().and_then(|others| others.seat(room, &person.conn.0));
                    // One who finds no place is not counted; they get and send messages all the same.
                    let Some(seat) = seat else { continue };
                    came.extend(person.name.as_ref().map(|name| (room, Box::<str>::from(&**name))));
                    self.model.join(room, seat, self::person(person));
                }
            }
        }
        // Only who holds the room has letters.
        for (room, name) in came {
            let letters = self.model.collect(room, &name, now_ms);
            self.hand_out(room, letters, beat);
        }
        self.forget_seats();
    }

    /// A node is gone, and its clients with it.
    pub fn forget_node(&mut self, node: &str) {
        let rooms: Vec<usize> = self.places.values().map(|place| place.number).collect();
        for room in rooms {
            self.leave_if(room, |conn| node_of(conn) == Some(node));
        }
        // Whoever comes under one of those names is somebody else, and is told as such.
        if let Some(others) = &mut self.others {
            others.retain(|conn, _| node_of(conn) != Some(node));
        }
        self.forget_seats();
    }

    /// A connection is told to be somebody else than it was in that room, as after it signed in anew: who it was leaves that room. Of
    /// other rooms it is told by itself.
    fn unseat_another(&mut self, room: usize, word: &PersonWord) {
        let Some(others) = &mut self.others else { return };
        let Some(seat) = others.find(room, &word.conn.0) else { return };
        if self.model.member(room, seat).is_some_and(|before| *before != person(word)) {
            let removed = others.seats.get_mut(&room).and_then(|seats| seats.remove(&word.conn.0));
            others.taken -= usize::from(removed.is_some());
            self.model.leave(room, seat);
        }
    }

    fn leave_if(&mut self, room: usize, is_gone: impl Fn(&str) -> bool) {
        let members = self.model.members(room);
        let gone = members.filter(|(seat, person)| seat.shard == ELSEWHERE && is_gone(&person.conn));
        let gone: Vec<Seat> = gone.map(|(seat, _)| seat).collect();
        gone.into_iter().for_each(|seat| self.model.leave(room, seat));
    }

    /// Seats of those who are nowhere any more go.
    fn forget_seats(&mut self) {
        self.size = self.model.size();
        let Some(others) = self.others.as_mut().filter(|others| others.taken > 2 * self.size.1 + 64) else {
            return;
        };
        let used: HashSet<Seat> = self
            .places
            .values()
            .flat_map(|place| self.model.members(place.number).map(|(seat, _)| seat))
            .collect();
        others.retain(|_, seat| used.contains(seat));
    }
}

/// The node of a connection with this name.
fn node_of(conn: &str) -> Option<&str> {
    conn.rsplitn(3, '-').nth(2)
}

fn person_word(person: &Person) -> PersonWord {
    let Person { conn, name, info } = person;
    PersonWord {
        conn: Conn(conn.clone()),
        name: name.as_deref().map(Arc::from),
        info: info.as_ref().map(|info| Bytes(info.as_bytes().into())),
    }
}

fn person(word: &PersonWord) -> Person {
    let info = word.info.as_ref().and_then(|info| std::str::from_utf8(&info.0).ok()).map(Arc::from);
    Person { conn: word.conn.0.clone(), name: word.name.as_deref().map(Box::from), info }
}

fn letter_word(conn: &str, letter: &Letter) -> LetterWord {
    LetterWord {
        conn: Conn(conn.into()),
        topic: letter.topic().into(),
        from: Some(letter.from().into()),
        to: Some(letter.to().into()),
        seq: letter.seq(),
        ts: letter.ts(),
        value: Bytes(letter.value().into()),
    }
}

fn letter(word: &LetterWord) -> Letter {
    let (from, to) = (word.from.as_deref().unwrap_or_default(), word.to.as_deref().unwrap_or_default());
    Letter::written(&word.topic, (from, to), (word.seq, word.ts), &word.value.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::source::tests::{F, board_of_f};
    use std::time::Duration;
    use tickerd_model::history;
    use tickerd_model::rooms::{Declared, Limits};

    #[test]
    fn who_is_somebody_else_in_one_room_stays_in_the_others() {
        let mut board = board_of_f(history::Limits::NONE);
        let depth = history::Depth { count: 8, age: Duration::from_secs(60) };
        let declared = |name: &str| Declared { name: name.into(), publish: true, presence: true, depth };
        let mut rooms = Rooms::new(Limits { age_ms: 60_000, bytes: 1 << 20 }, Some("a"));
        rooms.open(F, vec![declared("f.a"), declared("f.b")], &mut board);
        let mut told = |topic: &str, joined: &[&str], left: &[&str]| {
            let person = |name: &&str| PersonWord {
                conn: Conn("b-0-1".into()),
                name: Some((*name).into()),
                info: None,
            };
            let joined = joined.iter().map(person).collect();
            let left = left.iter().map(|conn| Conn((*conn).into())).collect();
            let words = [TurnoverWord { topic: topic.into(), joined, left }];
            rooms.move_others(F, Some("b"), false, &words, (1, &mut Beat::default()));
            let names = |topic: &str| {
                let room = rooms.model.find(topic).unwrap();
                let names = rooms.model.members(room).filter_map(|(_, person)| person.name.as_deref());
                names.collect::<Vec<_>>().join(" ")
            };
            (names("f.a"), names("f.b"))
        };
        told("f.a", &["ann"], &[]);
        assert_eq!(told("f.b", &["ann"], &[]), ("ann".into(), "ann".into()));
        assert_eq!(told("f.a", &["eve"], &[]), ("eve".into(), "ann".into()));
        assert_eq!(told("f.b", &[], &["b-0-1"]), ("eve".into(), String::new()));
        assert_eq!(told("f.a", &[], &["b-0-1"]), (String::new(), String::new()));
    }
}
