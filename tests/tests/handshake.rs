//! The public listener as the whole daemon serves it. What each header may be is tested in the daemon's own tests.

use tickerd_tests::daemon::http;
use tickerd_tests::{Daemon, Raw, daemon};

/// The head of the answer to a request with these header lines.
async fn ask(daemon: &Daemon, line: &str, headers: &[&str]) -> String {
    let mut raw = daemon.raw().await;
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    raw.say(format!("{line}\r\nHost: {}\r\n{headers}\r\n", daemon.address())).await;
    raw.head().await
}

const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

#[tokio::test]
async fn slow_requests_are_closed() {
    // Long enough for one that does not dawdle, on a busy machine too.
    let daemon = daemon().limits("handshake = \"3s\"").run().await;
    let mut silent = daemon.raw().await;
    let mut half = daemon.raw().await;
    let request = Raw::handshake("/ws");
    half.say(&request[..request.len() - 2]).await;
    // One that is done in time is not cut off later.
    let mut whole = daemon.connected().await;
    silent.ended().await;
    half.ended().await;
    whole.sync().await;
}

#[tokio::test]
async fn pages_of_other_sites_may_not_connect_unless_listed() {
    let daemon = daemon().server("origins = [\"https://dash.example\"]").run().await;
    let with = |origin: String| {
        let daemon = &daemon;
        async move {
            let origin = format!("Origin: {origin}");
            ask(daemon, "GET /ws HTTP/1.1", &[&UPGRADE[..], &[origin.as_str()]].concat()).await
        }
    };
    assert!(with("https://evil.example".into()).await.starts_with("HTTP/1.1 403 "));
    assert!(with("null".into()).await.starts_with("HTTP/1.1 403 "));
    assert!(with("https://dash.example".into()).await.starts_with("HTTP/1.1 101 "));
    assert!(with(format!("http://{}", daemon.address())).await.starts_with("HTTP/1.1 101 "));
}

/// Goal: a page can read why it is refused, and that costs no place in a shard.
#[tokio::test]
async fn a_page_is_closed_with_the_reason_and_a_program_gets_a_status() {
    let daemon = daemon().run().await;
    let path = "/ws?name=an%20n";
    let page =
        |origin: &str| Raw::handshake(path).replace("localhost", &format!("localhost\r\nOrigin: {origin}"));
    let mut own = daemon.raw().await;
    own.say(page("http://localhost")).await;
    let head = own.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let close = own.frame().await.unwrap();
    assert_eq!(close.close_code(), Some(4000));
    let reason = String::from_utf8(close.payload[2..].to_vec()).unwrap();
    assert!(reason.starts_with("bad_request: a name is 1 to 64 of A-Z"), "{reason}");
    assert_eq!(own.frame().await, None, "nothing but the close");
    for (request, status) in [(page("http://evil.example"), "403"), (Raw::handshake(path), "400")] {
        let mut raw = daemon.raw().await;
        raw.say(request).await;
        let head = raw.head().await;
        assert_eq!(head.split(' ').nth(1), Some(status), "{head}");
    }
    assert_eq!(daemon.metric("tickerd_closes_total{code=\"4000\"}").await, Some(1.0));
    assert_eq!(daemon.metric("tickerd_connections").await, Some(0.0));
}

/// Goal: a proxy on this machine hides nobody from the limits. Method: as the proxy says whose each connection is.
#[tokio::test]
async fn a_client_behind_a_proxy_has_its_share_of_connections() {
    let daemon = daemon().limits("connections_per_address = 4").run().await;
    let of = async |address: &str, path: &str| {
        let mut raw = daemon.raw().await;
        let forwarded = format!("localhost\r\nX-Forwarded-For: 198.51.100.1, {address}");
        raw.say(Raw::handshake(path).replace("localhost", &forwarded)).await;
        let head = raw.head().await;
        (head.split(' ').nth(1).unwrap().to_owned(), raw)
    };
    let mut held = Vec::new();
    for path in ["/ws", "/v1/sse?topics=tickerd.stats", "/ws", "/ws"] {
        let (status, raw) = of("192.0.2.9", path).await;
        assert!(["101", "200"].contains(&&*status), "{status}");
        held.push(raw);
    }
    for path in ["/ws", "/v1/sse?topics=tickerd.stats"] {
        let (status, _) = of("192.0.2.9", path).await;
        assert_eq!(status, "429", "{path}");
    }
    assert_eq!(of("192.0.2.10", "/ws").await.0, "101", "another's share is its own");
    for _ in 0..8 {
        held.push(daemon.upgraded("/ws").await);
    }
    drop(held);
    daemon.metric_until("tickerd_connections", |count| count == 0.0).await;
    assert_eq!(of("192.0.2.9", "/ws").await.0, "101");
}

#[tokio::test]
async fn what_is_no_upgrade_is_told_so() {
    let daemon = daemon().run().await;
    let head = ask(&daemon, "GET /ws HTTP/1.1", &[]).await.to_lowercase();
    assert!(head.starts_with("http/1.1 426 ") && head.contains("\r\nupgrade: websocket\r\n"), "{head}");
}

#[tokio::test]
async fn the_page_is_served_and_head_is_answered() {
    let daemon = daemon().run().await;
    let (status, body) = http(daemon.address(), "/").await;
    assert_eq!(status, 200);
    assert!(body.contains("<html") || body.contains("<!doctype"), "{body}");
    let mut raw = daemon.raw().await;
    raw.say(format!("HEAD / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", daemon.address())).await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(raw.rest().await.is_empty(), "a head has no body");
}

#[tokio::test]
async fn metrics_and_health_are_not_public() {
    let daemon = daemon().run().await;
    for path in ["/metrics", "/readyz", "/livez", "/healthz", "/echo", "/../metrics"] {
        assert_eq!(http(daemon.address(), path).await.0, 404, "{path}");
    }
    assert_eq!(daemon.get("/metrics").await.0, 200);
    assert_eq!(daemon.get("/ws").await.0, 404);
}

#[tokio::test]
async fn a_unix_socket_serves_the_same() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("tickerd.sock");
    let mut daemon = daemon().listen(format!("unix:{}", path.display())).spawn();
    daemon.printed("admin on ").await;
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(Raw::handshake("/ws").as_bytes()).await.unwrap();
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("\"event\":\"connected\"") {
        assert!(tickerd_tests::within("connected", stream.read_buf(&mut said)).await.unwrap() > 0);
    }
    drop(stream);
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.exit().await.success());
    assert!(!path.exists(), "the socket's file goes with the daemon");
}

#[tokio::test]
async fn a_full_server_says_when_to_come_back() {
    let daemon = daemon().limits("connections = 2").run().await;
    let _one = daemon.connected().await;
    let two = daemon.connected().await;
    let head = ask(&daemon, "GET /ws HTTP/1.1", &UPGRADE).await.to_lowercase();
    assert!(head.starts_with("http/1.1 503 ") && head.contains("\r\nretry-after: "), "{head}");
    drop(two);
    daemon.metric_until("tickerd_connections", |count| count == 1.0).await;
    daemon.connected().await;
}
