//! Clients that drop off and return get exactly what they missed, or are told that they cannot; and the past on demand.

use tickerd_tests::{Client, Daemon, Event, Script, Value, daemon, json, scripted};

/// A client and the epoch it was told.
async fn arrive(daemon: &Daemon) -> (Client, String) {
    let mut client = daemon.client("/ws").await;
    let connected = client.expect("connected").await.data;
    (client, connected["epoch"].as_str().unwrap().to_owned())
}

/// Comes back to one topic, and gives the grant.
async fn come_back(client: &mut Client, epoch: &str, topic: &str, seq: u64) -> Value {
    let grant = client
        .subscribe(json!({"topics": [topic], "mode": "all", "since": {"epoch": epoch, "seq": {topic: seq}}}))
        .await;
    grant["topics"][0].clone()
}

async fn seqs(client: &mut Client, last: u64) -> Vec<u64> {
    let mut seqs = Vec::new();
    while seqs.last() != Some(&last) {
        seqs.push(client.tick().await.seq());
    }
    seqs
}

#[tokio::test]
async fn who_returns_gets_exactly_what_it_missed() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).server("shards = 2").run().await;
    let mut watching = daemon.connected().await;
    watching.subscribe(json!({"topics": ["s.a"], "mode": "all"})).await;
    // They are spread over both shards.
    let mut clients = Vec::new();
    for _ in 0..4 {
        let (mut client, epoch) = arrive(&daemon).await;
        let grant = client.subscribe(json!({"topics": ["s.a"], "mode": "all"})).await;
        assert!(grant["topics"][0].get("recovered").is_none(), "{grant}");
        clients.push((client, epoch));
    }
    script.tick("a", json!(1)).await;
    for (client, _) in &mut clients {
        assert_eq!(client.tick().await.seq(), 1);
    }
    let epoch = clients[0].1.clone();
    assert!(clients.iter().all(|(_, other)| *other == epoch));
    drop(clients);
    script.lines(&(2..=40).map(|n| Script::state("a", &json!(n / 2))).collect::<Vec<_>>()).await;
    assert_eq!(seqs(&mut watching, 40).await.len(), 40);
    for had in [1, 17, 40, 0] {
        let (mut client, _) = arrive(&daemon).await;
        let grant = come_back(&mut client, &epoch, "s.a", had).await;
        assert_eq!(
            grant,
            json!({"topic": "s.a", "seq": 40, "rate": "20ms", "mode": "all", "recovered": true})
        );
        if had < 40 {
            assert_eq!(seqs(&mut client, 40).await, (had + 1..=40).collect::<Vec<_>>());
        }
        assert!(client.sync().await.is_empty(), "no snapshot besides");
    }
}

/// Ticks do not wait for who comes back: what it missed, what was missed while it came, and what follows, all once.
#[tokio::test]
async fn coming_back_leaves_no_gap_while_ticks_go_on() {
    const TICKS: u64 = 1_500;
    let script = Script::new("s");
    let feed = script.feed().set("interval = \"10ms\"");
    let kept = "[history]\ncount = 2000";
    let daemon = daemon().chatty().feed(feed).server("shards = 2").config(kept).run().await;
    let (_, epoch) = arrive(&daemon).await;
    let mut watching = daemon.connected().await;
    watching.subscribe(json!({"topics": ["s.a"], "mode": "all"})).await;
    let says = async {
        for n in 1..=TICKS {
            script.tick("a", json!(n)).await;
            // No faster than they are pushed, or they would be merged on their way.
            if n % 20 == 0 {
                seqs(&mut watching, n).await;
            }
        }
    };
    let reads = async {
        let (mut had, mut visits) = (0, 0);
        while had < TICKS {
            let (mut client, _) = arrive(&daemon).await;
            let grant = come_back(&mut client, &epoch, "s.a", had).await;
            assert_eq!(grant["recovered"], true, "after {had}: {grant}");
            visits += 1;
            let stay = had + 1 + u64::from(rand::random::<u8>()) / 4;
            while had < stay.min(TICKS) {
                let tick = client.tick().await;
                assert_eq!((tick.seq(), tick.value()), (had + 1, &json!(had + 1)));
                had = tick.seq();
            }
        }
        visits
    };
    let ((), visits) = tokio::join!(says, reads);
    assert!(visits > 5, "{visits}");
}

#[tokio::test]
async fn what_is_gone_is_told_and_the_snapshot_comes() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).config("[history]\ncount = 5").run().await;
    let (mut client, epoch) = arrive(&daemon).await;
    let mut watching = daemon.connected().await;
    watching.subscribe(json!({"topics": ["s.a"], "mode": "all"})).await;
    script.lines(&(1..=20).map(|n| Script::state("a", &json!(n))).collect::<Vec<_>>()).await;
    seqs(&mut watching, 20).await;
    for (had, recovered, expected) in [
        (14, false, vec![20]),
        (15, true, vec![16, 17, 18, 19, 20]),
        (21, false, vec![20]),
        (u64::MAX >> 11, false, vec![20]),
    ] {
        let grant = come_back(&mut client, &epoch, "s.a", had).await;
        assert_eq!((&grant["recovered"], &grant["seq"]), (&json!(recovered), &json!(20)), "{had}");
        assert_eq!(ticks(&client.sync().await), expected, "since {had}");
        client.send(json!({"event": "unsubscribe", "data": {"topics": ["s.a"]}})).await;
    }
    let grant = come_back(&mut client, "another", "s.a", 18).await;
    assert_eq!(grant["recovered"], false, "the numbers are of another history");
    assert_eq!(ticks(&client.sync().await), [20]);
    let since = json!({"epoch": "another", "seq": {"s.a": 18}});
    let grant = client.subscribe(json!({"topics": ["s.a"], "since": since, "snapshot": false})).await;
    assert_eq!(grant["topics"][0]["recovered"], false);
    assert!(client.sync().await.is_empty(), "none was wanted");
}

fn ticks(events: &[Event]) -> Vec<u64> {
    events.iter().filter(|event| event.is_tick()).map(Event::seq).collect()
}

#[tokio::test]
async fn topics_that_went_and_topics_to_come_are_told_apart() {
    let (script, daemon) = scripted().await;
    let (mut client, epoch) = arrive(&daemon).await;
    let grant = come_back(&mut client, &epoch, "s.new", 0).await;
    assert_eq!((&grant["seq"], &grant["recovered"]), (&json!(0), &json!(true)), "nothing was said yet");
    script.tick("new", json!(1)).await;
    assert_eq!(client.tick().await.seq(), 1);
    for seq in [1, 7] {
        let grant = come_back(&mut client, &epoch, "s.never", seq).await;
        assert_eq!((&grant["seq"], &grant["recovered"]), (&json!(0), &json!(false)));
    }
    script.retire("new").await;
    client.subscribe(json!({"topics": ["s.*"]})).await;
    while client.notice("topics").await.data["removed"] != json!(["s.new"]) {}
    let grant = come_back(&mut client, &epoch, "s.new", 1).await;
    assert_eq!(grant["recovered"], false, "its past went with it");
    // It comes back with higher numbers, and its past before them is not made up.
    script.tick("new", json!(2)).await;
    let back = client.tick().await.seq();
    assert!(back > 1);
    assert_eq!(come_back(&mut client, &epoch, "s.new", 0).await["recovered"], false);
    assert_eq!(ticks(&client.sync().await), [back]);
    let since = json!({"epoch": epoch, "seq": {"no.x": 3, "s.new": back}});
    let grant = client.subscribe(json!({"topics": ["no.x", "s.new", "s.other"], "since": since})).await;
    assert_eq!(grant["failed"][0]["code"], 404);
    let recovered: Vec<_> =
        grant["topics"].as_array().unwrap().iter().map(|topic| topic.get("recovered").cloned()).collect();
    assert_eq!(recovered, [Some(json!(true)), None], "only of what it said that it had");
}

#[tokio::test]
async fn a_bad_since_is_refused_with_what_to_change() {
    let (_script, daemon) = scripted().await;
    let (mut client, epoch) = arrive(&daemon).await;
    for (data, says) in [
        (json!({"topics": ["s.*"], "since": {"epoch": epoch, "seq": {"s.*": 1}}}), "not an exact topic"),
        (json!({"topics": ["s.*"], "since": {"epoch": epoch, "seq": {"s.a": 1}}}), "not an exact topic"),
        (json!({"topics": ["s.a"], "mode": "latest", "since": {"epoch": epoch, "seq": {"s.a": 1}}}), "mode"),
        (json!({"topics": ["s.a"], "since": {"epoch": epoch}}), "seq"),
        (json!({"topics": ["s.a"], "since": {"epoch": 5, "seq": {}}}), "must be a text"),
        (json!({"topics": ["s.a"], "since": {"epoch": epoch, "seq": {"s.a": -1}}}), "must be a whole number"),
        (json!({"topics": ["s.a"], "since": 5}), "since must be an object, not 5"),
        (json!({"topics": ["s.a"], "since": [epoch, {"s.a": 1}]}), "since must be an object, not a list"),
    ] {
        client.send(json!({"event": "subscribe", "data": data})).await;
        let error = client.expect("error").await.data;
        assert_eq!(error["code"], 400, "{data}");
        assert!(error["message"].as_str().unwrap().contains(says), "{data}: {error}");
    }
    assert!(client.sync().await.is_empty());
}

/// What a client says behind such a command waits for its answer, and then takes effect in order.
#[tokio::test]
async fn commands_behind_one_about_the_past_keep_their_order() {
    let (script, daemon) = scripted().await;
    let (mut client, epoch) = arrive(&daemon).await;
    script.tick("a", json!(1)).await;
    client.catch_up(&script).await;
    let since = json!({"epoch": epoch, "seq": {"s.a": 0}});
    for round in 0..20 {
        let commands = [
            json!({"event": "history", "data": {"id": 1, "topic": "s.a"}}),
            json!({"event": "subscribe", "data": {"id": 2, "topics": ["s.a"], "since": since}}),
            json!({"event": "ping", "data": {"id": 3}}),
            json!({"event": "unsubscribe", "data": {"id": 4, "topics": ["s.a"]}}),
            json!({"event": "history", "data": {"id": 5, "topic": "s.a"}}),
            json!({"event": "ping", "data": {"id": 6}}),
        ];
        for command in commands {
            client.send(command).await;
        }
        for (id, name) in
            ["history", "subscribed", "", "pong", "unsubscribed", "history", "pong"].iter().enumerate()
        {
            let event = client.next().await;
            match *name {
                "" => assert_eq!((event.topic(), event.seq()), ("s.a", 1), "{round}"),
                name => assert_eq!(event.name, name, "{round}, {id}: {}", event.text),
            }
        }
        // Commands have their own limit, which is not meant here.
        client = arrive(&daemon).await.0;
    }
}

#[tokio::test]
async fn history_answers_the_bytes_that_were_pushed() {
    let (script, daemon) = scripted().await;
    let (mut client, epoch) = arrive(&daemon).await;
    client.subscribe(json!({"topics": ["s.a", "s.e"], "mode": "all"})).await;
    script.lines(&(1..=5).map(|n| Script::state("a", &json!(n))).collect::<Vec<_>>()).await;
    script.lines(&(1..=3).map(|n| Script::happening("e", &json!(n))).collect::<Vec<_>>()).await;
    let mut came = Vec::new();
    for _ in 0..8 {
        came.push(client.tick().await);
    }
    for (topic, limit, count) in [("s.a", json!(null), 5), ("s.a", json!(2), 2), ("s.e", json!(1_000_000), 3)]
    {
        client.send(json!({"event": "history", "data": {"id": 8, "topic": topic, "limit": limit}})).await;
        let history = client.expect("history").await;
        let pushed: Vec<&str> =
            came.iter().filter(|tick| tick.topic() == topic).map(|tick| tick.text.as_str()).collect();
        let newest = pushed[pushed.len() - count..].join(",");
        let expected = format!(
            r#"{{"event":"history","data":{{"id":8,"topic":"{topic}","epoch":"{epoch}","values":[{newest}]}}}}"#
        );
        assert_eq!(history.text, expected);
    }
    for (topic, code) in [("s.none", 404), ("no.x", 404), ("s.*", 422), ("", 400)] {
        client.send(json!({"event": "history", "data": {"id": 9, "topic": topic}})).await;
        let error = client.expect("error").await.data;
        assert_eq!((&error["code"], &error["id"]), (&json!(code), &json!(9)), "{topic}: {error}");
    }
}

/// A crowd comes back at once, each member at another place.
#[tokio::test]
async fn a_crowd_that_comes_back_at_once_is_served() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).server("shards = 2").run().await;
    let (mut watching, epoch) = arrive(&daemon).await;
    watching.subscribe(json!({"topics": ["s.a"], "mode": "all"})).await;
    script.lines(&(1..=100).map(|n| Script::state("a", &json!(n))).collect::<Vec<_>>()).await;
    seqs(&mut watching, 100).await;
    let returns = (0..150u64).map(|at| {
        let (daemon, epoch) = (&daemon, &epoch);
        async move {
            let (mut client, _) = arrive(daemon).await;
            let had = at % 100;
            assert_eq!(come_back(&mut client, epoch, "s.a", had).await["recovered"], true);
            assert_eq!(seqs(&mut client, 100).await, (had + 1..=100).collect::<Vec<_>>());
        }
    });
    futures_util::future::join_all(returns).await;
}
