//! Names that nobody declared: refused at once, by each way in, with the one that may have been meant.

use tickerd_tests::{Script, daemon, json, sim};

use crate::rooms::{ROOMS, ask, run};

/// What can never speak is refused, also where others of its first segment do; what a feed may yet say is not.
#[tokio::test]
async fn a_name_that_nobody_declared_is_refused_with_what_was_meant() {
    let daemon = daemon().feed(sim(7)).config(ROOMS).chatty().run().await;
    let mut client = daemon.connected().await;
    let names = ["rooms.loby", "rooms.lobby", "rooms.other", "tickerd.stat", "tickerd.stats", "sim.none"];
    let granted = client.subscribe(json!({"topics": names, "snapshot": false})).await;
    let topics: Vec<_> = granted["topics"].as_array().unwrap().iter().map(|topic| &topic["topic"]).collect();
    assert_eq!(topics, [&json!("rooms.lobby"), &json!("tickerd.stats"), &json!("sim.none")]);
    let failed: Vec<(&str, u64, &str)> = granted["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["topic"].as_str().unwrap(), f["code"].as_u64().unwrap(), f["message"].as_str().unwrap()))
        .collect();
    for ((topic, code, message), (wanted, says)) in failed.iter().zip([
        ("rooms.loby", "did you mean rooms.lobby?"),
        ("rooms.other", "rooms has rooms.board, rooms.desk, rooms.lobby"),
        ("tickerd.stat", "did you mean tickerd.stats?"),
    ]) {
        assert_eq!((*topic, *code), (wanted, 404));
        assert!(message.contains(says), "{topic}: {message}");
    }
    assert_eq!(failed.len(), 3);
    // Each is held against all that there are, so that of very many only some are.
    let many: Vec<String> = (0..500).map(|n| format!("rooms.lobb{n}")).collect();
    let refused = client.subscribe(json!({"topics": many})).await;
    let failed = refused["failed"].as_array().unwrap();
    let hinted = failed.iter().filter(|f| f["message"].as_str().unwrap().contains("rooms.lobby"));
    assert_eq!((failed.len(), hinted.count()), (500, 8));
    for event in ["history", "presence"] {
        let refused = ask(&mut client, event, json!({"topic": "rooms.loby"})).await.data;
        assert_eq!(refused["code"], 404);
        assert!(refused["message"].as_str().unwrap().contains("did you mean rooms.lobby?"), "{refused}");
    }
    let mut opened = daemon.client("/ws?topics=rooms.loby").await;
    assert_eq!(opened.until("subscribed").await.data["failed"][0]["code"], 404);
    for path in ["rooms.loby", "rooms.loby?wait=25", "rooms.loby/history", "tickerd.lobby"] {
        let (status, body) =
            tickerd_tests::daemon::http(daemon.address(), &format!("/v1/topics/{path}")).await;
        assert_eq!(status, 404, "{path}: {body}");
        let meant = if path.starts_with("rooms") { "did you mean rooms.lobby?" } else { "tickerd.stats" };
        assert!(body.contains(meant), "{path}: {body}");
    }
    let mut stream = daemon.raw().await;
    stream.say("GET /v1/sse?topics=rooms.loby HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    stream.head().await;
    while !stream.block().await.contains("did you mean rooms.lobby?") {}
}

/// Bars are there for whom asks, of periods that are kept and of topics of feeds; `subscribed` and HTTP say which others are none.
#[tokio::test]
async fn bars_that_cannot_be_are_refused_with_the_reason() {
    let daemon = daemon().feed(sim(7)).config(ROOMS).chatty().run().await;
    let mut client = daemon.connected().await;
    let asked = [
        ("tickerd.bars.1m.sim.sine", ""),
        ("tickerd.bar.10s.sim.not.yet", ""),
        ("tickerd.*.1m.sim.*", ""),
        ("tickerd.bars.5m.sim.sine", "the periods are 10s, 1m"),
        ("tickerd.bars.5m.**", "the periods are 10s, 1m"),
        ("tickerd.bars.1m.nofeed.x", "there is no feed \"nofeed\""),
        ("tickerd.bars.1m.rooms.lobby", "only topics of feeds"),
        ("tickerd.bars.1m.tickerd.stats", "names no bars"),
        ("tickerd.bars.1m.tickerd.bars.1m.sim.sine", "names no bars"),
        ("tickerd.bars", "names no bars"),
    ];
    let names = asked.map(|(name, _)| name);
    let granted = client.subscribe(json!({"topics": names, "snapshot": false})).await;
    let refused = asked.iter().filter(|(_, why)| !why.is_empty());
    let failed = granted["failed"].as_array().unwrap();
    assert_eq!(failed.len(), refused.clone().count(), "{granted}");
    for (failed, (name, why)) in failed.iter().zip(refused) {
        assert_eq!((&failed["topic"], &failed["code"]), (&json!(name), &json!(404)));
        assert!(failed["message"].as_str().unwrap().contains(why), "{failed}");
        if !name.contains('*') {
            let (status, body) =
                tickerd_tests::daemon::http(daemon.address(), &format!("/v1/topics/{name}")).await;
            assert_eq!(status, 404, "{name}: {body}");
            assert!(body.contains(&why.replace('"', "\\\"")), "{name}: {body}");
        }
    }
    let topics: Vec<_> = granted["topics"].as_array().unwrap().iter().collect();
    assert_eq!(topics.iter().map(|topic| &topic["mode"]).collect::<Vec<_>>(), ["all", "latest"]);
    assert!(topics.iter().all(|topic| topic["seq"] == 0), "{granted}");
    for (event, value) in [("publish", Some(json!(1))), ("presence", None)] {
        let mut data = json!({"topic": "tickerd.bars.1m.sim.sine"});
        value.into_iter().for_each(|value| data["value"] = value);
        let refused = ask(&mut client, event, data).await.data;
        assert_eq!(refused["code"], 404, "{event}: {refused}");
    }
}

#[tokio::test]
async fn the_servers_own_topic_is_there_from_the_first_moment() {
    let daemon = run().await;
    let mut client = daemon.connected().await;
    let listed = ask(&mut client, "topics", json!({"match": "tickerd.*"})).await.data;
    assert_eq!(listed["topics"][0]["topic"], "tickerd.stats");
    assert_eq!(listed["topics"][0]["kind"], "stats");
}

/// Goal: a misspelt topic is noticed though it may yet come. Method: a feed that has spoken, beside one that has not.
#[tokio::test]
async fn a_topic_that_its_feed_does_not_have_is_marked() {
    let (script, silent) = (Script::new("s"), Script::new("t"));
    let daemon = daemon().feed(script.feed()).feed(silent.feed()).chatty().run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.AAPL", "s.MSFT"]})).await;
    for topic in ["AAPL", "MSFT"] {
        script.tick(topic, json!(1)).await;
        client.tick().await;
    }
    let names = ["s.AAPL", "s.APPL", "s.aapl", "s.nothing-like-it", "t.AAPL", "tickerd.stats"];
    let granted = client.subscribe(json!({"topics": names, "snapshot": false})).await;
    let marks: Vec<_> = granted["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grant| (grant["topic"].as_str().unwrap(), grant.get("known").cloned(), grant["hint"].as_str()))
        .collect();
    let unknown = Some(json!(false));
    assert_eq!(
        marks,
        [
            ("s.AAPL", None, None),
            ("s.APPL", unknown.clone(), Some("did you mean s.AAPL?")),
            ("s.aapl", unknown.clone(), Some("did you mean s.AAPL?")),
            ("s.nothing-like-it", unknown, Some("s has s.AAPL, s.MSFT")),
            ("t.AAPL", None, None),
            ("tickerd.stats", None, None),
        ]
    );
    let many: Vec<String> = (0..500).map(|n| format!("s.AAP{n}")).collect();
    let granted = client.subscribe(json!({"topics": many, "snapshot": false})).await;
    let topics = granted["topics"].as_array().unwrap();
    assert!(topics.iter().all(|grant| grant["known"] == false));
    assert_eq!(
        topics.iter().filter(|grant| grant["hint"].is_string()).count(),
        8,
        "each is held against all"
    );
    // It may come all the same, and is an ordinary one then.
    script.tick("APPL", json!(2)).await;
    assert_eq!(client.until_tick("s.APPL").await, 1);
    let granted = client.subscribe(json!({"topics": ["s.APPL"], "snapshot": false})).await;
    assert_eq!(granted["topics"][0].get("known"), None);
}

#[tokio::test]
async fn what_is_meant_by_all_and_by_other_protocols_is_told() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).run().await;
    let mut client = daemon.connected().await;
    let granted = client.subscribe(json!({"topics": ["*", "#", ">", "s.#", "s>", "s/+", "s.*"]})).await;
    assert_eq!(granted["patterns"][0]["hint"], "* is one whole segment; for all topics write **");
    assert_eq!(granted["patterns"][1].get("hint"), None);
    let failed: Vec<&str> = granted["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failed| failed["message"].as_str().unwrap())
        .collect();
    for (message, meant) in failed.iter().zip(["**", "**", "s.**", "s.**", "s.*"]) {
        assert!(message.ends_with(&format!("; did you mean {meant}?")), "{message}");
    }
    assert_eq!(failed.len(), 5);
    let listed = ask(&mut client, "topics", json!({"match": "s.#"})).await.data;
    assert!(listed["message"].as_str().unwrap().contains("did you mean s.**?"), "{listed}");
    let (status, body) = tickerd_tests::daemon::http(daemon.address(), "/v1/topics?match=s/%23").await;
    assert_eq!(status, 422);
    assert!(body.contains("did you mean s.**?"), "{body}");
    let refused = ask(&mut client, "publish", json!({"topic": "rooms.news", "value": 1})).await.data;
    assert!(refused["message"].as_str().unwrap().contains("[[topic]] name = \"rooms.news\""), "{refused}");
    let granted = client.subscribe(json!({"topics": ["rooms.news"]})).await;
    assert!(granted["failed"][0]["message"].as_str().unwrap().contains("[[topic]]"), "{granted}");
}
