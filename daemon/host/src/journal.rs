//! What feeds write to the log: without the values of their configuration, made printable, marked with the feed, kept
//! within a rate.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tickerd_sdk::secrets::{Secrets, without_quotations};
use tracing::Level;

use crate::allowance::Allowance;
use crate::trace;

/// Lines a feed may write at once.
const BURST: f64 = 100.0;
/// Lines per second it may write for ever.
const PER_SECOND: f64 = 20.0;
/// Longest line kept, in bytes.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// One feed's way into the log.
#[derive(Debug)]
pub struct Journal {
    feed: String,
    secrets: Secrets,
    allowance: Mutex<Allowance>,
}

impl Journal {
    /// For the feed of this name and configuration.
    pub fn new(feed: &str, config: &serde_json::Value) -> Journal {
        let allowance = Allowance::new(BURST, PER_SECOND, Instant::now());
        Journal { feed: feed.into(), secrets: Secrets::of(config), allowance: Mutex::new(allowance) }
    }

    /// What was said of the feed, without the values of its configuration: it may repeat a key that was written there.
    pub fn hide(&self, text: &str) -> String {
        self.secrets.hide(text)
    }

    /// As [`Journal::hide`], of an error, which may quote a value that is too short to be known for one.
    pub fn hide_in_error(&self, text: &str) -> String {
        self.hide(&without_quotations(text))
    }

    /// As [`Journal::hide`], when it is written at all.
    pub fn hiding<'a>(&'a self, text: &'a dyn fmt::Display) -> impl fmt::Display + 'a {
        Hiding { journal: self, text }
    }

    /// Writes what the feed said, if its rate allows.
    pub fn write(&self, level: Level, pid: Option<u32>, message: &str) {
        let allowed = self.allowance.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if let Some(suppressed) = allowed {
            if suppressed > 0 {
                self.tell(
                    Level::WARN,
                    pid,
                    &format!("{suppressed} lines of this feed were left out: too many"),
                );
            }
            // Hidden before it is cut, or a part of a value would not be known for one.
            self.tell(level, pid, &printable(&self.hide(message)));
        }
    }

    /// Writes what tickerd has to say about the feed, whatever the rate.
    pub fn tell(&self, level: Level, pid: Option<u32>, message: &str) {
        let (feed, message) = (self.feed.as_str(), self.hide(message));
        match level {
            Level::ERROR => tracing::error!(feed, pid, "{message}"),
            Level::WARN => tracing::warn!(feed, pid, "{message}"),
            Level::INFO => tracing::info!(feed, pid, "{message}"),
            Level::DEBUG => tracing::debug!(feed, pid, "{message}"),
            Level::TRACE => tracing::trace!(feed, pid, "{message}"),
        }
    }

    /// Writes which state the feed is in now, and why.
    pub fn tell_state(&self, level: Level, message: &str) {
        let (feed, message) = (self.feed.as_str(), self.hide(message));
        match level {
            Level::WARN => tracing::warn!(target: trace::STATE, feed, "{message}"),
            Level::INFO => tracing::info!(target: trace::STATE, feed, "{message}"),
            _ => tracing::debug!(target: trace::STATE, feed, "{message}"),
        }
    }

    /// Writes what was refused of the feed's samples.
    pub fn tell_refusals(&self, message: &str) {
        tracing::warn!(target: trace::REFUSALS, feed = self.feed, "{message}");
    }
}

struct Hiding<'a> {
    journal: &'a Journal,
    text: &'a dyn fmt::Display,
}

impl fmt::Display for Hiding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.journal.hide(&self.text.to_string()))
    }
}

/// Text of a stranger, made safe for a terminal and of bounded length.
pub fn printable(text: &str) -> String {
    let shown = prefix(text, LINE_BYTES_MAX);
    let mut clean: String = shown
        .chars()
        .map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if shown.len() < text.len() {
        clean.push('…');
    }
    clean
}

/// The longest prefix of at most `bytes_max` bytes that cuts no character.
pub fn prefix(text: &str, bytes_max: usize) -> &str {
    // A character has at most four bytes, so one of four places is a boundary.
    (0..4).find_map(|back| text.get(..bytes_max.min(text.len()).saturating_sub(back))).unwrap_or_default()
}

/// The level and the rest of a line on standard error: `<3>` to `<7>` as systemd reads them, and Telegraf's `E!` and so on.
pub fn leveled(line: &str) -> (Level, &str) {
    let marks = [
        ("<0>", Level::ERROR),
        ("<1>", Level::ERROR),
        ("<2>", Level::ERROR),
        ("<3>", Level::ERROR),
        ("<4>", Level::WARN),
        ("<5>", Level::INFO),
        ("<6>", Level::INFO),
        ("<7>", Level::DEBUG),
        ("E!", Level::ERROR),
        ("W!", Level::WARN),
        ("I!", Level::INFO),
        ("D!", Level::DEBUG),
    ];
    for (mark, level) in marks {
        if let Some(rest) = line.strip_prefix(mark) {
            return (level, rest.trim_start());
        }
    }
    (Level::INFO, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_escapes() {
        assert_eq!(leveled("<3>broken"), (Level::ERROR, "broken"));
        assert_eq!(leveled("W! slow"), (Level::WARN, "slow"));
        assert_eq!(leveled("plain"), (Level::INFO, "plain"));
        assert_eq!(printable("a\x1b[31mb\tc"), "a\u{fffd}[31mb\tc");
        assert!(printable(&"é".repeat(9000)).len() < LINE_BYTES_MAX + 4);
    }
}
