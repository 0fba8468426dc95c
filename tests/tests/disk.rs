//! A disk that is full, read-only, limited or not there keeps nobody from being served: the past is kept in memory, the
//! operator is told, and it is written again once it can be.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tickerd_tests::{Builder, Client, Daemon, Script, daemon, json};

/// A file system of 4 MiB in memory, unmounted at the end.
struct Disk(TempDir);

impl Disk {
    /// None, and a word about it, where this process may not mount.
    fn mount(test: &str) -> Option<Disk> {
        let folder = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder.path()).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Disk(folder));
        }
        eprintln!("SKIPPED {test}: no file system can be mounted here; run it as root");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, how: &str) {
        let how = format!("remount,{how}");
        assert!(Command::new("mount").args(["-o", &how]).arg(self.path()).status().unwrap().success());
    }

    /// Leaves no room for one more block.
    fn fill(&self) {
        let mut file =
            std::fs::OpenOptions::new().append(true).create(true).open(self.path().join("fill")).unwrap();
        while std::io::Write::write_all(&mut file, &[b'z'; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.path().join("fill")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

const OK: &str = "tickerd_history_store_state{state=\"ok\"}";
const WRITTEN: &str = "tickerd_history_written_total";

fn keeping(script: &Script, folder: &Path) -> Builder {
    let path = folder.join("past").display().to_string();
    daemon().feed(script.feed()).config(&format!("[history]\npath = {path:?}\nage = \"1h\""))
}

async fn arrive(daemon: &Daemon) -> (Client, String) {
    let mut client = daemon.client("/ws").await;
    let connected = client.expect("connected").await.data;
    (client, connected["epoch"].as_str().unwrap().to_owned())
}

async fn history(client: &mut Client) -> Vec<u64> {
    client.send(json!({"event": "history", "data": {"topic": "s.a"}})).await;
    let values = client.until("history").await.data["values"].as_array().unwrap().clone();
    values.iter().map(|value| value["data"]["seq"].as_u64().unwrap()).collect()
}

/// Says so many values of 10 kB, and waits for the last.
async fn say(script: &Script, client: &mut Client, count: u64) {
    let before = client.subscribe(json!({"topics": ["s.a"], "mode": "all", "snapshot": false})).await;
    let before = before["topics"][0]["seq"].as_u64().unwrap();
    for n in 0..count {
        script.tick("a", json!({"n": before + n, "text": "x".repeat(10_000)})).await;
        while client.until_tick("s.a").await < before + n + 1 {}
    }
}

/// Waits until it says everywhere that it writes to memory alone; `why` is what the system says.
async fn degraded(daemon: &Daemon, why: &str) {
    daemon.metric_until(OK, |ok| ok == 0.0).await;
    let line = daemon.logged("the past cannot be written to disk").await;
    assert!(line.contains(why), "{line}");
    let (status, text) = daemon.get("/readyz?verbose").await;
    let line = text.lines().find(|line| line.contains("history")).unwrap();
    assert!(line.starts_with("[-]history failed: degraded: ") && line.contains(why), "{line}");
    assert!(status == 200 || text.contains("[-]feed s"), "{text}");
}

async fn well_again(daemon: &Daemon) {
    daemon.metric_until(OK, |ok| ok == 1.0).await;
    daemon.logged("the past is written to disk again").await;
    let (_, text) = daemon.get("/readyz?verbose").await;
    assert!(text.contains("[+]history ok\n"), "{text}");
}

async fn stop(mut daemon: Daemon) {
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.exit().await.success());
}

#[tokio::test]
async fn a_full_disk_is_served_from_memory_and_written_once_there_is_room() {
    let Some(disk) = Disk::mount("a_full_disk") else { return };
    let script = Script::new("s");
    let mut first = keeping(&script, disk.path()).run().await;
    let (mut client, epoch) = arrive(&first).await;
    say(&script, &mut client, 5).await;
    first.metric_until(WRITTEN, |ticks| ticks >= 5.0).await;
    assert_eq!(first.metric(OK).await, Some(1.0));
    disk.fill();
    say(&script, &mut client, 200).await;
    degraded(&first, "No space left").await;
    assert_eq!(first.get("/readyz").await, (200, "ok".into()), "it serves");
    assert_eq!(history(&mut client).await.len(), 100);
    first.signal(Signal::SIGKILL);
    first.exit().await;

    // With the file as it was left, and no room for anything.
    disk.fill();
    let second = keeping(&script, disk.path()).run().await;
    let (mut client, again) = arrive(&second).await;
    assert_ne!(again, epoch, "who saw more than what is there is not to be told otherwise");
    assert!(history(&mut client).await.starts_with(&[1, 2, 3, 4, 5]), "what is there is read");
    degraded(&second, "No space left").await;
    say(&script, &mut client, 3).await;
    disk.make_room();
    well_again(&second).await;
    let known = history(&mut client).await;
    stop(second).await;

    // All that was told meanwhile is there, and nothing is missing from it.
    let third = keeping(&script, disk.path()).run().await;
    let (mut client, last) = arrive(&third).await;
    assert_eq!((last, history(&mut client).await), (again, known));
    stop(third).await;
}

#[tokio::test]
async fn no_room_for_a_new_file_keeps_nobody_from_starting() {
    let Some(disk) = Disk::mount("no_room_for_a_new_file") else { return };
    let script = Script::new("s");
    disk.fill();
    let daemon = keeping(&script, disk.path()).run().await;
    degraded(&daemon, "No space left").await;
    let (mut client, epoch) = arrive(&daemon).await;
    say(&script, &mut client, 3).await;
    disk.make_room();
    well_again(&daemon).await;
    stop(daemon).await;
    let again = keeping(&script, disk.path()).run().await;
    let (mut client, same) = arrive(&again).await;
    assert_eq!((same, history(&mut client).await), (epoch, vec![1, 2, 3]));
    assert!(!disk.path().join("past.damaged").exists(), "half a file is no damage");
    stop(again).await;
}

#[tokio::test]
async fn a_read_only_disk_is_read_and_written_once_it_may_be() {
    let Some(disk) = Disk::mount("a_read_only_disk") else { return };
    let script = Script::new("s");
    let first = keeping(&script, disk.path()).run().await;
    let (mut client, epoch) = arrive(&first).await;
    say(&script, &mut client, 3).await;
    stop(first).await;
    disk.remount("ro");
    let second = keeping(&script, disk.path()).run().await;
    degraded(&second, "Read-only file system").await;
    let (mut client, other) = arrive(&second).await;
    assert_eq!(history(&mut client).await, [1, 2, 3]);
    assert_ne!(other, epoch, "what is told from now on may never be written");
    say(&script, &mut client, 1).await;
    // Killed now, it leaves a file that says truly that it is whole up to 3 under its old epoch.
    disk.remount("rw");
    well_again(&second).await;
    stop(second).await;
    let third = keeping(&script, disk.path()).run().await;
    let (mut client, same) = arrive(&third).await;
    assert_eq!((same, history(&mut client).await), (other, vec![1, 2, 3, 4]));
    stop(third).await;
}

/// Needs no rights: the files of the process may not grow, until they may.
#[tokio::test]
async fn a_limit_on_files_ends_nothing() {
    let (folder, script) = (TempDir::new().unwrap(), Script::new("s"));
    let daemon = keeping(&script, folder.path()).run().await;
    let (mut client, _) = arrive(&daemon).await;
    say(&script, &mut client, 1).await;
    daemon.metric_until(WRITTEN, |ticks| ticks >= 1.0).await;
    let limit = |bytes: &str| {
        let (pid, limit) = (daemon.pid().to_string(), format!("--fsize={bytes}:"));
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    };
    limit("4096");
    say(&script, &mut client, 1).await;
    degraded(&daemon, "File too large").await;
    say(&script, &mut client, 1).await;
    limit("unlimited");
    well_again(&daemon).await;
    stop(daemon).await;
    let again = keeping(&script, folder.path()).run().await;
    assert_eq!(history(&mut arrive(&again).await.0).await, [1, 2, 3]);
    stop(again).await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_yet_is_waited_for() {
    let (folder, script) = (TempDir::new().unwrap(), Script::new("s"));
    let later = folder.path().join("later");
    let daemon = keeping(&script, &later).run().await;
    degraded(&daemon, "No such file").await;
    let (mut client, _) = arrive(&daemon).await;
    say(&script, &mut client, 2).await;
    std::fs::create_dir(&later).unwrap();
    well_again(&daemon).await;
    stop(daemon).await;
    let again = keeping(&script, &later).run().await;
    assert_eq!(history(&mut arrive(&again).await.0).await, [1, 2]);
    stop(again).await;
}

#[tokio::test]
async fn a_damaged_file_that_cannot_be_moved_aside_keeps_nobody_from_starting() {
    let Some(disk) = Disk::mount("a_damaged_file_that_cannot_be_moved") else { return };
    let script = Script::new("s");
    std::fs::write(disk.path().join("past"), b"someone wrote over this\n".repeat(4096)).unwrap();
    disk.remount("ro");
    let daemon = keeping(&script, disk.path()).run().await;
    degraded(&daemon, "Read-only file system").await;
    disk.remount("rw");
    well_again(&daemon).await;
    assert!(disk.path().join("past.damaged").exists());
    stop(daemon).await;
}
