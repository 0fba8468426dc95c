//! Bars of a running daemon: the past by every way in, what is wrong with a question, and what outlives a crash.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tickerd_tests::*;

use crate::http::{ask, get};

/// A feed whose `price` makes bars and whose `size` is added up.
pub fn priced(script: &Script) -> Feed {
    script.feed().set("bars = { field = \"price\", volume = \"size\" }")
}

pub const SHORT: &str = "[bars]\nkeep = { \"1s\" = \"10m\", \"1m\" = \"1h\" }";

async fn serving() -> (Script, Daemon) {
    let script = Script::new("s");
    let daemon = daemon().feed(priced(&script)).config(SHORT).run().await;
    (script, daemon)
}

/// The status and the body.
pub async fn text(daemon: &Daemon, path: &str) -> (u16, String) {
    let response = get(daemon, path).await;
    (response.status(), response.body)
}

pub async fn bars(daemon: &Daemon, path: &str) -> Value {
    let (status, body) = text(daemon, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Waits until a tick with this price has been pushed.
async fn said(script: &Script, client: &mut Client, topic: &str, value: Value) -> Event {
    script.tick(topic, value.clone()).await;
    loop {
        let tick = client.tick().await;
        if *tick.value() == value {
            return tick;
        }
    }
}

/// Every tick of the simulated feed over three whole seconds, grouped by hand.
#[tokio::test]
async fn a_bar_is_what_its_ticks_say() {
    let feed = sim(7).set("interval = \"20ms\"").set("poll = \"20ms\"");
    let daemon = daemon().feed(feed).config(SHORT).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["sim.AAPL"], "mode": "all"})).await;
    let mut by_second: BTreeMap<u64, Vec<(String, u64)>> = BTreeMap::new();
    let mut last_seq = 0;
    while by_second.len() < 5 {
        let tick = client.tick().await;
        let (ts, price) =
            (tick.data["ts"].as_u64().unwrap(), tick.value()["price"].as_str().unwrap().to_owned());
        let merged = if last_seq == 0 { 0 } else { tick.seq() - last_seq - 1 };
        last_seq = tick.seq();
        by_second.entry(ts / 1_000).or_default().push((price, merged));
    }
    let answer = bars(&daemon, "/v1/topics/sim.AAPL/bars?period=1s").await;
    let told: BTreeMap<u64, &Value> = answer["bars"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bar| (bar["start"].as_u64().unwrap() / 1_000, bar))
        .collect();
    // The first second was not seen from its beginning, and the last one is still open.
    for (second, ticks) in by_second.iter().skip(1).take(3) {
        let number = |price: &str| price.parse::<f64>().unwrap();
        let figures = || ticks.iter().map(|(price, _)| price);
        let high = figures().max_by(|a, b| number(a).total_cmp(&number(b))).unwrap();
        let low = figures().min_by(|a, b| number(a).total_cmp(&number(b))).unwrap();
        let expected = json!({
            "start": second * 1_000, "open": ticks[0].0, "high": high, "low": low, "close": ticks.last().unwrap().0,
            "count": ticks.len(), "merged": ticks.iter().map(|(_, merged)| merged).sum::<u64>(),
        });
        assert_eq!(*told[second], expected);
    }
    assert!(answer["since"].as_u64().unwrap() <= by_second.keys().next().unwrap() * 1_000 + 999);
}

#[tokio::test]
async fn every_way_in_tells_the_same_and_a_tag_saves_the_bytes() {
    let (script, daemon) = serving().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.**"]})).await;
    // In one line each, so that they are of one minute most likely; a minute that ends between is asked for again.
    said(&script, &mut client, "a", json!({"price": "1.50", "size": 2})).await;
    said(&script, &mut client, "a", json!({"price": 1.5e0, "size": "0.25"})).await;
    said(&script, &mut client, "b", json!({"price": -3, "note": {"price": 9}})).await;
    let one = bars(&daemon, "/v1/topics/s.a/bars?period=1m").await;
    assert_eq!(one, bars(&daemon, "/v1/topics/s.a/history?period=60s&limit=500").await, "60s is 1m");
    let all = one["bars"].as_array().unwrap();
    let (first, last) = (&all[0], &all[all.len() - 1]);
    assert_eq!((&first["open"], &last["close"]), (&json!("1.50"), &json!(1.5)));
    if all.len() == 1 {
        assert_eq!(
            (&first["high"], &first["low"], &first["count"]),
            (&json!("1.50"), &json!("1.50"), &json!(2))
        );
        assert_eq!(first["volume"], json!(2.25), "as the first size was written");
    }
    let many = bars(&daemon, "/v1/bars?topics=s.a,s.b,s.none,nofeed.x&period=1m").await;
    assert_eq!(many["topics"][0], one);
    assert_eq!(many["topics"][1]["bars"][0]["open"], json!(-3));
    let failed: Vec<_> =
        many["failed"].as_array().unwrap().iter().map(|f| f["topic"].as_str().unwrap()).collect();
    assert_eq!(failed, ["s.none", "nofeed.x"]);
    client.send(json!({"event": "history", "data": {"id": 5, "topic": "s.a", "period": "1m"}})).await;
    let mut answer = client.until("history").await.data;
    assert_eq!(answer.as_object_mut().unwrap().remove("id"), Some(json!(5)));
    assert_eq!(answer, one);
    let before = first["start"].as_u64().unwrap();
    let none = bars(&daemon, &format!("/v1/topics/s.a/bars?period=1m&before={before}")).await;
    assert_eq!(none["bars"], json!([]), "before is exclusive");
    let response = get(&daemon, "/v1/topics/s.b/bars?period=1m&limit=1").await;
    let tag = response.header("etag").unwrap().to_owned();
    let again =
        ask(&daemon, "GET /v1/topics/s.b/bars?period=1m&limit=1", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((again.status(), again.body.as_str()), (304, ""));
    let head = ask(&daemon, "HEAD /v1/bars?topics=s.b&period=1m", "").await;
    assert_eq!((head.status(), head.body.as_str()), (200, ""));
    for path in ["/v1/bars", "/v1/topics/s.b/bars"] {
        let options = ask(&daemon, &format!("OPTIONS {path}"), "").await;
        assert_eq!((options.status(), options.header("allow")), (204, Some("get, head, options")), "{path}");
        assert_eq!(ask(&daemon, &format!("POST {path}"), "").await.status(), 405, "{path}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_said() {
    let (script, daemon) = serving().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    said(&script, &mut client, "a", json!({"price": 1})).await;
    let many = vec!["s.a"; 300].join(",");
    let different: Vec<String> = (0..257).map(|n| format!("s.t{n}")).collect();
    for (path, status, says) in [
        ("/v1/topics/s.a/bars", 400, "period is missing"),
        ("/v1/topics/s.a/bars?period=5m", 400, "the periods are 1s, 1m"),
        ("/v1/topics/s.a/bars?period=", 400, "the periods are 1s, 1m"),
        ("/v1/topics/s.a/bars?period=1m&period=1s", 400, "twice"),
        ("/v1/topics/s.a/bars?period=1m&limit=0", 400, "at least 1"),
        ("/v1/topics/s.a/bars?period=1m&limit=-1", 400, "at least 1"),
        ("/v1/topics/s.a/bars?period=1m&limit=99999999999999999999", 400, "at least 1"),
        ("/v1/topics/s.a/bars?period=1m&before=yesterday", 400, "Unix milliseconds"),
        ("/v1/topics/s.a/bars?period=1m&after=1", 400, "not known"),
        ("/v1/topics/s.a/history?before=1", 400, "add period"),
        ("/v1/topics/s.b/bars?period=1m", 404, "has not spoken"),
        ("/v1/topics/s.*/bars?period=1m", 422, "pattern"),
        ("/v1/topics/tickerd.stats/bars?period=1m", 404, "no bars are kept of tickerd.stats"),
        ("/v1/bars?period=1m", 400, "topics is missing"),
        ("/v1/bars?topics=,,&period=1m", 400, "topics is missing"),
        ("/v1/bars?topics=s.a", 400, "period is missing"),
        (&format!("/v1/bars?period=1m&topics={}", different.join(",")), 400, "more than 256"),
    ] {
        let response = get(&daemon, path).await;
        assert_eq!(response.status(), status, "{path:.80}: {}", response.body);
        assert!(response.detail().contains(says), "{path:.80}: {}", response.detail());
    }
    for (path, count) in [
        ("/v1/topics/s.a/bars?period=1m&limit=1000000000", 1),
        ("/v1/topics/s.a/bars?period=1m&before=99999999999999", 1),
        (&format!("/v1/bars?topics={many}&period=1m"), 1),
    ] {
        let answer = bars(&daemon, path).await;
        let found = answer["topics"].as_array().map_or(&answer, |topics| &topics[0]);
        assert!(found["bars"].as_array().unwrap().len() >= count, "{path:.80}: {answer}");
    }
    for (data, says) in [
        (json!({"topic": "s.a", "period": "5m"}), "the periods are 1s, 1m"),
        (json!({"topic": "s.a", "before": 7}), "add period"),
        (json!({"topic": "s.a", "period": 60}), "period must be"),
        (json!({"topic": "s.a", "period": "1m", "limit": 0}), "at least 1"),
        (json!({"topic": "s.b", "period": "1m"}), "has not spoken"),
    ] {
        client.send(json!({"event": "history", "data": data})).await;
        let error = client.until("error").await.data;
        assert!(error["message"].as_str().unwrap().contains(says), "{data}: {error}");
    }
}

/// What no bar can be made of is counted and disturbs nothing.
#[tokio::test]
async fn a_figure_that_is_none_is_counted() {
    let (script, daemon) = serving().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"], "mode": "all"})).await;
    let digits = "1234567890123456789012345678901234567890";
    let lines = [
        r#"{}"#.to_owned(),
        r#"{"price":null}"#.into(),
        r#"{"price":"NaN"}"#.into(),
        r#"{"price":"1,5"}"#.into(),
        r#"{"price":[1]}"#.into(),
        format!(r#"{{"price":{}}}"#, digits.repeat(4)),
        format!(r#"{{"price":{digits}}}"#),
        r#"{"price":"-1.5e-7"}"#.into(),
    ];
    for (nth, value) in lines.iter().enumerate() {
        script.line(&format!(r#"{{"topic":"a","event":"tick","data":{value}}}"#)).await;
        while client.tick().await.seq() < nth as u64 + 1 {}
    }
    let (_, body) = text(&daemon, "/v1/topics/s.a/bars?period=1m").await;
    assert!(body.contains(&format!("\"open\":{digits}")), "{body}");
    assert!(body.contains("\"close\":\"-1.5e-7\""), "{body}");
    for (reason, count) in [("missing", 2.0), ("no_number", 3.0), ("too_long", 1.0)] {
        let name = format!("tickerd_bars_unusable_total{{feed=\"s\",reason=\"{reason}\"}}");
        assert_eq!(daemon.metric(&name).await, Some(count), "{reason}");
    }
    assert_eq!(daemon.metric("tickerd_bars_topics").await, Some(1.0));
}

#[tokio::test]
async fn a_feed_may_have_none_and_a_server_may_keep_none() {
    let script = Script::new("s");
    let off = daemon().feed(script.feed().set("bars = false")).run().await;
    let mut client = off.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    said(&script, &mut client, "a", json!({"price": 1})).await;
    let response = get(&off, "/v1/topics/s.a/bars?period=1m").await;
    assert_eq!(response.status(), 404);
    assert!(response.detail().contains("bars = { field = \"price\" }"), "{}", response.detail());
    let script = Script::new("s");
    let none = daemon().feed(priced(&script)).config("[bars]\nkeep = {}").run().await;
    let response = get(&none, "/v1/topics/s.a/bars?period=1m").await;
    assert_eq!((response.status(), response.detail().as_str()), (400, "this server keeps no bars"));
}

/// Goal: after kill -9 the bars before the last second are there, and where nothing is known is said.
#[tokio::test]
async fn bars_outlive_a_crash() {
    let folder = TempDir::new().unwrap();
    let history = format!("[history]\npath = {:?}", folder.path().join("past").display().to_string());
    let feed = || sim(7).set("interval = \"20ms\"").set("poll = \"20ms\"");
    let start = || daemon().feed(feed()).config(SHORT).config(&history);
    let mut first = start().run().await;
    let mut client = first.connected().await;
    client.subscribe(json!({"topics": ["tickerd.bars.1s.sim.AAPL"]})).await;
    for _ in 0..4 {
        client.tick().await;
    }
    let last = client.tick().await.value()["start"].as_u64().unwrap();
    let before = bars(&first, "/v1/topics/sim.AAPL/bars?period=1s").await;
    first.signal(Signal::SIGKILL);
    first.exit().await;
    let second = start().run().await;
    let mut client = second.connected().await;
    client.subscribe(json!({"topics": ["tickerd.bars.1s.sim.AAPL"]})).await;
    while client.tick().await.value()["start"].as_u64().unwrap() <= last {}
    let after = bars(&second, "/v1/topics/sim.AAPL/bars?period=1s").await;
    let known: Vec<&Value> = before["bars"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|bar| bar["start"].as_u64().unwrap() < last)
        .collect();
    assert!(known.len() >= 3, "{before}");
    for bar in known {
        assert!(after["bars"].as_array().unwrap().contains(bar), "{bar} is not in {after}");
    }
    let unknown = &after["unknown"][0];
    assert!(unknown["from"].as_u64() < unknown["to"].as_u64(), "{after}");
    assert!(unknown["from"].as_u64().unwrap() >= last, "a second at most is lost: {after}");
    assert_eq!(after["since"], before["since"]);
    assert_ne!(after["epoch"], before["epoch"]);
    // A stop in order keeps the open bar too.
    let mut second = second;
    second.signal(Signal::SIGTERM);
    second.exit().await;
    let third = start().feed(Script::new("other").feed()).run().await;
    let later = bars(&third, "/v1/topics/sim.AAPL/bars?period=1m").await;
    let minutes = bars(&third, "/v1/topics/sim.AAPL/bars?period=1m&limit=1").await;
    assert_eq!(minutes["bars"][0]["start"], later["bars"].as_array().unwrap().last().unwrap()["start"]);
    assert_eq!(later["unknown"].as_array().unwrap().len(), 2, "{later}");
}

/// Goal: an address cannot take the line for itself. Method: it asks until it is told to wait, over HTTP and then by WebSocket.
#[tokio::test]
async fn an_address_fetches_so_many_bytes_of_the_past() {
    let script = Script::new("s");
    let daemon = daemon()
        .feed(priced(&script))
        .config(SHORT)
        .limits("history_bytes_per_s = \"64KiB\"")
        .chatty()
        .run()
        .await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"], "mode": "all"})).await;
    let long = "x".repeat(20_000);
    script
        .lines(&(0..30).map(|n| Script::state("a", &json!({"price": n, "x": long}))).collect::<Vec<_>>())
        .await;
    while client.tick().await.seq() < 30 {}
    let path = "GET /v1/topics/s.a/history?limit=30";
    let from = |n: u8| format!("X-Forwarded-For: 192.0.2.{n}\r\n");
    assert_eq!(ask(&daemon, path, &from(1)).await.status(), 200);
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(ask(&daemon, path, &from(1)).await);
    }
    let refused =
        answers.iter().find(|answer| answer.status() == 429).expect("80 times its share was asked for");
    assert!(refused.detail().contains("as much of the past"), "{}", refused.detail());
    assert!(refused.header("retry-after").is_some());
    let refused = ask(&daemon, "GET /v1/bars?topics=s.a&period=1m", &from(1)).await;
    assert_eq!(refused.status(), 429, "bars are of the same share");
    assert_eq!(ask(&daemon, path, &from(2)).await.status(), 200, "others are not touched");
    assert_eq!(ask(&daemon, "GET /v1/topics/s.a", &from(1)).await.status(), 200, "nor is what is new");
    assert_eq!(ask(&daemon, path, "").await.status(), 200, "a peer of this machine has no share");
    let mut raw = daemon.raw().await;
    raw.say(Raw::handshake("/ws").replace("\r\n\r\n", &format!("\r\n{}\r\n", from(1)))).await;
    raw.head().await;
    raw.send(raw::Frame::text(r#"{"event":"history","data":{"topic":"s.a","period":"1m"}}"#)).await;
    let error = raw.until("error").await.data;
    assert_eq!(error["code"], 429, "{error}");
    assert!(error["retry_after_ms"].as_u64().unwrap() > 0, "{error}");
    let counted =
        daemon.metric("tickerd_limit_total{action=\"enforced\",limit=\"history_bytes_per_s\"}").await;
    assert!(counted >= Some(3.0), "{counted:?}");
}

/// Goal: who may have the topics of a feed that is not there learns of no other feed. Method: every way in that names a topic.
#[tokio::test]
async fn an_error_names_no_feed_that_one_may_not_have() {
    const TOKEN: &str = "GHOST-CANARY-0123456789-0123456789";
    let auth = "[auth]\n[[auth.token]]\nname = \"g\"\ntoken = { env = \"GHOST\" }\ngroups = [\"g\"]\n[[auth.group]]\n\
        name = \"g\"\nsubscribe = [\"ghost.**\"]\nhistory = [\"ghost.**\"]";
    let script = Script::new("hidden");
    let daemon = daemon().feed(priced(&script)).config(auth).env("GHOST", TOKEN).run().await;
    for path in [
        "/v1/topics/ghost.a",
        "/v1/topics/ghost.a/history",
        "/v1/topics/ghost.a/bars?period=1m",
        "/v1/bars?topics=ghost.a&period=1m",
        "/v1/values?topics=ghost.a",
        "/v1/values?topics=ghost.*",
    ] {
        let headers = format!("Authorization: Bearer {TOKEN}\r\n");
        let answer = ask(&daemon, &format!("GET {path}"), &headers).await;
        assert!(answer.body.contains("there is no feed"), "{path}: {}", answer.body);
        assert!(!answer.body.contains("hidden"), "{path}: {}", answer.body);
    }
}

/// Goal: a time in which bars were switched off does not look like one without ticks. Method: the configuration is read again twice.
#[tokio::test]
async fn bars_that_were_off_for_a_while_say_so() {
    let script = Script::new("s");
    let with = |feed: Feed| daemon().feed(feed).config(SHORT);
    let daemon = with(priced(&script)).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    said(&script, &mut client, "a", json!({"price": 1})).await;
    let path = "/v1/topics/s.a/bars?period=1s";
    let before = bars(&daemon, path).await;
    let mut read_again = 0;
    let mut reload = async |feed: Feed| {
        std::fs::write(daemon.folder().join("tickerd.toml"), with(feed).toml()).unwrap();
        daemon.signal(Signal::SIGHUP);
        read_again += 1;
        daemon
            .metric_until("tickerd_config_reloads_total{outcome=\"done\"}", |n| n >= f64::from(read_again))
            .await;
    };
    reload(script.feed().set("bars = false")).await;
    let mut lost = Vec::new();
    // A feed's first ticks may come an instant before its fields are known, which is no such time.
    while lost.first().is_none_or(|first| lost.last() < Some(&(first + 1_200))) {
        let tick = said(&script, &mut client, "a", json!({"price": 100 + lost.len()})).await;
        lost.push(tick.data["ts"].as_u64().unwrap());
    }
    reload(priced(&script)).await;
    let again = said(&script, &mut client, "a", json!({"price": 4})).await.data["ts"].as_u64().unwrap();
    let after = bars(&daemon, path).await;
    let since = after["since"].as_u64().unwrap();
    // The daemon may be held up between the two, and then takes what its fields are a moment after it has the tick.
    assert!(lost.last() <= Some(&since) && since <= again + 1_000, "{lost:?} {since} {again}");
    let (old, new) = (before["bars"].as_array().unwrap(), after["bars"].as_array().unwrap());
    assert_eq!((&new[0], &new[new.len() - 1]["close"]), (&old[0], &json!(4)), "{after}");
}
