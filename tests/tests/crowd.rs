//! Many topics on one connection, and many connections on one shard: everything arrives, and once.

use std::collections::BTreeMap;

use tickerd_tests::{Script, daemon, exec, json};

/// More than a shard serves before it looks at what clients say.
const CLIENTS: usize = 700;

/// While beats are under way to hundreds, some of them change what they ask for: each is served each beat once.
#[tokio::test]
async fn who_speaks_during_a_beat_is_served_once() {
    let script = Script::new("s");
    let daemon = daemon()
        .chatty()
        .feed(script.feed().set("interval = \"10ms\""))
        .server("shards = 1\ntiers = [\"50ms\"]")
        .run()
        .await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = daemon.client("/ws?topics=s.a,s.t").await;
        client.until("subscribed").await;
        clients.push(client);
    }
    const ROUNDS: u64 = 30;
    for n in 1..=ROUNDS {
        let lines = [Script::state("a", &json!(n)), Script::happening("t", &json!(n))];
        script.lines(&lines).await;
        for (at, client) in clients.iter_mut().enumerate().skip(n as usize % 7).step_by(7) {
            // Each brings it into another cohort, and changes nothing of what it gets.
            let topics = [json!(["s.*"]), json!([format!("s.none.{n}")])][at % 2].clone();
            client.send(json!({"event": "subscribe", "data": {"topics": topics}})).await;
        }
        drop(clients[0].sync().await);
    }
    for client in clients.iter_mut().skip(1) {
        let (mut a, mut t) = (0, 0);
        while (a, t) != (ROUNDS, ROUNDS) {
            let event = client.next().await;
            match event.data["topic"].as_str() {
                Some("s.a") => {
                    assert!(event.seq() > a, "{} after {a}", event.text);
                    a = event.seq();
                }
                Some("s.t") => {
                    assert_eq!(event.seq(), t + 1);
                    t = event.seq();
                }
                _ => assert!(!event.is_tick() && event.name != "error", "{}", event.text),
            }
        }
    }
}

const TOPICS: usize = 10_000;

#[tokio::test]
async fn a_pattern_over_many_topics_gets_each_once() {
    let count = format!(
        "for n in $(seq 1 {TOPICS}); do echo '{{\"topic\":\"t'$n'\",\"event\":\"tick\",\"data\":'$n'}}'; done; exec cat"
    );
    let many = exec("many", ["/bin/sh", "-c", &count]);
    let script = Script::new("s");
    let daemon = daemon().chatty().feed(many).feed(script.feed()).server("tiers = [\"500ms\"]").run().await;
    let mut client = daemon.connected().await;
    daemon.metric_until("tickerd_topics{feed=\"many\"}", |count| count == TOPICS as f64).await;
    client.catch_up(&script).await;
    for rate in ["20ms", "500ms"] {
        let granted = client.subscribe(json!({"topics": ["many.**"], "rate": rate})).await;
        assert_eq!(granted["patterns"][0]["count"], TOPICS);
        let mut seen = BTreeMap::new();
        for event in client.sync().await.into_iter().filter(|event| event.is_tick()) {
            *seen.entry(event.topic().to_owned()).or_insert(0) += 1;
        }
        // At the slower rate only what came at the faster one is known already, and does not come again.
        assert_eq!(seen.len(), if rate == "20ms" { TOPICS } else { 0 });
        assert!(seen.values().all(|count| *count == 1));
    }
    client.send(json!({"event": "unsubscribe", "data": {"topics": ["many.**"]}})).await;
    client.subscribe(json!({"topics": ["many.**", "s.fence"], "rate": "500ms"})).await;
    // The slow tier may bring what was a snapshot just now, and must not; its fence comes behind all of it.
    let fence = script.fence("fence").await;
    let events = client.fence("s.fence", fence).await;
    let came = events.iter().filter(|event| event.is_tick() && event.topic().starts_with("many.")).count();
    assert_eq!(came, TOPICS);
}
