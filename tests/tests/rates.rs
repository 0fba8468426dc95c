//! Rates: which a client is granted, and which ticks then come. Nothing here measures time; what came and in which order
//! says enough.

use tickerd_tests::{Script, daemon, json};

#[tokio::test]
async fn a_rate_is_rounded_to_the_next_slower_tier() {
    let script = Script::new("s");
    let feed = script.feed().set("interval = \"50ms\"");
    let daemon = daemon().feed(feed).server("tiers = [\"20ms\", \"200ms\", \"3s\", \"2m\"]").run().await;
    let mut client = daemon.connected().await;
    for (asked, granted) in [
        (json!(null), "50ms"),
        (json!("1ms"), "50ms"),
        (json!("50ms"), "50ms"),
        (json!("51ms"), "200ms"),
        (json!("200ms"), "200ms"),
        (json!("1s"), "3s"),
        (json!("3s"), "3s"),
        (json!("1m"), "2m"),
        (json!("120s"), "2m"),
    ] {
        let data = client.subscribe(json!({"topics": ["s.a"], "rate": asked})).await;
        assert_eq!(data["topics"][0]["rate"], granted, "{asked}");
    }
}

#[tokio::test]
async fn a_rate_slower_than_all_tiers_is_the_slowest_and_said_so() {
    let (script, other) = (Script::new("s"), Script::new("t"));
    let slow = other.feed().set("interval = \"5s\"");
    let daemon = daemon().feed(script.feed()).feed(slow).server("tiers = [\"100ms\", \"2s\"]").run().await;
    let mut client = daemon.connected().await;
    let data = client.subscribe(json!({"topics": ["s.a", "t.a", "s.*", "*.a"], "rate": "1h"})).await;
    let rates =
        |of: &str| data[of].as_array().unwrap().iter().map(|grant| grant["rate"].clone()).collect::<Vec<_>>();
    assert_eq!(rates("topics"), ["2s", "5s"]);
    // Of what a pattern matches each has its own; it can be no slower than the slowest.
    assert_eq!(rates("patterns"), ["2s", "5s"]);
    assert_eq!(data["failed"], json!([]));
    script.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.topic(), "s.a");
}

#[tokio::test]
async fn what_is_no_rate_is_refused_with_an_example() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).run().await;
    let mut client = daemon.connected().await;
    for rate in [
        json!(1),
        json!("1"),
        json!("fast"),
        json!("0s"),
        json!("1.5s"),
        json!("2h"),
        json!([]),
        json!("-1s"),
    ] {
        client.send(json!({"event": "subscribe", "data": {"topics": ["s.a"], "rate": rate}})).await;
        let error = client.expect("error").await.data;
        assert_eq!(error["code"], 400, "{rate}");
        assert!(error["message"].as_str().unwrap().contains("250ms"), "{error}");
    }
}

/// Both are subscribed to the same topic; while the fast one sees every value, the slow one gets a part of them: the
/// newest at its beats, each once, and the last in the end.
#[tokio::test]
async fn a_slow_subscriber_gets_the_newest_only() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).server("tiers = [\"400ms\"]").run().await;
    let mut fast = daemon.connected().await;
    let mut slow = daemon.connected().await;
    fast.subscribe(json!({"topics": ["s.a"]})).await;
    slow.subscribe(json!({"topics": ["s.a"], "rate": "400ms"})).await;
    const VALUES: u64 = 60;
    for n in 1..=VALUES {
        script.tick("a", json!(n)).await;
        let tick = fast.tick().await;
        assert_eq!((tick.seq(), tick.value()), (n, &json!(n)));
    }
    let mut seqs = Vec::new();
    while seqs.last() != Some(&VALUES) {
        let tick = slow.tick().await;
        assert_eq!(tick.value(), &json!(tick.seq()));
        seqs.push(tick.seq());
    }
    assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
    // 60 beats of 20 ms are 1.2 s: some three beats of 400 ms. On a busy machine more pass, but never one per value.
    assert!(seqs.len() < VALUES as usize, "{seqs:?}");
    assert!(slow.sync().await.is_empty());
}

/// A snapshot is a tick that the slower tier has yet to bring; it must not bring it again.
#[tokio::test]
async fn a_snapshot_does_not_come_again_at_a_slow_rate() {
    let script = Script::new("s");
    let daemon = daemon().chatty().feed(script.feed()).server("tiers = [\"300ms\"]").run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.fence"], "rate": "300ms"})).await;
    for n in 1..=6 {
        // Between the own beat and the slow tier's, most of the time.
        script.tick("a", json!(n)).await;
        client.catch_up(&script).await;
        client.subscribe(json!({"topics": ["s.a", "s.fence"], "rate": "300ms"})).await;
        let fence = script.fence("fence").await;
        let came = client.fence("s.fence", fence).await;
        let of_a: Vec<u64> =
            came.iter().filter(|e| e.is_tick() && e.topic() == "s.a").map(|tick| tick.seq()).collect();
        assert_eq!(of_a, [n], "the snapshot and nothing else");
        client.send(json!({"event": "unsubscribe", "data": {"topics": ["s.a"]}})).await;
    }
}

/// The slow tier owes the tick to those it serves; who had it at another rate must not get it again.
#[tokio::test]
async fn a_tick_does_not_come_again_at_a_slower_rate() {
    let script = Script::new("s");
    let daemon = daemon().chatty().feed(script.feed()).server("tiers = [\"300ms\"]").run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.fence"], "rate": "300ms"})).await;
    for n in 1..=6 {
        client.subscribe(json!({"topics": ["s.a"]})).await;
        script.tick("a", json!(n)).await;
        assert_eq!(client.tick().await.seq(), n);
        client.subscribe(json!({"topics": ["s.a"], "rate": "300ms"})).await;
        let fence = script.fence("fence").await;
        let came = client.fence("s.fence", fence).await;
        assert_eq!(came.iter().filter(|event| event.is_tick()).count(), 1, "the fence alone: {came:?}");
    }
}

/// Between two beats of the slow tier the value goes there and back, and a snapshot is taken in between: the client must
/// not keep the value of the snapshot.
#[tokio::test]
async fn a_value_that_goes_there_and_back_ends_where_it_is() {
    let script = Script::new("s");
    let daemon = daemon().chatty().feed(script.feed()).server("tiers = [\"500ms\"]").run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"], "rate": "500ms"})).await;
    script.tick("a", json!("here")).await;
    assert_eq!(client.tick().await.value(), "here");
    for _ in 0..3 {
        script.tick("a", json!("there")).await;
        client.catch_up(&script).await;
        client.send(json!({"event": "unsubscribe", "data": {"topics": ["s.a"]}})).await;
        client.send(json!({"event": "subscribe", "data": {"topics": ["s.a"], "rate": "500ms"}})).await;
        assert_eq!(client.tick().await.value(), "there");
        script.tick("a", json!("here")).await;
        assert_eq!(client.tick().await.value(), "here");
    }
}

#[tokio::test]
async fn on_change_keeps_what_is_the_same_to_itself() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a", "s.fence"]})).await;
    for (value, said) in [("1", true), ("1", false), (" 1 ", false), ("1.0", true), ("1", true)] {
        script.line(&format!(r#"{{"topic":"a","event":"tick","data":{value}}}"#)).await;
        let fence = script.fence("fence").await;
        let came = client.fence("s.fence", fence).await;
        let of_a = came.iter().filter(|event| event.is_tick() && event.topic() == "s.a").count();
        assert_eq!(of_a, usize::from(said), "{value:?}");
    }
}

#[tokio::test]
async fn always_repeats_the_newest_with_its_number() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed().set("emit = \"always\"")).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a", "s.t"]})).await;
    script.tick("a", json!(1)).await;
    for _ in 0..5 {
        assert_eq!(client.tick().await.seq(), 1);
    }
    script.tick("a", json!(1)).await;
    while client.tick().await.seq() == 1 {}
    // An event is told once, however often the other is repeated.
    script.event("t", json!(1)).await;
    client.until_tick("s.t").await;
    for _ in 0..20 {
        assert_eq!(client.tick().await.topic(), "s.a");
    }
}

/// Beats of one interval are multiples of the wall clock's, for all feeds: what two feeds say at once comes together.
#[tokio::test]
async fn feeds_with_the_same_interval_beat_together() {
    let scripts = [Script::new("one"), Script::new("two")];
    let feeds = scripts.iter().fold(daemon(), |daemon, script| {
        daemon.feed(script.feed().set("interval = \"250ms\"").set("emit = \"always\""))
    });
    let daemon = feeds.run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["one.a", "two.a"]})).await;
    for script in &scripts {
        script.tick("a", json!(1)).await;
    }
    // Once both speak, they alternate for good: one of each per beat.
    let mut topics = Vec::new();
    while topics.len() < 10 {
        let topic = client.tick().await.topic().to_owned();
        if !topics.is_empty() || topic == "two.a" {
            topics.push(topic);
        }
    }
    assert!(topics.windows(2).skip(1).all(|pair| pair[0] != pair[1]), "{topics:?}");
}
