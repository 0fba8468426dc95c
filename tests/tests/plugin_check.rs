//! `tickerd plugin check`: every good plugin passes, and of every broken one it names what is broken, and nothing else.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use tempfile::TempDir;
use tickerd_test_providers::open_meteo::OpenMeteo;
use tickerd_test_providers::yahoo;
use tickerd_tests::daemon::{command, target};
use tickerd_tests::tape::{header, recorded};
use tickerd_tests::{Value, broken, json, raw_c, within};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Suites at once: most of what they do is wait.
const AT_ONCE: usize = 4;

/// Runs the suite. A seed, so that chance has no part in the outcome; few cases, for the sake of time.
async fn check(plugin: &Path, more: &[&str]) -> Output {
    let mut command = command();
    command.args(["plugin", "check"]).arg(plugin).args(more);
    for (flag, value) in [("--seed", "1"), ("--fuzz", "20"), ("--jobs", "4")] {
        if !more.contains(&flag) {
            command.args([flag, value]);
        }
    }
    // A suite has a time limit per test; this one is for the sum of them on a busy machine.
    tokio::time::timeout(std::time::Duration::from_secs(300), command.output())
        .await
        .expect("the suite ends")
        .unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("{e}\n{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

/// The tests of a document that did not pass, with their outcome.
fn bad(document: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let tests = document["tests"].as_array().unwrap().iter();
    let tests = tests.map(|test| (text(&test["id"]), text(&test["outcome"])));
    tests.filter(|(_, outcome)| outcome != "ok" && outcome != "skipped").collect()
}

/// The ids of a document with this outcome.
fn with<'a>(document: &'a Value, outcome: &str) -> Vec<&'a str> {
    let tests = document["tests"].as_array().unwrap().iter();
    tests.filter(|test| test["outcome"] == outcome).map(|test| test["id"].as_str().unwrap()).collect()
}

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

/// Passes, and these ids do so: a suite that skips everything would pass as well.
async fn passes(plugin: &Path, more: &[&str], at_least: &[&str]) -> Value {
    let output = check(plugin, &[&["--json"], more].concat()).await;
    let document = document(&output);
    assert_eq!(bad(&document), [], "{}: {document:#}", plugin.display());
    assert_eq!((output.status.code(), &document["ok"]), (Some(0), &json!(true)));
    let ok = with(&document, "ok");
    let missing: Vec<_> = at_least.iter().filter(|id| !ok.contains(id)).collect();
    assert!(missing.is_empty(), "{}: not ok: {missing:?}: {document:#}", plugin.display());
    document
}

/// What a feed that emits passes in any mode.
const SPOKEN: [&str; 9] = [
    "create",
    "samples",
    "stop",
    "threads",
    "descriptors",
    "memory",
    "emit-stopping",
    "two-instances",
    "after-destroy",
];

#[tokio::test]
async fn bundled_feeds_pass() {
    let library = |name: &str| target().join(format!("libtickerd_feed_{name}.so"));
    let document = passes(&library("sim"), &[], &SPOKEN).await;
    assert_eq!(with(&document, "skipped"), ["signs-of-life"], "all that a poll feed can be held to");
    passes(&library("host"), &[], &SPOKEN).await;
    let provider = OpenMeteo::start();
    let place = format!("base_url={}", provider.url());
    passes(
        &library("weather"),
        &["--config", &place],
        &[&SPOKEN[..], &["value-schema", "signs-of-life"]].concat(),
    )
    .await;
    let provider = yahoo::start(|_, _| None);
    let url = format!("base_url={}", provider.url());
    let stocks = ["--config", "provider=yahoo", "--config", "symbols=[\"AAPL\"]", "--config", &url];
    passes(&library("stocks"), &stocks, &["create", "stop", "threads", "descriptors", "memory"]).await;
    // Nobody answers there: a feed without a source keeps to its contract too.
    let crypto = ["--config", "symbols=[\"BTC/USD\"]", "--config", "base_url=ws://127.0.0.1:9"];
    passes(
        &library("crypto"),
        &crypto,
        &["create", "stop", "threads", "descriptors", "memory", "signs-of-life"],
    )
    .await;
}

#[tokio::test]
async fn a_c_plugin_and_a_program_pass() {
    passes(&raw_c("good"), &[], &SPOKEN).await;
    let whole = check(&raw_c("good"), &["--skip", "memory"]).await;
    let said = String::from_utf8(whole.stdout).unwrap();
    assert!(said.contains("badge: ![tickerd plugin check](https://"), "{said}");
    passes(&raw_c("larger_structs"), &[], &["load", "create", "samples", "minimal-host"]).await;
    let folder = TempDir::new().unwrap();
    let tape = folder.path().join("day.ndjson");
    let lines = [header(), recorded(0, "a", json!(1)), recorded(50, "b", json!({"n": 2}))];
    std::fs::write(&tape, lines.join("\n") + "\n").unwrap();
    let file = format!("file={}", tape.display());
    let replay = target().join("tickerd-feed-replay");
    let ids = ["create", "id", "samples", "two-instances", "stop", "host-gone", "children", "signs-of-life"];
    passes(&replay, &["--config", &file, "--config", "loop=true"], &ids).await;
    // Without a file it is no use, and says so.
    let document = passes(&replay, &[], &["load", "bad-config"]).await;
    assert!(with(&document, "skipped").contains(&"create"), "{document:#}");
}

#[tokio::test]
async fn a_plugins_own_file_configures_and_skips_with_a_reason() {
    let folder = TempDir::new().unwrap();
    let plugin = folder.path().join("memory.so");
    std::fs::copy(broken("memory"), &plugin).unwrap();
    let options = folder.path().join("plugin-check.toml");
    std::fs::write(&options, "[config]\nany = 1\n[skip]\nmemory = \"a cache, on purpose\"\n").unwrap();
    let said = |output: &Output| {
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let output = check(&plugin, &["--only", "memory,stop"]).await;
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("memory") && text.contains("(plugin-check.toml: a cache, on purpose)"), "{text}");
    assert!(!text.contains("badge:"), "a part of the suite is no reason to boast: {text}");
    let lines: Vec<&str> = text.lines().take(4).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(
        lines,
        ["load", "create", "stop", "memory"],
        "what was asked for, and what that needs: {text}"
    );

    std::fs::write(&options, "[skip]\nmemory = \"\"\n").unwrap();
    let output = check(&plugin, &[]).await;
    assert!(
        output.status.code() == Some(64) && said(&output).contains("say why memory is skipped"),
        "{}",
        said(&output)
    );
    std::fs::write(&options, "[skip]\nmemori = \"x\"\n").unwrap();
    let output = check(&plugin, &[]).await;
    assert!(
        output.status.code() == Some(64) && said(&output).contains("did you mean memory?"),
        "{}",
        said(&output)
    );
    std::fs::remove_file(&options).unwrap();
    let output = check(&plugin, &["--only", "memory"]).await;
    let text = said(&output);
    assert!(
        output.status.code() == Some(1) && text.contains("FAILED") && text.contains("To do: free in destroy"),
        "{text}"
    );
    assert!(!text.contains("badge:"), "{text}");
}

#[tokio::test]
async fn a_crash_shows_the_last_words_and_a_seed_that_crashes_again() {
    let plugin = broken("fuzzed_config");
    let only = ["--json", "--only", "fuzzed-config", "--fuzz", "100"];
    let crashed = document(&check(&plugin, &only).await);
    let test =
        crashed["tests"].as_array().unwrap().iter().find(|test| test["id"] == "fuzzed-config").unwrap();
    let last = test["last_words"].as_array().unwrap().last().unwrap().as_str().unwrap();
    let seed = last.split_once("--seed ").unwrap().1.split_once(' ').unwrap().0;
    let again = document(
        &check(&plugin, &["--json", "--only", "fuzzed-config", "--fuzz", "1", "--seed", seed]).await,
    );
    assert_eq!(bad(&again), [("fuzzed-config".to_owned(), "crashed".to_owned())], "{again:#}");
}

/// Method: Python's own XML parser reads the report, which holds what plugins say.
#[tokio::test]
async fn the_junit_report_is_xml() {
    let folder = TempDir::new().unwrap();
    let report = folder.path().join("report.xml");
    let output =
        check(&broken("error_text"), &["--junit", report.to_str().unwrap(), "--skip", "memory"]).await;
    assert_eq!(output.status.code(), Some(1));
    let script = "import sys, xml.etree.ElementTree as e\n\
                  s = e.parse(sys.argv[1]).getroot().find('testsuite')\n\
                  c = s.findall('testcase')\n\
                  f = [t.get('name') for t in c if t.find('failure') is not None]\n\
                  k = [t.find('skipped').get('message') for t in c if t.get('name') == 'memory']\n\
                  print(len(c) == int(s.get('tests')), s.get('failures'), s.get('errors'), f, k)";
    let mut python = tokio::process::Command::new("python3");
    let read = within("Python", python.args(["-c", script]).arg(&report).output()).await.unwrap();
    let said = String::from_utf8_lossy(&read.stdout);
    assert_eq!(
        said.trim(),
        "True 1 0 ['error-text'] ['--skip']",
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
}

#[tokio::test]
async fn tests_can_run_in_the_process_itself() {
    let output = check(&broken("stdout"), &["--in-process", "--only", "stdout,samples"]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("ok        samples") && text.contains("FAILED    stdout"), "{text}");
}
