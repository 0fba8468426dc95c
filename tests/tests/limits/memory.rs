//! The watermark of the memory, in a cgroup of the test's own.

use tickerd_tests::*;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{closed_page, counted, pings, refused};

/// A cgroup of this machine's with a limit of its own; gone with this.
struct Group {
    folder: std::path::PathBuf,
    limit: &'static str,
    used: &'static str,
    droppable: &'static str,
}

impl Group {
    /// `None` where this process may make none.
    fn new() -> Option<Group> {
        let name = format!("tickerd-test-{}", std::process::id());
        let v1 = (
            "/sys/fs/cgroup/memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file ",
        );
        let v2 = ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file ");
        [v1, v2].into_iter().find_map(|(top, limit, used, droppable)| {
            let top = std::path::Path::new(top);
            let folder = top.join(&name);
            std::fs::create_dir(&folder).ok()?;
            let group = Group { folder, limit, used, droppable };
            // Where the memory is not counted here, the folder has no such file, and it goes again.
            group.folder.join(limit).is_file().then_some(group)
        })
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.join(file)).unwrap()
    }

    fn used(&self) -> u64 {
        let stat = self.read("memory.stat");
        let droppable = stat.lines().find_map(|line| line.strip_prefix(self.droppable)).unwrap();
        self.read(self.used).trim().parse::<u64>().unwrap() - droppable.parse::<u64>().unwrap()
    }

    fn limit_to(&self, bytes: u64) {
        std::fs::write(self.folder.join(self.limit), bytes.to_string()).unwrap();
    }

    /// A command that runs in it.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = daemon::shell();
        let procs = self.folder.join("cgroup.procs");
        command.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(procs).arg(program);
        command
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // One whose processes are still about to end stays, which costs nothing.
        drop(std::fs::remove_dir(&self.folder));
    }
}

/// Goal: clients are turned away before the kernel ends the daemon for the memory that it uses.
#[tokio::test]
async fn with_little_memory_left_new_clients_are_turned_away() {
    let Some(group) = Group::new() else {
        println!("this user may make no cgroup with a memory limit: this test has not run");
        return;
    };
    group.limit_to(2 << 30);
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("tickerd.toml");
    std::fs::write(&file, daemon().toml()).unwrap();
    let mut command = group.command(daemon::program());
    command.arg("--config").arg(&file);
    let mut daemon = Daemon::start(command, folder);
    daemon.serves().await;
    let mut before = daemon.connected().await;

    let mut hog = group.command("python3");
    hog.args(["-c", "import sys\nheld = b'x' * (200 << 20)\nprint(flush=True)\nsys.stdin.read()"]);
    hog.stdin(std::process::Stdio::piped());
    let mut hog = hog.spawn().unwrap();
    let mut lines = BufReader::new(hog.stdout.take().unwrap()).lines();
    within("200 MiB to be used", lines.next_line()).await.unwrap();
    group.limit_to(group.used() * 100 / 93);
    daemon.logged("MiB of memory are used").await;
    refused(&daemon, &Raw::handshake("/ws"), &[], 503, "short of memory").await;
    let (code, reason) = closed_page(&daemon, &[]).await;
    assert!(code == 4100 && reason.contains("short of memory"), "{code} {reason}");
    assert_eq!(counted(&daemon, "memory", "enforced").await, 2.0);
    pings(&mut before).await;

    drop(hog.stdin.take());
    within("the memory to be free", hog.wait()).await.unwrap();
    daemon.logged("memory is no longer short").await;
    daemon.connected().await;
    pings(&mut before).await;
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.exit().await;
}
