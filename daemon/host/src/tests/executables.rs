//! Scripts as feeds, and how their processes start and end.

use std::time::{Duration, Instant};

use super::process::until_gone;
use super::{Bench, PATIENCE, SOON, scratch, shell, spec};
use crate::report::Fault;
use crate::{Policy, Source, Spec};
use tickerd_model::health::FeedState;
use tickerd_model::lane::LANE_TICKS_MAX;
use tickerd_model::sample::Class;

#[test]
fn two_lines_of_shell_are_a_feed() {
    let mut bench = Bench::start(shell(
        r#"
        echo '{"topic":"AAPL","event":"quote","data":{"price": "189.30"}}'
        echo '{"event":"trade","class":"event","data":189.30,"ts":1767225600000}'
        read setup; echo "{\"topic\":\"setup\",\"event\":\"quote\",\"data\":$setup}"
        exec cat >/dev/null"#,
    ));
    bench.until_values(3);
    let seen = &bench.seen;
    assert_eq!((seen[0].topic.as_str(), seen[0].value.as_str()), ("f.AAPL", r#"{"price":"189.30"}"#));
    assert_eq!((seen[1].topic.as_str(), seen[1].class), ("f", Class::Event));
    assert_eq!((seen[1].value.as_str(), seen[1].src_ts), ("189.30", 1_767_225_600_000));
    assert!(seen[2].value.contains(r#""instance":"f","interval_ms":50,"topics_max":100,"config":{}"#));
    bench.until_state(FeedState::Up, "");
    assert!(bench.stop() < SOON, "closing its input is enough");
}

#[test]
fn a_script_may_be_polled() {
    let mut bench = Bench::start(shell(
        r#"
        read setup
        echo '{"tfp":1,"feed":"x","version":"1","mode":"poll","events":{"trade":"event"},"default_poll_ms":20}'
        n=0
        while read order; do
          case $order in
            *stop*) exit 0;;
            *poll*) n=$((n+1)); echo "{\"event\":\"trade\",\"data\":$n}"; echo "{\"done\":$n}";;
          esac
        done"#,
    ));
    bench.until_values(3);
    assert_eq!(bench.values()[..3], ["1", "2", "3"]);
    assert!(bench.seen.iter().all(|seen| seen.class == Class::Event), "the hello says the class");
    bench.stop();
}

#[test]
fn exits_are_told_with_their_last_words() {
    let cases = [
        ("echo gone wrong >&2; exit 3", Fault::Transient, "exited with status 3: gone wrong"),
        ("kill -9 $$", Fault::Transient, "was killed by SIGKILL"),
        ("exit 0", Fault::Transient, "it ended of itself"),
        ("echo '<3>set symbols' >&2; exit 78", Fault::Config, "exited with status 78: set symbols"),
        (r#"echo '{"fail":"config","msg":"set symbols"}'; exec cat"#, Fault::Config, "set symbols"),
        (r#"echo '{"fail":"later","msg":"no network"}'"#, Fault::Transient, "no network"),
        (r#"echo '{"tfp":2}'; exec cat"#, Fault::Config, "or use a version of the program that speaks tfp/1"),
    ];
    for (script, fault, says) in cases {
        let mut bench = Bench::start(shell(script));
        bench.until_state(FeedState::Down, &format!("{says}; "));
        let then =
            if fault == Fault::Config { "waits for a changed configuration" } else { "starts again in" };
        bench.until_state(FeedState::Down, then);
        if fault == Fault::Transient {
            bench.until("restart", |bench| bench.metrics.restarts("f").get() >= 1);
        }
    }
}

#[test]
fn what_cannot_run_is_a_configuration_error() {
    let dir = scratch();
    std::fs::write(dir.path().join("feed.sh"), "#!/bin/sh\n").unwrap();
    for (program, says) in [("./missing.sh", "there is no such file"), ("./feed.sh", "chmod +x")] {
        let argv = vec![program.into()];
        let spec = Spec { working_dir: dir.path().into(), ..spec(Source::Exec(argv)) };
        Bench::start(spec).until_state(FeedState::Down, says);
    }
}

#[test]
fn garbage_is_counted_and_what_follows_is_read() {
    let mut bench = Bench::start(shell(
        r#"
        head -c 3000 /dev/urandom; echo
        head -c 400000 /dev/zero | tr '\0' x; echo
        echo '{"event":"quote"}'; echo; echo '{"later":"version"}'
        echo '{"event":"quote","data":"after"}'
        exec cat"#,
    ));
    bench.until_values(1);
    assert_eq!(bench.values(), [r#""after""#]);
    assert_eq!(bench.rejects("long_line"), 1);
    assert!(bench.rejects("bad_line") >= 2);
    assert_eq!(bench.metrics.restarts("f").get(), 0);
}

#[test]
fn nothing_but_garbage_is_started_anew() {
    let mut bench = Bench::start(shell("yes"));
    bench.until_state(FeedState::Down, "100 lines in a row made no sense; the last: not a line of a feed");
}

/// Goal: a flood costs neither memory nor the newest value, and what is merged is counted.
#[test]
fn a_flood_is_merged() {
    let mut bench = Bench::start(shell(
        r#"awk 'BEGIN { for (n = 1; n <= 60000; n++) print "{\"topic\":\"a\",\"event\":\"quote\",\"data\":" n "}" }'; exec cat"#,
    ));
    let samples = |bench: &Bench| bench.metrics.samples("f").get();
    let deadline = Instant::now() + PATIENCE;
    // Nobody drains the lane meanwhile.
    while samples(&bench) < 60_000 {
        assert!(Instant::now() < deadline);
        bench.bell.nap(bench.bell.rung());
    }
    bench.drain();
    assert_eq!(bench.seen.len(), LANE_TICKS_MAX);
    assert_eq!(bench.seen.last().unwrap().value, "60000");
    assert_eq!(bench.seen.iter().map(|seen| 1 + seen.merged).sum::<u64>(), 60_000);
    assert_eq!(bench.metrics.dropped("f").get(), 60_000 - LANE_TICKS_MAX as u64);
}

#[test]
fn a_stubborn_process_and_its_children_end_by_force() {
    let dir = scratch();
    let pids = dir.path().join("pids");
    let script = format!(
        r#"trap '' TERM; sleep 1000 & echo $! $$ >{}; echo '{{"event":"quote","data":1}}'; while :; do wait; done"#,
        pids.display()
    );
    let mut bench = Bench::start(shell(&script));
    bench.until_values(1);
    let took = bench.stop();
    assert!(took >= Duration::from_millis(600), "asked first, then told, then killed: {took:?}");
    assert!(took < SOON, "{took:?}");
    for pid in std::fs::read_to_string(&pids).unwrap().split_whitespace() {
        until_gone(pid);
    }
}

#[test]
fn a_join_past_its_deadline_kills() {
    let mut spec = shell(r#"trap '' TERM; echo '{"event":"quote","data":1}'; while :; do sleep 1000; done"#);
    spec.policy = Policy { stop_grace: PATIENCE, ..Policy::default() };
    let mut bench = Bench::start(spec);
    bench.until_values(1);
    let began = Instant::now();
    bench.supervisor.take().unwrap().join(began);
    assert!(began.elapsed() < SOON);
}

#[test]
fn a_feeds_environment_is_not_the_daemons() {
    let mut bench = Bench::start(shell(
        r#"echo "{\"event\":\"quote\",\"data\":\"$CARGO_MANIFEST_DIR|${PATH:+path}\"}"; exec cat"#,
    ));
    bench.until_values(1);
    assert_eq!(bench.values(), [r#""|path""#]);
}

#[test]
fn metrics_say_the_state() {
    let mut bench = Bench::start(shell(r#"echo '{"event":"quote","data":1}'; exec cat"#));
    bench.until_state(FeedState::Up, "");
    let registry = prometheus::Registry::new();
    bench.metrics.register(&registry).unwrap();
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    assert!(text.contains(r#"tickerd_feed_state{feed="f",state="up"} 1"#), "{text}");
    assert!(text.contains(r#"tickerd_feed_state{feed="f",state="down"} 0"#), "{text}");
    assert!(text.contains(r#"tickerd_feed_samples_total{feed="f"} 1"#), "{text}");
}

#[test]
fn a_feed_that_keeps_changing_its_mind_is_slowed_down() {
    let mut bench = Bench::start(shell(
        r#"i=0; while [ $i -lt 500 ]; do echo '{"health":"degraded","msg":"a"}'; echo '{"health":"up"}'; i=$((i+1)); done
        echo '{"health":"closed","msg":"last"}'; exec cat"#,
    ));
    let began = Instant::now();
    bench.until_state(FeedState::Closed, "last");
    let allowed = 12 + began.elapsed().as_secs() as usize;
    assert!(bench.states.len() <= allowed, "{} of {allowed}", bench.states.len());
}
