//! `sign = true`: every delivery of a tick has one text, which verifies with the keys at `/v1/keys`.

pub mod kit;

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use serde_json::value::RawValue;
use tickerd_tests::raw::{Frame, opcode};
use tickerd_tests::*;

use kit::{Keys, Kit, get, public_pem, unsigned};

/// The messages of an answer's `values`, as they stand in it.
fn values(answer: &str) -> Vec<String> {
    type Object = BTreeMap<String, Box<RawValue>>;
    let read =
        |text: &str| -> Object { serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")) };
    let answer = read(answer);
    let data = answer.get("data").map(|data| read(data.get()));
    let values: Vec<Box<RawValue>> =
        serde_json::from_str(data.as_ref().unwrap_or(&answer)["values"].get()).unwrap();
    values.iter().map(|value| value.get().to_owned()).collect()
}

/// Goal: whoever verifies one way in verifies all. Method: the same two ticks come over every way; each text is the same
/// and verifies, and no byte of it can be another.
#[tokio::test]
async fn every_delivery_has_one_text_that_verifies() {
    let kit = Kit::new(1);
    let (signed, plain) = (Script::new("s"), Script::new("p"));
    let daemon =
        kit.daemon(&signed).feed(plain.feed()).config("[[topic]]\nname = \"rooms.a\"\npublish = true");
    let daemon = daemon.run().await;
    let keys = Keys::of(&daemon).await;
    let mut texts: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut take = |text: &str| {
        let event = Event::read(text);
        assert_eq!(event.topic(), "s.e");
        texts.entry(event.seq()).or_default().push(text.to_owned());
    };

    let mut client = daemon.client("/ws").await;
    let epoch = client.expect("connected").await.data["epoch"].as_str().unwrap().to_owned();
    client.subscribe(json!({"topics": ["s.e", "p.a", "rooms.a"]})).await;
    let mut stream = daemon.raw().await;
    stream.say("GET /v1/sse?topics=s.e HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    stream.head().await;
    while !stream.block().await.contains("\"subscribed\"") {}
    let poll = tokio::spawn({
        let address = daemon.address();
        async move { tickerd_tests::daemon::http(address, "/v1/topics/s.e?wait=30").await }
    });
    for n in 1..=2 {
        signed.line(&json!({"topic": "e", "event": "trade", "class": "event", "ts": 7, "data": {"n": n, "é\n": "}}"}}).to_string()).await;
        let tick = client.tick().await;
        take(&tick.text);
        let event = loop {
            let block = stream.block().await;
            if let Some(data) = block.lines().find_map(|line| line.strip_prefix("data: "))
                && data.contains("\"value\":")
            {
                break data.to_owned();
            }
        };
        take(&event);
    }
    let (status, polled) = poll.await.unwrap();
    assert_eq!(status, 200);
    take(&polled);
    take(&get(&daemon, "/v1/topics/s.e").await.1);
    values(&get(&daemon, "/v1/topics/s.e/history").await.1).iter().for_each(|text| take(text));
    client.send(json!({"event": "get", "data": {"topics": ["s.e"]}})).await;
    values(&client.until("values").await.text).iter().for_each(|text| take(text));
    client.send(json!({"event": "history", "data": {"topic": "s.e"}})).await;
    values(&client.until("history").await.text).iter().for_each(|text| take(text));
    for data in
        [json!({"topics": ["s.e"]}), json!({"topics": ["s.e"], "since": {"epoch": epoch, "seq": {"s.e": 0}}})]
    {
        let mut late = daemon.connected().await;
        late.subscribe(data).await;
        late.sync().await.iter().filter(|event| event.is_tick()).for_each(|event| take(&event.text));
    }
    assert_eq!(texts.keys().collect::<Vec<_>>(), [&1, &2]);
    for (seq, texts) in &texts {
        assert!(texts.len() >= 5, "{seq}: {texts:#?}");
        assert!(texts.iter().all(|text| *text == texts[0]), "{seq}: {texts:#?}");
        assert!(keys.verify(&texts[0]), "{}", texts[0]);
        for at in 0..texts[0].len() {
            let mut bytes = texts[0].clone().into_bytes();
            bytes[at] ^= 1;
            assert!(!keys.verify_bytes(&bytes), "byte {at} of {}", texts[0]);
        }
    }
    let swapped = texts[&1][0].replacen("\"seq\":1", "\"seq\":2", 1);
    assert!(swapped != texts[&1][0] && !keys.verify(&swapped), "another number");

    // What is not signed is as it was.
    plain.line(r#"{"topic":"a","event":"tick","data":{"sig":"x","kid":"y"}}"#).await;
    let tick = client.tick().await;
    assert!(
        tick.text.ends_with(r#""value":{"sig":"x","kid":"y"}}}"#) && unsigned(tick.text.as_bytes()).is_none()
    );
    client.send(json!({"event": "publish", "data": {"topic": "rooms.a", "value": 1}})).await;
    assert!(unsigned(client.until("message").await.text.as_bytes()).is_none());
}

/// What a feed calls `sig` and `kid` stands inside `value`, so it is never taken for the server's, nor is it refused.
#[tokio::test]
async fn a_value_may_have_keys_of_these_names() {
    let kit = Kit::new(1);
    let script = Script::new("s");
    let daemon = kit.daemon(&script).run().await;
    let keys = Keys::of(&daemon).await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.e"]})).await;
    script.event("e", json!("first")).await;
    let first = client.tick().await;
    let value = json!({"n": 1, "sig": first.data["sig"], "kid": first.data["kid"]});
    script.event("e", value.clone()).await;
    let tick = client.tick().await;
    assert_eq!(*tick.value(), value);
    assert!(keys.verify(&tick.text) && tick.data["sig"] != value["sig"], "{}", tick.text);
}

/// MessagePack writes numbers its own way, so a signature of the JSON text would be of no use there.
#[tokio::test]
async fn messagepack_has_no_signature() {
    let kit = Kit::new(1);
    let script = Script::new("s");
    let daemon = kit.daemon(&script).run().await;
    let mut raw = daemon.raw().await;
    let head = "\r\nSec-WebSocket-Protocol: tickerd.v1.msgpack\r\n\r\n";
    raw.say(Raw::handshake("/ws?topics=s.e").replace("\r\n\r\n", head)).await;
    raw.head().await;
    let mut other = daemon.connected().await;
    other.subscribe(json!({"topics": ["s.e"]})).await;
    let read = |frame: Frame| -> Value { rmp_serde::from_slice(&frame.payload).unwrap() };
    loop {
        if read(raw.until_opcode(opcode::BINARY).await)["event"] == "subscribed" {
            break;
        }
    }
    script.event("e", json!(1.50)).await;
    assert!(other.tick().await.data["sig"].is_string());
    let mut tick = read(raw.until_opcode(opcode::BINARY).await);
    while tick["event"] == "notice" {
        tick = read(raw.until_opcode(opcode::BINARY).await);
    }
    let names: Vec<&String> = tick["data"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["seq", "topic", "ts", "value"], "{tick}");
    for (command, answer) in [
        (json!({"event": "get", "data": {"topics": ["s.e"]}}), "values"),
        (json!({"event": "history", "data": {"topic": "s.e"}}), "history"),
    ] {
        raw.send(Frame::new(opcode::BINARY, rmp_serde::to_vec(&command).unwrap())).await;
        let told = loop {
            let told = read(raw.until_opcode(opcode::BINARY).await);
            if told["event"] == answer {
                break told;
            }
        };
        assert_eq!(told["data"]["values"], json!([tick]), "{told}");
    }
}

/// Keys are for all who get ticks, also where nobody may see anything without a token.
#[tokio::test]
async fn keys_are_listed_for_everyone() {
    let kit = Kit::new(1);
    let script = Script::new("s");
    let daemon = kit
        .daemon(&script)
        .config("[auth]\n[[auth.token]]\nname = \"a\"\ntoken = { env = \"A\" }\n")
        .env("A", "a-token-of-more-than-32-characters");
    let daemon = daemon.run().await;
    for header in ["", "Authorization: Bearer nonsense\r\n"] {
        let (head, body) = get_with(&daemon, "GET", "/v1/keys", header).await;
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("cache-control: no-cache\r\n"), "{head}");
        let set: Value = serde_json::from_str(&body).unwrap();
        let key = &set["keys"][0];
        assert_eq!(
            (&key["kty"], &key["crv"], &key["use"], &key["alg"]),
            (&json!("OKP"), &json!("Ed25519"), &json!("sig"), &json!("EdDSA"))
        );
        assert!(set["keys"].as_array().unwrap().len() == 1 && key.get("d").is_none(), "{set}");
    }
    let (head, _) = get_with(&daemon, "GET", "/v1/keys", "").await;
    let etag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let (head, body) = get_with(&daemon, "GET", "/v1/keys", &format!("If-None-Match: {etag}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 304 ") && body.is_empty(), "{head}{body}");
    for (method, path, headers, status) in [
        ("HEAD", "/v1/keys", "", 200),
        ("POST", "/v1/keys", "", 405),
        ("GET", "/v1/keys?kid=a", "", 400),
        ("GET", "/v1/keys", "Origin: https://evil.example\r\n", 403),
        ("GET", "/v1/topics", "", 401),
    ] {
        let (head, _) = get_with(&daemon, method, path, headers).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {head}");
    }
    let without = tickerd_tests::daemon().run().await;
    let (status, body) = get(&without, "/v1/keys").await;
    assert!(status == 404 && body.contains("[server.signing]"), "{status} {body}");
}

async fn get_with(daemon: &Daemon, method: &str, path: &str, headers: &str) -> (String, String) {
    let mut raw = daemon.raw().await;
    raw.say(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"))
        .await;
    let head = raw.head().await;
    (head, String::from_utf8(raw.rest().await).unwrap())
}

/// On SIGHUP another key takes over; what the one before signed still verifies. A key that cannot be used changes nothing.
#[tokio::test]
async fn another_key_takes_over_on_sighup() {
    let kit = Kit::new(1);
    let script = Script::new("s");
    kit.write("previous.pem", &public_pem(9));
    let previous = kit.folder().join("previous.pem");
    let daemon =
        kit.daemon(&script).config(&format!("[server.signing.previous]\nfile = {previous:?}")).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.e"]})).await;
    script.event("e", json!(1)).await;
    let first = client.tick().await;
    kit.write("key.pem", "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----");
    daemon.signal(Signal::SIGHUP);
    daemon.logged("ticks go on being signed with the key from before").await;
    script.event("e", json!(2)).await;
    assert_eq!(client.tick().await.data["kid"], first.data["kid"]);

    kit.write("key.pem", &kit::pem(2));
    daemon.signal(Signal::SIGHUP);
    daemon.logged("ticks are signed with another key from now on").await;
    script.event("e", json!(3)).await;
    let third = client.tick().await;
    assert_ne!(third.data["kid"], first.data["kid"]);
    let keys = Keys::of(&daemon).await;
    assert_eq!(
        keys.kids(),
        [third.data["kid"].as_str().unwrap(), first.data["kid"].as_str().unwrap(), &kit::kid(9)]
    );
    assert!(keys.verify(&first.text) && keys.verify(&third.text));
    // A tick keeps the signature that it was sent with.
    let past = values(&get(&daemon, "/v1/topics/s.e/history").await.1);
    assert!(
        past.len() == 3 && past[0] == first.text && past.iter().all(|text| keys.verify(text)),
        "{past:?}"
    );
    assert!(!daemon.log().contains("CANARY"));
}

/// Signatures are not kept in the file of the past: they are made again, and with the same key they are the same.
#[tokio::test]
async fn after_a_restart_the_past_is_signed_again() {
    let kit = Kit::new(1);
    let script = Script::new("s");
    let past = kit.folder().join("past");
    let start = || kit.daemon(&script).config(&format!("[history]\npath = {past:?}")).run();
    let mut daemon = start().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.e"]})).await;
    script.event("e", json!({"p": 1.10})).await;
    let tick = client.tick().await.text;
    for (seed, is_same) in [(1, true), (2, false)] {
        daemon.signal(Signal::SIGTERM);
        daemon.exit().await;
        kit.write("key.pem", &kit::pem(seed));
        daemon = start().await;
        let past = values(&get(&daemon, "/v1/topics/s.e/history").await.1);
        let keys = Keys::of(&daemon).await;
        assert!(past.len() == 1 && keys.verify(&past[0]) && (past[0] == tick) == is_same, "{past:?}");
        assert_eq!(unsigned(past[0].as_bytes()).unwrap().0, unsigned(tick.as_bytes()).unwrap().0);
    }
}

/// Goal: a key that cannot sign stops the start, and says what to write.
#[tokio::test]
async fn a_key_that_cannot_sign_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    let key = format!("[server.signing]\nkey = {{ file = {file:?} }}\n");
    for (text, config, says) in [
        (None, &*key, "server.signing.key: the file"),
        (Some("CANARY".to_owned()), &key, "server.signing.key: this is no Ed25519 key"),
        (
            Some(rcgen::KeyPair::generate().unwrap().serialize_pem()),
            &key,
            "openssl genpkey -algorithm ed25519",
        ),
        (Some(public_pem(1)), &key, "server.signing.key: this is the public half"),
        (
            None,
            "[[feed]]\nname = \"s\"\nexec = [\"/bin/cat\"]\nsign = true",
            "add [server.signing] with key = { file",
        ),
    ] {
        let _ = std::fs::remove_file(&file);
        text.iter().for_each(|text| std::fs::write(&file, text).unwrap());
        let mut daemon = daemon().config(config).spawn();
        assert!(!daemon.exit().await.success());
        let line = daemon.logged(says).await;
        assert!(!line.contains("CANARY") && !daemon.log().contains("CANARY"), "{line}");
    }
}
