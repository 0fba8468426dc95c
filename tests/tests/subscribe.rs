//! Subscriptions: what is granted, what is refused, and what then comes.

use tickerd_tests::{Client, Event, Raw, Script, Value, daemon, json, scripted, sim};

#[tokio::test]
async fn connected_comes_first_and_says_what_holds() {
    let daemon = daemon().feed(sim(7)).limits("topics = 7\npatterns = 3").run().await;
    let mut client = daemon.client("/ws").await;
    let connected = client.next().await;
    assert_eq!(connected.name, "connected");
    assert_eq!(connected.data["v"], 1);
    assert!(connected.data["server"].as_str().unwrap().starts_with("tickerd/"));
    assert_eq!(connected.data["heartbeat_ms"], 15_000);
    assert_eq!(connected.data["limits"], json!({"topics": 7, "patterns": 3, "message_bytes": 65536}));
    let mut other = daemon.client("/ws").await;
    let theirs = other.next().await;
    assert_eq!(theirs.data["epoch"], connected.data["epoch"]);
    assert_ne!(theirs.data["conn"], connected.data["conn"]);
}

#[tokio::test]
async fn grants_come_before_snapshots_and_snapshots_before_live_ticks() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    for topic in ["a", "b", "b"] {
        script.tick(topic, json!({"at": topic})).await;
        client.catch_up(&script).await;
    }
    client.send(json!({"event": "subscribe", "data": {"id": 1, "topics": ["s.a", "s.*"]}})).await;
    let subscribed = client.expect("subscribed").await.data;
    assert_eq!(
        subscribed,
        json!({
            "id": 1,
            "topics": [{"topic": "s.a", "seq": 1, "rate": "20ms", "mode": "latest"}],
            "patterns": [{"pattern": "s.*", "count": 3, "mode": "latest"}],
            "failed": []
        })
    );
    let mut snapshots: Vec<Event> = vec![client.tick().await, client.tick().await, client.tick().await];
    snapshots.sort_by(|a, b| a.topic().cmp(b.topic()));
    let told: Vec<_> = snapshots.iter().map(|tick| (tick.topic(), tick.seq())).collect();
    // The value of b did not change the second time, so that tick was not pushed.
    assert_eq!(told, [("s.a", 1), ("s.b", 1), ("s.fence", 3)]);
    script.tick("a", json!({"at": "now"})).await;
    let live = client.tick().await;
    assert_eq!((live.topic(), live.seq(), live.value()), ("s.a", 2, &json!({"at": "now"})));
}

#[tokio::test]
async fn a_tick_has_the_promised_shape() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script
        .line(r#"{"topic":"a","event":"quote","ts":1767225600123,"data":{ "price" : "1.10", "n": 189.30 }}"#)
        .await;
    let tick = client.tick().await;
    let ts = tick.data["ts"].as_u64().unwrap();
    let shape = format!(
        r#"{{"event":"quote","data":{{"topic":"s.a","seq":1,"ts":{ts},"src_ts":1767225600123,"value":{{"price":"1.10","n":189.30}}}}}}"#
    );
    assert_eq!(tick.text, shape);
}

#[tokio::test]
async fn without_snapshot_only_live_ticks_come() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    script.tick("a", json!(1)).await;
    client.catch_up(&script).await;
    for rate in [None, Some("100ms")] {
        let granted = client.subscribe(json!({"topics": ["s.a"], "snapshot": false, "rate": rate})).await;
        let seq = granted["topics"][0]["seq"].as_u64().unwrap();
        let mut came = client.sync().await;
        // The feed may have come up only now.
        came.retain(|event| !event.is_notice("feed"));
        assert!(came.is_empty(), "{:?}", came.iter().map(|event| &event.text).collect::<Vec<_>>());
        script.tick("a", json!({ "rate": rate })).await;
        assert_eq!(client.tick().await.seq(), seq + 1);
        unsubscribe(&mut client, &["s.a"]).await;
    }
}

#[tokio::test]
async fn no_tick_comes_twice_however_the_subscription_changes() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    let mut seen = 0;
    for round in 1..=20 {
        let rate = ["20ms", "100ms", "250ms"][round % 3];
        let topics = [json!(["s.a"]), json!(["s.*"]), json!(["s.a", "s.**"])][round % 3].clone();
        client.send(json!({"event": "subscribe", "data": {"topics": topics, "rate": rate}})).await;
        script.tick("a", json!(round)).await;
        let tick = client.tick().await;
        assert_eq!(tick.topic(), "s.a");
        // The first is the snapshot or live, as it happens; an older one may still come before the newest.
        assert!(tick.seq() > seen, "{} after {seen} at {rate}", tick.seq());
        seen = tick.seq();
        while seen < round as u64 {
            let next = client.tick().await.seq();
            assert!(next > seen, "{next} after {seen} at {rate}");
            seen = next;
        }
    }
}

#[tokio::test]
async fn subscribing_again_changes_the_rate() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    for (rate, granted) in [("100ms", "100ms"), ("1ms", "20ms"), ("3s", "5s")] {
        let data = client.subscribe(json!({"topics": ["s.a"], "rate": rate})).await;
        assert_eq!(data["topics"][0]["rate"], granted);
        let subscriptions = subscriptions(&mut client).await;
        assert_eq!(
            subscriptions["topics"],
            json!([{"topic": "s.a", "seq": 0, "rate": granted, "mode": "latest"}])
        );
    }
    // Back at the feed's own beat, it comes.
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.seq(), 1);
}

#[tokio::test]
async fn an_exact_topic_may_be_had_before_its_first_tick() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    let granted = client.subscribe(json!({"topics": ["s.later.a", "s"]})).await;
    assert_eq!(granted["failed"], json!([]));
    assert_eq!([&granted["topics"][0]["seq"], &granted["topics"][1]["seq"]], [&json!(0), &json!(0)]);
    script.tick("later.a", json!(1)).await;
    assert_eq!(client.tick().await.topic(), "s.later.a");
    // A feed may also speak as itself.
    script.line(r#"{"event":"tick","data":2}"#).await;
    let tick = client.tick().await;
    assert_eq!((tick.topic(), tick.seq()), ("s", 1));
}

#[tokio::test]
async fn a_pattern_gets_topics_that_appear_later() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    let granted = client.subscribe(json!({"topics": ["s.*.x", "s.deep.**"]})).await;
    assert_eq!([&granted["patterns"][0]["count"], &granted["patterns"][1]["count"]], [&json!(0), &json!(0)]);
    let lines = ["a.x", "a.y", "x", "a.b.x", "deep", "deep.a", "deep.a.b.c", "deep.x"];
    script.lines(&lines.map(|topic| Script::state(topic, &json!(topic)))).await;
    let mut came: Vec<String> = client.catch_up(&script).await.iter().map(|t| t.topic().to_owned()).collect();
    came.sort();
    assert_eq!(came, ["s.a.x", "s.deep.a", "s.deep.a.b.c", "s.deep.x"]);
}

#[tokio::test]
async fn what_cannot_be_granted_is_told_beside_what_is() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    let long = format!("s.{}", "x".repeat(65));
    let topics =
        json!(["s.a", "t.a", "nobody.x", "s..a", "s.ä", long, "", "s.a*", "s.**.b", "nobody.*", "s.*"]);
    let granted = client.subscribe(json!({ "topics": topics })).await;
    assert_eq!(granted["topics"].as_array().unwrap().len(), 1);
    assert_eq!(granted["patterns"].as_array().unwrap().len(), 1);
    let failed = granted["failed"].as_array().unwrap();
    let codes: Vec<_> =
        failed.iter().map(|f| (f["topic"].as_str().unwrap(), f["code"].as_u64().unwrap())).collect();
    let expected = [
        ("t.a", 404),
        ("nobody.x", 404),
        ("s..a", 400),
        ("s.ä", 400),
        (&long, 400),
        ("", 400),
        ("s.a*", 422),
        ("s.**.b", 422),
        ("nobody.*", 404),
    ];
    assert_eq!(codes, expected);
    let message = |at: usize| failed[at]["message"].as_str().unwrap();
    assert!(message(0).contains("did you mean s?"), "{}", message(0));
    assert!(message(1).contains("this server has s"), "{}", message(1));
    script.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.topic(), "s.a");
}

#[tokio::test]
async fn a_connection_has_a_limit_of_topics_and_of_patterns() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).limits("topics = 3\npatterns = 2").run().await;
    let mut client = daemon.connected().await;
    let codes = |granted: &Value| -> Vec<(String, u64)> {
        let failed = granted["failed"].as_array().unwrap().iter();
        failed.map(|f| (f["topic"].as_str().unwrap().to_owned(), f["code"].as_u64().unwrap())).collect()
    };
    let over = |topic: &str| vec![(topic.to_owned(), 431)];
    let granted = client.subscribe(json!({"topics": ["s.a", "s.b", "s.a", "s.c", "s.d"]})).await;
    assert_eq!(codes(&granted), over("s.d"));
    let granted = client.subscribe(json!({"topics": ["s.x.*", "s.y.*", "s.z.*", "s.x.*"]})).await;
    assert_eq!(codes(&granted), over("s.z.*"));
    let message = "a connection may have 2 patterns; unsubscribe from some";
    assert_eq!(granted["failed"][0]["message"], message);
    // What is there already may be asked for again, and what is given up makes room.
    assert_eq!(codes(&client.subscribe(json!({"topics": ["s.a", "s.y.*"], "rate": "1s"})).await), []);
    unsubscribe(&mut client, &["s.b", "s.x.*"]).await;
    assert_eq!(codes(&client.subscribe(json!({"topics": ["s.d", "s.z.*"]})).await), []);
    assert_eq!(codes(&client.subscribe(json!({"topics": ["s.b"]})).await), over("s.b"));
    // What a pattern matches does not count.
    script.lines(&["x.1", "z.1", "z.2", "z.3", "z.4"].map(|topic| Script::state(topic, &json!(1)))).await;
    let topics: Vec<String> = client_ticks(&mut client, 4).await;
    assert_eq!(topics, ["s.z.1", "s.z.2", "s.z.3", "s.z.4"]);
}

#[tokio::test]
async fn unsubscribing_ends_exactly_what_is_named() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a", "s.b", "s.x.*"]})).await;
    let ended = unsubscribe(&mut client, &["s.a", "s.x.*", "s.never", "s.y.*"]).await;
    assert_eq!((&ended["topics"], &ended["patterns"]), (&json!(["s.a"]), &json!(["s.x.*"])));
    script.lines(&["a", "x.1", "b"].map(|topic| Script::state(topic, &json!(1)))).await;
    let came: Vec<String> = client.catch_up(&script).await.iter().map(|t| t.topic().to_owned()).collect();
    assert_eq!(came, ["s.b"]);
    let subscriptions = subscriptions(&mut client).await;
    assert_eq!(subscriptions["topics"][0]["topic"], "s.b");
    assert_eq!(subscriptions["patterns"], json!([]));
}

#[tokio::test]
async fn an_exact_subscription_beats_a_pattern_and_gives_way_to_it() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.**", "s.*"]})).await;
    client.subscribe(json!({"topics": ["s.slow"], "rate": "5s"})).await;
    script.lines(&[Script::state("slow", &json!(1)), Script::state("fast", &json!(1))]).await;
    // Two patterns match fast: one copy all the same. And slow does not come at the patterns' rate.
    let first = client.tick().await;
    let came = [vec![first], client.catch_up(&script).await].concat();
    let fast = came.iter().filter(|tick| tick.topic() == "s.fast").count();
    assert_eq!(fast, 1);
    // The exact subscription ends: the patterns have it, with a snapshot if it did not come yet.
    client.send(json!({"event": "unsubscribe", "data": {"topics": ["s.slow"]}})).await;
    let came = [came, client.sync().await].concat();
    let slow = came.iter().filter(|event| event.is_tick() && event.topic() == "s.slow").count();
    assert_eq!(slow, 1, "by its own beat or as a snapshot");
    script.tick("slow", json!(2)).await;
    let tick = client.tick().await;
    assert_eq!((tick.topic(), tick.seq()), ("s.slow", 2));
}

#[tokio::test]
async fn an_address_may_subscribe() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.client("/ws?topics=s.a,s.x.*,no.x&topics=s.b&rate=250ms").await;
    client.expect("connected").await;
    let granted = client.expect("subscribed").await.data;
    assert!(granted.get("id").is_none(), "{granted}");
    assert_eq!(granted["topics"].as_array().unwrap().len(), 2);
    assert_eq!(granted["topics"][1], json!({"topic": "s.b", "seq": 0, "rate": "250ms", "mode": "latest"}));
    assert_eq!(granted["patterns"][0]["pattern"], "s.x.*");
    assert_eq!(granted["failed"][0]["code"], 404);
    script.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.topic(), "s.a");
}

#[tokio::test]
async fn an_address_may_ask_for_every_tick() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.client("/ws?topics=s.a,s.x.*&mode=all&rate=5s").await;
    let granted = client.until("subscribed").await.data;
    assert_eq!(granted["topics"][0]["mode"], "all");
    assert_eq!(granted["patterns"][0]["mode"], "all");
    script.lines(&[1, 2, 3].map(|n| Script::state("a", &json!(n)))).await;
    for seq in 1..=3 {
        assert_eq!(client.tick().await.seq(), seq);
    }
}

#[tokio::test]
async fn an_address_that_is_wrong_is_told_so() {
    let (_script, daemon) = scripted().await;
    for (query, says) in [
        ("topics=s.a&rate=fast", "250ms"),
        ("topics=s.a&mode=some", "latest"),
        ("topic=s.a", "did you mean topics?"),
        ("topics=s.a&since=1", "it has topics, rate, mode, name"),
    ] {
        for path in ["/ws", "/v1/sse"] {
            let mut raw = daemon.raw().await;
            raw.say(Raw::handshake(&format!("{path}?{query}"))).await;
            let answer = String::from_utf8(raw.rest().await).unwrap();
            assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(says), "{path}?{query}: {answer}");
        }
    }
}

#[tokio::test]
async fn every_tick_of_an_event_topic_comes_in_order() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.trades"], "rate": "1s"})).await;
    let lines: Vec<String> = (1..=200).map(|n| Script::happening("trades", &json!(n / 2))).collect();
    for some in lines.chunks(70) {
        script.lines(some).await;
    }
    for n in 1..=200_u64 {
        let tick = client.tick().await;
        assert_eq!((tick.name.as_str(), tick.seq(), tick.value()), ("trade", n, &json!(n / 2)));
    }
    // Known as an event topic now, it is granted as what it is.
    let granted = client.subscribe(json!({"topics": ["s.trades"], "mode": "all", "rate": "1s"})).await;
    let grant = json!({"topic": "s.trades", "seq": 200, "rate": "20ms", "mode": "all"});
    assert_eq!(granted["topics"], json!([grant]));
    // A late subscriber begins with the last.
    let mut late = daemon.connected().await;
    late.catch_up(&script).await;
    late.subscribe(json!({"topics": ["s.trades"]})).await;
    assert_eq!(late.tick().await.seq(), 200);
    script.event("trades", json!(0)).await;
    assert_eq!((late.tick().await.seq(), client.tick().await.seq()), (201, 201));
}

#[tokio::test]
async fn a_retired_topic_is_gone_and_may_come_back() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a", "s.x.*"]})).await;
    script.lines(&["a", "x.1"].map(|topic| Script::state(topic, &json!(1)))).await;
    client_ticks(&mut client, 2).await;
    script.retire("a").await;
    script.retire("x.1").await;
    client.catch_up(&script).await;
    client.send(json!({"event": "topics", "data": {"match": "s.**"}})).await;
    let left = client.expect("topics").await.data;
    assert_eq!(left["topics"].as_array().unwrap().len(), 1, "{left}");
    client.send(json!({"event": "get", "data": {"topics": ["s.a"]}})).await;
    assert_eq!(client.expect("values").await.data["failed"][0]["code"], 404);
    let still = subscriptions(&mut client).await;
    assert_eq!((&still["topics"][0]["seq"], &still["patterns"][0]["count"]), (&json!(0), &json!(0)));
    // Both subscriptions outlive the topics, and numbers go on upwards.
    script.lines(&["a", "x.1"].map(|topic| Script::state(topic, &json!(1)))).await;
    for _ in 0..2 {
        let tick = client.tick().await;
        assert!(tick.seq() > 1, "{}", tick.text);
    }
}

#[tokio::test]
async fn the_last_value_of_a_burst_arrives() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    let lines: Vec<String> = (1..=5000).map(|n| Script::state("a", &json!(n))).collect();
    script.lines(&lines).await;
    let mut last = 0;
    while last < 5000 {
        let tick = client.tick().await;
        assert!(tick.seq() > last);
        assert_eq!(tick.value(), &json!(tick.seq()), "the number counts samples");
        last = tick.seq();
    }
}

async fn unsubscribe(client: &mut Client, topics: &[&str]) -> Value {
    client.send(json!({"event": "unsubscribe", "data": {"id": 99, "topics": topics}})).await;
    client.until("unsubscribed").await.data
}

pub async fn subscriptions(client: &mut Client) -> Value {
    client.send(json!({"event": "subscriptions", "data": {"id": 98}})).await;
    client.until("subscriptions").await.data
}

/// The topics of the next ticks, sorted.
pub async fn client_ticks(client: &mut Client, count: usize) -> Vec<String> {
    let mut topics = Vec::new();
    while topics.len() < count {
        topics.push(client.tick().await.topic().to_owned());
    }
    topics.sort();
    topics
}
