//! `history.path`: the past and the newest values outlive the daemon, and the epoch says truthfully whether nothing is
//! missing.

use std::path::Path;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tickerd_tests::{Builder, Client, Daemon, Event, Script, daemon, json};

fn keeping(script: &Script, folder: &Path) -> Builder {
    let path = folder.join("past");
    daemon()
        .server("shards = 2")
        .feed(script.feed())
        .config(&format!("[history]\npath = {:?}", path.display().to_string()))
}

/// A client and the epoch it was told.
async fn arrive(daemon: &Daemon) -> (Client, String) {
    let mut client = daemon.client("/ws").await;
    let connected = client.expect("connected").await.data;
    (client, connected["epoch"].as_str().unwrap().to_owned())
}

async fn since(client: &mut Client, epoch: &str, topic: &str, seq: u64) -> (tickerd_tests::Value, Vec<u64>) {
    let grant =
        client.subscribe(json!({"topics": [topic], "since": {"epoch": epoch, "seq": {topic: seq}}})).await;
    let events = client.sync().await;
    (grant["topics"][0].clone(), events.iter().filter(|event| event.is_tick()).map(Event::seq).collect())
}

async fn history(client: &mut Client, topic: &str) -> Vec<u64> {
    client.send(json!({"event": "history", "data": {"topic": topic}})).await;
    let values = client.until("history").await.data["values"].as_array().unwrap().clone();
    values.iter().map(|value| value["data"]["seq"].as_u64().unwrap()).collect()
}

async fn say(script: &Script, watching: &mut Client, ticks: std::ops::RangeInclusive<u64>) {
    let last = *ticks.end();
    script.lines(&ticks.map(|n| Script::state("a", &json!({"n": n}))).collect::<Vec<_>>()).await;
    while watching.tick().await.seq() < last {}
}

#[tokio::test]
async fn after_a_stop_in_order_clients_go_on_where_they_were() {
    let folder = TempDir::new().unwrap();
    let script = Script::new("s");
    let mut first = keeping(&script, folder.path()).run().await;
    let (mut client, epoch) = arrive(&first).await;
    client.subscribe(json!({"topics": ["s.a", "s.e"], "mode": "all"})).await;
    say(&script, &mut client, 1..=30).await;
    script.event("e", json!("once")).await;
    assert_eq!(client.tick().await.topic(), "s.e");
    // What is said last is told, and must not be forgotten.
    say(&script, &mut client, 31..=31).await;
    first.signal(Signal::SIGTERM);
    assert!(first.exit().await.success());
    client.closed().await;

    // Its feed says nothing yet: all that is here is from before.
    let mut second = keeping(&script, folder.path()).run().await;
    let (mut client, again) = arrive(&second).await;
    assert_eq!(again, epoch, "nothing is missing");
    let (grant, seqs) = since(&mut client, &epoch, "s.a", 12).await;
    assert_eq!((&grant["recovered"], &grant["seq"]), (&json!(true), &json!(31)));
    assert_eq!(seqs, (13..=31).collect::<Vec<_>>());
    assert_eq!(since(&mut client, &epoch, "s.e", 0).await.1, [1]);
    assert_eq!(history(&mut client, "s.a").await, (1..=31).collect::<Vec<_>>());
    assert_eq!(
        since(&mut client, &epoch, "s.never", 0).await.0["recovered"],
        false,
        "who knows what it said"
    );

    // The newest value is a snapshot, stale until news come; an event never gets stale.
    let mut other = second.client("/ws?topics=s.**").await;
    let stale = other.notice("stale").await;
    assert_eq!((stale.topics(), &stale.data["max_age_ms"]), (vec!["s.a"], &json!(0)));
    let mut newest =
        [other.tick().await, other.tick().await].map(|tick| (tick.topic().to_owned(), tick.seq()));
    newest.sort();
    assert_eq!(newest, [("s.a".to_owned(), 31), ("s.e".to_owned(), 1)]);
    script.tick("a", json!({"n": 32})).await;
    assert_eq!(other.notice("fresh").await.topics(), ["s.a"]);
    assert_eq!(other.tick().await.seq(), 32);
    assert_eq!(client.until_tick("s.a").await, 32);

    // And once more, with what the second run added.
    second.signal(Signal::SIGTERM);
    assert!(second.exit().await.success());
    let third = keeping(&script, folder.path()).run().await;
    let (mut client, again) = arrive(&third).await;
    assert_eq!(again, epoch);
    assert_eq!(since(&mut client, &epoch, "s.a", 30).await.1, [31, 32]);
    // Topics that are new have numbers that nobody had before.
    script.tick("new", json!(1)).await;
    client.subscribe(json!({"topics": ["s.new"]})).await;
    assert!(client.until_tick("s.new").await > 32);
}

/// Killed at any moment it loses what was not written yet and nothing else, and says that something may be missing.
#[tokio::test]
async fn after_a_kill_the_past_is_whole_up_to_its_last_batch_and_the_epoch_is_another() {
    let folder = TempDir::new().unwrap();
    let script = Script::new("s");
    let mut epochs = Vec::new();
    let (mut said, mut written) = (0, 0);
    for round in 0..4 {
        let mut daemon = keeping(&script, folder.path()).run().await;
        let (mut client, epoch) = arrive(&daemon).await;
        let known = if round == 0 { Vec::new() } else { history(&mut client, "s.a").await };
        assert!(known.is_sorted_by(|one, next| one + 1 == *next), "no hole: {known:?}");
        assert!(
            known.last().copied().unwrap_or(0) >= written,
            "{known:?} without {written}, which was written"
        );
        assert!(!epochs.contains(&epoch), "clients may have seen what is not here");
        for (old, seq) in epochs.iter().zip([1, 5, 9]) {
            assert_eq!(since(&mut client, old, "s.a", seq).await.0["recovered"], false);
        }
        epochs.push(epoch.clone());
        client.send(json!({"event": "unsubscribe", "data": {"topics": ["s.a"]}})).await;
        let grant = client.subscribe(json!({"topics": ["s.a"], "mode": "all", "snapshot": false})).await;
        let seen = grant["topics"][0]["seq"].as_u64().unwrap();
        // What was restored is of this epoch as well.
        if seen > 2 {
            let (grant, seqs) = since(&mut client, &epoch, "s.a", seen - 2).await;
            assert_eq!((&grant["recovered"], seqs), (&json!(true), vec![seen - 1, seen]));
        }
        script.lines(&(0..20).map(|n| Script::state("a", &json!(said + n))).collect::<Vec<_>>()).await;
        said += 20;
        while client.until_tick("s.a").await < seen + 20 {}
        // The first batch of a run has all there is.
        daemon.metric_until("tickerd_history_written_total", |ticks| ticks >= 1.0).await;
        written = if round == 3 { seen + 20 } else { seen };
        if round == 3 {
            daemon.metric_until("tickerd_history_written_total", |ticks| ticks >= seen as f64).await;
        }
        daemon.signal(Signal::SIGKILL);
        assert!(!daemon.exit().await.success());
    }
}

/// As `time.time_ns()` gives it, and as a float that is far too great.
#[tokio::test]
async fn a_source_time_that_is_no_time_costs_nothing_of_the_past() {
    let folder = TempDir::new().unwrap();
    let script = Script::new("s");
    let mut first = keeping(&script, folder.path()).run().await;
    let (mut client, epoch) = arrive(&first).await;
    client.subscribe(json!({"topics": ["s.a"], "mode": "all"})).await;
    for ts in ["1800000000000000000", "1e300", "1800000000000"] {
        script.line(&format!(r#"{{"topic":"a","event":"tick","data":{{"n":1}},"ts":{ts}}}"#)).await;
        let tick = client.tick().await;
        assert_eq!(tick.data.get("src_ts").is_some(), ts == "1800000000000", "{}", tick.text);
    }
    first.signal(Signal::SIGTERM);
    assert!(first.exit().await.success());
    let second = keeping(&script, folder.path()).run().await;
    let (mut client, epoch_now) = arrive(&second).await;
    assert_eq!((epoch_now, history(&mut client, "s.a").await), (epoch, vec![1, 2, 3]));
    assert!(!folder.path().join("past.damaged").exists());
}

#[tokio::test]
async fn a_damaged_file_is_moved_aside_and_the_daemon_starts() {
    let folder = TempDir::new().unwrap();
    let script = Script::new("s");
    let path = folder.path().join("past");
    std::fs::write(&path, b"someone wrote over this\n".repeat(4096)).unwrap();
    let daemon = keeping(&script, folder.path()).run().await;
    let line = daemon.logged("is damaged").await;
    assert!(line.contains("past.damaged") && line.contains("moved aside"), "{line}");
    assert!(std::fs::read(folder.path().join("past.damaged")).unwrap().starts_with(b"someone"));
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.seq(), 1);
}

#[tokio::test]
async fn a_file_that_another_process_has_ends_the_start_with_what_to_change() {
    let folder = TempDir::new().unwrap();
    let script = Script::new("s");
    let _first = keeping(&script, folder.path()).run().await;
    let mut second = keeping(&script, folder.path()).spawn();
    assert_eq!(second.exit().await.code(), Some(1));
    let line = second.logged("history.path").await;
    assert!(line.contains("another process"), "{line}");
}

/// A topic whose feed is no longer configured, or whose kind is another, does not come back as it was.
#[tokio::test]
async fn what_is_configured_now_decides_what_comes_back() {
    let folder = TempDir::new().unwrap();
    let (script, gone) = (Script::new("s"), Script::new("gone"));
    let mut first = keeping(&script, folder.path()).feed(gone.feed()).run().await;
    let mut client = first.connected().await;
    client.subscribe(json!({"topics": ["s.a", "gone.a"], "mode": "all"})).await;
    script.tick("a", json!(1)).await;
    gone.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.seq() + client.tick().await.seq(), 2);
    first.signal(Signal::SIGTERM);
    assert!(first.exit().await.success());
    let second = keeping(&script, folder.path()).run().await;
    let (mut client, _) = arrive(&second).await;
    client.send(json!({"event": "topics", "data": {}})).await;
    let topics = client.expect("topics").await.data["topics"].clone();
    assert_eq!((topics.as_array().unwrap().len(), &topics[0]["topic"]), (1, &json!("s.a")), "{topics}");
    assert_eq!((&topics[0]["stale"], &topics[0]["seq"]), (&json!(true), &json!(1)));
    // It is an event topic now: another topic of the same name.
    client.subscribe(json!({"topics": ["s.*"], "snapshot": false})).await;
    script.event("a", json!(2)).await;
    assert_eq!(
        client.notice("topics").await.data,
        json!({"type": "topics", "added": ["s.a"], "removed": ["s.a"]})
    );
    assert!(client.tick().await.seq() > 1);
}
