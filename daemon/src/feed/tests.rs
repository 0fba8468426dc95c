//! Real feeds against the plugin host: C plugins built on the spot, shell scripts, and everything that can go wrong.
//!
//! Nothing here sleeps to wait: tests wait on what the supervisor tells, with a deadline.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::report::Fault;
use super::*;
use crate::model::lane::{Entry, FeedState, LANE_TICKS_MAX};
use crate::model::sample::Class;

const PATIENCE: Duration = Duration::from_secs(20);

/// A feed under test: its supervisor, and everything it told, in order.
struct Bench {
    supervisor: Option<Supervisor>,
    lane: Arc<Lane>,
    metrics: Arc<Metrics>,
    bell: Arc<Bell>,
    seen: Vec<Seen>,
    states: Vec<(FeedState, String)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Seen {
    topic: String,
    kind: String,
    class: Class,
    value: String,
    src_ts: u64,
    merged: u64,
}

/// Rings when something changed.
#[derive(Default)]
struct Bell {
    rung: Mutex<u64>,
    ring: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() += 1;
        self.ring.notify_all();
    }
}

impl Bench {
    fn start(spec: Spec) -> Bench {
        let bell = Arc::new(Bell::default());
        let (woken, changed) = (bell.clone(), bell.clone());
        let lane = Arc::new(Lane::new(LANE_TICKS_MAX, Box::new(move || woken.ring())));
        let metrics = Arc::new(Metrics::new());
        let supervisor = start(spec, lane.clone(), metrics.clone(), Box::new(move || changed.ring()));
        Bench { supervisor: Some(supervisor), lane, metrics, bell, seen: Vec::new(), states: Vec::new() }
    }

    fn supervisor(&self) -> &Supervisor {
        self.supervisor.as_ref().unwrap()
    }

    /// Drains the lane until `found` says so. Wakes come at half a lane and at every change; between them, a short nap.
    fn until(&mut self, what: &str, found: impl Fn(&Bench) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rung = *self.bell.rung.lock().unwrap();
            self.drain();
            if found(self) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{what}: waited in vain; {:?} {:?}",
                self.states,
                self.seen.last()
            );
            let guard = self.bell.rung.lock().unwrap();
            let nap = Duration::from_millis(10);
            drop(self.bell.ring.wait_timeout_while(guard, nap, |now| *now == rung).unwrap());
        }
    }

    fn drain(&mut self) {
        let drained = self.lane.drain();
        if let Some(health) = drained.health {
            self.states.push((health.state, health.reason));
        }
        for entry in drained.entries {
            self.seen.push(match entry {
                Entry::Tick(tick) => Seen {
                    topic: tick.topic.name().into(),
                    kind: tick.topic.kind().into(),
                    class: tick.topic.class(),
                    value: String::from_utf8(tick.value.into()).unwrap(),
                    src_ts: tick.src_ts,
                    merged: tick.merged,
                },
                Entry::Retire(topic) => Seen {
                    topic: topic.name().into(),
                    kind: "retired".into(),
                    class: topic.class(),
                    value: String::new(),
                    src_ts: 0,
                    merged: 0,
                },
            });
        }
    }

    fn until_state(&mut self, state: FeedState, reason: &str) {
        self.until(&format!("{state:?} {reason}"), |bench| {
            let health = bench.supervisor().health();
            let told = bench.states.iter().any(|(s, r)| *s == state && r.contains(reason));
            told || (health.state == state && health.reason.contains(reason))
        });
    }

    fn until_values(&mut self, count: usize) {
        self.until(&format!("{count} values"), |bench| bench.seen.len() >= count);
    }

    fn values(&self) -> Vec<&str> {
        self.seen.iter().map(|seen| seen.value.as_str()).collect()
    }

    /// Stops it and says how long that took.
    fn stop(&mut self) -> Duration {
        let began = Instant::now();
        self.supervisor.take().unwrap().join(Instant::now() + PATIENCE);
        began.elapsed()
    }

    fn rejects(&self, reason: &'static str) -> u64 {
        self.metrics.rejects("f", reason).get()
    }
}

fn quick() -> Limits {
    Limits {
        restart_first: Duration::from_millis(20),
        restart_max: Duration::from_millis(100),
        stop_grace: Duration::from_millis(300),
        term_grace: Duration::from_millis(300),
        ..Limits::default()
    }
}

fn spec(source: Source) -> Spec {
    Spec {
        name: "f".into(),
        source,
        interval: Duration::from_millis(50),
        poll: None,
        config: serde_json::json!({}),
        topics_max: 100,
        working_dir: std::env::temp_dir(),
        program: PathBuf::from("/nonexistent"),
        limits: quick(),
    }
}

fn shell(script: &str) -> Spec {
    spec(Source::Exec { argv: vec!["sh".into(), "-c".into(), script.into()] })
}

/// Builds a C plugin whose body is `code`, after the header.
fn plugin(dir: &Path, code: &str) -> PathBuf {
    let header = r#"
        #include <stdint.h>
        #include <stddef.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        typedef int32_t st;
        typedef struct { uint32_t size, flags; const char *topic; size_t topic_len; const char *event; size_t event_len;
          const char *value; size_t value_len; uint64_t ts; } sample;
        typedef struct { uint32_t size, cls; const char *name, *description, *schema; } event_type;
        typedef struct host { uint32_t size, minor; const char *version, *instance;
          st (*emit)(const struct host *, const sample *);
          void (*log)(const struct host *, int32_t, const char *, size_t);
          void (*set_error)(const struct host *, const char *, size_t);
          int32_t (*should_stop)(const struct host *);
          void (*heartbeat)(const struct host *);
          void (*health)(const struct host *, int32_t, const char *, size_t);
          st (*retire)(const struct host *, const char *, size_t);
          uint64_t (*now)(const struct host *);
          int32_t (*sleep_ms)(const struct host *, uint64_t);
          const void *(*ext)(const struct host *, const char *); } host;
        typedef struct feed { const host *h; long n; } feed;
        typedef struct { uint32_t size, mode; const char *id, *name, *description, *vendor, *license, *homepage, *schema;
          const event_type *const *events; uint32_t default_poll, min_poll;
          st (*create)(const host *, const char *, size_t, feed **); st (*poll)(feed *); st (*run)(feed *);
          void (*interrupt)(feed *); void (*destroy)(feed *); const void *(*ext)(feed *, const char *); } feed_type;
        typedef struct { uint32_t size, minor, min_host, count; const feed_type *const *types;
          const char *version, *sdk; } tkr_plugin;
        static st say(const host *h, const char *topic, const char *event, const char *value) {
          sample s = { sizeof s, 0, topic, strlen(topic), event, strlen(event), value, strlen(value), 77 };
          return h->emit(h, &s); }
        static void fault(const host *h, const char *text) { h->set_error(h, text, strlen(text)); }
        static st create(const host *h, const char *c, size_t n, feed **out) {
          feed *f = calloc(1, sizeof *f); f->h = h; *out = f; return 0; }
        static void destroy(feed *f) { free(f); }
        static const event_type quote = { sizeof(event_type), 1, "quote", "q", 0 };
        static const event_type trade = { sizeof(event_type), 2, "trade", "t", 0 };
        static const event_type *const events[] = { &quote, &trade, 0 };
        #define PLUGIN(...) \
          static const feed_type type = { .size = sizeof(feed_type), .id = "org.example.test", .name = "test", \
            .description = "d", .events = events, .create = create, .destroy = destroy, .default_poll = 20, __VA_ARGS__ }; \
          static const feed_type *const types[] = { &type }; \
          static const tkr_plugin me = { sizeof(tkr_plugin), 0, 0, 1, types, "0.3.0", "c" }; \
          const tkr_plugin *tickerd_plugin_v1(void) { return &me; }
    "#;
    let (source, library) = (dir.join("plugin.c"), dir.join("libplugin.so"));
    std::fs::write(&source, format!("{header}\n{code}")).unwrap();
    let out = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wno-initializer-overrides", "-o"])
        .args([&library, &source])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    library
}

fn in_process(path: PathBuf) -> Spec {
    spec(Source::Library { path, isolation: Isolation::InProcess })
}

/// A library in a child: a script stands in for `tickerd`, and turns into this test binary's [`feed_host_child`].
fn in_child(dir: &Path, path: PathBuf) -> Spec {
    let program = dir.join("tickerd");
    let me = std::env::current_exe().unwrap();
    let script = format!(
        "#!/bin/sh\nTICKERD_TEST_FEED=\"$3\" TICKERD_TEST_PLUGIN=\"$4\" exec {} --exact feed::tests::feed_host_child \
         --nocapture -q\n",
        me.display()
    );
    std::fs::write(&program, script).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&program).status().unwrap().success());
    Spec { program, ..spec(Source::Library { path, isolation: Isolation::Process }) }
}

/// Not a test of its own: what [`in_child`] runs.
#[test]
fn feed_host_child() {
    if let (Ok(feed), Some(path)) =
        (std::env::var("TICKERD_TEST_FEED"), std::env::var_os("TICKERD_TEST_PLUGIN"))
    {
        crate::cli::feed_host::run(&feed, Path::new(&path));
    }
}

fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}

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
    check_counting(Bench::start(in_child(dir.path(), plugin(dir.path(), COUNTING))));
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

fn check_pushing(mut bench: Bench, bad_lines: u64) {
    bench.until_values(2);
    bench.until_state(FeedState::Closed, "night");
    assert_eq!(bench.seen[1].kind, "retired");
    assert!(bench.stop() < Duration::from_secs(5), "sleep_ms ends at once");
    assert!(bench.rejects("bad_line") <= bad_lines, "what a plugin prints gets between no lines");
    assert_eq!(bench.metrics.restarts("f").get(), 0);
}

#[test]
fn a_push_plugin_closes_retires_and_stops_at_once() {
    let dir = scratch();
    check_pushing(Bench::start(in_process(plugin(dir.path(), PUSHING))), 0);
    // The test harness that stands in for tickerd prints a line of its own.
    check_pushing(Bench::start(in_child(dir.path(), dir.path().join("libplugin.so"))), 1);
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
    for spec in [in_process(path.clone()), in_child(dir.path(), path)] {
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
            "9.1 needs tickerd ABI 1.7, this tickerd offers 1.0: upgrade tickerd",
        ),
    ];
    for (path, says) in cases {
        let error = library::load(&path).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let mut bench = Bench::start(in_process(dir.path().join("missing.so")));
    bench.until_state(FeedState::Down, "waits for a changed configuration, and tries again in 600");
    assert!(bench.supervisor().has_failed());
    assert!(bench.stop() < Duration::from_secs(5));
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
    let kind = library::load(&plugin(dir.path(), code)).unwrap();
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

    for spec in [in_process(failing("-1")), in_child(dir.path(), dir.path().join("-1/libplugin.so"))] {
        let mut wrong = Bench::start(spec);
        wrong.until_state(FeedState::Down, "poll: because -1; waits for a changed configuration");
        assert_eq!(wrong.metrics.restarts("f").get(), 0);
    }
}

const HANGING: &str = r#"
    static st poll(feed *f) { say(f->h, "a", "quote", "1"); for (;;) pause(); }
    PLUGIN(.mode = 1, .poll = poll)
"#;

fn impatient(spec: Spec) -> Spec {
    let short = Duration::from_millis(200);
    Spec { limits: Limits { poll_deadline_min: short, poll_deadline_max: short, ..quick() }, ..spec }
}

#[test]
fn a_hung_poll_goes_stale_then_wedged_and_holds_up_nobody() {
    let dir = scratch();
    let mut bench = Bench::start(impatient(in_process(plugin(dir.path(), HANGING))));
    bench.until_state(FeedState::Stale, "poll has not returned");
    bench.until_state(FeedState::Down, "wedged");
    assert!(bench.stop() < Duration::from_secs(3));
}

#[test]
fn a_hung_poll_in_a_child_is_killed_and_started_anew() {
    let dir = scratch();
    let mut bench = Bench::start(impatient(in_child(dir.path(), plugin(dir.path(), HANGING))));
    bench.until_state(FeedState::Down, "poll has not returned for 400 ms; killed; starts again");
    bench.until_values(2);
    assert!(bench.stop() < Duration::from_secs(3));
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
    for spec in [in_process(path.clone()), in_child(dir.path(), path)] {
        let mut bench = Bench::start(impatient(spec));
        bench.until_values(1);
        bench.until_state(FeedState::Degraded, "poll: interrupted");
        bench.until_state(FeedState::Up, "");
        assert_eq!(bench.metrics.restarts("f").get(), 0);
    }
}

#[test]
fn a_crashing_plugin_takes_only_its_child_along() {
    let dir = scratch();
    let code = r#"
        static st run(feed *f) { say(f->h, "a", "quote", "1"); f->h->sleep_ms(f->h, 50); *(volatile int *)8 = 1; return 0; }
        PLUGIN(.mode = 2, .run = run)
    "#;
    let mut bench = Bench::start(in_child(dir.path(), plugin(dir.path(), code)));
    bench.until_state(FeedState::Down, "was killed by SIGSEGV");
    bench.until_values(2);
}

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
    assert!(bench.stop() < Duration::from_secs(5), "closing its input is enough");
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
        let spec = Spec { working_dir: dir.path().into(), ..spec(Source::Exec { argv }) };
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
        std::thread::yield_now();
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
    assert!(took < Duration::from_secs(5), "{took:?}");
    for pid in std::fs::read_to_string(&pids).unwrap().split_whitespace() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The orphan may wait for init as a zombie.
        assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
    }
}

#[test]
fn a_join_past_its_deadline_kills() {
    let mut spec = shell(r#"trap '' TERM; echo '{"event":"quote","data":1}'; while :; do sleep 1000; done"#);
    spec.limits = Limits { stop_grace: PATIENCE, ..Limits::default() };
    let mut bench = Bench::start(spec);
    bench.until_values(1);
    let began = Instant::now();
    bench.supervisor.take().unwrap().join(began);
    assert!(began.elapsed() < Duration::from_secs(5));
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
fn a_silent_library_child_is_killed_at_the_hello_deadline() {
    let dir = scratch();
    let path = plugin(
        dir.path(),
        "static st p(feed *f) { return 0; }
         static st slow(const host *h, const char *c, size_t n, feed **out) { for (;;) pause(); }
         PLUGIN(.mode = 1, .poll = p, .create = slow)",
    );
    for (mut spec, says) in [
        (in_child(dir.path(), path.clone()), "it was not ready within 300 ms of its start; killed"),
        (in_process(path), "wedged: it was not ready within 300 ms"),
    ] {
        spec.limits.hello = Duration::from_millis(300);
        Bench::start(spec).until_state(FeedState::Down, says);
    }
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
