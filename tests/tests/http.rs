//! Topics over HTTP: values, long polls, lists and event streams, from the same board and under the same rules.

use nix::sys::signal::Signal;
use tickerd_tests::raw::Raw;
use tickerd_tests::{Builder, Daemon, Event, Script, daemon, json, within};

/// A response: its head in lower case, and its body.
#[derive(Debug)]
pub struct Response {
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// What a problem says to change.
    pub fn detail(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem: tickerd_tests::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status());
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// Sends a request on a connection of its own, which is the answer's last.
pub async fn ask(daemon: &Daemon, line: &str, headers: &str) -> Response {
    let mut raw = request(daemon, line, &format!("Connection: close\r\n{headers}")).await;
    let head = raw.head().await.to_lowercase();
    Response { head, body: String::from_utf8(raw.rest().await).unwrap() }
}

pub async fn get(daemon: &Daemon, path: &str) -> Response {
    ask(daemon, &format!("GET {path}"), "").await
}

async fn request(daemon: &Daemon, line: &str, headers: &str) -> Raw {
    let mut raw = daemon.raw().await;
    raw.say(format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await;
    raw
}

pub async fn serving(change: impl FnOnce(Builder) -> Builder) -> (Script, Daemon) {
    let script = Script::new("s");
    let daemon = change(daemon().feed(script.feed())).run().await;
    (script, daemon)
}

/// Says a value, and waits until a subscriber has it: then HTTP has it too, since there is one shard.
async fn said(script: &Script, daemon: &Daemon, value: tickerd_tests::Value) -> String {
    let mut client = daemon.client("/ws").await;
    client.subscribe(json!({"topics": ["s.a"], "snapshot": false})).await;
    script.tick("a", value).await;
    client.tick().await.text
}

#[tokio::test]
async fn a_value_is_the_envelope_with_its_tag() {
    let (script, daemon) = serving(|d| d.server("shards = 1")).await;
    let text = said(&script, &daemon, json!({"price": "189.30"})).await;
    let response = get(&daemon, "/v1/topics/s.a").await;
    assert_eq!((response.status(), &response.body), (200, &text));
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-cache"));
    let tag = response.header("etag").unwrap().to_owned();
    assert!(tag.ends_with("-1\""), "{tag}");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\" , {tag}"), "*".into()] {
        let response = ask(&daemon, "GET /v1/topics/s.a", &format!("If-None-Match: {known}\r\n")).await;
        assert_eq!(
            (response.status(), response.body.as_str(), response.header("etag")),
            (304, "", Some(&*tag))
        );
    }
    let head = ask(&daemon, "HEAD /v1/topics/s.a", "").await;
    assert_eq!((head.status(), head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), Some(&*text.len().to_string()));
    said(&script, &daemon, json!(2)).await;
    let response = ask(&daemon, "GET /v1/topics/s.a", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!(response.status(), 200, "another value");
}

#[tokio::test]
async fn a_long_poll_is_answered_by_the_next_value() {
    let (script, daemon) = serving(|d| d.server("shards = 1")).await;
    // A topic that has not spoken yet.
    let mut first = request(&daemon, "GET /v1/topics/s.a?wait=20", "").await;
    let text = said(&script, &daemon, json!(1)).await;
    let head = first.head().await.to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    // The same connection asks for the next.
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let mut second = request(
        &daemon,
        "GET /v1/topics/s.a?wait=20",
        &format!("If-None-Match: {tag}\r\nConnection: close\r\n"),
    )
    .await;
    let next = said(&script, &daemon, json!(2)).await;
    assert!(second.head().await.starts_with("HTTP/1.1 200"));
    assert_eq!(String::from_utf8(second.rest().await).unwrap(), next);
    assert_ne!(text, next);
    // Nothing comes: a second later it is still the same, and what never spoke is still silent.
    let tag = get(&daemon, "/v1/topics/s.a").await.header("etag").unwrap().to_owned();
    let same = ask(&daemon, "GET /v1/topics/s.a?wait=1", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((same.status(), same.header("etag")), (304, Some(&*tag)));
    let silent = get(&daemon, "/v1/topics/s.b?wait=1").await;
    assert!(silent.status() == 404 && silent.detail().contains("has not spoken yet"));
}

#[tokio::test]
async fn a_stop_answers_who_waits() {
    let (script, mut daemon) = serving(|d| d).await;
    said(&script, &daemon, json!(1)).await;
    let mut waiting = request(&daemon, "GET /v1/topics/s.b?wait=30", "").await;
    // It waits once a later question on another connection was answered by the same thread.
    assert_eq!(get(&daemon, "/v1/topics/s.b").await.status(), 404);
    daemon.signal(Signal::SIGTERM);
    let head = waiting.head().await.to_lowercase();
    assert!(head.starts_with("http/1.1 503") && head.contains("retry-after: "), "{head}");
    assert!(daemon.exit().await.success());
}

#[tokio::test]
async fn topics_are_listed() {
    let (script, daemon) = serving(|d| d.server("shards = 1")).await;
    said(&script, &daemon, json!(1)).await;
    let response = get(&daemon, "/v1/topics?match=s.*").await;
    let list: tickerd_tests::Value = serde_json::from_str(&response.body).unwrap();
    let topics: Vec<_> = list["topics"].as_array().unwrap().iter().map(|topic| &topic["topic"]).collect();
    assert_eq!(topics, [&json!("s.a")]);
    let none: tickerd_tests::Value =
        serde_json::from_str(&get(&daemon, "/v1/topics?match=x.*").await.body).unwrap();
    assert_eq!(none, json!({"topics": []}));
}

#[tokio::test]
async fn each_mistake_says_what_to_change() {
    let (_script, daemon) = serving(|d| d).await;
    for (line, status, says) in [
        ("GET /v1/topics/t.a", 404, "there is no feed"),
        ("GET /v1/topics/s.*", 422, "name the topics"),
        ("GET /v1/topics/s..a", 400, "not a topic"),
        ("GET /v1/topics/s.a", 404, "?wait=25"),
        ("GET /v1/topics/s.a?wait=99", 400, "at most 30"),
        ("GET /v1/topics?match=a.b*", 422, "one whole segment"),
        ("GET /v1/topics?match=%zz", 400, "%25"),
        ("PUT /v1/topics/s.a", 405, ""),
        ("POST /v1/topics", 405, "GET, HEAD, OPTIONS"),
        ("POST /v1/topics/s.a", 400, "JSON"),
        ("POST /v1/topics/s.a/history", 405, ""),
        ("POST /v1/topics/s.a?name=a%20b", 400, "A-Z"),
        ("POST /v1/topics/s.a?to=bob", 400, "user:NAME"),
        ("GET /v1/topics/s.a/history?limit=0", 400, "at least 1"),
        ("GET /v1/topics/t.a/history", 404, "there is no feed"),
        ("GET /v1/nothing", 404, "nothing is served"),
        ("GET /v1/sse", 400, "?topics="),
        ("GET /v1/sse?topics=s.a&rate=5", 400, "with its unit"),
        ("HEAD /v1/sse?topics=s.a", 405, ""),
    ] {
        let body = if line.starts_with("POST") { "Content-Length: 0\r\n" } else { "" };
        let response = ask(&daemon, line, body).await;
        assert_eq!(response.status(), status, "{line}: {response:?}");
        assert!(says.is_empty() || response.detail().contains(says), "{line}: {response:?}");
    }
}

#[tokio::test]
async fn pages_of_listed_origins_may_read() {
    let (script, daemon) = serving(|d| d.server(r#"origins = ["https://dash.example"]"#)).await;
    said(&script, &daemon, json!(1)).await;
    for path in ["/v1/topics", "/v1/topics/s.a", "/v1/topics/s.nothing"] {
        let of = |origin: &str| format!("Origin: {origin}\r\n");
        let response = ask(&daemon, &format!("GET {path}"), &of("https://dash.example")).await;
        assert_eq!(response.header("access-control-allow-origin"), Some("https://dash.example"));
        assert_eq!(response.header("vary"), Some("origin"));
        let refused = ask(&daemon, &format!("GET {path}"), &of("https://evil.example")).await;
        assert_eq!((refused.status(), refused.header("access-control-allow-origin")), (403, None));
        let preflight = ask(&daemon, &format!("OPTIONS {path}"), &of("https://dash.example")).await;
        assert_eq!(preflight.status(), 204);
        assert_eq!(preflight.header("access-control-allow-methods"), Some("get, head, post, options"));
    }
    // A generator's page elsewhere reads what is told to machines.
    for path in ["/v1/asyncapi.json", "/v1/openapi.json"] {
        let response = ask(&daemon, &format!("GET {path}"), "Origin: https://dash.example\r\n").await;
        assert_eq!(response.header("access-control-allow-origin"), Some("https://dash.example"), "{path}");
    }
    assert_eq!(get(&daemon, "/v1/topics").await.header("access-control-allow-origin"), None);
    let evil = ask(&daemon, "GET /v1/sse?topics=s.a", "Origin: https://evil.example\r\n").await;
    assert_eq!(evil.status(), 403);
}

/// Goal: a page gets what belongs to its user where it is listed by its name, and nowhere else.
#[tokio::test]
async fn credentials_are_for_origins_that_are_listed_by_name() {
    let listed = r#"origins = ["https://dash.example", "null", "http://localhost:*"]"#;
    let (_script, daemon) = serving(|d| d.server(listed)).await;
    for (origin, credentials) in [
        ("https://dash.example", Some("true")),
        ("null", None),
        ("http://localhost:5173", None),
        ("http://localhost", None),
    ] {
        for line in
            ["GET /v1/topics", "GET /v1/topics/s.none", "OPTIONS /v1/topics/s.a", "GET /v1/sse?topics"]
        {
            let preflight = "Access-Control-Request-Method: POST\r\n";
            let response = ask(&daemon, line, &format!("Origin: {origin}\r\n{preflight}")).await;
            assert_eq!(response.header("access-control-allow-origin"), Some(origin), "{line}");
            assert_eq!(response.header("access-control-allow-credentials"), credentials, "{line} {origin}");
            assert_eq!(response.header("vary"), Some("origin"));
        }
    }
    let plain = get(&daemon, "/v1/topics").await;
    assert_eq!(
        (plain.header("access-control-allow-credentials"), plain.header("vary")),
        (None, Some("origin"))
    );
}

/// The next event of a stream: its id, and what it says. Comments, `retry` and a feed's health are passed over.
async fn event(raw: &mut Raw) -> (Option<String>, Event) {
    within("an event", async {
        loop {
            let block = raw.block().await;
            if let Some((id, data)) = block.split_once("data: ") {
                let id = id.strip_prefix("id: ").map(|id| id.trim_end().to_owned());
                let event = Event::read(data.trim_end());
                if event.is_aside() {
                    continue;
                }
                return (id, event);
            }
            assert!(block.starts_with(':') || block.starts_with("retry: "), "{block}");
        }
    })
    .await
}

#[tokio::test]
async fn an_event_stream_says_what_a_socket_does() {
    let (script, daemon) = serving(|d| d.server("heartbeat = \"1s\"")).await;
    let mut socket = daemon.client("/ws?topics=s.**").await;
    socket.until("subscribed").await;
    let mut raw = request(&daemon, "GET /v1/sse?topics=s.a,s.b", "").await;
    let head = raw.head().await.to_lowercase();
    assert!(head.contains(" 200 ok\r\n") && head.contains("content-type: text/event-stream\r\n"), "{head}");
    assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
    let (_, connected) = event(&mut raw).await;
    assert_eq!(connected.name, "connected");
    assert_eq!(event(&mut raw).await.1.name, "subscribed");
    for (at, topic) in ["a", "b", "a"].into_iter().enumerate() {
        script.tick(topic, json!({"at": at, "line": "a\nb"})).await;
        let (id, tick) = event(&mut raw).await;
        assert_eq!(tick.text, socket.tick().await.text);
        let epoch = connected.data["epoch"].as_str().unwrap();
        assert!(id.is_some_and(|id| id.starts_with(&format!("{epoch}-"))));
    }
    assert_eq!(raw.block().await, ":\n\n", "a heartbeat");
    daemon.signal(Signal::SIGTERM);
    let mut rest = String::from_utf8(raw.rest().await).unwrap();
    rest = rest.replace(":\n\n", "");
    assert!(rest.starts_with(r#"data: {"event":"closing""#) && rest.matches("data: ").count() == 1, "{rest}");
}

#[tokio::test]
async fn a_stream_counts_as_a_connection_until_it_ends() {
    let (_script, daemon) = serving(|d| d).await;
    let mut raw = request(&daemon, "GET /v1/sse?topics=s.a", "").await;
    raw.head().await;
    daemon.metric_until("tickerd_connections", |open| open == 1.0).await;
    drop(raw);
    daemon.metric_until("tickerd_connections", |open| open == 0.0).await;
}

#[tokio::test]
async fn the_past_is_had_over_http() {
    let (script, daemon) = serving(|d| d.server("shards = 1")).await;
    let mut texts = Vec::new();
    for n in 0..3 {
        texts.push(said(&script, &daemon, json!(n)).await);
    }
    let response = get(&daemon, "/v1/topics/s.a/history?limit=2").await;
    assert_eq!((response.status(), response.header("cache-control")), (200, Some("no-cache")));
    assert!(response.body.ends_with(&format!("\"values\":[{},{}]}}", texts[1], texts[2])), "{response:?}");
    let silent = get(&daemon, "/v1/topics/s.b/history").await;
    assert_eq!(silent.status(), 404, "{silent:?}");
}

/// Reads events up to a fence, and gives the others with their ids.
async fn events(raw: &mut Raw, count: usize) -> Vec<(String, u64)> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let (id, event) = event(raw).await;
        if event.is_tick() {
            seen.push((id.unwrap(), event.value()["n"].as_u64().unwrap()));
        }
    }
    seen
}

/// Goal: an event stream that broke off goes on where it was. Method: three event topics, one of them had by a pattern; a
/// stream is cut after each event in turn and comes back with its id.
#[tokio::test]
async fn an_event_stream_goes_on_behind_its_last_event() {
    let (script, daemon) = serving(|d| d.server("shards = 2")).await;
    const PATH: &str = "GET /v1/sse?topics=s.e,s.f,s.x.*";
    let mut whole = request(&daemon, PATH, "").await;
    whole.head().await;
    while event(&mut whole).await.1.name != "subscribed" {}
    for n in 0..12u64 {
        let topic = ["e", "f", "x.e"][n as usize % 3];
        script.event(topic, json!({ "n": n })).await;
    }
    // One beat may bring some of them, and in it one topic comes after the other.
    let seen = events(&mut whole, 12).await;
    assert_eq!(seen.iter().map(|(_, n)| *n).collect::<std::collections::BTreeSet<_>>().len(), 12);
    for (at, (id, _)) in seen.iter().enumerate().take(11) {
        let mut back = request(&daemon, PATH, &format!("Last-Event-ID: {id}\r\n")).await;
        back.head().await;
        let missed: Vec<u64> = seen[at + 1..].iter().map(|(_, n)| *n).collect();
        let mut got = Vec::new();
        while got.len() < missed.len() {
            let (_, event) = event(&mut back).await;
            if event.name == "subscribed" {
                let recovered: Vec<_> =
                    event.data["topics"].as_array().unwrap().iter().map(|t| &t["recovered"]).collect();
                assert_eq!(recovered, [&json!(true), &json!(true)], "{}", event.text);
            } else if event.is_tick() {
                got.push(event.value()["n"].as_u64().unwrap());
            }
        }
        got.sort_unstable();
        let mut missed = missed;
        missed.sort_unstable();
        assert_eq!(got, missed, "after {id}");
    }
    // What breaks off again while it catches up goes on as well, with ticks that come twice at most.
    script.tick("now", json!({"n": 99})).await;
    const MORE: &str = "GET /v1/sse?topics=s.now,s.e,s.f,s.x.*";
    let first = &seen[0].0;
    for cut in 1..12 {
        let (mut id, mut got) = (first.clone(), std::collections::BTreeSet::new());
        for most in [cut, usize::MAX] {
            let mut back = request(&daemon, MORE, &format!("Last-Event-ID: {id}\r\n")).await;
            back.head().await;
            let mut ticks = 0;
            while ticks < most && got.len() < 12 {
                let (marked, event) = event(&mut back).await;
                if event.is_tick() {
                    id = marked.unwrap_or(id);
                    got.insert(event.value()["n"].as_u64().unwrap());
                    ticks += 1;
                }
            }
        }
        assert_eq!(
            got.into_iter().collect::<Vec<_>>(),
            [&(1..12).collect::<Vec<_>>()[..], &[99]].concat(),
            "{cut}"
        );
    }
    // An epoch that differs from the daemon's in its first letter, whatever that is.
    let known = &seen[0].0;
    let foreign = format!("{}{}", if known.starts_with('x') { 'y' } else { 'x' }, &known[1..]);
    for unknown in ["nowhere-5", "nonsense", &foreign] {
        let mut back = request(&daemon, PATH, &format!("Last-Event-ID: {unknown}\r\n")).await;
        back.head().await;
        let subscribed = loop {
            let (_, event) = event(&mut back).await;
            if event.name == "subscribed" {
                break event;
            }
        };
        let grants = subscribed.data["topics"].as_array().unwrap();
        assert!(grants.iter().all(|grant| grant["recovered"] == false), "{}", subscribed.text);
        let (_, reset) = event(&mut back).await;
        assert!(reset.is_notice("reset") && reset.topics() == ["s.x.e"], "{}", reset.text);
        let mut newest = Vec::new();
        for _ in 0..3 {
            newest.push(event(&mut back).await.1.value()["n"].as_u64().unwrap());
        }
        newest.sort_unstable();
        assert_eq!(newest, [9, 10, 11], "the newest of each");
    }
}
