//! What the public listener answers to handshakes and requests that are wrong, hostile, or merely unusual.

mod raw;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use raw::{Client, Handshake, Served, handshake, serve};
use tickerd::fanout::arrival::{Kind, Opening};
use tickerd::model::encoding::Encoding;

/// One that upgrades, so that a server which refused something is seen to be well.
#[track_caller]
fn still_serves(server: &Served) {
    assert_eq!(server.ask(handshake().bytes()).status(), 101);
    server.arrival();
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
    for (deflate, offered, agreed) in [
        (None, Some(offer), None),
        (Some(15), None, None),
        (Some(15), Some("permessage-deflate; server_max_window_bits=8"), None),
        (
            Some(15),
            Some(offer),
            Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        ),
    ] {
        let server = serve(|settings| settings.deflate = deflate);
        let mut request = handshake();
        if let Some(offered) = offered {
            request = request.with("Sec-WebSocket-Extensions", offered);
        }
        let reply = server.ask(request.bytes());
        assert_eq!((reply.status(), reply.header("sec-websocket-extensions")), (101, agreed), "{offered:?}");
        let encoding = if agreed.is_some() { Encoding::JsonDeflated } else { Encoding::Json };
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
    still_serves(&server);
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
    still_serves(&server);
}

#[test]
fn pages_of_other_origins_are_refused_unless_listed() {
    let server = serve(|settings| settings.origins = vec!["https://dash.example.com".into()]);
    for origin in ["http://evil.example", "null", "https://dash.example.com.evil.example"] {
        let reply = refused(&server, &handshake().and("Origin", origin), 403);
        assert!(reply.body().contains("server.origins"), "{reply:?}");
    }
    assert_eq!(server.handshakes("origin"), 3);
    let twice = handshake().and("Origin", "http://localhost").and("Origin", "http://localhost");
    refused(&server, &twice, 400);
    for origin in ["https://dash.example.com", "http://localhost", "https://localhost"] {
        assert_eq!(server.ask(handshake().and("Origin", origin).bytes()).status(), 101, "{origin}");
    }
    assert_eq!(server.ask(handshake().bytes()).status(), 101);
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
    let opening = Some(Opening { topics, rate: Some("1s".into()), last: None });
    assert_eq!(server.arrival().kind, Kind::Ticker { opening, name: None });
    refused(&server, &handshake().path("/ws?topics=%zz"), 400);
    refused(&server, &handshake().path("/ws?topics=%ff"), 400);
}

#[test]
fn echo_is_served_only_when_enabled() {
    refused_path(&serve(|_| {}), "/echo", 404);
    let server = serve(|settings| settings.echo = true);
    assert_eq!(server.ask(handshake().path("/echo").bytes()).status(), 101);
    assert_eq!(server.arrival().kind, Kind::Echo);
}

#[track_caller]
fn refused_path(server: &Served, path: &str, status: u16) {
    assert_eq!(server.ask(handshake().path(path).bytes()).status(), status, "{path}");
}

#[test]
fn nothing_else_is_served_here() {
    let server = serve(|_| {});
    for path in [
        "/metrics",
        "/livez",
        "/readyz",
        "/healthz",
        "//",
        "//ws",
        "/ws/",
        "/ws%00",
        "/%77s",
        "/%00",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/.",
        "/index.html/..",
        "/favicon.ico%00",
        "/WS",
    ] {
        let reply = server.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(reply.status(), 404, "{path}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        refused_path(&server, path, 404);
    }
    assert_eq!(server.ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").status(), 404);
    assert_eq!(server.ask("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n").status(), 404);
    still_serves(&server);
}

#[test]
fn the_page_is_served_with_its_tag_and_policy() {
    let server = serve(|_| {});
    let mut client = server.client();
    client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let page = client.reply();
    assert_eq!(page.status(), 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'self'; connect-src"));
    assert!(page.header("cache-control").is_some());
    assert!(!page.body.is_empty());

    let etag = page.header("etag").unwrap();
    for tags in [etag.to_string(), format!("\"x\", W/{etag}"), "*".into()] {
        client.say(format!("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: {tags}\r\n\r\n"));
        let reply = client.reply();
        assert_eq!((reply.status(), reply.header("etag")), (304, Some(etag)));
    }
    client.say("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"x\"\r\n\r\n");
    assert_eq!(client.reply().status(), 200);
    client.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.reply().status(), 405);

    let head = server.ask("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(head.header("content-length"), page.header("content-length"));
    assert_eq!((head.status(), head.body.len()), (200, 0));
}

#[test]
fn oversized_requests_are_refused_and_closed() {
    let server = serve(|_| {});
    let filler = |size| "x".repeat(size);
    let mut many = handshake();
    for at in 0..65 {
        many = many.and(&format!("X-{at}"), "1");
    }
    let long_url = handshake().path(&format!("/ws?{}", filler(600_000)));
    for (request, status) in [
        (many, 431),
        (handshake().and("X", &filler(17 * 1024)), 431),
        (handshake().and("X", &filler(1 << 20)), 431),
        (long_url, 431),
    ] {
        let start = Instant::now();
        let mut client = server.client();
        client.say(request.bytes());
        assert_eq!(client.reply().status(), status);
        client.closed();
        assert!(start.elapsed() < Duration::from_secs(5), "the server took too long to close");
    }
    still_serves(&server);
}

#[test]
fn clients_that_dawdle_over_the_header_are_closed() {
    let server = serve(|settings| settings.handshake = Duration::from_millis(300));
    let mut silent = server.client();
    let mut dripping: Vec<_> = (0..50).map(|_| server.client()).collect();
    for client in &mut dripping {
        client.say("GET /ws HTTP/1.1\r\nHost: x\r\nX-Endless: ");
    }
    // A byte now and then must not put the end off, and others are served meanwhile.
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(600) {
        dripping.iter_mut().for_each(|client| client.say("x"));
        still_serves(&server);
    }
    dripping.iter_mut().for_each(Client::closed);
    silent.closed();
    let mut idle = server.client();
    idle.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(idle.reply().status(), 200);
    idle.closed();
    still_serves(&server);
}

#[test]
fn other_protocols_are_refused() {
    let server = serve(|_| {});
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03random bytes of a TLS hello\r\n\r\n";
    let inputs: [&[u8]; 6] = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        hello,
        b"\x00\x01\x02\x03\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"GET /ws\r\n\r\n",
        b"GET /ws HTTP/1.1\nHost localhost\n\n",
    ];
    for input in inputs {
        let mut client = server.client();
        client.say(input);
        if let Some(reply) = client.maybe_reply() {
            assert!((400..=505).contains(&reply.status()), "{reply:?}");
        }
        client.closed();
    }
    still_serves(&server);
}

/// Parts of a request, right and wrong, and noise between them.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        prop::sample::select(vec![
            "GET ",
            "POST ",
            "/ws",
            "/",
            "?topics=",
            "%",
            "%2",
            "*",
            "http://x/ws",
            " HTTP/1.1",
            " HTTP/1.0",
            "\r\n",
            "\n",
            "\r",
            " ",
            ":",
            "Host: x",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Connection: close",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol: ,",
            "Content-Length: 3",
            "Content-Length: -1",
            "Transfer-Encoding: chunked",
            "Origin: null",
            "\r\n\r\n",
        ])
        .prop_map(|part| part.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..12),
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// Goal: no request makes the server panic, hang or stop. Method: one server, each case a connection of its own that
/// is half-closed after the request, so that the server must answer, hand over or close.
#[test]
fn no_request_stops_the_server() {
    let server = serve(|_| {});
    let mut runner = proptest::test_runner::TestRunner::default();
    let outcome = runner.run(&request(), |bytes| {
        let stream = std::net::TcpStream::connect(server.address()).unwrap();
        let half = stream.try_clone().unwrap();
        let mut client = Client::new(stream);
        client.say(&bytes);
        // Refused when the server has closed already.
        let _ = half.shutdown(std::net::Shutdown::Write);
        loop {
            match client.maybe_reply() {
                Some(reply) if reply.status() == 101 => {
                    drop(server.arrival());
                    break;
                }
                Some(reply) => prop_assert!((200..=505).contains(&reply.status())),
                None => break,
            }
        }
        client.closed();
        Ok(())
    });
    outcome.unwrap();
    still_serves(&server);
}
