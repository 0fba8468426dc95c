//! Many topics that go stale and have news again, many clients, and clients that do not read: what each was told last is
//! how it is.

use std::collections::BTreeSet;

use rand::rngs::SmallRng;
use rand::seq::{IndexedMutRandom, IndexedRandom};
use rand::{RngExt, SeedableRng};
use tickerd_tests::{Script, Told, Value, daemon, json};

/// Topics that one notice names at most.
const TOPICS_PER_NOTICE: usize = 256;

#[tokio::test]
async fn many_topics_at_once_are_told_in_few_notices() {
    const TOPICS: usize = 2_000;
    let script = Script::new("s");
    let feed = script.feed().set("interval = \"250ms\"").set("max_age = \"1s\"");
    let daemon = daemon().chatty().feed(feed).run().await;
    let all = Told::of((0..TOPICS).map(|n| format!("s.t{n}")));
    let say =
        |value: u64| (0..TOPICS).map(|n| Script::state(&format!("t{n}"), &json!(value))).collect::<Vec<_>>();
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.**"]})).await;
    for (value, kinds) in [(1, &["stale"][..]), (2, &["fresh", "stale"])] {
        script.lines(&say(value)).await;
        let (mut told, mut notices) = (BTreeSet::new(), 0);
        while told.len() < TOPICS * kinds.len() {
            let event = client.next().await;
            // The first may be stale again before the last is fresh.
            let Some(kind) = kinds.iter().find(|kind| event.is_notice(kind)) else { continue };
            notices += 1;
            assert!(event.topics().len() <= TOPICS_PER_NOTICE && event.text.len() < 65_536);
            for topic in event.topics() {
                assert!(told.insert((kind, topic.to_owned())), "{topic} is told twice");
            }
        }
        // They come over several beats and looks; one by one would be thousands.
        assert!(notices <= 200, "{notices} notices");
    }
    let mut late = daemon.connected().await;
    late.subscribe(json!({"topics": ["s.**"], "snapshot": false})).await;
    Told::default().follow(&mut late, &all).await;
}

/// While a client does not read, topics go stale and have news again; once it reads, what it was told last is how it is.
#[tokio::test]
async fn a_slow_client_ends_with_the_truth() {
    const TOPICS: u64 = 20;
    let script = Script::new("s");
    let feed = script.feed().set("max_age = \"1s\"");
    let daemon = daemon().chatty().server("shards = 1").feed(feed).run().await;
    let (mut fast, mut slow) = (daemon.connected().await, daemon.narrow().await);
    for client in [&mut fast, &mut slow] {
        client.subscribe(json!({"topics": ["s.*"]})).await;
    }
    let stale = "tickerd_topics_stale{feed=\"s\"}";
    // It was told that all are stale, before it stops reading.
    let lines = |value: &Value, topics: u64| {
        (0..topics).map(|n| Script::state(&format!("t{n}"), value)).collect::<Vec<_>>()
    };
    script.lines(&lines(&json!(0), TOPICS)).await;
    let all = Told::of((0..TOPICS).map(|n| format!("s.t{n}")));
    let mut told = Told::default();
    told.follow(&mut slow, &all).await;
    let mut round = 0;
    while daemon.metric("tickerd_connections_lagging").await != Some(1.0) {
        round += 1;
        let value = json!({"round": round, "padding": "x".repeat(40_000)});
        script.lines(&lines(&value, TOPICS)).await;
        for _ in 0..TOPICS {
            while fast.tick().await.value()["round"] != round {}
        }
    }
    daemon.metric_until(stale, |count| count == TOPICS as f64).await;
    script.lines(&lines(&json!("last"), TOPICS / 2)).await;
    for _ in 0..TOPICS / 2 {
        while fast.tick().await.value() != "last" {}
    }
    slow.send(json!({"event": "topics", "data": {}})).await;
    let answer = loop {
        let event = slow.next().await;
        if event.name == "topics" {
            break event;
        }
        told.heed(&event);
    };
    assert_eq!(told, Told::listed_in(&answer));
    script.lines(&lines(&json!("again"), TOPICS)).await;
    told.follow(&mut slow, &Told::default()).await;
    told.follow(&mut slow, &all).await;
}

/// Goal: whatever happens, what a client was told is what is listed. Method: clients on two shards ask and leave at random
/// while topics speak, end, return and fall silent; a client's notices up to the list must say the same as the list.
#[tokio::test]
async fn what_was_told_is_what_is_listed() {
    const CLIENTS: usize = 4;
    const TOPICS: [&str; 8] = ["a", "b", "x.a", "x.b", "x.y.a", "y.a", "y.b", "y.x.b"];
    const ASKS: [&str; 9] = ["s.a", "s.x.a", "s.y.x.b", "s.y.a", "s.*", "s.x.**", "s.*.a", "s.**", "s.x.b"];
    let seed = std::env::var("SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut chance = SmallRng::seed_from_u64(seed);
    let script = Script::new("s");
    let feed = script.feed().set("interval = \"10ms\"").set("max_age = \"100ms\"");
    let daemon = daemon().chatty().feed(feed).server("shards = 2\ntiers = [\"30ms\"]").run().await;
    let mut pace = daemon.connected().await;
    pace.subscribe(json!({"topics": ["s.pace"]})).await;
    let mut members = Vec::new();
    for _ in 0..CLIENTS {
        members.push((daemon.connected().await, BTreeSet::<String>::new(), Told::default()));
    }
    let (mut was_stale, mut was_fresh) = (0, 0);
    for step in 0..600 {
        let topic = *TOPICS.choose(&mut chance).unwrap();
        match chance.random_range(0..20) {
            0..6 => script.tick(topic, json!(step)).await,
            6..8 => script.tick(topic, json!(0)).await,
            8 => script.retire(topic).await,
            // A beat goes by.
            9..16 => {
                let fence = script.fence("pace").await;
                pace.fence("s.pace", fence).await;
            }
            _ => {}
        }
        let (client, asks, told) = members.choose_mut(&mut chance).unwrap();
        match chance.random_range(0..10) {
            0..2 => {
                let ask = *ASKS.choose(&mut chance).unwrap();
                let rate = ["10ms", "30ms"].choose(&mut chance).unwrap();
                asks.insert(ask.to_owned());
                client.send(json!({"event": "subscribe", "data": {"topics": [ask], "rate": rate}})).await;
            }
            2 if !asks.is_empty() => {
                let ask = asks.pop_first().unwrap();
                client.send(json!({"event": "unsubscribe", "data": {"id": 1, "topics": [ask]}})).await;
            }
            _ => {}
        }
        client.send(json!({"event": "topics", "data": {}})).await;
        loop {
            let event = client.next().await;
            told.heed(&event);
            was_stale += usize::from(event.is_notice("stale"));
            was_fresh += usize::from(event.is_notice("fresh"));
            if event.name != "topics" {
                continue;
            }
            let holds = |topic: &String| asks.iter().any(|ask| holds(ask, topic));
            let there: BTreeSet<&str> = event.data["topics"]
                .as_array()
                .unwrap()
                .iter()
                .map(|t| t["topic"].as_str().unwrap())
                .collect();
            told.0.retain(|topic| holds(topic));
            let ought = Told::of(Told::listed_in(&event).0.into_iter().filter(holds));
            assert_eq!(*told, ought, "at step {step}, asking for {asks:?}, of {there:?}");
            break;
        }
    }
    assert!(
        was_stale > 5 && was_fresh > 5,
        "{was_stale} and {was_fresh} notices are too few to mean anything"
    );
}

/// Whether an ask of that test's holds a topic.
fn holds(ask: &str, topic: &str) -> bool {
    let (ask, topic): (Vec<_>, Vec<_>) = (ask.split('.').collect(), topic.split('.').collect());
    match ask.split_last() {
        Some((&"**", fixed)) => topic.len() > fixed.len() && topic.starts_with(fixed),
        _ => {
            ask.len() == topic.len() && ask.iter().zip(&topic).all(|(one, other)| *one == "*" || one == other)
        }
    }
}
