//! A plugin's file: changes to it do not reach the code that runs, and a file that is not the pinned one, or that others may
//! write, does not run.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::plugin::{in_child, in_process};
use super::replaceable::{POLLING, Replaceable, version};
use super::{Bench, scratch};
use crate::{Reloaded, Spec};
use tickerd_model::health::FeedState;

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
    let good = crate::file::sealed::hash(&std::fs::File::open(&file.path).unwrap()).unwrap();
    for run in [in_process as fn(PathBuf) -> Spec, in_child] {
        let mut bench = Bench::start(Spec { sha256: Some(good), ..run(file.path.clone()) });
        bench.until_values(1);
        assert_eq!(bench.supervisor().runs(), Some((file.path.clone(), Some(good))));
    }
    let mut bench = Bench::start(Spec { sha256: Some(good), ..in_child(file.path.clone()) });
    bench.until_values(1);
    file.replace(&version(POLLING, "two"));
    let found = crate::file::sealed::hash(&std::fs::File::open(&file.path).unwrap()).unwrap();
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

/// A library that needs another one, which lies beside it.
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
    let mut pinned = Bench::start(Spec {
        sha256: Some(tickerd_model::basics::digest::Digest([0; 32])),
        ..in_child(path.clone())
    });
    pinned.until_state(FeedState::Down, "is not the plugin that was pinned");
    let digest = crate::file::sealed::hash(&std::fs::File::open(&path).unwrap()).unwrap();
    let mut pinned = Bench::start(Spec { sha256: Some(digest), ..in_child(path) });
    pinned.until_state(FeedState::Down, "sha256 would pin one file of several");
}
