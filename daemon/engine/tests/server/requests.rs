//! What the public listener answers to requests that are no handshakes, and to bytes that are no requests.

use std::time::{Duration, Instant};

use crate::raw::{Client, SOON, handshake, serve};
use proptest::prelude::*;

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
        let reply = server.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!(reply.status(), 404, "{path}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(server.ask(handshake().path(path).bytes()).status(), 404, "{path}");
    }
    assert_eq!(server.ask("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n").status(), 404);
    assert_eq!(server.ask("CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n").status(), 404);
    server.still_serves();
}

#[test]
fn the_page_is_served_with_its_tag_and_policy() {
    let server = serve(|_| {});
    let mut client = server.client();
    client.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let page = client.reply();
    assert_eq!(page.status(), 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'self'; connect-src"), "{policy}");
    for part in ["; form-action 'none'", "; frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(page.header("cache-control").is_some());
    assert!(!page.body.is_empty());

    let etag = page.header("etag").unwrap();
    for tags in [etag.to_string(), format!("\"x\", W/{etag}"), "*".into()] {
        client.say(format!("GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tags}\r\n\r\n"));
        let reply = client.reply();
        assert_eq!((reply.status(), reply.header("etag")), (304, Some(etag)));
    }
    client.say("GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"x\"\r\n\r\n");
    assert_eq!(client.reply().status(), 200);
    client.say("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.reply().status(), 405);

    let head = server.ask("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(head.header("content-length"), page.header("content-length"));
    assert_eq!((head.status(), head.body.len()), (200, 0));
}

/// Goal: a browser that was here before asks for the page alone, and gets no file of another version.
#[test]
fn what_the_page_needs_is_kept_by_browsers() {
    let server = serve(|_| {});
    let get = |path: &str, more: &str| {
        server.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}Connection: close\r\n\r\n"))
    };
    let page = get("/", "");
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let names = text.split("href=\"").chain(text.split("src=\"")).filter_map(|rest| rest.split('"').next());
    let names: Vec<_> = names.filter(|name| name.starts_with("assets/")).collect();
    assert!(names.len() > 5, "{text}");
    for name in &names {
        let file = get(&format!("/{name}"), "");
        assert_eq!(file.status(), 200, "{name}");
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        assert!(file.header("content-security-policy").is_some());
        assert_eq!(file.header("access-control-allow-origin"), None);
        let known = format!("If-None-Match: {}\r\n", file.header("etag").unwrap());
        let same = get(&format!("/{name}"), &known);
        assert_eq!((same.status(), same.header("cache-control")), (304, file.header("cache-control")));
    }
    // Of another version there is nothing, and no cache keeps that for long: it may be the version of a neighbour.
    let other = format!("/{}", names[0]).replace(&names[0][7..23], "0123456789abcdef");
    assert_eq!((get(&other, "").status(), get(&other, "").header("cache-control")), (404, Some("no-store")));
}

#[test]
fn the_client_is_for_pages_of_every_site() {
    let server = serve(|_| {});
    let from = |path: &str, more: &str| {
        let origin =
            "Origin: https://elsewhere.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n";
        server.ask(format!("{path} HTTP/1.1\r\nHost: localhost\r\n{origin}{more}Connection: close\r\n\r\n"))
    };
    for path in ["/client.js", "/client/index.js"] {
        let module = from(&format!("GET {path}"), "");
        assert_eq!(module.status(), 200, "{path}");
        assert_eq!(module.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(module.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(module.header("access-control-allow-origin"), Some("*"));
        assert_eq!(module.header("access-control-allow-credentials"), None);
        assert_eq!(module.header("cross-origin-resource-policy"), Some("cross-origin"));
        assert_eq!(module.header("cache-control"), Some("no-cache"));
        let known = format!("If-None-Match: {}\r\n", module.header("etag").unwrap());
        let same = from(&format!("GET {path}"), &known);
        assert_eq!((same.status(), same.body.len()), (304, 0));
        assert_eq!(same.header("access-control-allow-origin"), Some("*"));
        let head = from(&format!("HEAD {path}"), "");
        assert_eq!((head.status(), head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), module.header("content-length"));
    }
    // The page's own files are for the page, and what is no file is for nobody.
    for path in
        ["/", "/favicon.svg", "/vendor/uplot.js", "/client/none.js", "/client/", "/client/../client.js"]
    {
        assert_eq!(from(&format!("GET {path}"), "").header("access-control-allow-origin"), None, "{path}");
    }
    let elsewhere = server.ask("GET /client.js HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!((elsewhere.status(), elsewhere.header("access-control-allow-origin")), (403, None));
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
        assert!(start.elapsed() < SOON, "the server took too long to close");
    }
    server.still_serves();
}

#[test]
fn clients_that_dawdle_over_the_header_are_closed() {
    // Long enough for the others, on a busy machine too.
    let limit = Duration::from_secs(2);
    let server = serve(|settings| settings.limits.handshake = limit);
    let mut silent = server.client();
    let mut dripping: Vec<_> = (0..50).map(|_| server.client()).collect();
    for client in &mut dripping {
        client.say("GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Endless: ");
    }
    // A byte now and then must not put the end off, and others are served meanwhile.
    let start = Instant::now();
    while start.elapsed() < 2 * limit {
        dripping.iter_mut().for_each(|client| client.say("x"));
        server.still_serves();
    }
    dripping.iter_mut().for_each(Client::closed);
    silent.closed();
    let mut idle = server.client();
    idle.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(idle.reply().status(), 200);
    idle.closed();
    server.still_serves();
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
    server.still_serves();
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
            "http://localhost/ws",
            " HTTP/1.1",
            " HTTP/1.0",
            "\r\n",
            "\n",
            "\r",
            " ",
            ":",
            "Host: localhost",
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
    server.still_serves();
}
