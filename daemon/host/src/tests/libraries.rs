//! Plugin libraries, in process and in a child.

use std::path::PathBuf;

use super::plugin::{in_child, in_process, plugin};
use super::{Bench, SOON, scratch};
use crate::library::load;
use tickerd_model::health::FeedState;
use tickerd_model::sample::Class;

const COUNTING: &str = r#"
    static st poll(feed *f) {
      char v[64]; snprintf(v, sizeof v, "{ \"n\": %ld.50 }", ++f->n);
      if (say(f->h, "a", "quote", v)) abort();
      return say(f->h, "", "trade", "1"); }
    PLUGIN(.mode = 1, .poll = poll)
"#;

fn check_counting(mut bench: Bench) {
    bench.until_values(6);
    let seen = bench.seen.clone();
    assert_eq!(
        (seen[0].topic.as_str(), seen[0].kind.as_str(), seen[0].class),
        ("f.a", "quote", Class::State)
    );
    assert_eq!(
        (seen[0].value.as_str(), seen[0].src_ts),
        (r#"{"n":1.50}"#, 77),
        "digits stay, whitespace goes"
    );
    assert_eq!((seen[1].topic.as_str(), seen[1].kind.as_str(), seen[1].class), ("f", "trade", Class::Event));
    assert_eq!(seen[2].value, r#"{"n":2.50}"#);
    bench.until_state(FeedState::Up, "");
    assert!(bench.supervisor().has_spoken() && !bench.supervisor().has_failed());
    assert!(bench.metrics.samples("f").get() >= 6);
    bench.stop();
    bench.drain();
    assert_eq!(bench.states.last().unwrap().1, "stopped");
}

#[test]
fn a_c_plugin_polls_in_process() {
    let dir = scratch();
    check_counting(Bench::start(in_process(plugin(dir.path(), COUNTING))));
}

#[test]
fn the_same_plugin_polls_in_a_child() {
    let dir = scratch();
    check_counting(Bench::start(in_child(plugin(dir.path(), COUNTING))));
}

const PUSHING: &str = r#"
    static st run(feed *f) {
      printf("noise on standard output\n"); fflush(stdout);
      say(f->h, "a", "quote", "1");
      f->h->retire(f->h, "a", 1);
      f->h->health(f->h, 5, "night", 5);
      while (!f->h->sleep_ms(f->h, 60000)) {}
      return say(f->h, "a", "quote", "2") == -5 ? 0 : -3; }
    PLUGIN(.mode = 2, .run = run)
"#;

fn check_pushing(mut bench: Bench) {
    bench.until_values(2);
    bench.until_state(FeedState::Closed, "night");
    assert_eq!(bench.seen[1].kind, "retired");
    assert!(bench.stop() < SOON, "sleep_ms ends at once");
    assert_eq!(bench.rejects("bad_line"), 0, "what a plugin prints gets between no lines");
    assert_eq!(bench.metrics.restarts("f").get(), 0);
}

#[test]
fn a_push_plugin_closes_retires_and_stops_at_once() {
    let dir = scratch();
    check_pushing(Bench::start(in_process(plugin(dir.path(), PUSHING))));
    check_pushing(Bench::start(in_child(dir.path().join("libplugin.so"))));
}

#[test]
fn bad_samples_are_invalid_and_counted_in_both_isolations() {
    let dir = scratch();
    let path = plugin(
        dir.path(),
        r#"
        static st poll(feed *f) {
          const host *h = f->h; sample s = { sizeof s, 0, 0, 0, "quote", 5, 0, 3, 0 };
          sample small = { 16, 0, 0, 0, "quote", 5, "1", 1, 0 }, flags = { sizeof s, 1, 0, 0, "quote", 5, "1", 1, 0 };
          sample large = { sizeof s, 0, 0, 0, "quote", 5, "1", (size_t)1 << 60, 0 };
          sample newer = { 4096, 0, 0, 0, "quote", 5, "1", 1, 0 };
          int ok = say(h, "a b", "quote", "1") == -4 && say(h, "a", "nope", "1") == -4 && say(h, "a", "quote", "{") == -4
            && h->emit(h, 0) == -4 && h->emit(h, &s) == -4 && h->emit(h, &small) == -4 && h->emit(h, &flags) == -4
            && h->emit(h, &large) == -4 && h->emit(0, &newer) == -4 && h->retire(h, "..", 2) == -4
            && h->emit(h, &newer) == 0 && !h->ext(h, "tickerd.http/1") && h->now(h) > 1700000000000ull;
          return say(h, "ok", "quote", ok ? "true" : "false"); }
        PLUGIN(.mode = 1, .poll = poll, .default_poll = 60000)
        "#,
    );
    for spec in [in_process(path.clone()), in_child(path)] {
        let mut bench = Bench::start(spec);
        bench.until_values(2);
        assert_eq!(bench.values(), ["1", "true"]);
        bench.until("counts", |bench| bench.rejects("bad_topic") == 2);
        let counts =
            ["undeclared_event", "bad_json", "bad_argument", "too_large"].map(|reason| bench.rejects(reason));
        assert_eq!(counts, [1, 1, 4, 1]);
    }
}

#[test]
fn libraries_that_are_no_plugins_are_configuration_errors() {
    let dir = scratch();
    let text = dir.path().join("text.so");
    std::fs::write(&text, "not a library").unwrap();
    let broken = |code: &str| {
        let sub = dir.path().join(format!("{}", code.len()));
        std::fs::create_dir_all(&sub).unwrap();
        plugin(&sub, code)
    };
    let cases: [(PathBuf, &str); 8] = [
        (dir.path().join("missing.so"), "there is no plugin file"),
        (text, "cannot be loaded"),
        (broken("int other_entry(void) { return 1; }"), "is a library but no tickerd plugin"),
        (broken("PLUGIN(.mode = 1)"), "a poll feed without `poll`"),
        (broken("static st p(feed *f) { return 0; } PLUGIN(.mode = 9, .poll = p)"), "mode 9"),
        (
            broken("static st p(feed *f) { return 0; } PLUGIN(.mode = 1, .poll = p, .id = \"\\xff\")"),
            "not UTF-8",
        ),
        (broken("const tkr_plugin *tickerd_plugin_v1(void) { return 0; }"), "answered NULL"),
        (
            broken(
                "static const tkr_plugin me = { 4096, 7, 7, 1, 0, \"9.1\", 0 };
                 const tkr_plugin *tickerd_plugin_v1(void) { return &me; }",
            ),
            concat!(
                "9.1 needs tickerd ABI 1.7, and this is tickerd ",
                env!("CARGO_PKG_VERSION"),
                " with ABI 1.0: upgrade tickerd"
            ),
        ),
    ];
    for (path, says) in cases {
        let error = load::load(&path, None).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let mut bench = Bench::start(in_process(dir.path().join("missing.so")));
    bench.until_state(FeedState::Down, "waits for a changed configuration, and tries again in 10 min");
    assert!(bench.supervisor().has_failed());
    assert!(bench.stop() < SOON);
}

#[test]
fn larger_and_smaller_descriptors_load() {
    let dir = scratch();
    let code = r#"
        static st p(feed *f) { return 0; }
        static struct { event_type e; long later[9]; } big = { { sizeof big, 2, "trade", 0, 0 }, { 1 } };
        static const event_type small = { 16, 1, "quote", (char *)1, (char *)1 };
        static const event_type *const mixed[] = { &big.e, &small, 0 };
        PLUGIN(.mode = 1, .poll = p, .events = mixed, .size = 120, .ext = (void *)1, .min_poll = 30)
    "#;
    let kind = load::load(&plugin(dir.path(), code), None).unwrap();
    assert_eq!(kind.events, [("trade".into(), Class::Event), ("quote".into(), Class::State)]);
    assert_eq!(
        (kind.id.as_str(), kind.version.as_str(), kind.min_poll_ms),
        ("org.example.test", "0.3.0", 30)
    );
}

#[test]
fn failing_calls_degrade_restart_or_wait_by_their_status() {
    let dir = scratch();
    let failing = |status: &str| {
        let sub = dir.path().join(status);
        std::fs::create_dir_all(&sub).unwrap();
        let code = format!(
            "static st poll(feed *f) {{ if (f->n++ == 1) return 0; fault(f->h, \"because {status}\"); return {status}; }}
             PLUGIN(.mode = 1, .poll = poll)"
        );
        plugin(&sub, &code)
    };
    let mut transient = Bench::start(in_process(failing("-2")));
    transient.until_state(FeedState::Degraded, "poll: because -2");
    transient.until_state(FeedState::Up, "");
    assert_eq!(transient.metrics.restarts("f").get(), 0, "the instance is kept");
    assert!(transient.supervisor().has_failed());

    let mut panicking = Bench::start(in_process(failing("-6")));
    panicking.until_state(FeedState::Down, "poll: because -6; starts again in");
    panicking.until("restarts", |bench| bench.metrics.restarts("f").get() >= 2);

    for spec in [in_process(failing("-1")), in_child(dir.path().join("-1/libplugin.so"))] {
        let mut wrong = Bench::start(spec);
        wrong.until_state(FeedState::Down, "poll: because -1; waits for a changed configuration");
        assert_eq!(wrong.metrics.restarts("f").get(), 0);
    }
}

#[test]
fn a_crashing_plugin_takes_only_its_child_along() {
    let dir = scratch();
    let code = r#"
        static st run(feed *f) { say(f->h, "a", "quote", "1"); f->h->sleep_ms(f->h, 50); *(volatile int *)8 = 1; return 0; }
        PLUGIN(.mode = 2, .run = run)
    "#;
    let mut bench = Bench::start(in_child(plugin(dir.path(), code)));
    bench.until_state(FeedState::Down, "was killed by SIGSEGV");
    bench.until_values(2);
}
