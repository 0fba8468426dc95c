//! The rules of the house, held to the sources: who may know whom, and how large things get.

mod imports;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What each crate of the daemon may depend on, of those of this workspace.
const CRATES: [(&str, &[&str]); 12] = [
    ("tickerd", &["author", "config", "engine", "host", "identity", "process", "remote", "tls"]),
    ("tickerd-engine", &["cluster", "config", "host", "identity", "model", "nats", "process", "tls"]),
    ("tickerd-cluster", &["model"]),
    ("tickerd-nats", &[]),
    ("tickerd-author", &["config", "host", "model", "process", "sdk"]),
    ("tickerd-host", &["config", "model", "process", "sdk"]),
    ("tickerd-identity", &["config", "model"]),
    ("tickerd-config", &["model"]),
    ("tickerd-process", &[]),
    ("tickerd-remote", &[]),
    ("tickerd-tls", &["config"]),
    ("tickerd-model", &["sdk"]),
];
/// What computes knows none of these, also not through others.
const NOT_BELOW_THE_MODEL: [&str; 9] =
    ["tokio", "mio", "hyper", "prometheus", "nix", "socket2", "fastwebsockets", "tracing", "rustix"];
const LINES_MAX: usize = 400;
const FILES_MAX: usize = 15;
const CIRCLE_MAX: usize = 3;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every Rust file below a folder, as its path from there.
fn sources(folder: &Path) -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(folder, &mut found);
    found.sort();
    found.iter().map(|path| path.strip_prefix(folder).unwrap().to_owned()).collect()
}

/// The source folders of the daemon's crates and of the feeds.
fn houses() -> Vec<PathBuf> {
    let root = root();
    let mut houses = vec![root.join("daemon/src")];
    for parent in ["daemon", "feeds"] {
        for entry in fs::read_dir(root.join(parent)).unwrap() {
            let source = entry.unwrap().path().join("src");
            if source.is_dir() && source != root.join("daemon/src") {
                houses.push(source);
            }
        }
    }
    houses.sort();
    houses
}

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        // Of other systems' crates a build has brought nothing.
        .args(["--filter-platform", &format!("{}-unknown-linux-gnu", std::env::consts::ARCH)])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a package is built with, by the packages' ids: nothing that is for tests or build scripts alone.
fn built_with(metadata: &Value) -> BTreeMap<&str, Vec<&str>> {
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let of = |node: &'_ Value| -> Vec<&str> {
        let deps = node["deps"].as_array().unwrap().iter();
        let normal =
            deps.filter(|dep| dep["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null()));
        normal.map(|dep| dep["pkg"].as_str().unwrap()).map(|id| leak(id)).collect()
    };
    nodes.iter().map(|node| (leak(node["id"].as_str().unwrap()), of(node))).collect()
}

/// Texts of one run of one test.
fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

#[test]
fn crates_know_whom_they_may() {
    let metadata = metadata();
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
        .collect();
    let graph = built_with(&metadata);
    let id = |name: &str| *names.iter().find(|(_, known)| **known == name).unwrap().0;
    for (name, allowed) in CRATES {
        let known: BTreeSet<&str> =
            graph[id(name)].iter().filter_map(|id| names[id].strip_prefix("tickerd-")).collect();
        assert_eq!(
            known,
            allowed.iter().copied().collect(),
            "{name}: keep the table true, and the arrows down"
        );
    }
    let (mut below, mut left) = (BTreeSet::new(), vec![id("tickerd-model")]);
    while let Some(id) = left.pop() {
        for dep in &graph[id] {
            if below.insert(names[dep]) {
                left.push(*dep);
            }
        }
    }
    for other in NOT_BELOW_THE_MODEL {
        assert!(!below.contains(other), "the model has {other} below it: {below:?}");
    }
}

#[test]
fn unsafe_code_is_in_the_plugin_host_alone() {
    for house in houses() {
        let is_host = house.ends_with("daemon/host/src");
        let is_feed = house.starts_with(root().join("feeds"));
        for entry in
            ["lib.rs", "main.rs"].iter().map(|entry| house.join(entry)).filter(|entry| entry.is_file())
        {
            let text = fs::read_to_string(&entry).unwrap();
            let is_forbidden = text.contains("#![forbid(unsafe_code)]");
            assert!(is_forbidden || is_host || is_feed, "{}: forbid unsafe code", entry.display());
        }
    }
}

/// `room → room, room` in the front page of the engine, each room once.
fn rooms_of_the_front_page() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(root().join("daemon/engine/src/lib.rs")).unwrap();
    let block =
        page.split("//! ```text").nth(1).expect("a block of who may know whom").split("```").next().unwrap();
    let lines = block.lines().filter_map(|line| line.trim_start_matches("//!").split_once('→'));
    lines
        .map(|(room, known)| {
            let known = known.split(',').map(str::trim).filter(|known| !known.is_empty()).map(str::to_owned);
            (room.trim().to_owned(), known.collect())
        })
        .collect()
}

#[test]
fn rooms_of_the_engine_know_whom_the_front_page_names() {
    let house = root().join("daemon/engine/src");
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let room = |file: &str| file.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
    for file in sources(&house) {
        if file.as_os_str() != "lib.rs" {
            known.entry(room(&file.to_string_lossy())).or_default();
        }
    }
    for (from, to) in imports::of(&house) {
        let (from, to) = (room(&from), room(&to));
        if from != to && from != "lib" {
            known.entry(from).or_default().insert(to);
        }
    }
    assert_eq!(known, rooms_of_the_front_page());
}

#[test]
fn files_that_import_one_another_are_few_and_in_one_folder() {
    let mut faults = Vec::new();
    for house in houses() {
        for circle in imports::circles(&imports::of(&house)) {
            let folders: BTreeSet<&str> = circle.iter().map(|file| imports::folder(file)).collect();
            // `board.rs` and what is in `board/` are one folder.
            let is_home = |folder: &str| folders.contains(folder) || circle.contains(&format!("{folder}.rs"));
            let is_one = folders.len() == 1
                || folders.iter().any(|home| {
                    folders
                        .iter()
                        .all(|folder| folder == home || is_home(folder) && imports::folder(folder) == *home)
                });
            if circle.len() > CIRCLE_MAX || !is_one {
                faults.push(format!("{}: {circle:?}", house.display()));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "circles of more than {CIRCLE_MAX} files, or across folders:\n{}",
        faults.join("\n")
    );
}

#[test]
fn files_and_folders_stay_small_and_say_what_they_are_about() {
    let mut faults = Vec::new();
    for house in houses() {
        let mut folders: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for file in sources(&house) {
            let path = house.join(&file);
            let text = fs::read_to_string(&path).unwrap();
            let mut fault = |what: &str| faults.push(format!("{}: {what}", path.display()));
            if text.lines().count() > LINES_MAX {
                fault("so many lines ask for a second noun");
            }
            if !text.starts_with("//!") {
                fault("what is this file about? Begin it with //!");
            }
            if text.contains("See the module") || text.contains("See there.") {
                fault("\"See the module\" tells a reader nothing");
            }
            for (at, _) in
                text.lines().enumerate().filter(|(_, line)| line.contains("thread::Builder::new()"))
            {
                let rest: String = text.lines().skip(at).take(3).collect();
                if !rest.contains(".name(") {
                    fault("a thread without a name may die unnoticed");
                }
            }
            *folders.entry(path.parent().unwrap().to_owned()).or_default() += 1;
        }
        let wide = folders.iter().filter(|(_, count)| **count > FILES_MAX);
        faults.extend(
            wide.map(|(folder, count)| {
                format!("{}: {count} files ask for a second folder", folder.display())
            }),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
