//! F16 and F17: JSON that nobody should write, and commands without end.

use tickerd_tests::*;

/// F16: each is answered with an error that is short, and the connection stays.
#[tokio::test]
async fn strange_json_is_answered_and_the_connection_stays() {
    let daemon = daemon().run().await;
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let subscribe = |topic: &str| format!(r#"{{"event":"subscribe","data":{{"id":7,"topics":[{topic}]}}}}"#);
    let long = format!("\"{}\"", "t".repeat(16 << 10));
    let cases = [
        ("deep", nested(1_000)),
        ("deep inside", format!(r#"{{"event":"ping","data":{{"id":7,"t":{}}}}}"#, nested(1_000))),
        ("never closed", "[".repeat(10_000)),
        ("NaN", r#"{"event":"ping","data":{"id":7,"t":NaN}}"#.into()),
        ("Infinity", r#"{"event":"ping","data":{"id":7,"t":-Infinity}}"#.into()),
        ("a hexadecimal number", r#"{"event":"ping","data":{"id":7,"t":0x10}}"#.into()),
        ("a lone surrogate", subscribe(r#""s.\ud800""#)),
        ("surrogates the wrong way", subscribe(r#""s.\udc00\ud800""#)),
        ("a key twice", r#"{"event":"ping","event":"ping","data":{}}"#.into()),
        ("an id twice", r#"{"event":"ping","data":{"id":7,"id":8}}"#.into()),
        ("a number for a list", r#"{"event":"subscribe","data":{"id":7,"topics":7}}"#.into()),
        ("a number for a topic", subscribe("7")),
        ("null", subscribe("null")),
        ("a topic of 16 KiB", subscribe(&long)),
        ("NUL, written", subscribe(r#""s.\u0000a""#)),
        ("NUL, sent", subscribe("\"s.\0a\"")),
        ("a comment", r#"{"event":"ping"/**/,"data":{}}"#.into()),
        ("a comma too many", r#"{"event":"ping","data":{},}"#.into()),
        ("two messages", r#"{"event":"ping","data":{}}{"event":"ping","data":{}}"#.into()),
        ("a mark of the byte order", "\u{feff}{\"event\":\"ping\",\"data\":{}}".into()),
        ("an event of 16 KiB", format!(r#"{{"event":{long},"data":{{"id":7}}}}"#)),
    ];
    for (what, text) in &cases {
        let mut client = daemon.connected().await;
        client.send_text(text).await;
        let answers = client.sync().await;
        assert_eq!(answers.len(), 1, "{what}: {answers:?}");
        let event = &answers[0];
        // Of a topic alone the error stands beside what is granted.
        let error = if event.name == "subscribed" { &event.data["failed"][0] } else { &event.data };
        let code = error["code"].as_u64().unwrap_or_else(|| panic!("{what}: {event:?}"));
        assert!([400, 405].contains(&code), "{what}: {event:?}");
        assert!(event.text.len() < 2_000, "{what}: {} bytes", event.text.len());
    }
    // More than a double holds is a number all the same, and comes back as it was.
    let mut client = daemon.connected().await;
    client.send_text(r#"{"event":"ping","data":{"id":7,"t":1e400}}"#).await;
    let text = within("a pong", async {
        loop {
            match client.message().await.unwrap() {
                Message::Text(text) if text.contains("\"pong\"") => return text.to_string(),
                _ => {}
            }
        }
    })
    .await;
    assert!(text.contains("\"t\":1e400"), "{text}");
}

/// F17: ten thousand names that nobody has, and the same topic ten thousand times over: nothing is left of either.
#[tokio::test]
async fn storms_of_subscriptions_leave_nothing() {
    const BATCH: usize = 100;
    let script = Script::new("s");
    let daemon = daemon().chatty().feed(script.feed()).run().await;
    script.tick("a", json!(1)).await;
    let mut watching = daemon.connected().await;
    watching.subscribe(json!({"topics": ["s.a"]})).await;
    watching.until_tick("s.a").await;
    let topics = daemon.metric("tickerd_topics{feed=\"s\"}").await;
    assert!(topics.is_some(), "{}", daemon.metrics().await);
    let mut first_kib = 0;
    for round in 0..3 {
        let mut client = daemon.connected().await;
        let mut failed = 0;
        for start in (0..10_000).step_by(BATCH) {
            let names: Vec<String> = (start..start + BATCH).map(|at| format!("s.none{at}")).collect();
            let answer = client.subscribe(json!({"topics": names})).await;
            let refused = answer["failed"].as_array().unwrap();
            assert!(refused.iter().all(|one| one["message"].as_str().is_some_and(|text| text.len() < 500)));
            failed += refused.len();
        }
        // 1,024 are allowed.
        assert_eq!(failed, 10_000 - 1_024);
        drop(client);
        let mut client = daemon.connected().await;
        for turn in 0..10_000 {
            let event = if turn % 2 == 0 { "subscribe" } else { "unsubscribe" };
            client.send(json!({"event": event, "data": {"topics": ["s.a"]}})).await;
            if turn % BATCH == BATCH - 1 {
                client.sync().await;
                watching.sync().await;
            }
        }
        drop(client);
        daemon.metric_until("tickerd_connections", |count| count == 1.0).await;
        if round == 0 {
            first_kib = daemon.resident_kib();
        }
    }
    assert_eq!(daemon.metric("tickerd_topics{feed=\"s\"}").await, topics);
    daemon.metric_until("tickerd_cohorts", |count| count <= 1.0).await;
    let grown_kib = daemon.resident_kib().saturating_sub(first_kib);
    assert!(grown_kib < 8 << 10, "{grown_kib} KiB");
    script.tick("a", json!(2)).await;
    assert_eq!(watching.tick().await.seq(), 2);
}
