//! The daemon's AsyncAPI document: that all it really says is in it, and that it follows what feeds say.

use std::collections::BTreeSet;
use std::sync::Arc;

use nix::sys::signal::Signal;
use tickerd_tests::contract::Contract;
use tickerd_tests::{Daemon, Script, daemon, json, scripted, sim};

/// What `s` says of itself: a schema that its values keep to, and one event without.
const HELLO: &str = r##"{"tfp":1,"feed":"org.example.s","version":"7","events":{"tick":"state","trade":"event"},
    "docs":{"tick":{"description":"A number.","schema":{"$ref":"#/$defs/Value","$defs":{"Value":{"type":["object","number"]}}}}}}"##;

/// Goal: no message is told otherwise than it is, and none is told that never comes. Method: one daemon is made to say all
/// that it can, each word is held to the document, and in the end nothing in the document was not seen.
#[tokio::test]
async fn all_that_the_daemon_says_is_in_its_document_and_the_other_way_round() {
    let (script, silent) = (Script::new("s"), Script::new("u"));
    let mut daemon = daemon()
        .server("shards = 1\nheartbeat = \"1s\"")
        .feed(script.feed().set("max_age = \"200ms\""))
        .feed(silent.feed())
        .feed(sim(7).configured("weather = [\"oslo\"]"))
        .config("[[topic]]\nname = \"rooms.lobby\"\npublish = true\npresence = true")
        .run()
        .await;
    script.line(&HELLO.replace('\n', "")).await;
    let contract = Arc::new(Contract::of(&daemon, &["s", "sim"]).await);
    let mut client = daemon.client("/ws?topics=s.first&rate=100ms&name=ann").await;
    client.hold_to(&contract);
    client.expect("connected").await;
    client.expect("subscribed").await;
    let feeds = contract.document()["x-feeds"].as_array().unwrap();
    let feeds: Vec<_> = feeds.iter().map(|feed| feed["name"].as_str().unwrap()).collect();
    assert_eq!(feeds, ["s", "u", "sim"], "rooms are no feeds, and would never say who they are");

    // Each command, once well and once badly.
    for (command, answer) in [
        (
            json!({"event": "subscribe", "data": {"id": 1, "topics": ["s.a", "sim.**", "u.*", "no.x", "s.**.b"]}}),
            "subscribed",
        ),
        (json!({"event": "subscriptions", "data": {"id": 2}}), "subscriptions"),
        (json!({"event": "topics", "data": {"id": "three", "match": "**"}}), "topics"),
        (json!({"event": "unsubscribe", "data": {"id": 4, "topics": ["s.first"]}}), "unsubscribed"),
        (json!({"event": "get", "data": {"id": 5, "topics": ["sim.sine", "s.none"]}}), "values"),
        (json!({"event": "ping", "data": {"id": 6, "t": 1.50}}), "pong"),
        (json!({"event": "history", "data": {"id": 8, "topic": "sim.sine", "limit": 3}}), "history"),
        (
            json!({"event": "history", "data": {"id": 15, "topic": "sim.sine", "period": "1m", "before": 1_900_000_000_000_u64}}),
            "history",
        ),
        (
            json!({"event": "subscribe", "data": {"id": 9, "topics": ["s.b"], "since": {"epoch": "x", "seq": {"s.b": 1}}}}),
            "subscribed",
        ),
        (
            json!({"event": "subscribe", "data": {"id": 10, "topics": ["rooms.lobby", "tickerd.stats"]}}),
            "subscribed",
        ),
        (
            json!({"event": "subscribe", "data": {"id": 14, "topics": ["tickerd.bars.1m.s.a.b.c.d.e.f.g", "tickerd.*.10s.s.*.*.*.*.*.*.**", "tickerd.bar.10s.sim.sine"]}}),
            "subscribed",
        ),
        (json!({"event": "presence", "data": {"id": 11, "topic": "rooms.lobby"}}), "presence"),
        (json!({"event": "publish", "data": {"id": 12, "topic": "rooms.lobby", "value": [1]}}), "published"),
        (
            json!({"event": "publish", "data": {"id": 13, "topic": "rooms.lobby", "value": 1, "to": "user:ann"}}),
            "published",
        ),
        (json!({"event": "topics", "data": {"id": 7, "match": "a.**.b"}}), "error"),
    ] {
        if answer != "error" && command["data"]["id"] != 1 {
            contract.check_command(&command.to_string());
        }
        client.send(command).await;
        client.until(answer).await;
    }
    client.send_text("nonsense").await;
    client.until("error").await;

    for kind in
        ["event.message", "event.presence.turnover", "tick.message", "tick.tickerd.stats", "tick.tickerd.bar"]
    {
        while !contract.seen().contains(kind) {
            client.next().await;
        }
    }
    let left = json!({"topics": ["rooms.lobby", "tickerd.stats", "tickerd.bar.10s.sim.sine"]});
    client.send(json!({"event": "unsubscribe", "data": left})).await;

    // Ticks of every kind: declared with a schema, declared without, not declared at all.
    script.lines(&[Script::state("a", &json!(1)), Script::happening("t", &json!([1]))]).await;
    silent.line(r#"{"topic":"x","event":"odd","ts":1767225600000,"data":null}"#).await;
    client.subscribe(json!({"topics": ["s.*", "u.*"]})).await;
    client.notice("stale").await;
    script.tick("a", json!(2)).await;
    client.notice("fresh").await;
    silent.line(r#"{"health":"degraded","msg":"half of it"}"#).await;
    client.notice("feed").await;
    for kind in ["odd", "quote", "trade", "sine", "weather"] {
        if !contract.seen().iter().any(|name| name.ends_with(&format!(".{kind}"))) && kind != "odd" {
            client.until(kind).await;
        }
    }
    client.send(json!({"event": "unsubscribe", "data": {"topics": ["s.a", "s.*", "u.*", "sim.**"]}})).await;
    client.until("heartbeat").await;

    // One that does not read is told what it missed.
    let mut slow = daemon.narrow().await;
    slow.hold_to(&contract);
    slow.subscribe(json!({"topics": ["s.big"]})).await;
    let mut slower = daemon.narrow().await;
    slower.hold_to(&contract);
    slower.subscribe(json!({"topics": ["s.big"], "mode": "all"})).await;
    let padding = "x".repeat(40_000);
    client.subscribe(json!({"topics": ["s.big"]})).await;
    for n in 0.. {
        script.tick("big", json!({"n": n, "padding": padding})).await;
        client.until("tick").await;
        // Some beyond the one at which it stalls are skipped.
        if n % 10 == 9 && daemon.metric("tickerd_connections_lagging").await == Some(2.0) {
            break;
        }
    }
    // More than the 1 MiB that is kept for who wants every tick.
    for n in 0..40 {
        script.tick("big", json!({"more": n, "padding": padding})).await;
        client.until("tick").await;
    }
    slow.notice("lag").await;
    slower.notice("reset").await;

    daemon.signal(Signal::SIGTERM);
    client.until("closing").await;
    let (code, reason) = client.closed().await;
    let closes = contract.document()["x-closes"].as_array().unwrap();
    let close = closes.iter().find(|close| close["code"] == code).unwrap();
    assert_eq!(reason, format!("{}: {}", close["name"].as_str().unwrap(), close["text"].as_str().unwrap()));
    assert_eq!(close["then"], "at_once");
    // What is said of tokens needs [auth]: `access` shows those.
    let of_tokens = ["event.authenticated", "notice auth_expiring", "notice revoked"];
    let whole: BTreeSet<String> =
        contract.whole().into_iter().filter(|name| !of_tokens.contains(&name.as_str())).collect();
    assert_eq!(contract.seen(), whole);
    daemon.exit().await;
}

#[tokio::test]
async fn the_document_follows_a_feed_that_says_something_new() {
    let (script, daemon) = scripted().await;
    let tag = |head: &str| head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let before = tag(&head(&daemon, "/v1/asyncapi.json", "").await);
    script.line(r#"{"tfp":1,"docs":{"quote":{"schema":{"type":"string"}}}}"#).await;
    let contract = Contract::of(&daemon, &["s"]).await;
    let schemas = &contract.document()["components"]["schemas"];
    assert_eq!(schemas["s.quote"], json!({"type": "string"}));
    let after = tag(&head(&daemon, "/v1/asyncapi.json", "").await);
    assert_ne!(before, after);
    let known = head(&daemon, "/v1/asyncapi.json", &format!("If-None-Match: \"x\", {after}\r\n")).await;
    assert!(known.starts_with("HTTP/1.1 304 ") && known.contains("cache-control: no-cache"), "{known}");
    let stale = head(&daemon, "/v1/asyncapi.json", &format!("If-None-Match: {before}\r\n")).await;
    assert!(stale.starts_with("HTTP/1.1 200 "), "{stale}");
}

#[tokio::test]
async fn a_schema_that_is_too_long_or_none_is_named_in_the_log() {
    let (script, daemon) = scripted().await;
    let long = "x".repeat(33_000);
    script
        .line(&format!(
            r#"{{"tfp":1,"docs":{{"long":{{"schema":{{"title":"{long}"}}}},"odd":{{"schema":{{"type":7}}}},"good":{{"schema":true}}}}}}"#
        ))
        .await;
    let contract = Contract::of(&daemon, &["s"]).await;
    daemon.logged_of("s", "the value schema of long was left out").await;
    daemon.logged_of("s", "the value schema of odd is not shown").await;
    let messages = &contract.document()["components"]["messages"];
    let value = |event: &str| {
        messages[format!("tick.s.{event}")]["payload"]["properties"]["data"]["properties"]["value"].clone()
    };
    for event in ["long", "odd"] {
        assert!(value(event).get("$ref").is_none(), "{}", value(event));
    }
    assert_eq!(value("good")["$ref"], "#/components/schemas/s.good");
}

#[tokio::test]
async fn a_library_s_schemas_are_the_same_in_process_and_in_a_process_of_its_own() {
    let daemon = daemon()
        .feed(sim(1))
        .feed(tickerd_tests::Feed::plugin("near", "tickerd_feed_sim").set("isolation = \"in-process\""))
        .run()
        .await;
    let contract = Contract::of(&daemon, &["sim", "near"]).await;
    let schemas = contract.document()["components"]["schemas"].as_object().unwrap();
    let of = |feed: &str| -> Vec<(String, String)> {
        let own = schemas.iter().filter_map(|(name, schema)| Some((name.strip_prefix(feed)?, schema)));
        own.map(|(name, schema)| (name.to_owned(), schema.to_string().replace(feed, "F"))).collect()
    };
    let names: Vec<_> = of("sim.").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["quote", "sine", "trade", "trade.Side", "weather"]);
    assert_eq!(of("sim."), of("near."));
}

async fn head(daemon: &Daemon, path: &str, headers: &str) -> String {
    let mut raw = daemon.raw().await;
    raw.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")).await;
    raw.head().await
}
