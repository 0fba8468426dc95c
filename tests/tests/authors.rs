//! Goal: whoever begins a feed with `tickerd plugin new` has a moving value before anything was written by hand.
//!
//! Method: each project is made in a folder outside of this repository, with the tickerd under test in PATH, and then the
//! commands of its README are typed. The projects are the SDK's examples under another name, so that this builds, tests
//! and runs each of these too. A language whose tools are not installed is skipped, and says so.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tickerd_tests::daemon::{command, target};
use tickerd_tests::{Daemon, Feed, daemon, json};
use tokio::process::Command;

/// A project that `tickerd plugin new` made.
struct Project {
    _outside: TempDir,
    folder: PathBuf,
    name: String,
}

impl Project {
    /// Makes it, or says on the test's own standard error (which no runner hides) that it is skipped.
    async fn new(language: &str, mode: &str, tools: &[&str]) -> Option<Project> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let there = |tool: &&&str| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
        let missing: Vec<&&str> = tools.iter().chain(&["make"]).filter(|tool| !there(tool)).collect();
        if !missing.is_empty() {
            let skipped = format!("\nSKIPPED: authors of {language} feeds: not installed: {missing:?}\n");
            std::io::stderr().write_all(skipped.as_bytes()).unwrap();
            return None;
        }
        let outside = TempDir::new().unwrap();
        let name = format!("north-sea-{mode}");
        let folder = outside.path().join(&name);
        let project = Project { _outside: outside, folder, name };
        let flag = format!("--{mode}");
        let parent = project.folder.parent().unwrap().to_owned();
        let said = project
            .run(&parent, "tickerd", &["plugin", "new", "--lang", language, &flag, &project.name])
            .await;
        for next in [&format!("cd {}", project.name), "  make\n", "  make run\n", "http://127.0.0.1:8425/"] {
            assert!(said.contains(next), "{said}");
        }
        Some(project)
    }

    async fn make(&self, words: &[&str]) -> String {
        self.run(&self.folder, "make", words).await
    }

    /// Runs a command as an author would, which must succeed; gives what it printed.
    async fn run(&self, folder: &Path, program: &str, words: &[&str]) -> String {
        let mut path = target().into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let builds = target().join("authors");
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            // What this test was itself started by, cargo or make, is not meant for those that it starts.
            let of_ours = ["TICKERD_", "CARGO_", "MAKE", "MFLAGS", "RUSTFLAGS"];
            let kept = ["CARGO_HOME"];
            let name = name.to_string_lossy();
            if of_ours.iter().any(|prefix| name.starts_with(prefix)) && !kept.contains(&&*name) {
                command.env_remove(&*name);
            }
        }
        command
            .args(words)
            .current_dir(folder)
            .env("PATH", path)
            // What was built once is not built again; and all that is needed is there.
            .env("CARGO_TARGET_DIR", &builds)
            .env("CARGO_NET_OFFLINE", "true")
            .env("GOCACHE", builds.join("go"))
            .env("GOPROXY", "off")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program} {words:?} in {}:\n{out}\n{err}", folder.display());
        out.into_owned()
    }

    /// All that its README says.
    async fn works(&self) {
        self.make(&[]).await;
        self.make(&["test"]).await;
        let check = self.make(&["check"]).await;
        assert!(check.contains(" ok") && !check.contains("FAILED"), "{check}");
        let run = self.make(&["-n", "run"]).await;
        assert!(run.lines().any(|line| line.trim() == "tickerd --config tickerd.toml"), "{run}");
        let mut command = command();
        command.args(["--config", "tickerd.toml", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.current_dir(&self.folder);
        let mut daemon = Daemon::start(command, TempDir::new().unwrap());
        daemon.serves().await;
        ticks(&daemon, &format!("{}.harbour", self.name)).await;
    }
}

/// A client gets two levels of this topic, the second one later than the first.
async fn ticks(daemon: &Daemon, topic: &str) {
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": [topic]})).await;
    let mut last = 0;
    for _ in 0..2 {
        let tick = client.until("tide").await;
        assert!(tick.topic() == topic && tick.seq() > last, "{}", tick.text);
        assert!(tick.value()["level_m"].as_f64().is_some_and(|level| level.abs() <= 1.0), "{}", tick.text);
        last = tick.seq();
    }
}

async fn both_modes(language: &str, tools: &[&str]) {
    for mode in ["poll", "push"] {
        if let Some(project) = Project::new(language, mode, tools).await {
            project.works().await;
        }
    }
}

#[tokio::test]
async fn a_feed_in_c() {
    both_modes("c", &["cc"]).await;
}

#[tokio::test]
async fn a_feed_in_cpp() {
    both_modes("cpp", &["c++"]).await;
}

#[tokio::test]
async fn a_feed_in_go() {
    both_modes("go", &["go"]).await;
}

#[tokio::test]
async fn a_feed_in_python() {
    both_modes("python", &["python3"]).await;
}

#[tokio::test]
async fn a_feed_in_javascript() {
    both_modes("node", &["node"]).await;
}

#[tokio::test]
async fn a_feed_in_shell() {
    both_modes("sh", &["sh", "sed", "awk"]).await;
}

/// Both in one test, for they share what they build; what is their own is thrown away, so that it does not pile up.
#[tokio::test]
async fn a_feed_in_rust() {
    for mode in ["poll", "push"] {
        let Some(project) = Project::new("rust", mode, &["cargo"]).await else { continue };
        project.works().await;
        let feed = std::fs::read_to_string(project.folder.join("src/lib.rs")).unwrap();
        let code = feed.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
        assert!(mode == "push" || code.count() <= 40, "the feed to begin with is longer than 40 lines");
        let clean = ["clean", "--release", "-p", "tickerd-sdk", "-p", &project.name];
        project.run(&project.folder, "cargo", &clean).await;
    }
}

/// The example that is no project to begin with: a feed with an async runtime of its own.
#[tokio::test]
async fn an_async_feed_in_rust() {
    let library = target().join("libexample_rust_async.so");
    let check = command().args(["plugin", "check"]).arg(&library).output().await.unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    let feed = Feed::plugin("sea", library.to_str().unwrap()).set("interval = \"100ms\"");
    let daemon = daemon().feed(feed).run().await;
    ticks(&daemon, "sea.harbour").await;
    ticks(&daemon, "sea.beach").await;
}
