//! Processes, as /proc shows them: proc_pid_stat(5).

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::GUARD;

/// One process, even after its number was given to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Its group's.
    pub group: i32,
    /// Its command line.
    pub command: String,
    /// When it started, in ticks since boot.
    started: u64,
}

impl Process {
    /// The process of this number, unless it has ended.
    pub fn find(pid: i32) -> Option<Process> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything; behind the last of them come the state and then numbers.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        if matches!(*fields.first()?, "Z" | "X") {
            return None;
        }
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Process {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
            command: String::from_utf8_lossy(&command).replace('\0', " ").trim_end().to_owned(),
        })
    }

    /// All there are.
    pub fn all() -> Vec<Process> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|entry| Process::find(entry.file_name().to_str()?.parse().ok()?)).collect()
    }

    /// A daemon's feeds, with all that they started; not the process that ends these when the daemon is killed.
    pub fn feeds_of(daemon: i32) -> Vec<Process> {
        let mut all = Process::all();
        all.retain(|process| !process.command.ends_with(" feed-warden"));
        let leads = |group| all.iter().any(|leader| leader.pid == group && leader.parent == daemon);
        all.iter().filter(|process| process.pid != daemon && leads(process.group)).cloned().collect()
    }

    /// As [`Process::feeds_of`], once there are so many: one that hung may just be started anew.
    pub async fn feeds_until(daemon: i32, enough: impl Fn(usize) -> bool) -> Vec<Process> {
        let wait = async {
            loop {
                let feeds = Process::feeds_of(daemon);
                if enough(feeds.len()) {
                    return feeds;
                }
                // A process that starts is no event here, so it is asked again.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(GUARD, wait).await {
            Ok(feeds) => feeds,
            Err(_) => panic!("these are not as many as there should be: {:#?}", Process::feeds_of(daemon)),
        }
    }

    /// The process that hosts this feed of a daemon.
    pub fn of_feed(daemon: i32, feed: &str) -> Process {
        let hosts = |process: &Process| process.command.contains(&format!("feed-host --feed {feed} "));
        let feeds = Process::feeds_of(daemon);
        feeds
            .iter()
            .find(|process| hosts(process))
            .unwrap_or_else(|| panic!("no {feed} in {feeds:#?}"))
            .clone()
    }

    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        Process::find(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// Resident memory, in KiB; 0 once it has ended.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.map_or(0, |kib| kib.trim().trim_end_matches(" kB").parse().unwrap())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).unwrap();
    }
}

/// Waits until none of them runs.
pub async fn gone(processes: &[Process]) {
    let wait = async {
        // The end of a process that is not a child is no event, so it is asked again.
        while processes.iter().any(Process::runs) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(GUARD, wait).await.is_err() {
        let left: Vec<_> = processes.iter().filter(|process| process.runs()).collect();
        panic!("still there: {left:#?}");
    }
}
