//! The loop's parts, without a server: what a node does with what it hears, and when.
#![cfg(feature = "cluster")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus::Registry;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::feed::Plugin;
use super::node::Node;
use super::said::Mouth;
use super::{Command, DRAIN_MAX, Feed, Keys, MOVE_MAX, Plugins, Settings, Standing};
use crate::exchange::nodes::{NodeOrder, PulseSays};
use tickerd_cluster::load::{About, Load, Tick};
use tickerd_cluster::wire::{Ask, Bytes, Heartbeat, Message, Presence, Said, Seen};
use tickerd_cluster::{Beat, Claim, Era, Found, Head, Millis, Node as Name, Position, Root};
use tickerd_model::protocol::rate::Tiers;
use tickerd_model::source::{Group, Kind, Source, SourceId};
use tickerd_nats::{Link, SignIn};

/// Plugins that begin at once, and end when they are told.
#[derive(Default)]
struct Hands {
    ends: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl Plugins for Hands {
    fn begin(&self, _: &str) {}
    fn end(&self, _: &str, ended: Box<dyn FnOnce() + Send>) {
        self.ends.lock().unwrap().push(ended);
    }
    fn hear(&self, _: &str, _: &str) {}
    fn hello(&self, _: &str) -> Option<Arc<str>> {
        None
    }
    fn open(&self, _: &str) -> Option<Feed> {
        None
    }
    fn close(&self, _: &Arc<Source>) -> bool {
        true
    }
    fn epoch(&self, _: &str) {}
    fn change(&self, _: &Arc<Source>) {}
    fn keys(&self) -> Option<Arc<dyn Keys>> {
        None
    }
    fn source(&self, known: &Arc<Source>, _: &About) -> Source {
        (**known).clone()
    }
}

type Orders = Arc<Mutex<Vec<NodeOrder>>>;

/// The node `a` with a feed `f` and a room `r`. No server is there.
async fn node() -> (Node, Orders) {
    let link = tickerd_nats::Settings {
        servers: vec!["nats://127.0.0.1:1".to_owned()],
        cluster: "t".into(),
        node: "a".into(),
        sign_in: SignIn::Nobody,
        ca: None,
        certificate: None,
    };
    let (link, _events) = Link::connect(link).await.unwrap();
    let settings = Settings {
        cluster: "t".into(),
        node: "a".into(),
        is_edge: false,
        feeds: None,
        kept: 1 << 20,
        version: "1".into(),
    };
    let tiers = Tiers::new(Duration::from_millis(10), &[]);
    let source = Source::feed(SourceId(0), "f", tiers, &Arc::new(Group { epoch: "none".into() }));
    let room = Source { id: SourceId(1), kind: Kind::Room, name: "r".into(), ..source.clone() };
    let feeds = [source, room].map(|source| Feed {
        source: Arc::new(source),
        nodes: None,
        may_hold: true,
        stored: Era::NONE,
        section: 1,
    });
    let orders = Orders::default();
    let told = orders.clone();
    let order = Box::new(move |order| told.lock().unwrap().push(order));
    let standing = Arc::new(Standing::new(&Registry::new()).unwrap());
    let hands = Arc::new(Hands::default());
    let mut node = Node::new(settings, feeds.to_vec(), (None, None), (link, order), hands, standing);
    pass(&mut node, 100);
    (node, orders)
}

/// So much time passes.
fn pass(node: &mut Node, ms: Millis) {
    node.started = node.started.checked_sub(Duration::from_millis(ms)).unwrap();
}

fn name(name: &str, life: u64) -> Name {
    Name { name: name.into(), life }
}

/// It takes the feed, since nobody is heard who holds it.
fn take(node: &mut Node) {
    node.with(&"f".into(), |held| {
        (0..=3_000).step_by(500).for_each(|now| held.part.look(now));
        held.part.read(Some(Found { revision: 0, record: None }), 3_000);
        held.part.swapped(true, 3_000);
    });
    pass(node, 3_000);
    assert!(node.feeds["f"].part.holds().is_some());
}

/// Another node, of which this one hears.
struct Other {
    name: Name,
    mouth: Mouth,
}

impl Other {
    fn new(name: &str, life: u64) -> Other {
        let name = Name { name: name.into(), life };
        Other { mouth: Mouth::new("t", &name), name }
    }

    fn says(&mut self, node: &mut Node, what: &str, of: &str, message: &Message) {
        let (subject, packets) = self.mouth.say(what, of, message);
        packets.unwrap().for_each(|packet| node.hear(&subject, &packet));
    }

    /// It says that it is there.
    fn lives(&mut self, node: &mut Node) {
        let name = self.name.name.to_string();
        self.says(node, "node", &name, &Message::Heartbeat(Heartbeat::default()));
    }

    /// Its first beat of the room, which it holds.
    fn beats(&mut self, node: &mut Node) {
        self.begins(node, "r", 1);
    }

    /// Its first beat of a feed that it took in that era.
    fn begins(&mut self, node: &mut Node, feed: &str, era: u64) {
        let (era, holder) = (Era::new(era).unwrap(), self.name.clone());
        let at = Position { era, node: holder.clone(), number: 1 };
        let head = Head { at, root: Root { era, node: holder }, follows: None, hands_to: None };
        let beat = Beat { head, load: Arc::default() };
        self.says(node, "beat", feed, &Message::Beat(Said { feed: feed.into(), beat }));
    }
}

/// The nodes whose clients are gone, as the pulse was told.
fn gone(orders: &Orders) -> Vec<String> {
    let orders = std::mem::take(&mut *orders.lock().unwrap());
    let gone = |order| match order {
        NodeOrder::Gone { node } => Some(node.to_string()),
        _ => None,
    };
    orders.into_iter().filter_map(gone).collect()
}

fn says(seen: Seen) -> Heartbeat {
    Heartbeat { feeds: vec![seen], ..Heartbeat::default() }
}

fn may_hold() -> Heartbeat {
    says(Seen { feed: "f".into(), claim: None, misses: false, may_hold: true, is_bare: false })
}

#[tokio::test]
async fn who_takes_a_feed_has_no_trouble_of_the_holder_before() {
    let (mut node, _) = node().await;
    node.feeds.get_mut("f").unwrap().broken = Some("of a newer version".to_owned());
    take(&mut node);
    let rows = node.standing.rows();
    assert_eq!((&*rows.feeds[0].state, &rows.feeds[0].trouble), ("holds", &None));
}

/// Goal: a node that was cut off, and hears the next holder's first beat before all else, yields before it applies that: else the
/// beat is lost, and with it whose numbers follow.
#[tokio::test]
async fn a_holder_yields_before_it_takes_the_first_beat_of_the_next() {
    let (mut node, orders) = holder().await;
    orders.lock().unwrap().clear();
    Other::new("b", 1).begins(&mut node, "f", 2);
    let told: Vec<String> = orders.lock().unwrap().drain(..).map(|order| format!("{order:?}")).collect();
    assert!(told.len() == 2 && told[0].starts_with("Yield"), "{told:?}");
    assert!(told[1].starts_with("Accept") && told[1].contains("2-b-1"), "{told:?}");
    assert_eq!(node.feeds["f"].part.holds(), None);
}

#[tokio::test]
async fn a_drain_waits_for_a_plugin_that_ends_slowly_unless_the_node_stops() {
    let (mut node, _) = node().await;
    take(&mut node);
    let now = node.now();
    node.heard_heartbeat(&name("b", 1), may_hold(), now);
    let [(operator, mut told), (stop, mut stopped)] = [oneshot::channel(), oneshot::channel()];
    node.obey(Command::Drain { max: MOVE_MAX, done: operator });
    node.obey(Command::Drain { max: DRAIN_MAX, done: stop });
    assert!(matches!(node.feeds["f"].plugin, Plugin::Ends { .. }));
    node.look_at_moves(now + 4_000);
    assert!(stopped.try_recv().unwrap().unwrap_err().contains("still held here after 3 s: f"));
    assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
    node.feeds.get_mut("f").unwrap().part.told(Era::new(9).unwrap(), Some(&name("b", 1)), now);
    node.look_at_moves(now + 5_000);
    assert!(told.try_recv().unwrap().unwrap().contains("this node holds no feed"));
}

#[tokio::test]
async fn a_node_that_is_not_heard_is_listed_and_not_counted() {
    let (mut node, _) = node().await;
    let now = node.now();
    node.heard_heartbeat(&name("b", 1), may_hold(), now);
    for (later, listed, heard) in [(0, 2, 2), (3_500, 2, 1), (70_000, 1, 1)] {
        node.tell_standing(now + later);
        let rows = node.standing.rows();
        assert_eq!((rows.nodes.len(), super::heard(&rows)), (listed, heard), "after {later} ms");
    }
}

#[tokio::test]
async fn clients_of_a_process_that_another_replaces_are_gone_at_its_first_word() {
    let (mut node, orders) = node().await;
    let [mut holder, mut old, mut new] =
        [("c", 1), ("b", 1), ("b", 2)].map(|(name, life)| Other::new(name, life));
    old.lives(&mut node);
    holder.beats(&mut node);
    pass(&mut node, 2_500);
    old.lives(&mut node);
    assert!(gone(&orders).is_empty() && node.feeds["r"].part.at().is_some());
    let nobody = Presence { feed: "r".into(), whole: true, turnovers: Vec::new() };
    new.says(&mut node, "ask", "a", &Message::Presence(nobody));
    assert_eq!(gone(&orders), ["b"]);
    assert!(node.feeds["r"].part.at().is_none(), "the holder is asked who is there");
    // Two processes that have one name and speak in turn: their clients do not come and go each time.
    for _ in 0..8 {
        new.lives(&mut node);
        pass(&mut node, 250);
        old.lives(&mut node);
        pass(&mut node, 250);
    }
    assert!(gone(&orders).is_empty());
}

#[tokio::test]
async fn who_is_back_after_minutes_makes_this_node_ask_for_who_is_in_the_rooms() {
    let (mut node, orders) = node().await;
    let (mut b, mut holder) = (Other::new("b", 1), Other::new("c", 1));
    b.lives(&mut node);
    pass(&mut node, 300_000);
    node.look_for_gone(node.now());
    holder.beats(&mut node);
    holder.lives(&mut node);
    assert_eq!(gone(&orders), ["b"]);
    assert!(node.feeds["r"].part.at().is_some());
    b.lives(&mut node);
    assert!(node.feeds["r"].part.at().is_none(), "the holder is asked who is there");
}

/// The whole boards that the pulse was asked for.
fn boards(orders: &Orders) -> Vec<u64> {
    let orders = std::mem::take(&mut *orders.lock().unwrap());
    let asked = |order| match order {
        NodeOrder::Whole { ask, .. } => Some(ask),
        _ => None,
    };
    orders.into_iter().filter_map(asked).collect()
}

/// It holds the feed, and has said a beat.
async fn holder() -> (Node, Orders) {
    let (mut node, orders) = node().await;
    take(&mut node);
    let (source, load) = (SourceId(0), Load::default());
    node.said(PulseSays::Beat { source, era: 1, load, is_last: false, greatest_seq: 0 });
    (node, orders)
}

/// Asks for the whole board: what it has is of nobody.
fn asks(node: &mut Node, other: &mut Other) {
    let root = Some(Root { era: Era::new(7).unwrap(), node: name("z", 1) });
    other.says(node, "ask", "a", &Message::Ask(Ask { feed: "f".into(), after: None, root }));
}

#[tokio::test]
async fn a_node_that_asks_all_the_time_gets_a_board_now_and_then() {
    let (mut node, orders) = holder().await;
    let (mut made, began) = (0, node.now());
    for life in 0..200 {
        asks(&mut node, &mut Other::new("e", life));
        for ask in boards(&orders) {
            made += 1;
            node.said(PulseSays::Whole { source: SourceId(0), ask, load: Load::default() });
        }
    }
    // Two at once, and one more each half a second that this takes.
    let most = 3 + (node.now() - began) / 500;
    assert!((1..=most).contains(&made), "{made} of {most}");
    asks(&mut node, &mut Other::new("b", 1));
    assert_eq!(boards(&orders).len(), 1, "another node");
}

#[tokio::test]
async fn what_gets_no_answer_while_too_much_waits_is_counted() {
    let (mut node, _) = holder().await;
    let registry = Registry::new();
    node.standing = Arc::new(Standing::new(&registry).unwrap());
    let overruns = || {
        let all = registry.gather();
        let refused = all.iter().find(|family| family.name().contains("refused")).unwrap();
        refused.get_metric().iter().map(|metric| metric.get_counter().get_value()).sum::<f64>()
    };
    assert!(overruns() < 0.5);
    while node.out.has_room() {
        node.out.send("answer", "t", std::iter::once(Vec::new()));
    }
    asks(&mut node, &mut Other::new("b", 1));
    assert!((0.5..1.5).contains(&overruns()));
}

#[tokio::test]
async fn a_board_that_is_too_long_is_told_and_not_made_all_the_time() {
    let (mut node, orders) = holder().await;
    let mut b = Other::new("b", 1);
    asks(&mut node, &mut b);
    let value = Bytes(vec![b'1'; (64 << 20) + 1].into());
    let load = Load { ticks: vec![Tick { value, ..Tick::default() }], ..Load::default() };
    let ask = boards(&orders)[0];
    node.said(PulseSays::Whole { source: SourceId(0), ask, load });
    let at = |node: &Node| node.feeds["f"].too_big.map(|(at, _)| at);
    let first = at(&node).unwrap();
    let row = |node: &mut Node| {
        node.tell_standing(node.now());
        node.standing.rows().feeds.remove(0)
    };
    let told = row(&mut node);
    assert_eq!(told.state, "holds");
    assert!(told.trouble.unwrap().contains("which has 65 MiB, and 64 MiB can be sent; make two feeds of it"));
    // On a machine that is very slow it is time already.
    pass(&mut node, 9_000);
    asks(&mut node, &mut b);
    if node.now() < first + 10_000 {
        assert!(boards(&orders).is_empty());
        pass(&mut node, 1_001);
    }
    asks(&mut node, &mut b);
    let ask = boards(&orders)[0];
    node.said(PulseSays::Whole { source: SourceId(0), ask, load: Load::default() });
    assert_eq!(row(&mut node).trouble, None);
}

#[tokio::test]
async fn who_does_not_get_what_it_lacks_says_so() {
    let (mut node, _) = node().await;
    let mut b = Other::new("b", 1);
    let claim = Claim {
        era: Era::new(1).unwrap(),
        newest: 3,
        root: Root { era: Era::new(1).unwrap(), node: name("b", 1) },
    };
    let seen = Seen { feed: "f".into(), claim: Some(claim), misses: false, may_hold: true, is_bare: false };
    for (wait, state) in [(0, "follows"), (9_000, "follows"), (1_001, "broken")] {
        pass(&mut node, wait);
        b.says(&mut node, "node", "b", &Message::Heartbeat(says(seen.clone())));
        node.tell_standing(node.now());
        let row = node.standing.rows().feeds.remove(0);
        assert_eq!((&*row.state, row.trouble.is_some()), (state, state == "broken"));
    }
    b.beats(&mut node);
    assert_eq!(node.feeds["r"].trouble(node.now()), None);
}
