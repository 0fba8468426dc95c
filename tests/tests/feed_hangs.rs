//! Feeds that hang, in each of their calls.

use tickerd_tests::{Feed, Witness, daemon, json, of_feed, steady, told, zoo};

/// Goal: what hangs is told, and ended where it can be. Method: all of them at once, because the deadlines are long.
#[tokio::test]
async fn hanging_is_told_and_ended_where_it_can_be() {
    tokio::join!(
        hanging_processes_are_killed_and_started_anew(),
        hanging_threads_are_told_and_hold_nothing_up(),
        a_silent_push_feed_is_killed_and_started_anew(),
        a_poll_that_is_interrupted_in_time_keeps_its_process(),
    );
}

/// A push feed that hangs after a few samples, whatever it is told.
fn silent(isolation: &str) -> Feed {
    Feed::plugin("silent", "tickerd_feed_pusher")
        .set("interval = \"50ms\"")
        .set("heartbeat = \"3s\"")
        .set(&format!("isolation = \"{isolation}\""))
        .configured("samples = 3\nend = \"hang\"")
}

async fn hanging_processes_are_killed_and_started_anew() {
    let cases = [
        ("hang_create", "it was not ready within 10.0 s of its start; killed"),
        ("hang_poll", "poll has not returned for 10.0 s; killed"),
        ("hang_interrupt", "poll has not returned for 10.0 s; killed"),
    ];
    let feeds =
        cases.iter().fold(daemon().feed(steady()), |all, (behave, _)| all.feed(zoo(behave, "process")));
    let daemon = feeds.run().await;
    let mut witness = Witness::of(&daemon).await;
    for (behave, reason) in cases {
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": [format!("{behave}.counter")]})).await;
        told(&mut client, behave, "down", reason).await;
        daemon.logged(reason).await;
        daemon.metric_until(&of_feed("tickerd_feed_restarts_total", behave), |count| count >= 1.0).await;
        if behave != "hang_create" {
            let line = daemon.logged("stale: poll has not returned for 5.0 s").await;
            assert!(line.contains("hang_"), "{line}");
        }
    }
    witness.is_undisturbed().await;
}

async fn hanging_threads_are_told_and_hold_nothing_up() {
    let cases = [
        ("hang_create", "wedged: it was not ready within 10.0 s"),
        ("hang_poll", "wedged: poll has not returned for 10.0 s"),
        ("hang_interrupt", "wedged: poll has not returned for 10.0 s"),
        ("silent", "wedged: no sign of life for 6.0 s"),
    ];
    let feeds = cases
        .iter()
        .take(3)
        .fold(daemon().feed(steady()), |all, (behave, _)| all.feed(zoo(behave, "in-process")));
    let mut daemon = feeds.feed(silent("in-process")).run().await;
    let mut witness = Witness::of(&daemon).await;
    for (behave, reason) in cases {
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": [format!("{behave}.counter")]})).await;
        told(&mut client, behave, "down", reason).await;
        let line = daemon.logged(reason).await;
        assert!(line.contains("use isolation = \"process\""), "{line}");
        let down = format!("tickerd_feed_state{{feed=\"{behave}\",state=\"down\"}}");
        assert_eq!(daemon.metric(&down).await, Some(1.0));
    }
    witness.is_undisturbed().await;
    drop(witness);
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.exit().await.success());
}

async fn a_silent_push_feed_is_killed_and_started_anew() {
    let daemon = daemon().feed(steady()).feed(silent("process")).run().await;
    let mut witness = Witness::of(&daemon).await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["silent.counter"]})).await;
    told(&mut client, "silent", "stale", "no sign of life for 3.0 s").await;
    told(
        &mut client,
        "silent",
        "down",
        "no sign of life for 6.0 s, twice its `heartbeat`; killed; starts again in",
    )
    .await;
    daemon.logged("down: no sign of life for 6.0 s, twice its `heartbeat`; killed").await;
    // It goes on where it was: three samples of each life.
    while client.tick().await.seq() < 4 {}
    witness.is_undisturbed().await;
}

async fn a_poll_that_is_interrupted_in_time_keeps_its_process() {
    let daemon = daemon().feed(steady()).feed(zoo("hang_until_interrupted", "process")).run().await;
    let mut witness = Witness::of(&daemon).await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["hang_until_interrupted.counter"]})).await;
    told(&mut client, "hang_until_interrupted", "stale", "poll has not returned for").await;
    told(&mut client, "hang_until_interrupted", "up", "").await;
    let restarts = of_feed("tickerd_feed_restarts_total", "hang_until_interrupted");
    assert_eq!(daemon.metric(&restarts).await, Some(0.0));
    witness.is_undisturbed().await;
}
