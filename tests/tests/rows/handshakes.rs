//! H1 to H15: requests for a handshake that are wrong, large, slow or no requests at all.

use std::time::{Duration, Instant};

use tickerd_tests::raw::opcode;
use tickerd_tests::*;

/// A request of this line, without some headers of a good one and with others.
fn request(daemon: &Daemon, line: &str, without: &[&str], with: &[&str]) -> String {
    let host = format!("Host: {}", daemon.address());
    let good = [
        host.as_str(),
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let kept = good.iter().filter(|header| !without.contains(&header.split(':').next().unwrap()));
    let lines: Vec<&str> = [line].into_iter().chain(kept.copied()).chain(with.iter().copied()).collect();
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

/// All that is answered until the server closes.
async fn answer(daemon: &Daemon, bytes: impl AsRef<[u8]>) -> String {
    let mut raw = daemon.raw().await;
    raw.say(bytes).await;
    String::from_utf8_lossy(&raw.rest().await).to_lowercase()
}

#[tokio::test]
async fn each_bad_handshake_has_its_answer() {
    const GET: &str = "GET /ws HTTP/1.1";
    const KEY: &str = "Sec-WebSocket-Key";
    const VERSION: &str = "Sec-WebSocket-Version";
    /// What it is, its line, headers it lacks, headers it has, the status, and what the answer says.
    type Case<'a> = (&'a str, &'a str, &'a [&'a str], &'a [&'a str], u16, &'a str);
    let cases: [Case<'_>; 24] = [
        ("H1 a plain GET", GET, &["Upgrade", "Connection", VERSION, KEY], &[], 426, "upgrade: websocket"),
        ("H1 no Upgrade", GET, &["Upgrade"], &[], 426, "upgrade: websocket"),
        ("H1 no Connection", GET, &["Connection"], &[], 426, "upgrade: websocket"),
        ("H2 POST", "POST /ws HTTP/1.1", &[], &["Connection: close"], 405, "allow: get"),
        ("H2 PUT", "PUT /ws HTTP/1.1", &[], &["Connection: close"], 405, "allow: get"),
        ("H3 HTTP/1.0", "GET /ws HTTP/1.0", &[], &[], 505, ""),
        ("H4 no version", GET, &[VERSION], &[], 426, "sec-websocket-version: 13"),
        ("H4 version 12", GET, &[VERSION], &["Sec-WebSocket-Version: 12"], 426, "sec-websocket-version: 13"),
        ("H5 no key", GET, &[KEY], &[], 400, ""),
        ("H5 two keys", GET, &[], &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], 400, ""),
        ("H5 a short key", GET, &[KEY], &["Sec-WebSocket-Key: c2hvcnQ="], 400, ""),
        ("H5 no base64", GET, &[KEY], &["Sec-WebSocket-Key: not base64 at all!!!!!=="], 400, ""),
        ("H5 no Host", GET, &["Host"], &[], 400, ""),
        ("H5 two Hosts", GET, &[], &["Host: localhost"], 400, ""),
        ("H6 another site", GET, &[], &["Origin: https://evil.example"], 403, ""),
        ("H6 no site", GET, &[], &["Origin: null"], 403, ""),
        ("H6 a longer name", GET, &[], &["Origin: https://dash.example.evil.example"], 403, ""),
        ("H15 metrics", "GET /metrics HTTP/1.1", &[], &["Connection: close"], 404, ""),
        ("H15 health", "GET /healthz HTTP/1.1", &[], &["Connection: close"], 404, ""),
        ("H15 out of the folder", "GET /../../etc/passwd HTTP/1.1", &[], &["Connection: close"], 404, ""),
        ("H15 the same, encoded", "GET /%2e%2e/etc/passwd HTTP/1.1", &[], &["Connection: close"], 404, ""),
        ("H15 two slashes", "GET //ws HTTP/1.1", &[], &["Connection: close"], 404, ""),
        ("H15 NUL", "GET /ws%00 HTTP/1.1", &[], &["Connection: close"], 404, ""),
        ("H15 a letter encoded", "GET /%77s HTTP/1.1", &[], &["Connection: close"], 404, ""),
    ];
    let daemon = daemon().server("origins = [\"https://dash.example\"]").run().await;
    for (what, line, without, with, status, says) in cases {
        let said = answer(&daemon, request(&daemon, line, without, with)).await;
        assert_eq!(said.split(' ').nth(1), Some(&*status.to_string()), "{what}: {said}");
        assert!(said.contains(says), "{what}: {said}");
    }
    assert_eq!(daemon.metric("tickerd_handshakes_total{result=\"origin\"}").await, Some(3.0));
    daemon.connected().await;
}

/// H7: what is too large is refused, and costs no memory however often it comes.
#[tokio::test]
async fn large_requests_cost_nothing() {
    let daemon = daemon().limits("handshakes_per_s = 100000").run().await;
    let filler = |size| "x".repeat(size);
    let many: Vec<String> = (0..65).map(|at| format!("X-{at}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (long, huge) = (format!("X: {}", filler(17 << 10)), format!("X: {}", filler(1 << 20)));
    let url = format!("GET /ws?{} HTTP/1.1", filler(600_000));
    let get = "GET /ws HTTP/1.1";
    let requests = [
        ("65 headers", request(&daemon, get, &[], &many)),
        ("17 KiB", request(&daemon, get, &[], &[&long])),
        ("1 MiB", request(&daemon, get, &[], &[&huge])),
        ("an address of 600 kB", request(&daemon, &url, &[], &[])),
    ];
    let mut first_kib = 0;
    for round in 0..40 {
        for (what, request) in &requests {
            let said = answer(&daemon, request).await;
            assert!(said.starts_with("http/1.1 431 ") || said.starts_with("http/1.1 414 "), "{what}: {said}");
        }
        if round == 4 {
            first_kib = daemon.resident_kib();
        }
    }
    let grown_kib = daemon.resident_kib().saturating_sub(first_kib);
    assert!(grown_kib < 16 << 10, "{grown_kib} KiB for 150 large requests");
    daemon.connected().await;
}

/// H8: a thousand requests that come a byte at a time are cut off, and who is served notices nothing.
#[tokio::test]
async fn a_thousand_slow_requests_end_and_nobody_notices() {
    let script = Script::new("s");
    let limits = "handshake = \"3s\"\nhandshakes_per_s = 100000";
    let daemon = daemon().limits(limits).feed(script.feed()).run().await;
    let mut good = daemon.connected().await;
    good.subscribe(json!({"topics": ["s.a"]})).await;
    let mut slow = Vec::new();
    for _ in 0..1_000 {
        let mut raw = daemon.raw().await;
        raw.say("GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Endless: ").await;
        slow.push(raw);
    }
    // Its end, which is an answer or none, or a write that nobody takes.
    let has_ended = |raw: &Raw| {
        let is_open = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        let mut buf = [0; 4096];
        match raw.stream.try_read(&mut buf) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !is_open(error),
        }
    };
    within("the ends of all", async {
        for round in 1.. {
            slow.retain(|raw| raw.stream.try_write(b"x").is_ok() && !has_ended(raw));
            script.tick("a", json!(round)).await;
            assert_eq!(good.tick().await.seq(), round);
            if slow.is_empty() {
                break;
            }
        }
    })
    .await;
}

/// H9: who is upgraded and never says who it is does not stay, where that is asked.
#[tokio::test]
async fn who_never_says_who_it_is_is_closed_with_4008() {
    let daemon = daemon().config("[auth]\ndeadline = \"1s\"").run().await;
    // Its clock counts whole seconds, so they come at several parts of one. Each has the whole time.
    let closed = (0..4).map(async |nth| {
        tokio::time::sleep(Duration::from_millis(250 * nth)).await;
        let begun = Instant::now();
        let mut raw = daemon.upgraded("/ws").await;
        (raw.until_opcode(opcode::CLOSE).await.close_code(), begun.elapsed())
    });
    for (code, after) in futures_util::future::join_all(closed).await {
        assert_eq!(code, Some(4008));
        assert!(after >= Duration::from_secs(1), "after {after:?}");
    }
    daemon.metric_until("tickerd_closes_total{code=\"4008\"}", |count| count == 4.0).await;
}

/// H10: other protocols end, and do not fill the log.
#[tokio::test]
async fn other_protocols_end_and_leave_the_log_short() {
    let daemon = daemon().limits("handshakes_per_s = 100000").run().await;
    let before = daemon.log().lines().count();
    let inputs: [&[u8]; 6] = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03a hello of TLS\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"GET /ws\r\n\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n",
    ];
    for _ in 0..50 {
        for input in inputs {
            let said = answer(&daemon, input).await;
            let status = said.strip_prefix("http/1.1 ").and_then(|rest| rest.get(..3));
            assert!(
                said.is_empty() || status.is_some_and(|status| ("400"..="505").contains(&status)),
                "{said}"
            );
        }
    }
    daemon.connected().await;
    let lines = daemon.log().lines().count() - before;
    assert!(lines < 30, "{lines} lines for 300 connections:\n{}", daemon.log());
}

/// H14: whatever compression is offered, a client gets it in a form that it can read, or none; nobody is turned away.
#[tokio::test]
async fn any_offer_of_extensions_is_answered() {
    let daemon = daemon().server("compression = true").run().await;
    let fifty = ["permessage-deflate; server_max_window_bits=8"; 49].join(", ") + ", permessage-deflate";
    let long = format!("x-{}, permessage-deflate", "y".repeat(8 << 10));
    for (offer, is_agreed) in [
        ("x-unknown", false),
        ("permessage-deflate; x=1", false),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", false),
        ("permessage-deflate; server_max_window_bits=7", false),
        ("permessage-deflate; server_max_window_bits=16", false),
        ("permessage-deflate; server_max_window_bits=08", false),
        ("permessage-deflate; server_max_window_bits", false),
        ("permessage-deflate; client_max_window_bits=16", false),
        ("permessage-deflate; server_max_window_bits=\"10\"", true),
        ("permessage-deflate; server_max_window_bits=10", true),
        ("permessage-deflate; x=1, x-unknown, permessage-deflate", true),
        (&fifty, true),
        (&long, true),
    ] {
        let header = format!("Sec-WebSocket-Extensions: {offer}");
        let mut raw = daemon.raw().await;
        raw.say(request(&daemon, "GET /ws HTTP/1.1", &[], &[&header])).await;
        let head = raw.head().await.to_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{offer}: {head}");
        assert_eq!(
            head.contains("sec-websocket-extensions: permessage-deflate"),
            is_agreed,
            "{offer}: {head}"
        );
    }
    for broken in
        ["permessage-deflate; =", ";;;,,,", "permessage-deflate; server_max_window_bits=\"", "\u{fc}"]
    {
        let header = format!("Sec-WebSocket-Extensions: {broken}");
        let mut raw = daemon.raw().await;
        raw.say(request(&daemon, "GET /ws HTTP/1.1", &[], &[&header])).await;
        let head = raw.head().await.to_lowercase();
        assert!(
            ["http/1.1 101 ", "http/1.1 400 "].iter().any(|begin| head.starts_with(begin)),
            "{broken}: {head}"
        );
        assert!(!head.contains("permessage-deflate"), "{broken}: {head}");
    }
    daemon.connected().await;
}

/// A page of another site has the visitor's cookie sent along by the browser. It may neither read nor say anything with it.
#[tokio::test]
async fn a_page_of_another_site_gets_nothing_by_a_cookie() {
    let auth = "[auth]\ncookie = \"tickerd\"\n[[auth.token]]\nname = \"ann\"\ntoken = { env = \"ANN\" }\n\
                groups = [\"all\"]\n[[auth.group]]\nname = \"all\"\nsubscribe = [\"**\"]\nhistory = [\"**\"]\n\
                publish = [\"rooms.*\"]\n[[topic]]\nname = \"rooms.desk\"\npublish = true";
    let token = "a-token-of-the-visitor-0123456789-0123";
    let daemon = daemon().config(auth).env("ANN", token).run().await;
    let ask = async |line: &str, from: &[&str]| {
        let cookie = format!("Cookie: tickerd={token}");
        let mut with = vec![cookie.as_str(), "Connection: close", "Content-Length: 1"];
        with.extend(from);
        let line = format!("{line} HTTP/1.1");
        let without = ["Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key"];
        answer(&daemon, request(&daemon, &line, &without, &with) + "1").await
    };
    let own = format!("Origin: http://{}", daemon.address());
    let routes = [
        "GET /v1/topics",
        "GET /v1/topics/rooms.desk",
        "GET /v1/topics/rooms.desk/history",
        "GET /v1/feeds",
        "GET /v1/sse?topics=rooms.desk",
        "POST /v1/topics/rooms.desk",
        "POST /v1/ticket",
    ];
    for route in routes {
        for from in [
            &["Origin: https://evil.example"][..],
            &["Origin: null"],
            &["Origin: https://evil.example", "Sec-Fetch-Site: same-origin"],
            &["Sec-Fetch-Site: cross-site"],
            &["Sec-Fetch-Site: same-site"],
            &["Sec-Fetch-Site: none"],
            &[],
        ] {
            let said = ask(route, from).await;
            let is_refused = said.starts_with("http/1.1 401 ") || said.starts_with("http/1.1 403 ");
            assert!(is_refused, "{route} {from:?}: {said}");
            assert!(!said.contains("access-control-allow-origin"), "{route} {from:?}: {said}");
        }
    }
    // On the server's own page the same cookie is good, and nothing was said before.
    let said = ask("POST /v1/topics/rooms.desk", &[&own, "Sec-Fetch-Site: same-origin"]).await;
    assert!(said.starts_with("http/1.1 200 ") && said.contains("\"seq\":1"), "{said}");
}
