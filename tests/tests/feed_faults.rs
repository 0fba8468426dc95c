//! Feeds that misbehave: what it costs them, what the operator and the subscribers are told, and that nobody else
//! notices.

use tickerd_tests::{
    Client, Daemon, Feed, Process, Witness, daemon, json, of_feed, raw_c, steady, told, within, zoo,
};

/// Goal: what ends a feed is told with its reason, the feed comes back, and nobody else notices.
async fn they_die(cases: &[(&str, &str)], isolation: &str) {
    let builder = cases.iter().fold(daemon().feed(steady()), |builder, (behave, _)| {
        // A few good polls first, so that each has said something when it goes.
        builder.feed(zoo(behave, isolation).configured("after = 2"))
    });
    let daemon = builder.run().await;
    let mut witness = Witness::of(&daemon).await;
    for (behave, reason) in cases {
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": [format!("{behave}.counter")]})).await;
        told(&mut client, behave, "down", reason).await;
        let line = daemon.logged_of(behave, &format!("{reason}; starts again in")).await;
        assert!(line.contains("WARN"), "{line}");
        let restarts = of_feed("tickerd_feed_restarts_total", behave);
        daemon.metric_until(&restarts, |restarts| restarts >= 1.0).await;
        if !behave.ends_with("_create") {
            // A life says at most three samples before it ends, so this is the second one's.
            let samples = of_feed("tickerd_feed_samples_total", behave);
            daemon.metric_until(&samples, |samples| samples > 3.0).await;
        }
    }
    witness.is_undisturbed().await;
}

#[tokio::test]
async fn feeds_that_end_their_process_take_nothing_along() {
    let cases = [
        ("panic_create", "create was asked to panic"),
        ("panic_poll", "was asked to panic"),
        ("abort", "was killed by SIGABRT"),
        ("segfault", "was killed by SIGSEGV"),
        ("stack_overflow", "was killed by SIGABRT: fatal runtime error: stack overflow, aborting"),
        ("fatal_and_hang", "poll was asked to fail for good"),
        ("exit", "exited with status 3"),
        ("fatal", "poll was asked to fail for good"),
    ];
    they_die(&cases, "process").await;
}

#[tokio::test]
async fn feeds_that_fail_in_process_take_nothing_along() {
    let cases = [
        ("panic_create", "create was asked to panic"),
        ("panic_poll", "was asked to panic"),
        ("fatal", "poll: poll was asked to fail for good"),
        ("fatal_and_hang", "poll: poll was asked to fail for good; its thread does not end"),
    ];
    they_die(&cases, "in-process").await;
}

#[tokio::test]
async fn a_poll_that_fails_for_now_degrades_and_is_not_restarted() {
    for isolation in ["process", "in-process"] {
        let daemon = daemon().feed(steady()).feed(zoo("transient", isolation)).run().await;
        let mut witness = Witness::of(&daemon).await;
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": ["transient.counter"]})).await;
        told(&mut client, "transient", "degraded", "poll was asked to fail for now").await;
        // What it says before it fails still counts, poll after poll.
        let first = client.until("count").await.seq();
        assert!(client.until("count").await.seq() > first);
        assert_eq!(
            daemon.metric(&of_feed("tickerd_feed_restarts_total", "transient")).await.unwrap_or(0.0),
            0.0
        );
        witness.is_undisturbed().await;
    }
}

/// What each says wrong, and under which reason it is refused.
const REFUSED: [(&str, &str); 8] = [
    ("invalid_json", "bad_json"),
    ("invalid_utf8", "bad_json"),
    ("too_deep", "bad_json"),
    ("bad_topic", "bad_topic"),
    ("undeclared_event", "undeclared_event"),
    ("reserved_event", "undeclared_event"),
    ("kind_changed", "kind_changed"),
    ("too_large", "too_large"),
];

fn rejects(feed: &str, reason: &str) -> String {
    format!("tickerd_feed_rejects_total{{feed=\"{feed}\",reason=\"{reason}\"}}")
}

async fn they_are_refused(isolation: &str) {
    let builder = daemon().feed(steady());
    let builder = REFUSED.iter().fold(builder, |builder, (behave, _)| builder.feed(zoo(behave, isolation)));
    let many = zoo("many_topics", isolation).set("topics_max = 20").configured("topics = 50");
    let daemon = builder.feed(many).run().await;
    let mut witness = Witness::of(&daemon).await;
    for (behave, reason) in REFUSED.into_iter().chain([("many_topics", "too_many_topics")]) {
        daemon.metric_until(&rejects(behave, reason), |count| count >= 2.0).await;
        still_counts(&daemon, behave).await;
        daemon.logged_of(behave, &format!(": {reason} ")).await;
    }
    assert_eq!(daemon.metric(&of_feed("tickerd_topics", "many_topics")).await, Some(20.0));
    witness.is_undisturbed().await;
}

/// The feed's good samples arrive, and it is up.
async fn still_counts(daemon: &Daemon, feed: &str) {
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": [format!("{feed}.counter")]})).await;
    let first = client.until("count").await.seq();
    assert!(client.until("count").await.seq() > first, "{feed}");
    let up = format!("tickerd_feed_state{{feed=\"{feed}\",state=\"up\"}}");
    // On a machine that stands still for a moment it is stale until it speaks again.
    daemon.metric_until(&up, |is| is == 1.0).await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_counted_by_reason() {
    they_are_refused("process").await;
}

#[tokio::test]
async fn what_is_wrong_in_process_is_refused_and_counted_by_reason() {
    they_are_refused("in-process").await;
}

/// Goal: a feed that says far more than anyone wants costs itself samples, not the others their ticks nor the daemon its
/// memory. Method: state and event floods beside the steady feed; memory when the flood runs, and again much later.
async fn they_flood(isolation: &str) {
    let flood = |behave| zoo(behave, isolation).set("poll = \"10ms\"").configured("burst = 20000");
    let daemon = daemon().feed(steady()).feed(flood("flood")).feed(flood("flood_events")).run().await;
    let mut witness = Witness::of(&daemon).await;
    let samples = ["flood", "flood_events"].map(|feed| of_feed("tickerd_feed_samples_total", feed));
    for samples in &samples {
        daemon.metric_until(samples, |count| count >= 60_000.0).await;
    }
    let processes = || Process::feeds_of(daemon.pid()).iter().map(Process::resident_kib).sum::<u64>();
    let before = (daemon.resident_kib(), processes());
    for samples in &samples {
        daemon.metric_until(samples, |count| count >= 260_000.0).await;
    }
    witness.is_undisturbed().await;
    let after = (daemon.resident_kib(), processes());
    // 200,000 waiting ticks would be 20 MiB and more, for each of the two.
    let is_bounded = after.0 < before.0 + 16 * 1024 && after.1 < before.1 + 16 * 1024;
    assert!(is_bounded, "the daemon and its feeds had {before:?} KiB, then {after:?} KiB");
    assert!(daemon.metric(&of_feed("tickerd_lane_dropped_total", "flood")).await.unwrap() > 0.0);
}

#[tokio::test]
async fn a_flood_is_merged_and_nobody_else_notices() {
    they_flood("process").await;
}

#[tokio::test]
async fn a_flood_in_process_is_merged_and_nobody_else_notices() {
    they_flood("in-process").await;
}

#[tokio::test]
async fn what_a_plugin_prints_is_log_and_nothing_else() {
    let c = Feed::plugin("c", raw_c("printf").to_str().unwrap()).set("interval = \"50ms\"");
    let daemon = daemon().feed(steady()).feed(zoo("printf", "process")).feed(c).run().await;
    let mut witness = Witness::of(&daemon).await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["printf.**", "c.**"]})).await;
    daemon.logged("noise 2 on stdout").await;
    daemon.logged("noise from C on stderr").await;
    daemon.logged("noise from C, buffered").await;
    for feed in ["printf", "c"] {
        still_counts(&daemon, feed).await;
    }
    client.send(json!({"event": "topics", "data": {"match": "**"}})).await;
    let topics = client.until("topics").await.data["topics"].clone();
    let names: Vec<&str> = topics.as_array().unwrap().iter().map(|t| t["topic"].as_str().unwrap()).collect();
    assert_eq!(names, ["c.counter", "printf.counter", "steady.counter"], "a print was taken for a sample");
    witness.is_undisturbed().await;
}

#[tokio::test]
async fn a_create_without_an_instance_is_tried_again() {
    let null = Feed::plugin("null", raw_c("null_instance").to_str().unwrap());
    let daemon = daemon().feed(steady()).feed(null).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["null.counter"]})).await;
    told(&mut client, "null", "down", "create answered OK but gave no instance").await;
    daemon.metric_until(&of_feed("tickerd_feed_restarts_total", "null"), |count| count >= 1.0).await;
}

/// Goal: a plugin that hands on what `emit` answered need not find words for it.
#[tokio::test]
async fn what_emit_refused_is_the_reason_of_a_poll_that_gives_none() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("hands_on.so");
    let source = r#"
        #include "counter.h"
        static tkr_status poll(tkr_feed *f) {
          tkr_sample s = {.struct_size = sizeof s, .event = "count", .event_len = 5, .value = "{\"n\":NaN}", .value_len = 9};
          return f->host->emit(f->host, &s); }
        static const tkr_feed_type type = {.struct_size = sizeof(tkr_feed_type), .mode = TKR_MODE_POLL,
          .id = "org.tickerd.test.on", .name = "N", .event_types = counter_events, .default_poll_ms = 20,
          .min_poll_ms = 1, .create = counter_create, .poll = poll, .destroy = counter_destroy};
        static const tkr_feed_type *const types[] = {&type};
        static const tkr_plugin plugin = {COUNTER_PLUGIN, .feed_types = types};
        const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }
    "#;
    tickerd_tests::author::compile(&library, source, &[]);
    for isolation in ["process", "in-process"] {
        let feed = Feed::plugin("on", library.to_str().unwrap()).set(&format!("isolation = \"{isolation}\""));
        let daemon = daemon().feed(feed).run().await;
        let why = "degraded: poll: a sample was refused: bad_json: the value is not usable JSON: NaN is no number of JSON, at byte 5";
        daemon.logged_of("on", why).await;
    }
}

#[tokio::test]
async fn a_closed_source_is_told_and_nothing_is_wrong() {
    for isolation in ["process", "in-process"] {
        let daemon = daemon().feed(zoo("closed", isolation)).run().await;
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": ["closed.counter"]})).await;
        told(&mut client, "closed", "closed", "the zoo is closed").await;
        daemon.metric_until("tickerd_feed_state{feed=\"closed\",state=\"closed\"}", |is| is == 1.0).await;
        // Ready is who has spoken, and the feed says first that it is closed.
        daemon.metric_until(&of_feed("tickerd_feed_samples_total", "closed"), |count| count > 0.0).await;
        let (status, body) = daemon.get("/readyz?verbose").await;
        assert!(status == 200 && body.contains("[+]feed closed ok"), "{body}");
    }
}

/// Whether a topic is listed, and the number of another.
async fn lists(client: &mut Client, topic: &str, other: &str) -> (bool, u64) {
    client.send(json!({"event": "topics", "data": {"match": "**"}})).await;
    let topics = client.until("topics").await.data["topics"].clone();
    let find = |name: &str| topics.as_array().unwrap().iter().find(|topic| topic["topic"] == name);
    (find(topic).is_some(), find(other).map_or(0, |topic| topic["seq"].as_u64().unwrap()))
}

#[tokio::test]
async fn topics_come_and_go_as_the_feed_says() {
    for isolation in ["process", "in-process"] {
        let daemon = daemon().chatty().feed(zoo("retire", isolation).set("poll = \"200ms\"")).run().await;
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": ["retire.*"]})).await;
        let (mut brief, mut counter) = (0, 0);
        for _ in 0..2 {
            within("the brief topic", async {
                while !lists(&mut client, "retire.brief", "retire.counter").await.0 {}
            })
            .await;
            let seq = within("its end", async {
                loop {
                    let (listed, seq) = lists(&mut client, "retire.brief", "retire.counter").await;
                    if !listed {
                        return seq;
                    }
                }
            });
            let seq = seq.await;
            assert!(seq > counter, "the other topic goes on");
            counter = seq;
            let tick = within("its next tick", async {
                loop {
                    let tick = client.until("count").await;
                    if tick.topic() == "retire.brief" {
                        return tick.seq();
                    }
                }
            });
            let tick = tick.await;
            assert!(tick > brief, "a topic that comes back counts on above what it had");
            brief = tick;
        }
    }
}

/// Goal: a thread that a plugin leaves behind can do no harm, and ends. Method: threads that emit until they are refused,
/// in an instance that is destroyed at once.
#[tokio::test]
async fn a_stray_thread_speaks_only_while_its_instance_lives() {
    let mut daemon = daemon().feed(steady()).feed(zoo("stray_thread", "in-process")).run().await;
    let mut witness = Witness::of(&daemon).await;
    still_counts(&daemon, "stray_thread").await;
    witness.is_undisturbed().await;
    drop(witness);
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.exit().await.success());
}
