//! A host of ABI 1.0, made of the frozen header alone, drives plugins built with today's SDK.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tickerd_tests::daemon::target;
use tickerd_tests::{Value, json, raw_c};

/// The driver, compiled once per run.
fn driver() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = target().join("abi");
        std::fs::create_dir_all(&folder).unwrap();
        let (fresh, program) = (folder.join(format!("driver.{}", std::process::id())), folder.join("driver"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins-sdk/abi/1.0/driver.c");
        let status = Command::new("cc")
            .args(["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&fresh, &source])
            .args(["-ldl", "-lpthread"])
            .status()
            .expect("these tests need a C compiler called cc (Debian: gcc)");
        assert!(status.success());
        // Another run may be running the old one: it keeps that file, whatever its name is now.
        std::fs::rename(fresh, &program).unwrap();
        program
    })
}

/// What the driver prints when it has driven the plugin well.
fn driven(library: &Path, config: &Value, calls: u32) -> Vec<String> {
    let output = drive(library, config, calls);
    let text = String::from_utf8(output.stdout).unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {:?}\n{text}{why}", library.display(), output.status);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.last().unwrap(), "done", "{text}");
    lines
}

fn drive(library: &Path, config: &Value, calls: u32) -> Output {
    // Ended from outside if it hangs: a test that waits for ever says nothing.
    Command::new("timeout")
        .args(["--signal=KILL", "60"])
        .arg(driver())
        .arg(library)
        .args([config.to_string(), calls.to_string()])
        .stdin(Stdio::null())
        .output()
        .expect("timeout, of coreutils")
}

/// Topic, event and value of what was emitted.
fn emitted(lines: &[String]) -> Vec<(&str, &str, Value)> {
    let emits = lines.iter().filter_map(|line| line.strip_prefix("emit "));
    emits
        .map(|line| {
            let [topic, event, "value", value] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            (topic, event, serde_json::from_str(value).unwrap_or_else(|e| panic!("{line}: {e}")))
        })
        .collect()
}

fn feed(name: &str) -> PathBuf {
    target().join(format!("libtickerd_feed_{name}.so"))
}

#[test]
fn a_host_of_1_0_polls_a_plugin_of_today() {
    let lines = driven(&feed("sim"), &json!({"seed": 7, "symbols": ["AAPL"]}), 3);
    assert!(lines[0].starts_with("type org.tickerd.sim 1 "), "{}", lines[0]);
    assert_eq!(lines.iter().filter(|line| *line == "poll 0").count(), 3, "{lines:#?}");
    let sine: Vec<Value> = emitted(&lines)
        .into_iter()
        .filter(|(_, event, _)| *event == "sine")
        .map(|(_, _, value)| value)
        .collect();
    assert_eq!(sine.iter().map(|value| &value["step"]).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(emitted(&lines).iter().any(|(topic, event, value)| {
        (*topic, *event) == ("AAPL", "quote") && value["price"].is_string()
    }));
}

#[test]
fn a_host_of_1_0_runs_and_stops_a_plugin_of_today() {
    let lines = driven(&feed("pusher"), &json!({"every_ms": 1}), 5);
    let counts = emitted(&lines);
    assert!(counts.len() >= 5, "{lines:#?}");
    for (at, count) in counts.iter().enumerate() {
        assert_eq!(count, &("counter", "count", json!({"n": at + 1})));
    }
    assert!(lines.contains(&"run -5".to_owned()), "it says that it was stopping: {lines:#?}");
}

/// Goal: `interrupt` reaches a plugin through the table of 1.0. Method: `run` waits for nothing else.
#[test]
fn a_host_of_1_0_wakes_a_plugin_of_today_that_blocks() {
    let lines = driven(&feed("pusher"), &json!({"samples": 0, "end": "block"}), 0);
    assert!(lines.contains(&"run 0".to_owned()), "{lines:#?}");
}

#[test]
fn a_host_of_1_0_hears_why_a_plugin_of_today_fails() {
    let lines = driven(&feed("pusher"), &json!({"samples": 1, "every_ms": 1, "end": "fatal"}), 3);
    assert!(lines.contains(&"error run was asked to fail for good".to_owned()), "{lines:#?}");
    // It may have made one more before it is told to stop.
    let made = lines.iter().filter(|line| *line == "create 0").count();
    assert!(made >= 3, "a new one each time: {lines:#?}");
    let lines = driven(&feed("pusher"), &json!({"every_ms": "soon"}), 1);
    assert!(lines.contains(&"create -1".to_owned()), "{lines:#?}");
    let told = lines.iter().find_map(|line| line.strip_prefix("error ")).unwrap();
    assert!(told.contains("invalid type"), "{told}");
}

/// Goal: the driver's table ends where ABI 1.0 ends. Method: a plugin that reads behind it without asking.
#[test]
fn a_plugin_that_takes_a_newer_host_for_granted_dies_of_it() {
    let output = drive(&raw_c("reads_on"), &json!({}), 1);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("create 0") && !text.contains("poll"), "{text}");
    assert!(!output.status.success(), "{text}");
    // The same with the question asked.
    let lines = driven(&raw_c("larger_structs"), &json!({}), 2);
    assert_eq!(emitted(&lines).len(), 2);
}
