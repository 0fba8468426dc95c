//! The daemon's OpenAPI document: that its paths answer as it tells, and that it tells of every answer.

use std::collections::BTreeSet;

use tickerd_tests::contract::fetch;
use tickerd_tests::{Daemon, Raw, Script, Value, daemon, json};

/// Goal: what the document tells of HTTP is what is answered, and all of it. Method: real requests, good and bad, each held to
/// its status, headers, type and schema; in the end no answer is left that can be had so simply and was not.
#[tokio::test]
async fn paths_answer_as_the_openapi_document_tells() {
    const ROOMS: &str = "[[topic]]\nname = \"rooms.lobby\"\npublish = true\npresence = true
[[topic]]\nname = \"rooms.board\"\npresence = true";
    let script = Script::new("s");
    let feed = script.feed().set("bars = { field = \"\" }");
    let limits = "commands_per_s = 1\ncommands_burst = 4";
    let signing = "[server.signing]\nkey = { env = \"KEY\" }";
    let daemon = daemon().server("shards = 1").limits(limits).feed(feed).config(ROOMS).config(signing);
    let daemon = daemon.env("KEY", &crate::signed::kit::pem(1)).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    client.tick().await;
    let document = fetch(&daemon, "/v1/openapi.json").await;
    let mut seen = BTreeSet::new();
    let evil = "Origin: https://evil.example\r\n";
    let two = "Host: a\r\nHost: b\r\n";
    for path in ["/", "/v1/asyncapi.json", "/v1/openapi.json"] {
        let tag = tag(&daemon, path).await;
        for (method, headers, status) in [
            ("GET", String::new(), 200),
            ("GET", format!("If-None-Match: {tag}\r\n"), 304),
            ("DELETE", String::new(), 405),
        ] {
            seen.insert(judged(&daemon, &document, method, path, path, &headers, "", status).await);
        }
        for (hosts, status) in [("Host: a\r\nHost: b\r\n", 400), ("Host: evil.example\r\n", 403)] {
            seen.insert(judged(&daemon, &document, "GET", path, path, hosts, "", status).await);
        }
        // The page is no document that pages of other sites may read.
        for (headers, status) in [("", 204), (two, 400), (evil, 403)].into_iter().filter(|_| path != "/") {
            seen.insert(judged(&daemon, &document, "OPTIONS", path, path, headers, "", status).await);
        }
    }
    let tag = format!("If-None-Match: {}\r\n", tag(&daemon, "/v1/topics/s.a").await);
    let feeds = format!("If-None-Match: {}\r\n", self::tag(&daemon, "/v1/feeds").await);
    let keys = format!("If-None-Match: {}\r\n", self::tag(&daemon, "/v1/keys").await);
    let kept = format!("If-None-Match: {}\r\n", self::tag(&daemon, "/v1/values?topics=s.a").await);
    let (values, bars, charts) = ("/v1/values", "/v1/topics/{topic}/bars", "/v1/bars");
    // A bar that moves has another tag, and one from long ago never does.
    let none = "/v1/topics/s.a/bars?period=1m&before=0";
    let none = format!("If-None-Match: {}\r\n", self::tag(&daemon, none).await);
    let none_of_many = "/v1/bars?topics=s.none&period=1m";
    let none_of_many = format!("If-None-Match: {}\r\n", self::tag(&daemon, none_of_many).await);
    let (topics, topic, past) = ("/v1/topics", "/v1/topics/{topic}", "/v1/topics/{topic}/history");
    let long = "1".repeat(70_000);
    for (template, request, headers, body, status) in [
        ("/ws", "GET /ws", "", "", 426),
        ("/ws", "GET /ws?name=tickerd", SOCKET, "", 400),
        ("/ws", "GET /ws?topic=s.a", SOCKET, "", 400),
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
        (topics, "GET /v1/topics?mach=*.a", "", "", 400),
        (topics, "OPTIONS /v1/topics", "", "", 204),
        (topics, "OPTIONS /v1/topics", two, "", 400),
        (topics, "OPTIONS /v1/topics", evil, "", 403),
        (topic, "GET /v1/topics/s.a", "", "", 200),
        (topic, "GET /v1/topics/s.a", &tag, "", 304),
        (topic, "GET /v1/topics/s.a?wait=1", &tag, "", 304),
        (topic, "GET /v1/topics/s.a?wait=31", "", "", 400),
        (topic, "GET /v1/topics/s..a", "", "", 400),
        (topic, "GET /v1/topics/s.*", "", "", 422),
        (topic, "GET /v1/topics/s.b", "", "", 404),
        (topic, "GET /v1/topics/nobody.b", "", "", 404),
        (topic, "GET /v1/topics/s.a", evil, "", 403),
        (topic, "DELETE /v1/topics/s.a", "", "", 405),
        (topic, "HEAD /v1/topics/s.a", "", "", 200),
        (topic, "HEAD /v1/topics/s.a", &tag, "", 304),
        (topic, "OPTIONS /v1/topics/s.a", "", "", 204),
        (topic, "OPTIONS /v1/topics/rooms.lobby", "", "", 204),
        (topic, "OPTIONS /v1/topics/s..a", "", "", 400),
        (topic, "OPTIONS /v1/topics/s.*", "", "", 422),
        (topic, "OPTIONS /v1/topics/nobody.a", "", "", 404),
        (topic, "OPTIONS /v1/topics/s.a", evil, "", 403),
        (topic, "POST /v1/topics/rooms.lobby?name=ann", "", r#"{"text":"hello"}"#, 200),
        (topic, "POST /v1/topics/rooms.lobby?name=ann&to=user:bob", "", "1", 200),
        (topic, "POST /v1/topics/rooms.lobby", "", "{", 400),
        (topic, "POST /v1/topics/rooms.lobby?to=bob", "", "1", 400),
        (topic, "POST /v1/topics/rooms.lobby?to=user:Admin", "", "1", 400),
        (topic, "POST /v1/topics/rooms.lobby?name=Admin", "", "1", 400),
        (topic, "POST /v1/topics/rooms.*", "", "1", 422),
        (topic, "POST /v1/topics/rooms.board", "", "1", 403),
        (topic, "POST /v1/topics/rooms.none", "", "1", 404),
        (topic, "POST /v1/topics/rooms.lobby", "", &long, 413),
        (past, "GET /v1/topics/s.a/history", "", "", 200),
        (past, "GET /v1/topics/s.a/history?limit=1", "", "", 200),
        (past, "GET /v1/topics/s.a/history?limit=0", "", "", 400),
        (past, "GET /v1/topics/s.*/history", "", "", 422),
        (past, "GET /v1/topics/nobody.a/history", "", "", 404),
        (past, "GET /v1/topics/s.a/history", evil, "", 403),
        (past, "DELETE /v1/topics/s.a/history", "", "", 405),
        (past, "HEAD /v1/topics/s.a/history", "", "", 200),
        (past, "OPTIONS /v1/topics/s.a/history", "", "", 204),
        (past, "OPTIONS /v1/topics/s..a/history", "", "", 400),
        (past, "OPTIONS /v1/topics/s.*/history", "", "", 422),
        (past, "OPTIONS /v1/topics/nobody.a/history", "", "", 404),
        (past, "OPTIONS /v1/topics/s.a/history", evil, "", 403),
        (past, "GET /v1/topics/s.a/history?period=1m&limit=5&before=1900000000000", "", "", 200),
        (past, "GET /v1/topics/s.a/history?period=1m&before=0", &none, "", 304),
        (past, "HEAD /v1/topics/s.a/history?period=1m&before=0", &none, "", 304),
        (bars, "GET /v1/topics/s.a/bars?period=60s", "", "", 200),
        (bars, "HEAD /v1/topics/s.a/bars?period=1m", "", "", 200),
        (bars, "GET /v1/topics/s.a/bars?period=1m&before=0", &none, "", 304),
        (bars, "HEAD /v1/topics/s.a/bars?period=1m&before=0", &none, "", 304),
        (bars, "GET /v1/topics/s.a/bars", "", "", 400),
        (bars, "GET /v1/topics/s.*/bars?period=1m", "", "", 422),
        (bars, "GET /v1/topics/s.none/bars?period=1m", "", "", 404),
        (bars, "GET /v1/topics/s.a/bars?period=1m", evil, "", 403),
        (bars, "DELETE /v1/topics/s.a/bars?period=1m", "", "", 405),
        (bars, "OPTIONS /v1/topics/s.a/bars", "", "", 204),
        (bars, "OPTIONS /v1/topics/s..a/bars", "", "", 400),
        (bars, "OPTIONS /v1/topics/s.*/bars", "", "", 422),
        (bars, "OPTIONS /v1/topics/nobody.a/bars", "", "", 404),
        (bars, "OPTIONS /v1/topics/s.a/bars", evil, "", 403),
        (charts, "GET /v1/bars?topics=s.a,s.none,nobody.a,s.*&period=1m&limit=1", "", "", 200),
        (charts, "HEAD /v1/bars?topics=s.a&period=1m", "", "", 200),
        (charts, "GET /v1/bars?topics=s.none&period=1m", &none_of_many, "", 304),
        (charts, "HEAD /v1/bars?topics=s.none&period=1m", &none_of_many, "", 304),
        (charts, "GET /v1/bars?topics=s.a", "", "", 400),
        (charts, "GET /v1/bars?topics=s.a&period=1m", evil, "", 403),
        (charts, "POST /v1/bars?topics=s.a&period=1m", "", "1", 405),
        (charts, "OPTIONS /v1/bars", "", "", 204),
        (charts, "OPTIONS /v1/bars", two, "", 400),
        (charts, "OPTIONS /v1/bars", evil, "", 403),
        (values, "GET /v1/values?topics=s.a,s.*,s.none,a.**.b", "", "", 200),
        (values, "HEAD /v1/values?topics=s.a", "", "", 200),
        (values, "GET /v1/values?topics=s.a", &kept, "", 304),
        (values, "HEAD /v1/values?topics=s.a", &kept, "", 304),
        (values, "GET /v1/values", "", "", 400),
        (values, "GET /v1/values?topics=s.a", evil, "", 403),
        (values, "POST /v1/values?topics=s.a", "", "1", 405),
        (values, "DELETE /v1/values?topics=s.a", "", "", 405),
        (values, "OPTIONS /v1/values", "", "", 204),
        (values, "OPTIONS /v1/values", two, "", 400),
        (values, "OPTIONS /v1/values", evil, "", 403),
        ("/v1/feeds", "GET /v1/feeds", "", "", 200),
        ("/v1/feeds", "HEAD /v1/feeds", "", "", 200),
        ("/v1/feeds", "GET /v1/feeds", evil, "", 403),
        ("/v1/feeds", "GET /v1/feeds", "Host: a\r\nHost: b\r\n", "", 400),
        ("/v1/feeds", "DELETE /v1/feeds", "", "", 405),
        ("/v1/feeds", "GET /v1/feeds", &feeds, "", 304),
        ("/v1/feeds", "HEAD /v1/feeds", &feeds, "", 304),
        ("/v1/feeds", "OPTIONS /v1/feeds", "", "", 204),
        ("/v1/feeds", "OPTIONS /v1/feeds", two, "", 400),
        ("/v1/feeds", "OPTIONS /v1/feeds", evil, "", 403),
        ("/v1/feeds", "OPTIONS /v1/feeds", two, "", 400),
        ("/v1/keys", "GET /v1/keys", "", "", 200),
        ("/v1/keys", "HEAD /v1/keys", "", "", 200),
        ("/v1/keys", "GET /v1/keys", evil, "", 403),
        ("/v1/keys", "GET /v1/keys", two, "", 400),
        ("/v1/keys", "DELETE /v1/keys", "", "", 405),
        ("/v1/keys", "GET /v1/keys", &keys, "", 304),
        ("/v1/keys", "HEAD /v1/keys", &keys, "", 304),
        ("/v1/keys", "OPTIONS /v1/keys", "", "", 204),
        ("/v1/keys", "OPTIONS /v1/keys", two, "", 400),
        ("/v1/keys", "OPTIONS /v1/keys", evil, "", 403),
        ("/v1/sse", "GET /v1/sse", "", "", 400),
        ("/v1/sse", "GET /v1/sse?topics=s.a", evil, "", 403),
        ("/v1/sse", "POST /v1/sse?topics=s.a", "", "", 405),
        ("/v1/sse", "GET /v1/sse?topics=s.a&mode=some", "", "", 400),
        ("/v1/sse", "OPTIONS /v1/sse", "", "", 204),
        ("/v1/sse", "OPTIONS /v1/sse", two, "", 400),
        ("/v1/sse", "OPTIONS /v1/sse", evil, "", 403),
        ("/v1/sse", "GET /v1/sse?topics=s.a,rooms.*&name=ann&rate=1s", "", "", 200),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        seen.insert(judged(&daemon, &document, method, path, template, headers, body, status).await);
    }
    let unsigned = tickerd_tests::daemon().run().await;
    for method in ["GET", "HEAD"] {
        seen.insert(judged(&unsigned, &document, method, "/v1/keys", "/v1/keys", "", "", 404).await);
    }
    // Without a token nothing is to be had where there is [auth].
    let closed = tickerd_tests::daemon().env("ANN", ANN).config(
        "[[auth.token]]\nname = \"ann\"\ntoken = { env = \"ANN\" }\ngroups = [\"all\"]\n\
         [[auth.group]]\nname = \"all\"\nsubscribe = [\"**\"]",
    );
    let closed = closed.server("origins = [\"https://dash.example\"]").run().await;
    let ann = format!("Authorization: Bearer {ANN}\r\n");
    for (template, request, headers, status) in [
        ("/v1/asyncapi.json", "GET /v1/asyncapi.json", "", 401),
        ("/v1/openapi.json", "GET /v1/openapi.json", "", 401),
        ("/v1/feeds", "GET /v1/feeds", "", 401),
        (topics, "GET /v1/topics", "", 401),
        (topic, "GET /v1/topics/s.a", "", 401),
        (values, "GET /v1/values?topics=s.a", "", 401),
        (topic, "POST /v1/topics/s.a", "", 401),
        (past, "GET /v1/topics/s.a/history", "", 401),
        (bars, "GET /v1/topics/s.a/bars?period=1m", "", 401),
        (charts, "GET /v1/bars?topics=s.a&period=1m", "", 401),
        ("/v1/sse", "GET /v1/sse?topics=s.a", "", 401),
        ("/ws", "GET /ws", &*format!("{SOCKET}Authorization: Bearer wrong\r\n"), 401),
        ("/v1/ticket", "POST /v1/ticket", "", 401),
        ("/v1/ticket", "POST /v1/ticket", &ann, 200),
        ("/v1/ticket", "POST /v1/ticket", evil, 403),
        ("/v1/ticket", "POST /v1/ticket", two, 400),
        ("/v1/ticket", "GET /v1/ticket", "", 405),
        ("/v1/ticket", "OPTIONS /v1/ticket", "", 204),
        ("/v1/ticket", "OPTIONS /v1/ticket", two, 400),
        ("/v1/ticket", "OPTIONS /v1/ticket", evil, 403),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        seen.insert(judged(&closed, &document, method, path, template, headers, "", status).await);
    }
    seen.insert(judged(&unsigned, &document, "POST", "/v1/ticket", "/v1/ticket", "", "", 404).await);
    // One address has few at once and one more each second, so that it is soon refused. That answer is the one judged:
    // the next might be let through again.
    let loud = "X-Forwarded-For: 192.0.2.1\r\n";
    for (method, path, template, body) in
        [("POST", "/v1/topics/rooms.lobby", topic, "1"), ("GET", topics, topics, "")]
    {
        let refused = loop {
            let answer = exchange(&daemon, method, path, loud, body).await;
            if answer.0 != 200 {
                break answer;
            }
        };
        let place = format!("{method} {path} {loud}");
        seen.insert(held(&document, method, template, &place, refused, 429));
    }
    let mut whole = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, told) in methods.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
            for status in told["responses"].as_object().unwrap().keys() {
                // A HEAD's are those of GET; full servers, other HTTP versions and WebSockets have tests of their own.
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

#[tokio::test]
async fn a_full_server_answers_every_path_as_the_document_tells() {
    let daemon = daemon().limits("connections = 1").run().await;
    let document = fetch(&daemon, "/v1/openapi.json").await;
    let _only = daemon.connected().await;
    for (template, methods) in document["paths"].as_object().unwrap() {
        let path = template.replace("{topic}", "s.a");
        for (method, told) in methods.as_object().unwrap() {
            if told["responses"].get("503").is_some() {
                let method = method.to_uppercase();
                judged(&daemon, &document, &method, &path, template, "", "", 503).await;
            }
        }
    }
}

const ANN: &str = "ANN-0123456789-0123456789-0123456789";
const SOCKET: &str =
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Asks, and holds the answer to the document.
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
    let answer = exchange(daemon, method, path, headers, body).await;
    held(document, method, template, &format!("{method} {path} {headers}"), answer, status)
}

/// Holds an answer to the document; what was seen, as method, path and status.
fn held(
    document: &Value,
    method: &str,
    template: &str,
    place: &str,
    (came, head, body): (u16, String, String),
    status: u16,
) -> String {
    assert_eq!(came, status, "{place}: {head}{body}");
    // What no method is told of is told of GET, as its 405.
    let methods = &document["paths"][template];
    let method = Some(method.to_lowercase()).filter(|method| methods.get(method).is_some());
    let usual = if methods.get("get").is_some() { "get" } else { "post" };
    let method = method.unwrap_or_else(|| usual.into());
    let mut told = &methods[&method]["responses"][status.to_string()];
    assert!(told.is_object(), "{place} answers {status}, of which nothing is told");
    if let Some(reference) = told["$ref"].as_str() {
        told = document.pointer(&reference[1..]).unwrap();
    }
    let header = |name: &str| {
        let name = format!("{}: ", name.to_lowercase());
        head.lines().find_map(|line| line.strip_prefix(&name))
    };
    let waits = told["headers"].get("Retry-After").is_some();
    assert_eq!(header("Retry-After").is_some(), waits, "{place}: {head}");
    for (name, told) in told["headers"].as_object().into_iter().flatten() {
        let value = header(name);
        assert!(value.is_some() || told["required"] != true, "{place}: no {name}: {head}");
        if let Some(fixed) = told["schema"]["const"].as_str() {
            assert_eq!(value, Some(fixed), "{place}: {name}");
        }
        if let Some(some) = told["schema"]["enum"].as_array() {
            assert!(
                value.is_none_or(|value| some.iter().any(|one| one == value)),
                "{place}: {name}: {value:?}"
            );
        }
        if let Some(least) = told["schema"]["minimum"].as_u64() {
            let number: u64 = value.unwrap().parse().unwrap();
            assert!(number >= least, "{place}: {name}: {number}");
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

async fn tag(daemon: &Daemon, path: &str) -> String {
    let (_, head, _) = exchange(daemon, "GET", path, "", "").await;
    head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned()
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
