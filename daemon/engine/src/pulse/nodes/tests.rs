//! The pulse in a cluster, turn by turn.

mod arrivals;
mod rooms;

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::{IntCounter, IntGauge, Registry};
use tokio::sync::mpsc;

use super::super::*;
use super::*;
use crate::exchange::beat::Beat;
use crate::exchange::nodes::{Join, Reign};
use crate::exchange::question::{Downlink, Uplink};
use tickerd_cluster::load::{Change as ChangeWord, Load, Tick as TickWord, Topic as TopicWord};
use tickerd_model::bars::plan::Plan;
use tickerd_model::health::FeedState;
use tickerd_model::protocol::rate::Tiers;
use tickerd_model::sample::Class;
use tickerd_model::source::{Group, Source};
use tickerd_model::tick::Tick;
use tickerd_model::tier::Tier;
use tickerd_model::topic::Topic;

const F: SourceId = SourceId(0);
const G: SourceId = SourceId(1);
const ERA: u64 = 1 << 32;
/// The feeds' interval, in milliseconds.
const STEP: u64 = 1;
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3_600);

/// A node with the feeds `f` and `g`, and one shard.
struct Node {
    pulse: Pulse,
    nodes: Nodes,
    says: mpsc::Receiver<PulseSays>,
    lanes: [Arc<Lane>; 2],
    beats: mpsc::Receiver<Downlink>,
    uplink: Uplink,
}

fn source(id: SourceId, epoch: &str) -> Arc<Source> {
    let name = if id == F { "f" } else { "g" };
    let tiers = Tiers::new(Duration::from_millis(STEP), &[]);
    Arc::new(Source::feed(id, name, tiers, &Arc::new(Group { epoch: epoch.into() })))
}

impl Node {
    fn new(join: Duration) -> Node {
        Node::named("a", join)
    }

    fn named(me: &str, join: Duration) -> Node {
        let registry = Registry::new();
        let bell = Arc::new(Bell::default());
        let (nodes, says, port) = NodePort::new(&bell, me, join);
        let mut outlet = Outlet::new(IntCounter::new("behind", "Beats.").unwrap());
        let (down, beats) = mpsc::channel(4_096);
        let (uplink, asked) = Uplink::new(Arc::new(|| {}));
        outlet.add(down, asked);
        let limits = Limits { count: 100, age: LONG, bytes: 1 << 20 };
        let bars = Bars::new(Plan::new(Vec::new()), 0);
        let (_, enquiries) = mpsc::channel(1);
        let parts = Parts {
            past: Past { limits, restored: Vec::new(), n: 0, writer: None, bars },
            stats: Stats::new(IntGauge::new("clients", "Clients.").unwrap()),
            enquiries: Enquiries::new(enquiries),
            outlet,
            bell,
            metrics: Metrics::new(&registry).unwrap(),
            nodes: Some(port),
        };
        let lanes = [F, G].map(|_| Arc::new(Lane::new(1_024, Box::new(|| {}))));
        let opening = |id: SourceId, lane: &Arc<Lane>| Opening {
            source: source(id, "none"),
            lane: Some(lane.clone()),
            bars: FeedBars::Off,
            max_age: None,
            rooms: Vec::new(),
        };
        let openings = vec![opening(F, &lanes[0]), opening(G, &lanes[1]), rooms::opening()];
        Node { pulse: Pulse::new(openings, parts), nodes, says, lanes, beats, uplink }
    }

    fn hold(&mut self, era: u64, whole: bool) {
        let reign = Reign { era, floor: era * ERA, whole };
        self.nodes.order(NodeOrder::Hold { source: source(F, &format!("{era}")), reign });
    }

    fn say(&self, topic: &Topic, value: &str) {
        let (topic, value) = (topic.clone(), value.as_bytes().into());
        self.lanes[0].push(Tick { topic, seq: 0, n: 0, ts: 5, src_ts: 0, from: None, value, merged: 0 });
    }

    /// Turns until it says something.
    fn said(&mut self) -> PulseSays {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            if let Ok(said) = self.says.try_recv() {
                return said;
            }
            assert!(Instant::now() < until, "it says nothing");
            self.pulse.turn();
        }
    }

    fn load(&mut self) -> Load {
        match self.said() {
            PulseSays::Beat { load, .. } => load,
            other => panic!("{other:?}"),
        }
    }

    fn accept(&mut self, id: SourceId, load: &Load, join: Join, epoch: Option<&str>) {
        let (source, load) = (epoch.map(|epoch| source(id, epoch)), Arc::new(load.clone()));
        self.nodes.order(NodeOrder::Accept { id, source, load, join });
        self.pulse.turn();
    }

    /// What the shard got, beat by beat.
    fn beats(&mut self) -> Vec<Arc<Beat>> {
        let mut beats = Vec::new();
        while let Ok(said) = self.beats.try_recv() {
            if let Downlink::Beat(beat) = said {
                beats.push(beat);
            }
        }
        beats
    }

    /// Topic and number of each tick that clients of every tick got.
    fn ticks(&mut self) -> Vec<(String, u64)> {
        let of = |beat: &Arc<Beat>| {
            let every = beat.due.iter().filter(|due| due.tier == Tier::Every);
            let frames = every.flat_map(|due| due.frames());
            frames.map(|frame| (frame.tick().topic.name().to_owned(), frame.tick().seq)).collect::<Vec<_>>()
        };
        self.beats().iter().flat_map(of).collect()
    }

    fn since(&self, name: &str, seq: u64) -> Option<Vec<u64>> {
        let frames = self.pulse.board.since(name, seq)?;
        Some(frames.iter().map(|frame| frame.tick().seq).collect())
    }
}

fn topic(name: &str) -> Topic {
    Topic::new(name, "quote", Class::State)
}

fn tick(name: &str, seq: u64) -> TickWord {
    let value = tickerd_cluster::wire::Bytes(b"1".as_slice().into());
    TickWord { topic: name.into(), seq, ts: 5, value, ..TickWord::default() }
}

fn added(name: &str) -> ChangeWord {
    ChangeWord::Added(TopicWord { name: name.into(), kind: "quote".into(), is_event: false })
}

#[test]
fn a_follower_has_what_the_holder_has_and_goes_on_where_it_stopped() {
    let (mut a, mut b) = (Node::new(Duration::ZERO), Node::new(Duration::ZERO));
    let x = topic("f.x");
    a.say(&x, "0");
    a.pulse.turn();
    assert!(a.ticks().is_empty(), "nobody numbers it yet");
    a.hold(1, true);
    let first = a.load();
    assert_eq!(first.whole.as_ref().map(Vec::len), Some(0));
    assert_eq!(first.about.as_ref().map(|about| (about.interval_ms, &*about.bars)), Some((1, "false")));
    b.accept(F, &first, Join::Begins { floor: ERA }, Some("1"));
    a.say(&x, "1");
    a.say(&x, "1");
    let second = a.load();
    assert_eq!((second.changes.len(), second.ticks.len(), second.about.is_some()), (1, 2, false));
    b.accept(F, &second, Join::Next, None);
    let expected = vec![("f.x".to_owned(), ERA + 1), ("f.x".to_owned(), ERA + 2)];
    a.pulse.turn();
    assert_eq!((a.ticks(), b.ticks()), (expected.clone(), expected));
    // A load is lost, and the whole board comes instead.
    a.say(&x, "2");
    a.load();
    a.nodes.order(NodeOrder::Whole { source: F, ask: 7 });
    let PulseSays::Whole { ask: 7, load: whole, .. } = a.said() else { panic!("no whole board") };
    b.accept(F, &whole, Join::Whole, None);
    let (ticks, since) = (b.ticks(), b.since("f.x", 0));
    assert_eq!(ticks, [("f.x".to_owned(), ERA + 3)], "its past had what was lost, so nothing is reset");
    assert_eq!(since, Some(vec![ERA + 1, ERA + 2, ERA + 3]));
    // A hand-over: numbers go on, also those of the feed's next life.
    a.say(&x, "3");
    a.nodes.order(NodeOrder::Last { source: F });
    let PulseSays::Beat { load: last, is_last: true, greatest_seq, .. } = a.said() else {
        panic!("not the last")
    };
    assert_eq!((last.ticks.len(), greatest_seq), (1, ERA + 4));
    b.accept(F, &last, Join::Next, None);
    b.hold(1, false);
    let taken = b.load();
    assert_eq!((taken.whole.is_some(), taken.changes.len()), (false, 1));
    a.accept(F, &taken, Join::Next, None);
    b.say(&topic("f.x"), "4");
    let next = b.load();
    assert_eq!((next.changes.len(), next.ticks[0].seq), (0, ERA + 5), "it is the same topic");
    a.accept(F, &next, Join::Next, None);
    b.pulse.turn();
    assert_eq!(
        (a.since("f.x", ERA + 3), b.since("f.x", ERA + 3)),
        (Some(vec![ERA + 4, ERA + 5]), Some(vec![ERA + 4, ERA + 5]))
    );
}

#[test]
fn an_unclean_taking_numbers_above_its_floor_and_keeps_the_past() {
    let (mut a, mut b) = (Node::new(Duration::ZERO), Node::new(Duration::ZERO));
    a.hold(1, true);
    let first = a.load();
    b.accept(F, &first, Join::Begins { floor: ERA }, Some("1"));
    let x = topic("f.x");
    a.say(&x, "1");
    let load = a.load();
    b.accept(F, &load, Join::Next, None);
    b.hold(2, true);
    let begins = b.load();
    assert_eq!(b.pulse.directory.epoch_of("f.x"), Some("2"));
    assert_eq!(b.since("f.x", ERA + 1), Some(vec![]), "nothing of these numbers was missed");
    // What waits at the one before is never told.
    a.say(&x, "9");
    a.nodes.order(NodeOrder::Yield { source: F });
    a.accept(F, &begins, Join::Begins { floor: 2 * ERA }, Some("2"));
    a.ticks();
    b.say(&topic("f.x"), "2");
    let next = b.load();
    a.accept(F, &next, Join::Next, None);
    assert_eq!(a.ticks(), [("f.x".to_owned(), 2 * ERA + 1)]);
    assert_eq!(a.since("f.x", 0), Some(vec![2 * ERA + 1]));
    let id = a.pulse.board.find("f.x").unwrap();
    assert_eq!(a.pulse.board.history().newest(id, 9).count(), 2, "the past before can still be read");
}

#[test]
fn feeds_of_one_instant_are_one_beat_and_a_lone_one_never_waits() {
    let mut node = Node::new(LONG);
    let begins = Load { whole: Some(Vec::new()), ..Load::default() };
    node.accept(F, &begins, Join::Begins { floor: ERA }, Some("1"));
    let load = |name: &str, ts, seq| Load {
        ts,
        changes: vec![added(name)],
        ticks: vec![tick(name, seq)],
        ..Load::default()
    };
    node.beats();
    node.accept(F, &load("f.x", 1_000, ERA + 1), Join::Next, None);
    assert_eq!(node.ticks().len(), 1, "nothing was heard of the other yet");
    node.accept(G, &begins, Join::Begins { floor: ERA }, Some("1"));
    node.beats();
    node.accept(F, &load("f.x", 2_000, ERA + 2), Join::Next, None);
    assert_eq!(node.ticks().len(), 1, "the other has nothing to say");
    node.accept(G, &load("g.x", 2_000, ERA + 1), Join::Next, None);
    node.pulse.turn();
    node.beats();
    node.accept(F, &load("f.x", 2_000 + STEP, ERA + 3), Join::Next, None);
    node.pulse.turn();
    assert!(node.beats().is_empty(), "the other is due too");
    assert!(node.pulse.nap() <= NAP_MAX);
    node.accept(G, &load("g.x", 2_000 + STEP, ERA + 2), Join::Next, None);
    let beats: Vec<usize> = node.beats().iter().map(|beat| beat.due.len()).filter(|due| *due > 0).collect();
    assert_eq!(beats, [2]);
    // A later instant ends the wait.
    node.accept(F, &load("f.x", 2_000 + 2 * STEP, ERA + 4), Join::Next, None);
    node.accept(F, &load("f.x", 2_000 + 3 * STEP, ERA + 5), Join::Next, None);
    assert_eq!(node.ticks(), [("f.x".to_owned(), ERA + 4)]);
    // So does the end of the other.
    node.nodes.order(NodeOrder::Absent { source: G, reason: "gone".into() });
    node.pulse.turn();
    assert_eq!(node.ticks(), [("f.x".to_owned(), ERA + 5)]);
}

#[test]
fn what_is_not_sound_is_told_and_nothing_more_is_applied_until_the_whole_board() {
    let mut node = Node::new(Duration::ZERO);
    let begins = Load { whole: Some(Vec::new()), ..Load::default() };
    node.accept(F, &begins, Join::Begins { floor: ERA }, Some("1"));
    let ticks = vec![tick("f.x", ERA + 2), tick("f.x", ERA + 2), tick("f.x", ERA + 3)];
    node.accept(F, &Load { changes: vec![added("f.x")], ticks, ..Load::default() }, Join::Next, None);
    match node.said() {
        PulseSays::Broken { source: F, why, dropped: 2 } => {
            assert_eq!(why, "f.x: a tick's seq is not above the one before");
        }
        other => panic!("{other:?}"),
    }
    node.accept(F, &Load { ticks: vec![tick("f.x", ERA + 9)], ..Load::default() }, Join::Next, None);
    node.accept(G, &Load { changes: vec![added("f.y")], ..Load::default() }, Join::Next, None);
    assert!(matches!(node.said(), PulseSays::Broken { source: G, dropped: 0, .. }), "another feed's topic");
    assert_eq!(node.ticks(), [("f.x".to_owned(), ERA + 2)]);
    let mut holder = Node::new(Duration::ZERO);
    holder.hold(1, true);
    holder.load();
    holder.say(&topic("f.x"), "1");
    holder.load();
    holder.nodes.order(NodeOrder::Whole { source: F, ask: 1 });
    let PulseSays::Whole { load, .. } = holder.said() else { panic!("no whole board") };
    node.accept(F, &load, Join::Whole, None);
    node.accept(F, &Load { ticks: vec![tick("f.x", ERA + 9)], ..Load::default() }, Join::Next, None);
    assert_eq!(node.ticks(), [("f.x".to_owned(), ERA + 9)]);
    node.accept(F, &Load::default(), Join::Whole, None);
    assert!(matches!(node.said(), PulseSays::Broken { source: F, .. }), "it has no whole board");
}

#[test]
fn a_reign_whose_loads_find_no_room_is_lost_and_clients_go_on() {
    let mut node = Node::new(Duration::ZERO);
    node.hold(1, true);
    for since in 0..=crate::exchange::nodes::WAITING_MAX as u64 {
        node.lanes[0].report(Health { state: FeedState::Up, since, reason: String::new() });
        node.pulse.turn();
    }
    node.beats();
    assert!(node.pulse.nap() <= RETRY);
    let mut loads = 0;
    while let Ok(said) = node.says.try_recv() {
        assert!(matches!(said, PulseSays::Beat { .. }), "{said:?}");
        loads += 1;
    }
    assert_eq!(loads, crate::exchange::nodes::WAITING_MAX);
    node.say(&topic("f.x"), "1");
    assert!(matches!(node.said(), PulseSays::Lost { source: F, era: 1 }));
    let until = Instant::now() + Duration::from_secs(20);
    while node.ticks().is_empty() {
        assert!(Instant::now() < until, "clients get nothing");
        node.pulse.turn();
    }
    assert!(node.says.try_recv().is_err(), "no load of a reign that is lost");
}

#[test]
fn a_feed_without_a_holder_is_down_and_stale_and_comes_back_as_it_was() {
    let mut node = Node::new(Duration::ZERO);
    let up = tickerd_cluster::load::Health { state: "up".into(), since: 3, reason: "".into() };
    let begins = Load { whole: Some(Vec::new()), health: Some(up), ..Load::default() };
    node.accept(F, &begins, Join::Begins { floor: ERA }, Some("1"));
    let load = Load { changes: vec![added("f.x")], ticks: vec![tick("f.x", ERA + 1)], ..Load::default() };
    node.accept(F, &load, Join::Next, None);
    node.beats();
    node.nodes.order(NodeOrder::Absent { source: F, reason: "no node holds it".into() });
    node.pulse.turn();
    let seen = |node: &mut Node| {
        let beats = node.beats();
        let health: Vec<_> =
            beats.iter().flat_map(|beat| &beat.health).map(|(_, h)| (h.state, h.reason.clone())).collect();
        let stale: Vec<_> =
            beats.iter().flat_map(|beat| &beat.aged).map(|aged| aged.stale.is_some()).collect();
        (health, stale)
    };
    assert_eq!(seen(&mut node), (vec![(FeedState::Down, "no node holds it".to_owned())], vec![true]));
    node.accept(F, &Load::default(), Join::Next, None);
    assert_eq!(seen(&mut node), (vec![(FeedState::Up, String::new())], vec![false]));
}

#[test]
fn how_bars_are_configured_is_written_and_read() {
    let of = |field: &str, volume: Option<&str>| FeedBars::Field {
        field: field.into(),
        volume: volume.map(str::to_owned),
    };
    for bars in [FeedBars::Auto, FeedBars::Off, of("price", None), of("", Some("size"))] {
        assert_eq!(words::bars(&words::bars_word(&bars)), bars);
    }
    assert_eq!((words::bars("{"), words::bars("{}")), (FeedBars::Off, FeedBars::Off));
}
