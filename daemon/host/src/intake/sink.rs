//! What a feed can say, whatever it runs in.

use std::fmt::Display;

use tracing::Level;

use tickerd_model::lane::{FeedState, Taken};
use tickerd_model::normalise::Reject;
use tickerd_model::sample::Sample;
use tickerd_model::topic::{self, GrammarError};

/// What a feed can say. Any thread, never blocks for longer than another call takes.
pub trait Sink: Send + Sync {
    /// A sample. A refusal has been counted and logged when this returns.
    fn offer(&self, sample: &Sample<'_>) -> Result<Taken, Reject>;
    /// A sample that was refused before it was one; `code` is a metric label from a fixed set.
    fn refuse(&self, code: &'static str, why: &dyn Display);
    /// A topic, relative to the feed, ends. An unknown one is fine.
    fn retire(&self, topic: &[u8]) -> Result<(), GrammarError>;
    /// How the values are, until told otherwise.
    fn health(&self, state: FeedState, message: &str);
    /// A line for the log.
    fn log(&self, level: Level, message: &str);
    /// Alive, without a value.
    fn heartbeat(&self);
}

/// Checks a topic relative to its feed; empty is the feed's own.
pub fn check_relative(topic: &[u8]) -> Result<(), GrammarError> {
    if topic.is_empty() { Ok(()) } else { topic::check(topic).map(drop) }
}
