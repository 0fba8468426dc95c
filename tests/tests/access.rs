//! `[auth]`: who may connect, see and say what, on the real daemon over every way in.

mod tables;

use tickerd_tests::raw::opcode;
use tickerd_tests::*;

/// What each client may do, and what the table below expects. `reader` may only read, and not all; `writer` may write and
/// see who is there; `past` may ask for what was.
const AUTH: &str = r#"
[auth]
cookie = "tickerd"
[[auth.token]]
name = "reader"
token = { env = "READER" }
groups = ["readers"]
[[auth.token]]
name = "writer"
token = { env = "WRITER" }
groups = ["writers"]
[[auth.token]]
name = "past"
token = { env = "PAST" }
groups = ["past"]
[[auth.group]]
name = "readers"
subscribe = ["s.**", "rooms.*"]
deny = ["s.secret"]
[[auth.group]]
name = "writers"
publish = ["rooms.*"]
presence = ["rooms.*"]
[[auth.group]]
name = "past"
history = ["s.**"]
[[topic]]
name = "rooms.desk"
publish = true
presence = true
"#;
const READER: &str = "READER-CANARY-0123456789-0123456789";
const WRITER: &str = "WRITER-CANARY-0123456789-0123456789";
const PAST: &str = "PAST-CANARY-0123456789-012345678901";
const FEATHER: &str = "CANARY";

fn closed() -> Builder {
    daemon().config(AUTH).env("READER", READER).env("WRITER", WRITER).env("PAST", PAST)
}

async fn closed_with_feed() -> (Script, Daemon) {
    let script = Script::new("s");
    let daemon = closed().feed(script.feed().set("bars = { field = \"\" }")).run().await;
    for topic in ["a", "secret"] {
        script.tick(topic, json!(1)).await;
    }
    // The daemon has read it once someone has it.
    let mut reader = identified(&daemon, READER).await;
    reader.subscribe(json!({"topics": ["s.a"]})).await;
    assert_eq!(reader.tick().await.topic(), "s.a");
    (script, daemon)
}

/// Sends a request with these header lines; the whole answer.
async fn ask(daemon: &Daemon, request: &str, headers: &[&str], body: &str) -> (u16, String) {
    let mut raw = daemon.raw().await;
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    raw.say(format!(
        "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n{lines}\r\n{body}",
        daemon.address()
    ))
    .await;
    let answer = String::from_utf8(raw.rest().await).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{request}: {answer}")), answer)
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

async fn identified(daemon: &Daemon, token: &str) -> Client {
    let mut client = daemon.connected().await;
    client.send(json!({"event": "auth", "data": {"id": "me", "token": token}})).await;
    client.expect("authenticated").await;
    client
}

/// The token comes in each of the ways that there are, and a ticket is good once.
#[tokio::test]
async fn a_token_comes_in_many_ways() {
    let (_script, daemon) = closed_with_feed().await;
    let mut short = daemon.connected().await;
    short.send(json!({"event": "token", "data": READER})).await;
    assert_eq!(short.expect("authenticated").await.data["user"], "reader");

    let upgraded = async |path: &str, headers: &[String]| {
        let mut raw = daemon.raw().await;
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let handshake = Raw::handshake(path).replace("localhost", &daemon.address().to_string());
        raw.say(handshake.replacen("\r\n", &format!("\r\n{lines}"), 1)).await;
        (raw.head().await, raw)
    };
    let address = daemon.address();
    let own = format!("Origin: http://{address}");
    let ticket = async |origin: &[&str]| {
        let header = bearer(READER);
        let headers: Vec<&str> = [&[header.as_str()], origin].concat();
        let (status, answer) = ask(&daemon, "POST /v1/ticket", &headers, "").await;
        assert_eq!(status, 200, "{answer}");
        let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        body["ticket"].as_str().unwrap().to_owned()
    };
    let (plain, of_page) = (ticket(&[]).await, ticket(&[&own]).await);
    // base64url of the reader's token.
    let encoded = "UkVBREVSLUNBTkFSWS0wMTIzNDU2Nzg5LTAxMjM0NTY3ODk";
    for (path, headers) in [
        ("/ws".to_owned(), vec![bearer(READER)]),
        ("/ws".to_owned(), vec![format!("Sec-WebSocket-Protocol: tickerd.v1.json, bearer.{encoded}")]),
        (format!("/ws?ticket={plain}"), vec![]),
        (format!("/ws?ticket={of_page}"), vec![own.clone()]),
        ("/ws".to_owned(), vec![format!("Cookie: tickerd={READER}"), "Sec-Fetch-Site: same-origin".into()]),
    ] {
        let (head, mut raw) = upgraded(&path, &headers).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{path} {headers:?}: {head}");
        assert!(!head.contains("bearer."), "{head}");
        assert_eq!(raw.until("authenticated").await.data["user"], "reader", "{path} {headers:?}");
    }
    // An event stream on the server's own page has no Origin, also if the ticket was fetched with one.
    let cookie = format!("Cookie: tickerd={READER}");
    let (of_page, site) = (ticket(&[&own]).await, "Sec-Fetch-Site: same-origin");
    for (path, header) in [("", cookie.as_str()), (&*format!("&ticket={of_page}"), "X-None: 1")] {
        let mut stream = daemon.raw().await;
        let request = format!("GET /v1/sse?topics=s.a{path} HTTP/1.1\r\nHost: {address}");
        stream.say(format!("{request}\r\n{header}\r\n{site}\r\n\r\n")).await;
        let head = stream.head().await;
        assert!(head.contains(" 200 "), "{path}: {head}");
    }
    // Used, stolen by another page, made up, switched off, foreign: each is refused, and a program reads why.
    let stolen = ticket(&[&own]).await;
    for (path, headers, says) in [
        (format!("/ws?ticket={plain}"), vec![], "wrong_ticket"),
        (format!("/ws?ticket={stolen}"), vec![], "wrong_ticket"),
        ("/ws?ticket=tkt_CANARY".to_owned(), vec![], "wrong_ticket"),
        (format!("/ws?token={READER}"), vec![], "reads no token in the address"),
        ("/ws".to_owned(), vec![bearer("wrong-CANARY-0123456789-0123456789")], "token_unknown"),
        ("/ws".to_owned(), vec!["Authorization: Basic CANARY".into()], "Bearer TOKEN"),
    ] {
        let (head, mut raw) = upgraded(&path, &headers).await;
        let rest = String::from_utf8(raw.rest().await).unwrap();
        assert!(!head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
        assert!(rest.contains(says) && !rest.contains(FEATHER), "{path}: {head}{rest}");
    }
    // A page that may come in reads it from the close.
    let (head, mut raw) = upgraded("/ws", &[own, bearer("wrong-CANARY-0123456789-0123456789")]).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let close = raw.until_opcode(opcode::CLOSE).await;
    assert_eq!(close.close_code(), Some(4001));
    assert!(String::from_utf8_lossy(&close.payload).contains("token_unknown"));
    // A page that may not come in gets nowhere, whatever it brings; nor does a cookie from elsewhere count.
    let (head, _) = upgraded("/ws", &["Origin: https://evil.example".into(), bearer(READER)]).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    let (_, mut raw) = upgraded("/ws", &[cookie, "Sec-Fetch-Site: cross-site".into()]).await;
    raw.until("connected").await;
    raw.send(raw::Frame::text(r#"{"event":"subscribe","data":{"id":1,"topics":["s.a"]}}"#)).await;
    assert_eq!(raw.until("subscribed").await.data["failed"][0]["code"], 401);

    let (_, metrics) = daemon.get("/metrics").await;
    for place in [&daemon.log(), &metrics] {
        assert!(!place.contains(FEATHER) && !place.contains(encoded) && !place.contains(&plain), "{place}");
    }
}

/// In a room a name is the token's: others see who it was, and a client cannot say that it is another.
#[tokio::test]
async fn a_name_is_a_fact() {
    let daemon = closed().run().await;
    let mut writer = identified(&daemon, WRITER).await;
    let mut reader = identified(&daemon, READER).await;
    reader.subscribe(json!({"topics": ["rooms.desk"]})).await;
    writer.send(json!({"event": "publish", "data": {"topic": "rooms.desk", "value": "hello"}})).await;
    assert_eq!(reader.until("message").await.data["from"], "user:writer");
    writer.send(json!({"event": "presence", "data": {"id": 2, "topic": "rooms.desk"}})).await;
    assert_eq!(writer.until("presence").await.data["members"][0]["name"], "reader");
    let mut liar = daemon.client("/ws?name=writer").await;
    liar.expect("connected").await;
    liar.send(json!({"event": "auth", "data": {"token": READER}})).await;
    assert_eq!(liar.expect("error").await.data["code"], 409);
    assert_eq!(liar.closed().await.0, 4001);
}

/// Without `[auth]` a token is not taken for anything.
#[tokio::test]
async fn without_auth_everyone_may_do_everything() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.send(json!({"event": "auth", "data": {"id": 1, "token": "CANARY"}})).await;
    let error = client.expect("error").await;
    assert_eq!(error.data["code"], 405);
    assert!(error.data["message"].as_str().unwrap().contains("no [auth]"));
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    client.until_tick("s.a").await;
}

/// `tickerd disconnect` sees off whom it names, keeps them out also after a restart, and leaves others alone.
#[tokio::test]
async fn a_revoked_token_is_seen_off_and_stays_out() {
    let state = tempfile::tempdir().unwrap();
    let socket = state.path().join("admin.sock");
    let started = || {
        closed()
            .server(&format!("admin_socket = \"unix:{}\"", socket.display()))
            .env("STATE_DIRECTORY", state.path().to_str().unwrap())
            .run()
    };
    let mut daemon = started().await;
    let (mut reader, mut writer) = (identified(&daemon, READER).await, identified(&daemon, WRITER).await);
    let disconnect = async |arguments: &[&str]| {
        let mut command = tickerd_tests::daemon::command();
        command.arg("disconnect").args(arguments).arg("--socket").arg(&socket);
        within("tickerd disconnect", command.output()).await.unwrap()
    };
    let unknown = disconnect(&["--token", "raeder-CANARY"]).await;
    let told = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(!unknown.status.success() && told.contains("reader") && !told.contains("CANARY"), "{told}");
    let done = disconnect(&["--token", "reader"]).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (code, reason) = reader.closed().await;
    assert!(code == 4001 && reason.contains("token_revoked"), "{code} {reason}");
    daemon.logged("revoked over the admin socket").await;
    writer.send(json!({"event": "ping", "data": {"id": 5}})).await;
    writer.expect("pong").await;
    for again in 0..2 {
        let mut back = daemon.connected().await;
        back.send(json!({"event": "auth", "data": {"token": READER}})).await;
        let error = back.expect("error").await;
        assert!(error.data["message"].as_str().unwrap().starts_with("token_revoked"), "{again}: {error:?}");
        assert_eq!(back.closed().await.0, 4001);
        identified(&daemon, WRITER).await;
        if again == 0 {
            daemon.signal(nix::sys::signal::Signal::SIGTERM);
            daemon.exit().await;
            daemon = started().await;
        }
    }
    let wrong = disconnect(&["--user", "a", "--jti", "b"]).await;
    assert_eq!(wrong.status.code(), Some(64), "one of them");
    // Where it cannot be kept, that is said.
    let alone = closed().server(&format!("admin_socket = \"unix:{}2\"", socket.display())).run().await;
    let mut command = tickerd_tests::daemon::command();
    let socket = format!("{}2", socket.display());
    command.args(["disconnect", "--user", "reader", "--socket", &socket]);
    let told = within("tickerd disconnect", command.output()).await.unwrap();
    let warning = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.success() && warning.contains("forgets it"), "{warning}");
    drop(alone);
}

/// Past ticks of a topic that is not granted do not come with `since` either, nor is anything said of it.
#[tokio::test]
async fn since_brings_nothing_that_is_not_granted() {
    let (script, daemon) = closed_with_feed().await;
    let mut reader = daemon.connected().await;
    let epoch = {
        reader.send(json!({"event": "auth", "data": {"token": READER}})).await;
        reader.expect("authenticated").await;
        reader.subscribe(json!({"topics": ["s.a"]})).await;
        reader.until_tick("s.a").await;
        reader.send(json!({"event": "unsubscribe", "data": {"id": 7, "topics": ["s.a"]}})).await;
        reader.until("unsubscribed").await;
        let mut other = daemon.client("/ws").await;
        other.expect("connected").await.data["epoch"].as_str().unwrap().to_owned()
    };
    let since = json!({"epoch": epoch, "seq": {"s.a": 0, "s.secret": 0}});
    let granted = reader.subscribe(json!({"topics": ["s.a", "s.secret"], "since": since})).await;
    assert_eq!(granted["topics"].as_array().unwrap().len(), 1, "{granted}");
    assert_eq!(granted["failed"][0]["code"], 403, "{granted}");
    script.tick("secret", json!(2)).await;
    script.tick("a", json!(2)).await;
    for _ in 0..2 {
        assert_eq!(reader.tick().await.topic(), "s.a");
    }
}

/// Goal: who may write to rooms by a pattern learns of no room, and no feed, that it was not told of. Method: names that are near.
#[tokio::test]
async fn who_may_write_learns_of_no_other_name() {
    let (_script, daemon) = closed_with_feed().await;
    let mut writer = identified(&daemon, WRITER).await;
    let mut told = Vec::new();
    for topic in ["rooms.dask", "rooms.x"] {
        let path = format!("POST /v1/topics/{topic}");
        let (status, answer) = ask(&daemon, &path, &[&bearer(WRITER)], "1").await;
        assert_eq!(status, 404, "{answer}");
        told.push(answer);
        let (_, answer) = ask(&daemon, &format!("OPTIONS /v1/topics/{topic}"), &[], "").await;
        told.push(answer);
        for event in ["publish", "presence"] {
            writer.send(json!({"event": event, "data": {"id": 1, "topic": topic, "value": 1}})).await;
            told.push(writer.expect("error").await.text);
        }
    }
    for text in told {
        assert!(!text.contains("rooms.desk") && !text.contains("has s"), "{text}");
    }
}

/// A browser asks in advance at the same address as it will ask then, with the ticket in it.
#[tokio::test]
async fn a_question_in_advance_leaves_the_ticket() {
    let (_script, daemon) = closed_with_feed().await;
    let origin = format!("Origin: http://{}", daemon.address());
    let (_, answer) = ask(&daemon, "POST /v1/ticket", &[&bearer(READER), &origin], "").await;
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let path = format!("/v1/sse?topics=s.a&ticket={}", body["ticket"].as_str().unwrap());
    let (status, answer) = ask(&daemon, &format!("OPTIONS {path}"), &[&origin], "").await;
    assert_eq!(status, 204, "{answer}");
    for status in [" 200 ", " 401 "] {
        let mut raw = daemon.raw().await;
        raw.say(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{origin}\r\n\r\n", daemon.address())).await;
        let head = raw.head().await;
        assert!(head.contains(status), "{head}");
    }
}
