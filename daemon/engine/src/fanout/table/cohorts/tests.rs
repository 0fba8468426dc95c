//! Whatever is asked, left, spoken and retired, in any order: the wires are what a naive model says, both ends of each
//! know one another, and nothing is kept for nobody.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use tickerd_model::board::TopicId;
use tickerd_model::protocol::command::Mode;
use tickerd_model::protocol::rate::Tiers;
use tickerd_model::sample::Class;
use tickerd_model::source::{Group, Source, SourceId};
use tickerd_model::tier::Tier;
use tickerd_model::topic::{Pattern, Topic};

const TOPICS: [&str; 5] = ["f.a", "f.b", "f.c.d", "g.a", "g.b"];
const NAMES: [&str; 10] = ["f.a", "f.b", "f.c.d", "g.a", "g.b", "f.*", "**", "*.a", "g.**", "f.c.*"];
const RATES: [Option<Duration>; 3] = [None, Some(Duration::from_millis(500)), Some(Duration::from_secs(5))];
const MODES: [Mode; 2] = [Mode::Latest, Mode::All];
const MEMBERS: ConnId = 5;

#[derive(Debug, Clone)]
enum Op {
    /// The same as `Subscribe`, in turns.
    Begin(ConnId, Vec<usize>, usize, usize),
    Subscribe(ConnId, Vec<usize>, usize, usize),
    Unsubscribe(ConnId, Vec<usize>),
    Leave(ConnId),
    /// A turn of so many steps for the commands that wait, and for what is left of cohorts that are no more.
    Turn(usize),
    Appear(usize, bool),
    Vanish(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let names = || prop::collection::vec(0..NAMES.len(), 1..5);
    prop_oneof![
        4 => (0..MEMBERS, names(), 0..RATES.len(), 0..MODES.len())
            .prop_map(|(m, n, r, mode)| Op::Subscribe(m, n, r, mode)),
        3 => (0..MEMBERS, names(), 0..RATES.len(), 0..MODES.len())
            .prop_map(|(m, n, r, mode)| Op::Begin(m, n, r, mode)),
        2 => (0..MEMBERS, names()).prop_map(|(m, n)| Op::Unsubscribe(m, n)),
        1 => (0..MEMBERS).prop_map(Op::Leave),
        4 => (1..12usize).prop_map(Op::Turn),
        3 => (0..TOPICS.len(), any::<bool>()).prop_map(|(t, event)| Op::Appear(t, event)),
        2 => (0..TOPICS.len()).prop_map(Op::Vanish),
    ]
}

/// Neighbours are spoken to differently.
fn as_member(id: ConnId) -> Member {
    Member { id, encoding: if id.is_multiple_of(2) { Encoding::Json } else { Encoding::Sse } }
}

/// The shard's tables, and what they ought to say.
struct Bench {
    topics: Topics,
    cohorts: Cohorts,
    in_cohort: BTreeMap<ConnId, CohortId>,
    asked: BTreeMap<ConnId, BTreeMap<&'static str, Terms>>,
    spoken: BTreeMap<&'static str, Class>,
    /// What is asked for in turns.
    begun: BTreeMap<ConnId, Begun>,
}

#[derive(Clone)]
struct Begun {
    names: Vec<&'static str>,
    terms: Terms,
    held: Option<CohortId>,
}

fn tiers(topic: &str) -> Tiers {
    let second = Duration::from_secs(1);
    let own = if topic.starts_with('f') { Duration::from_millis(100) } else { second };
    Tiers::new(own, &[second, Duration::from_secs(5)])
}

impl Bench {
    fn new() -> Bench {
        let group = Arc::new(Group { epoch: "e".into() });
        let mut topics = Topics::default();
        for (id, name) in ["f", "g"].iter().enumerate() {
            topics.open(&Arc::new(Source::feed(SourceId(id as u32), name, tiers(name), &group)));
        }
        Bench {
            topics,
            cohorts: Cohorts::default(),
            in_cohort: BTreeMap::new(),
            asked: BTreeMap::new(),
            spoken: BTreeMap::new(),
            begun: BTreeMap::new(),
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            // Who waits for a command's turn is not listened to.
            Op::Begin(member, ..) | Op::Subscribe(member, ..) | Op::Unsubscribe(member, _)
                if self.begun.contains_key(member) => {}
            Op::Begin(member, names, rate, mode) => {
                let terms = Terms { rate: RATES[*rate], mode: MODES[*mode] };
                let names = names.iter().map(|at| NAMES[*at]).collect();
                self.begun.insert(*member, Begun { names, terms, held: None });
            }
            Op::Turn(steps) => self.turn(*steps),
            Op::Subscribe(member, names, rate, mode) => {
                let terms = Terms { rate: RATES[*rate], mode: MODES[*mode] };
                let names: Vec<&'static str> = names.iter().map(|at| NAMES[*at]).collect();
                let edits = self.edits_for(&names, terms);
                self.edit(*member, &edits, |asked| asked.extend(names.iter().map(|name| (*name, terms))));
            }
            Op::Unsubscribe(member, names) => {
                let asked = self.asked.get(member).cloned().unwrap_or_default();
                let names: Vec<_> =
                    names.iter().map(|at| NAMES[*at]).filter(|n| asked.contains_key(n)).collect();
                let what = |name: &&str| match Pattern::is_pattern(name) {
                    true => What::Pattern(self.cohorts.patterns.find(&Scope::of(name)).unwrap()),
                    false => What::Exact(self.topics.find(name).unwrap()),
                };
                let edits: Vec<Edit> = names.iter().map(what).map(Edit::Clear).collect();
                self.edit(*member, &edits, |asked| asked.retain(|name, _| !names.contains(name)));
            }
            Op::Leave(member) => {
                self.asked.remove(member);
                if let Some(held) = self.begun.remove(member).and_then(|begun| begun.held) {
                    self.cohorts.let_go(&mut self.topics, held);
                }
                if let Some(cohort) = self.in_cohort.remove(member) {
                    self.cohorts.leave(&mut self.topics, *member, cohort);
                }
            }
            Op::Appear(at, event) => {
                let name = TOPICS[*at];
                if !self.spoken.contains_key(name) {
                    let class = if *event { Class::Event } else { Class::State };
                    let slot =
                        self.topics.appear(TopicId(*at as u32), &Topic::new(name, "q", class)).unwrap();
                    self.cohorts.appear(&mut self.topics, slot);
                    self.spoken.insert(name, class);
                }
            }
            Op::Vanish(at) => {
                if self.spoken.remove(TOPICS[*at]).is_some() {
                    let slot = self.topics.vanish(TopicId(*at as u32)).unwrap();
                    self.cohorts.vanish(&mut self.topics, slot);
                }
            }
        }
    }

    fn edits_for(&mut self, names: &[&'static str], terms: Terms) -> Vec<Edit> {
        let mut what = |name: &'static str| match Pattern::is_pattern(name) {
            true => What::Pattern(self.cohorts.patterns.intern(&Scope::of(name))),
            false => What::Exact(self.topics.intern(name).unwrap()),
        };
        names.iter().map(|name| Edit::Set(Ask { what: what(name), terms })).collect()
    }

    /// What waits goes on, as far as so many steps go.
    fn turn(&mut self, steps: usize) {
        let mut effort = Effort::of(steps);
        self.cohorts.bury(&mut self.topics, &mut effort);
        for (member, mut begun) in self.begun.clone() {
            let edits = self.edits_for(&begun.names, begun.terms);
            let from = self.in_cohort.get(&member).copied();
            let Bench { cohorts, topics, .. } = self;
            let is_whole =
                cohorts.prepare(topics, as_member(member), from, &edits, &mut begun.held, &mut effort);
            if !is_whole {
                self.begun.insert(member, begun);
                continue;
            }
            let terms = begun.terms;
            self.edit(member, &edits, |asked| asked.extend(begun.names.iter().map(|name| (*name, terms))));
            if let Some(held) = begun.held {
                self.cohorts.let_go(&mut self.topics, held);
            }
            self.begun.remove(&member);
        }
        // The least that is done at once: a wire of a cohort of all patterns, or a look at all topics.
        assert!(
            effort.spent() <= steps.max(1 + NAMES.len() - TOPICS.len()),
            "{} steps of {steps}",
            effort.spent()
        );
    }

    fn edit(
        &mut self,
        member: ConnId,
        edits: &[Edit],
        change: impl FnOnce(&mut BTreeMap<&'static str, Terms>),
    ) {
        let before = self.ought(member);
        change(self.asked.entry(member).or_default());
        let now = self.ought(member);
        // A slot that goes with the edit has no name any more.
        let known: BTreeMap<SlotId, &str> =
            TOPICS.iter().filter_map(|name| Some((self.topics.find(name)?, *name))).collect();
        let from = self.in_cohort.remove(&member);
        let (to, moved) = self.cohorts.edit(&mut self.topics, as_member(member), from, edits);
        self.in_cohort.extend(to.map(|to| (member, to)));
        let moved: BTreeMap<&str, _> = moved.iter().map(|m| (known[&m.slot], (m.before, m.now))).collect();
        let tiers = |name: &&'static str| (*name, (before.get(name).copied(), now.get(name).copied()));
        let ought: BTreeMap<&str, _> = TOPICS.iter().map(tiers).filter(|(_, (b, n))| b != n).collect();
        assert_eq!(moved, ought);
    }

    /// The naive answer: which topics a member gets, and at which tier.
    fn ought(&self, member: ConnId) -> BTreeMap<&'static str, Tier> {
        let Some(asked) = self.asked.get(&member) else { return BTreeMap::new() };
        let tier = |topic: &'static str| {
            let class = self.spoken.get(topic);
            let grant = |terms: &Terms| match (class, terms.mode) {
                (Some(Class::Event), _) | (_, Mode::All) => Tier::Every,
                _ => Tier::Newest(tiers(topic).grant(terms.rate)),
            };
            let matching = asked.iter().filter(|(name, _)| {
                class.is_some() && Pattern::is_pattern(name) && Pattern::parse(name).unwrap().matches(topic)
            });
            match asked.get(topic) {
                Some(terms) => Some(grant(terms)),
                None => {
                    let granted: Vec<Tier> = matching.map(|(_, terms)| grant(terms)).collect();
                    let all = granted.iter().find(|tier| **tier == Tier::Every);
                    all.or(granted.iter().min()).copied()
                }
            }
        };
        TOPICS.iter().filter_map(|topic| Some((*topic, tier(topic)?))).collect()
    }

    fn check(&self) {
        for member in 0..MEMBERS {
            let cohort = self.in_cohort.get(&member).map(|id| self.cohorts.get(*id).unwrap());
            let wires: BTreeMap<&str, Tier> = cohort
                .iter()
                .flat_map(|c| &c.wires)
                .map(|wire| (&*self.topics.slot(wire.slot).unwrap().name, wire.tier))
                .collect();
            assert_eq!(wires, self.ought(member), "what member {member} gets");
            assert_eq!(wires.len(), cohort.map_or(0, |c| c.wires.len()), "each topic once");
            let asks: BTreeMap<&str, _> = cohort
                .iter()
                .flat_map(|c| c.asks())
                .map(|ask| match ask.what {
                    What::Exact(slot) => (&*self.topics.slot(slot).unwrap().name, ask.terms),
                    What::Pattern(id) => {
                        (self.cohorts.patterns.get(id).unwrap().pattern().as_str(), ask.terms)
                    }
                })
                .collect();
            assert_eq!(asks, self.asked.get(&member).cloned().unwrap_or_default(), "what {member} asked");
        }
        self.check_cohorts();
        self.check_slots();
    }

    fn check_cohorts(&self) {
        let (mut members, mut asks) = (0, HashSet::new());
        for (id, cohort) in self.cohorts.iter() {
            if self.cohorts.dead.contains(&id) {
                assert!(cohort.members.is_empty() && cohort.asks.is_empty());
                self.check_wires(id, cohort);
                continue;
            }
            let holders = self.begun.values().filter(|begun| begun.held == Some(id)).count();
            assert_eq!(cohort.awaited as usize, holders);
            assert!(!cohort.members.is_empty() || holders > 0, "nobody is in cohort {id:?}");
            assert!(cohort.building.is_none() || cohort.members.is_empty(), "who is in it gets all of it");
            assert!(cohort.members.iter().all(|member| self.in_cohort.get(member) == Some(&id)));
            let alike = cohort.members.iter().all(|member| as_member(*member).encoding == cohort.encoding);
            assert!(alike, "all are spoken to as their cohort is");
            let both = (cohort.encoding, cohort.asks.clone());
            assert!(asks.insert(both), "two cohorts ask the same in the same encoding");
            assert!(cohort.asks.is_sorted_by_key(|ask| ask.what));
            let parts = cohort.asks.iter().map(|ask| self.cohorts.hash(ask));
            let key = parts.fold(self.cohorts.hash(cohort.encoding), u128::wrapping_add);
            assert_eq!(cohort.key, key, "the key is that of what is asked");
            assert_eq!(self.cohorts.by_key[&key].iter().filter(|other| **other == id).count(), 1);
            let streams = cohort.wires.iter().filter(|wire| wire.tier == Tier::Every).count();
            assert_eq!(streams, cohort.streams);
            members += cohort.members.len();
            self.check_wires(id, cohort);
        }
        assert_eq!(members, self.in_cohort.len());
        assert_eq!(asks.len(), self.cohorts.count());
        let every = asks.iter().flat_map(|(_, asks)| asks).filter(|ask| ask.terms.mode == Mode::All).count();
        assert_eq!(every, self.cohorts.every.load(Ordering::Relaxed));
        assert_eq!(self.cohorts.by_key.values().map(Vec::len).sum::<usize>(), asks.len());
    }

    fn check_wires(&self, id: CohortId, cohort: &Cohort) {
        for (at, wire) in cohort.wires.iter().enumerate() {
            let tier = self.topics.slot(wire.slot).unwrap().tier(wire.tier).unwrap();
            let tap = tier.taps[wire.tap as usize];
            assert_eq!((tap.cohort, tap.wire as usize), (id, at), "the tap at the wire's other end");
        }
    }

    fn check_slots(&self) {
        let wires: usize = self.cohorts.iter().map(|(_, cohort)| cohort.wires.len()).sum();
        let mut taps = 0;
        for name in TOPICS {
            let naming = |cohort: &Cohort| {
                let found = self.topics.find(name);
                found.is_some_and(|slot| cohort.terms(What::Exact(slot)).is_some())
            };
            let asked = self.cohorts.iter().filter(|(_, cohort)| naming(cohort)).count();
            let slot = self.topics.find(name).map(|id| self.topics.slot(id).unwrap());
            let tapped = slot.map_or(0, |slot| slot.all_tiers().map(|tier| tier.taps.len()).sum::<usize>());
            let is_needed = asked > 0 || self.spoken.contains_key(name) || tapped > 0;
            assert_eq!(slot.is_some(), is_needed, "{name} has a slot");
            let Some(slot) = slot else { continue };
            assert_eq!(slot.asked as usize, asked, "{name} is asked for");
            taps += tapped;
        }
        assert_eq!(taps, wires, "each tap has its wire");
        for name in NAMES.into_iter().filter(|name| Pattern::is_pattern(name)) {
            let pattern = Scope::of(name);
            let kept = self.cohorts.patterns.find(&pattern);
            let asks = self.cohorts.iter().flat_map(|(_, cohort)| cohort.asks());
            let wanted = asks.into_iter().any(|ask| Some(ask.what) == kept.map(What::Pattern));
            assert_eq!(kept.is_some(), wanted, "{name} is kept");
            let count = self.spoken.keys().filter(|topic| pattern.matches(topic)).count();
            let counted = kept.and_then(|id| self.cohorts.patterns.count(id));
            assert!(
                counted.is_none_or(|counted| counted == count),
                "{name} matches {count}, not {counted:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn wires_are_what_was_asked(ops in prop::collection::vec(op(), 1..60)) {
        let mut bench = Bench::new();
        for op in &ops {
            bench.apply(op);
            bench.check();
        }
        // Each takes two turns at most: to wait no more, and to be cleared away.
        (0..2).for_each(|_| bench.turn(usize::MAX));
        bench.check();
        prop_assert!(bench.begun.is_empty() && !bench.cohorts.has_dead());
        let asked = bench.asked.values().filter(|asked| !asked.is_empty()).count();
        prop_assert_eq!(bench.in_cohort.len(), asked);
        prop_assert!(bench.cohorts.iter().all(|(_, cohort)| !cohort.members.is_empty()));
    }
}

/// A rate that only an event topic could be granted, and then the topic comes back as a state topic.
#[test]
fn who_named_a_topic_keeps_it_through_any_change() {
    let mut bench = Bench::new();
    let slot = bench.topics.appear(TopicId(0), &Topic::new("f.a", "q", Class::Event)).unwrap();
    let terms = Terms { rate: Some(Duration::from_secs(3600)), mode: Mode::Latest };
    let ask = Edit::Set(Ask { what: What::Exact(slot), terms });
    let (cohort, _) = bench.cohorts.edit(&mut bench.topics, as_member(0), None, &[ask]);
    let tier = |bench: &Bench| bench.cohorts.get(cohort.unwrap()).unwrap().tier_of(slot);
    assert_eq!(tier(&bench), Some(Tier::Every));
    for (class, expected) in [(Class::State, Some(Tier::Newest(2))), (Class::Event, Some(Tier::Every))] {
        bench.topics.vanish(TopicId(0));
        bench.cohorts.vanish(&mut bench.topics, slot);
        bench.topics.appear(TopicId(0), &Topic::new("f.a", "q", class));
        bench.cohorts.appear(&mut bench.topics, slot);
        assert_eq!(tier(&bench), expected);
    }
}

/// Ten thousand topics through one pattern, asked for and left again and again: linear, or this takes minutes.
#[test]
fn a_pattern_over_many_topics_comes_and_goes_in_linear_time() {
    let mut bench = Bench::new();
    for at in 0..10_000 {
        bench.topics.appear(TopicId(at), &Topic::new(&format!("f.{at}"), "q", Class::State));
    }
    let pattern = Scope::of("**");
    let mut cohort = None;
    for round in 0..50 {
        let what = What::Pattern(bench.cohorts.patterns.intern(&pattern));
        let ask = |rate| Edit::Set(Ask { what, terms: Terms { rate, mode: Mode::Latest } });
        for (edit, wires) in [(ask(RATES[0]), 10_000), (ask(RATES[2]), 10_000), (Edit::Clear(what), 0)] {
            let moved;
            (cohort, moved) = bench.cohorts.edit(&mut bench.topics, as_member(0), cohort, &[edit]);
            assert_eq!(moved.len(), 10_000, "round {round}");
            assert_eq!(cohort.and_then(|id| bench.cohorts.get(id)).map_or(0, |c| c.wires.len()), wires);
        }
    }
}
