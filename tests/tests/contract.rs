//! The daemon's documents for machines: that all it really says is in them, and that its paths answer as they tell.

use std::collections::BTreeSet;
use std::sync::Arc;

use nix::sys::signal::Signal;
use tickerd_tests::contract::{Contract, fetch};
use tickerd_tests::{Daemon, Raw, Script, Value, daemon, json, scripted, sim};

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
            json!({"event": "subscribe", "data": {"id": 9, "topics": ["s.b"], "since": {"epoch": "x", "seq": {"s.b": 1}}}}),
            "subscribed",
        ),
        (
            json!({"event": "subscribe", "data": {"id": 10, "topics": ["rooms.lobby", "tickerd.stats"]}}),
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

    for kind in ["event.message", "event.presence.turnover", "tick.message", "tick.tickerd.stats"] {
        while !contract.seen().contains(kind) {
            client.next().await;
        }
    }
    let left = json!({"topics": ["rooms.lobby", "tickerd.stats"]});
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
    assert_eq!(contract.seen(), contract.whole());
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

/// Goal: what the document tells of HTTP is what is answered, and all of it. Method: real requests, good and bad, each held to
/// its status, headers, type and schema; in the end no answer is left that can be had so simply and was not.
#[tokio::test]
async fn paths_answer_as_the_openapi_document_tells() {
    const ROOMS: &str = "[[topic]]\nname = \"rooms.lobby\"\npublish = true\npresence = true
[[topic]]\nname = \"rooms.board\"\npresence = true";
    let script = Script::new("s");
    let daemon = daemon().server("shards = 1").feed(script.feed()).config(ROOMS).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    client.tick().await;
    let document = fetch(&daemon, "/v1/openapi.json").await;
    let tag_of = |head: &str| head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let mut seen = BTreeSet::new();
    for path in ["/", "/v1/asyncapi.json", "/v1/openapi.json"] {
        let tag = tag_of(&head(&daemon, path, "").await);
        for (method, headers, status) in [
            ("GET", String::new(), 200),
            ("GET", format!("If-None-Match: {tag}\r\n"), 304),
            ("DELETE", String::new(), 405),
        ] {
            seen.insert(judged(&daemon, &document, method, path, path, &headers, "", status).await);
        }
        seen.insert(judged(&daemon, &document, "GET", path, path, "Host: a\r\nHost: b\r\n", "", 400).await);
    }
    let evil = "Origin: https://evil.example\r\n";
    let tag = format!("If-None-Match: {}\r\n", tag_of(&head(&daemon, "/v1/topics/s.a", "").await));
    let (topics, topic, past) = ("/v1/topics", "/v1/topics/{topic}", "/v1/topics/{topic}/history");
    let long = "1".repeat(70_000);
    for (template, request, headers, body, status) in [
        ("/ws", "GET /ws", "", "", 426),
        ("/ws", "GET /ws?name=tickerd", SOCKET, "", 400),
        ("/ws", "GET /ws", &*format!("{SOCKET}{evil}"), "", 403),
        ("/ws", "POST /ws", SOCKET, "", 405),
        (topics, "GET /v1/topics", "", "", 200),
        (topics, "GET /v1/topics?match=*.a", "", "", 200),
        (topics, "GET /v1/topics?match=**&match=**", "", "", 400),
        (topics, "GET /v1/topics?match=a.**.b", "", "", 422),
        (topics, "GET /v1/topics", evil, "", 403),
        (topics, "DELETE /v1/topics", "", "", 405),
        (topics, "POST /v1/topics", "", "1", 405),
        (topics, "HEAD /v1/topics", "", "", 200),
        (topics, "OPTIONS /v1/topics", "", "", 204),
        (topics, "OPTIONS /v1/topics", evil, "", 403),
        (topic, "GET /v1/topics/s.a", "", "", 200),
        (topic, "GET /v1/topics/s.a", &tag, "", 304),
        (topic, "GET /v1/topics/s.a?wait=1", &tag, "", 304),
        (topic, "GET /v1/topics/s.a?wait=31", "", "", 400),
        (topic, "GET /v1/topics/s.*", "", "", 400),
        (topic, "GET /v1/topics/s.b", "", "", 404),
        (topic, "GET /v1/topics/nobody.b", "", "", 404),
        (topic, "GET /v1/topics/s.a", evil, "", 403),
        (topic, "DELETE /v1/topics/s.a", "", "", 405),
        (topic, "HEAD /v1/topics/s.a", "", "", 200),
        (topic, "HEAD /v1/topics/s.a", &tag, "", 304),
        (topic, "OPTIONS /v1/topics/s.a", "", "", 204),
        (topic, "OPTIONS /v1/topics/s.a", evil, "", 403),
        (topic, "POST /v1/topics/rooms.lobby?name=ann", "", r#"{"text":"hello"}"#, 200),
        (topic, "POST /v1/topics/rooms.lobby?name=ann&to=user:bob", "", "1", 200),
        (topic, "POST /v1/topics/rooms.lobby", "", "{", 400),
        (topic, "POST /v1/topics/rooms.lobby?to=bob", "", "1", 400),
        (topic, "POST /v1/topics/rooms.board", "", "1", 403),
        (topic, "POST /v1/topics/rooms.none", "", "1", 404),
        (topic, "POST /v1/topics/rooms.lobby", "", &long, 413),
        (past, "GET /v1/topics/s.a/history", "", "", 200),
        (past, "GET /v1/topics/s.a/history?limit=1", "", "", 200),
        (past, "GET /v1/topics/s.a/history?limit=0", "", "", 400),
        (past, "GET /v1/topics/nobody.a/history", "", "", 404),
        (past, "GET /v1/topics/s.a/history", evil, "", 403),
        (past, "DELETE /v1/topics/s.a/history", "", "", 405),
        (past, "HEAD /v1/topics/s.a/history", "", "", 200),
        (past, "OPTIONS /v1/topics/s.a/history", "", "", 204),
        (past, "OPTIONS /v1/topics/s.a/history", evil, "", 403),
        ("/v1/sse", "GET /v1/sse", "", "", 400),
        ("/v1/sse", "GET /v1/sse?topics=s.a", evil, "", 403),
        ("/v1/sse", "POST /v1/sse?topics=s.a", "", "", 405),
        ("/v1/sse", "OPTIONS /v1/sse", "", "", 204),
        ("/v1/sse", "OPTIONS /v1/sse", evil, "", 403),
        ("/v1/sse", "GET /v1/sse?topics=s.a,rooms.*&name=ann&rate=1s", "", "", 200),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        seen.insert(judged(&daemon, &document, method, path, template, headers, body, status).await);
    }
    let mut burst = 0;
    let flooded = loop {
        let answer = exchange(&daemon, "POST", "/v1/topics/rooms.lobby", "", "1").await;
        burst += 1;
        if answer.0 != 200 {
            break answer;
        }
        assert!(burst < 10_000, "the room has its limit");
    };
    assert!(flooded.0 == 429 && flooded.1.contains("retry-after: 1\r\n"), "{flooded:?}");
    let mut whole = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, told) in methods.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
            for status in told["responses"].as_object().unwrap().keys() {
                // A HEAD's are those of GET; a full server, other HTTP versions and WebSockets have tests of their own.
                let elsewhere = ["101", "429", "503", "505"].contains(&status.as_str());
                if !elsewhere && (method != "head" || ["200", "304"].contains(&status.as_str())) {
                    whole.insert(format!("{method} {path} {status}"));
                }
            }
        }
    }
    let missing: Vec<_> = whole.difference(&seen).collect();
    assert!(missing.is_empty(), "told and not seen: {missing:#?}");
    for path in ["/v1", "/v1/", "/v1/asyncapi", "/v1/asyncapi.json/", "/v1/OPENAPI.json", "/v2/openapi.json"]
    {
        assert_eq!(exchange(&daemon, "GET", path, "", "").await.0, 404, "{path}");
    }
}

const SOCKET: &str =
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Asks, and holds the answer to the document; what was seen, as method, path and status.
#[expect(clippy::too_many_arguments, reason = "each is a column of the table of requests")]
async fn judged(
    daemon: &Daemon,
    document: &Value,
    method: &str,
    path: &str,
    template: &str,
    headers: &str,
    body: &str,
    status: u16,
) -> String {
    let (came, head, body) = exchange(daemon, method, path, headers, body).await;
    let place = format!("{method} {path} {headers}");
    assert_eq!(came, status, "{place}: {head}{body}");
    // What no method is told of is told of GET, as its 405.
    let methods = &document["paths"][template];
    let method = Some(method.to_lowercase()).filter(|method| methods.get(method).is_some());
    let method = method.unwrap_or_else(|| "get".into());
    let mut told = &methods[&method]["responses"][status.to_string()];
    assert!(told.is_object(), "{place} answers {status}, of which nothing is told");
    if let Some(reference) = told["$ref"].as_str() {
        told = document.pointer(&reference[1..]).unwrap();
    }
    let header = |name: &str| {
        let name = format!("{}: ", name.to_lowercase());
        head.lines().find_map(|line| line.strip_prefix(&name))
    };
    for (name, told) in told["headers"].as_object().into_iter().flatten() {
        let value = header(name);
        assert!(value.is_some() || told["required"] != true, "{place}: no {name}: {head}");
        if let Some(fixed) = told["schema"]["const"].as_str() {
            assert_eq!(value, Some(fixed), "{place}: {name}");
        }
    }
    let content = told["content"].as_object();
    let Some((content_type, content)) = content.and_then(|content| content.iter().next()) else {
        assert_eq!(body, "", "{place}");
        return format!("{method} {template} {status}");
    };
    assert_eq!(header("content-type"), Some(content_type.as_str()), "{place}");
    if method != "head" && content_type.ends_with("json") {
        let body: Value = serde_json::from_str(&body).unwrap();
        let mut schema = content["schema"].clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let wrong: Vec<_> =
            validator.iter_errors(&body).map(|e| format!("{e} at {}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{place}: {body}: {wrong:?}");
        if content_type == "application/problem+json" {
            assert_eq!(body["status"], status, "{place}");
        }
    }
    format!("{method} {template} {status}")
}

async fn head(daemon: &Daemon, path: &str, headers: &str) -> String {
    let mut raw = daemon.raw().await;
    raw.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")).await;
    raw.head().await
}

/// Status, head and body; of an event stream its first event.
async fn exchange(
    daemon: &Daemon,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (u16, String, String) {
    let mut raw: Raw = daemon.raw().await;
    let host = if headers.contains("Host: ") { "" } else { "Host: localhost\r\n" };
    let connection = if headers.contains("Upgrade: ") { "Upgrade, close" } else { "close" };
    let length = body.len();
    let length = if length > 0 { format!("Content-Length: {length}\r\n") } else { String::new() };
    raw.say(format!(
        "{method} {path} HTTP/1.1\r\n{host}Connection: {connection}\r\n{length}{headers}\r\n{body}"
    ))
    .await;
    let head = raw.head().await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    if !head.contains("text/event-stream") {
        let ended = raw.rest().await;
        return (status, head, String::from_utf8_lossy(&ended).into_owned());
    }
    loop {
        let block = raw.block().await;
        if let Some(event) = block.lines().find_map(|line| line.strip_prefix("data: ")) {
            let event: Value = serde_json::from_str(event).unwrap();
            assert_eq!(event["event"], "connected");
            return (status, head, block);
        }
    }
}
