//! The end: orderly, hurried, sudden; and the start where another already is.

use nix::sys::signal::Signal;
use tickerd_tests::{Incoming, Raw, Script, daemon, exec, json, scripted, sim};

#[tokio::test]
async fn clients_are_told_and_the_last_tick_goes_out() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (script, mut daemon) = scripted().await;
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut client = daemon.connected().await;
            client.subscribe(json!({"topics": ["s.a"]})).await;
            clients.push(client);
        }
        script.tick("a", json!(1)).await;
        clients[0].tick().await;
        daemon.signal(signal);
        for client in &mut clients {
            let closing = client.until("closing").await.data;
            assert!(closing["in_ms"].as_u64().unwrap() <= 2000, "{closing}");
            let reconnect = closing["reconnect_ms"].as_array().unwrap();
            assert!(reconnect[0].as_u64() < reconnect[1].as_u64());
            let (code, reason) = client.closed().await;
            assert_eq!(code, 1012);
            assert!(reason.starts_with("service_restart: "), "{reason}");
        }
        assert_eq!(daemon.exit().await.code(), Some(0), "{signal}");
    }
}

/// Ticks wait for a beat that is far away: the end brings it forward.
#[tokio::test]
async fn what_waits_for_its_beat_is_pushed_before_the_end() {
    let script = Script::new("s");
    let mut daemon = daemon().feed(script.feed().set("interval = \"1h\"")).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!("last")).await;
    // The sample is in the daemon once it is counted.
    daemon.metric_until("tickerd_feed_samples_total{feed=\"s\"}", |count| count == 1.0).await;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(client.tick().await.value(), "last");
    client.until("closing").await;
    assert!(daemon.exit().await.success());
}

#[tokio::test]
async fn under_load_it_ends_within_the_drain() {
    let flood = exec(
        "flood",
        [
            "/bin/sh",
            "-c",
            r#"n=0; while :; do n=$((n+1)); echo "{\"topic\":\"a$((n%50))\",\"event\":\"tick\",\"data\":$n}"; done"#,
        ],
    );
    let mut daemon = daemon().feed(sim(1)).feed(flood).server("drain = \"8s\"").run().await;
    let mut readers = Vec::new();
    for _ in 0..20 {
        let mut client = daemon.client("/ws?topics=flood.**,sim.**").await;
        client.until("tick").await;
        readers.push(tokio::spawn(async move {
            let mut told = false;
            loop {
                match client.incoming().await {
                    Incoming::Event(event) => told |= event.name == "closing",
                    Incoming::Close(code, _) => return (told, code),
                    Incoming::End => panic!("an end without a close"),
                    _ => {}
                }
            }
        }));
    }
    // And some that neither read nor answer.
    let mut idle = Vec::new();
    for _ in 0..5 {
        idle.push(daemon.upgraded("/ws?topics=flood.**").await);
    }
    daemon.signal(Signal::SIGTERM);
    for reader in readers {
        assert_eq!(reader.await.unwrap(), (true, 1012));
    }
    assert_eq!(daemon.exit().await.code(), Some(0));
    assert!(!daemon.log().contains("panic"), "{}", daemon.log());
}

/// Goal: who asks where to send clients sends none to a server that takes none, and lets it finish.
#[tokio::test]
async fn while_it_drains_it_is_alive_and_not_ready() {
    let mut daemon = daemon().server("drain = \"5m\"").run().await;
    let mut client = daemon.connected().await;
    assert_eq!(daemon.get("/readyz").await.0, 200);
    daemon.signal(Signal::SIGTERM);
    client.until("closing").await;
    let (status, ready) = daemon.get("/readyz?verbose").await;
    assert!(status == 503 && ready.contains("[-]listeners failed: the server stops"), "{ready}");
    assert_eq!(daemon.get("/livez").await.0, 200);
    drop(client);
    assert_eq!(daemon.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut daemon = daemon().server("drain = \"5m\"").run().await;
    let mut client = daemon.connected().await;
    daemon.signal(Signal::SIGTERM);
    client.until("closing").await;
    daemon.signal(Signal::SIGINT);
    // Waiting out the drain would take minutes, and the harness does not wait that long.
    assert_eq!(daemon.exit().await.code(), Some(130));
}

#[tokio::test]
async fn without_clients_it_does_not_wait() {
    let mut daemon = daemon().feed(sim(1)).server("drain = \"5m\"").run().await;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.exit().await.code(), Some(0));
}

#[tokio::test]
async fn who_leaves_when_told_is_not_waited_for() {
    let mut daemon = daemon().server("drain = \"5m\"").run().await;
    let mut client = daemon.connected().await;
    daemon.signal(Signal::SIGTERM);
    client.until("closing").await;
    client.close(1000).await;
    drop(client);
    assert_eq!(daemon.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_the_remedy() {
    let first = daemon().run().await;
    let mut second = daemon().listen(first.address()).spawn();
    let line = second.logged(&first.address().to_string()).await;
    assert!(line.contains("server.listen"), "{line}");
    assert_eq!(second.exit().await.code(), Some(1));
    // The first does not notice.
    first.connected().await;
}

#[tokio::test]
async fn after_a_sudden_end_it_starts_on_the_same_port() {
    let script = Script::new("s");
    let mut first = daemon().feed(script.feed()).run().await;
    let address = first.address();
    let mut client = first.client("/ws?topics=s.a").await;
    let epoch = client.expect("connected").await.data["epoch"].clone();
    script.tick("a", json!(1)).await;
    client.until("tick").await;
    first.signal(Signal::SIGKILL);
    assert!(!first.exit().await.success());
    client.ended().await;
    // The first's feed is an orphan that still reads its script.
    let script = Script::new("s");
    let second = daemon().feed(script.feed()).listen(address).run().await;
    assert_eq!(second.address(), address);
    let mut client = second.client("/ws?topics=s.a").await;
    assert_ne!(client.expect("connected").await.data["epoch"], epoch, "its history is another");
    script.tick("a", json!(2)).await;
    assert_eq!(client.until("tick").await.seq(), 1);
}

/// How an attempt to connect ended, as its client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Attempt {
    /// There was no answer to the handshake: the listener was closed by then.
    Refused,
    /// 503, with the time to come back.
    ToldLater,
    /// 101, and then a close with this code.
    Closed(u16),
    /// 101, and then the end without a word.
    Cut,
}

/// One client that shakes hands and reads until its connection ends.
async fn attempt(address: std::net::SocketAddr) -> Attempt {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect(address).await else { return Attempt::Refused };
    if stream.write_all(Raw::handshake("/ws").as_bytes()).await.is_err() {
        return Attempt::Refused;
    }
    let (mut read, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stream.read(&mut chunk).await {
        read.extend_from_slice(&chunk[..n]);
        // The code of a close that is whole; the daemon sends nothing behind it, and waits for this side.
        if let Some(code) = closing_code(&read) {
            return Attempt::Closed(code);
        }
    }
    let head = String::from_utf8_lossy(&read);
    match head.split(' ').nth(1) {
        Some("101") => Attempt::Cut,
        Some("503") if head.to_lowercase().contains("retry-after: ") => Attempt::ToldLater,
        Some(other) => panic!("status {other}: {head}"),
        None => Attempt::Refused,
    }
}

/// Walks the frames behind the head up to a close.
fn closing_code(read: &[u8]) -> Option<u16> {
    let mut at = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    loop {
        let (first, short) = (*read.get(at)?, usize::from(*read.get(at + 1)?));
        let (head, len) = match short {
            126 => (4, usize::from(u16::from_be_bytes([*read.get(at + 2)?, *read.get(at + 3)?]))),
            short => (2, short),
        };
        let payload = read.get(at + head..at + head + len)?;
        if first & 0x0f == 8 {
            return Some(u16::from_be_bytes([payload[0], payload[1]]));
        }
        at += head + len;
    }
}

/// Goal: whoever was let in is told why the connection ends, also in the moment of the signal. Method: clients connect one
/// after the other, side by side, until the daemon takes nobody any more.
#[tokio::test]
async fn who_connects_at_the_moment_of_the_signal_is_told() {
    for round in 0..4u64 {
        let mut daemon = daemon().server("shards = 2\ndrain = \"200ms\"").run().await;
        let address = daemon.address();
        let knocking: Vec<_> = (0..8)
            .map(|_| {
                tokio::spawn(async move {
                    let mut open = tokio::task::JoinSet::new();
                    let mut ends = Vec::new();
                    // Each stays open while the next connects, so that some are in every state.
                    loop {
                        open.spawn(attempt(address));
                        tokio::task::yield_now().await;
                        while let Some(end) = open.try_join_next() {
                            ends.push(end.unwrap());
                        }
                        if ends.contains(&Attempt::Refused) {
                            break;
                        }
                        if open.len() >= 40 {
                            ends.push(open.join_next().await.unwrap().unwrap());
                        }
                    }
                    ends.extend(open.join_all().await);
                    ends
                })
            })
            .collect();
        daemon.metric_until("tickerd_connections", |open| open >= (round * 20) as f64).await;
        daemon.signal(Signal::SIGTERM);
        let mut ends = Vec::new();
        for knocking in knocking {
            ends.extend(tickerd_tests::within("the last client", knocking).await.unwrap());
        }
        assert!(daemon.exit().await.success());
        let strange: Vec<_> = ends
            .iter()
            .filter(|end| !matches!(end, Attempt::Refused | Attempt::ToldLater | Attempt::Closed(1012)))
            .collect();
        assert!(strange.is_empty(), "round {round}: {strange:?} of {}", ends.len());
        // In the first round the signal may come before anyone does.
        assert!(round == 0 || ends.contains(&Attempt::Closed(1012)), "round {round}: somebody was there");
    }
}
