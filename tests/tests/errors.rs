//! What clients do wrong: each mistake is told, few are forgiven, and nobody else notices.

use std::time::Instant;

use tickerd_tests::raw::{Frame, opcode};
use tickerd_tests::{Client, Incoming, Message, daemon, json, scripted};

#[tokio::test]
async fn a_bad_message_is_told_and_the_connection_stays() {
    let daemon = daemon().run().await;
    let mut client = daemon.connected().await;
    for (text, code, says) in [
        ("", 400, "event"),
        ("nonsense", 400, "one JSON object"),
        ("[]", 400, "event"),
        (r#"{"data":{}}"#, 400, "event"),
        (r#"{"event":"ping","data":{},"more":1}"#, 400, "more"),
        (r#"{"event":"subscribe","data":{"topics":"s.a"}}"#, 400, "topics must be a list"),
        (r#"{"event":"subscribe","data":{"topics":["s.a"],"rat":"1s"}}"#, 400, "rat"),
        (r#"{"event":"ping","data":{"t":"x"}}"#, 400, "number"),
    ] {
        client.send_text(text).await;
        let error = client.expect("error").await.data;
        assert_eq!(error["code"], code, "{text}");
        assert_eq!((&error["name"], &error["temporary"]), (&json!("bad_request"), &json!(false)), "{text}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(says), "{text}: {message}");
    }
    assert!(client.sync().await.is_empty());
    assert_eq!(daemon.metric("tickerd_client_errors_total").await, Some(8.0));
}

#[tokio::test]
async fn an_unknown_event_is_told_with_what_there_is() {
    let daemon = daemon().run().await;
    let mut client = daemon.connected().await;
    for (event, says) in [
        ("subscrbe", "did you mean subscribe?"),
        ("sub", "did you mean subscribe?"),
        ("quote", "there is no"),
    ] {
        client.send(json!({"event": event, "data": {"id": 3}})).await;
        let error = client.expect("error").await.data;
        assert_eq!((&error["code"], &error["id"]), (&json!(405), &json!(3)));
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(says) && message.contains("subscribe, unsubscribe"), "{message}");
    }
    client.send(json!({"event": "auth", "data": {"id": 4, "token": "x"}})).await;
    let error = client.expect("error").await.data;
    assert_eq!((&error["code"], &error["id"]), (&json!(405), &json!(4)));
    assert!(error["message"].as_str().unwrap().contains("has no [auth]"), "{error}");
}

#[tokio::test]
async fn binary_messages_are_told_which_subprotocol_they_need() {
    let daemon = daemon().run().await;
    let mut client = daemon.connected().await;
    client.send_message(Message::binary(vec![1, 2, 3])).await;
    let error = client.expect("error").await.data;
    assert_eq!(error["code"], 400);
    assert!(
        error["message"].as_str().unwrap().contains("offer the subprotocol tickerd.v1.msgpack"),
        "{error}"
    );
    client.send(json!({"event": "ping", "data": {"id": 1}})).await;
    assert_eq!(client.expect("pong").await.data["id"], 1, "a bad message closes nothing");
}

#[tokio::test]
async fn bad_utf_8_closes_with_1007() {
    let daemon = daemon().run().await;
    for text in [&b"\xff"[..], b"{\"event\":\"\xc3\"}", b"\xed\xa0\x80"] {
        let mut raw = daemon.upgraded("/ws").await;
        raw.until("connected").await;
        raw.send(Frame::new(opcode::TEXT, text)).await;
        assert_eq!(raw.until_opcode(opcode::CLOSE).await.close_code(), Some(1007), "{text:?}");
    }
}

#[tokio::test]
async fn a_message_over_the_limit_closes_with_1009() {
    let daemon = daemon().limits("message = \"2KiB\"").run().await;
    let ping = |length: usize| {
        let empty = json!({"event": "ping", "data": {"id": 1}}).to_string();
        let padding = " ".repeat(length - empty.len());
        format!("{empty}{padding}")
    };
    let mut client = daemon.client("/ws").await;
    assert_eq!(client.expect("connected").await.data["limits"]["message_bytes"], 2048);
    client.send_text(&ping(2048)).await;
    client.expect("pong").await;
    client.send_text(&ping(2049)).await;
    assert_eq!(client.closed().await.0, 1009);
}

#[tokio::test]
async fn commands_are_limited_and_the_wait_is_told() {
    const BURST: u64 = 3;
    let daemon = daemon().limits(&format!("commands_per_s = 1\ncommands_burst = {BURST}")).run().await;
    let mut client = daemon.connected().await;
    let began = Instant::now();
    let mut granted = 0;
    let error = loop {
        client.send(json!({"event": "ping", "data": {"id": granted + 1}})).await;
        let answer = client.next().await;
        if answer.name == "error" {
            break answer.data;
        }
        granted += 1;
        assert_eq!((answer.name.as_str(), &answer.data["id"]), ("pong", &json!(granted)));
    };
    // The burst, and one more for each second that this took.
    let most = BURST + began.elapsed().as_secs() + 1;
    assert!((BURST..=most).contains(&granted), "{granted} of at most {most}");
    assert_eq!(
        (&error["code"], &error["name"], &error["id"]),
        (&json!(429), &json!("rate_limited"), &json!(granted + 1))
    );
    assert_eq!(error["temporary"], true);
    let wait_ms = error["retry_after_ms"].as_u64().unwrap();
    assert!((1..=1000).contains(&wait_ms), "{wait_ms}");
}

#[tokio::test]
async fn ten_mistakes_close_with_4009() {
    let daemon = daemon().run().await;
    let mut client = daemon.connected().await;
    for _ in 0..10 {
        client.try_send(json!({"event": "nonsense"})).await;
    }
    assert_eq!(errors_and_close(&mut client).await, (10, 4009));
    daemon.metric_until("tickerd_closes_total{code=\"4009\"}", |count| count == 1.0).await;
}

#[tokio::test]
async fn who_does_not_heed_the_limit_is_closed_with_4102() {
    let daemon = daemon().limits("commands_per_s = 1\ncommands_burst = 1").run().await;
    let mut client = daemon.connected().await;
    for _ in 0..30 {
        client.try_send(json!({"event": "ping"})).await;
    }
    assert_eq!(errors_and_close(&mut client).await, (10, 4102));
}

#[tokio::test]
async fn others_do_not_notice() {
    let (script, daemon) = scripted().await;
    let mut good = daemon.connected().await;
    good.subscribe(json!({"topics": ["s.a"]})).await;
    for n in 1..=20 {
        let mut bad = daemon.connected().await;
        match n % 4 {
            0 => bad.send_text("nonsense").await,
            1 => bad.send_message(Message::binary(vec![0; 100])).await,
            2 => {
                for _ in 0..20 {
                    bad.try_send(json!({"event": "x"})).await;
                }
            }
            _ => bad.subscribe(json!({"topics": ["s.a", "s.*", "x.y"]})).await.as_object().map_or((), |_| ()),
        }
        script.tick("a", json!(n)).await;
        assert_eq!(good.tick().await.seq(), n);
    }
    daemon.metric_until("tickerd_connections", |count| count == 1.0).await;
}

/// How many errors came, and the code of the close after them.
async fn errors_and_close(client: &mut Client) -> (u32, u16) {
    let mut errors = 0;
    loop {
        match client.incoming().await {
            Incoming::Event(event) => errors += u32::from(event.name == "error"),
            Incoming::Close(code, _) => return (errors, code),
            other => panic!("{other:?}"),
        }
    }
}
