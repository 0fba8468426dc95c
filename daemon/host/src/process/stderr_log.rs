//! Reads a process's standard error into the feed's log, and keeps the last lines for when the process ends.

use std::collections::VecDeque;
use std::process::ChildStderr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::log::feed_log::FeedLog;
use crate::log::text::{leveled, prefix, printable};
use crate::process::pipe::Pipe;
use crate::protocol::splitter::{Item, Splitter};

/// Longest line taken from standard error, in bytes.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// Last lines that are shown again, together, with the reason of an exit.
const LAST_LINES_MAX: usize = 50;
/// Bytes of each that are shown; all of them are at most 25 KiB of log per restart.
const LAST_LINE_BYTES_MAX: usize = 512;
/// Pause after a read of which lines were left out. A pipe holds 64 KiB, so a flood waits there, and costs the daemon little.
const FLOOD_REST: Duration = Duration::from_millis(5);

/// The standard error of one process.
pub struct StderrLog {
    feed_log: Arc<FeedLog>,
    pid: u32,
    last_lines: Mutex<VecDeque<String>>,
    /// False once nobody wants what the process says any more.
    wanted: AtomicBool,
}

impl StderrLog {
    /// Reads for the process `pid`. Its lines go to `feed_log`.
    pub fn new(pid: u32, feed_log: Arc<FeedLog>) -> StderrLog {
        StderrLog { feed_log, pid, last_lines: Mutex::default(), wanted: AtomicBool::new(true) }
    }

    /// From now on what the process says is thrown away, and soon it is not read any more.
    pub fn forget(&self) {
        self.wanted.store(false, Ordering::Release);
    }

    /// Reads to the end of the stream.
    pub fn read_to_end(&self, stderr: ChildStderr) {
        let Ok(mut stderr) = Pipe::new(stderr, &self.wanted) else { return };
        let mut splitter = Splitter::new(LINE_BYTES_MAX);
        while splitter.read_from(&mut stderr).is_ok_and(|n| n > 0) {
            let (mut last, mut floods) = (VecDeque::new(), false);
            while let Some(item) = splitter.take() {
                floods |= !self.take(&item, &mut last);
            }
            self.keep(last);
            if floods {
                std::thread::sleep(FLOOD_REST);
            }
        }
        let mut last = VecDeque::new();
        if let Some(item) = splitter.rest() {
            self.take(&item, &mut last);
        }
        self.keep(last);
    }

    /// Takes a line; it joins `last`, as it is. False: it is left out of the log.
    fn take(&self, item: &Item<'_>, last: &mut VecDeque<String>) -> bool {
        let text = match item {
            Item::Line(line) => String::from_utf8_lossy(line),
            Item::TooLong => "(a line that was too long)".into(),
        };
        let (level, text) = leveled(text.trim_end());
        if text.is_empty() {
            return true;
        }
        push(last, text.to_owned());
        self.feed_log.write_error(level, Some(self.pid), text)
    }

    /// Keeps the last lines of one read. Values of the configuration are hidden in these alone: that takes time.
    fn keep(&self, last: VecDeque<String>) {
        for text in last {
            let text = printable(prefix(&self.feed_log.hide_in_error(&text), LAST_LINE_BYTES_MAX));
            push(&mut self.last_lines.lock().unwrap_or_else(PoisonError::into_inner), text);
        }
    }

    /// The last lines, oldest first, at most 50. Values of the feed's configuration are hidden in them.
    pub fn last_lines(&self) -> Vec<String> {
        self.last_lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

fn push(last_lines: &mut VecDeque<String>, text: String) {
    if last_lines.len() == LAST_LINES_MAX {
        last_lines.pop_front();
    }
    last_lines.push_back(text);
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    /// Time that this thread had a core, which the kernel tells in nanoseconds.
    fn used() -> Duration {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(told.split(' ').next().unwrap().parse().unwrap())
    }

    /// Goal: a flood takes no whole core, and what is kept of it holds no values of the configuration.
    #[test]
    fn a_flood_waits_and_its_last_lines_are_hidden() {
        let log = FeedLog::new("f", &serde_json::json!({ "api_key": "abcdefgh12345678" }));
        let log = StderrLog::new(7, Arc::new(log));
        let script = "timeout 1 yes 'cannot reach abcdefgh12345678 of the provider' >&2; echo the end >&2";
        let mut flood = Command::new("sh").args(["-c", script]).stderr(Stdio::piped()).spawn().unwrap();
        let (began, before) = (Instant::now(), used());
        log.read_to_end(flood.stderr.take().unwrap());
        let (took, used) = (began.elapsed(), used() - before);
        flood.wait().unwrap();
        assert!(used < took * 9 / 10, "{used:?} of {took:?}");
        let last_lines = log.last_lines();
        assert_eq!((last_lines.len(), last_lines.last().unwrap().as_str()), (LAST_LINES_MAX, "the end"));
        assert!(last_lines.iter().all(|line| !line.contains("abcdefgh")), "{last_lines:?}");
    }
}
