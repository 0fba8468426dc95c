//! Programs where a plugin is expected.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Bench, scratch, spec};
use crate::{Isolation, Line, Policy, Source, Spec};
use tickerd_model::health::FeedState;

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
