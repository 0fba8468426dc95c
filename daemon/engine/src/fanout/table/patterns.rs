//! A shard's patterns, each kept once, and the cohorts that ask for them.
//!
//! They are a tree of segments, so that a topic that appears finds its patterns without a look at the others: it visits at
//! most two branches per segment, `*` and its own, and the `**` that end on its way.

use super::ids::{CohortId, PatternId};
use std::collections::HashMap;
use std::sync::Arc;
use tickerd_model::access::rights::{Rights, Verb};
use tickerd_model::basics::slab::Slab;
use tickerd_model::slab_key;
use tickerd_model::topic::Pattern;

slab_key!(
    /// Number of a node of the tree.
    NodeId
);

/// A pattern as someone asks for it. Where their rights hold only a part of what it can match, each topic is judged when it
/// comes to the pattern, which is never per tick.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    pattern: Pattern,
    /// None: all that it can match is granted, and it is shared by all who may have that.
    within: Option<Arc<Rights>>,
}

impl Scope {
    /// All that a pattern matches.
    pub fn whole(pattern: Pattern) -> Scope {
        Scope { pattern, within: None }
    }

    #[cfg(test)]
    pub fn of(text: &str) -> Scope {
        Scope::whole(Pattern::parse(text).unwrap())
    }

    /// What a pattern matches and these rights grant.
    pub fn within(pattern: Pattern, rights: &Arc<Rights>) -> Scope {
        Scope { pattern, within: Some(rights.clone()) }
    }

    /// The pattern, as it was asked for.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Whether a topic is in it.
    pub fn matches(&self, topic: &str) -> bool {
        self.pattern.matches(topic) && self.grants(topic)
    }

    /// Whether a topic that the pattern matches is in it.
    pub fn grants(&self, topic: &str) -> bool {
        self.within.as_ref().is_none_or(|rights| rights.allow(Verb::Subscribe, topic))
    }

    /// Whether it holds topics of a source, or could.
    pub fn reaches(&self, source: &str) -> bool {
        self.pattern.feed().is_none_or(|feed| feed == source)
            && self.within.as_ref().is_none_or(|rights| rights.reaches(Verb::Subscribe, source))
    }
}

#[derive(Debug)]
struct Entry {
    scope: Scope,
    cohorts: Vec<CohortId>,
    /// How many topics it matches, once someone has counted.
    count: Option<usize>,
}

/// A place in the tree: the segments on the way to it are the beginning of a pattern.
#[derive(Debug, Default)]
struct Node {
    below: HashMap<Box<str>, NodeId>,
    /// The patterns that end here: one, and one more for each of the rights that hold a part of it.
    ends: Vec<PatternId>,
}

/// The patterns that cohorts ask for.
#[derive(Debug)]
pub struct Patterns {
    entries: Slab<PatternId, Entry>,
    by_scope: HashMap<Scope, PatternId>,
    nodes: Slab<NodeId, Node>,
    root: NodeId,
}

impl Default for Patterns {
    fn default() -> Patterns {
        let mut nodes = Slab::default();
        let root = nodes.insert(Node::default());
        Patterns { entries: Slab::default(), by_scope: HashMap::new(), nodes, root }
    }
}

impl Patterns {
    /// The pattern of a number.
    pub fn get(&self, id: PatternId) -> Option<&Scope> {
        self.entry(id).map(|entry| &entry.scope)
    }

    /// The number of a pattern, if any cohort asks for it.
    pub fn find(&self, scope: &Scope) -> Option<PatternId> {
        self.by_scope.get(scope).copied()
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
    pub fn intern(&mut self, scope: &Scope) -> PatternId {
        if let Some(id) = self.find(scope) {
            return id;
        }
        let id = self.entries.insert(Entry { scope: scope.clone(), cohorts: Vec::new(), count: None });
        self.by_scope.insert(scope.clone(), id);
        let segments = scope.pattern.as_str().split('.');
        let end = segments.fold(self.root, |node, segment| self.below(node, segment));
        if let Some(node) = self.nodes.held_mut(end) {
            node.ends.push(id);
        }
        id
    }

    /// Frees a pattern that no cohort asks for.
    pub fn release(&mut self, id: PatternId) {
        if self.entries.get(id).is_some_and(|entry| entry.cohorts.is_empty())
            && let Some(entry) = self.entries.remove(id)
        {
            self.by_scope.remove(&entry.scope);
            self.cut(self.root, entry.scope.pattern.as_str(), id);
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
                let rest = node.below.get("**").and_then(|end| self.nodes.held(*end));
                found.extend(rest.into_iter().flat_map(|end| &end.ends));
                next.extend(["*", segment].iter().filter_map(|segment| node.below.get(*segment)));
            }
            here = next;
        }
        found.extend(here.iter().filter_map(|node| self.nodes.held(*node)).flat_map(|node| &node.ends));
        // What the tree does not know: some topics are meant only by patterns that name them, and rights.
        found.retain(|id| self.get(*id).is_some_and(|scope| scope.matches(topic)));
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
    fn cut(&mut self, node: NodeId, rest: &str, id: PatternId) -> bool {
        let (segment, rest) = match rest.split_once('.') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        let below = self.nodes.held(node).and_then(|node| node.below.get(segment)).copied();
        let Some(below) = below else { return false };
        let is_free = match (rest, self.nodes.held_mut(below)) {
            (Some(rest), _) => self.cut(below, rest, id),
            (None, Some(end)) => {
                end.ends.retain(|other| *other != id);
                end.ends.is_empty() && end.below.is_empty()
            }
            (None, None) => false,
        };
        let Some(here) = self.nodes.held_mut(node) else { return false };
        if is_free {
            here.below.remove(segment);
            self.nodes.remove(below);
        }
        let here = self.nodes.held(node);
        node != self.root && here.is_some_and(|here| here.below.is_empty() && here.ends.is_empty())
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

    /// Each pattern, and then each once more for one who may have a part.
    fn scope(at: usize) -> Scope {
        let pattern = Pattern::parse(PATTERNS[at % PATTERNS.len()]).unwrap();
        if at < PATTERNS.len() {
            return Scope::whole(pattern);
        }
        let mut rights = Rights::none();
        rights.grant(Verb::Subscribe, Pattern::parse("a.**").unwrap());
        rights.deny(Pattern::parse("a.b.c").unwrap());
        Scope::within(pattern, &Arc::new(rights))
    }

    proptest! {
        #[test]
        fn a_topic_finds_the_patterns_that_it_matches(toggled in prop::collection::vec(0..2 * PATTERNS.len(), 0..60)) {
            let (mut patterns, mut there): (Patterns, BTreeSet<usize>) = Default::default();
            for at in toggled {
                let pattern = scope(at);
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
                let matching = |at: &usize| scope(*at).matches(topic);
                let all: Vec<usize> = there.iter().copied().filter(matching).collect();
                prop_assert_eq!(found, all, "{}", topic);
            }
            for at in there {
                let id = patterns.intern(&scope(at));
                patterns.part(id, CohortId::new(at as u32));
                patterns.release(id);
            }
            prop_assert_eq!(patterns.nodes.len(), 1, "only the root is left");
            prop_assert!(patterns.nodes.values().all(|node| node.below.is_empty() && node.ends.is_empty()));
        }
    }

    /// Of all patterns of eight segments, literal or `*`, every topic matches some, and 2,048 more that it does not match cost
    /// it nothing.
    #[test]
    fn a_topic_looks_at_few_patterns() {
        let mut patterns = Patterns::default();
        for n in 0..2048 {
            let id = patterns.intern(&Scope::of(&format!("*.*.*.n{n}")));
            patterns.join(id, CohortId::new(n));
        }
        let id = patterns.intern(&Scope::of("g.**"));
        patterns.join(id, CohortId::new(9999));
        assert_eq!(patterns.matching("g.a.b.n77").len(), 2);
        assert_eq!(patterns.matching("g.a.b.m").len(), 1);
    }
}
