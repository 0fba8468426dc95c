//! Declared topics, as the pulse keeps them: who is where, what is published, and the letters.

mod others;

use std::collections::{BTreeSet, HashMap};

use self::others::Others;
use crate::exchange::beat::Beat;
use crate::exchange::question::{MEMBERS_MAX, Message, Move, Published};
use tickerd_model::board::{Board, TopicId};
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::rooms::{self, Declared, KIND, Limits, Person, Sent};
use tickerd_model::sample::Class;
use tickerd_model::source::SourceId;
use tickerd_model::tick::Tick;
use tickerd_model::topic::Topic;

/// The declared topics of all sources, with the board's topics that carry their messages.
#[derive(Debug)]
pub struct Rooms {
    model: rooms::Rooms,
    places: HashMap<TopicId, Place>,
    published: PublishCounts,
    /// How many topics are declared, and how many subscriptions to all of them together.
    size: (usize, usize),
    /// In a cluster: clients of other nodes, and what is told to other nodes.
    others: Option<Others>,
}

/// What became of messages since the last call of [`Rooms::take_published`].
#[derive(Debug, Default)]
pub struct PublishCounts {
    /// To everyone in a topic.
    pub all: u64,
    /// To one user or connection.
    pub direct: u64,
    pub refused: u64,
}

/// A declared topic: its number in the model, and what beats for it.
#[derive(Debug)]
struct Place {
    number: usize,
    source: SourceId,
    topic: Topic,
}

impl Rooms {
    /// None yet. What waits for users is kept within these limits. `me` is this node's name, in a cluster.
    pub fn new(limits: Limits, me: Option<&str>) -> Rooms {
        Rooms {
            model: rooms::Rooms::new(limits),
            places: HashMap::new(),
            published: PublishCounts::default(),
            size: (0, 0),
            others: me.map(Others::new),
        }
    }

    /// A source's topics are declared, and on the board.
    pub fn open(&mut self, source: SourceId, declared: Vec<Declared>, board: &mut Board) {
        for declared in declared {
            let topic = Topic::new(&declared.name, KIND, Class::Event);
            let id = board.declare(source, &topic);
            let number = self.model.open(declared);
            self.places.insert(id, Place { number, source, topic });
        }
        self.size = self.model.size();
    }

    /// A source's topics are declared so from now on. Those that stay keep who is in them, and their past unless another part
    /// of it is to be kept.
    pub fn reopen(&mut self, source: SourceId, declared: Vec<Declared>, board: &mut Board) {
        let names: BTreeSet<&str> = declared.iter().map(|declared| &*declared.name).collect();
        let is_gone = |place: &Place| place.source == source && !names.contains(place.topic.name());
        let gone: Vec<TopicId> =
            self.places.iter().filter(|(_, place)| is_gone(place)).map(|(id, _)| *id).collect();
        for place in gone.iter().filter_map(|id| self.places.remove(id)).collect::<Vec<_>>() {
            self.model.close(place.number);
            board.retire(source, &place.topic);
        }
        let (mut anew, mut numbers) = (Vec::new(), HashMap::new());
        for declared in declared {
            let Some(before) = self.model.redeclare(&declared) else {
                anew.push(declared);
                continue;
            };
            if before.depth == declared.depth {
                continue;
            }
            let at = board.find(&declared.name);
            if let Some(place) = at.and_then(|id| self.places.remove(&id)) {
                board.retire(source, &place.topic);
                board.limit(&declared.name, declared.depth);
                numbers.insert(board.declare(source, &place.topic), place);
            }
        }
        self.places.extend(numbers);
        anew.iter().for_each(|declared| board.limit(&declared.name, declared.depth));
        self.open(source, anew, board);
    }

    /// A source's topics are declared no longer.
    pub fn close(&mut self, source: SourceId) {
        self.places.retain(|_, place| {
            let stays = place.source != source;
            if !stays {
                self.model.close(place.number);
            }
            stays
        });
        self.size = self.model.size();
    }

    /// Takes reports of who moved. Who came, and is there once all of them are taken, gets what waited for them with the next
    /// beat.
    pub fn settle(&mut self, moves: Vec<Move>, now_ms: u64, beat: &mut Beat) {
        let has_moved = !moves.is_empty();
        let mut came: BTreeSet<(usize, Box<str>)> = BTreeSet::new();
        let is_mail = self.model.letters_waiting() > 0;
        for Move { room, seat, person } in moves {
            // One that was closed meanwhile has nobody in it.
            let Some(place) = self.places.get(&room) else { continue };
            let room = place.number;
            if let Some(others) = &mut self.others {
                others.note(place, seat, person.as_ref(), &self.model);
            }
            match person {
                Some(person) => {
                    came.extend(person.name.clone().filter(|_| is_mail).map(|name| (room, name)));
                    self.model.join(room, seat, person);
                }
                None => self.model.leave(room, seat),
            }
        }
        for (room, name) in came {
            let letters = self.model.collect(room, &name, now_ms);
            self.hand_out(room, letters, beat);
        }
        if has_moved {
            self.size = self.model.size();
        }
    }

    /// Tells of who came and went in the topics of a source that beats.
    pub fn beat(&mut self, source: SourceId, beat: &mut Beat) {
        let mut beating: Vec<_> = self.places.iter().filter(|(_, place)| place.source == source).collect();
        beating.sort_unstable_by_key(|(_, place)| place.number);
        for (id, place) in beating {
            let turnover = self.model.take_turnover(place.number);
            if let (Some(others), Some(turnover)) = (&mut self.others, &turnover) {
                others.tell(place, turnover);
            }
            beat.turnovers.extend(turnover.map(|turnover| (*id, turnover.into())));
        }
    }

    /// Takes a message.
    pub fn publish(
        &mut self,
        message: Message,
        now_ms: u64,
        board: &mut Board,
        beat: &mut Beat,
    ) -> Result<Published, ProtocolError> {
        let Message { topic, publisher, origin, to, value } = message;
        let sent = self.model.publish(&topic, (&publisher, origin), to.as_ref(), &value, now_ms);
        let PublishCounts { all, direct, refused } = &mut self.published;
        *match &sent {
            Ok(Sent::ToAll) => all,
            Ok(Sent::ToSeats(..) | Sent::Kept(_)) => direct,
            Err(_) => refused,
        } += 1;
        sent.map(|sent| {
            let (seq, letter) = match sent {
                Sent::ToAll => (self.say(&topic, &publisher, value, now_ms, board), None),
                Sent::Kept(letter) => (letter.seq(), Some((letter.to().into(), 0))),
                Sent::ToSeats(seats, letter) => {
                    let told = Some((letter.to().into(), seats.len()));
                    let seq = letter.seq();
                    let letters = seats.into_iter().map(|seat| (seat, letter.clone())).collect();
                    let room = self.model.find(&topic).unwrap_or(usize::MAX);
                    self.hand_out(room, letters, beat);
                    (seq, told)
                }
            };
            Published { topic, seq, letter }
        })
    }

    fn say(&self, topic: &str, from: &str, value: Box<[u8]>, ts: u64, board: &mut Board) -> u64 {
        let Some(place) = board.find(topic).and_then(|id| self.places.get(&id)) else { return 0 };
        let topic = place.topic.clone();
        let tick = Tick { topic, seq: 0, n: 0, ts, src_ts: 0, from: Some(from.into()), value, merged: 0 };
        board.offer(place.source, tick)
    }

    /// Who is in a topic.
    pub fn members(&self, topic: &str) -> Result<(usize, Vec<Person>), ProtocolError> {
        self.model.who(topic, MEMBERS_MAX)
    }

    /// What became of messages since the last call.
    pub fn take_published(&mut self) -> PublishCounts {
        std::mem::take(&mut self.published)
    }

    /// How many topics are declared, and how many subscriptions to all of them together.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// Letters that were given up to a limit since the last call.
    pub fn take_letters_lost(&mut self) -> u64 {
        self.model.take_letters_lost()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::source::tests::{F, board_of_f};
    use std::time::Duration;
    use tickerd_model::history;
    use tickerd_model::rooms::{Person, Seat, To};

    const BOB: &str = "bob";

    fn came(conn: u32) -> Move {
        let person = Person { conn: format!("0-{conn}").into(), name: Some(BOB.into()), info: None };
        Move { person: Some(person), ..went(conn) }
    }

    fn went(conn: u32) -> Move {
        // Connections of one user are on several shards.
        Move { room: TopicId(0), seat: Seat { shard: conn % 2, conn, generation: 1 }, person: None }
    }

    /// Two letters for bob, who is not there; then these moves at once. Which connections get which values.
    fn collected(moves: Vec<Move>) -> (Vec<(u32, String)>, usize) {
        let mut board = board_of_f(history::Limits::NONE);
        let depth = history::Depth { count: 8, age: Duration::from_secs(60) };
        let declared = Declared { name: "rooms.a".into(), publish: true, presence: true, depth };
        let limits = Limits { age_ms: 60_000, bytes: 1 << 20 };
        let mut rooms = Rooms::new(limits, None);
        rooms.open(F, vec![declared], &mut board);
        for value in ["1", "2"] {
            let message = Message {
                topic: "rooms.a".into(),
                publisher: "user:ann".into(),
                origin: rooms::Publisher::default(),
                to: Some(To::User(BOB.into())),
                value: value.as_bytes().into(),
            };
            let found = rooms.publish(message, 1, &mut board, &mut Beat::default());
            assert!(found.is_ok(), "{found:?}");
        }
        let mut beat = Beat::default();
        rooms.settle(moves, 2, &mut beat);
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        let got = beat.letters.iter().map(|(seat, letter)| (seat.conn, text(letter.value()))).collect();
        (got, rooms.model.letters_waiting())
    }

    #[test]
    fn a_letter_that_waited_reaches_every_connection_that_comes_at_once() {
        let (mut got, waiting) = collected(vec![came(1), came(2)]);
        got.sort();
        let expected = [(1, "1"), (1, "2"), (2, "1"), (2, "2")].map(|(conn, value)| (conn, value.to_owned()));
        assert_eq!((got, waiting), (expected.to_vec(), 0));
    }

    #[test]
    fn a_letter_is_not_lost_on_one_who_came_and_went() {
        assert_eq!(collected(vec![came(1), went(1)]), (vec![], 2));
        let (got, waiting) = collected(vec![came(1), came(2), went(1)]);
        assert_eq!((got, waiting), (vec![(2, "1".to_owned()), (2, "2".to_owned())], 0));
    }
}
