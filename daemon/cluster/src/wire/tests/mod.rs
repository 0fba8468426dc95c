//! Messages of each kind, and what is made of them.

mod bad;
mod golden;
mod parts;
mod round;

use std::sync::Arc;

use super::msgpack::write;
use super::*;
use crate::beat::{Answer, Beat, Head, Node, Position, Root};
use crate::era::Era;
use crate::load::{About, Change, Conn, Health, Letter, Load, Person, Room, Tick, Topic, Turnover, Whole};
use crate::words::Claim;

fn node(name: &str) -> Node {
    Node { name: name.into(), life: 0x1234_5678_9abc_def0 }
}

fn era(number: u64) -> Era {
    Era::new(number).expect("the tests use small ones")
}

fn at(of: u64, name: &str, number: u64) -> Position {
    Position { era: era(of), node: node(name), number }
}

fn tick(topic: &str, seq: u64) -> Tick {
    let value =
        br#"{"symbol":"AAPL","price":189.37,"bid":189.36,"ask":189.38,"volume":1200300,"change_pct":0.42}"#;
    Tick {
        topic: topic.into(),
        seq,
        ts: 1_795_990_000_123,
        value: Bytes(value[..].into()),
        ..Tick::default()
    }
}

fn topic(name: &str) -> Topic {
    Topic { name: name.into(), kind: "quote".into(), is_event: false }
}

fn load() -> Load {
    Load {
        ts: 1_795_990_000_000,
        about: Some(About {
            interval_ms: 10,
            max_age_ms: 3_000,
            bars: r#"{"price":["1m"]}"#.into(),
            hello: r#"{"events":[]}"#.into(),
            section: u64::MAX,
            ..About::default()
        }),
        changes: vec![Change::Removed("sim.OLD".into()), Change::Added(topic("sim.AAPL"))],
        ticks: vec![
            tick("sim.AAPL", era(3).floor() + 1),
            Tick {
                merged: 2,
                src_ts: 1_795_990_000_001,
                from: Some("user:ann".into()),
                ..tick("sim.AAPL", era(3).floor() + 4)
            },
        ],
        health: Some(Health { state: "up".into(), since: 1_795_989_000_000, reason: "".into() }),
        ..Load::default()
    }
}

fn whole() -> Load {
    let topic = Topic { is_event: true, ..topic("sim.AAPL") };
    let past = vec![tick("sim.AAPL", 8), tick("sim.AAPL", 9)];
    let newest = Some(tick("sim.AAPL", 9));
    let whole = Whole { topic, seq: 9, age_ms: 120, is_stale: true, floor: 7, past, newest };
    Load { ts: 1, whole: Some(vec![whole]), ..Load::default() }
}

fn begins() -> Head {
    Head { at: at(3, "a", 1), root: Root { era: era(3), node: node("a") }, follows: None, hands_to: None }
}

fn turnover() -> Turnover {
    let bob = Person {
        conn: Conn("b-0-1f".into()),
        name: Some("bob".into()),
        info: Some(Bytes(br#"{"team":"red"}"#[..].into())),
    };
    let topic = "lobby.main".into();
    Turnover {
        topic,
        joined: vec![bob, Person { conn: Conn("b-0-2".into()), ..Person::default() }],
        left: vec![Conn("a-1-3".into())],
    }
}

fn room() -> Load {
    let declared =
        Room { name: "lobby.main".into(), publish: true, presence: true, count: 100, age_ms: 60_000 };
    let letter = Letter {
        conn: Conn("b-0-1f".into()),
        topic: "lobby.main".into(),
        from: Some("user:ann".into()),
        to: Some("user:bob".into()),
        seq: 3,
        ts: 1_795_990_000_123,
        value: Bytes(br#""psst""#[..].into()),
    };
    Load {
        ts: 1,
        about: Some(About {
            is_room: true,
            interval_ms: 50,
            bars: "false".into(),
            rooms: vec![declared],
            ..About::default()
        }),
        turnovers: vec![turnover()],
        letters: vec![letter],
        ..Load::default()
    }
}

fn revoked(kind: &str, name: &str, before: u64) -> Revocation {
    Revocation { kind: kind.into(), name: name.into(), before, at: 1_795_990_000 }
}

/// One of each kind.
fn each() -> Vec<Message> {
    let feed = || Box::<str>::from("sim");
    let root = Root { era: era(2), node: node("b") };
    let follows = Some(at(2, "b", 99));
    let handed = Head { at: at(3, "a", 1), root: root.clone(), follows, hands_to: Some(node("c")) };
    let claim = Claim { era: era(3), newest: 17, root: root.clone() };
    let seen =
        |claim| Seen { feed: feed(), misses: Option::is_none(&claim), may_hold: true, is_bare: false, claim };
    let answer = Answer::Beats(vec![
        Beat { head: begins(), load: load().into() },
        Beat { head: handed.clone(), load: Load::default().into() },
    ]);
    // After the beat of a hand-over, a whole board has only the place of that beat.
    let after = Head { follows: None, hands_to: None, ..handed };
    vec![
        Message::Beat(Said { feed: feed(), beat: Beat { head: begins(), load: load().into() } }),
        Message::Heartbeat(Heartbeat {
            version: "0.1.0".into(),
            is_edge: false,
            ts: 1_795_990_000_500,
            config: 7,
            epoch: "".into(),
            feeds: vec![seen(Some(claim)), seen(None)],
            revoked: 0,
        }),
        Message::Ask(Ask { feed: feed(), after: Some(at(3, "a", 5)), root: Some(root) }),
        Message::Answer(Reply { feed: feed(), answer }),
        Message::Answer(Reply {
            feed: feed(),
            answer: Answer::Whole(Beat { head: after, load: whole().into() }),
        }),
        Message::Tell(Tell { feed: feed(), era: era(1 << 20), holder: None }),
        Message::Move(Move { feed: feed(), to: "b".into() }),
        Message::Publish(Publish {
            feed: "lobby".into(),
            id: 5,
            topic: "lobby.main".into(),
            from: Some("user:ann".into()),
            to: Some("user:bob".into()),
            address: Some("192.0.2.1".into()),
            seat: Some((0, 31, 2)),
            value: Bytes(br#"{"text":"hi"}"#[..].into()),
        }),
        Message::Published(Published {
            id: 5,
            seq: 12,
            to: Some("user:bob".into()),
            delivered: 1,
            refused: None,
        }),
        Message::Published(Published {
            id: 6,
            seq: 0,
            to: None,
            delivered: 0,
            refused: Some(Refused {
                code: 429,
                reason: "too many messages".into(),
                retry_after_ms: Some(250),
            }),
        }),
        Message::Presence(Presence { feed: "lobby".into(), whole: true, turnovers: vec![turnover()] }),
        Message::Beat(Said { feed: "lobby".into(), beat: Beat { head: begins(), load: room().into() } }),
        Message::Revoked(Revoked { digest: 0, list: vec![revoked("user", "ann", 0)] }),
        Message::Revoked(Revoked {
            digest: 0x1234_5678_9abc_def0,
            list: vec![
                revoked("issued_before", "", 1_795_980_000),
                revoked("jti", "j-1", 0),
                revoked("token", "wall", 0),
                revoked("user", "bob", 0),
            ],
        }),
        Message::AskRevoked(AskRevoked { known: 7 }),
        Message::Redeem(Redeem {
            id: 3,
            ticket: Bytes(Box::new([0xa5; 32])),
            key: Bytes(Box::new([0x3c; 32])),
        }),
        Message::Redeemed(Redeemed { id: 3, sealed: Some(Bytes(Box::new([0x5a; 48]))) }),
        Message::Redeemed(Redeemed { id: 4, sealed: None }),
        Message::Heartbeat(Heartbeat { version: "0.1.0".into(), revoked: u64::MAX, ..Heartbeat::default() }),
        Message::Heartbeat(Heartbeat { epoch: "k3q9".into(), ..Heartbeat::default() }),
    ]
}

/// The packets of a message, as node `a` sends them.
fn packets(message: &Message) -> Vec<Vec<u8>> {
    Writer::new(node("a")).write(message).unwrap().collect()
}

fn take(packet: &[u8]) -> Result<Message, Wrong> {
    let taken = Assembly::default().take(packet, 0)?;
    let (from, message) = taken.expect("it has one part");
    assert_eq!(from, node("a"));
    Ok(message)
}

fn arc(text: &str) -> Arc<str> {
    text.into()
}

#[test]
fn an_empty_board_is_a_whole_one() {
    let mut writer = Writer::new(node("a"));
    let load = Load { whole: Some(Vec::new()), ..Load::default() };
    let message =
        Message::Beat(Said { feed: "sim".into(), beat: Beat { head: begins(), load: load.into() } });
    let packets: Vec<_> = writer.write(&message).unwrap().collect();
    let mut assembly = Assembly::default();
    assert_eq!(assembly.take(&packets[0], 0).unwrap().unwrap().1, message);
}

#[test]
fn a_tell_may_name_who_holds_the_feed_now() {
    for holder in [None, Some(node("c"))] {
        let tell = Message::Tell(Tell { feed: "sim".into(), era: era(2), holder });
        assert_eq!(take(&packets(&tell)[0]).as_ref(), Ok(&tell));
    }
}
