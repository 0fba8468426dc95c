//! The newest values of many topics at once: `GET /v1/values`, and patterns in `get`.

use tickerd_tests::raw::{Frame, Raw, opcode};
use tickerd_tests::{Client, Daemon, Script, Value, daemon, json};

use crate::http::{Response, ask, get};

/// One shard, so that HTTP has what a subscriber has.
async fn spoken(topics: &[&str]) -> (Script, Daemon) {
    let script = Script::new("s");
    let daemon = daemon().server("shards = 1").feed(script.feed()).run().await;
    speak(&script, &daemon, topics).await;
    (script, daemon)
}

/// Lets the feed speak of these topics, and waits until a client has all of them.
async fn speak(script: &Script, daemon: &Daemon, topics: &[&str]) {
    let lines: Vec<String> = topics.iter().map(|topic| Script::state(topic, &json!({"of": topic}))).collect();
    script.lines(&lines).await;
    let fence = script.fence("fence").await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.fence"]})).await;
    while client.until_tick("s.fence").await < fence {}
}

async fn values(daemon: &Daemon, topics: &str) -> Value {
    let response = get(daemon, &format!("/v1/values?topics={topics}")).await;
    assert_eq!(response.status(), 200, "{topics}: {response:?}");
    serde_json::from_str(&response.body).unwrap()
}

async fn got(client: &mut Client, topics: Value) -> Value {
    client.send(json!({"event": "get", "data": {"id": 1, "topics": topics}})).await;
    client.expect("values").await.data
}

fn names(answer: &Value) -> Vec<&str> {
    let values = answer["values"].as_array().unwrap().iter();
    values.map(|value| value["data"]["topic"].as_str().unwrap()).collect()
}

fn failed(answer: &Value) -> Vec<(&str, u64)> {
    let failed = answer["failed"].as_array().unwrap().iter();
    failed.map(|failed| (failed["topic"].as_str().unwrap(), failed["code"].as_u64().unwrap())).collect()
}

/// Goal: both ways answer the same. Method: ask both, with names and patterns, good and bad.
#[tokio::test]
async fn names_and_patterns_are_answered_alike_on_both_ways() {
    let (_script, daemon) = spoken(&["b", "a", "deep.one", "deep.two"]).await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["tickerd.stats"]})).await;
    client.until_tick("tickerd.stats").await;
    client.send(json!({"event": "unsubscribe", "data": {"id": 1, "topics": ["tickerd.stats"]}})).await;
    client.until("unsubscribed").await;
    for (topics, expected, not_had) in [
        ("s.b,s.a", vec!["s.b", "s.a"], vec![]),
        ("s.*", vec!["s.a", "s.b", "s.fence"], vec![]),
        ("s.b,s.*", vec!["s.b", "s.a", "s.fence"], vec![]),
        (
            "s.deep.*,s.**,s.deep.two,s.deep.two",
            vec!["s.deep.two", "s.deep.one", "s.a", "s.b", "s.fence"],
            vec![],
        ),
        ("*.none,s.none.**", vec![], vec![]),
        ("s.none,nobody.x,s..a", vec![], vec![("s.none", 404), ("nobody.x", 404), ("s..a", 400)]),
        ("s.**.a,nobody.*", vec![], vec![("s.**.a", 422), ("nobody.*", 404)]),
        ("tickerd.**,tickerd.nothing", vec!["tickerd.stats"], vec![("tickerd.nothing", 404)]),
    ] {
        let asked: Vec<&str> = topics.split(',').collect();
        for answer in [values(&daemon, topics).await, got(&mut client, json!(asked)).await] {
            assert_eq!(names(&answer), expected, "{topics}: {answer}");
            let mut failed = failed(&answer);
            failed.sort_unstable();
            let mut not_had = not_had.clone();
            not_had.sort_unstable();
            assert_eq!(failed, not_had, "{topics}: {answer}");
            assert!(answer.get("truncated").is_none(), "{answer}");
        }
    }
    let all = values(&daemon, "**").await;
    assert!(!names(&all).contains(&"tickerd.stats") && names(&all).len() == 5, "{all}");
    // The same bytes as everywhere.
    let one = get(&daemon, "/v1/topics/s.a").await.body;
    assert_eq!(
        get(&daemon, "/v1/values?topics=s.a").await.body,
        format!(r#"{{"values":[{one}],"failed":[]}}"#)
    );
}

#[tokio::test]
async fn what_cannot_be_read_says_what_to_change() {
    let (_script, daemon) = spoken(&["a"]).await;
    let many =
        |what: &str, count: usize| (0..count).map(|n| format!("{what}{n}")).collect::<Vec<_>>().join(",");
    for (query, status, part) in [
        ("", 400, "topics is missing"),
        ("?topics=", 400, "topics is missing"),
        ("?topics=,,", 400, "topics is missing"),
        ("?topic=s.a", 400, "did you mean topics?"),
        ("?topics=s.a&topics=s.b", 400, "twice"),
        ("?topics=%zz", 400, "hexadecimal"),
        (&*format!("?topics={}", many("s.n", 1_025)), 400, "more than 1024 topics"),
        (&*format!("?topics={}", many("s.*.n", 33)), 400, "more than 32 patterns"),
    ] {
        let response = get(&daemon, &format!("/v1/values{query}")).await;
        let detail = response.detail();
        assert!(response.status() == status && detail.contains(part), "{query}: {detail}");
    }
    // What nobody can mean is not even read.
    let response = get(&daemon, &format!("/v1/values?topics={}", many("s.n", 100_000))).await;
    assert!([414, 431].contains(&response.status()), "{}", response.head);
    assert_eq!(values(&daemon, &many("s.n", 1_024)).await["failed"].as_array().unwrap().len(), 1_024);
    let patterns = many("s.*.n", 33);
    let mut client = daemon.connected().await;
    let asked: Vec<&str> = patterns.split(',').collect();
    client.send(json!({"event": "get", "data": {"id": 1, "topics": asked}})).await;
    let error = client.expect("error").await.data;
    assert!(error["code"] == 413 && error["message"].as_str().unwrap().contains("32 patterns"), "{error}");
}

/// Goal: no more than one answer holds, and it says so. Method: 300 values of 20 KB each are more than either way takes.
#[tokio::test]
async fn an_answer_is_bounded_and_says_what_is_left_out() {
    let (script, daemon) = spoken(&[]).await;
    let text = "x".repeat(20_000);
    let names_of: Vec<String> = (0..300).map(|n| format!("big.{n:03}")).collect();
    script.lines(&names_of.iter().map(|name| Script::state(name, &json!(text))).collect::<Vec<_>>()).await;
    speak(&script, &daemon, &[]).await;
    let mut client = daemon.connected().await;
    let told = values(&daemon, "s.big.*").await;
    assert!(told["truncated"] == true && (190..210).contains(&names(&told).len()), "{}", names(&told).len());
    assert!(names(&told).is_sorted());
    let told = got(&mut client, json!(["s.big.*"])).await;
    assert!(told["truncated"] == true && (45..53).contains(&names(&told).len()), "{}", names(&told).len());
    // What is named goes first, and is told one by one if it does not fit.
    let named: Vec<String> = names_of.iter().take(60).map(|name| format!("s.{name}")).collect();
    let mut asked: Vec<&str> = vec!["s.*"];
    asked.extend(named.iter().map(String::as_str));
    let told = got(&mut client, json!(asked)).await;
    assert!(
        failed(&told).iter().all(|(_, code)| *code == 413) && !failed(&told).is_empty(),
        "{:?}",
        failed(&told)
    );
    assert_eq!(names(&told).first(), Some(&"s.big.000"));
}

#[tokio::test]
async fn who_has_it_is_told_that_it_is_the_same() {
    let (script, daemon) = spoken(&["a", "b"]).await;
    let first = get(&daemon, "/v1/values?topics=s.a,s.b").await;
    let tag = first.header("etag").unwrap().to_owned();
    let known = format!("If-None-Match: {tag}\r\n");
    let again = async || -> Response { ask(&daemon, "GET /v1/values?topics=s.a,s.b", &known).await };
    let same = again().await;
    assert_eq!((same.status(), same.body.as_str(), same.header("etag")), (304, "", Some(&*tag)));
    assert_eq!(same.header("cache-control"), Some("no-cache"));
    let any = ask(&daemon, "GET /v1/values?topics=s.a,s.b", "If-None-Match: *\r\n").await;
    assert_eq!((any.status(), any.header("etag")), (304, Some(&*tag)));
    let head = ask(&daemon, "HEAD /v1/values?topics=s.a,s.b", "").await;
    assert_eq!((head.status(), head.body.as_str(), head.header("etag")), (200, "", Some(&*tag)));
    script.tick("a", json!("another")).await;
    speak(&script, &daemon, &[]).await;
    let other = again().await;
    assert!(other.status() == 200 && other.header("etag") != Some(&*tag), "{other:?}");
}

/// Goal: an address that asks for much is held back; this machine is not.
#[tokio::test]
async fn many_values_are_charged_to_the_address() {
    let script = Script::new("s");
    let limits = "commands_per_s = 1\ncommands_burst = 2";
    let daemon = daemon().server("shards = 1").limits(limits).feed(script.feed()).run().await;
    let text = json!("x".repeat(20_000));
    script.lines(&(0..60).map(|n| Script::state(&format!("big.{n}"), &text)).collect::<Vec<_>>()).await;
    speak(&script, &daemon, &["small"]).await;
    let loud = |n: u8| format!("X-Forwarded-For: 192.0.2.{n}\r\n");
    // 1.2 MB cost more than the two that there are at once.
    let first = ask(&daemon, "GET /v1/values?topics=s.big.*", &loud(1)).await;
    let second = ask(&daemon, "GET /v1/values?topics=s.small", &loud(1)).await;
    assert_eq!((first.status(), second.status()), (200, 429));
    assert!(second.header("retry-after").unwrap().parse::<u64>().unwrap() >= 2, "{second:?}");
    assert_eq!(ask(&daemon, "GET /v1/values?topics=s.small", &loud(2)).await.status(), 200);
    for _ in 0..5 {
        assert_eq!(get(&daemon, "/v1/values?topics=s.big.*").await.status(), 200);
    }
}

const READER: &str = "reader-reader-reader-reader-reader";

/// Each topic is granted or not, and nothing is said of what is not.
#[tokio::test]
async fn each_topic_asks_for_its_right() {
    let script = Script::new("s");
    let config = "[auth]\n[[auth.token]]\nname = \"reader\"\ntoken = { env = \"READER\" }\ngroups = [\"some\"]\n\
        [[auth.group]]\nname = \"some\"\nsubscribe = [\"s.open.*\"]\ndeny = [\"s.open.secret\"]\n";
    let daemon =
        daemon().server("shards = 1").feed(script.feed()).config(config).env("READER", READER).run().await;
    let lines = ["open.a", "open.secret", "shut"].map(|topic| Script::state(topic, &json!(1)));
    script.lines(&lines).await;
    let mut client = daemon.client("/ws").await;
    client.expect("connected").await;
    client.send(json!({"event": "auth", "data": {"token": READER}})).await;
    client.expect("authenticated").await;
    client.subscribe(json!({"topics": ["s.open.a"]})).await;
    client.until_tick("s.open.a").await;
    let bearer = format!("Authorization: Bearer {READER}\r\n");
    for (topics, expected, not_had) in [
        ("s.**", vec!["s.open.a"], vec![]),
        ("**", vec!["s.open.a"], vec![]),
        (
            "s.open.secret,s.shut,s.none",
            vec![],
            vec![("s.open.secret", 403), ("s.shut", 403), ("s.none", 403)],
        ),
        ("s.shut.*,tickerd.**,x.*", vec![], vec![("s.shut.*", 403), ("x.*", 403)]),
    ] {
        let response = ask(&daemon, &format!("GET /v1/values?topics={topics}"), &bearer).await;
        assert_eq!(response.status(), 200, "{response:?}");
        let told = serde_json::from_str(&response.body).unwrap();
        let asked: Vec<&str> = topics.split(',').collect();
        for answer in [told, got(&mut client, json!(asked)).await] {
            assert_eq!(
                (names(&answer), failed(&answer)),
                (expected.clone(), not_had.clone()),
                "{topics}: {answer}"
            );
        }
    }
    assert_eq!(get(&daemon, "/v1/values?topics=s.open.a").await.status(), 401);
}

/// A page of another site that may connect may read, and any may ask in advance.
#[tokio::test]
async fn pages_of_listed_sites_may_read() {
    let daemon = daemon().server("origins = [\"https://dash.example\"]").run().await;
    let origin = "Origin: https://dash.example\r\n";
    let response = ask(&daemon, "GET /v1/values?topics=tickerd.*", origin).await;
    assert_eq!(
        (response.status(), response.header("access-control-allow-origin")),
        (200, Some("https://dash.example"))
    );
    let preflight =
        ask(&daemon, "OPTIONS /v1/values", &format!("{origin}Access-Control-Request-Method: GET\r\n")).await;
    assert_eq!(preflight.status(), 204);
    assert_eq!(get(&daemon, "/v1/valuesx").await.status(), 404);
    assert_eq!(ask(&daemon, "POST /v1/values?topics=a", "Content-Length: 0\r\n").await.status(), 405);
}

/// Goal: MessagePack brings the same. Method: the same question on both.
#[tokio::test]
async fn values_come_as_messagepack_too() {
    let (_script, daemon) = spoken(&["a", "b"]).await;
    let mut raw = daemon.raw().await;
    let head = "\r\nSec-WebSocket-Protocol: tickerd.v1.msgpack\r\n\r\n";
    raw.say(Raw::handshake("/ws").replace("\r\n\r\n", head)).await;
    raw.head().await;
    let command = json!({"event": "get", "data": {"id": 1, "topics": ["s.*", "s.none"]}});
    raw.send(Frame::new(opcode::BINARY, rmp_serde::to_vec_named(&command).unwrap())).await;
    let told = loop {
        let message: Value = rmp_serde::from_slice(&raw.until_opcode(opcode::BINARY).await.payload).unwrap();
        if message["event"] == "values" {
            break message["data"].clone();
        }
    };
    let mut client = daemon.connected().await;
    assert_eq!(told, got(&mut client, json!(["s.*", "s.none"])).await);
    assert_eq!(names(&told), ["s.a", "s.b", "s.fence"]);
}
