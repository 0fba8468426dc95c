//! TLS as nobody should speak it: byte by byte, broken off, begun ten thousand times, begun again; and certificates of no use.

use std::net::SocketAddr;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tickerd_tests::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::tls::Authority;

/// A line to the daemon on which each byte of the client travels alone.
async fn byte_by_byte(there: SocketAddr) -> SocketAddr {
    let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = line.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = line.accept().await {
            let server = TcpStream::connect(there).await.unwrap();
            server.set_nodelay(true).unwrap();
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(async move {
                while let Ok(byte) = from_client.read_u8().await {
                    if to_server.write_u8(byte).await.is_err() {
                        break;
                    }
                    // So that the server reads what has come so far.
                    tokio::task::yield_now().await;
                }
            });
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        }
    });
    here
}

#[tokio::test]
async fn tls_may_come_a_byte_at_a_time() {
    let authority = Authority::new();
    let script = Script::new("s");
    let daemon = authority.daemon("").feed(script.feed()).run().await;
    let here = byte_by_byte(daemon.address()).await;
    let stream = authority.over(TcpStream::connect(here).await.unwrap()).await.unwrap();
    let mut client = Client::over(stream, "ws://localhost/ws").await;
    client.expect("connected").await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    for number in 1..=20 {
        script.tick("a", json!(number)).await;
        assert_eq!(client.tick().await.seq(), number);
        let before = client.sync().await;
        assert!(!before.iter().any(|event| event.is_tick()), "{before:?}");
    }
}

/// The start of a handshake of this many bytes, and then the end: wherever that is, nothing is left.
#[tokio::test]
async fn a_handshake_may_end_anywhere() {
    let authority = Authority::new();
    let daemon = authority.daemon("").limits("handshakes_per_s = 100000").run().await;
    // What a client says first, taken down.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let heard = async {
        let mut hello = vec![0; 4096];
        let (mut server, _) = listener.accept().await.unwrap();
        let read = server.read(&mut hello).await.unwrap();
        hello.truncate(read);
        hello
    };
    let (_, hello) = tokio::join!(authority.over(stream), heard);
    assert!(hello.len() > 100 && hello[0] == 0x16, "{hello:?}");
    for end in 0..=hello.len() {
        let mut stream = daemon.connect().await;
        stream.write_all(&hello[..end]).await.unwrap();
    }
    let ended = (hello.len() + 1) as f64;
    within("the ends", async {
        loop {
            let gone = daemon.metric("tickerd_tls_handshakes_total{result=\"gone\"}").await.unwrap_or(0.0);
            let failed =
                daemon.metric("tickerd_tls_handshakes_total{result=\"failed\"}").await.unwrap_or(0.0);
            if gone + failed == ended {
                break;
            }
        }
    })
    .await;
    authority.connect(&daemon).await;
}

/// Ten thousand in five steps, as many as this process may have descriptors for.
#[tokio::test]
async fn ten_thousand_half_handshakes_cost_little_and_disturb_nobody() {
    const STEP: usize = 2_000;
    let authority = Authority::new();
    let script = Script::new("s");
    let limits = "handshake = \"60s\"\nhandshakes_per_s = 100000";
    let daemon = authority.daemon("").limits(limits).feed(script.feed()).run().await;
    let stream = authority.connect(&daemon).await;
    let mut client = Client::over(stream, "ws://localhost/ws").await;
    client.expect("connected").await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    let before_kib = daemon.resident_kib();
    let mut number = 0;
    for step in 1..=5 {
        let mut halves = Vec::new();
        for at in 0..STEP {
            let mut stream = daemon.connect().await;
            // The head of a record of 512 bytes, and none of them.
            stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc").await.unwrap();
            halves.push(stream);
            if at % 500 == 0 {
                number += 1;
                script.tick("a", json!(number)).await;
                assert_eq!(client.tick().await.seq(), number);
            }
        }
        let grown_kib = daemon.resident_kib().saturating_sub(before_kib);
        assert!(grown_kib < 64 << 10, "{grown_kib} KiB with {STEP} at once");
        drop(halves);
        let gone = (step * STEP) as f64;
        daemon.metric_until("tickerd_tls_handshakes_total{result=\"gone\"}", |count| count == gone).await;
    }
    let another = authority.connect(&daemon).await;
    let mut another = Client::over(another, "ws://localhost/ws").await;
    another.expect("connected").await;
}

/// A client of TLS 1.2 that asks for a second handshake on the same connection does not get one.
#[tokio::test]
async fn renegotiation_is_refused() {
    let authority = Authority::new();
    let daemon = authority.daemon("").run().await;
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-tls1_2", "-connect", &daemon.address().to_string()]);
    openssl.arg("-CAfile").arg(authority.path("clients.pem"));
    openssl.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut openssl = openssl.stderr(std::process::Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut to = openssl.stdin.take().unwrap();
    // A line with R alone is its command for this.
    to.write_all(b"R\n").await.unwrap();
    to.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let output = within("openssl to end", openssl.wait_with_output()).await.unwrap();
    let (said, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Protocol  : TLSv1.2") || said.contains("New, TLSv1.2"), "{said}{why}");
    assert!(format!("{said}{why}").contains("RENEGOTIATING"), "{said}{why}");
    assert!(!said.contains("HTTP/1.1 200"), "{said}{why}");
    assert!(why.contains("renegotiation"), "{said}{why}");
    drop(to);
    authority.connect(&daemon).await;
}

/// Each is refused at the start, with the file and what to do; nothing of a key is told.
#[tokio::test]
async fn certificates_of_no_use_are_refused_at_the_start() {
    let good = KeyPair::generate().unwrap();
    let certificate = |year: i32| {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        params.self_signed(&good).unwrap().pem()
    };
    let (whole, key) = (certificate(2099), good.serialize_pem());
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let other = KeyPair::generate().unwrap().serialize_pem();
    for (what, chain, key, says) in [
        ("expired", Some(certificate(2021)), Some(key.clone()), ["chain.pem", "expired"]),
        ("half a certificate", Some(half(&whole)), Some(key.clone()), ["chain.pem", "no whole certificate"]),
        ("half a key", Some(whole.clone()), Some(half(&key)), ["key.pem", "no private key"]),
        ("another key", Some(whole.clone()), Some(other), ["key.pem", "does not fit"]),
        ("no certificate", None, Some(key.clone()), ["chain.pem", "cannot be read"]),
        ("no key", Some(whole.clone()), None, ["key.pem", "cannot be read"]),
        (
            "a key for a certificate",
            Some(key.clone()),
            Some(key.clone()),
            ["chain.pem", "no whole certificate"],
        ),
        ("an empty file", Some(String::new()), Some(key.clone()), ["chain.pem", "no whole certificate"]),
    ] {
        let authority = Authority::new();
        let builder = authority.daemon("");
        for (file, text) in [("chain.pem", &chain), ("key.pem", &key)] {
            match text {
                Some(text) => std::fs::write(authority.path(file), text).unwrap(),
                None => std::fs::remove_file(authority.path(file)).unwrap(),
            }
        }
        let mut daemon = builder.spawn();
        assert!(!daemon.exit().await.success(), "{what}");
        let line = daemon.logged(says[1]).await;
        assert!(line.contains(says[0]), "{what}: {line}");
        let secret = key.iter().flat_map(|key| key.lines()).filter(|line| !line.starts_with("---"));
        for part in secret.filter(|line| line.len() > 20) {
            assert!(!daemon.log().contains(part), "{what}: a part of the key is told");
        }
    }
}
