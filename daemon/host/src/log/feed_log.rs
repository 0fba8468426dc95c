//! What feeds write to the log: without the values of their configuration, made printable, marked with the feed, kept
//! within a rate.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tickerd_sdk::secrets::{Secrets, without_quotations};
use tracing::Level;

use crate::log::allowance::Allowance;
use crate::log::text::printable;
use crate::log::trace;

/// Lines a feed may write at once.
const BURST: f64 = 100.0;
/// Lines per second it may write for ever.
const PER_SECOND: f64 = 20.0;

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
