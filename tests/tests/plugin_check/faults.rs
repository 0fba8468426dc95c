//! Of every broken plugin the suite names what is broken, and nothing else.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::*;

/// Suites at once of each test. Most of what they do is wait, but a feed has 2 s to stop, also on a busy machine.
const AT_ONCE: usize = 2;

/// A broken plugin and the verdicts on it: `(name, [(id, outcome)], more arguments)`.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

/// Goal: each test fails the plugin that it is there for, as crashed where it crashes and timed out where it hangs, and no
/// other test does. Method: the whole suite on each.
async fn each_is_found_out(cases: &'static [Case]) {
    let seats = Arc::new(Semaphore::new(AT_ONCE));
    let mut checks = JoinSet::new();
    for (name, expected, more) in cases {
        let seats = seats.clone();
        checks.spawn(async move {
            let _seat = seats.acquire().await.unwrap();
            let output = check(&broken(name), &[&["--json"], *more].concat()).await;
            (*name, *expected, output)
        });
    }
    let mut wrong = Vec::new();
    while let Some(done) = checks.join_next().await {
        let (name, expected, output) = done.unwrap();
        let document = document(&output);
        let found = bad(&document);
        let expected: Vec<_> =
            expected.iter().map(|(id, outcome)| ((*id).to_owned(), (*outcome).to_owned())).collect();
        if found != expected || output.status.code() != Some(1) || document["ok"] != json!(false) {
            wrong.push(format!("{name}: expected {expected:?}, found {found:?}: {document:#}"));
        }
        for test in document["tests"].as_array().unwrap() {
            if found.iter().any(|(id, _)| test["id"] == json!(id)) {
                assert!(!test["remedy"].as_str().unwrap().is_empty(), "{name} is told nothing to do: {test}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_broken_file_or_descriptor_is_found_out() {
    each_is_found_out(&[
        ("load_crash", &[("load", "crashed")], &[]),
        ("load_hang", &[("load", "timed_out")], &[]),
        ("load_unresolved", &[("load", "failed")], &[]),
        ("exit_crash", &[("load", "crashed")], &[]),
        ("one_symbol", &[("one-symbol", "failed")], &[]),
        ("pure_entry_thread", &[("pure-entry", "failed")], &[]),
        ("pure_entry_file", &[("pure-entry", "failed")], &[]),
        ("id", &[("id", "failed")], &[]),
        ("version", &[("version", "failed")], &[]),
        ("texts", &[("texts", "failed")], &[]),
        ("intervals", &[("intervals", "failed")], &[]),
        ("config_schema", &[("config-schema", "failed")], &[]),
        ("event_types", &[("event-types", "failed")], &[]),
    ])
    .await;
}

#[tokio::test]
async fn a_broken_use_of_configurations_and_words_is_found_out() {
    each_is_found_out(&[
        ("create", &[("create", "failed")], &[]),
        ("bad_config", &[("bad-config", "failed")], &[]),
        (
            "bad_config_crash",
            &[("bad-config", "crashed"), ("error-text", "crashed"), ("fuzzed-config", "crashed")],
            &[],
        ),
        ("error_text", &[("error-text", "failed")], &[]),
        ("fuzzed_config", &[("fuzzed-config", "crashed")], &[]),
        ("samples", &[("samples", "failed")], &[]),
        ("value_schema", &[("value-schema", "failed")], &[]),
        ("marks", &[("marks", "failed")], &[]),
        ("marks_main", &[("marks", "failed")], &[]),
        ("source_time", &[("source-time", "failed")], &[]),
        ("text_utf8", &[("text-utf8", "failed")], &[]),
    ])
    .await;
}

#[tokio::test]
async fn broken_calls_and_what_is_left_behind_are_found_out() {
    each_is_found_out(&[
        ("poll_deadline", &[("poll-deadline", "failed")], &[]),
        ("signs_of_life", &[("signs-of-life", "failed")], &["--heartbeat", "1s"]),
        ("interrupt", &[("interrupt", "failed")], &["--fuzz", "2"]),
        ("stop", &[("stop", "failed")], &["--jobs", "16"]),
        ("threads", &[("threads", "failed")], &[]),
        ("descriptors", &[("descriptors", "failed")], &[]),
        ("memory", &[("memory", "failed")], &[]),
        ("stdout", &[("stdout", "failed")], &[]),
        ("process_state", &[("process-state", "failed")], &[]),
    ])
    .await;
}

#[tokio::test]
async fn what_breaks_on_another_host_is_found_out() {
    each_is_found_out(&[
        ("two_instances", &[("two-instances", "failed")], &[]),
        ("minimal_host", &[("minimal-host", "crashed")], &[]),
        ("future_host", &[("future-host", "failed")], &[]),
        ("emit_dropped", &[("emit-dropped", "failed")], &[]),
        ("emit_invalid", &[("emit-invalid", "crashed")], &[]),
        ("emit_stopping", &[("emit-stopping", "failed")], &[]),
        ("slow_host", &[("slow-host", "crashed")], &[]),
        ("clock_jump", &[("clock-jump", "failed")], &[]),
        ("clock_jump_hang", &[("clock-jump", "failed")], &[]),
        ("after_destroy", &[("after-destroy", "crashed")], &[]),
    ])
    .await;
}

#[tokio::test]
async fn a_broken_program_is_found_out() {
    each_is_found_out(&[
        ("program_load", &[("load", "failed")], &[]),
        ("program_create", &[("create", "failed")], &[]),
        ("program_id", &[("id", "failed")], &[]),
        ("program_version", &[("version", "failed")], &[]),
        ("program_intervals", &[("intervals", "failed")], &[]),
        ("program_bad_config", &[("bad-config", "failed")], &[]),
        ("program_fuzzed_config", &[("fuzzed-config", "crashed")], &[]),
        ("program_samples", &[("samples", "failed")], &[]),
        ("program_marks", &[("marks", "failed")], &[]),
        ("program_source_time", &[("source-time", "failed")], &[]),
        ("program_poll_deadline", &[("poll-deadline", "failed")], &[]),
        ("program_signs_of_life", &[("signs-of-life", "failed")], &["--heartbeat", "1s"]),
        // It can run only once, and so can its tests.
        ("program_two_instances", &[("two-instances", "failed")], &["--jobs", "1", "--fuzz", "2"]),
        ("program_future_host", &[("future-host", "failed")], &[]),
        ("program_stop", &[("stop", "failed")], &[]),
        ("program_host_gone", &[("host-gone", "failed")], &[]),
        ("program_children", &[("children", "failed")], &[]),
    ])
    .await;
}

/// What this test finds is no matter of what is in a file, and a checkout keeps no modes: see the test below.
const OF_THE_MODE: &str = "trusted";

/// Goal: what a daemon refuses to load is told here too, with the command that mends it.
#[tokio::test]
async fn a_file_that_others_may_write_is_found_out() {
    let folder = TempDir::new().unwrap();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let (library, script) = (folder.path().join("good.so"), folder.path().join("tickerd-feed-good"));
    std::fs::copy(raw_c("good"), &library).unwrap();
    std::fs::write(&script, "#!/bin/sh\necho '{\"event\":\"tick\",\"data\":1}'\nexec cat >/dev/null\n")
        .unwrap();
    for plugin in [&library, &script] {
        mode(plugin, 0o755);
        let all_well = passes(plugin, &["--only", OF_THE_MODE], &[OF_THE_MODE]).await;
        assert_eq!(all_well["tests"].as_array().unwrap().len(), 1);
        for (place, wrong, right) in [(plugin.as_path(), 0o777, 0o755), (folder.path(), 0o777, 0o700)] {
            mode(place, wrong);
            let output = check(plugin, &["--json", "--only", OF_THE_MODE]).await;
            mode(place, right);
            let found = document(&output);
            assert_eq!(bad(&found), [(OF_THE_MODE.to_owned(), "failed".to_owned())], "{found:#}");
            assert_eq!(output.status.code(), Some(1));
            let test = &found["tests"][0];
            let says = |key: &str, what: &str| test[key].as_str().unwrap().contains(what);
            assert!(says("message", "may be written by everyone (mode 0777)"), "{test}");
            assert!(says("remedy", &format!("chmod go-w {}", place.display())), "{test}");
        }
    }
}

/// Every id has a broken plugin that only it finds, or finds first: the tables above are held against `--list`.
#[tokio::test]
async fn every_test_has_a_plugin_that_fails_it() {
    let listed = within("the list", command().args(["plugin", "check", "--list"]).output()).await.unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let feeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds/broken");
    let mut names: Vec<String> = std::fs::read_dir(feeds)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().replace('_', "-"))
        .collect();
    names.sort();
    let (libraries, programs) = listed.split_once("For programs:").unwrap();
    let ids = |text: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("  "));
        lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    let (libraries, programs) = (ids(libraries), ids(programs));
    assert!(libraries.len() > 30 && programs.len() > 12, "{listed}");
    let in_a_file = |id: &String| id != OF_THE_MODE;
    for id in libraries.into_iter().filter(in_a_file) {
        assert!(names.iter().any(|name| name.starts_with(&id)), "no broken library for {id}");
    }
    for id in programs.into_iter().filter(in_a_file) {
        assert!(names.contains(&format!("program-{id}")), "no broken program for {id}");
    }
}
