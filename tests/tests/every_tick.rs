//! Mode `all`: every tick of any topic, once and in order, at the feed's own beat; and what happens when that is too much.

use std::collections::BTreeMap;

use tickerd_tests::{Client, Daemon, Event, Script, daemon, json, scripted, within};
use tokio::sync::watch;

/// Ticks of one topic until this number, and their values.
async fn until_seq(client: &mut Client, seq: u64) -> Vec<(u64, tickerd_tests::Value)> {
    let mut ticks = Vec::new();
    while ticks.last().is_none_or(|(last, _)| *last < seq) {
        let tick = client.tick().await;
        ticks.push((tick.seq(), tick.value().clone()));
    }
    ticks
}

#[tokio::test]
async fn every_tick_of_a_state_topic_comes_once_and_in_order() {
    let (script, daemon) = scripted().await;
    let (mut every, mut newest) = (daemon.connected().await, daemon.connected().await);
    let grant = every.subscribe(json!({"topics": ["s.a"], "mode": "all", "rate": "5s"})).await;
    assert_eq!(grant["topics"][0], json!({"topic": "s.a", "seq": 0, "rate": "20ms", "mode": "all"}));
    newest.subscribe(json!({"topics": ["s.a"]})).await;
    // More than once the same: it is news all the same.
    let values: Vec<_> = (0..200u64).map(|n| json!(n / 3)).collect();
    script.lines(&values.iter().map(|value| Script::state("a", value)).collect::<Vec<_>>()).await;
    let came = until_seq(&mut every, 200).await;
    let said: Vec<_> = values.iter().cloned().enumerate().map(|(at, value)| (at as u64 + 1, value)).collect();
    assert_eq!(came, said);
    let came = until_seq(&mut newest, 199).await;
    assert!(came.len() < 200 && came.is_sorted_by(|(one, _), (next, _)| one < next), "{came:?}");
}

/// Readers on two shards, several topics, ticks without a pause.
#[tokio::test]
async fn every_tick_comes_under_load_on_every_shard() {
    const TOPICS: u64 = 5;
    const TICKS: u64 = 2_000;
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).server("shards = 2").run().await;
    let mut clients = Vec::new();
    for at in 0..6 {
        let mut client = daemon.connected().await;
        let topics = if at % 2 == 0 { json!(["s.*"]) } else { json!(["s.0", "s.1", "s.2", "s.3", "s.4"]) };
        client.subscribe(json!({"topics": topics, "mode": "all"})).await;
        clients.push(client);
    }
    let read = watch::Sender::new(0);
    let says = async {
        let all: Vec<String> =
            (0..TICKS).map(|n| Script::state(&(n % TOPICS).to_string(), &json!(n / TOPICS))).collect();
        let mut come = read.subscribe();
        for (at, some) in (0u64..).zip(all.chunks(100)) {
            // As fast as a reader is: more than the lane holds would be merged.
            let behind = (at * 100).saturating_sub(500);
            within("the first reader", come.wait_for(|come| *come >= behind)).await.unwrap();
            script.lines(some).await;
        }
    };
    let reads = clients.iter_mut().enumerate().map(|(who, client)| {
        let read = &read;
        async move {
            let mut next: BTreeMap<String, u64> = BTreeMap::new();
            for n in 0..TICKS {
                if who == 0 {
                    read.send_replace(n);
                }
                let tick = client.tick().await;
                let seq = next.entry(tick.topic().to_owned()).or_insert(1);
                assert_eq!((tick.seq(), tick.value()), (*seq, &json!(*seq - 1)), "{}", tick.text);
                *seq += 1;
            }
            assert_eq!(next.len() as u64, TOPICS);
        }
    });
    tokio::join!(says, futures_util::future::join_all(reads));
    assert_eq!(daemon.metric("tickerd_ticks_skipped_total").await, Some(0.0));
}

#[tokio::test]
async fn a_mode_may_be_changed_and_no_tick_comes_twice() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    script.tick("a", json!(1)).await;
    client.catch_up(&script).await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    assert_eq!(client.tick().await.seq(), 1);
    // The same value: those who want the newest know it, those who want all do not.
    script.tick("a", json!(1)).await;
    client.catch_up(&script).await;
    let grant = client.subscribe(json!({"topics": ["s.a"], "mode": "all"})).await;
    assert_eq!((&grant["topics"][0]["seq"], &grant["topics"][0]["mode"]), (&json!(2), &json!("all")));
    assert_eq!(client.tick().await.seq(), 2);
    for n in [1, 1, 2] {
        script.tick("a", json!(n)).await;
    }
    for seq in 3..=5 {
        assert_eq!(client.tick().await.seq(), seq);
    }
    let grant = client.subscribe(json!({"topics": ["s.a"], "mode": "latest", "rate": "1s"})).await;
    assert_eq!((&grant["topics"][0]["rate"], &grant["topics"][0]["mode"]), (&json!("1s"), &json!("latest")));
    script.tick("a", json!(3)).await;
    assert_eq!(client.tick().await.seq(), 6, "and neither 5 again, which the slow rate owes to others");
}

#[tokio::test]
async fn exact_beats_pattern_and_among_patterns_all_wins() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.*"], "rate": "250ms"})).await;
    let grant = client.subscribe(json!({"topics": ["s.**"], "mode": "all"})).await;
    assert_eq!(grant["patterns"], json!([{"pattern": "s.**", "count": 0, "mode": "all"}]));
    client.subscribe(json!({"topics": ["s.b"], "mode": "latest"})).await;
    let burst: Vec<String> =
        (1..=9).flat_map(|n| ["a", "b"].map(|topic| Script::state(topic, &json!(n)))).collect();
    script.lines(&burst).await;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    while a.last() != Some(&9) || b.last() != Some(&9) {
        let tick = client.tick().await;
        if tick.topic() == "s.a" { a.push(tick.seq()) } else { b.push(tick.seq()) }
    }
    assert_eq!(a, (1..=9).collect::<Vec<_>>());
    assert!(b.len() < 9, "{b:?}");
}

const PADDING: usize = 40_000;
const WIDE: [&str; 4] = ["t0", "t1", "t2", "t3"];

/// Every topic ticks once, and `fast` has it.
async fn round(script: &Script, fast: &mut Client, n: u64) {
    let value = json!({"n": n, "padding": "x".repeat(PADDING)});
    script.lines(&WIDE.map(|topic| Script::state(topic, &value))).await;
    for _ in WIDE {
        assert_eq!(fast.tick().await.seq(), n);
    }
}

/// Rounds until the slow client's socket is full.
async fn fill(daemon: &Daemon, script: &Script, fast: &mut Client) -> u64 {
    for n in 1..500 {
        round(script, fast, n).await;
        if daemon.metric("tickerd_connections_lagging").await == Some(1.0) {
            return n;
        }
    }
    panic!("the socket never fills");
}

/// A fast reader, and a slow one that has every tick and does not read.
async fn stalled() -> (Script, Daemon, Client, Client, u64) {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).server("shards = 1").config("[history]\ncount = 0").run().await;
    let (mut fast, mut slow) = (daemon.connected().await, daemon.narrow().await);
    fast.subscribe(json!({"topics": ["s.*"]})).await;
    slow.subscribe(json!({"topics": ["s.*"], "mode": "all"})).await;
    let filled = fill(&daemon, &script, &mut fast).await;
    (script, daemon, fast, slow, filled)
}

#[tokio::test]
async fn who_lags_a_little_misses_nothing() {
    let (script, _daemon, mut fast, mut slow, filled) = stalled().await;
    // Three rounds are half of what may wait.
    for n in filled + 1..=filled + 3 {
        round(&script, &mut fast, n).await;
    }
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    while next.len() < WIDE.len() || next.values().any(|next| *next <= filled + 3) {
        let tick = slow.tick().await;
        let seq = next.entry(tick.topic().to_owned()).or_insert(1);
        assert_eq!(tick.seq(), *seq, "{}", tick.topic());
        *seq += 1;
    }
    assert!(slow.sync().await.iter().all(Event::is_aside), "neither a reset nor a word of lag");
}

#[tokio::test]
async fn who_lags_too_much_begins_anew_and_is_told() {
    let (script, daemon, mut fast, mut slow, filled) = stalled().await;
    let before_kib = daemon.resident_kib();
    let last = filled + 60;
    for n in filled + 1..=last {
        round(&script, &mut fast, n).await;
    }
    // 60 rounds are 10 MB, of which 1 MiB may wait; twice that as values and as frames.
    let grown_kib = daemon.resident_kib().saturating_sub(before_kib);
    assert!(grown_kib < 8_000, "the daemon grew by {grown_kib} KiB");
    let (mut had, mut reset): (BTreeMap<String, u64>, Vec<String>) = (BTreeMap::new(), Vec::new());
    let (mut received, mut missing) = (0, 0);
    while received + missing < last * WIDE.len() as u64 {
        let event = slow.next().await;
        if event.is_notice("reset") {
            reset.extend(event.topics().iter().map(|topic| topic.to_string()));
        }
        if !event.is_tick() {
            continue;
        }
        let seq = had.entry(event.topic().to_owned()).or_insert(0);
        if let Some(at) = reset.iter().position(|topic| topic == event.topic()) {
            reset.remove(at);
            assert!(event.seq() > *seq + 1, "something was passed over");
            missing += event.seq() - *seq - 1;
        } else {
            assert_eq!(event.seq(), *seq + 1, "no gap without a word: {}", event.topic());
        }
        *seq = event.seq();
        received += 1;
    }
    assert!(missing > 0 && reset.is_empty());
    daemon.metric_until("tickerd_ticks_skipped_total", |skipped| skipped == missing as f64).await;
    // Level again, it gets every tick.
    slow.sync().await;
    for n in last + 1..=last + 2 {
        let reads = async {
            for _ in WIDE {
                assert_eq!(slow.tick().await.seq(), n);
            }
        };
        tokio::join!(round(&script, &mut fast, n), reads);
    }
}

/// What an unsubscribed topic owed is owed no more, and what a new one brings comes.
#[tokio::test]
async fn event_topics_are_owed_to_who_lags_too() {
    let (script, daemon, mut fast, mut slow, filled) = stalled().await;
    fast.subscribe(json!({"topics": ["s.e"]})).await;
    for n in 1..=20u64 {
        script.event("e", json!(n)).await;
        while fast.tick().await.topic() != "s.e" {}
    }
    let mut events = Vec::new();
    while events.last() != Some(&20) {
        let event = slow.next().await;
        assert!(!event.is_notice("reset"));
        if event.is_tick() && event.topic() == "s.e" {
            events.push(event.seq());
        }
    }
    assert_eq!(events, (1..=20).collect::<Vec<_>>());
    daemon.metric_until("tickerd_connections_lagging", |count| count == 0.0).await;
    assert!(filled > 0);
}

#[tokio::test]
async fn who_holds_a_pattern_is_told_which_topics_come_and_go() {
    let (script, daemon) = scripted().await;
    let (mut holder, mut other) = (daemon.connected().await, daemon.connected().await);
    script.tick("old", json!(1)).await;
    holder.catch_up(&script).await;
    holder.subscribe(json!({"topics": ["s.x.*", "s.old"]})).await;
    other.subscribe(json!({"topics": ["s.x.a", "s.y.**"]})).await;
    let names: Vec<String> = (0..300).map(|n| format!("x.{n}")).collect();
    script.lines(&names.iter().map(|name| Script::state(name, &json!(1))).collect::<Vec<_>>()).await;
    let mut told = Vec::new();
    while told.len() < names.len() {
        let notice = holder.notice("topics").await.data;
        assert_eq!(notice["removed"], json!([]));
        let added = notice["added"].as_array().unwrap();
        assert!((1..=256).contains(&added.len()), "{}", added.len());
        told.extend(added.iter().map(|name| name.as_str().unwrap().to_owned()));
    }
    assert_eq!(told, names.iter().map(|name| script.topic(name)).collect::<Vec<_>>());
    for name in ["x.7", "old"] {
        script.retire(name).await;
    }
    assert_eq!(
        holder.notice("topics").await.data,
        json!({"type": "topics", "added": [], "removed": ["s.x.7"]}),
        "and nothing of what it named itself"
    );
    script.tick("x.7", json!(2)).await;
    assert_eq!(holder.notice("topics").await.data["added"], json!(["s.x.7"]));
    assert_eq!(holder.tick().await.topic(), "s.x.7", "the notice comes first");
    assert!(other.sync().await.is_empty());
}
