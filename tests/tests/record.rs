//! `tickerd record`: a feed's samples in a file, without a server.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tickerd_tests::daemon::command;
use tickerd_tests::tape::{read_tape, record};
use tickerd_tests::{GUARD, json, sim, within};
use tokio::process::Child;

const SIM: [&str; 7] = ["--plugin", "tickerd_feed_sim", "--set", "seed=7", "--poll", "20ms", "--set"];

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let tape = folder.path().join("day.ndjson");
    (folder, tape)
}

fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("feed");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A recording that goes on until it is told to stop.
fn recording(arguments: &[&str], tape: &Path) -> Child {
    let mut command = command();
    command.arg("record").args(arguments).arg("-o").arg(tape).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Waits until so many lines are in the file.
async fn grown(tape: &Path, lines: usize) {
    let wait = async {
        // A file that grows is no event, so it is asked again.
        while std::fs::read_to_string(tape).unwrap_or_default().lines().count() < lines {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(GUARD, wait).await.is_ok(), "{} does not grow", tape.display());
}

#[tokio::test]
async fn a_feed_is_recorded_sample_by_sample() {
    let (_folder, tape) = folder();
    let arguments = [&SIM[..], &["symbols=[\"ACME\"]", "--count", "30"]].concat();
    let (code, said) = record(&arguments, &tape).await;
    assert_eq!(code, 0, "{said}");
    let line = said.lines().last().unwrap();
    assert!(line.starts_with("recorded 30 samples of 6 topics in "), "{line}");
    assert!(line.ends_with("day.ndjson; 0 merged, 0 refused"), "{line}");

    let (header, samples) = read_tape(&std::fs::read_to_string(&tape).unwrap());
    assert_eq!((&header["tickerd_recording"], &header["feed"]), (&json!(1), &json!("org.tickerd.sim")));
    assert_eq!((&header["events"]["quote"], &header["events"]["trade"]), (&json!("state"), &json!("event")));
    assert!(header["started"].as_u64().unwrap() > 1_700_000_000_000);
    assert_eq!(samples.len(), 30);
    assert!(samples.is_sorted_by_key(|sample| sample.at_ms));
    let trades: Vec<_> = samples.iter().filter(|sample| sample.topic == "trades.ACME").collect();
    assert!(trades.iter().all(|trade| trade.is_event && trade.event == "trade"));
    let ids: Vec<u64> =
        trades.iter().map(|trade| trade.data["id"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>(), "every trade, once");

    // The same seed says the same again, whenever it is asked.
    let again = tape.with_file_name("again.ndjson");
    assert_eq!(record(&arguments, &again).await.0, 0);
    let (_, repeated) = read_tape(&std::fs::read_to_string(&again).unwrap());
    let said = |samples: &[tickerd_tests::tape::Recorded]| -> Vec<_> {
        samples.iter().map(|sample| (sample.topic.clone(), sample.data.clone())).collect()
    };
    assert_eq!(said(&samples), said(&repeated));
}

#[tokio::test]
async fn a_feed_of_a_configuration_is_recorded_for_a_time() {
    let (folder, tape) = folder();
    let file = folder.path().join("tickerd.toml");
    std::fs::write(&file, format!("{}\n{}", sim(7).toml(), sim(8).toml().replace("\"sim\"", "\"other\"")))
        .unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let (code, said) = record(&config, &tape).await;
    assert_eq!(code, 64);
    assert!(said.contains("--feed") && said.contains("sim, other"), "{said}");
    let (code, said) = record(&[&config[..], &["--feed", "smi"]].concat(), &tape).await;
    assert!(code == 64 && said.contains("there is no such feed"), "{said}");
    assert!(!tape.exists());
    let (code, said) = record(&[&config[..], &["--feed", "other", "--for", "8s"]].concat(), &tape).await;
    assert_eq!(code, 0, "{said}");
    let (_, samples) = read_tape(&std::fs::read_to_string(&tape).unwrap());
    assert!(samples.iter().any(|sample| sample.topic == "sine"), "{samples:#?}");
}

#[tokio::test]
async fn it_ends_with_the_feed_and_keeps_what_was_said_last() {
    let (folder, tape) = folder();
    let text = r#"for n in 1 2 3; do echo '{"topic":"a","event":"tick","data":1.50}'; done; echo nonsense; echo '{"retire":"a"}'"#;
    let feed = script(folder.path(), text);
    let (code, said) = record(&["--plugin", &feed], &tape).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("recorded 3 samples of 1 topic in ") && said.contains("0 merged, 1 refused"),
        "{said}"
    );
    let lines = std::fs::read_to_string(&tape).unwrap();
    assert_eq!(lines.matches(r#""topic":"a","event":"tick","data":1.50}"#).count(), 3, "{lines}");
    assert!(lines.ends_with("\"retire\":\"a\"}\n"), "{lines}");
}

#[tokio::test]
async fn nothing_recorded_is_a_failure_that_says_why() {
    let (folder, tape) = folder();
    let feed = script(folder.path(), "echo '<3>no route to the exchange' >&2; exit 1");
    let (code, said) = record(&["--plugin", &feed, "--for", "8s"], &tape).await;
    assert_eq!(code, 1);
    assert!(
        said.contains("recorded 0 samples") && said.contains("nothing was recorded; the feed was down"),
        "{said}"
    );
    assert!(said.contains("exited with status 1: no route to the exchange"), "{said}");
    assert!(!tape.exists(), "an empty file would be in the way of the next try");
    let (code, said) = record(&["--plugin", "tickerd_feed_sim", "--set", "sed=7"], &tape).await;
    assert!(
        code == 1 && said.contains("the feed was down") && said.contains("sed is no key; did you mean seed?"),
        "{code}: {said}"
    );
    let (code, said) = record(&["--plugin", "tickerd_feed_smi"], &tape).await;
    assert!(code == 1 && said.contains("did you mean tickerd_feed_sim"), "{code}: {said}");
}

#[tokio::test]
async fn a_file_is_not_written_over_unless_that_is_meant() {
    let (_folder, tape) = folder();
    std::fs::write(&tape, "precious").unwrap();
    let arguments = [&SIM[..], &["symbols=1", "--count", "5"]].concat();
    let (code, said) = record(&arguments, &tape).await;
    assert!(code == 64 && said.contains("--force"), "{code}: {said}");
    assert_eq!(std::fs::read_to_string(&tape).unwrap(), "precious");
    let (code, said) = record(&[&arguments[..], &["--force"]].concat(), &tape).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(read_tape(&std::fs::read_to_string(&tape).unwrap()).1.len(), 5);
}

#[tokio::test]
async fn it_goes_to_standard_output_too() {
    let mut command = command();
    command.arg("record").args(SIM).args(["symbols=1", "--count", "5", "-o", "-"]);
    let output = within("the recording to end", command.output()).await.unwrap();
    assert_eq!(read_tape(&String::from_utf8(output.stdout).unwrap()).1.len(), 5);
}

#[tokio::test]
async fn an_interrupt_ends_it_in_order_and_a_kill_loses_nothing_written() {
    for (signal, code) in [(Signal::SIGINT, Some(0)), (Signal::SIGTERM, Some(0)), (Signal::SIGKILL, None)] {
        let (_folder, tape) = folder();
        let mut child = recording(&[&SIM[..], &["symbols=1"]].concat(), &tape);
        grown(&tape, 20).await;
        let before = std::fs::read_to_string(&tape).unwrap();
        kill(Pid::from_raw(child.id().unwrap() as i32), signal).unwrap();
        let status = within("the recording to end", child.wait()).await.unwrap();
        assert_eq!(status.code(), code, "{signal}");
        let text = std::fs::read_to_string(&tape).unwrap();
        assert!(text.starts_with(&before), "{signal}");
        if code.is_some() {
            assert!(text.ends_with('\n') && read_tape(&text).1.len() >= 19, "{signal}");
        }
    }
}

#[tokio::test]
async fn mistakes_on_the_command_line_say_what_to_write() {
    let (_folder, tape) = folder();
    for (arguments, says) in [
        (vec![], "--config"),
        (vec!["--plugin", "x", "--config", "y"], "cannot be used with"),
        (vec!["--plugin", "x", "--for", "10"], "carries its unit"),
        (vec!["--plugin", "x", "--for", "10sec"], "write 10s"),
        (vec!["--plugin", "x", "--set", "seed"], "KEY=VALUE"),
        (vec!["--plugin", "x", "--count", "0"], "1.."),
        (vec!["--plugin", "tickerd_feed_sim", "--feed", "a.b"], "no name of a feed"),
    ] {
        let (code, said) = record(&arguments, &tape).await;
        assert!(code == 64 && said.contains(says), "{arguments:?}: {code}: {said}");
    }
}
