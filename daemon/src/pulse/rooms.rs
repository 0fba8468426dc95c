//! Declared topics, as the pulse keeps them: who is where, what is published, and the letters.

use crate::fanout::beat::Beat;
use crate::fanout::question::{Found, Message, Move, Published};
use crate::fanout::rooms::MEMBERS_MAX;
use crate::model::board::{Board, TopicId};
use crate::model::protocol::error::ProtocolError;
use crate::model::rooms::{self, Declared, KIND, Limits, Sent};
use crate::model::sample::Class;
use crate::model::tick::Tick;
use crate::model::topic::Topic;

/// A declared topic and the source that beats for it.
#[derive(Debug, Clone)]
pub struct Room {
    /// What was declared.
    pub declared: Declared,
    /// Which of the pulse's sources its first segment is.
    pub source: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Rooms {
    model: rooms::Rooms,
    /// By number.
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    source: usize,
    topic: Topic,
    id: TopicId,
}

impl Rooms {
    /// Puts the declared topics on the board.
    pub fn new(rooms: Vec<Room>, limits: Limits, board: &mut Board) -> Rooms {
        let place = |room: &Room| {
            let topic = Topic::new(&room.declared.name, KIND, Class::Event);
            Place { source: room.source, id: board.declare(room.source, &topic), topic }
        };
        let places = rooms.iter().map(place).collect();
        let declared = rooms.into_iter().map(|room| room.declared).collect();
        Rooms { model: rooms::Rooms::new(declared, limits), places }
    }

    /// Takes reports of who moved. Who came gets what waited for them with the next beat.
    pub fn settle(&mut self, moves: Vec<Move>, now_ms: u64, beat: &mut Beat) {
        for Move { room, seat, person } in moves {
            match person {
                Some(person) => {
                    let letters = self.model.join(room, seat, person, now_ms);
                    beat.letters.extend(letters.into_iter().map(|letter| (seat, letter)));
                }
                None => self.model.leave(room, seat),
            }
        }
    }

    /// Tells of who came and went in the topics of a source that beats.
    pub fn beat(&mut self, source: usize, beat: &mut Beat) {
        for (room, place) in self.places.iter().enumerate().filter(|(_, place)| place.source == source) {
            beat.turnovers.extend(self.model.take_turnover(room).map(|turnover| (place.id, turnover.into())));
        }
    }

    /// Takes a message.
    pub fn publish(&mut self, message: Message, now_ms: u64, board: &mut Board, beat: &mut Beat) -> Found {
        let Message { topic, publisher, to, value } = message;
        let sent = self.model.publish(&topic, &publisher, to.as_ref(), &value, now_ms);
        Found::Published(sent.map(|sent| {
            let (seq, letter) = match sent {
                Sent::ToAll => (self.say(&topic, &publisher, value, now_ms, board), None),
                Sent::Kept(letter) => (letter.seq(), Some((letter.to().into(), 0))),
                Sent::ToSeats(seats, letter) => {
                    let told = Some((letter.to().into(), seats.len()));
                    let seq = letter.seq();
                    beat.letters.extend(seats.into_iter().map(|seat| (seat, letter.clone())));
                    (seq, told)
                }
            };
            Published { topic, seq, letter }
        }))
    }

    fn say(&self, topic: &str, from: &str, value: Box<[u8]>, ts: u64, board: &mut Board) -> u64 {
        let Some(place) = self.model.find(topic).and_then(|room| self.places.get(room)) else { return 0 };
        let topic = place.topic.clone();
        let tick = Tick { topic, seq: 0, n: 0, ts, src_ts: 0, from: Some(from.into()), value, merged: 0 };
        board.offer(place.source, tick)
    }

    /// Who is in a topic.
    pub fn members(&self, topic: String) -> Found {
        let who: Result<_, ProtocolError> = self.model.who(&topic, MEMBERS_MAX);
        Found::Members(who.map(|(count, people)| (topic, count, people)))
    }

    /// Letters that were given up to a limit since the last call.
    pub fn take_letters_lost(&mut self) -> u64 {
        self.model.take_letters_lost()
    }
}
