//! Goal: what the SDK's README shows is what works: each of its code blocks is compiled, run or checked. Those in Rust are
//! doc tests of the SDK; all others are here, by the words behind their fence.
//!
//! | fence | what is done |
//! |---|---|
//! | `c`, `cpp` | compiled as a plugin, without a warning; a whole one passes `tickerd plugin check` |
//! | `LANGUAGE feed` | run by the daemon until a client gets a tick; passes `tickerd plugin check` |
//! | `sh new` | typed; its last command serves |
//! | `sh project` | typed in the folder of a project in C that was built |
//! | `toml` | `tickerd check` |
//! | `toml check` | what a project is checked with, by the commands for it |
//! | `json` | each line read by the daemon as a feed's |
//! | `sh shown`, `ini`, `text` | nothing, as it needs a plugin or a system; such blocks are listed on standard error |

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use tickerd_tests::author::program;
use tickerd_tests::daemon::{command, target};
use tickerd_tests::{daemon, exec, json, raw_c, within};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

const README: &str = include_str!("../../plugins-sdk/README.md");

/// A block: the words behind its fence, its text, and the line it begins on.
struct Block {
    fence: &'static str,
    text: String,
    line: usize,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (number, line) in README.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(fence) if !inside => {
                inside = true;
                blocks.push(Block { fence: fence.trim(), text: String::new(), line: number + 1 });
            }
            Some(_) => inside = false,
            None if inside => blocks.last_mut().unwrap().text += &format!("{line}\n"),
            None => {}
        }
    }
    assert!(!inside, "a block does not end");
    blocks
}

fn fenced(fence: &'static str) -> Vec<Block> {
    let found: Vec<Block> = blocks().into_iter().filter(|block| block.fence == fence).collect();
    assert!(!found.is_empty(), "there is no block ```{fence}");
    found
}

fn tell(text: &str) {
    // Not through the test's captured output: what is left out must be seen when all is well.
    std::io::stderr().write_all(format!("\n{text}\n").as_bytes()).unwrap();
}

fn installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    if !there {
        tell(&format!("SKIPPED: blocks of plugins-sdk/README.md that need {tool}, which is not installed"));
    }
    there
}

#[test]
fn every_block_is_of_a_kind_that_is_checked() {
    let known = [
        "rust",
        "c",
        "cpp",
        "sh new",
        "sh project",
        "sh feed",
        "python feed",
        "js feed",
        "go feed",
        "toml",
        "toml check",
        "json",
    ];
    let listed = ["sh shown", "ini", "text"];
    let mut left_out = Vec::new();
    for block in blocks() {
        if listed.contains(&block.fence) {
            left_out.push(format!("line {} ({})", block.line, block.fence));
        } else {
            assert!(
                known.contains(&block.fence),
                "line {}: ```{} is checked by nobody",
                block.line,
                block.fence
            );
        }
    }
    tell(&format!("plugins-sdk/README.md: blocks that are not run: {}", left_out.join(", ")));
}

/// Goal: what the header declares is in the contract: each function with its thread, each status with what it does.
#[test]
fn every_function_and_status_is_told() {
    let header = include_str!("../../plugins-sdk/include/tickerd.h");
    let first_columns: Vec<&str> =
        README.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    let told = |name: &str| first_columns.iter().any(|column| column.contains(&format!("`{name}`")));
    let functions = header.split("(*").skip(1).filter_map(|rest| rest.split_once(")(")).map(|(name, _)| name);
    let statuses = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split(' ').next());
    let is_status = |name: &&str| name.starts_with("TKR_ERR_") || ["TKR_OK", "TKR_DROPPED"].contains(name);
    let names: Vec<&str> = functions.chain(statuses.filter(is_status)).collect();
    assert!(
        names.contains(&"emit") && names.contains(&"destroy") && names.contains(&"TKR_ERR_PANIC"),
        "{names:?}"
    );
    let untold: Vec<&&str> = names.iter().filter(|name| !told(name)).collect();
    assert!(untold.is_empty(), "plugins-sdk/README.md has no row for {untold:?}");
}

async fn succeeds(command: &mut Command, what: &str) {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{what}:\n{said}");
}

#[tokio::test]
async fn blocks_in_c_and_cpp_compile() {
    let folder = TempDir::new().unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins-sdk/include");
    for (fence, compiler, standard) in [("c", "cc", "-std=c11"), ("cpp", "c++", "-std=c++20")] {
        if !installed(compiler) {
            continue;
        }
        for block in fenced(fence) {
            let source = folder.path().join(format!("{}.{fence}", block.line));
            std::fs::write(&source, &block.text).unwrap();
            let mut command = Command::new(compiler);
            command.args([
                standard,
                "-Wall",
                "-Wextra",
                "-Werror",
                "-fPIC",
                "-shared",
                "-fvisibility=hidden",
                "-I",
            ]);
            command.arg(&include).arg("-o").arg(source.with_extension("so")).arg(&source);
            succeeds(&mut command, &format!("line {}", block.line)).await;
            if block.text.contains("*tickerd_plugin_v1(void)") {
                let plugin = source.with_extension("so");
                let feed =
                    tickerd_tests::Feed::plugin("f", plugin.to_str().unwrap()).set("interval = \"50ms\"");
                ticks(feed.set("poll = \"100ms\"")).await;
                passes(&plugin).await;
            }
        }
    }
}

/// The conformance suite has nothing to say against it.
async fn passes(plugin: &Path) {
    let mut check = command();
    check.args(["plugin", "check", "--fuzz", "5", "--seed", "1"]).arg(plugin);
    succeeds(&mut check, &format!("tickerd plugin check {}", plugin.display())).await;
}

/// What the front page runs as `exec` is a feed too.
#[tokio::test]
async fn the_front_page_s_programs_pass_the_check() {
    const FRONT: &str = include_str!("../../README.md");
    let folder = TempDir::new().unwrap();
    let lines = FRONT.lines().filter_map(|line| line.strip_prefix("exec = [\"/bin/sh\", \"-c\", "));
    let scripts: Vec<String> =
        lines.map(|rest| serde_json::from_str(rest.strip_suffix(']').unwrap()).unwrap()).collect();
    assert!(!scripts.is_empty(), "README.md shows no program as a feed");
    for (n, script) in scripts.iter().enumerate() {
        passes(&program(folder.path(), &format!("feed-{n}"), &format!("#!/bin/sh\n{script}\n"))).await;
    }
}

/// The daemon runs this feed, and a client gets a tick of it.
async fn ticks(feed: tickerd_tests::Feed) {
    let daemon = daemon().feed(feed).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["f", "f.**"]})).await;
    let tick = within("a tick", async {
        loop {
            let event = client.next().await;
            if event.is_tick() {
                return event;
            }
        }
    })
    .await;
    assert!(tick.seq() >= 1, "{}", tick.text);
}

#[tokio::test]
async fn programs_are_feeds() {
    let folder = TempDir::new().unwrap();
    let cache = target().join("authors/go");
    for (fence, file, tool, argv) in [
        ("sh feed", "feed.sh", "sh", vec!["sh"]),
        ("python feed", "feed.py", "python3", vec!["python3"]),
        ("js feed", "feed.mjs", "node", vec!["node"]),
        ("go feed", "main.go", "go", vec![]),
    ] {
        if !installed(tool) {
            continue;
        }
        for block in fenced(fence) {
            let source = folder.path().join(file);
            std::fs::write(&source, &block.text).unwrap();
            let program = if tool == "go" {
                let program = folder.path().join("feed");
                let mut build = Command::new("go");
                build
                    .arg("build")
                    .arg("-o")
                    .arg(&program)
                    .arg(&source)
                    .env("GOCACHE", &cache)
                    .env("GOPROXY", "off");
                succeeds(&mut build, fence).await;
                program
            } else {
                source
            };
            ticks(exec("f", argv.iter().copied().chain([program.to_str().unwrap()]))).await;
            if let [interpreter] = argv[..] {
                let whole = block.text.strip_prefix("#!/bin/sh\n").unwrap_or(&block.text);
                std::fs::write(&program, format!("#!/usr/bin/env {interpreter}\n{whole}")).unwrap();
                std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            passes(&program).await;
        }
    }
}

#[tokio::test]
async fn configurations_are_right() {
    for block in fenced("toml") {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("tickerd.toml");
        std::fs::write(&file, &block.text).unwrap();
        // Where a plugin is named, there is one, as there would be after `make`.
        std::fs::copy(raw_c("good"), folder.path().join("tide.so")).unwrap();
        let mut check = command();
        check.arg("check").arg(&file);
        check.env("TICKERD_SERVER__LISTEN", "127.0.0.1:0").env("TICKERD_SERVER__ADMIN", "127.0.0.1:0");
        succeeds(&mut check, &format!("line {}", block.line)).await;
    }
}

#[tokio::test]
async fn lines_of_json_are_taken() {
    let folder = TempDir::new().unwrap();
    for block in fenced("json") {
        let lines = folder.path().join("lines.ndjson");
        std::fs::write(&lines, &block.text).unwrap();
        let script = "cat \"$1\"; exec cat >/dev/null";
        let daemon =
            daemon().feed(exec("f", ["sh", "-c", script, "sh", lines.to_str().unwrap()])).run().await;
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": ["f.**"]})).await;
        let wanted: Vec<&str> = block.text.lines().filter(|line| line.contains("\"data\"")).collect();
        for _ in &wanted {
            within("a tick", async { while !client.next().await.is_tick() {} }).await;
        }
        let metrics = daemon.metrics().await;
        let refused = metrics
            .lines()
            .any(|line| line.starts_with("tickerd_feed_rejects_total") && !line.ends_with(" 0"));
        assert!(!refused, "line {}:\n{metrics}", block.line);
    }
}

/// What this test was itself started by is not meant for the commands that are typed; the tickerd under test is in PATH.
fn as_typed(command: &mut Command, folder: &Path) {
    let mut path = target().into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "TICKERD_CONFIG", "TICKERD_PLUGIN_PATH"] {
        command.env_remove(name);
    }
    command.env("PATH", path).current_dir(folder);
}

#[tokio::test]
async fn commands_for_a_project_do_what_they_say() {
    if !["make", "cc"].iter().all(|tool| installed(tool)) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let mut begin = Command::new("sh");
    begin.args(["-ec", "tickerd plugin new --lang c tide && make -C tide"]);
    as_typed(&mut begin, folder.path());
    succeeds(&mut begin, "plugin new").await;
    let project = folder.path().join("tide");
    std::fs::write(project.join("clock.c"), &fenced("c")[0].text).unwrap();
    let [rules] = <[Block; 1]>::try_from(fenced("toml check")).ok().unwrap();
    std::fs::write(project.join("plugin-check.toml"), &rules.text).unwrap();
    for block in fenced("sh project") {
        let mut typed = Command::new("sh");
        typed.args(["-ec", &block.text]);
        as_typed(&mut typed, &project);
        succeeds(&mut typed, &format!("line {}", block.line)).await;
    }
    for made in ["clock.so", "report.xml"] {
        assert!(project.join(made).is_file(), "no {made}");
    }
    let report = std::fs::read_to_string(project.join("report.xml")).unwrap();
    assert!(report.contains("memory") && report.contains("a cache per connection"), "{report}");
}

/// The first commands of the page, typed; the last of them serves until it is told to end.
#[tokio::test]
async fn five_minutes_are_enough() {
    if !["make", "cargo"].iter().all(|tool| installed(tool)) {
        return;
    }
    let [block] = <[Block; 1]>::try_from(fenced("sh new")).ok().unwrap();
    let commands: Vec<&str> = block.text.lines().collect();
    assert!(commands.len() < 5, "four commands and a browser: {commands:?}");
    let (serve, before) = commands.split_last().unwrap();
    assert_eq!((before[0], *serve), ("tickerd plugin new --lang rust tide", "make run"));
    let folder = TempDir::new().unwrap();
    // In shell, which needs no compiler; every other language is in `authors`.
    let typed = before.join(" && ").replace("rust", "sh");
    let free = "ARGS=--listen 127.0.0.1:0 --admin 127.0.0.1:0";
    let mut shell = Command::new("sh");
    shell.args(["-ec", &format!("{typed} && exec {serve} \"{free}\"")]);
    as_typed(&mut shell, folder.path());
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).process_group(0);
    let mut child = shell.spawn().unwrap();
    let group = Pid::from_raw(child.id().unwrap() as i32);
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let serves = within("the page's address", async {
        while let Some(line) = said.next_line().await.unwrap() {
            if line.contains("listening on http://127.0.0.1:") {
                return true;
            }
        }
        false
    })
    .await;
    killpg(group, Signal::SIGINT).unwrap();
    within("make to end", child.wait()).await.unwrap();
    assert!(serves, "it ended without a word");
}
