//! Letters that wait for absent users.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::To;

/// How many letters wait, for how long, and of what size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Greatest age of a letter, in milliseconds. An older one is not delivered.
    pub age_ms: u64,
    /// Most bytes of all letters together. Above that the oldest are dropped.
    pub bytes: usize,
}

/// A message to one addressee. It is cheap to clone: all connections of the addressee share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter(Arc<Text>);

#[derive(Debug, PartialEq, Eq)]
struct Text {
    topic: Box<str>,
    from: Box<str>,
    to: Box<str>,
    seq: u64,
    ts: u64,
    value: Box<[u8]>,
}

impl Letter {
    pub(super) fn new(topic: &str, from: &str, to: &To, seq: u64, ts: u64, value: &[u8]) -> Letter {
        let (topic, from, to, value) = (topic.into(), from.into(), to.to_string().into(), value.into());
        Letter(Arc::new(Text { topic, from, to, seq, ts, value }))
    }

    /// One that another node has written.
    pub fn written(topic: &str, (from, to): (&str, &str), (seq, ts): (u64, u64), value: &[u8]) -> Letter {
        let (topic, from, to, value) = (topic.into(), from.into(), to.into(), value.into());
        Letter(Arc::new(Text { topic, from, to, seq, ts, value }))
    }

    /// The room it was sent in.
    pub fn topic(&self) -> &str {
        &self.0.topic
    }

    /// The sender's address, such as `user:NAME`.
    pub fn from(&self) -> &str {
        &self.0.from
    }

    /// The address it is for, such as `user:NAME`.
    pub fn to(&self) -> &str {
        &self.0.to
    }

    /// The number of the letter among the room's letters, from 1.
    pub fn seq(&self) -> u64 {
        self.0.seq
    }

    /// When it was sent, Unix milliseconds.
    pub fn ts(&self) -> u64 {
        self.0.ts
    }

    /// One JSON value.
    pub fn value(&self) -> &[u8] {
        &self.0.value
    }

    /// About how many bytes it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let text = &self.0;
        size_of::<Text>() + text.topic.len() + text.from.len() + text.to.len() + text.value.len()
    }
}

/// A room's number and a user's name.
type Whose = (usize, Box<str>);

/// All letters that wait, in all rooms.
#[derive(Debug)]
pub(super) struct Mail {
    limits: Limits,
    boxes: HashMap<Whose, VecDeque<(u64, Letter)>>,
    /// Every letter in the order in which they came: its number, the room and the user. Letters that are gone may
    /// still be listed.
    order: VecDeque<(u64, Whose)>,
    count: u64,
    len: usize,
    bytes: usize,
    lost: u64,
}

impl Mail {
    pub(super) fn new(limits: Limits) -> Mail {
        Mail { limits, boxes: HashMap::new(), order: VecDeque::new(), count: 0, len: 0, bytes: 0, lost: 0 }
    }

    /// Keeps a letter for `name`, who has at most `most` letters in this room.
    pub(super) fn keep(&mut self, room: usize, name: &str, letter: Letter, most: usize, now_ms: u64) {
        self.age(now_ms);
        self.count += 1;
        let number = self.count;
        let whose: Whose = (room, name.into());
        self.bytes += letter.bytes();
        self.len += 1;
        let waiting = self.boxes.entry(whose.clone()).or_default();
        waiting.push_back((number, letter));
        self.order.push_back((number, whose.clone()));
        while self.boxes.get(&whose).is_some_and(|waiting| waiting.len() > most) {
            self.give_up(&whose);
        }
        while self.bytes > self.limits.bytes && self.drop_oldest() {}
        // Entries of delivered letters must not make the order long.
        if self.order.len() > 2 * self.len + 64 {
            let boxes = &self.boxes;
            self.order.retain(|(number, whose)| {
                boxes.get(whose).and_then(VecDeque::front).is_some_and(|(first, _)| number >= first)
            });
        }
    }

    /// Whether a letter waits for `name`; it may be too old already.
    pub(super) fn waits(&self, room: usize, name: &str) -> bool {
        self.len > 0 && self.boxes.contains_key(&(room, name.into()))
    }

    /// Takes out the letters that wait for `name`, oldest first.
    pub(super) fn take(&mut self, room: usize, name: &str, now_ms: u64) -> Vec<Letter> {
        if self.len == 0 {
            return Vec::new();
        }
        self.age(now_ms);
        let letters = self.boxes.remove(&(room, name.into())).unwrap_or_default();
        self.len -= letters.len();
        self.bytes -= letters.iter().map(|(_, letter)| letter.bytes()).sum::<usize>();
        letters.into_iter().map(|(_, letter)| letter).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    fn age(&mut self, now_ms: u64) {
        let oldest = now_ms.saturating_sub(self.limits.age_ms);
        while let Some((number, whose)) = self.order.front() {
            match self.boxes.get(whose).and_then(VecDeque::front) {
                Some((first, letter)) if first == number => {
                    if letter.ts() >= oldest {
                        return;
                    }
                    self.drop_oldest();
                }
                // The letter was delivered or dropped before.
                _ => drop(self.order.pop_front()),
            }
        }
    }

    /// Drops the oldest of all letters. Returns false if there is none.
    fn drop_oldest(&mut self) -> bool {
        while let Some((number, whose)) = self.order.pop_front() {
            if self.boxes.get(&whose).and_then(VecDeque::front).is_some_and(|(first, _)| *first == number) {
                self.give_up(&whose);
                return true;
            }
        }
        false
    }

    /// Drops all letters that wait in a room.
    pub(super) fn give_up_all(&mut self, room: usize) {
        let all: Vec<Whose> = self.boxes.keys().filter(|(other, _)| *other == room).cloned().collect();
        for whose in all {
            while self.boxes.contains_key(&whose) {
                self.give_up(&whose);
            }
        }
    }

    fn give_up(&mut self, whose: &Whose) {
        let Some(waiting) = self.boxes.get_mut(whose) else { return };
        if let Some((_, letter)) = waiting.pop_front() {
            self.len -= 1;
            self.bytes -= letter.bytes();
            self.lost += 1;
        }
        if waiting.is_empty() {
            self.boxes.remove(whose);
        }
    }
}
