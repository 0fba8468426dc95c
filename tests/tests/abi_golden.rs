//! The golden plugins of every released ABI: this daemon loads the very files of then, in both isolations, and a client
//! gets what it got then. `plugins-sdk/abi/README.md` has the policy.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tickerd_tests::{Client, Event, Feed, daemon, json, told};

/// The folder of what was released with ABI 1.0.
fn released() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins-sdk/abi/1.0")
}

/// Whether binaries for x86_64 run here. If not, that is said past the test runner, which keeps back what a test prints.
#[expect(clippy::explicit_write, reason = "eprintln is what the test runner keeps back")]
fn runs_here(what: &str) -> bool {
    let runs = cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"));
    if !runs {
        let why = format!("skipped: {what} is a binary for x86_64 Linux with glibc, which this is not");
        writeln!(std::io::stderr(), "{why}").unwrap();
    }
    runs
}

/// What a client gets of a golden plugin: the ticks of each topic in order, and the topics there are in the end. Of a state
/// topic the last tick counts alone, for the others may be merged. The time of acceptance is 0.
async fn stream_of(library: &Path, isolation: &str) -> String {
    let folder = TempDir::new().unwrap();
    // A checkout may leave files that the group may write, which the daemon need not trust.
    let plugin = folder.path().join("golden.so");
    std::fs::copy(library, &plugin).unwrap();
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o644)).unwrap();
    let gate = folder.path().join("gate");
    let feed = Feed::plugin("golden", plugin.to_str().unwrap())
        .set("interval = \"20ms\"")
        .set(&format!("isolation = {}", json!(isolation)))
        .configured(&format!("gate = {}", json!(gate)));
    let daemon = daemon().feed(feed).run().await;
    let mut client = daemon.connected().await;
    let mut health = daemon.connected().await;
    let topics = json!({"topics": ["golden", "golden.**"]});
    health.subscribe(topics.clone()).await;
    client.subscribe(topics).await;
    std::fs::write(&gate, "").unwrap();

    let mut ticks = until(&mut client, |tick| tick.topic() == "golden.gone").await;
    daemon.logged("golden says info").await;
    daemon.logged("golden says warn: \u{fc}").await;
    daemon.logged(": golden: the source is away").await;
    std::fs::write(gate.with_extension("second"), "").unwrap();
    ticks.extend(until(&mut client, |tick| tick.value()["end"] == true).await);
    ticks.extend(client.sync().await.into_iter().filter(Event::is_tick));
    told(&mut health, "golden", "closed", "golden: the market is closed").await;
    // The order of each topic is promised, the order across topics is not.
    ticks.sort_by(|a, b| a.topic().cmp(b.topic()));
    let mut stream = String::new();
    for (at, tick) in ticks.iter().enumerate() {
        let newest = ticks.get(at + 1).is_none_or(|next| next.topic() != tick.topic());
        if tick.name != "quote" || newest {
            writeln!(stream, "{}", without_ts(&tick.text)).unwrap();
        }
    }
    client.send(json!({"event": "topics", "data": {"match": "golden.**"}})).await;
    let topics = client.until("topics").await;
    for topic in topics.data["topics"].as_array().unwrap() {
        // What the answer says of a topic may grow.
        let said = ["topic", "kind", "class", "seq"].map(|key| format!("\"{key}\":{}", topic[key]));
        writeln!(stream, "{{{}}}", said.join(",")).unwrap();
    }
    stream
}

/// The ticks up to and with this one.
async fn until(client: &mut Client, is_last: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut ticks: Vec<Event> = Vec::new();
    while !ticks.last().is_some_and(&is_last) {
        let event = client.next().await;
        if event.is_tick() {
            ticks.push(event);
        }
    }
    ticks
}

/// The message with 0 for every `ts`; `src_ts` stays.
fn without_ts(text: &str) -> String {
    let mut pieces = text.split(",\"ts\":");
    let mut out = pieces.next().unwrap().to_owned();
    for piece in pieces {
        out += ",\"ts\":0";
        out += piece.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out
}

async fn is_as_it_was(library: &Path) {
    let expected = std::fs::read_to_string(released().join("golden.expected.ndjson")).unwrap();
    for isolation in ["process", "in-process"] {
        let stream = stream_of(library, isolation).await;
        assert!(stream == expected, "{} in {isolation}: a client gets\n{stream}", library.display());
    }
}

#[tokio::test]
async fn the_golden_c_plugin_of_1_0_says_what_it_said() {
    let library = released().join("golden-c-x86_64.so");
    if runs_here("golden-c-x86_64.so") {
        is_as_it_was(&library).await;
    }
}

#[tokio::test]
async fn the_golden_rust_plugin_of_1_0_says_what_it_said() {
    let library = released().join("golden-rust-x86_64.so");
    if runs_here("golden-rust-x86_64.so") {
        is_as_it_was(&library).await;
    }
}

/// Goal: a C author who stays with the header of 1.0 has a plugin for today's daemon, on any machine.
#[tokio::test]
async fn a_plugin_made_today_with_the_header_of_1_0_says_the_same() {
    let folder = TempDir::new().unwrap();
    let library = folder.path().join("golden.so");
    let status = Command::new("cc")
        .args(["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o"])
        .args([library.as_path(), &released().join("golden.c")])
        .status()
        .expect("these tests need a C compiler called cc (Debian: gcc)");
    assert!(status.success());
    is_as_it_was(&library).await;
}
