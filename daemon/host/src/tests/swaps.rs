//! A library whose file is replaced while it runs: swapped in on request, and without a loss.

use std::path::PathBuf;
use std::time::Duration;

use super::plugin::{in_child, in_process};
use super::process::until_gone;
use super::replaceable::{POLLING, PUSHING, Replaceable, version};
use super::{Bench, SOON, quick};
use crate::{Policy, Reloaded, Spec};
use tickerd_model::health::FeedState;

fn quickly_polled(path: PathBuf) -> Spec {
    Spec { interval: Duration::from_millis(5), ..in_child(path) }
}

fn check_swaps(code: &str) {
    let file = Replaceable::new(&version(code, "one"));
    let mut bench = Bench::start(quickly_polled(file.path.clone()));
    bench.until_values(5);
    for (n, name) in ["two", "three"].into_iter().enumerate() {
        bench.while_draining(|| file.replace(&version(code, name)));
        let reloaded = bench.reloaded(n == 0);
        assert_eq!(reloaded, Reloaded::Swapped { plugin: file.path.display().to_string() });
        bench.until("the new version", |bench| bench.values().last().unwrap().contains(name));
        let seen = bench.seen.len();
        bench.until_values(seen + 5);
    }
    assert_eq!(bench.versions(), ["one", "two", "three"]);
    bench.stayed_up();
    assert_eq!(bench.metrics.reloads("f", true).get(), 2);
    assert_eq!(bench.rejects("undeclared_event"), 0);
    assert!(bench.stop() < SOON);
}

/// Goal: every value that either process said arrives, once and in order. Method: events, which are never merged.
#[test]
fn a_poll_library_is_swapped_without_a_loss() {
    check_swaps(POLLING);
}

#[test]
fn a_push_library_is_swapped_without_a_loss() {
    check_swaps(PUSHING);
}

/// Goal: what a new process says before it takes over arrives after all that the old one says.
#[test]
fn what_create_says_waits_for_its_turn() {
    let code = PUSHING.replace(
        "PLUGIN(",
        "static st early(const host *h, const char *c, size_t n, feed **out) {
        create(h, c, n, out); (*out)->n = 1; return say(h, \"a\", \"trade\", \"\\\"VERSION 1\\\"\"); }
        PLUGIN(.create = early, ",
    );
    check_swaps(&code);
}

#[test]
fn a_bad_file_leaves_the_old_one_at_work() {
    let file = Replaceable::new(&version(POLLING, "one"));
    let mut bench = Bench::start(quickly_polled(file.path.clone()));
    bench.until_values(3);
    let refusing = "static st no(const host *h, const char *c, size_t n, feed **out) { fault(h, \"set symbols\"); return -1; }
        static st poll(feed *f) { return 0; } PLUGIN(.mode = 1, .poll = poll, .create = no)";
    let crashing = "__attribute__((constructor)) static void crash(void) { *(volatile int *)8 = 1; }
        static st poll(feed *f) { return 0; } PLUGIN(.mode = 1, .poll = poll)";
    for (code, why) in [
        ("int nothing;", "is a library but no tickerd plugin"),
        (refusing, "set symbols"),
        (crashing, "SIGSEGV"),
    ] {
        bench.while_draining(|| file.replace(code));
        let reloaded = bench.reloaded(true);
        assert!(matches!(&reloaded, Reloaded::Failed(text) if text.contains(why)), "{why}: {reloaded:?}");
        let seen = bench.seen.len();
        bench.until_values(seen + 3);
    }
    std::fs::write(file.path.with_extension("new"), "no library").unwrap();
    std::fs::rename(file.path.with_extension("new"), &file.path).unwrap();
    let reloaded = bench.reloaded(false);
    let says = format!("{} cannot be loaded", file.path.display());
    assert!(matches!(&reloaded, Reloaded::Failed(text) if text.contains(&says)), "{reloaded:?}");
    std::fs::remove_file(&file.path).unwrap();
    let reloaded = bench.reloaded(false);
    assert!(
        matches!(&reloaded, Reloaded::Failed(text) if text.contains("there is no plugin file")),
        "{reloaded:?}"
    );
    let seen = bench.seen.len();
    bench.until_values(seen + 3);
    assert_eq!(bench.versions(), ["one"]);
    bench.stayed_up();
    assert_eq!((bench.metrics.reloads("f", true).get(), bench.metrics.reloads("f", false).get()), (0, 5));
}

#[test]
fn one_that_never_gets_ready_is_ended() {
    let file = Replaceable::new(&version(POLLING, "one"));
    let hello = Duration::from_secs(4);
    let spec = quickly_polled(file.path.clone());
    let mut bench = Bench::start(Spec { policy: Policy { hello, ..quick() }, ..spec });
    bench.until_values(1);
    file.replace(
        "static st slow(const host *h, const char *c, size_t n, feed **out) { for (;;) pause(); }
        static st poll(feed *f) { return 0; } PLUGIN(.mode = 1, .poll = poll, .create = slow)",
    );
    let reloaded = bench.reloaded(true);
    let says = "the new process was not ready within 4.0 s of its start";
    assert_eq!(reloaded, Reloaded::Failed(says.into()));
    bench.stayed_up();
    assert!(bench.stop() < SOON);
}

/// Goal: a push feed that hangs when it is asked to end is killed, and the new process takes over all the same.
#[test]
fn an_old_one_that_does_not_end_is_ended() {
    let stubborn =
        "static st run(feed *f) { say(f->h, \"a\", \"trade\", \"\\\"one 1\\\"\"); for (;;) pause(); }
        PLUGIN(.mode = 2, .run = run)";
    let file = Replaceable::new(stubborn);
    let mut bench = Bench::start(in_child(file.path.clone()));
    bench.until_values(1);
    bench.until_state(FeedState::Up, "");
    file.replace(&version(PUSHING, "two"));
    assert!(matches!(bench.reloaded(true), Reloaded::Swapped { .. }));
    bench.until_values(5);
    assert_eq!(bench.versions(), ["one", "two"]);
    bench.stayed_up();
}

#[test]
fn an_unchanged_file_is_left_alone_unless_it_is_asked_for() {
    let file = Replaceable::new(&version(POLLING, "one"));
    let mut bench = Bench::start(quickly_polled(file.path.clone()));
    bench.until_values(3);
    assert_eq!(bench.reloaded(false), Reloaded::Unchanged);
    let bytes = std::fs::read(&file.path).unwrap();
    std::fs::write(&file.path, bytes).unwrap();
    assert_eq!(bench.reloaded(false), Reloaded::Unchanged, "written, with the same bytes");
    bench.drain();
    assert_eq!(bench.versions(), ["one"]);
    assert!(matches!(bench.reloaded(true), Reloaded::Swapped { .. }));
    let again = |bench: &Bench| bench.values().iter().filter(|value| value.contains(" 1\"")).count() == 2;
    bench.until("a new process", again);
    bench.stayed_up();
}

#[test]
fn a_library_in_process_needs_a_restart() {
    let file = Replaceable::new(&version(POLLING, "one"));
    let mut bench = Bench::start(in_process(file.path.clone()));
    bench.until_values(1);
    assert_eq!(bench.reloaded(false), Reloaded::Unchanged);
    bench.while_draining(|| file.replace(&version(POLLING, "two")));
    for always in [false, true] {
        let reloaded = bench.reloaded(always);
        assert!(
            matches!(&reloaded, Reloaded::RestartNeeded(why) if why.contains("restart tickerd")),
            "{reloaded:?}"
        );
    }
    let seen = bench.seen.len();
    bench.until_values(seen + 3);
    assert_eq!(bench.versions(), ["one"]);
}

/// Goal: a feed that is stopped while a new process of it gets ready leaves neither behind.
#[test]
fn a_stop_in_the_middle_ends_both() {
    let file = Replaceable::new(&version(POLLING, "one"));
    let mut bench = Bench::start(quickly_polled(file.path.clone()));
    bench.until_values(1);
    let marker = file.dir.path().join("pid");
    file.replace(&format!(
        "static st slow(const host *h, const char *c, size_t n, feed **out) {{
           FILE *f = fopen(\"{}\", \"w\"); fprintf(f, \"%d\\n\", (int)getpid()); fclose(f); for (;;) pause(); }}
         static st poll(feed *f) {{ return 0; }} PLUGIN(.mode = 1, .poll = poll, .create = slow)",
        marker.display()
    ));
    let told = bench.reload(true);
    let pid = || std::fs::read_to_string(&marker).unwrap_or_default().trim_end().to_owned();
    bench.until("the new process", |_| !pid().is_empty());
    assert!(bench.stop() < SOON);
    assert!(told.try_recv().is_err(), "nobody took over");
    until_gone(&pid());
}
