//! A client that does not read: others do not notice, it costs little, and once it reads again it is told what it missed
//! and has the newest of everything.

use std::collections::BTreeMap;
use std::time::Duration;

use tickerd_tests::{Builder, Client, Daemon, Script, daemon, json};

const TOPICS: u64 = 20;
/// Not far below the largest value, so that sockets fill soon.
const PADDING: usize = 40_000;

/// Nothing is kept of the past, so that the daemon's memory tells what clients cost.
fn one_shard() -> Builder {
    daemon().server("shards = 1").config("[history]\ncount = 0")
}

/// Ticks all topics once, and waits until `fast` has all of it, so that no round merges with the next.
async fn round(script: &Script, fast: &mut Client, round: u64) {
    let value = json!({"round": round, "padding": "x".repeat(PADDING)});
    let lines: Vec<String> = (0..TOPICS).map(|n| Script::state(&format!("t{n}"), &value)).collect();
    script.lines(&lines).await;
    for _ in 0..TOPICS {
        assert_eq!(fast.tick().await.value()["round"], round);
    }
}

/// Rounds until the daemon says that the client lags.
async fn fill(daemon: &Daemon, script: &Script, fast: &mut Client) -> u64 {
    for n in 1..200 {
        round(script, fast, n).await;
        if daemon.metric("tickerd_connections_lagging").await == Some(1.0) {
            return n;
        }
    }
    panic!("the socket never fills");
}

#[tokio::test]
async fn a_slow_client_gets_the_newest_once_it_reads_again() {
    let script = Script::new("s");
    let daemon = one_shard().feed(script.feed()).run().await;
    let mut fast = daemon.connected().await;
    let mut slow = daemon.narrow().await;
    for client in [&mut fast, &mut slow] {
        client.subscribe(json!({"topics": ["s.*"]})).await;
    }
    let filled = fill(&daemon, &script, &mut fast).await;
    let resident_kib = daemon.resident_kib();
    let last = filled + 25;
    for n in filled + 1..=last {
        round(&script, &mut fast, n).await;
    }
    // 25 rounds are 20 MB, of which the slow client may keep a frame.
    let grown_kib = daemon.resident_kib().saturating_sub(resident_kib);
    assert!(grown_kib < 10_000, "the daemon grew by {grown_kib} KiB");
    assert_eq!(daemon.metric("tickerd_connections_lagging").await, Some(1.0));

    // It reads: whole frames, in order per topic, the newest of each, and what was skipped, to the tick.
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    let (mut received, mut skipped) = (0, 0);
    while received + skipped < TOPICS * last {
        let event = slow.next().await;
        if event.name == "notice" {
            if event.data["type"] == "lag" {
                skipped += event.data["skipped"].as_u64().unwrap();
                assert_eq!(event.data["topics"], TOPICS);
                assert!(event.data["since"].as_u64().unwrap() > 1_700_000_000_000);
                assert!(
                    newest.values().all(|seq| *seq == last),
                    "the newest come before the notice: {newest:?}"
                );
            }
            continue;
        }
        assert_eq!(event.value()["padding"].as_str().unwrap().len(), PADDING);
        assert_eq!(event.value()["round"], event.seq());
        let before = newest.insert(event.topic().to_owned(), event.seq()).unwrap_or(0);
        assert!(event.seq() > before, "{} after {before} of {}", event.seq(), event.topic());
        received += 1;
    }
    assert_eq!(received + skipped, TOPICS * last);
    assert!(skipped >= 20 * TOPICS, "{skipped} were skipped");
    assert_eq!(newest.len() as u64, TOPICS);

    // Level again, both get what comes.
    daemon.metric_until("tickerd_connections_lagging", |count| count == 0.0).await;
    daemon.metric_until("tickerd_ticks_skipped_total", |count| count == skipped as f64).await;
    let reads = async {
        for _ in 0..TOPICS {
            assert_eq!(slow.tick().await.seq(), last + 1);
        }
    };
    tokio::join!(round(&script, &mut fast, last + 1), reads);
    assert!(slow.sync().await.iter().all(|event| !event.is_tick()));
}

/// Commands of a client that does not read wait; once it reads, they are answered, and their effect is theirs.
#[tokio::test]
async fn commands_of_a_slow_client_are_answered_when_it_reads() {
    let script = Script::new("s");
    let daemon = one_shard().feed(script.feed()).run().await;
    let mut fast = daemon.connected().await;
    let mut slow = daemon.narrow().await;
    for client in [&mut fast, &mut slow] {
        client.subscribe(json!({"topics": ["s.*"]})).await;
    }
    let filled = fill(&daemon, &script, &mut fast).await;
    slow.send(json!({"event": "unsubscribe", "data": {"id": 1, "topics": ["s.*"]}})).await;
    slow.send(json!({"event": "subscribe", "data": {"id": 2, "topics": ["s.t3"]}})).await;
    round(&script, &mut fast, filled + 1).await;
    slow.until("unsubscribed").await;
    let granted = slow.expect("subscribed").await.data;
    assert_eq!(granted["topics"][0]["seq"], filled + 1);
    assert_eq!(slow.tick().await.seq(), filled + 1);
    let reads = async {
        let tick = slow.tick().await;
        assert_eq!((tick.topic(), tick.seq()), ("s.t3", filled + 2));
    };
    tokio::join!(round(&script, &mut fast, filled + 2), reads);
    assert!(slow.sync().await.is_empty());
}

/// A burst of commands with large answers, none of which is read, must not fill the daemon.
#[tokio::test]
async fn answers_that_nobody_reads_are_few() {
    let script = Script::new("s");
    let daemon = one_shard().feed(script.feed()).limits("commands_burst = 500").run().await;
    let mut fast = daemon.connected().await;
    fast.subscribe(json!({"topics": ["s.*"]})).await;
    round(&script, &mut fast, 1).await;
    let before_kib = daemon.resident_kib();
    let mut slow = daemon.narrow().await;
    let topics: Vec<String> = (0..TOPICS).map(|n| format!("s.t{n}")).collect();
    const GETS: u32 = 100;
    for id in 0..GETS {
        slow.send(json!({"event": "get", "data": {"id": id, "topics": topics}})).await;
    }
    daemon.metric_until("tickerd_connections_lagging", |count| count == 1.0).await;
    // The other's answer comes after the burst was heard: they share a shard.
    fast.sync().await;
    let grown_kib = daemon.resident_kib().saturating_sub(before_kib);
    assert!(grown_kib < 20_000, "80 MB of answers, and the daemon grew by {grown_kib} KiB");
    // Each is answered, one way or the other, in order.
    let mut refused = 0;
    for id in 0..GETS {
        let answer = slow.next().await;
        assert_eq!(answer.data["id"], id, "{}", answer.name);
        if answer.name == "error" {
            assert_eq!((&answer.data["code"], &answer.data["retry_after_ms"]), (&json!(429), &json!(1000)));
            refused += 1;
        }
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_slow_client_that_goes_leaves_nothing() {
    let script = Script::new("s");
    let daemon = one_shard().feed(script.feed()).run().await;
    let mut fast = daemon.connected().await;
    fast.subscribe(json!({"topics": ["s.*"]})).await;
    let mut slow = daemon.narrow().await;
    slow.subscribe(json!({"topics": ["s.*"]})).await;
    let filled = fill(&daemon, &script, &mut fast).await;
    drop(slow);
    round(&script, &mut fast, filled + 1).await;
    daemon.metric_until("tickerd_connections_lagging", |count| count == 0.0).await;
    daemon.metric_until("tickerd_connections", |count| count == 1.0).await;
}

/// The time is the daemon's own, 30 s, and longer than other waits here.
#[tokio::test]
async fn who_takes_no_byte_for_long_is_closed_with_4104() {
    let script = Script::new("s");
    let daemon = one_shard().feed(script.feed()).run().await;
    let mut fast = daemon.connected().await;
    let mut slow = daemon.narrow().await;
    for client in [&mut fast, &mut slow] {
        client.subscribe(json!({"topics": ["s.*"]})).await;
    }
    let filled = fill(&daemon, &script, &mut fast).await;
    let closed = async {
        while daemon.metric("tickerd_closes_total{code=\"4104\"}").await != Some(1.0) {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), closed).await.expect("it is closed");
    assert_eq!(daemon.metric("tickerd_connections_lagging").await, Some(0.0));
    round(&script, &mut fast, filled + 1).await;
    slow.ended().await;
}
