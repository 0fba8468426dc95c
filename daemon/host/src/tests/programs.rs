//! Programs where a plugin is expected.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Bench, scratch, shell, spec};
use crate::{Isolation, Line, Policy, Source, Spec};
use tickerd_model::health::FeedState;
use tickerd_process::clock::now_unix_ms;

/// Writes a script in another process. If this process had it open for writing, children of other tests might inherit the
/// descriptor, and the script could not be run (ETXTBSY).
pub fn install(script: &str, path: &Path) {
    let command = format!("printf '%s' \"$0\" > '{0}' && chmod 755 '{0}'", path.display());
    assert!(Command::new("sh").args(["-c", &command, script]).status().unwrap().success());
}

fn plugin(folder: &Path, isolation: Isolation, policy: Policy) -> Spec {
    let source = Source::Plugin { path: "./feed".into(), isolation };
    Spec { working_dir: folder.to_owned(), policy, ..spec(source) }
}

/// Goal: it is run like any other program, which need not say hello.
#[test]
fn a_program_may_stand_where_a_library_does() {
    let folder = scratch();
    let said = |n: u32| format!(r#"echo '{{"event":"tick","data":{n}}}'"#);
    let script = format!("#!/bin/sh\n{}\nsleep 0.3\n{}\nexec cat >/dev/null\n", said(1), said(2));
    install(&script, &folder.path().join("feed"));
    let hello = Duration::from_millis(50);
    let policy = Policy { hello, ..super::quick() };
    let mut bench = Bench::start(plugin(folder.path(), Isolation::Process, policy));
    bench.until_values(2);
    assert_eq!(bench.values(), ["1", "2"]);
    assert_eq!(bench.metrics.restarts("f").get(), 0);
    bench.stop();
}

/// Goal: a program whose lines wait in a buffer is told what to do, once.
#[test]
fn a_program_that_writes_nothing_is_asked_whether_it_flushes() {
    let policy = Policy { silence: Duration::from_millis(100), ..super::quick() };
    let mut bench = Bench::start(Spec { policy, ..shell("exec sleep 60") });
    bench.until_state(FeedState::Down, "starting; nothing came for 0 s: does it flush after each line?");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(told(&bench, "does it flush").len(), 1);
    bench.stop();
    // One that has written anything flushes, and a library is no program.
    for line in ["no sense", "", r#"{"price":1}"#] {
        let silent = Spec { policy, ..shell(&format!("echo '{line}'; exec sleep 60")) };
        let mut bench = Bench::start(silent);
        std::thread::sleep(Duration::from_millis(300));
        assert!(told(&bench, "does it flush").is_empty(), "{line}");
        bench.stop();
    }
}

/// Goal: values under keys that no line has are told, once, and are no mistake, for a later version may have such lines.
#[test]
fn a_line_without_a_known_key_is_told_once() {
    let line = r#"{"name":"AAPL","price":1}"#;
    let script =
        format!("echo '{line}'; echo '{line}'; echo '{{\"event\":\"a\",\"data\":1}}'; exec cat >/dev/null");
    let mut bench = Bench::start(shell(&script));
    bench.until_values(1);
    let known = "a line has none of the known keys; a value needs event and data; the line: ";
    assert_eq!(told(&bench, "known keys"), [format!("{known}{line}")]);
    assert_eq!(bench.metrics.refused("f"), 0);
    bench.stop();
}

/// What its log says with these words.
fn told(bench: &Bench, words: &str) -> Vec<String> {
    let lines = bench.supervisor().last_lines().into_iter().map(|line: Line| line.text);
    lines.filter(|text| text.contains(words)).collect()
}

#[test]
fn what_is_installed_later_is_found_at_the_next_start() {
    let folder = scratch();
    let policy = Policy { config_retry: Duration::from_millis(20), ..super::quick() };
    let mut bench = Bench::start(plugin(folder.path(), Isolation::Process, policy));
    bench.until_state(FeedState::Down, "waits for a changed configuration");
    let feed = folder.path().join("feed");
    install(
        "#!/bin/sh\necho '{\"event\":\"tick\",\"data\":1}'\nexec cat >/dev/null\n",
        &folder.path().join("other"),
    );
    std::fs::rename(folder.path().join("other"), feed).unwrap();
    bench.until_values(1);
    bench.stop();
}

#[test]
fn a_program_is_not_run_in_process() {
    let folder = scratch();
    install("#!/bin/sh\n", &folder.path().join("feed"));
    let mut bench = Bench::start(plugin(folder.path(), Isolation::InProcess, super::quick()));
    bench.until_state(
        FeedState::Down,
        "is a program, and a program runs in a process of its own; delete isolation",
    );
    bench.stop();
}

/// Goal: who writes microseconds is told once, though they are passed on. One that is an hour ahead is a clock that is wrong.
#[test]
fn a_source_time_in_microseconds_is_told() {
    let hour_ahead = now_unix_ms() + 3_600_000;
    for (ts, told_times) in [("1800000000000000".to_owned(), 1), (hour_ahead.to_string(), 0)] {
        let line = format!(r#"{{"event":"quote","data":1,"ts":{ts}}}"#);
        let mut bench = Bench::start(shell(&format!("for n in 1 2; do echo '{line}'; done; exec cat")));
        bench.until_values(2);
        assert!(bench.seen.iter().all(|seen| seen.src_ts.to_string() == ts), "{:?}", bench.seen);
        let words = "is more than a day ahead of the clock: write Unix milliseconds, not microseconds";
        assert_eq!(told(&bench, words).len(), told_times, "{ts}");
        bench.stop();
    }
}

/// Goal: who writes nanoseconds is told once, from a script and from a library in a process of its own.
#[test]
fn a_source_time_that_is_far_too_great_is_told() {
    let script =
        r#"for n in 1 2; do echo '{"event":"quote","data":1,"ts":1800000000000000000}'; done; exec cat"#;
    let folder = scratch();
    let library = super::plugin::plugin(
        folder.path(),
        r#"static st poll(feed *f) {
            sample s = { sizeof s, 0, "", 0, "quote", 5, "1", 1, 1800000000000000000 };
            return f->h->emit(f->h, &s); }
        PLUGIN(.mode = 1, .poll = poll, .default_poll = 5)"#,
    );
    for spec in [super::shell(script), super::plugin::in_child(library)] {
        let mut bench = Bench::start(spec);
        bench.until_values(2);
        assert!(bench.seen.iter().all(|seen| seen.src_ts == 0), "{:?}", bench.seen);
        let told = bench.supervisor().last_lines();
        let is_it =
            |line: &&Line| line.text.contains("1800000000000000000 is far too great: write Unix milli");
        assert_eq!(told.iter().filter(is_it).count(), 1, "{told:?}");
        bench.stop();
    }
}
