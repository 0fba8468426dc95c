//! Waits for the end of a feed's process, and says why it ended.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child as Process, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tracing::Level;

use crate::log::feed_log::FeedLog;
use crate::process::stderr_log::StderrLog;
use crate::process::stdout_reader::StdoutReader;
use crate::process::warden::Warden;
use crate::report::{Failure, Report, Reporter};

/// Exit status that says "the configuration is wrong" (`sysexits.h`).
pub const EX_CONFIG: u8 = 78;

/// How long reading the rest of the pipes may take once the process is gone.
const LAST_READ: Duration = Duration::from_secs(1);

/// What the waiting thread needs to know of a process.
pub struct Exit {
    /// The process.
    pub pid: u32,
    /// Its process group; emptied when the process is reaped.
    pub group: Arc<Mutex<Option<Pid>>>,
    /// Ends the group when tickerd is killed; told that the group has ended.
    pub warden: Arc<Warden>,
    /// The reader of its standard output.
    pub stdout: Arc<StdoutReader>,
    /// The reader of its standard error, whose last lines are part of the reason.
    pub stderr: Arc<StderrLog>,
    /// The feed's log.
    pub feed_log: Arc<FeedLog>,
    /// True once the process was asked to stop, so that how it ends is no news.
    pub asked: Arc<AtomicBool>,
    /// Gets [`Report::Ended`].
    pub report: Reporter,
}

impl Exit {
    /// Waits for the process, kills what it started, reaps it, and reports why it ended.
    ///
    /// `read` is disconnected when both readers are done.
    pub fn wait(self, mut process: Process, read: &Receiver<()>) {
        let pid = Pid::from_raw(i32::try_from(self.pid).unwrap_or(i32::MAX));
        // WNOWAIT leaves the process a zombie: until it is reaped, its number and its group's belong to nobody else.
        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
            == Err(nix::errno::Errno::EINTR)
        {}
        // What is left in the pipes is read first. A process that it started may hold them open for ever; its words are not
        // the feed's any more.
        if read.recv_timeout(LAST_READ) == Err(RecvTimeoutError::Timeout) {
            self.stdout.forget();
            self.stderr.forget();
        }
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = killpg(pid, Signal::SIGKILL);
        self.warden.release(pid);
        let status = process.wait();
        *group = None;
        drop(group);
        (self.report)(Report::Ended(self.verdict(status)));
    }

    fn verdict(&self, status: io::Result<ExitStatus>) -> Result<(), Failure> {
        let status = status.map_err(|e| Failure::transient(format!("cannot wait for the process: {e}")))?;
        if status.success() {
            return Ok(());
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with status {code}"),
            (None, Some(signal)) => match Signal::try_from(signal) {
                Ok(Signal::SIGXFSZ) => "was killed by SIGXFSZ: it wrote a file of more than 16 MiB".into(),
                Ok(name) => format!("was killed by {name}"),
                Err(_) => format!("was killed by signal {signal}"),
            },
            (None, None) => "ended".into(),
        };
        let last_lines = self.stderr.last_lines();
        let message = match last_lines.last() {
            Some(last) => format!("{how}: {last}"),
            None => how.clone(),
        };
        if last_lines.len() > 1 {
            let text =
                format!("its last {} lines before it {how}\n  {}", last_lines.len(), last_lines.join("\n  "));
            let level = if self.asked.load(Ordering::Acquire) { Level::DEBUG } else { Level::WARN };
            self.feed_log.tell(level, Some(self.pid), &text);
        }
        if status.code() == Some(EX_CONFIG.into()) {
            Err(Failure::config(message))
        } else {
            Err(Failure::transient(message))
        }
    }
}
