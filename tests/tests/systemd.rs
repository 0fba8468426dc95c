//! What the service manager is told, over the socket that it gives.

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tickerd_tests::daemon::command;
use tickerd_tests::{Feed, Script, daemon, exec, json, steady, within};
use tokio::net::UnixDatagram;

/// A service manager's end of the socket.
struct Manager {
    socket: UnixDatagram,
    path: String,
    _folder: TempDir,
}

impl Manager {
    fn new() -> Manager {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("notify");
        Manager {
            socket: UnixDatagram::bind(&path).unwrap(),
            path: path.to_str().unwrap().into(),
            _folder: folder,
        }
    }

    /// The next message.
    async fn told(&self) -> String {
        let mut buf = [0; 4096];
        let length = within("the daemon to tell its manager", self.socket.recv(&mut buf)).await.unwrap();
        String::from_utf8(buf[..length].to_vec()).unwrap()
    }

    /// The next message with this line.
    async fn until(&self, line: &str) -> String {
        loop {
            let told = self.told().await;
            if told.lines().any(|told| told == line) {
                return told;
            }
        }
    }

    /// Whether nothing was told yet.
    fn is_silent(&self) -> bool {
        let nothing = self.socket.try_recv(&mut [0; 4096]);
        nothing.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

#[tokio::test]
async fn ready_comes_once_the_feeds_have_spoken_and_stopping_at_the_end() {
    let (manager, script) = (Manager::new(), Script::new("s"));
    let daemon = daemon().feed(steady()).feed(script.feed()).env("NOTIFY_SOCKET", &manager.path);
    let mut daemon = daemon.run().await;
    daemon.metric_until("tickerd_feed_samples_total{feed=\"steady\"}", |count| count > 0.0).await;
    assert!(manager.is_silent(), "one feed has not spoken yet");
    script.tick("a", json!(1)).await;
    let ready = manager.told().await;
    assert!(ready.lines().any(|line| line == "READY=1"), "{ready}");
    assert!(ready.contains("STATUS=2 of 2 feeds have spoken"), "{ready}");
    daemon.signal(Signal::SIGTERM);
    let stopping = manager.until("STOPPING=1").await;
    assert!(stopping.contains("EXTEND_TIMEOUT_USEC="), "{stopping}");
    assert!(daemon.exit().await.success());
}

/// The manager of a container may have its socket in the abstract namespace (`@name`).
#[tokio::test]
async fn a_manager_without_a_file_is_told_the_same() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram as Socket};
    let name = format!("tickerd-behaviour-{}", std::process::id());
    let socket = Socket::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let socket = UnixDatagram::from_std(socket).unwrap();
    let manager = Manager { socket, path: format!("@{name}"), _folder: TempDir::new().unwrap() };
    let daemon = daemon().env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "200000").run().await;
    for line in ["READY=1", "WATCHDOG=1"] {
        manager.until(line).await;
    }
    daemon.signal(Signal::SIGTERM);
    manager.until("STOPPING=1").await;
}

#[tokio::test]
async fn a_feed_that_fails_does_not_keep_ready_back() {
    let manager = Manager::new();
    let feed = exec("broken", ["/bin/sh", "-c", "echo no luck >&2; exit 1"]);
    let daemon = daemon().feed(steady()).feed(feed).env("NOTIFY_SOCKET", &manager.path).run().await;
    let ready = manager.until("READY=1").await;
    assert!(ready.contains("STATUS=1 of 2 feeds have spoken"), "{ready}");
    let line = daemon.logged("exited with status 1").await;
    assert!(line.contains("no luck"), "{line}");
}

#[tokio::test]
async fn without_feeds_it_is_ready_at_once_and_feeds_the_watchdog() {
    let manager = Manager::new();
    let daemon = daemon().env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "200000").run().await;
    manager.until("READY=1").await;
    for _ in 0..3 {
        manager.until("WATCHDOG=1").await;
    }
    drop(daemon);
}

#[tokio::test]
async fn sighup_is_told_as_a_reload_once_it_is_ready() {
    let (manager, script) = (Manager::new(), Script::new("s"));
    let daemon = daemon().feed(script.feed()).env("NOTIFY_SOCKET", &manager.path).run().await;
    daemon.signal(Signal::SIGHUP);
    daemon.logged("SIGHUP: ").await;
    assert!(manager.is_silent(), "a reload's end would be taken for the start's");
    script.tick("a", json!(1)).await;
    manager.until("READY=1").await;
    daemon.signal(Signal::SIGHUP);
    let reloading = manager.told().await;
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(manager.told().await, "READY=1\nSTATUS=reloaded; the configuration is as it was\n");
}

#[tokio::test]
async fn sigterm_before_ready_stops_at_once() {
    let (manager, script) = (Manager::new(), Script::new("s"));
    let mut daemon = daemon().feed(script.feed()).env("NOTIFY_SOCKET", &manager.path).run().await;
    daemon.signal(Signal::SIGTERM);
    manager.until("STOPPING=1").await;
    assert!(daemon.exit().await.success());
}

/// Goal: `journalctl -p warning` shows what was not as it should be. Method: a pipe whose number is that of `JOURNAL_STREAM`.
#[tokio::test]
async fn the_journal_gets_priorities_and_no_second_time() {
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::MetadataExt;
    let folder = TempDir::new().unwrap();
    let good = folder.path().join("good.toml");
    let feed = Feed::plugin("gone", "tickerd_feed_none");
    std::fs::write(&good, daemon().feed(feed).toml()).unwrap();
    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, "[server]\nheartbeet = \"1s\"\n").unwrap();
    // What comes up to a line with `until`, or to the end.
    let lines = |config: &std::path::Path, is_journal: bool, until: &'static str| {
        let (reader, writer) = std::io::pipe().unwrap();
        let number =
            std::fs::metadata(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer))).unwrap();
        let inode = number.ino() + u64::from(!is_journal);
        let mut command = command();
        command.arg("--config").arg(config).env("JOURNAL_STREAM", format!("{}:{inode}", number.dev()));
        command.env("XDG_RUNTIME_DIR", folder.path()).stdout(std::process::Stdio::null()).stderr(writer);
        let child = command.spawn().unwrap();
        // What it still holds of the pipe.
        drop(command);
        let read = tokio::task::spawn_blocking(move || {
            let mut seen: Vec<String> = Vec::new();
            for line in BufReader::new(reader).lines() {
                seen.push(line.unwrap());
                if !until.is_empty() && seen.last().unwrap().contains(until) {
                    break;
                }
            }
            seen
        });
        async move {
            let seen = within("the line", read).await.unwrap();
            drop(child);
            seen
        }
    };
    let seen = lines(&good, true, "did you mean").await;
    assert!(seen.last().unwrap().starts_with("<4>WARN "), "{seen:#?}");
    for line in &seen {
        let (priority, rest) = line.split_at(3);
        assert!(["<3>", "<4>", "<6>"].contains(&priority), "{line}");
        assert!(!rest.starts_with("20") && !rest.contains('\x1b'), "{line}");
    }
    let seen = lines(&bad, true, "").await;
    assert!(!seen.is_empty() && seen.iter().all(|line| line.starts_with("<3>")), "{seen:#?}");
    // Another stream, as behind a pipe of the shell's: a time, and no priority.
    let seen = lines(&good, false, "did you mean").await;
    assert!(seen.iter().all(|line| line.starts_with("20")), "{seen:#?}");
}
