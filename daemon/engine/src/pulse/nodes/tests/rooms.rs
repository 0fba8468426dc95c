//! A room that one node holds, and clients of all.

use super::*;
use crate::exchange::enquiry::Answer as HttpAnswer;
use crate::exchange::nodes::Outcome;
use crate::exchange::question::{About, Answer, Client, Found, Message, Move, Published, Question};
use tickerd_cluster::Node as Name;
use tickerd_model::history::Depth;
use tickerd_model::protocol::error::Code;
use tickerd_model::rooms::{Declared, Person, Publisher, Seat, To};
use tickerd_model::source::Kind;

const R: SourceId = SourceId(2);

fn declared(name: &str) -> Declared {
    let depth = Depth { count: 8, age: LONG };
    Declared { name: name.into(), publish: true, presence: true, depth }
}

pub fn opening() -> Opening {
    let rooms = vec![declared("r.a")];
    Opening { source: room("none"), lane: None, bars: FeedBars::Off, max_age: None, rooms }
}

fn room(epoch: &str) -> Arc<Source> {
    let group = Arc::new(Group { epoch: epoch.into() });
    let feed = Source::feed(R, "r", Tiers::new(Duration::from_millis(1), &[]), &group);
    Arc::new(Source { kind: Kind::Room, only: Some(["r.a".into()].into()), ..feed })
}

fn message(value: &str) -> Message {
    Message {
        topic: "r.a".into(),
        publisher: "user:ann".into(),
        origin: Publisher::default(),
        to: None,
        value: value.as_bytes().into(),
    }
}

fn name(node: &str) -> Name {
    Name { name: node.into(), life: 1 }
}

impl Node {
    fn holding(era: u64) -> Node {
        Node::named_holding("a", era)
    }

    fn named_holding(me: &str, era: u64) -> Node {
        let mut node = Node::named(me, Duration::ZERO);
        node.keep(era);
        node
    }

    fn keep(&mut self, era: u64) {
        let reign = Reign { era, floor: era * ERA, whole: true };
        self.nodes.order(NodeOrder::Hold { source: room(&era.to_string()), reign });
    }

    /// Follows what another node, which holds the room, says first.
    fn join(&mut self, first: &Load, era: u64) {
        let (source, load) = (Some(room(&era.to_string())), Arc::new(first.clone()));
        let join = Join::Begins { floor: era * ERA };
        self.nodes.order(NodeOrder::Accept { id: R, source, load, join });
        self.pulse.turn();
    }

    fn ask(&mut self, value: &str) {
        let from = Client { conn: 7, generation: 1 };
        self.uplink.ask(Question { from, about: About::Publish(message(value)) }).unwrap();
        self.pulse.turn();
    }

    /// The answers that the shard got.
    fn answers(&mut self) -> Vec<Outcome> {
        let mut all = Vec::new();
        while let Ok(said) = self.beats.try_recv() {
            let Downlink::Answers(answers) = said else { continue };
            all.extend(answers.into_iter().map(|answer| match answer {
                Answer { to: Client { conn: 7, generation: 1 }, found: Found::Published(outcome) } => outcome,
                other => panic!("{other:?}"),
            }));
        }
        all
    }

    /// A client of this node comes to the room, or leaves it.
    fn moves(&mut self, conn: u32, name: Option<&str>) {
        let room = self.pulse.board.find("r.a").unwrap();
        let me = self.pulse.nodes.as_ref().unwrap().port.me().to_owned();
        let person = name.map(|name| Person {
            conn: format!("{me}-0-{conn}").into(),
            name: Some(name.into()),
            info: None,
        });
        self.uplink.report(vec![Move { room, seat: seat(conn), person }]).unwrap();
        self.pulse.turn();
    }

    /// What it tells the holder of its clients goes to this one.
    fn tells(&mut self, holder: &mut Node) -> bool {
        let PulseSays::Presence { source: R, whole, turnovers } = self.said() else { panic!("nobody moved") };
        let node = self.pulse.nodes.as_ref().unwrap().port.me().into();
        holder.nodes.order(NodeOrder::Presence { source: R, node, whole, turnovers });
        whole
    }

    fn hears(&mut self, load: &Load) {
        let load = Arc::new(load.clone());
        self.nodes.order(NodeOrder::Accept { id: R, source: None, load, join: Join::Next });
        self.pulse.turn();
    }

    /// Who is there, as this node says.
    fn members(&self) -> Vec<String> {
        let (_, people) = self.pulse.rooms.members("r.a").unwrap();
        let mut names: Vec<String> =
            people.iter().filter_map(|person| person.name.as_deref()).map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Who clients here were told came, and who left; and the letters that they got.
    fn told(&mut self) -> (Vec<String>, Vec<String>, Vec<(u32, String)>) {
        let (mut joined, mut left, mut letters) = (Vec::new(), Vec::new(), Vec::new());
        for beat in self.beats() {
            for (_, turnover) in &beat.turnovers {
                joined.extend(turnover.joined.iter().map(|person| person.conn.to_string()));
                left.extend(turnover.left.iter().map(|person| person.conn.to_string()));
            }
            let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
            letters.extend(beat.letters.iter().map(|(seat, letter)| (seat.conn, text(letter.value()))));
        }
        (joined, left, letters)
    }

    fn sends(&mut self) -> (u64, Message) {
        match self.said() {
            PulseSays::Publish { source: R, id, message } => (id, message),
            other => panic!("{other:?}"),
        }
    }

    /// What it answers to a message of another node.
    fn takes(&mut self, node: &str, id: u64, message: Message) -> Outcome {
        self.nodes.order(NodeOrder::Publish { source: R, node: name(node), id, message });
        loop {
            match self.said() {
                PulseSays::Published { node: to, id: of, outcome } => {
                    assert_eq!((to, of), (name(node), id));
                    return outcome;
                }
                PulseSays::Beat { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn seat(conn: u32) -> Seat {
    Seat { shard: 0, conn, generation: 1 }
}

fn taken(seq: u64) -> Outcome {
    Ok(Published { topic: "r.a".into(), seq, letter: None })
}

#[test]
fn a_message_is_numbered_where_the_room_is_held_and_answered_where_it_was_said() {
    let (mut a, mut b) = (Node::holding(1), Node::new(Duration::ZERO));
    let first = a.load();
    assert_eq!(first.about.as_ref().map(|about| (about.is_room, about.rooms.len())), Some((true, 1)));
    b.ask("1");
    assert_eq!(b.answers()[0].as_ref().unwrap_err().code, Code::FeedUnavailable, "nobody is heard yet");
    b.join(&first, 1);
    b.ask("2");
    let (id, said) = b.sends();
    assert_eq!(a.takes("b", id, said.clone()), taken(ERA + 1));
    assert_eq!(a.takes("b", id, said.clone()), taken(ERA + 1), "it was sent twice");
    assert_eq!(a.takes("c", id, said), taken(ERA + 2), "another node has numbers of its own");
    assert!(b.answers().is_empty());
    b.nodes.order(NodeOrder::Published { id, outcome: taken(ERA + 1) });
    b.nodes.order(NodeOrder::Published { id, outcome: taken(ERA + 1) });
    b.pulse.turn();
    assert_eq!(b.answers(), [taken(ERA + 1)]);
    // Its own clients are answered at once.
    a.ask("3");
    assert_eq!(a.answers(), [taken(ERA + 3)]);
}

#[test]
fn what_waits_goes_to_a_new_holder_and_what_comes_without_one_is_refused() {
    let (mut a, mut b) = (Node::holding(1), Node::new(Duration::ZERO));
    let first = a.load();
    b.join(&first, 1);
    b.ask("1");
    let (id, _) = b.sends();
    let mut c = Node::holding(2);
    let begins = c.load();
    b.join(&begins, 2);
    assert_eq!(b.sends().0, id, "the same number again");
    b.nodes.order(NodeOrder::Absent { source: R, reason: "gone".into() });
    b.pulse.turn();
    assert!(b.answers().is_empty(), "another may take it soon");
    b.ask("2");
    let refused = b.answers().remove(0).unwrap_err();
    assert_eq!((refused.code, refused.retry_after_ms), (Code::FeedUnavailable, Some(1_000)));
    // Nothing of another source's topics is taken by that way.
    let astray = Message { topic: "f.x".into(), ..message("1") };
    a.nodes.order(NodeOrder::Publish { source: R, node: name("b"), id: 9, message: astray });
    assert_eq!(a.takes("b", 10, message("1")), taken(ERA + 1));
}

#[test]
fn what_waits_is_said_here_once_this_node_holds_the_room() {
    let (mut a, mut b) = (Node::holding(1), Node::new(Duration::ZERO));
    let first = a.load();
    b.join(&first, 1);
    b.ask("1");
    b.keep(2);
    b.pulse.turn();
    b.pulse.turn();
    assert_eq!(b.answers(), [taken(2 * ERA + 1)]);
}

#[test]
fn a_message_over_http_waits_for_the_holder_too() {
    let (mut a, mut b) = (Node::holding(1), Node::new(Duration::ZERO));
    let first = a.load();
    b.join(&first, 1);
    let (answer, mut answered) = tokio::sync::oneshot::channel();
    let now = b.pulse.mono_us();
    let posted = b.pulse.nodes.as_mut().unwrap().post(R, message("1"), Who::Http(answer), now);
    assert!(posted.is_ok());
    let (id, _) = b.sends();
    b.nodes.order(NodeOrder::Published { id, outcome: taken(5) });
    b.pulse.turn();
    assert!(matches!(answered.try_recv(), Ok(HttpAnswer::Published(Published { seq: 5, .. }))));
}

#[test]
fn everyone_is_seen_on_each_node_until_they_or_their_node_are_gone() {
    let (mut a, mut b) = (Node::holding(1), Node::named("b", Duration::ZERO));
    let first = a.load();
    b.join(&first, 1);
    b.moves(1, Some("bob"));
    assert!(!b.tells(&mut a));
    a.moves(1, Some("ann"));
    let mut load = a.load();
    while load.turnovers.iter().map(|turnover| turnover.joined.len()).sum::<usize>() < 2 {
        load.turnovers.extend(a.load().turnovers);
    }
    b.hears(&load);
    let both = vec!["ann".to_owned(), "bob".to_owned()];
    assert_eq!((a.members(), b.members()), (both.clone(), both.clone()));
    for node in [&mut a, &mut b] {
        let (mut joined, left, _) = node.told();
        joined.sort();
        assert_eq!((joined, left), (vec!["a-0-1".to_owned(), "b-0-1".to_owned()], vec![]), "each once");
    }
    // A third gets everyone with the whole board, and takes the room: nobody has moved by that.
    a.nodes.order(NodeOrder::Whole { source: R, ask: 3 });
    let PulseSays::Whole { load: whole, .. } = a.said() else { panic!("no whole board") };
    let mut c = Node::named("c", Duration::ZERO);
    c.join(&whole, 1);
    assert_eq!(c.members(), both);
    c.told();
    c.keep(2);
    let begins = c.load();
    b.join(&begins, 2);
    b.nodes.order(NodeOrder::Introduce { source: R });
    assert!(b.tells(&mut c), "all who are there");
    b.pulse.turn();
    c.pulse.turn();
    assert_eq!((b.told(), c.told()), Default::default());
    // Its holder is gone: each node drops its people by itself.
    for node in [&mut b, &mut c] {
        node.nodes.order(NodeOrder::Gone { node: "a".into() });
        node.pulse.turn();
        assert_eq!(node.members(), ["bob"]);
    }
    assert_eq!(b.told().1, ["a-0-1"]);
    b.moves(1, None);
    b.tells(&mut c);
    let load = c.load();
    let left: Vec<&str> = load.turnovers.iter().flat_map(|t| &t.left).map(|conn| &*conn.0).collect();
    assert!(left.contains(&"b-0-1") || c.load().turnovers.iter().any(|t| !t.left.is_empty()));
    assert!(c.members().is_empty());
}

#[test]
fn a_letter_goes_to_the_node_of_its_addressee_and_waits_at_the_holder() {
    let (mut a, mut b) = (Node::holding(1), Node::named("b", Duration::ZERO));
    let first = a.load();
    b.join(&first, 1);
    let letter = |value: &str| Message { to: Some(To::User("bob".into())), ..message(value) };
    let outcome = a.takes("b", 1, letter("1")).unwrap();
    assert_eq!(outcome.letter, Some(("user:bob".into(), 0)), "it waits");
    b.moves(1, Some("bob"));
    b.tells(&mut a);
    let mut letters = Vec::new();
    while letters.is_empty() {
        let load = a.load();
        b.hears(&load);
        letters = b.told().2;
    }
    assert_eq!(letters, [(1, "1".to_owned())]);
    let outcome = a.takes("b", 2, letter("2")).unwrap();
    assert_eq!((outcome.seq, outcome.letter), (2, Some(("user:bob".into(), 1))));
    let load = a.load();
    b.hears(&load);
    assert_eq!(b.told().2, [(1, "2".to_owned())]);
    assert!(a.told().2.is_empty(), "nobody else gets it");
}

/// The names of connections begin anew with the process of their node.
#[test]
fn who_comes_under_the_name_of_another_connection_is_told_as_somebody_else() {
    for is_told in [true, false] {
        let (mut a, mut c) = (Node::holding(1), Node::named("c", Duration::ZERO));
        let [mut before, mut after] = [(); 2].map(|()| Node::named("b", Duration::ZERO));
        let first = a.load();
        [&mut before, &mut after, &mut c].into_iter().for_each(|node| node.join(&first, 1));
        before.moves(1, Some("bob"));
        before.tells(&mut a);
        c.hears(&a.load());
        assert_eq!((a.members(), c.members()), (vec!["bob".to_owned()], vec!["bob".to_owned()]));
        a.told();
        c.told();
        if is_told {
            a.nodes.order(NodeOrder::Gone { node: "b".into() });
        }
        after.moves(1, Some("eve"));
        after.tells(&mut a);
        c.hears(&a.load());
        for node in [&mut a, &mut c] {
            node.pulse.turn();
            assert_eq!(node.members(), ["eve"]);
            let (joined, left, _) = node.told();
            assert_eq!((joined, left), (vec!["b-0-1".to_owned()], vec!["b-0-1".to_owned()]));
        }
    }
}
