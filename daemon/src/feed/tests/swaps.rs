//! A plugin's file that is replaced, written or cut while it runs: swapped in on request, and no danger otherwise.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

use super::plugin::{in_child, in_process, plugin};
use super::{Bench, PATIENCE, quick, scratch, spec};
use crate::feed::{Limits, Reloaded, Source, Spec};
use crate::model::lane::FeedState;

/// Counts, as fast as it is asked, and says which version it is.
const POLLING: &str = r#"
    static st poll(feed *f) {
      char v[64]; snprintf(v, sizeof v, "\"VERSION %ld\"", ++f->n);
      return say(f->h, "a", "trade", v) < 0 ? -2 : 0; }
    PLUGIN(.mode = 1, .poll = poll, .default_poll = 5)
"#;

/// The same, of itself.
const PUSHING: &str = r#"
    static st run(feed *f) {
      for (;;) {
        char v[64]; snprintf(v, sizeof v, "\"VERSION %ld\"", ++f->n);
        if (say(f->h, "a", "trade", v) < 0 || f->h->sleep_ms(f->h, 1)) return 0; } }
    PLUGIN(.mode = 2, .run = run)
"#;

/// A library of this code, and what puts one of another version in its place by renaming.
struct Replaceable {
    dir: TempDir,
    path: PathBuf,
}

impl Replaceable {
    fn new(code: &str) -> Replaceable {
        let dir = scratch();
        let path = dir.path().join("feed.so");
        let this = Replaceable { dir, path };
        this.replace(code);
        this
    }

    fn build(&self, code: &str) -> PathBuf {
        let sub = self.dir.path().join("build");
        std::fs::create_dir_all(&sub).unwrap();
        plugin(&sub, code)
    }

    fn replace(&self, code: &str) {
        std::fs::rename(self.build(code), &self.path).unwrap();
    }
}

fn version(code: &str, version: &str) -> String {
    code.replace("VERSION", version)
}

impl Bench {
    fn reload(&self, always: bool) -> mpsc::Receiver<Reloaded> {
        let (tell, told) = mpsc::channel();
        self.supervisor().reload(always, Box::new(move |reloaded| tell.send(reloaded).unwrap()));
        told
    }

    /// Drains until the answer is there, and gives it.
    fn reloaded(&mut self, always: bool) -> Reloaded {
        let told = self.reload(always);
        let answer = std::cell::OnceCell::new();
        self.until("an answer to the reload", |_| match told.try_recv() {
            Ok(reloaded) => answer.set(reloaded).is_ok(),
            Err(_) => false,
        });
        answer.into_inner().unwrap()
    }

    /// Every value is the next of its version, and no older version follows a newer one. Gives the versions.
    fn versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = Vec::new();
        let mut next = 1;
        for value in self.values() {
            let (version, n) = value.trim_matches('"').split_once(' ').unwrap();
            if versions.last().is_none_or(|last| last != version) {
                assert!(
                    !versions.iter().any(|seen| seen == version),
                    "{version} came back: {:?}",
                    self.values()
                );
                versions.push(version.to_owned());
                next = 1;
            }
            assert_eq!(n.parse(), Ok(next), "{version}: {:?}", self.values());
            next += 1;
        }
        versions
    }

    /// Nobody was told that the feed was anything but up, once it was.
    fn stayed_up(&self) {
        let up = self.states.iter().position(|(state, _)| *state == FeedState::Up).unwrap();
        let after: Vec<_> = self.states[up..].iter().collect();
        assert!(after.iter().all(|(state, _)| *state == FeedState::Up), "{after:?}");
        assert_eq!(self.metrics.restarts("f").get(), 0);
    }
}

fn quickly_polled(path: PathBuf) -> Spec {
    Spec { interval: Duration::from_millis(5), ..in_child(path) }
}

fn check_swaps(code: &str) {
    let file = Replaceable::new(&version(code, "one"));
    let mut bench = Bench::start(quickly_polled(file.path.clone()));
    bench.until_values(5);
    for (n, name) in ["two", "three"].into_iter().enumerate() {
        file.replace(&version(code, name));
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
    assert!(bench.stop() < Duration::from_secs(5));
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

/// Goal: a process that is to take over waits: what it says before its time comes behind the old one's words.
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
        file.replace(code);
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
    let hello = Duration::from_secs(2);
    let spec = quickly_polled(file.path.clone());
    let mut bench = Bench::start(Spec { limits: Limits { hello, ..quick() }, ..spec });
    bench.until_values(1);
    file.replace(
        "static st slow(const host *h, const char *c, size_t n, feed **out) { for (;;) pause(); }
        static st poll(feed *f) { return 0; } PLUGIN(.mode = 1, .poll = poll, .create = slow)",
    );
    let reloaded = bench.reloaded(true);
    let says = "the new process was not ready within 2.0 s of its start";
    assert_eq!(reloaded, Reloaded::Failed(says.into()));
    bench.stayed_up();
    assert!(bench.stop() < Duration::from_secs(5));
}

/// Goal: a push feed that hangs when it is asked to end is ended by force, and the new one takes over all the same.
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
    file.replace(&version(POLLING, "two"));
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

/// Goal: nothing that is done to the file reaches the code that runs. Method: pages that were never touched would be read
/// from the file, so a function of some pages is called for the first time after the file has been cut.
fn check_that_the_file_does_not_matter(run: impl Fn(PathBuf) -> Spec, harm: impl Fn(&Path)) {
    let filler = (0..4000).map(|n| format!("v += v * {n} + (v >> 3);")).collect::<String>();
    let code = format!(
        r#"static volatile long v = 1;
        static long __attribute__((noinline, aligned(4096))) far(void) {{ {filler} return v ? 1 : 1; }}
        static st poll(feed *f) {{
          char t[64]; long far_n = f->n >= 3 ? far() : 1; snprintf(t, sizeof t, "\"one %ld\"", ++f->n * far_n);
          return say(f->h, "a", "trade", t) < 0 ? -2 : 0; }}
        PLUGIN(.mode = 1, .poll = poll, .default_poll = 50)"#
    );
    let file = Replaceable::new(&code);
    let mut bench = Bench::start(Spec { poll: Some(Duration::from_millis(50)), ..run(file.path.clone()) });
    bench.until_values(1);
    harm(&file.path);
    bench.until_values(8);
    assert_eq!(bench.versions(), ["one"]);
    assert_eq!(bench.metrics.restarts("f").get(), 0);
}

#[test]
fn cutting_or_overwriting_the_file_does_not_reach_what_runs() {
    let cut = |path: &Path| std::fs::write(path, "").unwrap();
    let overwrite = |path: &Path| {
        let length = std::fs::metadata(path).unwrap().len() as usize;
        std::fs::write(path, vec![0xcc; length]).unwrap();
    };
    for harm in [&cut as &dyn Fn(&Path), &overwrite] {
        check_that_the_file_does_not_matter(in_process, harm);
        check_that_the_file_does_not_matter(in_child, harm);
    }
}

#[test]
fn the_pinned_library_runs_and_no_other() {
    let file = Replaceable::new(&version(POLLING, "one"));
    let good = crate::feed::sealed::hash(&std::fs::File::open(&file.path).unwrap()).unwrap();
    for run in [in_process as fn(PathBuf) -> Spec, in_child] {
        let mut bench = Bench::start(Spec { sha256: Some(good), ..run(file.path.clone()) });
        bench.until_values(1);
        assert_eq!(bench.supervisor().runs(), Some((file.path.clone(), Some(good))));
    }
    let mut bench = Bench::start(Spec { sha256: Some(good), ..in_child(file.path.clone()) });
    bench.until_values(1);
    file.replace(&version(POLLING, "two"));
    let found = crate::feed::sealed::hash(&std::fs::File::open(&file.path).unwrap()).unwrap();
    let reloaded = bench.reloaded(true);
    let names_both = |text: &str| text.contains(&good.to_string()) && text.contains(&found.to_string());
    assert!(matches!(&reloaded, Reloaded::Failed(text) if names_both(text)), "{reloaded:?}");
    for run in [in_process as fn(PathBuf) -> Spec, in_child] {
        let mut bench = Bench::start(Spec { sha256: Some(good), ..run(file.path.clone()) });
        bench.until_state(FeedState::Down, "is not the plugin that was pinned");
        bench.until_state(FeedState::Down, "waits for a changed configuration");
    }
}

#[test]
fn a_library_that_others_may_write_does_not_run() {
    let file = Replaceable::new(&version(POLLING, "one"));
    std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o777)).unwrap();
    for run in [in_process as fn(PathBuf) -> Spec, in_child] {
        let mut bench = Bench::start(run(file.path.clone()));
        bench.until_state(FeedState::Down, "may be written by everyone (mode 0777); `chmod go-w");
        assert!(bench.seen.is_empty());
        std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(bench.reloaded(true), Reloaded::Started, "it was down");
        bench.until_values(1);
        std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
}

/// A library that brings another one along, beside itself.
#[test]
fn libraries_beside_a_plugin_are_found_or_refused() {
    let dir = scratch();
    let helper = dir.path().join("helper.c");
    std::fs::write(&helper, "int helper(void) { return 7; }").unwrap();
    let cc = |arguments: &[&str]| {
        let built =
            std::process::Command::new("cc").current_dir(dir.path()).args(arguments).status().unwrap();
        assert!(built.success());
    };
    cc(&["-shared", "-fPIC", "-o", "libhelper.so", "helper.c"]);
    let code = format!(
        "{}\nint helper(void);\nstatic st poll(feed *f) {{ return say(f->h, \"a\", \"trade\", helper() == 7 ? \"7\" : \"0\"); }}
         PLUGIN(.mode = 1, .poll = poll)",
        include_str!("plugin.h")
    );
    std::fs::write(dir.path().join("feed.c"), code).unwrap();
    cc(&["-shared", "-fPIC", "-o", "feed.so", "feed.c", "-L.", "-lhelper", "-Wl,-rpath,$ORIGIN"]);
    let path = dir.path().join("feed.so");
    let mut bench = Bench::start(in_child(path.clone()));
    bench.until_values(1);
    assert_eq!(bench.values()[0], "7");
    let mut inside = Bench::start(in_process(path.clone()));
    inside.until_state(FeedState::Down, "has libraries of its own beside it ($ORIGIN)");
    let mut pinned =
        Bench::start(Spec { sha256: Some(crate::model::digest::Digest([0; 32])), ..in_child(path.clone()) });
    pinned.until_state(FeedState::Down, "is not the plugin that was pinned");
    let digest = crate::feed::sealed::hash(&std::fs::File::open(&path).unwrap()).unwrap();
    let mut pinned = Bench::start(Spec { sha256: Some(digest), ..in_child(path) });
    pinned.until_state(FeedState::Down, "sha256 would pin one file of several");
}

/// A script that counts, as fast as a shell can.
fn script(dir: &Path, version: &str) -> PathBuf {
    let path = dir.join("feed.sh");
    let fresh = dir.join("fresh.sh");
    let text = format!(
        r#"#!/bin/sh
        n=0; while :; do n=$((n+1)); echo "{{\"event\":\"trade\",\"class\":\"event\",\"data\":\"{version} $n\"}}"; sleep 0.01; done"#
    );
    std::fs::write(&fresh, text).unwrap();
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(fresh, &path).unwrap();
    path
}

#[test]
fn a_script_is_swapped_without_a_loss() {
    let dir = scratch();
    let path = script(dir.path(), "one");
    let mut bench = Bench::start(spec(Source::Exec { argv: vec![path.display().to_string()] }));
    bench.until_values(5);
    assert_eq!(bench.reloaded(false), Reloaded::Unchanged);
    script(dir.path(), "two");
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
    let write = |body: &str| drop(put_script(dir.path(), body));
    write(r#"echo '{"event":"quote","data":1}'; exec cat"#);
    let limits = Limits { hello: Duration::from_millis(300), ..quick() };
    let source = Source::Exec { argv: vec![path.display().to_string()] };
    let mut bench = Bench::start(Spec { limits, ..spec(source) });
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
    assert!(bench.stop() < PATIENCE / 2);
}

fn put_script(dir: &Path, body: &str) -> PathBuf {
    let (path, fresh) = (dir.join("feed.sh"), dir.join("fresh.sh"));
    std::fs::write(&fresh, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(fresh, &path).unwrap();
    path
}

/// Goal: what a new program says before its turn is held within bounds, and none of it is lost. Method: more than is held,
/// while the old one is slow to end.
#[test]
fn a_flood_before_its_turn_waits() {
    const LINES: u64 = 40_000;
    let dir = scratch();
    let stubborn =
        r#"trap '' TERM; echo '{"event":"trade","class":"event","data":"one 1"}'; while :; do sleep 1; done"#;
    let path = put_script(dir.path(), stubborn);
    let mut bench = Bench::start(spec(Source::Exec { argv: vec![path.display().to_string()] }));
    bench.until_values(1);
    put_script(
        dir.path(),
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
    assert!(bench.stop() < Duration::from_secs(5));
    assert!(told.try_recv().is_err(), "nobody took over");
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid())).unwrap_or_default();
    let deadline = std::time::Instant::now() + PATIENCE;
    // Killed, and reaped by a thread of its own.
    while !state().is_empty() && !state().contains(") Z ") {
        assert!(std::time::Instant::now() < deadline, "{}", state());
        std::thread::yield_now();
    }
}
