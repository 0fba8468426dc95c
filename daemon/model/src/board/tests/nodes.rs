//! Boards of several nodes: one numbers the ticks, the others take them, and miss some.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 4] = ["f.a", "f.b", "f.c", "f.e"];
const ERA: u64 = 1 << 32;

fn class(name: &str) -> Class {
    if name == "f.e" { Class::Event } else { Class::State }
}

/// What a holder's beat tells the others.
#[derive(Default, Clone)]
struct Load {
    turns: Vec<Turn>,
    ticks: Vec<Arc<Frame>>,
}

struct Node {
    board: Board,
    /// By topic, what a client of the newest ticks has, and one of a slower tier.
    newest: BTreeMap<String, (u64, Vec<u8>)>,
    slow: BTreeMap<String, (u64, Vec<u8>)>,
    /// The greatest seq of each topic that any client was sent.
    greatest: BTreeMap<String, u64>,
    /// Missed a load.
    behind: bool,
}

impl Node {
    fn new() -> Node {
        let (newest, slow, greatest) = Default::default();
        Node { board: feed(2, false, MINUTE), newest, slow, greatest, behind: true }
    }

    /// Pushes what is due, as the pulse does. What was pushed.
    fn beat(&mut self) -> Vec<Arc<Frame>> {
        for change in self.board.take_changes() {
            if let Change::Removed(_) = change {
                let there = |name: &String, _: &mut _| self.board.find(name).is_some();
                self.newest.retain(there);
                self.slow.retain(there);
            }
        }
        let mut ticks = Vec::new();
        for due in pushed(&mut self.board, 0) {
            let tick = due.frame.tick();
            let name = tick.topic.name().to_owned();
            for frame in due.frames() {
                let greatest = self.greatest.entry(name.clone()).or_default();
                assert!(frame.tick().seq > *greatest, "{name}: {} after {greatest}", frame.tick().seq);
                *greatest = frame.tick().seq;
            }
            if due.is_newest {
                self.newest.insert(name, (tick.seq, tick.value.to_vec()));
            }
            ticks.extend(due.frames().cloned());
        }
        ticks
    }

    fn slow_beat(&mut self) {
        for due in pushed(&mut self.board, 1) {
            let tick = due.frame.tick();
            self.slow.insert(tick.topic.name().to_owned(), (tick.seq, tick.value.to_vec()));
        }
    }

    fn apply(&mut self, load: &Load) {
        for turn in &load.turns {
            match turn {
                Turn::Added(topic) => {
                    self.board.add(F, &Topic::new(topic.name(), topic.kind(), topic.class())).unwrap();
                }
                Turn::Removed(topic) => {
                    self.board.remove(F, topic.name()).unwrap();
                }
            }
        }
        for frame in &load.ticks {
            let Tick { topic, seq, merged, .. } = frame.tick();
            let topic = self.board.expect(F, topic.name(), *seq, *merged).unwrap().clone();
            self.board.accept(F, Tick { topic, n: 0, ..frame.tick().clone() }).unwrap();
        }
        self.beat();
    }

    fn replace(&mut self, other: &Node) -> usize {
        let anew = |topic: &Topic| Topic::new(topic.name(), topic.kind(), topic.class());
        let whole = other.board.whole(F).into_iter().map(|kept| {
            let tick = |frame: &Arc<Frame>| Tick { topic: anew(&kept.topic), ..frame.tick().clone() };
            let past = kept.past.iter().map(tick).collect();
            let newest = kept.newest.as_ref().map(tick);
            let Kept { seq, age, is_stale, floor, .. } = kept;
            Kept { topic: anew(&kept.topic), seq, age, is_stale, floor, past, newest }
        });
        let mut resets = Vec::new();
        self.board.replace(F, whole.collect(), other.board.top(F), &mut resets).unwrap();
        self.beat();
        self.behind = false;
        resets.len()
    }

    fn since(&self, name: &str, seq: u64) -> Option<Vec<u64>> {
        self.board.since(name, seq).map(|frames| frames.iter().map(|frame| frame.tick().seq).collect())
    }
}

#[derive(Debug, Clone)]
enum Op {
    Say {
        topic: usize,
        value: u8,
        merged: u64,
    },
    Retire(usize),
    /// Whether each of the others hears it.
    Beat([bool; 3]),
    Slow,
    Repair(usize),
    /// This node takes it with numbers of its own.
    Take(usize),
    /// This node goes on with the numbers.
    Hand(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let say =
        (0..NAMES.len(), 0..3u8, 0..3u64).prop_map(|(topic, value, merged)| Op::Say { topic, value, merged });
    prop_oneof![
        8 => say,
        1 => (0..NAMES.len()).prop_map(Op::Retire),
        6 => prop::array::uniform3(prop::bool::weighted(0.9)).prop_map(Op::Beat),
        2 => Just(Op::Slow),
        2 => (0..3usize).prop_map(Op::Repair),
        1 => (0..3usize).prop_map(Op::Take),
        1 => (0..3usize).prop_map(Op::Hand),
    ]
}

struct World {
    nodes: [Node; 3],
    holder: usize,
    floor: u64,
    /// What the feed of the node that holds calls its topics.
    topics: Vec<Topic>,
    /// By topic, all numbers that were pushed in these numbers.
    said: BTreeMap<&'static str, Vec<u64>>,
}

impl World {
    fn new() -> World {
        let nodes = [Node::new(), Node::new(), Node::new()];
        let mut world = World { nodes, holder: 0, floor: 0, topics: Vec::new(), said: BTreeMap::new() };
        world.take(0);
        world
    }

    fn take(&mut self, node: usize) {
        self.nodes[self.holder].board.leave(F);
        // What the one before pushed and this one never heard is lost with its numbers.
        (self.holder, self.floor) = (node, self.floor + ERA);
        self.said.clear();
        self.begin();
        for at in (0..3).filter(|at| *at != node) {
            self.nodes[at].board.begin(F, self.floor);
            self.repair(at);
        }
    }

    fn begin(&mut self) {
        let holder = &mut self.nodes[self.holder];
        holder.board.begin(F, self.floor);
        holder.board.hold(F);
        holder.behind = false;
        self.topics = NAMES.iter().map(|name| Topic::new(name, "q", class(name))).collect();
    }

    fn repair(&mut self, at: usize) {
        if at != self.holder {
            let (holder, other) = match self.nodes.get_disjoint_mut([self.holder, at]) {
                Ok([holder, other]) => (holder, other),
                Err(error) => panic!("{error}"),
            };
            other.replace(holder);
        }
    }

    fn beat(&mut self, heard: [bool; 3]) {
        let holder = &mut self.nodes[self.holder];
        let turns = holder.board.take_turns(F);
        let load = Load { turns, ticks: holder.beat() };
        for frame in &load.ticks {
            let name = NAMES.iter().find(|name| ***name == *frame.tick().topic.name()).unwrap();
            self.said.entry(name).or_default().push(frame.tick().seq);
        }
        for at in (0..3).filter(|at| *at != self.holder) {
            let node = &mut self.nodes[at];
            match heard[at] && !node.behind {
                true => node.apply(&load),
                false => node.behind = true,
            }
        }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Say { topic, value, merged } => {
                let tick = tick(&self.topics[topic], &value.to_string(), merged);
                self.nodes[self.holder].board.offer(F, tick);
            }
            Op::Retire(at) => {
                let name = NAMES[at];
                self.nodes[self.holder].board.retire(F, &self.topics[at]);
                // It comes back as another.
                self.topics[at] = Topic::new(name, "q", class(name));
            }
            Op::Beat(heard) => {
                self.beat(heard);
                self.check();
            }
            Op::Slow => self.nodes.iter_mut().for_each(Node::slow_beat),
            Op::Repair(at) => {
                self.beat([true; 3]);
                self.repair(at);
                self.check();
            }
            Op::Take(node) => {
                self.take(node);
                self.beat([true; 3]);
                self.check();
            }
            Op::Hand(node) => {
                self.beat([true; 3]);
                if !self.nodes[node].behind && node != self.holder {
                    self.nodes[self.holder].board.leave(F);
                    self.holder = node;
                    self.begin();
                    self.check();
                }
            }
        }
    }

    /// Nothing was said in these numbers, so each has what it heard of the holder before.
    fn is_old(&self, node: &Node, name: &str) -> bool {
        let seq = |node: &Node| node.newest.get(name).map_or(0, |(seq, _)| *seq);
        seq(node).max(seq(&self.nodes[self.holder])) <= self.floor
    }

    fn check(&self) {
        let holder = &self.nodes[self.holder];
        for node in &self.nodes {
            for name in NAMES {
                let said = self.said.get(name).map(Vec::as_slice).unwrap_or_default();
                for from in [self.floor].iter().chain(said) {
                    let after: Vec<u64> = said.iter().copied().filter(|seq| seq > from).collect();
                    let since = node.since(name, *from);
                    assert!(node.behind || since.is_none_or(|since| since == after), "{name} since {from}");
                }
                if node.behind {
                    continue;
                }
                assert_eq!(node.board.find(name).is_some(), holder.board.find(name).is_some(), "{name}");
                if !self.is_old(node, name) {
                    let value = |node: &Node| node.newest.get(name).map(|(_, value)| value.clone());
                    assert_eq!(value(node), value(holder), "{name}");
                }
                let past = |node: &Node| -> Vec<u64> {
                    let id = node.board.find(name);
                    let frames =
                        id.map(|id| node.board.history().newest(id, 3).map(|f| f.tick().seq).collect());
                    frames.unwrap_or_default()
                };
                let in_era =
                    |seqs: Vec<u64>| seqs.into_iter().filter(|seq| *seq > self.floor).collect::<Vec<_>>();
                // They may differ in what is older: a topic may have ended and come back while one heard nothing.
                let (has, had) = (in_era(past(node)), in_era(past(holder)));
                assert!(
                    has.is_empty() || had.is_empty() || has.last() == had.last(),
                    "{name}: {has:?}, {had:?}"
                );
                assert!(has.iter().all(|seq| said.contains(seq)), "{name}: {has:?} of {said:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn nodes_have_the_same_and_never_claim_what_they_missed(ops in prop::collection::vec(op(), 1..80)) {
        let mut world = World::new();
        ops.into_iter().for_each(|op| world.run(op));
        // A whole board is as of a beat.
        world.beat([true; 3]);
        (0..3).for_each(|at| world.repair(at));
        world.check();
        world.nodes.iter_mut().for_each(Node::slow_beat);
        for name in NAMES {
            let slow = |node: &Node| node.slow.get(name).map(|(_, value)| value.clone());
            let holder = &world.nodes[world.holder];
            for node in world.nodes.iter().filter(|node| !world.is_old(node, name)) {
                prop_assert_eq!(slow(node), slow(holder), "{}", name);
            }
        }
    }
}

#[test]
fn what_another_node_says_is_taken_only_if_it_is_sound() {
    let mut node = Node::new();
    node.board.begin(F, ERA);
    let a = topic("f.a");
    let say = |board: &mut Board, name: &str, seq, merged| {
        let topic = board.expect(F, name, seq, merged)?.clone();
        board.accept(F, Tick { seq, merged, ..tick(&topic, "1", 0) })
    };
    assert_eq!(say(&mut node.board, "f.a", ERA + 1, 0), Err(Unsound::NoTopic));
    assert_eq!(node.board.add(F, &topic("g.a")), Err(Unsound::Astray));
    node.board.add(F, &a).unwrap();
    assert_eq!(node.board.add(F, &topic("f.a")), node.board.add(F, &a));
    assert_eq!(node.board.add(F, &Topic::new("f.a", "q", Class::Event)), Err(Unsound::Changed));
    assert_eq!(say(&mut node.board, "f.a", ERA, 0), Err(Unsound::Back), "of the numbers before");
    assert_eq!(say(&mut node.board, "f.a", ERA + 2, 1), Ok(()));
    assert_eq!(say(&mut node.board, "f.a", ERA + 2, 0), Err(Unsound::Back));
    assert_eq!(say(&mut node.board, "f.a", ERA + 4, u64::MAX), Err(Unsound::Back));
    assert_eq!(node.beat().iter().map(|frame| frame.tick().seq).collect::<Vec<_>>(), [ERA + 2]);
    assert_eq!(node.since("f.a", 3), Some(vec![ERA + 2]), "all of these numbers");
    assert_eq!((node.since("f.new", ERA), node.since("f.a", ERA + 3)), (Some(vec![]), None));
}

#[test]
fn what_waits_when_a_node_leaves_is_dropped_and_its_numbers_are_free() {
    let mut node = Node::new();
    node.board.begin(F, ERA);
    node.board.hold(F);
    let (a, b) = (topic("f.a"), topic("f.b"));
    node.board.offer(F, tick(&a, "1", 0));
    node.beat();
    node.board.offer(F, tick(&a, "2", 0));
    node.board.offer(F, tick(&b, "1", 0));
    node.board.leave(F);
    assert!(node.beat().is_empty());
    node.board.hold(F);
    node.board.offer(F, tick(&topic("f.a"), "3", 0));
    assert_eq!(node.beat().iter().map(|frame| frame.tick().seq).collect::<Vec<_>>(), [ERA + 2]);
    // A source that is closed takes its topics with it, by whatever object its feed knows them.
    node.board.close(F);
    assert_eq!((node.board.find("f.a"), node.board.find("f.b"), node.board.count()), (None, None, 0));
}

#[test]
fn a_source_without_a_holder_is_stale_until_one_is_heard() {
    let mut board = feed(1, false, MINUTE);
    let (a, b, e) = (topic("f.a"), topic("f.b"), Topic::new("f.e", "q", Class::Event));
    for topic in [&a, &b, &e] {
        board.offer(F, tick(topic, "1", 0));
    }
    let aged = |board: &mut Board| {
        board.take_aged().iter().map(|aged| (aged.topic.0, aged.is_stale)).collect::<Vec<_>>()
    };
    board.desert(F);
    assert_eq!((aged(&mut board), board.stale(F)), (vec![(0, true), (1, true)], 2));
    board.offer(F, tick(&a, "2", 0));
    assert_eq!(aged(&mut board), [(0, false)]);
    board.undesert(F);
    assert_eq!((aged(&mut board), board.stale(F)), (vec![(1, false)], 0));
    board.undesert(F);
    assert_eq!(aged(&mut board), []);
}

/// The holder's past may begin below its floor: ticks of the numbers before are readable still.
#[test]
fn a_whole_board_that_comes_again_pushes_nothing_twice() {
    let mut world = World::new();
    let say = |topic| Op::Say { topic, value: 0, merged: 0 };
    let takings = [say(0), Op::Take(1), say(0), Op::Beat([false; 3]), Op::Take(1), Op::Take(0), say(1)];
    takings
        .into_iter()
        .chain((0..3).map(Op::Repair))
        .chain((0..3).map(Op::Repair))
        .for_each(|op| world.run(op));
}

/// Where a topic ended and came back while a node heard nothing, its past has a hole, which `since` and `reset` tell.
#[test]
fn a_topic_ends_and_comes_back_while_a_node_hears_nothing() {
    let mut world = World::new();
    let say = |topic| Op::Say { topic, value: 0, merged: 0 };
    let deaf = [false; 3];
    let unheard = [Op::Beat([false, false, true]), Op::Retire(3), say(3), Op::Beat(deaf)];
    let before = [say(3), Op::Hand(0), say(3)];
    let after = [say(0), Op::Repair(1), Op::Hand(1)];
    before.into_iter().chain(unheard).chain(after).for_each(|op| world.run(op));
}
