//! Frames as no good client sends them, over a raw socket: what closes, with which code, and that nothing is left over.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use socket2::SockRef;
use tickerd_tests::raw::{Frame, Raw, opcode};
use tickerd_tests::{Daemon, daemon, json, scripted};

const PING: &str = r#"{"event":"ping","data":{"id":1}}"#;

/// A connection that has read `connected`.
async fn greeted(daemon: &Daemon) -> Raw {
    let mut raw = daemon.upgraded("/ws").await;
    raw.until("connected").await;
    raw
}

/// The server closes with that code, and then for good once the client has answered.
async fn closes_with(mut raw: Raw, code: u16, what: &str) {
    let close = raw.until_opcode(opcode::CLOSE).await;
    assert_eq!(close.close_code(), Some(code), "{what}");
    assert!(close.payload.len() > 2, "{what}: the reason is told");
    raw.send(Frame::close(code)).await;
    raw.ended().await;
}

#[tokio::test]
async fn frames_that_break_the_rfc_close_with_1002() {
    let daemon = daemon().run().await;
    let text = Frame::text(PING);
    let cases = [
        ("unmasked", vec![Frame { masked: false, ..text.clone() }]),
        ("a reserved bit", vec![Frame { rsv: 4, ..text.clone() }]),
        ("the last reserved bit", vec![Frame { rsv: 1, ..text.clone() }]),
        ("a reserved opcode", vec![Frame { opcode: 3, ..text.clone() }]),
        ("a reserved control opcode", vec![Frame { opcode: 11, ..text.clone() }]),
        ("a continuation of nothing", vec![Frame::new(opcode::CONTINUATION, "x")]),
        ("a message within a message", vec![text.clone().unfinished(), text.clone()]),
        ("a ping of 126 bytes", vec![Frame::new(opcode::PING, vec![0; 126])]),
        ("a ping in pieces", vec![Frame::new(opcode::PING, "x").unfinished()]),
        ("a close of one byte", vec![Frame::new(opcode::CLOSE, vec![3])]),
        ("a close with a code that is never sent", vec![Frame::close(1005)]),
        ("a close with a code nobody has", vec![Frame::close(999)]),
    ];
    for (what, frames) in cases {
        let mut raw = greeted(&daemon).await;
        for frame in frames {
            raw.send(frame).await;
        }
        closes_with(raw, 1002, what).await;
    }
    daemon.metric_until("tickerd_connections", |count| count == 0.0).await;
    assert_eq!(daemon.metric("tickerd_closes_total{code=\"1002\"}").await, Some(12.0));
}

#[tokio::test]
async fn a_length_over_the_limit_closes_before_it_arrives() {
    let daemon = daemon().limits("message = \"1KiB\"").run().await;
    let mut raw = greeted(&daemon).await;
    // The head of a frame of a gibibyte, and nothing after it.
    raw.say([0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]).await;
    closes_with(raw, 1009, "a gibibyte").await;

    let mut raw = greeted(&daemon).await;
    raw.send(Frame::text(&"x".repeat(1000)).unfinished()).await;
    raw.send(Frame::new(opcode::CONTINUATION, vec![b'x'; 25]).unfinished()).await;
    closes_with(raw, 1009, "in pieces").await;

    let mut raw = greeted(&daemon).await;
    raw.send(Frame::text("").unfinished()).await;
    for _ in 0..1000 {
        raw.send(Frame::new(opcode::CONTINUATION, "").unfinished()).await;
    }
    closes_with(raw, 1009, "empty pieces without end").await;
}

#[tokio::test]
async fn a_message_may_come_in_pieces_with_a_ping_between() {
    let daemon = daemon().run().await;
    let mut raw = greeted(&daemon).await;
    let text = r#"{"event":"ping","data":{"id":"ü"}}"#;
    // The cut goes through the letter.
    let cut = text.find('ü').unwrap() + 1;
    raw.send(Frame::new(opcode::TEXT, &text.as_bytes()[..cut]).unfinished()).await;
    raw.send(Frame::new(opcode::PING, "between")).await;
    raw.send(Frame::new(opcode::CONTINUATION, "").unfinished()).await;
    raw.send(Frame::new(opcode::CONTINUATION, &text.as_bytes()[cut..])).await;
    let pong = raw.frame().await.unwrap();
    assert_eq!((pong.opcode, pong.payload.as_slice()), (opcode::PONG, &b"between"[..]));
    assert_eq!(raw.until("pong").await.data["id"], "ü");
}

/// Ticks are sent while a command is half read: neither may disturb the other.
#[tokio::test]
async fn a_command_may_come_byte_by_byte_while_ticks_flow() {
    let (script, daemon) = scripted().await;
    let mut raw = greeted(&daemon).await;
    raw.send(Frame::text(&json!({"event": "subscribe", "data": {"topics": ["s.a"]}}).to_string())).await;
    let bytes = Frame::text(PING).bytes();
    for (n, byte) in bytes.iter().enumerate() {
        raw.say([*byte]).await;
        if n < bytes.len() - 1 {
            script.tick("a", json!(n)).await;
            let tick = raw.until("tick").await;
            assert_eq!((tick.seq(), tick.value()), (n as u64 + 1, &json!(n)));
        }
    }
    raw.until("pong").await;
}

#[tokio::test]
async fn frames_may_follow_the_request_at_once() {
    let (script, daemon) = scripted().await;
    script.tick("a", json!(1)).await;
    let mut raw = daemon.raw().await;
    let subscribe =
        Frame::text(&json!({"event": "subscribe", "data": {"id": 1, "topics": ["s.a"]}}).to_string());
    let half = Frame::text(PING).bytes();
    raw.say([Raw::handshake("/ws").as_bytes(), &subscribe.bytes(), &half[..9]].concat()).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
    raw.until("connected").await;
    raw.until("subscribed").await;
    raw.until("tick").await;
    raw.say(&half[9..]).await;
    raw.until("pong").await;
}

#[tokio::test]
async fn pings_are_answered_with_their_payload() {
    let daemon = daemon().run().await;
    let mut raw = greeted(&daemon).await;
    for payload in [vec![], vec![7; 125]] {
        raw.send(Frame::new(opcode::PING, payload.clone())).await;
        let pong = raw.frame().await.unwrap();
        assert_eq!(pong, Frame { masked: false, ..Frame::new(opcode::PONG, payload) });
    }
    // A pong that nobody asked for is nothing.
    raw.send(Frame::new(opcode::PONG, "unasked")).await;
    raw.send(Frame::text(PING)).await;
    raw.until("pong").await;
}

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let daemon = daemon().run().await;
    for code in [Some(1000), Some(1001), Some(4999), None] {
        let mut raw = greeted(&daemon).await;
        let close = code.map_or(Frame::new(opcode::CLOSE, ""), Frame::close);
        raw.send(close.clone()).await;
        let answer = raw.frame().await.unwrap();
        assert_eq!(answer, Frame { masked: false, ..close });
        // The server ends its side at once; the client may take its time.
        assert_eq!(raw.frame().await, None);
    }
    daemon.metric_until("tickerd_connections", |count| count == 0.0).await;
    assert_eq!(daemon.metric("tickerd_closes_total{code=\"1000\"}").await, Some(1.0));
    assert_eq!(daemon.metric("tickerd_closes_total{code=\"1005\"}").await, Some(1.0));
    assert_eq!(daemon.metric("tickerd_closes_total{code=\"other\"}").await, Some(1.0));
}

#[tokio::test]
async fn nothing_is_heard_after_a_close() {
    let (script, daemon) = scripted().await;
    let mut raw = greeted(&daemon).await;
    raw.send(Frame::text(&json!({"event": "subscribe", "data": {"topics": ["s.a"]}}).to_string())).await;
    raw.say([Frame::close(1000).bytes(), Frame::text(PING).bytes()].concat()).await;
    script.tick("a", json!(1)).await;
    raw.until_opcode(opcode::CLOSE).await;
    assert_eq!(raw.frame().await, None);
}

/// The client neither answers the server's close nor ends its side: after a few seconds the server does.
#[tokio::test]
async fn who_does_not_answer_a_close_is_dropped() {
    let daemon = daemon().run().await;
    let mut raw = greeted(&daemon).await;
    raw.send(Frame { masked: false, ..Frame::text(PING) }).await;
    assert_eq!(raw.until_opcode(opcode::CLOSE).await.close_code(), Some(1002));
    assert_eq!(daemon.metric("tickerd_connections").await, Some(1.0));
    daemon.metric_until("tickerd_connections", |count| count == 0.0).await;
}

#[tokio::test]
async fn connections_that_end_anyhow_leave_nothing() {
    let (script, daemon) = scripted().await;
    script.tick("a", json!(1)).await;
    for n in 0..30 {
        let mut raw = greeted(&daemon).await;
        let subscribe =
            json!({"event": "subscribe", "data": {"id": n, "topics": ["s.a", format!("s.{n}"), "s.*"]}});
        raw.send(Frame::text(&subscribe.to_string())).await;
        raw.until("subscribed").await;
        match n % 5 {
            // The end of what the client says, between two frames, and then its own; and within a frame.
            0 => SockRef::from(&raw.stream).shutdown(std::net::Shutdown::Write).unwrap(),
            1 => {
                raw.say([0x81, 0x85, 1, 2]).await;
                SockRef::from(&raw.stream).shutdown(std::net::Shutdown::Write).unwrap();
            }
            // A reset, the same.
            2 => SockRef::from(&raw.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap(),
            3 => {
                raw.say([0x81, 0xfe, 0xff]).await;
                SockRef::from(&raw.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
            }
            // The socket is closed while ticks wait in it.
            _ => script.tick("a", json!(n)).await,
        }
        if n % 5 == 1 {
            raw.ended().await;
        }
    }
    daemon.metric_until("tickerd_connections", |count| count == 0.0).await;
    daemon.metric_until("tickerd_cohorts", |count| count == 0.0).await;
    assert_eq!(daemon.metric("tickerd_closes_total{code=\"1006\"}").await, Some(30.0));
}

#[tokio::test]
async fn noise_of_any_kind_ends_in_a_close_or_an_answer() {
    let daemon = daemon().chatty().run().await;
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut noise = SmallRng::seed_from_u64(seed);
    for _ in 0..100 {
        let mut raw = daemon.upgraded("/ws").await;
        let mut bytes = vec![0; 1 + noise.next_u32() as usize % 2000];
        noise.fill_bytes(&mut bytes);
        raw.say(&bytes).await;
        SockRef::from(&raw.stream).shutdown(std::net::Shutdown::Write).unwrap_or(());
        raw.ended().await;
    }
    daemon.metric_until("tickerd_connections", |count| count == 0.0).await;
    daemon.connected().await;
}
