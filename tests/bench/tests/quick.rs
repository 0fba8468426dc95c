//! The bench stays able to measure: a smoke run over the daemon of the same build.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The daemon beside the bench, built now if it is missing or old.
fn daemon() -> PathBuf {
    let bench = Path::new(env!("CARGO_BIN_EXE_tickerd-bench"));
    // In a debug build all of the workspace, as the other tests build it: crates that are built alone have other features, and
    // everything would be compiled once more.
    let what: &[&str] = match bench.parent().is_some_and(|folder| folder.ends_with("release")) {
        true => &["--release", "-p", "tickerd", "-p", "tickerd-feed-flood"],
        false => &["--workspace"],
    };
    let built = Command::new(env!("CARGO")).args(["build", "--locked"]).args(what).status();
    assert!(built.is_ok_and(|status| status.success()), "cargo build {what:?}");
    bench.with_file_name("tickerd")
}

#[test]
fn smoke_run_measures_every_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let mut bench = Command::new(env!("CARGO_BIN_EXE_tickerd-bench"));
    let done = bench.arg("--quick").arg("--daemon").arg(daemon()).arg("--json").arg(&json).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");

    let table = String::from_utf8(done.stdout).unwrap();
    assert!(table.contains("late beats") && table.contains("until all recoveries are through"), "{table}");
    let figures: serde_json::Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let rows = figures["rows"].as_array().unwrap();
    for scenario in ('a'..='x').filter(|id| *id != 'q' || Path::new("/usr/sbin/nginx").is_file()) {
        let scenario = scenario.to_string();
        let row = rows.iter().find(|row| row["scenario"] == scenario.as_str()).expect(&scenario);
        assert!(row["daemon"]["median"].as_f64().unwrap() >= 0.0, "{row}");
    }
}
