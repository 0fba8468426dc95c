//! What nobody may send.

use std::sync::Arc;

use super::*;

fn broken(message: &Message) -> String {
    match take(&packets(message).concat()) {
        Err(Wrong::Broken { node: Some(node), why }) => {
            assert_eq!(&*node, "a");
            why.into()
        }
        other => panic!("{other:?}"),
    }
}

fn beat(head: Head, load: Load) -> Message {
    Message::Beat(Said { feed: "sim".into(), beat: Beat { head, load: load.into() } })
}

fn with_tick(tick: Tick) -> Message {
    beat(begins(), Load { ticks: vec![tick], ..Load::default() })
}

#[test]
fn names_and_values_that_cannot_be_are_refused() {
    let tell = |feed: &str| Message::Tell(Tell { feed: feed.into(), era: era(1), holder: None });
    for feed in ["", "a.b", "sim >", &"x".repeat(65)] {
        assert!(broken(&tell(feed)).contains("1 to 64 of A-Z"), "{feed}");
    }
    for topic in ["", "sim..a", "sim.*", &"x".repeat(161)] {
        assert!(broken(&with_tick(tick(topic, 1))).contains("not a topic"), "{topic}");
    }
    for value in [&b""[..], b"{", b"nil", b"1 2", b"\"\xff\"", &[b'['; 65]] {
        let tick = Tick { value: Bytes(value.into()), ..tick("sim.a", 1) };
        assert!(broken(&with_tick(tick)).contains("not JSON"), "{value:?}");
    }
    let long = [&b"\""[..], &[b'x'; 48 * 1024], b"\""].concat();
    let long = Tick { value: Bytes(long.into()), ..tick("sim.a", 1) };
    assert!(broken(&with_tick(long)).contains("longer than 49152 bytes"));
    for from in ["", "user:\"", "a\\b", "a\nb", &"x".repeat(513)] {
        let tick = Tick { from: Some(from.into()), ..tick("sim.a", 1) };
        assert!(broken(&with_tick(tick)).contains("not the address of a client"), "{from}");
    }
    let added = |kind: &str| Change::Added(Topic { kind: kind.into(), ..topic("sim.a") });
    for kind in ["", "Quote", "a\"b", &"x".repeat(33)] {
        let load = Load { changes: vec![added(kind)], ..Load::default() };
        assert!(broken(&beat(begins(), load)).contains("not the name of an event"), "{kind}");
    }
}

#[test]
fn places_in_the_order_that_cannot_be_are_refused() {
    let impossible = "place in the order is not possible";
    let root = |of| Root { era: era(of), node: node("a") };
    for head in [
        Head { at: at(3, "a", 0), ..begins() },
        Head { root: root(4), ..begins() },
        Head { root: root(2), ..begins() },
        Head { at: at(0, "a", 1), root: root(0), ..begins() },
        Head { at: at(3, "a", 2), follows: Some(at(2, "b", 1)), ..begins() },
    ] {
        assert!(broken(&beat(head.clone(), Load::default())).contains(impossible), "{head:?}");
        let answer = Answer::Beats(vec![Beat { head: head.clone(), load: Load::default().into() }]);
        let reply = Message::Answer(Reply { feed: "sim".into(), answer });
        assert!(broken(&reply).contains(impossible), "{head:?}");
    }
    let whole = |head, load| {
        Message::Answer(Reply {
            feed: "sim".into(),
            answer: Answer::Whole(Beat { head, load: Arc::new(load) }),
        })
    };
    assert!(broken(&whole(begins(), Load::default())).contains("the whole board is not there"));
    assert!(broken(&whole(Head { root: root(4), ..begins() }, super::whole())).contains(impossible));
    let claim = Claim { era: era(0), newest: 1, root: root(0) };
    let seen = Seen { feed: "sim".into(), claim: Some(claim), misses: false, may_hold: true, is_bare: false };
    let heartbeat = Message::Heartbeat(Heartbeat { feeds: vec![seen], ..Heartbeat::default() });
    assert!(broken(&heartbeat).contains("an era that is not possible"));
}

#[test]
fn nobody_says_the_beats_of_another_node() {
    let root = Root { era: era(3), node: node("b") };
    let theirs = beat(Head { at: at(3, "b", 1), root, ..begins() }, Load::default());
    assert!(broken(&theirs).contains("another node's"));
    // To answer with them is another thing.
    let Message::Beat(Said { feed, beat }) = theirs else { unreachable!() };
    let reply = Message::Answer(Reply { feed, answer: Answer::Beats(vec![beat]) });
    assert_eq!(take(&packets(&reply).concat()), Ok(reply));
}

#[derive(serde::Serialize)]
struct FarAhead {
    feed: &'static str,
    era: u64,
}

fn packet(v: u16, kind: &str, body: &[u8]) -> Vec<u8> {
    let from = node("a");
    let mut packet = packet::Packet::new(&from, 1, kind, 0, 1, body);
    packet.v = v;
    write(&packet)
}

#[test]
fn an_era_beyond_the_greatest_is_refused() {
    for (number, is_fine) in [(1 << 20, true), ((1 << 20) + 1, false), (u64::MAX, false)] {
        let taken = take(&packet(VERSION.0, "tell", &write(&FarAhead { feed: "sim", era: number })));
        assert_eq!(taken.is_ok(), is_fine, "{taken:?}");
    }
}

#[test]
fn a_newer_version_is_told_from_a_broken_message() {
    let tell = write(&FarAhead { feed: "sim", era: 1 });
    let (same, minor, major) = (VERSION.0, VERSION.0 + 1, VERSION.0 + 0x100);
    let newer = |version| Err(Wrong::Newer { node: arc("a"), version: Version(version) });
    assert!(take(&packet(minor, "tell", &tell)).is_ok(), "what is known of it is read");
    assert_eq!(take(&packet(major, "tell", &tell)), newer(major));
    assert_eq!(take(&packet(minor, "sign", &tell)), newer(minor), "a kind that is not known");
    assert_eq!(take(&packet(minor, "tell", b"\x01")), newer(minor), "a form that is not known");
    for (version, kind, body) in [(same, "sign", &tell[..]), (same, "tell", b"\x01"), (0, "tell", &tell)] {
        let taken = take(&packet(version, kind, body));
        assert!(matches!(&taken, Err(Wrong::Broken { node: Some(_), .. })), "{taken:?}");
    }
    let told = newer(major).unwrap_err().to_string();
    assert_eq!(told, "node a speaks version 2.0 of the cluster's messages, this node 1.0; upgrade this node");
}

#[test]
fn another_major_version_need_have_a_version_and_a_sender_alone() {
    #[derive(serde::Serialize)]
    struct Other {
        from: &'static str,
        signed: bool,
        v: u16,
    }
    let taken = take(&write(&Other { from: "b", signed: true, v: 0x200 }));
    assert_eq!(taken, Err(Wrong::Newer { node: arc("b"), version: Version(0x200) }));
}

#[test]
fn what_is_nested_deeply_or_claims_to_be_long_takes_nothing() {
    for one in [0x91, 0x81, 0xdd, 0xdf, 0xc6, 0xdb] {
        let many = vec![one; 1 << 20];
        assert!(Assembly::default().take(&many, 0).is_err(), "{one:x}");
        let body = take(&packet(VERSION.0, "beat", &many[..1 << 17]));
        assert!(matches!(body, Err(Wrong::Broken { .. })), "{one:x}: {body:?}");
    }
    let why =
        broken(&Message::Tell(Tell { feed: "\u{1}é".repeat(9_000).into(), era: era(1), holder: None }));
    assert!(why.len() < 400, "{why}");
}

#[test]
fn parts_that_do_not_fit_together_are_refused() {
    let mut assembly = Assembly::default();
    let mut part =
        |kind: &str, i, n| assembly.take(&write(&packet::Packet::new(&node("a"), 1, kind, i, n, b"x")), 0);
    assert_eq!(part("tell", 0, 3), Ok(None));
    assert!(part("move", 1, 3).is_err());
    assert!(part("tell", 4, 5).is_err());
    assert!(part("tell", 3, 3).is_err());
    assert!(part("tell", 0, 0).is_err());
    assert!(part("tell", 0, u16::MAX).is_err());
}
