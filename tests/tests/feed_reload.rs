//! A plugin's file that changes while the daemon runs: a new process takes over without a gap, on request and on SIGHUP.

use std::path::{Path, PathBuf};
use std::process::Output;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tickerd_tests::daemon::{Builder, command, target};
use tickerd_tests::{
    Client, Daemon, Event, Feed, Process, Value, Witness, daemon, exec, gone, json, of_feed, raw_c, steady,
    within,
};

/// A plugin file of a test's own, and the socket of its daemon.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Bench {
        Bench { folder: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn plugin(&self) -> PathBuf {
        self.path("feed.so")
    }

    /// Puts this file in the plugin's place, as `install` and `mv` do.
    fn put(&self, file: &Path) {
        std::fs::copy(file, self.path("fresh")).unwrap();
        std::fs::rename(self.path("fresh"), self.plugin()).unwrap();
    }

    fn daemon(&self) -> Builder {
        daemon().server(&format!("admin_socket = \"unix:{}\"", self.path("admin.sock").display()))
    }

    /// The feed of the plugin, as `v`.
    fn feed(&self) -> Feed {
        Feed::plugin("v", self.plugin().to_str().unwrap()).set("interval = \"20ms\"")
    }

    /// `tickerd feed …`; its exit code and what it printed.
    async fn tickerd(&self, words: &[&str]) -> (i32, String) {
        let mut command = command();
        command.arg("feed").args(words).arg("--socket").arg(self.path("admin.sock"));
        let Output { status, stdout, stderr } = within("tickerd feed", command.output()).await.unwrap();
        let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
        (status.code().unwrap(), text)
    }

    /// What `tickerd feed list` says of the feed `v`.
    async fn listed(&self) -> Value {
        let (code, text) = self.tickerd(&["list", "--json"]).await;
        assert_eq!(code, 0, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let feeds = answer["feeds"].as_array().unwrap();
        feeds.iter().find(|feed| feed["feed"] == "v").unwrap().clone()
    }
}

/// A subscriber of `v.counter` who misses nothing.
struct Subscriber {
    client: Client,
    seq: u64,
    value: Value,
    up: bool,
}

impl Subscriber {
    async fn of(daemon: &Daemon) -> Subscriber {
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": ["v.counter"]})).await;
        let first = client.tick().await;
        Subscriber { client, seq: first.seq(), value: first.value().clone(), up: false }
    }

    /// The next tick, which is the next of its version or the first of another, with the next number.
    async fn tick(&mut self) -> Event {
        loop {
            let event = self.client.next().await;
            if event.is_notice("feed") {
                // What was said while it started may come late.
                assert!(!self.up || event.data["state"] == "up", "{}", event.text);
                self.up |= event.data["state"] == "up";
            } else if event.is_tick() {
                self.seq += 1;
                let n = match event.value()["v"] == self.value["v"] {
                    true => self.value["n"].as_u64().unwrap() + 1,
                    false => 1,
                };
                assert_eq!((event.seq(), event.value()["n"].as_u64()), (self.seq, Some(n)), "{}", event.text);
                self.value = event.value().clone();
                return event;
            }
        }
    }

    /// Reads on to the first tick of a version, and some of it.
    async fn until_version(&mut self, version: &str) {
        within(&format!("version {version}"), async { while self.tick().await.value()["v"] != version {} })
            .await;
        for _ in 0..10 {
            assert_eq!(self.tick().await.value()["v"], version);
        }
    }
}

/// Goal: who is subscribed gets every tick of both processes once and in order, and no word of a change.
async fn is_swapped_under_a_subscriber(mode: &str) {
    let bench = Bench::new();
    bench.put(&raw_c(&format!("{mode}_one")));
    let daemon = bench.daemon().feed(bench.feed()).feed(steady()).run().await;
    let mut witness = Witness::of(&daemon).await;
    let mut subscriber = Subscriber::of(&daemon).await;
    let before = bench.listed().await;
    assert_eq!((&before["state"], &before["version"]), (&json!("up"), &json!("one")), "{before}");
    assert_eq!(before["plugin"], bench.plugin().to_str().unwrap());
    let process = Process::of_feed(daemon.pid(), "v");

    bench.put(&raw_c(&format!("{mode}_two")));
    let (code, text) = bench.tickerd(&["reload", "v"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("v  swapped  "), "{text}");
    subscriber.until_version("two").await;
    let after = bench.listed().await;
    assert_eq!((&after["state"], &after["version"]), (&json!("up"), &json!("two")), "{after}");
    assert_eq!(after["since"], before["since"], "it was up all the time");
    assert_ne!(after["sha256"], before["sha256"]);
    gone(&[process]).await;
    assert_eq!(daemon.metric(&of_feed("tickerd_feed_restarts_total", "v")).await, Some(0.0));
    let swapped = r#"tickerd_feed_reloads_total{feed="v",result="swapped"}"#;
    assert_eq!(daemon.metric(swapped).await, Some(1.0));

    // The same file once more: asked by name, that is reason enough.
    let (code, text) = bench.tickerd(&["reload", "v"]).await;
    assert!(code == 0 && text.contains("swapped"), "{text}");
    assert_eq!(daemon.metric(swapped).await, Some(2.0));
    witness.is_undisturbed().await;
}

#[tokio::test]
async fn a_poll_feed_is_swapped_under_a_subscriber() {
    is_swapped_under_a_subscriber("poll").await;
}

#[tokio::test]
async fn a_push_feed_is_swapped_under_a_subscriber() {
    is_swapped_under_a_subscriber("push").await;
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_is_told() {
    let bench = Bench::new();
    bench.put(&raw_c("poll_one"));
    let daemon = bench.daemon().feed(bench.feed()).run().await;
    let mut subscriber = Subscriber::of(&daemon).await;
    let process = Process::of_feed(daemon.pid(), "v");
    for (broken, why) in
        [("no_entry", "does not export tickerd_plugin_v1"), ("future_host", "upgrade tickerd")]
    {
        bench.put(&raw_c(broken));
        let (code, text) = bench.tickerd(&["reload", "v"]).await;
        assert_eq!(code, 1, "{text}");
        assert!(text.starts_with("v  failed  ") && text.contains(why), "{text}");
        daemon.logged_of("v", "not reloaded, and the old one goes on").await;
        for _ in 0..10 {
            subscriber.tick().await;
        }
    }
    assert_eq!(bench.listed().await["version"], "one");
    assert_eq!(Process::of_feed(daemon.pid(), "v"), process);
    let (code, text) = bench.tickerd(&["reload", "w"]).await;
    assert!(code == 1 && text.contains("there is no feed \"w\"; the feeds are: v"), "{text}");
}

/// Goal: SIGHUP loads what has changed, and leaves alone what has not.
#[tokio::test]
async fn sighup_loads_what_has_changed_and_nothing_else() {
    let bench = Bench::new();
    bench.put(&raw_c("push_one"));
    let script = bench.path("feed.sh");
    let write_script = |word: &str| {
        use std::os::unix::fs::PermissionsExt;
        let line = format!("{{\"event\":\"word\",\"data\":\"{word}\"}}");
        std::fs::write(bench.path("fresh"), format!("#!/bin/sh\necho '{line}'; exec cat >/dev/null\n"))
            .unwrap();
        std::fs::set_permissions(bench.path("fresh"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(bench.path("fresh"), &script).unwrap();
    };
    write_script("first");
    let lines = exec("lines", [script.to_str().unwrap()]);
    let daemon = bench.daemon().feed(bench.feed()).feed(lines).feed(steady()).run().await;
    let mut subscriber = Subscriber::of(&daemon).await;
    let mut witness = Witness::of(&daemon).await;
    let mut words = daemon.connected().await;
    words.subscribe(json!({"topics": ["lines"]})).await;
    assert_eq!(words.until("word").await.value(), "first");
    let steady = Process::of_feed(daemon.pid(), "steady");

    bench.put(&raw_c("push_two"));
    write_script("second");
    daemon.signal(Signal::SIGHUP);
    daemon.logged("SIGHUP: ").await;
    subscriber.until_version("two").await;
    assert_eq!(words.until("word").await.value(), "second");
    daemon.logged_of("v", "runs in a new process").await;
    assert_eq!(Process::of_feed(daemon.pid(), "steady"), steady, "its file has not changed");

    witness.is_undisturbed().await;

    let now = Process::of_feed(daemon.pid(), "v");
    let (code, text) = bench.tickerd(&["reload"]).await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(text.matches("unchanged").count(), 3, "{text}");
    assert_eq!(Process::of_feed(daemon.pid(), "v"), now);
}

/// Goal: a plugin in the daemon's own process outlives what is done to its file. Method: cut and overwrite it in place.
#[tokio::test]
async fn the_file_of_a_plugin_in_process_may_be_cut_and_written() {
    let bench = Bench::new();
    bench.put(&target().join("libtickerd_feed_pusher.so"));
    let feed = bench.feed().set("isolation = \"in-process\"").configured("every_ms = 5");
    let daemon = bench.daemon().feed(feed).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["v.counter"]})).await;
    let mut seq = client.tick().await.seq();
    let length = std::fs::metadata(bench.plugin()).unwrap().len() as usize;
    for bytes in [vec![0xcc; length], Vec::new()] {
        std::fs::write(bench.plugin(), bytes).unwrap();
        for _ in 0..20 {
            seq += 1;
            assert_eq!(client.tick().await.seq(), seq);
        }
    }
    let (code, text) = bench.tickerd(&["reload", "v"]).await;
    assert!(
        code == 1 && text.contains("restart needed") && text.contains("isolation = \"process\""),
        "{text}"
    );
    assert_eq!(client.tick().await.seq(), seq + 1);
}

#[tokio::test]
async fn a_file_that_is_not_trusted_or_not_the_pinned_one_does_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.put(&raw_c("poll_one"));
    let open = bench.path("open.so");
    std::fs::copy(bench.plugin(), &open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o666)).unwrap();
    let pin = "0".repeat(64);
    let pinned = bench.feed().set(&format!("sha256 = \"{pin}\""));
    let daemon = bench.daemon().feed(Feed::plugin("open", open.to_str().unwrap())).feed(pinned).run().await;
    let line = daemon.logged_of("open", "is not trusted: it may be written by everyone (mode 0666)").await;
    assert!(line.contains(&format!("`chmod go-w {}`", open.display())), "{line}");
    let line = daemon.logged_of("v", "is not the plugin that was pinned").await;
    assert!(line.contains(&pin), "{line}");
    let listed = bench.listed().await;
    assert_eq!(listed["state"], "down", "{listed}");
    // The hash that is told is the one to write.
    let found =
        listed["reason"].as_str().unwrap().rsplit("sha256 = \"").next().unwrap().split('"').next().unwrap();
    let pinned = bench.feed().set(&format!("sha256 = \"{found}\""));
    let other = Bench::new();
    let daemon = other.daemon().feed(pinned).run().await;
    assert_eq!(Subscriber::of(&daemon).await.value["v"], "one");
    assert_eq!(other.listed().await["sha256"], found);
}

/// Goal: without configuration the socket is where the login session's daemons have it, one daemon has it, and it goes
/// with that.
#[tokio::test]
async fn the_usual_socket_belongs_to_the_first_daemon() {
    let session = TempDir::new().unwrap();
    let runtime = session.path().to_str().unwrap();
    let mut first = daemon().feed(steady()).env("XDG_RUNTIME_DIR", runtime).run().await;
    let second = daemon().env("XDG_RUNTIME_DIR", runtime).run().await;
    let line = second.logged("another tickerd listens there").await;
    assert!(line.contains("WARN"), "{line}");
    let list = || async {
        let mut command = command();
        command.args(["feed", "list"]).env("XDG_RUNTIME_DIR", runtime);
        within("tickerd feed list", command.output()).await.unwrap()
    };
    let listed = String::from_utf8(list().await.stdout).unwrap();
    assert!(listed.starts_with("FEED") && listed.contains("\nsteady "), "{listed}");
    first.signal(Signal::SIGTERM);
    assert!(first.exit().await.success());
    assert!(!session.path().join("tickerd/admin.sock").exists());
    if Path::new("/run/tickerd/admin.sock").exists() {
        eprintln!("left out: this machine runs a tickerd of its own, which would answer");
        return;
    }
    let output = list().await;
    // 3, or 1 where another tickerd has the usual admin listener.
    assert!(matches!(output.status.code(), Some(1 | 3)), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--socket"));
}

/// Goal: whoever has no session finds the daemon all the same, unless its folder is not safe: then it learns what to set, and
/// can command the daemon. Method: a user namespace in which the user has no session and is not root.
#[tokio::test]
async fn a_daemon_without_a_session_has_its_socket_in_a_folder_of_its_own() {
    use std::os::unix::fs::PermissionsExt;
    let as_nobody = |words: &[&str]| {
        let mut command = tokio::process::Command::new("unshare");
        command.args(["--user", "--map-user=4000000"]).args(words).env_clear().kill_on_drop(true);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command
    };
    if !as_nobody(&["true"]).output().await.is_ok_and(|output| output.status.success()) {
        eprintln!("left out: this machine lets nobody make a user namespace (unshare --user)");
        return;
    }
    let folder = TempDir::new().unwrap();
    let own = Path::new("/tmp/tickerd-4000000");
    drop(std::fs::remove_dir_all(own));
    let socket = folder.path().join("own.sock");
    let config = folder.path().join("tickerd.toml");
    let program = tickerd_tests::daemon::program();
    let words = [program.to_str().unwrap(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let mut start = as_nobody(&words);
    // The harness would give it a folder.
    start.env("XDG_RUNTIME_DIR", "none");
    let mut daemon = Daemon::start(start, TempDir::new().unwrap());
    daemon.serves().await;
    daemon.logged("the admin socket is /tmp/tickerd-4000000/admin.sock").await;
    let listed = within("feed list", as_nobody(&[words[0], "feed", "list"]).output()).await.unwrap();
    assert!(listed.status.success(), "{listed:?}");
    drop(daemon);

    std::fs::set_permissions(own, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut start = as_nobody(&words);
    start.env("XDG_RUNTIME_DIR", "none");
    let mut daemon = Daemon::start(start, TempDir::new().unwrap());
    daemon.serves().await;
    let line = daemon.logged("there is no admin socket").await;
    assert!(line.contains("WARN") && line.contains("chmod 700"), "{line}");
    assert!(line.contains("server.admin_socket = \"unix:"), "{line}");
    if !Path::new("/run/tickerd/admin.sock").exists() {
        let listed = within("feed list", as_nobody(&[words[0], "feed", "list"]).output()).await.unwrap();
        let said = String::from_utf8(listed.stderr).unwrap();
        assert!(!listed.status.success() && said.contains("--socket"), "{said}");
    }
    std::fs::remove_dir_all(own).unwrap();

    let set = format!("[server]\nadmin_socket = {}\n", json!(format!("unix:{}", socket.display())));
    std::fs::write(&config, set).unwrap();
    let mut start = as_nobody(&[&words[..], &["--config", config.to_str().unwrap()]].concat());
    start.env("XDG_RUNTIME_DIR", "none");
    let mut daemon = Daemon::start(start, TempDir::new().unwrap());
    daemon.serves().await;
    let command = [words[0], "feed", "list", "--socket", socket.to_str().unwrap()];
    let listed = within("feed list", as_nobody(&command).output()).await.unwrap();
    assert!(listed.status.success(), "{listed:?}");
}
