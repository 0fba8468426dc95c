//! The log as an operator reads it: JSON, its level while the daemon runs, and lines that come again.

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tickerd_tests::daemon::command;
use tickerd_tests::{Script, Value, daemon, exec, json, within};

/// A feed that writes a line to its standard error for each that the script says.
fn parrot(script: &Script) -> tickerd_tests::Feed {
    let fifo = script.fifo().display().to_string();
    exec("parrot", ["/bin/sh", "-c", &format!("exec cat <{fifo} >&2")])
}

/// What a command prints, which must have gone well.
async fn printed(folder: &TempDir, words: &[&str]) -> String {
    let mut command = command();
    command.args(words).env("XDG_RUNTIME_DIR", folder.path());
    let output = within("the command", command.output()).await.unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{words:?}: {told}");
    told
}

#[tokio::test]
async fn a_line_that_comes_again_is_counted() {
    let script = Script::new("parrot");
    let mut daemon = daemon().feed(parrot(&script)).run().await;
    for word in ["one", "one", "<4>one", "two", "one", "three"] {
        script.line(word).await;
    }
    daemon.logged_of("parrot", "three").await;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.exit().await.code(), Some(0));
    daemon.logged_of("parrot", "… and 2 more like it in ").await;
    let log = daemon.log();
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(
        (count("feed_log: one feed="), count("feed_log: two feed=")),
        (2, 1),
        "once at each level: {log}"
    );
}

#[tokio::test]
async fn each_line_of_json_is_an_object() {
    let script = Script::new("parrot");
    let daemon = daemon().feed(parrot(&script)).env("TICKERD_LOG_FORMAT", "json").run().await;
    script.line("<4>back\\slash").await;
    daemon.logged("slash").await;
    let log = daemon.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}")))
        .collect();
    let line = lines.iter().find(|line| line["message"] == "back\\slash").unwrap();
    assert_eq!((&line["level"], &line["fields"]["feed"]), (&json!("warn"), &json!("parrot")));
    assert!(line["fields"]["pid"].is_u64() && line["ts"].is_string() && line["target"].is_string(), "{line}");

    // What stops it is told so too.
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bad.toml");
    std::fs::write(&file, "[server]\nheartbeet = \"1s\"\n").unwrap();
    let mut command = command();
    command.args(["--log-format", "json", "--config"]).arg(&file);
    let output = within("the end", command.output()).await.unwrap();
    let told: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &told["level"]), (Some(78), &json!("error")));
    assert!(told["message"].as_str().unwrap().contains("heartbeat"), "{told}");
    let mut command = tickerd_tests::daemon::command();
    command.envs([("TICKERD_LOG_FORMAT", "json"), ("TICKERD_LOG", "bogus")]);
    let output = within("the end", command.output()).await.unwrap();
    let told: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &told["level"]), (Some(64), &json!("error")));
    assert!(told["message"].as_str().unwrap().contains("TICKERD_LOG"), "{told}");
}

#[tokio::test]
async fn a_wrong_format_is_refused_at_start() {
    let output = within("the end", command().env("TICKERD_LOG_FORMAT", "xml").output()).await.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), told.as_str()),
        (Some(64), "tickerd: TICKERD_LOG_FORMAT: write text or json\n")
    );
}

#[tokio::test]
async fn the_level_changes_while_it_runs() {
    let (script, folder) = (Script::new("parrot"), TempDir::new().unwrap());
    let runtime = folder.path().to_str().unwrap();
    let daemon =
        daemon().feed(parrot(&script)).env("XDG_RUNTIME_DIR", runtime).env("TICKERD_LOG", "warn").run().await;
    assert_eq!(printed(&folder, &["loglevel"]).await, "warn\n");
    script.line("<7>not yet").await;
    script.line("<4>a warning").await;
    daemon.logged("a warning").await;
    assert_eq!(
        printed(&folder, &["loglevel", "info,tickerd::feed=debug"]).await,
        "info,tickerd::feed=debug\n"
    );
    script.line("<7>a detail").await;
    daemon.logged("a detail").await;
    assert!(!daemon.log().contains("not yet"));

    let mut wrong = command();
    wrong.args(["loglevel", "loud"]).env("XDG_RUNTIME_DIR", folder.path());
    let output = within("the command", wrong.output()).await.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("`loud` is no log level; write one of"), "{told}");
    assert_eq!(printed(&folder, &["loglevel"]).await, "info,tickerd::feed=debug\n");
}
