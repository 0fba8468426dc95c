//! Programs that are swapped for newer ones. That works as for libraries, though a program need not say that it is ready.

use std::path::Path;
use std::time::Duration;

use super::programs::install;
use super::{Bench, SOON, quick, scratch, spec};
use crate::{Policy, Reloaded, Source, Spec};
use tickerd_model::health::FeedState;

/// Puts a script in place of what is there, by renaming.
fn put(path: &Path, body: &str) {
    let fresh = path.with_extension("fresh");
    install(&format!("#!/bin/sh\n{body}\n"), &fresh);
    std::fs::rename(fresh, path).unwrap();
}

/// A script that counts, as fast as a shell can.
fn put_counter(path: &Path, version: &str) {
    put(
        path,
        &format!(
            r#"n=0; while :; do n=$((n+1)); echo "{{\"event\":\"trade\",\"class\":\"event\",\"data\":\"{version} $n\"}}"; sleep 0.01; done"#
        ),
    );
}

#[test]
fn a_script_is_swapped_without_a_loss() {
    let dir = scratch();
    let path = dir.path().join("feed.sh");
    put_counter(&path, "one");
    let mut bench = Bench::start(spec(Source::Exec(vec![path.display().to_string()])));
    bench.until_values(5);
    assert_eq!(bench.reloaded(false), Reloaded::Unchanged);
    put_counter(&path, "two");
    assert!(matches!(bench.reloaded(false), Reloaded::Swapped { .. }));
    bench.until("the new version", |bench| bench.values().last().unwrap().contains("two"));
    let seen = bench.seen.len();
    bench.until_values(seen + 5);
    assert_eq!(bench.versions(), ["one", "two"]);
    bench.stayed_up();
}

#[test]
fn a_program_that_says_nothing_takes_over_if_it_lives() {
    let dir = scratch();
    let path = dir.path().join("feed.sh");
    let write = |body: &str| put(&path, body);
    write(r#"echo '{"event":"quote","data":1}'; exec cat"#);
    // A process that fails at its start has ended by then, on a busy machine too.
    let policy = Policy { hello: Duration::from_secs(3), ..quick() };
    let source = Source::Exec(vec![path.display().to_string()]);
    let mut bench = Bench::start(Spec { policy, ..spec(source) });
    bench.until_values(1);
    bench.until_state(FeedState::Up, "");
    write("echo no luck >&2; exit 3");
    let reloaded = bench.reloaded(true);
    assert!(
        matches!(&reloaded, Reloaded::Failed(why) if why.contains("exited with status 3: no luck")),
        "{reloaded:?}"
    );
    write("exec cat >/dev/null");
    assert!(matches!(bench.reloaded(true), Reloaded::Swapped { .. }));
    bench.drain();
    bench.stayed_up();
    assert_eq!(bench.supervisor().health().state, FeedState::Up);
    assert!(bench.stop() < SOON);
}

/// Goal: a reload of a program that does not look for its end, as most, is no warning, and is told in one plain line.
#[test]
fn a_normal_reload_warns_of_nothing() {
    let dir = scratch();
    let path = dir.path().join("feed.sh");
    put(&path, r#"echo '{"event":"quote","data":1}'; exec sleep 60"#);
    let mut bench = Bench::start(spec(Source::Exec(vec![path.display().to_string()])));
    bench.until_values(1);
    assert!(matches!(bench.reloaded(true), Reloaded::Swapped { .. }));
    let told: Vec<String> = bench.supervisor().last_lines().into_iter().map(|line| line.text).collect();
    assert!(!told.iter().any(|text| text.contains("to end for a new one")), "{told:?}");
    let reloaded = told.iter().find(|text| text.starts_with("reloaded: ")).unwrap();
    assert!(reloaded.contains("feed.sh runs in a new process"), "{reloaded}");
    bench.stop();
}

/// Goal: what a new program says before its turn is held within bounds, and none of it is lost. Method: more than is held,
/// while the old one is slow to end.
#[test]
fn a_flood_before_its_turn_waits() {
    const LINES: u64 = 40_000;
    let dir = scratch();
    let stubborn =
        r#"trap '' TERM; echo '{"event":"trade","class":"event","data":"one 1"}'; while :; do sleep 1; done"#;
    let path = dir.path().join("feed.sh");
    put(&path, stubborn);
    let mut bench = Bench::start(spec(Source::Exec(vec![path.display().to_string()])));
    bench.until_values(1);
    put(
        &path,
        &format!(
            r#"awk 'BEGIN {{ for (n = 1; n <= {LINES}; n++) print "{{\"event\":\"trade\",\"class\":\"event\",\"data\":\"two " n "\"}}" }}'; exec cat"#
        ),
    );
    assert!(matches!(bench.reloaded(true), Reloaded::Swapped { .. }));
    let last = format!("\"two {LINES}\"");
    bench.until("the last line", |bench| bench.values().last() == Some(&last.as_str()));
    assert_eq!(bench.seen.iter().map(|seen| 1 + seen.merged).sum::<u64>(), 1 + LINES);
    assert_eq!(bench.seen.first().unwrap().value, "\"one 1\"");
    bench.stayed_up();
}

/// Goal: a new program that ends before its turn is told as ended, however much it said. Method: what it says of polls that
/// nobody asked for, while the old one is slow to end.
#[test]
fn one_that_ends_before_its_turn_has_ended() {
    let dir = scratch();
    let path = dir.path().join("feed.sh");
    put(&path, r#"trap '' TERM; echo '{"event":"quote","data":1}'; while :; do sleep 1; done"#);
    let mut bench = Bench::start(spec(Source::Exec(vec![path.display().to_string()])));
    bench.until_values(1);
    let done = r#"echo '{"done":1}'"#;
    put(&path, &format!(r#"echo '{{"event":"quote","data":2}}'; {}; exit 3"#, [done; 8].join("; ")));
    assert!(matches!(bench.reloaded(true), Reloaded::Swapped { .. }));
    bench.until_state(FeedState::Down, "exited with status 3");
}
