//! Kills what feeds started when the daemon itself is killed.
//!
//! A feed's own process ends with the daemon, but the processes that it started do not, and may hold ports, files and a
//! provider's connection. Linux cannot make a process end with its grandparent. So there is a small process, `tickerd
//! feed-warden`, that reads the live process groups of feeds from a pipe, and kills them when the pipe closes. The kernel
//! closes it however the daemon ends.
//!
//! A process that left its feed's group (setsid) is out of reach. If a service manager runs the daemon, its cgroup ends that
//! one too.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::Pid;

use crate::process::spawn_lock;

/// `tickerd feed-warden`: keeps watch until standard input closes.
pub fn run() -> ExitCode {
    match keep(io::stdin().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tickerd feed-warden: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The daemon's end of the pipe. The process is started with the first group.
#[derive(Debug)]
pub struct Warden {
    program: PathBuf,
    state: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    groups: BTreeSet<i32>,
    process: Option<(Child, ChildStdin)>,
}

impl Warden {
    /// `program` is this executable.
    pub fn new(program: PathBuf) -> Warden {
        Warden { program, state: Mutex::default() }
    }

    /// Has the group killed if this process ends before [`Warden::release`].
    pub fn watch(&self, group: Pid) {
        let mut state = self.state();
        state.groups.insert(group.as_raw());
        if state.say(&format!("+{group}\n")).is_ok() {
            return;
        }
        // The warden was not started yet, or somebody killed it.
        if let Err(error) = state.start(&self.program) {
            tracing::warn!(%error, "what feeds start would outlive a tickerd that is killed");
        }
    }

    /// The group has ended. Call this before the group's number can belong to another, which means before reaping.
    pub fn release(&self, group: Pid) {
        let mut state = self.state();
        state.groups.remove(&group.as_raw());
        // If the warden is gone, the next group starts it again.
        let _ = state.say(&format!("-{group}\n"));
    }

    fn state(&self) -> MutexGuard<'_, Watched> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn say(&mut self, line: &str) -> io::Result<()> {
        match &mut self.process {
            Some((_, orders)) => orders.write_all(line.as_bytes()),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn start(&mut self, program: &std::path::Path) -> io::Result<()> {
        if let Some((mut old, orders)) = self.process.take() {
            drop(orders);
            old.kill()?;
            old.wait()?;
        }
        // What another process is to inherit is not for this one.
        let _starting = spawn_lock::lock();
        let mut process = Command::new(program)
            .arg("feed-warden")
            .current_dir("/")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal to the daemon's group must not end the warden too.
            .process_group(0)
            .spawn()?;
        let orders = process.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        self.process = Some((process, orders));
        let all: String = self.groups.iter().map(|group| format!("+{group}\n")).collect();
        self.say(&all)
    }
}

/// Reads `+GROUP` and `-GROUP` lines to the end of the stream, and then kills the groups that are left. All signals but SIGKILL
/// are held off until then.
///
/// # Errors
/// Signals cannot be held off.
pub fn keep(mut orders: impl BufRead) -> io::Result<()> {
    SigSet::all().thread_block()?;
    let mut groups = BTreeSet::new();
    let mut line = String::new();
    while orders.read_line(&mut line).is_ok_and(|n| n > 0) {
        // killpg takes 0 for this process's own group, and 1 is everything on the machine.
        let group = |number: &str| number.trim_end().parse().ok().filter(|group: &i32| *group > 1);
        if let Some(group) = line.strip_prefix('+').and_then(group) {
            groups.insert(group);
        } else if let Some(group) = line.strip_prefix('-').and_then(group) {
            groups.remove(&group);
        }
        line.clear();
    }
    for group in groups {
        // A group that has ended meanwhile is no error.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    Ok(())
}
