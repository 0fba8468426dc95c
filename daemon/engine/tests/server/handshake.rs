//! What the public listener answers to handshakes that are right, wrong, or merely unusual.

use crate::raw::{self, Handshake, Served, handshake, serve};
use tickerd_engine::exchange::arrival::{Kind, Opening};
use tickerd_model::protocol::command;
use tickerd_model::web::host::Host;
use tickerd_model::web::origin::Listed;
use tickerd_model::wire::close::CloseCode;
use tickerd_model::wire::deflate;
use tickerd_model::wire::encoding::Encoding;

fn listed(origins: &[&str]) -> Vec<Listed> {
    origins.iter().map(|text| Listed::parse(text).expect("an Origin")).collect()
}

/// The status is as expected, the body is a problem that says so, and the server closes.
#[track_caller]
fn refused(server: &Served, request: &Handshake, status: u16) -> raw::Reply {
    let mut client = server.client();
    client.say(request.bytes());
    let reply = client.reply();
    assert_eq!(reply.status(), status, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem: serde_json::Value = serde_json::from_slice(&reply.body).expect("the body is JSON");
    assert_eq!(problem["status"], status);
    assert!(problem["title"].is_string() && problem["detail"].is_string());
    client.closed();
    assert!(server.arrivals.try_recv().is_err());
    reply
}

#[test]
fn a_handshake_is_answered_and_its_socket_handed_over() {
    let server = serve(|_| {});
    let mut client = server.client();
    client.say(handshake().bytes());
    let reply = client.reply();
    assert_eq!(reply.status(), 101);
    // The example of RFC 6455 1.3.
    assert_eq!(reply.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(reply.header("upgrade").map(str::to_lowercase).as_deref(), Some("websocket"));
    assert_eq!(reply.header("sec-websocket-protocol"), None);
    assert_eq!(reply.header("content-length"), None);

    let mut arrival = server.arrival();
    assert_eq!(arrival.kind, Kind::Ticker { opening: None, name: None });
    assert!(arrival.read_buf.is_empty());
    raw::write(&mut arrival.socket, b"from the fan-out");
    drop(arrival);
    client.closed();
    assert_eq!(client.rest, b"from the fan-out");
    assert_eq!(server.handshakes("ok"), 1);
}

#[test]
fn compression_is_agreed_on_when_the_server_has_it_and_the_client_offers_it() {
    let offer = "permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits";
    let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let one = "permessage-deflate; client_no_context_takeover";
    let alone = deflate::Settings { window_bits: 15, shared: None, ..Default::default() };
    let shared = deflate::Settings { window_bits: 15, ..Default::default() };
    let asked_not_to = "permessage-deflate; server_no_context_takeover";
    for (deflate, offered, agreed, encoding) in [
        (None, Some(offer), None, Encoding::Json),
        (Some(shared), None, None, Encoding::Json),
        (Some(shared), Some("permessage-deflate; server_max_window_bits=8"), None, Encoding::Json),
        (Some(alone), Some(offer), Some(both), Encoding::JsonDeflated),
        (Some(shared), Some(asked_not_to), Some(both), Encoding::JsonDeflated),
        (Some(shared), Some(offer), Some(one), Encoding::JsonShared(15)),
    ] {
        let server = serve(|settings| settings.compression = deflate);
        let mut request = handshake();
        if let Some(offered) = offered {
            request = request.with("Sec-WebSocket-Extensions", offered);
        }
        let reply = server.ask(request.bytes());
        assert_eq!((reply.status(), reply.header("sec-websocket-extensions")), (101, agreed), "{offered:?}");
        assert_eq!(server.arrival().encoding, encoding);
    }
}

#[test]
fn frames_right_behind_the_request_are_kept() {
    let server = serve(|_| {});
    // More than the header buffer holds, so that some of it is still in the socket.
    let frames: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
    for frames in [&frames[..7], &frames] {
        let mut client = server.client();
        client.say([&handshake().bytes(), frames].concat());
        assert_eq!(client.reply().status(), 101);
        let mut arrival = server.arrival();
        assert!(!arrival.read_buf.is_empty());
        let rest = raw::read(&mut arrival.socket, frames.len() - arrival.read_buf.len());
        assert_eq!([&arrival.read_buf[..], &rest].concat(), frames);
    }
}

#[test]
fn what_is_no_upgrade_is_told_to_upgrade() {
    let server = serve(|_| {});
    for request in [
        handshake().without("Upgrade"),
        handshake().without("Connection"),
        handshake().with("Upgrade", "h2c"),
        handshake().with("Connection", "keep-alive"),
        handshake().without("Upgrade").without("Connection"),
    ] {
        let reply = refused(&server, &request, 426);
        assert_eq!(reply.header("upgrade"), Some("websocket"));
    }
    assert_eq!(server.handshakes("not_websocket"), 5);
    server.still_serves();
}

#[test]
fn other_methods_are_refused() {
    let server = serve(|_| {});
    for method in ["POST", "PUT", "HEAD", "DELETE", "OPTIONS", "FOO"] {
        let request = handshake().line(&format!("{method} /ws HTTP/1.1"));
        let mut client = server.client();
        client.say(request.bytes());
        let reply = client.reply();
        assert_eq!((reply.status(), reply.header("allow")), (405, Some("GET")), "{method}");
    }
}

#[test]
fn old_http_is_refused() {
    let server = serve(|_| {});
    refused(&server, &handshake().line("GET /ws HTTP/1.0"), 505);
}

#[test]
fn other_versions_are_told_the_one_that_is_served() {
    let server = serve(|_| {});
    let name = "Sec-WebSocket-Version";
    for request in [
        handshake().without(name),
        handshake().with(name, "12"),
        handshake().with(name, "13, 8"),
        handshake().with(name, "13").and(name, "13"),
    ] {
        let reply = refused(&server, &request, 426);
        assert_eq!(reply.header(name), Some("13"));
        assert_eq!(reply.header("upgrade"), Some("websocket"));
    }
    assert_eq!(server.handshakes("websocket_version"), 4);
}

#[test]
fn bad_keys_and_hosts_are_refused() {
    let server = serve(|_| {});
    let key = "Sec-WebSocket-Key";
    for request in [
        handshake().without(key),
        handshake().and(key, "dGhlIHNhbXBsZSBub25jZQ=="),
        handshake().with(key, "dGhlIHNhbXBsZSBub25jZQ"),
        handshake().with(key, "c2hvcnQ="),
        handshake().with(key, "not base64 at all!!!!!=="),
        handshake().without("Host"),
        handshake().and("Host", "localhost"),
        handshake().with("Host", ""),
        handshake().with("Host", "a b"),
        handshake().with("Host", "a/b"),
    ] {
        refused(&server, &request, 400);
    }
    server.still_serves();
}

#[test]
fn pages_of_other_origins_are_refused_unless_listed() {
    let server = serve(|settings| settings.origins = listed(&["https://dash.example.com"]));
    for origin in ["http://evil.example", "null", "https://dash.example.com.evil.example"] {
        let reply = refused(&server, &handshake().and("Origin", origin), 403);
        assert!(reply.body().contains("to origins in [server]"), "{reply:?}");
    }
    assert_eq!(server.handshakes("origin"), 3);
    let twice = handshake().and("Origin", "http://localhost").and("Origin", "http://localhost");
    refused(&server, &twice, 400);
    refused(&server, &handshake().and("Origin", "http://localhost:80:81"), 400);
    for origin in ["https://dash.example.com", "http://localhost", "https://localhost"] {
        assert_eq!(server.ask(handshake().and("Origin", origin).bytes()).status(), 101, "{origin}");
    }
    assert_eq!(server.ask(handshake().bytes()).status(), 101);
}

#[test]
fn apps_files_and_any_port_may_be_listed() {
    let all = [
        "null",
        "capacitor://localhost",
        "app://-",
        "file://",
        "chrome-extension://abc",
        "http://localhost:*",
    ];
    let server = serve(|settings| settings.origins = listed(&all));
    for origin in all[..5].iter().chain(&["http://localhost:5173"]) {
        assert_eq!(server.ask(handshake().and("Origin", origin).bytes()).status(), 101, "{origin}");
        server.arrival();
    }
    for origin in ["tauri://localhost", "https://localhost:5173", "chrome-extension://abd", "app://x"] {
        refused(&server, &handshake().and("Origin", origin), 403);
    }
    // Each alone lets in nobody else.
    let server = serve(|settings| settings.origins = listed(&["http://app.example"]));
    refused(&server, &handshake().and("Origin", "null"), 403);
}

#[test]
fn other_hosts_are_refused_everywhere_unless_listed() {
    let server = serve(|settings| settings.hosts = vec![Host::parse("ticks.example.org").expect("a host")]);
    let evil = format!("evil.example:{}", server.address().port());
    let reply =
        refused(&server, &handshake().with("Host", &evil).and("Origin", &format!("http://{evil}")), 403);
    assert!(reply.body().contains(r#"hosts = [\"evil.example\"]"#), "{reply:?}");
    for line in [
        "GET /",
        "GET /v1/topics",
        "POST /v1/topics/a.b",
        "OPTIONS /v1/topics",
        "GET /v1/sse?topics=a",
        "GET /nothing",
    ] {
        let request = handshake().line(&format!("{line} HTTP/1.1")).with("Host", &evil);
        refused(&server, &request, 403);
        let request =
            handshake().line(&format!("{} HTTP/1.1", line.replacen('/', "http://evil.example/", 1)));
        refused(&server, &request, 403);
    }
    for host in [
        "ticks.example.org",
        "TICKS.example.org.:443",
        "localhost:1",
        "127.0.0.1",
        "[::1]:8425",
        "a.localhost",
    ] {
        assert_eq!(server.ask(handshake().with("Host", host).bytes()).status(), 101, "{host}");
    }
    assert_eq!(server.handshakes("host"), 3);
}

/// What a page reads of a refusal: it gets its WebSocket, and on it nothing but a close.
#[track_caller]
fn closed_at_once(server: &Served, request: &Handshake) -> (u16, String) {
    let mut client = server.client();
    client.say(request.bytes());
    let reply = client.reply();
    assert_eq!(reply.status(), 101, "{reply:?}");
    client.closed();
    assert!(server.arrivals.try_recv().is_err(), "no shard hears of it");
    let frame = &client.rest;
    assert_eq!(
        (frame[0], frame[1] as usize),
        (0x88, frame.len() - 2),
        "one close and nothing else: {frame:?}"
    );
    (u16::from_be_bytes([frame[2], frame[3]]), String::from_utf8(frame[4..].to_vec()).expect("a text"))
}

#[test]
fn a_page_is_told_by_a_close_what_a_program_is_told_by_a_status() {
    let server = serve(|_| {});
    let page = |request: Handshake| request.and("Origin", "http://localhost");
    for (path, says) in [
        ("/ws?name=an%20n", "bad_request: a name is 1 to 64 of"),
        ("/ws?topic=a.b", "did you mean topics?"),
        ("/ws?topics=%zz", "%25"),
        ("/ws?rate=5&topics=a.b", "unit"),
    ] {
        refused(&server, &handshake().path(path), 400);
        let (code, reason) = closed_at_once(&server, &page(handshake().path(path)));
        assert!(code == 4000 && reason.contains(says), "{path}: {code} {reason}");
        // A stranger learns nothing.
        refused(&server, &handshake().path(path).and("Origin", "http://evil.example"), 403);
        refused(&server, &page(handshake().path(path)).with("Host", "evil.example"), 403);
    }
    // A browser takes no answer that names none of what it offered.
    let name = "Sec-WebSocket-Protocol";
    let mut client = server.client();
    client.say(page(handshake()).and(name, "graphql-ws, x").bytes());
    let reply = client.reply();
    assert_eq!((reply.status(), reply.header(name)), (101, Some("graphql-ws")));
    let (code, reason) = closed_at_once(&server, &page(handshake()).and(name, "graphql-ws"));
    assert!(code == 4000 && reason.contains("tickerd.v1.json"), "{reason}");
    // What is no handshake cannot be answered as one.
    for broken in [handshake().without("Upgrade"), handshake().with("Sec-WebSocket-Version", "12")] {
        refused(&server, &page(broken), 426);
    }
    client.closed();
    assert_eq!(*server.closes.lock().expect("nobody panicked"), [CloseCode::BadRequest; 6]);
    assert_eq!(server.handshakes("bad_request"), 8);
    server.still_serves();
}

#[test]
fn a_page_is_told_that_there_is_no_room() {
    let full = serve(|settings| settings.limits.connections = 1);
    full.still_serves();
    let mut holder = full.client();
    holder.say(handshake().bytes());
    assert_eq!(holder.reply().status(), 101);
    let held = full.arrival();
    let (code, reason) = closed_at_once(&full, &handshake().and("Origin", "http://localhost"));
    assert_eq!((code, &*reason), (4100, "over_capacity: the server is full; try again later"));
    refused(&full, &handshake().and("Origin", "http://evil.example"), 403);
    refused(&full, &handshake(), 503);
    drop(held);

    let server = serve(|settings| settings.limits.connections_per_address = 1);
    let proxied = || handshake().and("X-Forwarded-For", "192.0.2.9");
    assert_eq!(server.ask(proxied().bytes()).status(), 101);
    let held = server.arrival();
    refused(&server, &proxied(), 429);
    let (code, _) = closed_at_once(&server, &proxied().and("Origin", "http://localhost"));
    assert_eq!(code, 4101);
    // Others, and those of whom no proxy speaks, have room.
    for other in [handshake().and("X-Forwarded-For", "192.0.2.9, 192.0.2.10"), handshake()] {
        assert_eq!(server.ask(other.bytes()).status(), 101);
        server.arrival();
    }
    let stream = handshake().line("GET /v1/sse?topics=a HTTP/1.1");
    refused(&server, &stream.and("X-Forwarded-For", "192.0.2.9"), 429);
    drop(held);
    assert_eq!(server.ask(proxied().bytes()).status(), 101);
}

#[test]
fn subprotocols_are_picked_or_refused() {
    let server = serve(|_| {});
    let name = "Sec-WebSocket-Protocol";
    let reply = server.ask(handshake().and(name, "other, tickerd.v1.json").bytes());
    assert_eq!((reply.status(), reply.header(name)), (101, Some("tickerd.v1.json")));
    server.arrival();
    let reply = refused(&server, &handshake().and(name, "tickerd.v9.json, graphql-ws"), 400);
    assert!(reply.body().contains("tickerd.v1.json"));
}

#[test]
fn the_url_may_subscribe() {
    let server = serve(|_| {});
    let path = "/ws?topics=stocks.AAPL,weather.%2A&topics=host.cpu&rate=1s";
    assert_eq!(server.ask(handshake().path(path).bytes()).status(), 101);
    let topics = ["stocks.AAPL", "weather.*", "host.cpu"].map(String::from).to_vec();
    let terms = command::terms(Some("1s"), None).unwrap();
    let opening = Some(Opening { topics, terms, last: None });
    assert_eq!(server.arrival().kind, Kind::Ticker { opening, name: None });
    refused(&server, &handshake().path("/ws?topics=%zz"), 400);
    refused(&server, &handshake().path("/ws?topics=%ff"), 400);
    for (query, says) in [
        ("topic=a.b", "did you mean topics?"),
        ("topics=a.b&foo=1", "it has topics"),
        ("rate=5", "unit"),
        ("mode=x", "latest"),
    ] {
        let reply = refused(&server, &handshake().path(&format!("/ws?{query}")), 400);
        assert!(reply.body().contains(says), "{query}: {reply:?}");
    }
}

#[test]
fn echo_is_served_only_when_enabled() {
    assert_eq!(serve(|_| {}).ask(handshake().path("/echo").bytes()).status(), 404);
    let server = serve(|settings| settings.echo = Some(Default::default()));
    assert_eq!(server.ask(handshake().path("/echo").bytes()).status(), 101);
    assert_eq!(server.arrival().kind, Kind::Echo);
    assert_eq!(server.ask(handshake().path("/echo/shared").bytes()).status(), 101);
    assert_eq!(server.ask(handshake().path("/echo/other").bytes()).status(), 404);
}
