//! Feeds that push on arrival, and feeds that flood.

use super::*;
use tickerd_model::source::Pace;

/// A source that would not beat while any test runs.
fn slow(id: SourceId, pace: Pace) -> Arc<Source> {
    let tiers = Tiers::new(LONG, &[]);
    Arc::new(Source { pace, tiers, ..(*source(id, "1")).clone() })
}

fn hold(node: &mut Node, source: Arc<Source>) {
    node.nodes.order(NodeOrder::Hold { source, reign: Reign { era: 1, floor: ERA, whole: true } });
    node.load();
}

fn names(load: &Load) -> Vec<(&str, u64)> {
    load.ticks.iter().map(|tick| (&*tick.topic, tick.seq - ERA)).collect()
}

#[test]
fn a_holder_tells_values_as_they_come_and_its_followers_push_them_at_once() {
    let (mut a, mut b) = (Node::new(LONG), Node::new(LONG));
    a.nodes.order(NodeOrder::Hold {
        source: slow(F, Pace::Arrival),
        reign: Reign { era: 1, floor: ERA, whole: true },
    });
    let begins = a.load();
    assert!(begins.about.as_ref().is_some_and(|about| about.is_paced));
    let follow =
        |load: &Load, join, source| NodeOrder::Accept { id: F, source, load: Arc::new(load.clone()), join };
    b.nodes.order(follow(&begins, Join::Begins { floor: ERA }, Some(slow(F, Pace::Arrival))));
    b.pulse.turn();
    // Another feed has instants, and was heard of late.
    let others = Load { whole: Some(Vec::new()), ..Load::default() };
    b.accept(G, &others, Join::Begins { floor: ERA }, Some("1"));
    let other =
        |ts, seq| Load { ts, changes: vec![added("g.x")], ticks: vec![tick("g.x", seq)], ..Load::default() };
    b.accept(G, &other(1_000, ERA + 1), Join::Next, None);
    assert_eq!(b.ticks(), [("g.x".to_owned(), ERA + 1)], "it waits for no feed that has none");
    let (x, y) = (topic("f.x"), topic("f.y"));
    a.say(&x, "1");
    let first = a.load();
    assert_eq!(names(&first), [("f.x", 1)]);
    a.say(&x, "2");
    a.say(&y, "1");
    let second = a.load();
    assert_eq!(names(&second), [("f.y", 1)], "the other rests");
    for (load, name) in [(&first, "f.x"), (&second, "f.y")] {
        b.nodes.order(follow(load, Join::Next, None));
        b.pulse.turn();
        assert_eq!(b.ticks(), [(name.to_owned(), ERA + 1)]);
    }
    // The last of a reign has what waited.
    a.nodes.order(NodeOrder::Last { source: F });
    let PulseSays::Beat { load: last, is_last: true, .. } = a.said() else { panic!("not the last") };
    assert_eq!(names(&last), [("f.x", 2)]);
}

#[test]
fn what_comes_on_arrival_goes_with_the_instant_that_others_wait_for() {
    let mut node = Node::new(LONG);
    let begins = Load { whole: Some(Vec::new()), ..Load::default() };
    hold(&mut node, slow(F, Pace::Arrival));
    node.nodes.order(NodeOrder::Yield { source: F });
    let load = Arc::new(begins);
    let join = Join::Begins { floor: ERA };
    node.nodes.order(NodeOrder::Accept { id: F, source: Some(slow(F, Pace::Arrival)), load, join });
    node.pulse.turn();
    node.beats();
    // This node's own feed has beaten at an instant at which another one is due.
    let now = node.pulse.mono_us();
    node.pulse.nodes.as_mut().unwrap().join_own(now, G, 2_000);
    let load =
        |seq| Load { ts: 7, changes: vec![added("f.x")], ticks: vec![tick("f.x", seq)], ..Load::default() };
    for seq in [ERA + 1, ERA + 2] {
        let load = Arc::new(load(seq));
        let order = NodeOrder::Accept { id: F, source: None, load, join: Join::Next };
        let opens = node.pulse.opens_window(&order);
        let back = node.pulse.nodes.as_mut().unwrap().park(now, order, opens);
        assert_eq!((opens, back.is_none()), (false, seq == ERA + 1), "a second one ends the wait");
        let window = node.pulse.nodes.as_ref().unwrap().window.as_ref();
        assert_eq!(window.map(|window| window.heard.contains(&F)), Some(true));
    }
}

#[test]
fn a_lane_that_is_flooded_is_left_alone_between_the_feeds_own_beats() {
    let x = topic("f.x");
    let far = u64::MAX / 2;
    let leave_alone = |node: &mut Node| {
        node.pulse.sources.get_mut(&F).unwrap().emptied = far;
        node.lanes[0].set_flooded(true);
    };
    let mut node = Node::new(Duration::ZERO);
    hold(&mut node, slow(F, Pace::Beat));
    leave_alone(&mut node);
    node.say(&x, "1");
    node.pulse.turn();
    assert!(node.pulse.flooded_until.is_some(), "it is looked at again by then");
    node.lanes[0].set_flooded(false);
    node.pulse.turn();
    assert!(node.pulse.sources.get(&F).unwrap().emptied < far, "calm again, it is emptied at each turn");
    assert!(node.pulse.board.find("f.x").is_some());

    let mut node = Node::new(Duration::ZERO);
    hold(&mut node, source(F, "1"));
    leave_alone(&mut node);
    node.say(&x, "1");
    assert_eq!(names(&node.load()), [("f.x", 1)], "before its own beat it is emptied");
}
