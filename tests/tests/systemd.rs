//! What the service manager is told, over the socket that it gives.

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tickerd_tests::{Script, daemon, exec, json, steady, within};
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
    assert_eq!(manager.told().await, "READY=1\n");
}

#[tokio::test]
async fn sigterm_before_ready_stops_at_once() {
    let (manager, script) = (Manager::new(), Script::new("s"));
    let mut daemon = daemon().feed(script.feed()).env("NOTIFY_SOCKET", &manager.path).run().await;
    daemon.signal(Signal::SIGTERM);
    manager.until("STOPPING=1").await;
    assert!(daemon.exit().await.success());
}
