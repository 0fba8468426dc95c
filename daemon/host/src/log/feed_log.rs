//! One feed's way into the log. Every line names the feed, is made printable, and holds no value of the feed's
//! configuration, which may be a key. What the feed itself writes is limited to a rate.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

use tickerd_process::clock::now_unix_ms;
use tickerd_sdk::secrets::{Secrets, without_quotations};
use tracing::Level;

use crate::log::rate_limit::RateLimit;
use crate::log::text::{prefix, printable};
use crate::log::trace;

/// Lines a feed may write at once.
const LINES_BURST: u32 = 100;
/// Lines a second that it may write in the long run.
const LINES_PER_S: u32 = 20;

/// Lines that are kept for who asks how the feed is.
const RECENT_MAX: usize = 8;
/// Bytes that are kept of each.
const RECENT_BYTES_MAX: usize = 512;

/// A line of a feed's log, and when it was written, in Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub ts: u64,
    pub text: String,
}

/// The log of one feed.
#[derive(Debug)]
pub struct FeedLog {
    feed: String,
    /// Of the configuration that runs, and then of one that may take its place.
    secrets: RwLock<Vec<Secrets>>,
    limit: Mutex<RateLimit>,
    recent: Mutex<VecDeque<Line>>,
}

impl FeedLog {
    /// For the feed of this name and configuration.
    pub fn new(feed: &str, config: &serde_json::Value) -> FeedLog {
        let limit = RateLimit::new(LINES_BURST, LINES_PER_S, Instant::now());
        let secrets = RwLock::new(vec![Secrets::of(config)]);
        FeedLog { feed: feed.into(), secrets, limit: Mutex::new(limit), recent: Mutex::default() }
    }

    /// From now on the values of this configuration are hidden as well.
    pub fn learn(&self, config: &serde_json::Value) {
        self.secrets.write().unwrap_or_else(PoisonError::into_inner).push(Secrets::of(config));
    }

    /// The configuration that was learnt last runs now, or (`is_used` is false) comes to nothing.
    pub fn settle(&self, is_used: bool) {
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        let newest = secrets.len().saturating_sub(1);
        match is_used {
            true => drop(secrets.drain(..newest)),
            false => secrets.truncate(newest.max(1)),
        }
    }

    /// The feed's name.
    pub fn feed(&self) -> &str {
        &self.feed
    }

    /// The text without the values of the feed's configuration, which it may repeat.
    pub fn hide(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secrets| secrets.hide(&text))
    }

    /// As [`FeedLog::hide`], for an error: quotations are taken out too, for they may be values that are too short to be
    /// recognised.
    pub fn hide_in_error(&self, text: &str) -> String {
        self.hide(&without_quotations(text))
    }

    /// As [`FeedLog::hide`], done when the text is written.
    pub fn hiding<'a>(&'a self, text: &'a dyn fmt::Display) -> impl fmt::Display + 'a {
        Hiding { feed_log: self, text }
    }

    /// The last lines that are no mere detail, oldest first.
    pub fn recent(&self) -> Vec<Line> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn keep(&self, level: Level, text: &str) {
        if level > Level::INFO {
            return;
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back(Line { ts: now_unix_ms(), text: prefix(text, RECENT_BYTES_MAX).to_owned() });
    }

    /// Writes what the feed said. Lines over its rate are left out, and counted.
    pub fn write(&self, level: Level, pid: Option<u32>, message: &str) {
        self.write_hidden(level, pid, || self.hide(message));
    }

    /// As [`FeedLog::write`], for a line of standard error: quotations are taken out too. False: it was left out.
    pub fn write_error(&self, level: Level, pid: Option<u32>, message: &str) -> bool {
        self.write_hidden(level, pid, || self.hide_in_error(message))
    }

    fn write_hidden(&self, level: Level, pid: Option<u32>, hidden: impl FnOnce() -> String) -> bool {
        let allowed = self.limit.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if let Some(suppressed) = allowed {
            if suppressed > 0 {
                self.tell(
                    Level::WARN,
                    pid,
                    &format!("{suppressed} lines of this feed were left out: too many"),
                );
            }
            // Hidden before it is cut: a part of a value would not be recognised.
            self.tell(level, pid, &printable(&hidden()));
        }
        allowed.is_some()
    }

    /// Writes what tickerd itself has to say about the feed; the rate does not count.
    pub fn tell(&self, level: Level, pid: Option<u32>, message: &str) {
        let (feed, message) = (self.feed.as_str(), self.hide(message));
        self.keep(level, &message);
        match level {
            Level::ERROR => tracing::error!(feed, pid, "{message}"),
            Level::WARN => tracing::warn!(feed, pid, "{message}"),
            Level::INFO => tracing::info!(feed, pid, "{message}"),
            Level::DEBUG => tracing::debug!(feed, pid, "{message}"),
            Level::TRACE => tracing::trace!(feed, pid, "{message}"),
        }
    }

    /// Writes the state that the feed is in now, and why.
    pub fn tell_state(&self, level: Level, message: &str) {
        let (feed, message) = (self.feed.as_str(), self.hide(message));
        self.keep(level, &message);
        match level {
            Level::WARN => tracing::warn!(target: trace::STATE, feed, "{message}"),
            Level::INFO => tracing::info!(target: trace::STATE, feed, "{message}"),
            _ => tracing::debug!(target: trace::STATE, feed, "{message}"),
        }
    }

    /// Writes a summary of the feed's refused samples.
    pub fn tell_refusals(&self, message: &str) {
        self.keep(Level::WARN, message);
        tracing::warn!(target: trace::REFUSALS, feed = self.feed, "{message}");
    }
}

struct Hiding<'a> {
    feed_log: &'a FeedLog,
    text: &'a dyn fmt::Display,
}

impl fmt::Display for Hiding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.feed_log.hide(&self.text.to_string()))
    }
}
