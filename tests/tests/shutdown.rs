//! The end: orderly, hurried, sudden; and the start where another already is.

use nix::sys::signal::Signal;
use tickerd_tests::{Incoming, Script, daemon, exec, json, scripted, sim};

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
    let mut daemon = daemon().feed(sim(1)).feed(flood).server("drain = \"1s\"").run().await;
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
