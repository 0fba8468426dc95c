//! `/echo`: every message comes back as it was, and nothing else is said.

use tickerd_tests::raw::{Frame, opcode};
use tickerd_tests::{Builder, Client, Incoming, Message, daemon, sim};

fn echoing() -> Builder {
    daemon().feed(sim(1)).server("echo = true\nheartbeat = \"1s\"\nping = \"1s\"\npong_timeout = \"2s\"")
}

async fn echoed(client: &mut Client) -> Vec<u8> {
    match client.message().await {
        Some(Message::Text(text)) => text.as_bytes().to_vec(),
        Some(Message::Binary(bytes)) => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_come_back_as_they_were() {
    let daemon = echoing().run().await;
    let mut client = daemon.client("/echo").await;
    for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        client.send_message(Message::binary(bytes.clone())).await;
        assert!(matches!(client.incoming().await, Incoming::Binary(back) if back == bytes), "{size}");
        let text = "é".repeat(size / 2);
        client.send_message(Message::text(text.clone())).await;
        assert_eq!(echoed(&mut client).await, text.as_bytes(), "{size}");
    }
    assert_eq!(client.close(1000).await.0, 1000);
    client.ended().await;
}

#[tokio::test]
async fn pieces_come_back_whole() {
    let daemon = echoing().run().await;
    let mut raw = daemon.upgraded("/echo").await;
    raw.send(Frame::text("one ").unfinished()).await;
    for _ in 0..1000 {
        raw.send(Frame::new(opcode::CONTINUATION, "and ").unfinished()).await;
    }
    raw.send(Frame::new(opcode::CONTINUATION, "two")).await;
    let back = raw.frame().await.unwrap();
    let whole = format!("one {}two", "and ".repeat(1000));
    assert_eq!(back, Frame { masked: false, ..Frame::text(&whole) });
}

/// Heartbeats and pings are due at once in this daemon; a ticker client gets them, an echo client does not.
#[tokio::test]
async fn nothing_is_said_unasked() {
    let daemon = echoing().run().await;
    let mut ticker = daemon.connected().await;
    let mut raw = daemon.upgraded("/echo").await;
    for _ in 0..2 {
        ticker.expect("heartbeat").await;
    }
    raw.send(Frame::text("first")).await;
    assert_eq!(raw.frame().await.unwrap().payload, b"first");
}

#[tokio::test]
async fn limits_are_its_own() {
    let daemon = echoing().config("[server.echo_limits]\nmessage = \"100KiB\"\nfragments = 3").run().await;
    let mut client = daemon.client("/echo").await;
    client.send_message(Message::binary(vec![1; 100 << 10])).await;
    assert!(matches!(client.incoming().await, Incoming::Binary(_)));
    client.send_message(Message::binary(vec![1; (100 << 10) + 1])).await;
    assert_eq!(client.closed().await.0, 1009);
    let mut raw = daemon.upgraded("/echo").await;
    raw.send(Frame::text("").unfinished()).await;
    for _ in 0..3 {
        raw.send(Frame::new(opcode::CONTINUATION, "").unfinished()).await;
    }
    assert_eq!(raw.until_opcode(opcode::CLOSE).await.close_code(), Some(1009));
}
