//! Reads a process's standard error into the feed's log, and keeps the last lines for when the process ends.

use std::collections::VecDeque;
use std::process::ChildStderr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::log::feed_log::FeedLog;
use crate::log::text::{leveled, prefix, printable};
use crate::protocol::splitter::{Item, Splitter};

/// Longest line taken from standard error, in bytes.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// Last lines that are shown again, together, with the reason of an exit.
const LAST_LINES_MAX: usize = 50;
/// Bytes of each that are shown; all of them are at most 25 KiB of log per restart.
const LAST_LINE_BYTES_MAX: usize = 512;

/// The standard error of one process.
pub struct StderrLog {
    feed_log: Arc<FeedLog>,
    pid: u32,
    last_lines: Mutex<VecDeque<String>>,
}

impl StderrLog {
    /// Reads for the process `pid`. Its lines go to `feed_log`.
    pub fn new(pid: u32, feed_log: Arc<FeedLog>) -> StderrLog {
        StderrLog { feed_log, pid, last_lines: Mutex::default() }
    }

    /// Reads to the end of the stream.
    pub fn read_to_end(&self, mut stderr: ChildStderr) {
        let mut splitter = Splitter::new(LINE_BYTES_MAX);
        while splitter.read_from(&mut stderr).is_ok_and(|n| n > 0) {
            while let Some(item) = splitter.take() {
                self.take(&item);
            }
        }
        if let Some(item) = splitter.rest() {
            self.take(&item);
        }
    }

    fn take(&self, item: &Item<'_>) {
        let text = match item {
            Item::Line(line) => String::from_utf8_lossy(line),
            Item::TooLong => "(a line that was too long)".into(),
        };
        let (level, text) = leveled(text.trim_end());
        if text.is_empty() {
            return;
        }
        let text = self.feed_log.hide_in_error(text);
        self.feed_log.write(level, Some(self.pid), &text);
        let mut last_lines = self.last_lines.lock().unwrap_or_else(PoisonError::into_inner);
        if last_lines.len() == LAST_LINES_MAX {
            last_lines.pop_front();
        }
        last_lines.push_back(printable(prefix(&text, LAST_LINE_BYTES_MAX)));
    }

    /// The last lines, oldest first, at most 50. Values of the feed's configuration are hidden in them.
    pub fn last_lines(&self) -> Vec<String> {
        self.last_lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
