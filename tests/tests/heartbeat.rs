//! Signs of life, both ways: heartbeats and pings of the server, and what becomes of clients that are silent.

use std::time::{Duration, Instant};

use tickerd_tests::raw::opcode;
use tickerd_tests::{Incoming, daemon, json, scripted};

#[tokio::test]
async fn an_idle_connection_hears_heartbeats() {
    let daemon = daemon().server("heartbeat = \"1s\"").run().await;
    let mut client = daemon.client("/ws").await;
    assert_eq!(client.expect("connected").await.data["heartbeat_ms"], 1000);
    let first = client.expect("heartbeat").await.data["ts"].as_u64().unwrap();
    let second = client.expect("heartbeat").await.data["ts"].as_u64().unwrap();
    assert!(second > first);
}

/// Clients that answer, tungstenite by itself, stay for good.
#[tokio::test]
async fn pings_come_and_their_answers_keep_a_client() {
    let daemon = daemon().server("ping = \"1s\"\npong_timeout = \"5s\"").run().await;
    let mut client = daemon.connected().await;
    let mut pings = 0;
    // For longer than the timeout.
    while pings < 7 {
        match client.incoming().await {
            Incoming::Ping(_) => pings += 1,
            Incoming::Event(_) => {}
            other => panic!("{other:?}"),
        }
    }
    client.sync().await;
}

#[tokio::test]
async fn who_answers_no_ping_is_closed_with_4201() {
    let daemon = daemon().server("ping = \"1s\"\npong_timeout = \"2s\"").run().await;
    // The server hears it last when it upgrades.
    let begun = Instant::now();
    let mut raw = daemon.upgraded("/ws").await;
    raw.until("connected").await;
    raw.until_opcode(opcode::PING).await;
    let close = raw.until_opcode(opcode::CLOSE).await;
    assert_eq!(close.close_code(), Some(4201));
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    daemon.metric_until("tickerd_closes_total{code=\"4201\"}", |count| count == 1.0).await;
}

#[tokio::test]
async fn ticks_are_signs_of_life_too() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    // The default heartbeat is far longer than this test: among ticks there is none.
    for n in 0..20 {
        script.tick("a", json!(n)).await;
        let event = loop {
            let event = client.next().await;
            if event.name != "notice" {
                break event;
            }
        };
        assert_eq!(event.name, "tick");
    }
}
