//! A client that shuts its sending side has said all it wants to say, and still wants what it asked for.

use std::time::{Duration, Instant};

use tickerd_tests::raw::opcode;
use tickerd_tests::{Daemon, Raw, daemon, json};
use tokio::io::AsyncWriteExt;

use crate::http::{get, serving};

/// Says this, and nothing more.
async fn says_all(daemon: &Daemon, text: &str) -> Raw {
    let mut raw = daemon.raw().await;
    raw.say(text).await;
    raw.stream.shutdown().await.unwrap();
    raw
}

fn request(line: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[tokio::test]
async fn it_gets_its_answer() {
    let rooms = "[[topic]]\nname = \"r.a\"\npublish = true";
    let (_script, daemon) = serving(|d| d.config(rooms)).await;
    for (line, status) in [
        ("GET /v1/topics", "200"),
        ("GET /v1/topics/s.none?wait=1", "404"),
        ("GET /", "200"),
        ("GET /ws", "426"),
    ] {
        let mut raw = says_all(&daemon, &request(line)).await;
        let head = raw.head().await;
        assert_eq!(head.split(' ').nth(1), Some(status), "{line}: {head}");
        raw.ended().await;
    }
    let post = "POST /v1/topics/r.a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1";
    let head = says_all(&daemon, post).await.head().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    // A body that ends too early is none.
    let cut = "POST /v1/topics/r.a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1";
    let answer = String::from_utf8(says_all(&daemon, cut).await.rest().await).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

/// Goal: who has gone holds no place until its wait is over.
#[tokio::test]
async fn a_wait_ends_when_its_client_has_gone() {
    const WAIT: Duration = Duration::from_secs(30);
    let (_script, daemon) = serving(|d| d.limits("connections = 1")).await;
    let wait = request("GET /v1/topics/s.none?wait=30");
    let began = Instant::now();
    let mut raw = daemon.raw().await;
    raw.say(&wait).await;
    while get(&daemon, "/v1/topics").await.status() != 503 {}
    drop(raw);
    while get(&daemon, "/v1/topics").await.status() == 503 {}
    assert!(began.elapsed() < WAIT, "its place was free before");
    // Who has only said all that it wants to say gets the answer that there is.
    let (_script, daemon) = serving(|d| d).await;
    let began = Instant::now();
    let head = says_all(&daemon, &wait).await.head().await;
    assert!(head.starts_with("HTTP/1.1 404 ") && began.elapsed() < WAIT, "{head}");
}

#[tokio::test]
async fn its_streams_go_on_until_it_is_gone() {
    let (script, daemon) = serving(|d| d).await;
    let mut stream = says_all(&daemon, &request("GET /v1/sse?topics=s.a")).await;
    let mut socket = says_all(&daemon, &Raw::handshake("/ws?topics=s.a")).await;
    stream.head().await;
    while !stream.block().await.contains("\"subscribed\"") {}
    socket.head().await;
    socket.until("subscribed").await;
    for seq in 1..=3 {
        script.tick("a", json!(seq)).await;
        let says = format!("\"seq\":{seq},");
        while !stream.block().await.contains(&says) {}
        loop {
            let frame = socket.frame().await.unwrap();
            // The server asks whether it is there, and expects no answer.
            assert!([opcode::TEXT, opcode::PING].contains(&frame.opcode), "{frame:?}");
            if String::from_utf8_lossy(&frame.payload).contains(&says) {
                break;
            }
        }
    }
    assert_eq!(daemon.metric("tickerd_connections").await, Some(2.0));
    drop((stream, socket));
    script.tick("a", json!(4)).await;
    script.tick("a", json!(5)).await;
    daemon.metric_until("tickerd_connections", |count| count == 0.0).await;
}

/// Goal: one that only went away is not kept for long. Its heartbeat is an hour away, so nothing else is sent to it.
#[tokio::test]
async fn one_that_is_gone_is_noticed_at_once() {
    let (_script, daemon) = serving(|d| d.server("heartbeat = \"1h\"")).await;
    let mut stream = daemon.raw().await;
    stream.say(request("GET /v1/sse?topics=s.a")).await;
    stream.head().await;
    let socket = daemon.connected().await;
    daemon.metric_until("tickerd_connections", |count| count == 2.0).await;
    drop((stream, socket));
    daemon.metric_until("tickerd_connections", |count| count == 0.0).await;
}

#[tokio::test]
async fn it_is_seen_off_like_the_others() {
    let mut daemon = daemon().run().await;
    let mut socket = says_all(&daemon, &Raw::handshake("/ws")).await;
    socket.head().await;
    socket.until("connected").await;
    socket.until_opcode(opcode::PING).await;
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    socket.until("closing").await;
    assert_eq!(socket.until_opcode(opcode::CLOSE).await.close_code(), Some(1012));
    socket.ended().await;
    assert!(daemon.exit().await.success());
}
