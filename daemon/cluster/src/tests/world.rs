//! The world: a network, a record, and nodes that fail, driven by one seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::node::{Load, Node, Truth};
use crate::beat::{self, Answer, Beat, Position, Root};
use crate::era::Era;
use crate::time::Millis;
use crate::words::{Act, Found, Heartbeat, Record};

const TOPICS: u8 = 3;

#[derive(Debug, Clone)]
pub(super) enum Message {
    Heartbeat(Heartbeat),
    Beat(Beat<Load>),
    Ask { after: Option<Position>, root: Option<Root> },
    Answer(Answer<Load>),
    Tell(Era, Option<beat::Node>),
}

#[derive(Debug, Clone)]
pub(super) enum Event {
    Deliver {
        from: usize,
        to: usize,
        life: u64,
        message: Message,
    },
    /// Every 50 ms of a node.
    Look {
        node: usize,
        life: u64,
        count: u64,
    },
    /// At the record.
    Read {
        node: usize,
        life: u64,
    },
    Swap {
        node: usize,
        life: u64,
        revision: u64,
        record: Record,
    },
    /// Back from the record.
    Found {
        node: usize,
        life: u64,
        found: Option<Found>,
    },
    Swapped {
        node: usize,
        life: u64,
        done: bool,
    },
    Misfortune,
}

/// How bad it is.
#[derive(Debug, Clone, Copy)]
pub struct Odds {
    pub lose: f64,
    pub repeat: f64,
    pub late: f64,
    /// Of the record's acknowledged writes, so many are lost.
    pub forget: f64,
}

pub struct World {
    pub now: Millis,
    pub nodes: Vec<Node>,
    pub truth: Truth,
    pub(super) lives: Vec<u64>,
    pub(super) chance: Xoshiro256PlusPlus,
    odds: Odds,
    events: BinaryHeap<Reverse<(Millis, u64)>>,
    bodies: BTreeMap<u64, Event>,
    count: u64,
    /// From whom to whom nothing gets through; the last is the record.
    pub(super) cut: Vec<Vec<bool>>,
    record: Option<Record>,
    revision: u64,
    pub(super) calm: bool,
    quiet: bool,
    values: u64,
    pub takings: u64,
    pub handed: u64,
    pub recovered: u64,
}

impl World {
    pub fn new(seed: u64, odds: Odds) -> World {
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let edge = chance.random_bool(0.2);
        World::of(&[("a", true), ("b", true), ("c", true), ("d", !edge)], chance, odds)
    }

    /// Nodes by name, and whether each may hold. One that may not is an edge.
    pub fn of(names: &[(&str, bool)], chance: Xoshiro256PlusPlus, odds: Odds) -> World {
        let node = |(name, may_hold): &(&str, bool)| {
            Node::new(beat::Node { name: (*name).into(), life: 0 }, *may_hold, None, 0)
        };
        let nodes: Vec<Node> = names.iter().map(node).collect();
        let size = nodes.len() + 1;
        let mut world = World {
            now: 0,
            truth: Truth::new(),
            lives: vec![0; nodes.len()],
            nodes,
            chance,
            odds,
            events: BinaryHeap::new(),
            bodies: BTreeMap::new(),
            count: 0,
            cut: vec![vec![false; size]; size],
            record: None,
            revision: 0,
            calm: false,
            quiet: false,
            values: 0,
            takings: 0,
            handed: 0,
            recovered: 0,
        };
        for node in 0..world.nodes.len() {
            let at = world.chance.random_range(0..500);
            world.plan(at, Event::Look { node, life: 0, count: 0 });
        }
        world.plan(1_000, Event::Misfortune);
        world
    }

    pub(super) fn plan(&mut self, delay: Millis, event: Event) {
        self.count += 1;
        self.events.push(Reverse((self.now + delay, self.count)));
        self.bodies.insert(self.count, event);
    }

    pub fn run(&mut self, until: Millis) {
        while let Some(Reverse((at, id))) = self.events.peek().copied() {
            if at > until {
                break;
            }
            self.events.pop();
            self.now = at;
            let Some(event) = self.bodies.remove(&id) else { continue };
            self.happen(event);
        }
        self.now = until;
    }

    /// No more misfortune, and all is mended.
    pub fn heal(&mut self) {
        self.calm = true;
        self.odds = Odds { lose: 0.0, repeat: 0.0, late: 0.0, forget: 0.0 };
        self.cut.iter_mut().flatten().for_each(|cut| *cut = false);
        let now = self.now;
        self.nodes.iter_mut().for_each(|node| node.paused_until = node.paused_until.min(now));
    }

    /// The holder says nothing more, so that all can catch up.
    pub fn hush(&mut self) {
        self.quiet = true;
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut[from][to]
    }

    fn send(&mut self, from: usize, to: usize, message: &Message) {
        let times = if self.chance.random_bool(self.odds.repeat) { 2 } else { 1 };
        for _ in 0..times {
            if self.is_cut(from, to) || self.chance.random_bool(self.odds.lose) {
                continue;
            }
            let late = self.chance.random_bool(self.odds.late);
            let delay =
                if late { self.chance.random_range(10..4_000) } else { self.chance.random_range(1..4) };
            self.plan(delay, Event::Deliver { from, to, life: self.lives[to], message: message.clone() });
        }
    }

    fn spread(&mut self, from: usize, message: &Message) {
        (0..self.nodes.len()).filter(|to| *to != from).for_each(|to| self.send(from, to, message));
    }

    fn happen(&mut self, event: Event) {
        let (Event::Deliver { to: node, life, .. }
        | Event::Look { node, life, .. }
        | Event::Found { node, life, .. }
        | Event::Swapped { node, life, .. }) = event
        else {
            return self.happen_outside(event);
        };
        if self.lives[node] != life {
            return;
        }
        let paused = self.nodes[node].paused_until;
        if paused > self.now {
            return self.plan(paused - self.now, event);
        }
        let now = self.now;
        match event {
            Event::Deliver { from, message, .. } => self.deliver(from, node, message),
            Event::Look { count, .. } => self.look(node, count),
            Event::Found { found, .. } => self.nodes[node].part.read(found, now),
            Event::Swapped { done, .. } => self.nodes[node].part.swapped(done, now),
            _ => {}
        }
        self.settle(node);
    }

    fn happen_outside(&mut self, event: Event) {
        let record = self.nodes.len();
        match event {
            Event::Read { node, life } => {
                let answered = !self.is_cut(record, node) && !self.chance.random_bool(self.odds.lose);
                let found = Some(Found { revision: self.revision, record: self.record.clone() });
                if answered {
                    let delay = self.chance.random_range(1..20);
                    self.plan(delay, Event::Found { node, life, found });
                }
            }
            Event::Swap { node, life, revision, record: wanted } => {
                let done = revision == self.revision;
                if done && !self.chance.random_bool(self.odds.forget) {
                    self.revision += 1;
                    self.record = Some(wanted);
                }
                if !self.is_cut(record, node) && !self.chance.random_bool(self.odds.lose) {
                    let delay = self.chance.random_range(1..20);
                    self.plan(delay, Event::Swapped { node, life, done });
                }
            }
            Event::Misfortune => self.misfortune(),
            _ => {}
        }
    }

    fn deliver(&mut self, from: usize, to: usize, message: Message) {
        let (now, by) = (self.now, self.nodes[from].name.clone());
        let node = &mut self.nodes[to];
        match message {
            Message::Heartbeat(heartbeat) => node.part.heard(&heartbeat, now),
            Message::Beat(beat) => node.part.hear(beat, now),
            Message::Tell(era, holder) => node.part.told(era, holder.as_ref(), now),
            Message::Answer(answer) => node.part.answered(&by, answer, now),
            Message::Ask { after, root } => {
                let beats = node.part.after(after.as_ref(), root.as_ref()).map(Answer::Beats);
                let board = Load { ticks: Vec::new(), board: Some(node.board.clone()) };
                if let Some(answer) = beats.or_else(|| node.part.whole(board)) {
                    self.send(to, from, &Message::Answer(answer));
                }
            }
        }
    }

    fn look(&mut self, index: usize, count: u64) {
        let now = self.now;
        self.nodes[index].part.look(now);
        if count.is_multiple_of(10) {
            let mut heartbeat = self.nodes[index].part.heartbeat(now);
            heartbeat.is_edge = !self.nodes[index].may_hold;
            self.spread(index, &Message::Heartbeat(heartbeat));
        }
        if count.is_multiple_of(4) && self.nodes[index].runs && !self.quiet {
            self.beat(index, None);
        }
        let life = self.lives[index];
        self.plan(50, Event::Look { node: index, life, count: count + 1 });
    }

    /// A beat of the holder; with a taker it is the last.
    fn beat(&mut self, index: usize, to: Option<usize>) {
        let now = self.now;
        let topics: Vec<_> = (0..TOPICS).filter(|_| self.calm || self.chance.random_bool(0.6)).collect();
        let topics: Vec<_> = topics
            .into_iter()
            .map(|topic| {
                self.values += 1;
                (topic, self.values)
            })
            .collect();
        let taker = to.map(|to| self.nodes[to].name.clone());
        let node = &mut self.nodes[index];
        let Some(next) = node.part.numbers() else { return };
        let load = node.number(&next.0, next.1, &topics, &mut self.truth);
        let beat = match taker {
            Some(taker) => node.part.hand_over(load, taker, now),
            None => node.part.beat(load, now),
        };
        if let Some(beat) = beat {
            self.spread(index, &Message::Beat(beat));
        }
    }

    /// Does what is to be done, and applies what can be applied.
    fn settle(&mut self, index: usize) {
        loop {
            self.act(index);
            let Some((beat, joint)) = self.nodes[index].part.next(self.now) else { return };
            self.nodes[index].apply(&beat, joint, &self.truth);
        }
    }

    fn act(&mut self, index: usize) {
        let life = self.lives[index];
        for act in self.nodes[index].part.acts() {
            let record = self.nodes.len();
            let reaches = !self.is_cut(index, record) && !self.chance.random_bool(self.odds.lose);
            let late = self.chance.random_bool(self.odds.late);
            let delay =
                if late { self.chance.random_range(50..6_000) } else { self.chance.random_range(1..20) };
            match act {
                Act::Read if reaches => self.plan(delay, Event::Read { node: index, life }),
                Act::Swap { revision, record } if reaches => {
                    self.plan(delay, Event::Swap { node: index, life, revision, record });
                }
                Act::Read | Act::Swap { .. } => {}
                Act::Begin { floor } => {
                    self.takings += 1;
                    let node = &mut self.nodes[index];
                    (node.runs, node.floor) = (true, floor);
                }
                Act::End => self.nodes[index].runs = false,
                Act::Ask { node, after, root } => {
                    let to = self.nodes.iter().position(|other| other.name == node);
                    if let Some(to) = to.filter(|to| *to != index) {
                        self.send(index, to, &Message::Ask { after, root });
                    }
                }
                // The servers let no edge say it.
                Act::Tell { .. } if !self.nodes[index].may_hold => {}
                Act::Tell { era, holder } => self.spread(index, &Message::Tell(era, holder)),
            }
        }
    }

    /// The process stands still for so long.
    pub fn stop(&mut self, index: usize, long: Millis) {
        self.nodes[index].paused_until = self.now + long;
    }

    pub fn hand_over(&mut self, holder: usize, to: usize) {
        self.handed += 1;
        self.beat(holder, Some(to));
        self.settle(holder);
    }

    pub fn index(&self, name: &str) -> usize {
        self.nodes.iter().position(|node| &*node.name.name == name).unwrap()
    }

    /// A client leaves one node and comes back at another.
    pub fn visit(&mut self) {
        let (from, to) =
            (self.chance.random_range(0..self.nodes.len()), self.chance.random_range(0..self.nodes.len()));
        let topic = self.chance.random_range(0..TOPICS);
        let here = &self.nodes[from];
        let (Some((_, root)), Some((seq, value))) = (here.part.at(), here.board.get(&topic)) else { return };
        let there = &self.nodes[to];
        let Some(given) = there.since(root, topic, *seq) else { return };
        if *seq > root.era.floor() || root.era == Era::NONE {
            let said = self.truth.get(&(root.clone(), topic, *seq));
            assert!(said.is_none_or(|said| said == value), "the same position means something else");
        }
        let newest = there.board.get(&topic).map_or(0, |(seq, _)| *seq);
        let range = (root.clone(), topic, seq + 1)..=(root.clone(), topic, newest.max(*seq + 1));
        let truth: Vec<u64> =
            self.truth.range(range).map(|((_, _, seq), _)| *seq).filter(|seq| *seq <= newest).collect();
        assert_eq!(given, truth, "recovered, but not whole");
        self.recovered += 1;
    }

    /// Who holds it.
    pub fn holders(&self) -> Vec<(&str, Era)> {
        self.nodes.iter().filter_map(|node| Some((&*node.name.name, node.part.holds()?))).collect()
    }
}
