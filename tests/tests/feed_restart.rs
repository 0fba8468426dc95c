//! A feed's process that is killed comes back, and its subscribers go on where they were.

use nix::sys::signal::Signal;
use tickerd_tests::{Feed, Process, Witness, daemon, json, steady};

#[tokio::test]
async fn a_killed_feed_comes_back_and_seq_goes_on() {
    let victim = Feed::plugin("victim", "tickerd_feed_pusher").set("interval = \"50ms\"");
    let daemon = daemon().feed(steady()).feed(victim).run().await;
    let mut witness = Witness::of(&daemon).await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["victim.counter"]})).await;
    let mut seq = client.tick().await.seq();
    for round in 1..=2 {
        let process = Process::of_feed(daemon.pid(), "victim");
        let since = unix_ms();
        process.signal(Signal::SIGKILL);
        // Every tick up to the notice, none twice, none left out.
        let notice = loop {
            let event = client.next().await;
            if event.is_tick() {
                seq += 1;
                assert_eq!(event.seq(), seq);
            } else if event.name == "notice" && event.data["state"] == "down" {
                break event;
            }
        };
        assert_eq!((&notice.data["type"], &notice.data["feed"]), (&json!("feed"), &json!("victim")));
        let reason = notice.data["reason"].as_str().unwrap();
        assert!(reason.contains("was killed by SIGKILL") && reason.contains("starts again in"), "{reason}");
        assert!(notice.data["since"].as_u64().unwrap() >= since, "{}", notice.text);
        // The notice does not wait for the beat, so ticks of the old life may follow it; those of the new one count anew.
        let mut up = false;
        loop {
            let event = client.next().await;
            up |= event.name == "notice" && event.data["state"] == "up";
            if event.is_tick() {
                seq += 1;
                assert_eq!(event.seq(), seq, "the feed is new, the count goes on");
                if event.value()["n"] == 1 {
                    break;
                }
            }
        }
        if !up {
            assert_eq!(client.until("notice").await.data["state"], "up");
        }
        let restarts = daemon.metric("tickerd_feed_restarts_total{feed=\"victim\"}").await;
        assert_eq!(restarts, Some(f64::from(round)));
        assert_ne!(Process::of_feed(daemon.pid(), "victim"), process);
        let before = seq;
        seq = client.until("count").await.seq();
        assert!(seq > before);
    }
    assert_eq!(daemon.metric("tickerd_feed_restarts_total{feed=\"steady\"}").await, Some(0.0));
    witness.is_undisturbed().await;
}

fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis() as u64
}
