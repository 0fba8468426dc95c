//! Feeds that take too much, leave things behind or break what they run in: nobody else notices, and each is told.

use tickerd_tests::{
    Daemon, Feed, Process, Script, Witness, daemon, exec, gone, json, of_feed, raw_c, steady, told, within,
    zoo,
};

fn rejects(feed: &str, reason: &str) -> String {
    format!("tickerd_feed_rejects_total{{feed=\"{feed}\",reason=\"{reason}\"}}")
}

/// A client that hears of this feed.
async fn subscriber(daemon: &Daemon, feed: &str) -> tickerd_tests::Client {
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": [feed, format!("{feed}.counter")]})).await;
    client
}

#[tokio::test]
async fn a_huge_sample_is_refused() {
    for isolation in ["process", "in-process"] {
        let daemon = daemon().feed(steady()).feed(zoo("huge", isolation).set("poll = \"1s\"")).run().await;
        let mut witness = Witness::of(&daemon).await;
        daemon.metric_until(&rejects("huge", "too_large"), |count| count >= 2.0).await;
        daemon.logged("refused 1 sample: too_large 1; ").await;
        // What it says besides arrives.
        let mut client = subscriber(&daemon, "huge").await;
        let first = client.tick().await.seq();
        assert!(client.tick().await.seq() > first);
        witness.is_undisturbed().await;
    }
}

#[tokio::test]
async fn a_huge_line_is_skipped_within_bounds() {
    let huge = r#"echo '{"event":"tick","data":1}'; head -c 104857600 /dev/zero | tr '\0' x; echo
        printf '{"event":"tick","data":"\377"}\n'; echo '{"event":"tick","data":2}'; exec cat"#;
    let daemon = daemon().feed(steady()).feed(exec("huge", ["/bin/sh", "-c", huge])).run().await;
    let mut witness = Witness::of(&daemon).await;
    let mut client = subscriber(&daemon, "huge").await;
    let before = daemon.resident_kib();
    within("what follows", async { while client.tick().await.value() != &json!(2) {} }).await;
    assert!(daemon.resident_kib() < before + 16 * 1024, "{} KiB, then {}", before, daemon.resident_kib());
    for reason in ["long_line", "bad_line"] {
        assert_eq!(daemon.metric(&rejects("huge", reason)).await, Some(1.0), "{reason}");
    }
    daemon.logged("long_line 1; a line is longer than 262144 bytes").await;
    witness.is_undisturbed().await;
}

#[tokio::test]
async fn a_leak_is_told_and_started_anew_and_the_daemon_does_not_grow() {
    let leak = zoo("leak", "process").set("memory_max = \"64MiB\"");
    let daemon = daemon().feed(steady()).feed(leak).run().await;
    let mut witness = Witness::of(&daemon).await;
    let before = daemon.resident_kib();
    let mut client = subscriber(&daemon, "leak").await;
    let reason = "of memory, more than memory_max = 64 MiB; killed";
    told(&mut client, "leak", "down", reason).await;
    daemon.logged(reason).await;
    daemon.metric_until(&of_feed("tickerd_feed_restarts_total", "leak"), |count| count >= 1.0).await;
    daemon.metric_until(&of_feed("tickerd_feed_resident_bytes", "leak"), |bytes| bytes > 0.0).await;
    assert!(daemon.resident_kib() < before + 16 * 1024);
    witness.is_undisturbed().await;
}

/// Goal: what a feed starts ends with its life. Method: a plugin that starts processes and dies.
#[tokio::test]
async fn what_a_plugin_forks_ends_with_its_life() {
    let daemon = daemon().feed(steady()).feed(zoo("fork", "process")).run().await;
    let mut witness = Witness::of(&daemon).await;
    daemon.metric_until(&of_feed("tickerd_feed_samples_total", "fork"), |count| count > 6.0).await;
    let host = Process::of_feed(daemon.pid(), "fork");
    let started: Vec<Process> =
        Process::feeds_of(daemon.pid()).into_iter().filter(|process| process.group == host.pid).collect();
    assert!(started.len() > 50, "{started:#?}");
    let mut client = subscriber(&daemon, "fork").await;
    host.signal(nix::sys::signal::Signal::SIGKILL);
    told(&mut client, "fork", "down", "was killed by SIGKILL").await;
    gone(&started).await;
    witness.is_undisturbed().await;
}

#[tokio::test]
async fn a_plugin_that_closes_every_descriptor_is_started_anew() {
    let closes = Feed::plugin("closes", raw_c("closes_all").to_str().unwrap()).set("interval = \"50ms\"");
    let daemon = daemon().feed(steady()).feed(closes).run().await;
    let mut witness = Witness::of(&daemon).await;
    let mut client = subscriber(&daemon, "closes").await;
    let reason = "it closed its standard output and went on running; ended";
    told(&mut client, "closes", "down", reason).await;
    daemon.logged_of("closes", reason).await;
    daemon.metric_until(&of_feed("tickerd_feed_samples_total", "closes"), |count| count > 3.0).await;
    witness.is_undisturbed().await;
}

/// Goal: what a plugin does to its process stays there. Method: one that changes all it can and does not stop.
#[tokio::test]
async fn a_vandal_breaks_its_own_process_alone() {
    let vandal = Feed::plugin("vandal", raw_c("vandal").to_str().unwrap()).set("interval = \"50ms\"");
    let mut daemon = daemon().feed(steady()).feed(vandal).run().await;
    let witness_of = |pid: i32| {
        let read = |what: &str| std::fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap();
        let status = read("status");
        let lines = status.lines().filter(|line| line.starts_with("Umask:") || line.starts_with("SigIgn:"));
        let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
        (lines.map(str::to_owned).collect::<Vec<_>>(), read("environ"), cwd)
    };
    let before = witness_of(daemon.pid());
    let mut witness = Witness::of(&daemon).await;
    daemon.metric_until(&of_feed("tickerd_feed_samples_total", "vandal"), |count| count > 2.0).await;
    assert_eq!(witness_of(daemon.pid()), before);
    let steady = Process::of_feed(daemon.pid(), "steady");
    assert_ne!(witness_of(steady.pid).2, std::path::Path::new("/"), "nor anyone else's");
    witness.is_undisturbed().await;
    drop(witness);
    let feeds = Process::feeds_of(daemon.pid());
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.exit().await.success());
    gone(&feeds).await;
}

/// Goal: a feed of no use is neither silent nor a spin. Method: programs that end at once, one with a word on the way.
#[tokio::test]
async fn a_program_that_ends_at_once_fails_and_says_so() {
    let daemon = daemon()
        .feed(steady())
        .feed(exec("ends", ["/bin/true"]))
        .feed(exec("fails", ["/bin/sh", "-c", "echo one >&2; echo two >&2; exit 9"]))
        .run()
        .await;
    let mut witness = Witness::of(&daemon).await;
    let [mut ends, mut fails] = [subscriber(&daemon, "ends").await, subscriber(&daemon, "fails").await];
    told(&mut ends, "ends", "down", "failed 5 times in a row: it ended of itself; tries again in 10 min")
        .await;
    told(&mut fails, "fails", "down", "failed 5 times in a row: exited with status 9: two").await;
    daemon.logged("failed 5 times in a row: it ended of itself").await;
    let line = daemon.logged("its last 2 lines before it exited with status 9").await;
    assert!(line.contains("WARN"), "an operator sees it: {line}");
    for feed in ["ends", "fails"] {
        assert_eq!(daemon.metric(&of_feed("tickerd_feed_restarts_total", feed)).await, Some(4.0));
    }
    witness.is_undisturbed().await;
}

/// Goal: SIGHUP ends every wait, and costs nobody anything. Method: a program that is missing until then.
#[tokio::test]
async fn sighup_tries_what_waits_at_once() {
    let folder = tempfile::TempDir::new().unwrap();
    let late = folder.path().join("late");
    let script = Script::new("s");
    let daemon = daemon()
        .feed(steady())
        .feed(script.feed())
        .feed(exec("late", [late.to_str().unwrap(), "-c", r#"echo '{"event":"tick","data":1}'; exec cat"#]))
        .run()
        .await;
    let mut witness = Witness::of(&daemon).await;
    let mut client = subscriber(&daemon, "late").await;
    told(&mut client, "late", "down", "its configuration is wrong").await;
    std::os::unix::fs::symlink("/bin/sh", &late).unwrap();
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    daemon.logged("SIGHUP: feeds that wait to be tried again are tried now").await;
    assert_eq!(client.until("tick").await.seq(), 1);
    for (feed, restarts) in [("late", 1.0), ("s", 0.0), ("steady", 0.0)] {
        assert_eq!(daemon.metric(&of_feed("tickerd_feed_restarts_total", feed)).await, Some(restarts));
    }
    witness.is_undisturbed().await;
}
