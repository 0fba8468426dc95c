//! A shard's patterns, each kept once, and the cohorts that ask for them.
//!
//! They are a tree of segments, so that a topic that appears finds its patterns without a look at the others: it visits at
//! most two branches per segment, `*` and its own, and the `**` that end on its way.

use super::ids::{CohortId, PatternId};
use std::collections::HashMap;
use tickerd_model::basics::slab::Slab;
use tickerd_model::slab_key;
use tickerd_model::topic::Pattern;

slab_key!(
    /// Number of a node of the tree.
    NodeId
);

#[derive(Debug)]
struct Entry {
    pattern: Pattern,
    cohorts: Vec<CohortId>,
    /// How many topics it matches, once someone has counted.
    count: Option<usize>,
}

/// A place in the tree: the segments on the way to it are the beginning of a pattern.
#[derive(Debug, Default)]
struct Node {
    below: HashMap<Box<str>, NodeId>,
    /// The pattern that ends here.
    ends: Option<PatternId>,
}

/// The patterns that cohorts ask for.
#[derive(Debug)]
pub struct Patterns {
    entries: Slab<PatternId, Entry>,
    by_text: HashMap<Pattern, PatternId>,
    nodes: Slab<NodeId, Node>,
    root: NodeId,
}

impl Default for Patterns {
    fn default() -> Patterns {
        let mut nodes = Slab::default();
        let root = nodes.insert(Node::default());
        Patterns { entries: Slab::default(), by_text: HashMap::new(), nodes, root }
    }
}

impl Patterns {
    /// The pattern of a number.
    pub fn get(&self, id: PatternId) -> Option<&Pattern> {
        self.entry(id).map(|entry| &entry.pattern)
    }

    /// The number of a pattern, if any cohort asks for it.
    pub fn find(&self, pattern: &Pattern) -> Option<PatternId> {
        self.by_text.get(pattern).copied()
    }

    /// How many topics it matches, if that was counted.
    pub fn count(&self, id: PatternId) -> Option<usize> {
        self.entry(id)?.count
    }

    /// Keeps how many topics it matches; [`Patterns::recount`] follows what changes.
    pub fn set_count(&mut self, id: PatternId, count: usize) {
        self.entry_mut(id).into_iter().for_each(|entry| entry.count = Some(count));
    }

    /// A topic appeared, or is gone.
    pub fn recount(&mut self, topic: &str, came: bool) {
        for id in self.matching(topic) {
            if let Some(count) = self.entry_mut(id).and_then(|entry| entry.count.as_mut()) {
                *count = if came { *count + 1 } else { count.saturating_sub(1) };
            }
        }
    }

    /// The number of a pattern; follow with an edit that asks for it, or [`Patterns::release`].
    pub fn intern(&mut self, pattern: &Pattern) -> PatternId {
        if let Some(id) = self.find(pattern) {
            return id;
        }
        let id = self.entries.insert(Entry { pattern: pattern.clone(), cohorts: Vec::new(), count: None });
        self.by_text.insert(pattern.clone(), id);
        let end = pattern.as_str().split('.').fold(self.root, |node, segment| self.below(node, segment));
        if let Some(node) = self.nodes.held_mut(end) {
            node.ends = Some(id);
        }
        id
    }

    /// Frees a pattern that no cohort asks for.
    pub fn release(&mut self, id: PatternId) {
        if self.entries.get(id).is_some_and(|entry| entry.cohorts.is_empty())
            && let Some(entry) = self.entries.remove(id)
        {
            self.by_text.remove(&entry.pattern);
            self.cut(self.root, entry.pattern.as_str());
        }
    }

    /// A cohort asks for it from now on.
    pub fn join(&mut self, id: PatternId, cohort: CohortId) {
        self.entry_mut(id).into_iter().for_each(|entry| entry.cohorts.push(cohort));
    }

    /// A cohort does not ask for it any more.
    pub fn part(&mut self, id: PatternId, cohort: CohortId) {
        self.entry_mut(id).into_iter().for_each(|entry| entry.cohorts.retain(|other| *other != cohort));
    }

    /// The cohorts that ask for a pattern which `topic` matches, each with that pattern; one may come several times.
    pub fn asking(&self, topic: &str) -> impl Iterator<Item = (CohortId, PatternId)> {
        let matching = self.matching(topic).into_iter().filter_map(|id| Some((id, self.entry(id)?)));
        matching.flat_map(|(id, entry)| entry.cohorts.iter().map(move |cohort| (*cohort, id)))
    }

    /// The patterns that `topic` matches.
    fn matching(&self, topic: &str) -> Vec<PatternId> {
        let mut found = Vec::new();
        let mut here = vec![self.root];
        for segment in topic.split('.') {
            let mut next = Vec::with_capacity(2 * here.len());
            for node in here.iter().filter_map(|node| self.nodes.held(*node)) {
                let rest = node.below.get("**").and_then(|end| self.nodes.held(*end)?.ends);
                found.extend(rest);
                next.extend(["*", segment].iter().filter_map(|segment| node.below.get(*segment)));
            }
            here = next;
        }
        found.extend(here.iter().filter_map(|node| self.nodes.held(*node)?.ends));
        // What the tree does not know: some topics are meant only by patterns that name them.
        found.retain(|id| self.get(*id).is_some_and(|pattern| pattern.matches(topic)));
        found
    }

    fn entry(&self, id: PatternId) -> Option<&Entry> {
        self.entries.held(id)
    }

    fn entry_mut(&mut self, id: PatternId) -> Option<&mut Entry> {
        self.entries.held_mut(id)
    }

    /// The node below another, made if need be.
    fn below(&mut self, node: NodeId, segment: &str) -> NodeId {
        let below = self.nodes.held(node).and_then(|node| node.below.get(segment));
        if let Some(below) = below {
            return *below;
        }
        let new = self.nodes.insert(Node::default());
        if let Some(node) = self.nodes.held_mut(node) {
            node.below.insert(segment.into(), new);
        }
        new
    }

    /// Takes a pattern out below `node`, with the nodes that nothing else needs; whether `node` is one of them.
    fn cut(&mut self, node: NodeId, rest: &str) -> bool {
        let (segment, rest) = match rest.split_once('.') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        let below = self.nodes.held(node).and_then(|node| node.below.get(segment)).copied();
        let Some(below) = below else { return false };
        let is_free = match (rest, self.nodes.held_mut(below)) {
            (Some(rest), _) => self.cut(below, rest),
            (None, Some(end)) => {
                end.ends = None;
                end.below.is_empty()
            }
            (None, None) => false,
        };
        let Some(here) = self.nodes.held_mut(node) else { return false };
        if is_free {
            here.below.remove(segment);
            self.nodes.remove(below);
        }
        let here = self.nodes.held(node);
        node != self.root && here.is_some_and(|here| here.below.is_empty() && here.ends.is_none())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use tickerd_model::basics::slab::Key;

    const PATTERNS: [&str; 12] = [
        "**",
        "*",
        "*.**",
        "a.**",
        "a.*",
        "*.b",
        "a.b.**",
        "a.b.*",
        "*.*.c",
        "a.*.c",
        "tickerd.**",
        "*.stats",
    ];
    const TOPICS: [&str; 8] = ["a", "b", "a.b", "b.b", "a.b.c", "b.b.c.d", "tickerd.stats", "a.stats"];

    proptest! {
        #[test]
        fn a_topic_finds_the_patterns_that_it_matches(toggled in prop::collection::vec(0..PATTERNS.len(), 0..40)) {
            let (mut patterns, mut there): (Patterns, BTreeSet<usize>) = Default::default();
            for at in toggled {
                let pattern = Pattern::parse(PATTERNS[at]).unwrap();
                let id = patterns.intern(&pattern);
                if there.remove(&at) {
                    patterns.part(id, CohortId::new(at as u32));
                    patterns.release(id);
                    prop_assert_eq!(patterns.find(&pattern), None);
                } else {
                    patterns.join(id, CohortId::new(at as u32));
                    there.insert(at);
                }
            }
            for topic in TOPICS {
                let mut found: Vec<usize> = patterns.asking(topic).map(|(at, _)| at.place() as usize).collect();
                found.sort_unstable();
                let matching = |at: &usize| Pattern::parse(PATTERNS[*at]).unwrap().matches(topic);
                let all: Vec<usize> = there.iter().copied().filter(matching).collect();
                prop_assert_eq!(found, all, "{}", topic);
            }
            for at in there {
                let id = patterns.intern(&Pattern::parse(PATTERNS[at]).unwrap());
                patterns.part(id, CohortId::new(at as u32));
                patterns.release(id);
            }
            prop_assert_eq!(patterns.nodes.len(), 1, "only the root is left");
            prop_assert!(patterns.nodes.values().all(|node| node.below.is_empty() && node.ends.is_none()));
        }
    }

    /// Of all patterns of eight segments, literal or `*`, every topic matches some, and 2,048 more that it does not match cost
    /// it nothing.
    #[test]
    fn a_topic_looks_at_few_patterns() {
        let mut patterns = Patterns::default();
        for n in 0..2048 {
            let id = patterns.intern(&Pattern::parse(&format!("*.*.*.n{n}")).unwrap());
            patterns.join(id, CohortId::new(n));
        }
        let id = patterns.intern(&Pattern::parse("g.**").unwrap());
        patterns.join(id, CohortId::new(9999));
        assert_eq!(patterns.matching("g.a.b.n77").len(), 2);
        assert_eq!(patterns.matching("g.a.b.m").len(), 1);
    }
}
