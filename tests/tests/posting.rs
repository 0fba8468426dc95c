//! What is published over HTTP: to whom it goes, what is refused, and how much one address may.

use tickerd_tests::Daemon;

use crate::http::{Response, ask, get, serving};

async fn post(daemon: &Daemon, path: &str, body: &str, headers: &str) -> Response {
    let mut raw = daemon.raw().await;
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
    raw.say(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await;
    let head = raw.head().await.to_lowercase();
    Response { head, body: String::from_utf8(raw.rest().await).unwrap() }
}

const ROOMS: &str = "[[topic]]\nname = \"r.a\"\npublish = true\n[[topic]]\nname = \"r.b\"\npresence = true\n";

#[tokio::test]
async fn what_is_posted_is_a_message_to_all() {
    let (_script, daemon) = serving(|d| d.config(ROOMS)).await;
    let mut client = daemon.client("/ws?topics=r.a").await;
    client.until("subscribed").await;
    let response = post(&daemon, "/v1/topics/r.a?name=desk", " {\"p\": 1.50} ", "").await;
    assert_eq!((response.status(), response.body.as_str()), (200, r#"{"topic":"r.a","seq":1}"#));
    assert!(client.until("message").await.text.ends_with(r#""from":"user:desk","value":{"p":1.50}}}"#));
    post(&daemon, "/v1/topics/r.a", "2", "").await;
    assert_eq!(client.until("message").await.data["from"], "http");
    let kept = post(&daemon, "/v1/topics/r.a?to=user:ann", "3", "").await;
    assert_eq!(kept.body, r#"{"topic":"r.a","seq":1,"to":"user:ann","delivered":0,"kept":true}"#);
    let long = "x".repeat(50_000);
    for (path, body, status, says) in [
        ("/v1/topics/r.a", "{", 400, "JSON"),
        ("/v1/topics/r.a", "", 400, "JSON"),
        ("/v1/topics/r.a", long.as_str(), 413, "bytes"),
        ("/v1/topics/r.b", "1", 403, "publish = true"),
        ("/v1/topics/r.c", "1", 404, "[[topic]]"),
    ] {
        let response = post(&daemon, path, body, "").await;
        assert_eq!(response.status(), status, "{path}: {response:?}");
        assert!(response.detail().contains(says), "{path}: {response:?}");
    }
    let foreign = post(&daemon, "/v1/topics/r.a", "4", "Origin: http://evil.example\r\n").await;
    assert_eq!(foreign.status(), 403);
}

/// Goal: who posts without a pause takes no room from the others. Method: a proxy on this machine speaks for several.
#[tokio::test]
async fn one_address_cannot_use_up_a_room() {
    let limits = "commands_per_s = 1\ncommands_burst = 4";
    let (_script, daemon) = serving(|d| d.config(ROOMS).limits(limits)).await;
    let of = |address: &str| format!("X-Forwarded-For: 198.51.100.7, {address}\r\n");
    let loud = of("192.0.2.1");
    let mut taken = 0;
    let refused = loop {
        let response = post(&daemon, "/v1/topics/r.a?name=loud", "1", &loud).await;
        if response.status() == 429 {
            break response;
        }
        assert_eq!(response.status(), 200, "{response:?}");
        taken += 1;
        assert!(taken < 200, "the room itself takes no more");
    };
    assert!(taken >= 4, "{taken}");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.detail().contains("from one address at most 1 "), "{refused:?}");
    // It is one share for all that costs, and a look at a value does not.
    let list = async || ask(&daemon, "GET /v1/topics", &loud).await;
    let listed = loop {
        let response = list().await;
        if response.status() == 429 {
            break response;
        }
    };
    assert!(listed.header("retry-after").is_some() && listed.detail().contains("wait"), "{listed:?}");
    assert_eq!(ask(&daemon, "GET /v1/topics/r.b", &loud).await.status(), 404);
    assert_eq!(ask(&daemon, "OPTIONS /v1/topics", &loud).await.status(), 204);
    for other in [of("192.0.2.2"), String::new()] {
        let response = post(&daemon, "/v1/topics/r.a", "2", &other).await;
        assert_eq!(response.status(), 200, "{other}: {response:?}");
    }
    for _ in 0..10 {
        assert_eq!(get(&daemon, "/v1/topics").await.status(), 200, "this machine is exempt");
    }
    daemon.metric_until("tickerd_requests_refused_total", |refused| refused >= 2.0).await;
}

/// Goal: what a path allows is what it takes. Method: OPTIONS and another method, on topics that take messages and that do not.
#[tokio::test]
async fn post_is_allowed_where_messages_are_taken() {
    let (_script, daemon) = serving(|d| d.config(ROOMS)).await;
    let (with, without) = (Some("get, head, post, options"), Some("get, head, options"));
    for (path, allow) in [("/v1/topics/r.a", with), ("/v1/topics/r.b", without), ("/v1/topics/s.a", without)]
    {
        for (method, status) in [("OPTIONS", 204), ("DELETE", 405)] {
            let response = ask(&daemon, &format!("{method} {path}"), "").await;
            assert_eq!((response.status(), response.header("allow")), (status, allow), "{method} {path}");
        }
    }
    for (path, status) in [("r.c", 404), ("nobody.x", 404), ("r..a", 400), ("r.*", 422), ("r.c/history", 404)]
    {
        assert_eq!(ask(&daemon, &format!("OPTIONS /v1/topics/{path}"), "").await.status(), status, "{path}");
        // What a page then asks is told why it is refused, so the browser's own question is not.
        let preflight = "Origin: http://localhost\r\nAccess-Control-Request-Method: POST\r\n";
        let allowed = ask(&daemon, &format!("OPTIONS /v1/topics/{path}"), preflight).await;
        assert_eq!(
            (allowed.status(), allowed.header("access-control-allow-origin")),
            (204, Some("http://localhost"))
        );
    }
    let stream = ask(&daemon, "OPTIONS /v1/sse", "").await;
    assert_eq!((stream.status(), stream.header("allow")), (204, Some("get, options")));
}

/// Goal: what was posted can be read at once, whichever shard is asked. Method: each value is read right behind its answer.
#[tokio::test]
async fn what_was_posted_can_be_read_at_once() {
    let (_script, daemon) = serving(|d| d.config(ROOMS).server("shards = 3")).await;
    for seq in 1..=20 {
        let taken = post(&daemon, "/v1/topics/r.a?name=ann", &format!("{{\"n\":{seq}}}"), "").await;
        assert_eq!(taken.body, format!(r#"{{"topic":"r.a","seq":{seq}}}"#));
        let read = get(&daemon, "/v1/topics/r.a").await;
        assert!(read.body.ends_with(&format!(r#""value":{{"n":{seq}}}}}}}"#)), "{seq}: {read:?}");
        let past = get(&daemon, "/v1/topics/r.a/history?limit=1").await;
        assert!(past.body.contains(&format!(r#""value":{{"n":{seq}}}"#)), "{seq}: {past:?}");
    }
}

#[tokio::test]
async fn who_publishes_to_nothing_is_told_what_to_declare() {
    let (_script, daemon) = serving(|d| d).await;
    let posted = post(&daemon, "/v1/topics/rooms.news", "1", "").await;
    assert_eq!(posted.status(), 404);
    assert!(posted.detail().contains(r#"[[topic]] name = "rooms.news""#), "{posted:?}");
    let asked = get(&daemon, "/v1/topics/rooms.news").await;
    assert!(asked.detail().contains("[[topic]]"), "{asked:?}");
}
