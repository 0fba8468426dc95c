//! `tickerd plugin check`: every good plugin passes, and the suite's own ways to say so. What it says of broken ones has a
//! room of its own.

mod faults;

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use tickerd_test_providers::open_meteo::OpenMeteo;
use tickerd_test_providers::yahoo;
use tickerd_tests::daemon::{command, target};
use tickerd_tests::tape::{header, recorded};
use tickerd_tests::{Value, broken, json, raw_c, within};

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
    passes(&library("host"), &[], &[&SPOKEN[..], &["marks"]].concat()).await;
    let provider = OpenMeteo::start();
    let place = format!("base_url={}", provider.url());
    passes(
        &library("weather"),
        &["--config", &place],
        &[&SPOKEN[..], &["value-schema", "marks", "signs-of-life"]].concat(),
    )
    .await;
    let provider = yahoo::start(|_, _| None);
    let url = format!("base_url={}", provider.url());
    let stocks = ["--config", "provider=yahoo", "--config", "symbols=[\"AAPL\"]", "--config", &url];
    passes(&library("stocks"), &stocks, &["create", "marks", "stop", "threads", "descriptors", "memory"])
        .await;
    // Nobody answers there: a feed without a source keeps to its contract too.
    let crypto = ["--config", "symbols=[\"BTC/USD\"]", "--config", "base_url=ws://127.0.0.1:9"];
    passes(
        &library("crypto"),
        &crypto,
        &["create", "marks", "stop", "threads", "descriptors", "memory", "signs-of-life"],
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
