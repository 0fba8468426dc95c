//! `tickerd reload`, SIGHUP: the configuration is read again while clients stay.

mod bad;
mod crowd;
mod live;
mod rooms;
mod tokens;

use std::path::PathBuf;
use std::process::Output;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tickerd_tests::daemon::{Builder, command};
use tickerd_tests::{Client, Daemon, Feed, Value, daemon, exec, json, within};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// A daemon whose configuration is written anew.
struct Bench {
    daemon: Daemon,
    base: Builder,
    folder: TempDir,
}

/// A feed that counts events from 1 on, one every 20 ms. `version` is told with each.
fn counter(name: &str, version: &str) -> Feed {
    let script = format!(
        r#"n=0; while :; do n=$((n+1)); echo "{{\"topic\":\"n\",\"event\":\"count\",\"data\":{{\"v\":\"{version}\",\"n\":$n}}}}"; sleep 0.02; done"#
    );
    exec(name, ["/bin/sh", "-c", &script])
}

impl Bench {
    /// Starts a daemon; `with` adds to what all its configurations have.
    async fn start(with: impl FnOnce(Builder) -> Builder) -> Bench {
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("admin.sock");
        let base = daemon().server(&format!("admin_socket = \"unix:{}\"", socket.display()));
        let daemon = with(base.clone()).run().await;
        Bench { daemon, base, folder }
    }

    fn file(&self) -> PathBuf {
        self.daemon.folder().join("tickerd.toml")
    }

    /// Writes this file.
    fn write(&self, with: impl FnOnce(Builder) -> Builder) {
        std::fs::write(self.file(), with(self.base.clone()).toml()).unwrap();
    }

    /// Writes this file, has it read, and gives the exit code and the report.
    async fn reload(&self, with: impl FnOnce(Builder) -> Builder) -> (i32, Value) {
        self.write(with);
        self.reload_as_it_is().await
    }

    /// Has the file read as it is.
    async fn reload_as_it_is(&self) -> (i32, Value) {
        let (code, text) = self.command(&["--json"]).await;
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{code} {text}"));
        (code, answer["reload"].clone())
    }

    /// `tickerd reload …`; its exit code and what it printed.
    async fn command(&self, words: &[&str]) -> (i32, String) {
        let mut command = command();
        command.arg("reload").args(words).arg("--socket").arg(self.folder.path().join("admin.sock"));
        let Output { status, stdout, stderr } = within("tickerd reload", command.output()).await.unwrap();
        let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
        (status.code().unwrap(), text)
    }

    /// The same without a process of its own.
    async fn ask(&self) -> Value {
        self.answer("reload").await
    }

    /// Where the daemon says that it listens.
    async fn listens(&self) -> Value {
        self.answer("status").await["status"]["listen"].clone()
    }

    async fn answer(&self, command: &str) -> Value {
        let mut stream = UnixStream::connect(self.folder.path().join("admin.sock")).await.unwrap();
        stream.write_all(format!("{{\"command\":\"{command}\"}}\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        within("an answer", BufReader::new(stream).read_line(&mut line)).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// A client of everything that a counter says.
    async fn subscriber(&self, topic: &str) -> Counted {
        let mut client = self.daemon.connected().await;
        client.subscribe(json!({"topics": [topic], "mode": "all"})).await;
        Counted { client, seq: None, version: String::new() }
    }
}

/// Who gets every tick of a counter.
struct Counted {
    client: Client,
    seq: Option<u64>,
    version: String,
}

impl Counted {
    /// The next tick: the number behind the last one.
    async fn next(&mut self) {
        let tick = self.client.tick().await;
        if let Some(seq) = self.seq {
            assert_eq!(tick.seq(), seq + 1, "{}", tick.text);
        }
        self.seq = Some(tick.seq());
        self.version = tick.value()["v"].as_str().unwrap().to_owned();
    }

    /// Reads on to a version, and some of it.
    async fn until(&mut self, version: &str) {
        within(version, async {
            while self.version != version {
                self.next().await;
            }
        })
        .await;
        for _ in 0..5 {
            self.next().await;
            assert_eq!(self.version, version);
        }
    }
}

fn keys(report: &Value) -> Vec<&str> {
    report["changes"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap()).collect()
}

fn results(report: &Value) -> Vec<(&str, &str)> {
    let feeds = report["feeds"].as_array().unwrap();
    feeds.iter().map(|row| (row["feed"].as_str().unwrap(), row["result"].as_str().unwrap())).collect()
}

/// Goal: a feed that is configured otherwise is taken over: its `seq` goes on without a gap, and nobody else notices it.
#[tokio::test]
async fn a_feed_changes_and_its_numbers_go_on() {
    let bench = Bench::start(|base| base.feed(counter("a", "one")).feed(counter("b", "b"))).await;
    let (mut a, mut b) = (bench.subscriber("a.n").await, bench.subscriber("b.n").await);
    a.until("one").await;
    let (code, report) = bench.reload(|base| base.feed(counter("a", "two")).feed(counter("b", "b"))).await;
    assert_eq!((code, keys(&report), results(&report)), (0, vec!["feed a"], vec![("a", "swapped")]));
    a.until("two").await;
    // Its beat and what else is made of its samples, with the process and without.
    for line in ["interval = \"50ms\"", "interval = \"50ms\"\nemit = \"always\"\nmax_age = \"5s\""] {
        let changed = counter("a", "two").set(line.lines().next().unwrap());
        let changed = line.lines().skip(1).fold(changed, |feed, line| feed.set(line));
        let (code, report) = bench.reload(|base| base.feed(changed).feed(counter("b", "b"))).await;
        assert_eq!((code, keys(&report)), (0, vec!["feed a"]), "{report}");
        for _ in 0..20 {
            a.next().await;
        }
    }
    let granted = a.client.subscribe(json!({"topics": ["a.m"]})).await;
    assert_eq!(granted["topics"][0]["rate"], "50ms", "{granted}");
    b.until("b").await;
    let (code, report) = bench.reload_as_it_is().await;
    assert_eq!((code, &report["outcome"]), (0, &json!("unchanged")));
}

#[tokio::test]
async fn feeds_come_go_and_are_renamed() {
    let bench = Bench::start(|base| base.feed(counter("a", "a"))).await;
    let mut a = bench.subscriber("a.n").await;
    let mut all = bench.daemon.connected().await;
    all.subscribe(json!({"topics": ["**"]})).await;
    let (code, report) = bench.reload(|base| base.feed(counter("a", "a")).feed(counter("b", "b"))).await;
    assert_eq!((code, results(&report)), (0, vec![("b", "added")]));
    let mut b = bench.subscriber("b.n").await;
    b.until("b").await;
    // A name is what tells feeds apart: this is another one.
    let (code, report) = bench.reload(|base| base.feed(counter("a", "a")).feed(counter("c", "c"))).await;
    let mut done = results(&report);
    done.sort_unstable();
    assert_eq!((code, done), (0, vec![("b", "removed"), ("c", "added")]));
    bench.subscriber("c.n").await.until("c").await;
    within("b to be told as closed", async {
        loop {
            let notice = all.until("notice").await;
            if notice.data["feed"] == "b" && notice.data["state"] == "closed" {
                return;
            }
        }
    })
    .await;
    // It comes back with greater numbers, and who named its topic has it.
    let before = b.seq.take().unwrap();
    bench.reload(|base| base.feed(counter("a", "a")).feed(counter("b", "again"))).await;
    within("b", async {
        while b.version != "again" {
            b.client.until_tick("b.n").await;
            b.version = "again".into();
        }
    })
    .await;
    b.next().await;
    assert!(b.seq.unwrap() > before);
    a.until("a").await;
}

/// Goal: a change that cannot be made leaves the feed as it is, the rest is applied, and the next reload tries it again.
#[tokio::test]
async fn a_feed_that_is_changed_and_broken_goes_on_as_before() {
    let bench = Bench::start(|base| base.feed(counter("a", "one"))).await;
    let mut a = bench.subscriber("a.n").await;
    a.until("one").await;
    let broken = || exec("a", ["/no/such/program"]);
    for _ in 0..2 {
        let (code, report) = bench.reload(|base| base.feed(broken()).limits("topics = 77")).await;
        assert_eq!(
            (code, &report["outcome"], results(&report)),
            (1, &json!("failed"), vec![("a", "failed")])
        );
        a.until("one").await;
    }
    assert_eq!(bench.daemon.connected().await.sync().await.len(), 0);
    let (_, ready) = tickerd_tests::daemon::http(bench.daemon.admin(), "/readyz?verbose").await;
    assert!(ready.contains("[-]configuration") && ready.contains("differs from what runs"), "{ready}");
    assert_eq!(bench.daemon.metric("tickerd_config_last_reload_successful").await, Some(0.0));
    let (code, _) = bench.reload(|base| base.feed(counter("a", "two")).limits("topics = 77")).await;
    assert_eq!(code, 0);
    a.until("two").await;
    let (status, ready) = tickerd_tests::daemon::http(bench.daemon.admin(), "/readyz?verbose").await;
    assert!(status == 200 && ready.contains("[+]configuration ok"), "{ready}");
    assert_eq!(bench.daemon.metric("tickerd_config_last_reload_successful").await, Some(1.0));
    assert_eq!(bench.daemon.metric("tickerd_config_reloads_total{outcome=\"failed\"}").await, Some(2.0));
}

#[tokio::test]
async fn sighup_does_the_same_and_tells_the_log() {
    let bench = Bench::start(|base| base.feed(counter("a", "one"))).await;
    let mut a = bench.subscriber("a.n").await;
    a.until("one").await;
    bench.write(|base| base.feed(counter("a", "two")));
    bench.daemon.signal(Signal::SIGHUP);
    a.until("two").await;
    let line = bench.daemon.logged("the configuration was reloaded").await;
    assert!(line.contains("feed a (source: feed.exec)"), "{line}");
    std::fs::write(bench.file(), "server = garbage").unwrap();
    bench.daemon.signal(Signal::SIGHUP);
    bench.daemon.logged("the configuration is wrong").await;
    a.until("two").await;
}

/// Goal: what is asked for at the same time is done one after the other, and each gets its report.
#[tokio::test]
async fn two_reloads_at_once_take_turns() {
    let bench = Bench::start(|base| base.feed(counter("a", "one"))).await;
    bench.subscriber("a.n").await.until("one").await;
    bench.write(|base| base.feed(counter("a", "two")));
    let (one, other) = tokio::join!(bench.reload_as_it_is(), bench.reload_as_it_is());
    let mut outcomes = [one.1["outcome"].as_str().unwrap(), other.1["outcome"].as_str().unwrap()];
    outcomes.sort_unstable();
    assert_eq!((one.0, other.0, outcomes), (0, 0, ["done", "unchanged"]));
}

#[tokio::test]
async fn it_can_be_reloaded_before_it_is_ready() {
    let silent = exec("silent", ["/bin/cat"]);
    let bench = Bench::start(|base| base.feed(silent.clone())).await;
    let (code, report) = bench.reload(|base| base.feed(silent).feed(counter("a", "one"))).await;
    assert_eq!((code, results(&report)), (0, vec![("a", "added")]));
    bench.subscriber("a.n").await.until("one").await;
}

#[tokio::test]
async fn it_is_not_reloaded_while_it_stops() {
    let mut bench = Bench::start(|base| base.feed(counter("a", "one")).server("drain = \"20s\"")).await;
    let mut client = bench.daemon.connected().await;
    bench.daemon.signal(Signal::SIGTERM);
    client.until("closing").await;
    let (code, text) = bench.command(&[]).await;
    assert!(code == 1 && text.contains("tickerd is stopping"), "{code} {text}");
    drop(client);
    assert!(bench.daemon.exit().await.success());
}

/// Goal: plugin files, certificates and secrets are read again as before, when the file does not change.
#[tokio::test]
async fn a_daemon_without_a_file_says_so() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("admin.sock");
    let mut words = command();
    words.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    words.env("TICKERD_SERVER__ADMIN_SOCKET", format!("unix:{}", socket.display()));
    let mut daemon = Daemon::start(words, folder);
    daemon.serves().await;
    let mut command = command();
    command.args(["reload", "--socket"]).arg(&socket);
    let output = within("tickerd reload", command.output()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("without a configuration file"), "{text}");
}
