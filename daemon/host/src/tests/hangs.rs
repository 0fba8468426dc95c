//! Feeds that hang: polls, pushes and starts that do not come back, in process and in a child.

use std::time::{Duration, Instant};

use super::plugin::{in_child, in_process, plugin};
use super::{Bench, SOON, quick, scratch, shell};
use crate::{Policy, Spec};
use tickerd_model::health::FeedState;

const HANGING: &str = r#"
    static st poll(feed *f) { say(f->h, "a", "quote", "1"); for (;;) pause(); }
    PLUGIN(.mode = 1, .poll = poll)
"#;

/// For feeds that hang for ever, so that the outcome does not depend on how fast the machine is.
fn impatient(spec: Spec) -> Spec {
    with_limit(spec, Duration::from_millis(200))
}

/// For feeds that return in time: the limit is far more than they take, on a busy machine too.
fn patient(spec: Spec) -> Spec {
    with_limit(spec, Duration::from_secs(4))
}

fn with_limit(spec: Spec, limit: Duration) -> Spec {
    let policy =
        Policy { poll_deadline_min: limit, poll_deadline_max: limit, heartbeat: Some(limit), ..quick() };
    Spec { policy, ..spec }
}

#[test]
fn a_hung_poll_goes_stale_then_wedged_and_holds_up_nobody() {
    let dir = scratch();
    let mut bench = Bench::start(impatient(in_process(plugin(dir.path(), HANGING))));
    bench.until_state(FeedState::Stale, "poll has not returned");
    bench.until_state(FeedState::Down, "wedged");
    assert!(bench.stop() < SOON);
}

#[test]
fn a_hung_poll_in_a_child_is_killed_and_started_anew() {
    let dir = scratch();
    let mut bench = Bench::start(impatient(in_child(plugin(dir.path(), HANGING))));
    bench.until_state(FeedState::Down, "poll has not returned for 400 ms; killed; starts again");
    bench.until_values(2);
    assert!(bench.stop() < SOON);
}

#[test]
fn an_interrupted_poll_is_well_again() {
    let dir = scratch();
    let code = r#"
        static volatile int rung;
        static st poll(feed *f) {
          if (f->n++) return say(f->h, "a", "quote", "2");
          while (!rung) usleep(1000);
          fault(f->h, "interrupted"); return -2; }
        static void interrupt(feed *f) { rung = 1; }
        PLUGIN(.mode = 1, .poll = poll, .interrupt = interrupt)
    "#;
    let path = plugin(dir.path(), code);
    for spec in [in_process(path.clone()), in_child(path)] {
        let mut bench = Bench::start(patient(spec));
        bench.until_values(1);
        bench.until_state(FeedState::Degraded, "poll: interrupted");
        bench.until_state(FeedState::Up, "");
        assert_eq!(bench.metrics.restarts("f").get(), 0);
    }
}

#[test]
fn a_silent_library_child_is_killed_at_the_hello_deadline() {
    let dir = scratch();
    let path = plugin(
        dir.path(),
        "static st p(feed *f) { return 0; }
         static st slow(const host *h, const char *c, size_t n, feed **out) { for (;;) pause(); }
         PLUGIN(.mode = 1, .poll = p, .create = slow)",
    );
    for (mut spec, says) in [
        (in_child(path.clone()), "it was not ready within 300 ms of its start; killed"),
        (in_process(path), "wedged: it was not ready within 300 ms"),
    ] {
        spec.policy.hello = Duration::from_millis(300);
        Bench::start(spec).until_state(FeedState::Down, says);
    }
}

fn of_the_sdk(code: &str) -> String {
    format!("#undef SDK\n#define SDK \"tickerd-sdk 1.4\"\n{code}")
}

const SILENT: &str = r#"
    static st run(feed *f) { say(f->h, "a", "quote", "1"); for (;;) pause(); }
    PLUGIN(.mode = 2, .run = run)
"#;

#[test]
fn a_silent_push_feed_goes_stale_then_wedged_or_is_killed() {
    let dir = scratch();
    let path = plugin(dir.path(), &of_the_sdk(SILENT));
    let mut bench = Bench::start(impatient(in_process(path.clone())));
    bench.until_state(FeedState::Stale, "no sign of life for 200 ms");
    bench.until_state(FeedState::Down, "wedged: no sign of life for 400 ms");
    assert!(bench.stop() < SOON);

    let mut bench = Bench::start(impatient(in_child(path)));
    bench.until_state(FeedState::Stale, "no sign of life for 200 ms");
    bench.until_state(
        FeedState::Down,
        "no sign of life for 400 ms, twice its `heartbeat`; killed; starts again",
    );
    bench.until_values(2);
    assert!(bench.stop() < SOON);
}

#[test]
fn an_interrupted_push_feed_is_well_again() {
    let dir = scratch();
    let code = r#"
        static volatile int rung;
        static st run(feed *f) {
          say(f->h, "a", "quote", "1"); while (!rung) usleep(1000);
          while (!f->h->should_stop(f->h)) usleep(1000);
          return 0; }
        static void interrupt(feed *f) { rung = 1; }
        PLUGIN(.mode = 2, .run = run, .interrupt = interrupt)
    "#;
    let path = plugin(dir.path(), &of_the_sdk(code));
    for spec in [in_process(path.clone()), in_child(path)] {
        let mut bench = Bench::start(patient(spec));
        bench.until_state(FeedState::Stale, "no sign of life for 4.0 s");
        bench.until_state(FeedState::Up, "");
        assert_eq!(bench.metrics.restarts("f").get(), 0);
    }
}

/// Goal: what a feed does besides emitting counts as life. Method: all at once, each for longer than the limit.
#[test]
fn sleeping_asking_and_saying_it_are_signs_of_life() {
    let ways = [
        "f->h->sleep_ms(f->h, 9000);",
        "for (int i = 0; i < 900 && !f->h->should_stop(f->h); i++) usleep(10000);",
        "for (int i = 0; i < 90; i++) { f->h->heartbeat(f->h); usleep(100000); }",
        "for (int i = 0; i < 90; i++) { f->h->log(f->h, 4, \"x\", 1); usleep(100000); }",
        "for (int i = 0; i < 90; i++) { say(f->h, \"a b\", \"quote\", \"1\"); usleep(100000); }",
    ];
    let dirs: Vec<_> = ways.iter().map(|_| scratch()).collect();
    let mut benches: Vec<Bench> = Vec::new();
    for (way, dir) in ways.iter().zip(&dirs) {
        let code = format!(
            "static st run(feed *f) {{ say(f->h, \"a\", \"quote\", \"1\"); {way} say(f->h, \"a\", \"quote\", \"2\");
               while (!f->h->sleep_ms(f->h, 60000)) {{}} return 0; }}
             PLUGIN(.mode = 2, .run = run)"
        );
        let path = plugin(dir.path(), &of_the_sdk(&code));
        benches.extend([in_process(path.clone()), in_child(path)].map(|spec| Bench::start(patient(spec))));
    }
    let script = r#"echo '{"tfp":1,"features":["heartbeat"]}'; echo '{"event":"quote","data":1}'
        i=0; while [ $i -lt 18 ]; do sleep 0.5; echo '{"heartbeat":true}'; i=$((i+1)); done
        echo '{"event":"quote","data":2}'; exec cat"#;
    benches.push(Bench::start(patient(shell(script))));
    for (n, bench) in benches.iter_mut().enumerate() {
        bench.until_values(2);
        assert_eq!(bench.values()[1], "2");
        let stale = bench.states.iter().find(|(state, _)| *state == FeedState::Stale);
        assert!(stale.is_none(), "case {n}: {stale:?}");
    }
}

#[test]
fn a_feed_that_promised_no_signs_of_life_may_be_silent() {
    let dir = scratch();
    let code = r#"
        static st run(feed *f) { say(f->h, "a", "quote", "1"); usleep(1000000); say(f->h, "a", "quote", "2"); for (;;) pause(); }
        PLUGIN(.mode = 2, .run = run)
    "#;
    let path = plugin(dir.path(), code);
    let script = r#"echo '{"tfp":1}'; echo '{"event":"quote","data":1}'; sleep 1; echo '{"event":"quote","data":2}'; exec cat"#;
    let mut benches =
        [in_process(path.clone()), in_child(path), shell(script)].map(|spec| Bench::start(impatient(spec)));
    for bench in &mut benches {
        bench.until_values(2);
        assert_eq!(bench.values(), ["1", "2"]);
        assert!(bench.states.iter().all(|(state, _)| *state != FeedState::Stale), "{:?}", bench.states);
    }
}

#[test]
fn a_silent_program_that_promised_signs_of_life_is_killed() {
    let script =
        r#"echo '{"tfp":1,"features":["heartbeat"]}'; echo '{"event":"quote","data":1}'; exec sleep 600"#;
    let mut bench = Bench::start(impatient(shell(script)));
    bench.until_state(FeedState::Stale, "no sign of life for 200 ms");
    bench.until_state(
        FeedState::Down,
        "no sign of life for 400 ms, twice its `heartbeat`; killed; starts again",
    );
}

/// Goal: an instance that hangs in `destroy` or `interrupt` is waited for only a bounded time. Method: a poll that fails for
/// ever, so that a new instance is started.
#[test]
fn a_hanging_destroy_or_interrupt_does_not_keep_the_next_life_away() {
    for call in ["destroy", "interrupt"] {
        let dir = scratch();
        let hang = format!("static void hang_{call}(feed *f) {{ for (;;) pause(); }}");
        let code = format!(
            "static st poll(feed *f) {{ say(f->h, \"a\", \"quote\", \"1\"); fault(f->h, \"gone\"); return -3; }}
             {hang} PLUGIN(.mode = 1, .poll = poll, .{call} = hang_{call})"
        );
        let path = plugin(dir.path(), &code);
        let mut bench = Bench::start(in_child(path.clone()));
        bench.until_state(FeedState::Down, "poll: gone; starts again");
        bench.until_values(2);

        let mut bench = Bench::start(in_process(path));
        bench.until_state(FeedState::Down, "poll: gone; its thread does not end; starts again");
        bench.until_values(2);
        let began = Instant::now();
        bench.stop();
        assert!(began.elapsed() < SOON);
    }
}

#[test]
fn hanging_exit_handlers_are_killed() {
    let dir = scratch();
    let code = r#"
        static void hang(void) { for (;;) pause(); }
        static st run(feed *f) { atexit(hang); say(f->h, "a", "quote", "1"); return 0; }
        PLUGIN(.mode = 2, .run = run)
    "#;
    let mut bench = Bench::start(in_child(plugin(dir.path(), code)));
    let says = "was killed by SIGKILL: exit handlers did not return within 2 s; starts again";
    bench.until_state(FeedState::Down, says);
}
