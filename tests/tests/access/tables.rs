//! Who may have what: every route and every command with each client.

use tickerd_tests::*;

use super::{PAST, READER, WRITER, ask, bearer, closed_with_feed, identified};

/// Every route with every client: one line per route, one status per client.
#[tokio::test]
async fn each_route_asks_for_its_right() {
    let (_script, daemon) = closed_with_feed().await;
    // The feed has spoken once both are listed.
    let mut reader = identified(&daemon, READER).await;
    reader.subscribe(json!({"topics": ["s.a"]})).await;
    reader.until_tick("s.a").await;
    for (request, body, nobody, by_reader, by_writer, by_past) in [
        ("GET /v1/topics", "", 401, 200, 200, 200),
        ("GET /v1/topics?match=s.*", "", 401, 200, 200, 200),
        ("GET /v1/topics/s.a", "", 401, 200, 403, 403),
        ("HEAD /v1/topics/s.a", "", 401, 200, 403, 403),
        ("GET /v1/topics/s.secret", "", 401, 403, 403, 403),
        ("GET /v1/topics/no.such", "", 401, 403, 403, 403),
        ("GET /v1/topics/s.a/history", "", 401, 403, 403, 200),
        ("GET /v1/topics/s.a/history?period=1m", "", 401, 403, 403, 200),
        ("GET /v1/topics/rooms.desk/history", "", 401, 403, 403, 403),
        ("GET /v1/topics/s.a/bars?period=1m", "", 401, 403, 403, 200),
        ("HEAD /v1/topics/s.a/bars?period=1m", "", 401, 403, 403, 200),
        ("GET /v1/topics/rooms.desk/bars?period=1m", "", 401, 403, 403, 403),
        // Of several topics each is granted or in `failed`.
        ("GET /v1/bars?topics=s.a&period=1m", "", 401, 200, 200, 200),
        ("HEAD /v1/bars?topics=s.a&period=1m", "", 401, 200, 200, 200),
        ("GET /v1/values?topics=s.a,s.*", "", 401, 200, 200, 200),
        ("HEAD /v1/values?topics=s.a,s.*", "", 401, 200, 200, 200),
        ("POST /v1/topics/rooms.desk", "1", 401, 403, 200, 403),
        ("POST /v1/topics/rooms.desk?name=reader", "1", 409, 403, 409, 409),
        ("POST /v1/topics/rooms.desk?name=writer", "1", 409, 409, 200, 409),
        ("POST /v1/topics/s.a", "1", 401, 403, 403, 403),
        ("GET /v1/feeds", "", 401, 200, 200, 200),
        ("GET /v1/asyncapi.json", "", 401, 200, 200, 200),
        ("GET /v1/openapi.json", "", 401, 200, 200, 200),
        ("POST /v1/ticket", "", 401, 200, 200, 200),
        ("GET /v1/ticket", "", 405, 405, 405, 405),
        ("GET /", "", 200, 200, 200, 200),
    ] {
        for (who, token, expected) in [
            ("nobody", None, nobody),
            ("reader", Some(READER), by_reader),
            ("writer", Some(WRITER), by_writer),
            ("past", Some(PAST), by_past),
        ] {
            let header = token.map(bearer);
            let headers: Vec<&str> = header.iter().map(String::as_str).collect();
            let (status, answer) = ask(&daemon, request, &headers, body).await;
            assert_eq!(status, expected, "{who}: {request}: {answer}");
            assert_eq!(status == 401, answer.contains("\r\nwww-authenticate: Bearer"), "{answer}");
            if request.starts_with("GET /v1") && status == 200 && who != "past" {
                assert!(!answer.contains("s.secret"), "{who}: {request}: {answer}");
            }
        }
    }
    // Over HTTP there is no command to say it with.
    for request in ["GET /v1/topics/s.a", "GET /v1/values?topics=s.a", "GET /v1/openapi.json"] {
        let (_, answer) = ask(&daemon, request, &[], "").await;
        assert!(answer.contains("say who you are: send Authorization: Bearer TOKEN"), "{answer}");
    }
    for (request, token, said) in [
        ("GET /v1/bars?topics=s.a&period=1m", PAST, r#""failed":[]"#),
        ("GET /v1/bars?topics=s.a&period=1m", READER, r#""topics":[],"failed":[{"topic":"s.a","code":403,"#),
        ("GET /v1/values?topics=s.a", READER, r#""failed":[]"#),
        ("GET /v1/values?topics=s.a", PAST, r#""values":[],"failed":[{"topic":"s.a","code":403,"#),
        ("GET /v1/values?topics=s.*", WRITER, r#""values":[],"failed":[{"topic":"s.*","code":403,"#),
    ] {
        let (_, answer) = ask(&daemon, request, &[&bearer(token)], "").await;
        assert!(answer.contains(said), "{request}: {answer}");
    }
    // A feed of which one may have nothing is not named.
    let (_, feeds) = ask(&daemon, "GET /v1/feeds", &[&bearer(WRITER)], "").await;
    assert!(feeds.contains(r#""feeds":[]"#), "{feeds}");
}

/// Every command with every client.
#[tokio::test]
async fn each_command_asks_for_its_right() {
    let (_script, daemon) = closed_with_feed().await;
    let command = |event: &str, data: Value| json!({"event": event, "data": data});
    let subscribe = |topic: &str| command("subscribe", json!({"id": 1, "topics": [topic]}));
    // The answer of the daemon: 0 is no error.
    for (text, nobody, by_reader, by_writer, by_past) in [
        (subscribe("s.a"), 401, 0, 403, 403),
        (subscribe("s.secret"), 401, 403, 403, 403),
        (subscribe("s.*"), 401, 0, 403, 403),
        (subscribe("**"), 401, 0, 403, 403),
        (subscribe("tickerd.stats"), 401, 403, 403, 403),
        (subscribe("tickerd.bars.1m.s.a"), 401, 0, 403, 403),
        (subscribe("tickerd.bar.1m.s.secret"), 401, 403, 403, 403),
        (subscribe("tickerd.*.*.s.*"), 401, 0, 403, 403),
        (subscribe("no.such"), 401, 403, 403, 403),
        (command("get", json!({"id": 1, "topics": ["s.a"]})), 401, 0, 403, 403),
        (command("get", json!({"id": 1, "topics": ["s.secret"]})), 401, 403, 403, 403),
        (command("get", json!({"id": 1, "topics": ["s.*"]})), 401, 0, 403, 403),
        (command("history", json!({"id": 1, "topic": "s.a"})), 401, 403, 403, 0),
        (command("history", json!({"id": 1, "topic": "s.a", "period": "1m"})), 401, 403, 403, 0),
        (command("publish", json!({"id": 1, "topic": "rooms.desk", "value": 1})), 401, 403, 0, 403),
        (command("presence", json!({"id": 1, "topic": "rooms.desk"})), 401, 403, 0, 403),
        (command("topics", json!({"id": 1})), 0, 0, 0, 0),
        (command("subscriptions", json!({"id": 1})), 0, 0, 0, 0),
        (command("ping", json!({"id": 1})), 0, 0, 0, 0),
    ] {
        for (who, token, expected) in [
            ("nobody", None, nobody),
            ("reader", Some(READER), by_reader),
            ("writer", Some(WRITER), by_writer),
            ("past", Some(PAST), by_past),
        ] {
            let mut client = match token {
                Some(token) => identified(&daemon, token).await,
                None => daemon.connected().await,
            };
            client.send(text.clone()).await;
            let answer = loop {
                let event = client.next().await;
                if event.data["id"] == 1 {
                    break event;
                }
            };
            let failed = answer.data["failed"].as_array().and_then(|failed| failed.first());
            let code = failed.map_or(&answer.data["code"], |failed| &failed["code"]).as_u64().unwrap_or(0);
            assert_eq!(code, expected, "{who}: {text}: {answer:?}");
            assert!(!answer.data.to_string().contains("\"s.secret\"") || expected != 0, "{answer:?}");
        }
    }
}
