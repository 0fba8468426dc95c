//! However the daemon ends, its feeds end with it.

use nix::sys::signal::Signal;
use tickerd_tests::{Builder, Daemon, Feed, Process, daemon, exec, gone, json, steady};

/// Ignores the end of its standard input and SIGTERM, and so does what it started.
const STUBBORN: &str =
    r#"trap '' TERM; sleep 600 & echo '{"event":"tick","data":1}'; while :; do sleep 600; done"#;

fn zoo(behave: &str) -> Feed {
    Feed::plugin(behave, "tickerd_feed_zoo")
        .set("interval = \"50ms\"")
        .set("poll = \"50ms\"")
        .configured(&format!("behave = \"{behave}\""))
}

/// Runs these feeds and waits until each has spoken.
async fn spoken(feeds: &[(&str, Feed)]) -> Daemon {
    spoken_on(daemon(), feeds).await
}

/// The same with a daemon that is configured otherwise.
async fn spoken_on(builder: Builder, feeds: &[(&str, Feed)]) -> Daemon {
    let builder = feeds.iter().fold(builder, |builder, (_, feed)| builder.feed(feed.clone()));
    let daemon = builder.run().await;
    let mut client = daemon.connected().await;
    for (topic, _) in feeds {
        client.subscribe(json!({"topics": [topic]})).await;
        while client.tick().await.topic() != *topic {}
    }
    daemon
}

#[tokio::test]
async fn sigterm_ends_every_process_of_every_feed() {
    let mut daemon = spoken(&[
        ("steady.counter", steady()),
        ("stubborn", exec("stubborn", ["/bin/sh", "-c", STUBBORN])),
        ("hang_destroy.counter", zoo("hang_destroy")),
        ("hang_poll.counter", zoo("hang_poll")),
    ])
    .await;
    // The shell has started a sleep at least.
    let feeds = Process::feeds_until(daemon.pid(), |count| count >= 5).await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.exit().await.success());
    gone(&feeds).await;
}

/// Does not look at its standard input, and tidies up when it is told to end.
const TIDY: &str = r#"trap 'echo tidy > "$0"; exit 0' TERM
echo '{"event":"tick","data":1}'; while :; do sleep 600 & wait; done"#;

#[tokio::test]
async fn a_program_that_heeds_sigterm_gets_to_tidy_up() {
    let folder = tempfile::TempDir::new().unwrap();
    let mark = folder.path().join("mark");
    let feed = exec("tidy", ["/bin/sh", "-c", TIDY, mark.to_str().unwrap()]);
    let mut daemon = spoken(&[("tidy", feed)]).await;
    let feeds = Process::feeds_of(daemon.pid());
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.exit().await.success());
    assert_eq!(std::fs::read_to_string(mark).unwrap(), "tidy\n");
    gone(&feeds).await;
}

#[tokio::test]
async fn a_well_behaved_daemon_does_not_wait_for_its_drain() {
    let feeds = [("steady.counter", steady()), ("ok.counter", zoo("ok"))];
    let mut daemon = spoken_on(daemon().server("drain = \"5m\""), &feeds).await;
    let processes = Process::feeds_until(daemon.pid(), |count| count == 2).await;
    daemon.signal(Signal::SIGTERM);
    // Waiting out the drain would take minutes, and the harness does not wait that long.
    assert!(daemon.exit().await.success());
    gone(&processes).await;
}

#[tokio::test]
async fn a_killed_daemon_leaves_no_feed_host_behind() {
    let mut daemon = spoken(&[
        ("steady.counter", steady()),
        ("ok.counter", zoo("ok")),
        ("hang_poll.counter", zoo("hang_poll")),
        ("flood.counter", zoo("flood")),
        ("hang_destroy.counter", zoo("hang_destroy")),
    ])
    .await;
    let feeds = Process::feeds_until(daemon.pid(), |count| count == 5).await;
    daemon.signal(Signal::SIGKILL);
    assert!(!daemon.exit().await.success());
    gone(&feeds).await;
}

/// Goal: what a feed's program started ends with the daemon too, though nobody is left to end it in order. Method: programs
/// that hold their pipes, ignore signals and the end of their input, and wait for each other.
#[tokio::test]
async fn a_killed_daemon_leaves_nothing_of_its_programs_behind() {
    let say = r#"echo '{"event":"tick","data":1}'"#;
    let scripts = [
        ("stubborn", STUBBORN.to_owned()),
        ("deaf", format!("trap '' HUP INT TERM; exec <&-; {say}; sleep 600")),
        ("holder", format!("(trap '' HUP INT TERM; sleep 600) & sleep 600 | cat >&2 & {say}; wait")),
        ("many", format!("for n in 1 2 3 4 5 6 7 8; do sleep 600 & done; {say}; exec cat")),
    ];
    let feeds: Vec<_> =
        scripts.iter().map(|(name, script)| (*name, exec(name, ["/bin/sh", "-c", script]))).collect();
    let mut daemon = spoken(&feeds).await;
    let feeds = Process::feeds_until(daemon.pid(), |count| count >= 16).await;
    daemon.signal(Signal::SIGKILL);
    assert!(!daemon.exit().await.success());
    gone(&feeds).await;
}

/// The process that ends what this daemon's feeds started when it is killed: one for all of them.
fn warden_of(daemon: &Daemon) -> Process {
    let mut wardens = Process::all();
    wardens.retain(|process| process.command.ends_with(" feed-warden") && process.parent == daemon.pid());
    assert_eq!(wardens.len(), 1, "{wardens:#?}");
    wardens.remove(0)
}

/// Goal: a feed's own process needs nobody to end with the daemon. Method: the warden is killed first.
#[tokio::test]
async fn a_feeds_process_ends_with_the_daemon_by_itself() {
    let deaf = r#"echo '{"event":"tick","data":1}'; exec sleep 600 <&-"#;
    let mut daemon =
        spoken(&[("deaf", exec("deaf", ["/bin/sh", "-c", deaf])), ("hang_poll.counter", zoo("hang_poll"))])
            .await;
    let warden = warden_of(&daemon);
    warden.signal(Signal::SIGKILL);
    gone(&[warden]).await;
    let feeds = Process::feeds_until(daemon.pid(), |count| count == 2).await;
    daemon.signal(Signal::SIGKILL);
    assert!(!daemon.exit().await.success());
    gone(&feeds).await;
}

/// Goal: the process that ends what feeds started goes with them, and is replaced when someone ends it.
#[tokio::test]
async fn the_warden_is_replaced_and_leaves_with_the_daemon() {
    let many = "sleep 600 & echo '{\"event\":\"tick\",\"data\":1}'; exec cat";
    let mut daemon =
        spoken(&[("many", exec("many", ["/bin/sh", "-c", many])), ("ok.counter", zoo("ok"))]).await;
    let first = warden_of(&daemon);
    first.signal(Signal::SIGKILL);
    gone(std::slice::from_ref(&first)).await;
    // The next life of a feed finds that it is gone, and has the new one watch the others as well.
    Process::of_feed(daemon.pid(), "ok").signal(Signal::SIGKILL);
    daemon.metric_until("tickerd_feed_restarts_total{feed=\"ok\"}", |count| count == 1.0).await;
    daemon.metric_until("tickerd_feed_state{feed=\"ok\",state=\"up\"}", |up| up == 1.0).await;
    let second = warden_of(&daemon);
    assert_ne!(first, second);
    let feeds = Process::feeds_of(daemon.pid());
    daemon.signal(Signal::SIGKILL);
    assert!(!daemon.exit().await.success());
    gone(&feeds).await;
    gone(&[second]).await;
}
