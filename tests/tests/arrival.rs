//! Feeds with `pace = "arrival"`: values come when they are said, and no more often than the interval allows. Nothing here
//! measures time: with an interval of an hour, what comes at all has not waited for it.

use tickerd_tests::{Client, Script, daemon, json};

/// Topic, number and value of the next tick.
async fn next(client: &mut Client) -> (String, u64, tickerd_tests::Value) {
    let tick = client.tick().await;
    (tick.topic().to_owned(), tick.seq(), tick.value().clone())
}

#[tokio::test]
async fn the_first_value_of_a_topic_comes_at_once_and_the_next_waits_for_the_interval() {
    let script = Script::new("s");
    let feed = script.feed().set("interval = \"1h\"").set("pace = \"arrival\"");
    let daemon = daemon().feed(feed).run().await;
    let mut client = daemon.connected().await;
    let granted = client.subscribe(json!({"topics": ["s.a", "s.b", "s.t", "s.u"]})).await;
    assert_eq!(granted["topics"][0]["rate"], "60m", "the rate is the same");
    script.tick("a", json!(1)).await;
    assert_eq!(next(&mut client).await, ("s.a".to_owned(), 1, json!(1)));
    for value in 2..=4 {
        script.tick("a", json!(value)).await;
        script.event("t", json!(value)).await;
        // Whatever comes first of another topic comes at once.
        let (topic, other) = [("t", "s.t"), ("b", "s.b"), ("u", "s.u")][value - 2];
        match topic {
            "t" => {}
            "u" => script.event("u", json!(0)).await,
            _ => script.tick(topic, json!(0)).await,
        }
        let (came, seq, _) = next(&mut client).await;
        assert_eq!((came.as_str(), seq), (other, 1));
    }
    // Who comes now has what was pushed, and nothing that waits.
    let mut late = daemon.connected().await;
    late.subscribe(json!({"topics": ["s.a"]})).await;
    assert_eq!(next(&mut late).await, ("s.a".to_owned(), 1, json!(1)));
}

/// A feed says much more than the interval lets through.
#[tokio::test]
async fn the_last_value_comes_and_who_wants_every_tick_has_every_tick() {
    const VALUES: u64 = 500;
    let script = Script::new("s");
    let feed = script.feed().set("interval = \"20ms\"").set("pace = \"arrival\"");
    let daemon = daemon().feed(feed).server("tiers = [\"100ms\"]").run().await;
    let (mut newest, mut all, mut slow) =
        (daemon.connected().await, daemon.connected().await, daemon.connected().await);
    newest.subscribe(json!({"topics": ["s.a"]})).await;
    all.subscribe(json!({"topics": ["s.a", "s.t"], "mode": "all"})).await;
    slow.subscribe(json!({"topics": ["s.a"], "rate": "100ms"})).await;
    for value in 1..=VALUES {
        script.tick("a", json!(value)).await;
        script.event("t", json!(value)).await;
    }
    let (mut states, mut events) = (0, 0);
    while states < VALUES || events < VALUES {
        let (topic, seq, value) = next(&mut all).await;
        let seen = if topic == "s.a" { &mut states } else { &mut events };
        *seen += 1;
        assert_eq!((seq, value), (*seen, json!(*seen)), "{topic}");
    }
    let mut counts = Vec::new();
    for client in [&mut newest, &mut slow] {
        let (mut before, mut count) = (0, 0);
        while before < VALUES {
            let (_, seq, value) = next(client).await;
            assert!(seq > before && value == json!(seq), "{seq} after {before}");
            (before, count) = (seq, count + 1);
        }
        counts.push(count);
    }
    assert!(counts[1] <= counts[0], "{counts:?}");
    // What was pushed can be had again.
    let mut back = daemon.client("/ws").await;
    let epoch = back.expect("connected").await.data["epoch"].clone();
    let since = json!({"epoch": epoch, "seq": {"s.a": VALUES - 3}});
    let again = json!({"topics": ["s.a"], "mode": "all", "since": since});
    assert_eq!(back.subscribe(again).await["topics"][0]["recovered"], true);
    for seq in VALUES - 2..=VALUES {
        assert_eq!(next(&mut back).await.1, seq);
    }
}
