//! Which nodes are heard, who says that they hold the feed, and who says that nobody does.

use std::collections::BTreeMap;

use crate::beat::Node;
use crate::era::Era;
use crate::time::Millis;
use crate::words::Heartbeat;

/// Nobody has been heard after this: four heartbeats.
pub const SILENCE: Millis = 2_000;
/// More nodes than any cluster has. Further names are not noted.
const NODES_MAX: usize = 1_024;
/// A node that was not heard for this long is forgotten.
const FORGET: Millis = 60_000;

#[derive(Debug, Clone)]
struct Seen {
    at: Millis,
    /// It says that it hears no holder.
    misses: bool,
    may_hold: bool,
    is_edge: bool,
}

#[derive(Debug, Default)]
pub struct Roll {
    others: BTreeMap<Node, Seen>,
    /// Who said last that they hold it, and when.
    holder: Option<(Era, Node, Millis)>,
}

impl Roll {
    pub fn heard(&mut self, heartbeat: &Heartbeat, now: Millis) {
        let Heartbeat { node, misses, may_hold, is_edge, .. } = heartbeat;
        // A process that ended has no say any more; and nobody has two.
        self.others.retain(|other, _| other.name != node.name || other == node);
        if self.others.len() >= NODES_MAX && !self.others.contains_key(node) {
            self.others.retain(|_, seen| now.saturating_sub(seen.at) <= FORGET);
            if self.others.len() >= NODES_MAX {
                return;
            }
        }
        let seen = Seen { at: now, misses: *misses, may_hold: *may_hold, is_edge: *is_edge };
        self.others.insert(node.clone(), seen);
    }

    pub fn holds(&mut self, era: Era, node: &Node, now: Millis) {
        self.holder = Some((era, node.clone(), now));
    }

    pub fn holder(&self, now: Millis) -> Option<&Node> {
        self.holder.as_ref().filter(|(_, _, at)| now.saturating_sub(*at) < SILENCE).map(|(_, node, _)| node)
    }

    /// Who was heard last to hold it, and when.
    pub fn last_holder(&self) -> Option<(&Node, Millis)> {
        self.holder.as_ref().map(|(_, node, at)| (node, *at))
    }

    fn live(&self, now: Millis) -> impl Iterator<Item = (&Node, &Seen)> {
        self.others.iter().filter(move |(_, seen)| now.saturating_sub(seen.at) < SILENCE)
    }

    /// Whether most of those who are heard miss the holder. The asking node is one of them, and misses it. So two that do not hear
    /// each other do not both hold what a third hears. `edges`: whether edges are asked too.
    pub fn most_miss(&self, edges: bool, now: Millis) -> bool {
        let asked = self.live(now).filter(|(_, seen)| edges || !seen.is_edge);
        let (all, missing) =
            asked.fold((1, 1), |(all, missing), (_, seen)| (all + 1, missing + usize::from(seen.misses)));
        missing * 2 > all
    }

    /// Whether a node that is heard, and is no edge, hears a holder or is one.
    pub fn is_holder_heard(&self, now: Millis) -> bool {
        self.live(now).any(|(_, seen)| !seen.is_edge && !seen.misses)
    }

    /// How many of the nodes that are heard, and that may hold the feed, are to try before this one.
    pub fn rank(&self, feed: &str, me: &Node, is_listed: impl Fn(&Node) -> bool, now: Millis) -> u64 {
        let mine = weight(feed, &me.name);
        let able = self.live(now).filter(|(node, seen)| seen.may_hold && is_listed(node));
        let before = able.filter(|(node, _)| (weight(feed, &node.name), *node) < (mine, me));
        before.count().try_into().unwrap_or(u64::MAX)
    }

    /// The first of the nodes that are heard, may hold the feed, and are meant.
    pub fn first(&self, feed: &str, is_meant: impl Fn(&Node) -> bool, now: Millis) -> Option<Node> {
        let able = self.live(now).filter(|(node, seen)| seen.may_hold && is_meant(node));
        able.map(|(node, _)| node).min_by_key(|node| (weight(feed, &node.name), *node)).cloned()
    }
}

/// Another order of the nodes for each feed, the same on all nodes (FNV-1a, then mixed).
pub fn weight(feed: &str, node: &str) -> u64 {
    let bytes = feed.bytes().chain([0]).chain(node.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_spread_over_the_nodes() {
        let nodes = ["a", "b", "c"];
        let first = |feed: &str| *nodes.iter().min_by_key(|node| weight(feed, node)).unwrap();
        let mut counts = BTreeMap::new();
        (0..300).for_each(|n| *counts.entry(first(&format!("feed{n}"))).or_insert(0) += 1);
        assert!(counts.values().all(|count| (60..140).contains(count)), "{counts:?}");
    }

    #[test]
    fn most_of_those_who_are_heard_must_miss_the_holder() {
        let mut roll = Roll::default();
        let mut heard = |name: &str, misses: bool, is_edge: bool| {
            let node = Node { name: name.into(), life: 0 };
            roll.heard(&Heartbeat { node, claim: None, misses, may_hold: !is_edge, is_edge }, 0);
            [true, false].map(|edges| roll.most_miss(edges, 0))
        };
        assert_eq!(heard("b", false, false), [false, false], "one of two");
        assert_eq!(heard("c", true, false), [true, true], "two of three");
        assert_eq!(heard("e", false, true), [false, true], "an edge, that is asked or not");
        assert_eq!(heard("d", true, false), [true, true], "three of five, with the edge");
        assert!(Roll::default().most_miss(true, 0), "alone");
        assert!(roll.most_miss(true, SILENCE), "the others are not heard any more");
    }
}
