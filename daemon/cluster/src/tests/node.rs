//! One node of the world: its part, its board, and what its clients would see.

use std::collections::BTreeMap;

use crate::beat::{self, Beat, Root};
use crate::follow::Joint;
use crate::part::Part;
use crate::time::Millis;
use crate::words::Settings;

pub type Topic = u8;
pub type Seq = u64;

/// What a beat carries: numbered ticks, and with the first beat of a root, or in an answer, the whole board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    pub ticks: Vec<(Topic, Seq, u64)>,
    pub board: Option<BTreeMap<Topic, (Seq, u64)>>,
}

/// Every number that was ever given, and to what.
pub type Truth = BTreeMap<(Root, Topic, Seq), u64>;

#[derive(Debug)]
pub struct Node {
    pub name: beat::Node,
    pub part: Part<Load>,
    pub runs: bool,
    pub floor: Seq,
    pub board: BTreeMap<Topic, (Seq, u64)>,
    /// The ticks since the last break, and the seq that they follow.
    pub ring: BTreeMap<Topic, (Seq, Vec<Seq>)>,
    /// Where the ring of a topic begins that has no tick yet.
    pub base: Seq,
    pub paused_until: Millis,
    pub may_hold: bool,
    pub resets: u64,
}

impl Node {
    pub fn new(name: beat::Node, may_hold: bool, past: Option<Root>, now: Millis) -> Node {
        let settings = Settings {
            feed: "sim".into(),
            me: name.clone(),
            nodes: None,
            may_hold,
            past,
            stored: crate::era::Era::NONE,
            kept: 400,
            weigh: |_| 1,
        };
        Node {
            name: name.clone(),
            part: Part::new(settings, now),
            runs: false,
            floor: 0,
            board: BTreeMap::new(),
            ring: BTreeMap::new(),
            base: 0,
            paused_until: 0,
            may_hold,
            resets: 0,
        }
    }

    /// Numbers ticks as the holder.
    pub fn number(&mut self, root: &Root, begins: bool, topics: &[(Topic, u64)], truth: &mut Truth) -> Load {
        let mut load = Load::default();
        if begins {
            load.board = Some(self.board.clone());
            self.restart(root.era.floor());
        }
        for (topic, value) in topics {
            let before = self.board.get(topic).map_or(0, |(seq, _)| *seq);
            let seq = before.max(self.floor) + 1;
            let twice = truth.insert((root.clone(), *topic, seq), *value);
            assert_eq!(twice, None, "{root:?} gave {seq} of topic {topic} twice");
            self.push(*topic, seq, *value);
            load.ticks.push((*topic, seq, *value));
        }
        load
    }

    fn restart(&mut self, base: Seq) {
        self.ring.clear();
        self.base = base;
    }

    fn push(&mut self, topic: Topic, seq: Seq, value: u64) {
        let base = self.base;
        self.board.insert(topic, (seq, value));
        self.ring.entry(topic).or_insert((base, Vec::new())).1.push(seq);
    }

    /// Applies a beat, and holds it to what clients rely on.
    pub fn apply(&mut self, beat: &Beat<Load>, joint: Joint, truth: &Truth) {
        let name = self.name.name.clone();
        assert!(!self.runs, "{name}: it applies {:?}, and has not ended yet", beat.head);
        let root = &beat.head.root;
        if joint != Joint::Next {
            self.resets += 1;
            self.restart(if joint == Joint::Begins { root.era.floor() } else { 0 });
            for (topic, (seq, value)) in beat.load.board.iter().flatten() {
                let mine = self.board.get(topic).map_or(0, |(seq, _)| *seq);
                if *seq >= mine {
                    self.board.insert(*topic, (*seq, *value));
                }
                if joint == Joint::Whole {
                    assert!(
                        *seq >= mine || root.era.floor() > mine,
                        "{name}: a whole board is behind: {seq} after {mine}"
                    );
                    self.ring.insert(*topic, (*seq, Vec::new()));
                }
            }
        }
        for (topic, seq, value) in &beat.load.ticks {
            if let Some((before, _)) = self.board.get(topic) {
                assert!(
                    seq > before,
                    "{name}: topic {topic} goes from {before} to {seq}, {joint:?} {:?}",
                    beat.head
                );
            }
            let follows = self.ring.get(topic).map(|(base, seqs)| seqs.last().copied().unwrap_or(*base));
            if let Some(follows) = follows.filter(|follows| *follows != 0) {
                let next = follows.max(root.era.floor()) + 1;
                assert_eq!(*seq, next, "{name}: a gap of topic {topic} was not told: {:?}", beat.head);
            }
            assert_eq!(truth.get(&(root.clone(), *topic, *seq)), Some(value), "{name}: not what was said");
            self.push(*topic, *seq, *value);
        }
    }

    /// What a client gets that comes with a position. `None`: not recovered.
    pub fn since(&self, root: &Root, topic: Topic, seq: Seq) -> Option<Vec<Seq>> {
        let (_, mine) = self.part.at()?;
        let newest = self.board.get(&topic)?.0;
        let (base, seqs) = self.ring.get(&topic)?;
        let known = mine == root && seq <= newest && (seq >= *base || *base == root.era.floor());
        known.then(|| seqs.iter().copied().filter(|given| *given > seq).collect())
    }
}
