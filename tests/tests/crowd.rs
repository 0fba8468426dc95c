//! Many topics on one connection: everything arrives, and once.

use std::collections::BTreeMap;

use tickerd_tests::{Script, daemon, exec, json};

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
