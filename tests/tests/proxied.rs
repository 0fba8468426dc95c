//! Listeners that begin with the PROXY protocol, and whose word in `X-Forwarded-For` counts: who a client is behind a proxy.

use std::net::{IpAddr, SocketAddr};

use tickerd_tests::{Builder, Client, Daemon, Raw, Script, daemon, json, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::tls::Authority;

const PROXY: &str = "{ address = \"127.0.0.1:0\", proxy = true }";

fn behind() -> Builder {
    daemon().listen(PROXY)
}

/// A header of version 1.
fn v1(client: &str) -> Vec<u8> {
    let kind = if client.contains(':') { "TCP6" } else { "TCP4" };
    let own = if client.contains(':') { "2001:db8::ffff" } else { "203.0.113.254" };
    format!("PROXY {kind} {client} {own} 4711 443\r\n").into_bytes()
}

/// A header of version 2; without a client, the proxy speaks for itself.
pub fn v2(client: Option<&str>) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    match client.map(|client| client.parse().unwrap()) {
        None => header.extend([0x20, 0x00, 0, 0]),
        Some(IpAddr::V4(client)) => {
            header.extend([0x21, 0x11, 0, 12]);
            header.extend(client.octets());
            header.extend([203, 0, 113, 254, 0x12, 0x67, 0x01, 0xbb]);
        }
        Some(IpAddr::V6(client)) => {
            // An extension, which is skipped: PP2_TYPE_UNIQUE_ID.
            header.extend([0x21, 0x21, 0, 36 + 5]);
            header.extend(client.octets());
            header.extend([0; 16]);
            header.extend([0x12, 0x67, 0x01, 0xbb, 0x05, 0, 2, b'i', b'd']);
        }
    }
    header
}

/// A connection on which a proxy has said this.
async fn said(daemon: &Daemon, header: &[u8]) -> Raw {
    let mut raw = daemon.raw().await;
    raw.say(header).await;
    raw
}

/// The status of a handshake behind this header. The connection stays with the caller.
async fn shake(daemon: &Daemon, header: &[u8], lines: &str) -> (u16, Raw) {
    let mut raw = said(daemon, header).await;
    raw.say(Raw::handshake("/ws").replace("Host: localhost\r\n", &format!("Host: localhost\r\n{lines}")))
        .await;
    let head = raw.head().await;
    (head.split(' ').nth(1).unwrap().parse().unwrap(), raw)
}

#[tokio::test]
async fn who_is_behind_a_proxy_gets_ticks_and_is_counted_by_its_own_address() {
    let script = Script::new("s");
    let daemon = behind().limits("connections_per_address = 2").feed(script.feed()).run().await;
    let mut stream = daemon.connect().await;
    stream.write_all(&v2(Some("192.0.2.1"))).await.unwrap();
    let mut client = Client::over(stream, "ws://localhost/ws").await;
    client.subscribe(json!({"topics": ["s.*"]})).await;
    script.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.seq(), 1);

    // One byte at a time, the request with the header.
    let mut slow = daemon.raw().await;
    for byte in [v1("192.0.2.1"), Raw::handshake("/ws").into_bytes()].concat() {
        slow.say([byte]).await;
    }
    assert!(slow.head().await.starts_with("HTTP/1.1 101 "));
    // All at once, in either version.
    for header in [v1("192.0.2.1"), v2(Some("192.0.2.1")), v2(Some("::ffff:192.0.2.1"))] {
        let mut third = said(&daemon, &[header, Raw::handshake("/ws").into_bytes()].concat()).await;
        assert!(third.head().await.starts_with("HTTP/1.1 429 "));
    }
    let mut others = Vec::new();
    for header in
        [v2(Some("192.0.2.2")), v2(Some("2001:db8:1::1")), v2(Some("2001:db8:1::2")), v1("2001:db8:2::1")]
    {
        let (status, raw) = shake(&daemon, &header, "").await;
        assert_eq!(status, 101, "{header:?}");
        others.push(raw);
    }
    assert_eq!(shake(&daemon, &v1("2001:db8:1::3"), "").await.0, 429, "the third of that network");
    // The proxy itself is this machine, which has no limit.
    for _ in 0..3 {
        let (status, raw) = shake(&daemon, &v2(None), "").await;
        assert_eq!(status, 101);
        others.push(raw);
        let (status, raw) = shake(&daemon, b"PROXY UNKNOWN\r\n", "").await;
        assert_eq!(status, 101);
        others.push(raw);
    }
    drop(client);
    daemon.metric_until("tickerd_connections", |count| count == 11.0).await;
    assert_eq!(daemon.metric("tickerd_proxy_headers_total{result=\"ok\"}").await, Some(10.0));
    assert_eq!(daemon.metric("tickerd_proxy_headers_total{result=\"local\"}").await, Some(6.0));
    assert_eq!(shake(&daemon, &v1("192.0.2.1"), "").await.0, 101, "there is room again");
}

#[tokio::test]
async fn what_does_not_begin_with_a_header_is_closed_without_a_word() {
    let daemon = behind().limits("handshake = \"100ms\"").run().await;
    let endless = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"[..], &[0; 70_000]].concat();
    for (sent, result) in [
        (&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], "missing"),
        (b"\x16\x03\x01\x00\x05hello", "missing"),
        (b"PROXY TCP4 localhost 203.0.113.254 4711 443\r\n", "malformed"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x04abcd", "malformed"),
        (&endless, "too_long"),
        (&[&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat(), "too_long"),
        (b"PROXY TCP4 192.0.2.1", "timeout"),
        (b"", "timeout"),
    ] {
        let metric = format!("tickerd_proxy_headers_total{{result=\"{result}\"}}");
        let before = daemon.metric(&metric).await.unwrap();
        let mut raw = said(&daemon, sent).await;
        assert_eq!(raw.rest().await, b"", "{result}");
        daemon.metric_until(&metric, |count| count == before + 1.0).await;
    }
    let log = daemon.logged("did not begin with a PROXY header").await;
    assert!(log.contains("send-proxy-v2") && log.contains("127.0.0.1"), "{log}");
    assert!(daemon.log().lines().filter(|line| line.contains("PROXY header")).count() <= 8);
    // Who ends the connection first is counted, and is worth no line.
    drop(said(&daemon, b"PROXY ").await);
    daemon.metric_until("tickerd_proxy_headers_total{result=\"gone\"}", |count| count == 1.0).await;
    assert_eq!(shake(&daemon, &v1("192.0.2.1"), "").await.0, 101, "others are served");
}

#[tokio::test]
async fn only_proxies_that_are_listed_may_send_a_header_where_some_are() {
    let daemon = behind().server("trusted = [\"10.0.0.0/8\", \"unix\"]").run().await;
    let mut raw = said(&daemon, &v2(Some("192.0.2.1"))).await;
    assert_eq!(raw.rest().await, b"");
    daemon.metric_until("tickerd_proxy_headers_total{result=\"untrusted\"}", |count| count == 1.0).await;
    let line = daemon.logged("not in trusted").await;
    assert!(line.contains("127.0.0.1"), "{line}");
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let authority = Authority::new();
    let script = Script::new("s");
    let builder = authority.daemon("").listen("{ address = \"127.0.0.1:0\", tls = true, proxy = true }");
    let daemon = builder.limits("connections_per_address = 1").feed(script.feed()).run().await;
    let mut stream = daemon.connect().await;
    stream.write_all(&v2(Some("192.0.2.1"))).await.unwrap();
    let mut client = Client::over(authority.over(stream).await.unwrap(), "ws://localhost/ws").await;
    client.subscribe(json!({"topics": ["s.*"]})).await;
    script.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.seq(), 1);
    // The second of that address learns it over TLS, and without a header there is none.
    let mut stream = daemon.connect().await;
    stream.write_all(&v1("192.0.2.1")).await.unwrap();
    let mut second = authority.over(stream).await.unwrap();
    second.write_all(Raw::handshake("/ws").as_bytes()).await.unwrap();
    let mut answer = String::new();
    within("a refusal", second.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(authority.over(daemon.connect().await).await.is_err());
}

#[tokio::test]
async fn a_unix_socket_may_begin_with_a_header_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sock");
    let listen = format!("{{ address = \"unix:{}\", proxy = true }}", path.display());
    let script = Script::new("s");
    let mut daemon =
        daemon().listen(listen).limits("connections_per_address = 1").feed(script.feed()).spawn();
    assert!(daemon.printed("listening on unix:").await.ends_with("(PROXY protocol)"));
    daemon.printed("admin on ").await;
    let connect = async |header: Vec<u8>| {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(&header).await.unwrap();
        stream
    };
    let mut client = Client::over(connect(v1("192.0.2.1")).await, "ws://localhost/ws").await;
    client.subscribe(json!({"topics": ["s.*"]})).await;
    script.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.seq(), 1);
    let mut second = connect([v2(Some("192.0.2.1")), Raw::handshake("/ws").into_bytes()].concat()).await;
    let mut answer = String::new();
    within("a refusal", second.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
}

/// Which host a request is for is judged by where it came in, and not by what a proxy says of it.
#[tokio::test]
async fn a_proxy_listener_on_loopback_answers_to_listed_names_alone() {
    let daemon = behind().server("hosts = [\"ticks.example.org\"]").run().await;
    for (host, status) in [
        ("ticks.example.org", 101),
        ("ticks.example.org:8443", 101),
        ("localhost", 101),
        ("evil.example", 403),
        // The header's own destination.
        ("203.0.113.254", 403),
    ] {
        let mut raw = said(&daemon, &v1("192.0.2.1")).await;
        raw.say(Raw::handshake("/ws").replace("localhost", host)).await;
        let head = raw.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {head}");
    }
    // A page of that name passes, by https at the proxy, and one of another does not.
    for (origin, status) in [("https://ticks.example.org", 101), ("https://evil.example", 403)] {
        let mut raw = said(&daemon, &v1("192.0.2.1")).await;
        raw.say(
            Raw::handshake("/ws").replace("localhost", &format!("ticks.example.org\r\nOrigin: {origin}")),
        )
        .await;
        let head = raw.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{origin}: {head}");
    }
}

#[tokio::test]
async fn forwarded_addresses_are_believed_of_listed_proxies_alone() {
    let daemon = behind()
        .server("trusted = [\"127.0.0.1\", \"192.0.2.0/24\"]")
        .limits("connections_per_address = 1")
        .run()
        .await;
    // A chain: the connection's proxy, and one before it that writes X-Forwarded-For.
    let chain = "X-Forwarded-For: 203.0.113.7, 198.51.100.3, 192.0.2.66\r\n";
    let (status, _first) = shake(&daemon, &v2(Some("192.0.2.5")), chain).await;
    assert_eq!(status, 101);
    assert_eq!(shake(&daemon, &v2(Some("192.0.2.6")), chain).await.0, 429, "198.51.100.3 has its share");
    // The same client without the second proxy, which forges the header: it does not count.
    let forged = "X-Forwarded-For: 203.0.113.99\r\n";
    assert_eq!(shake(&daemon, &v2(Some("198.51.100.3")), forged).await.0, 429);
    let (status, _other) = shake(&daemon, &v2(Some("198.51.100.4")), forged).await;
    assert_eq!(status, 101);
    assert_eq!(shake(&daemon, &v2(Some("198.51.100.4")), "X-Forwarded-For: 203.0.113.100\r\n").await.0, 429);
    // Connections of a trusted proxy are not counted as its own: each is for somebody.
    let mut held = Vec::new();
    for n in 1..5 {
        let (status, raw) =
            shake(&daemon, &v2(Some("192.0.2.5")), &format!("X-Forwarded-For: 198.51.100.{}\r\n", n + 100))
                .await;
        assert_eq!(status, 101);
        held.push(raw);
    }
}

/// A ticket is bound to the client's network, also if a proxy has brought both.
#[tokio::test]
async fn tickets_are_bound_to_the_client_and_not_to_its_proxy() {
    const TOKEN: &str = "READER-CANARY-0123456789-0123456789";
    let auth = "[auth]\n[[auth.token]]\nname = \"reader\"\ntoken = { env = \"READER\" }\ngroups = [\"readers\"]\n\
                [[auth.group]]\nname = \"readers\"\nsubscribe = [\"s.**\"]";
    let daemon = behind().config(auth).env("READER", TOKEN).run().await;
    for (asker, user, lets_in) in [
        (v1("192.0.2.1"), v2(Some("192.0.2.99")), true),
        (v1("192.0.2.1"), v2(Some("198.51.100.1")), false),
        (v1("192.0.2.1"), v2(None), false),
    ] {
        let mut raw = said(&daemon, &asker).await;
        raw.say(format!(
            "POST /v1/ticket HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        ))
        .await;
        let answer = String::from_utf8(raw.rest().await).unwrap();
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        let ticket: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
        let ticket = ticket["ticket"].as_str().unwrap();
        let mut raw = said(&daemon, &user).await;
        raw.say(Raw::handshake(&format!("/ws?ticket={ticket}"))).await;
        let head = raw.head().await;
        assert_eq!(head.starts_with("HTTP/1.1 101 "), lets_in, "{head}");
    }
    assert!(!daemon.log().contains("CANARY"));
}

/// `--dev` lets in pages of this machine's other ports, and gives them no cookies.
#[tokio::test]
async fn pages_of_loopback_are_let_in_for_who_develops_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tickerd.toml");
    std::fs::write(&file, daemon().toml()).unwrap();
    let mut command = tickerd_tests::daemon::command();
    command.arg("--config").arg(&file).arg("--dev");
    let mut dev = Daemon::start(command, folder);
    dev.serves().await;
    let plain = daemon().run().await;
    let status = async |daemon: &Daemon, origin: &str| {
        let mut raw = daemon.raw().await;
        raw.say(Raw::handshake("/ws").replace("localhost", &format!("localhost\r\nOrigin: {origin}"))).await;
        raw.head().await.split(' ').nth(1).unwrap().to_owned()
    };
    for origin in ["http://localhost:5173", "http://127.0.0.1:3000", "https://[::1]"] {
        assert_eq!(status(&dev, origin).await, "101", "{origin}");
        assert_eq!(status(&plain, origin).await, "403", "{origin}");
    }
    for origin in ["http://evil.example", "null", "app://x"] {
        assert_eq!(status(&dev, origin).await, "403", "{origin}");
    }
    // What a page may read with its cookies, it is told so; it is not.
    let (_, answer) = cors(dev.address(), "http://localhost:5173").await;
    assert!(answer.contains("Access-Control-Allow-Origin") || answer.contains("access-control-allow-origin"));
    assert!(!answer.to_lowercase().contains("access-control-allow-credentials"), "{answer}");
}

async fn cors(to: SocketAddr, origin: &str) -> (u16, String) {
    let mut raw = Raw::new(tokio::net::TcpStream::connect(to).await.unwrap());
    raw.say(format!(
        "GET /v1/topics HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nConnection: close\r\n\r\n"
    ))
    .await;
    let answer = String::from_utf8(raw.rest().await).unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}
