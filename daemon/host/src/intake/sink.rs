//! What a feed can say, whatever it runs in.

use std::fmt::Display;

use tracing::Level;

use tickerd_model::health::FeedState;
use tickerd_model::lane::Taken;
use tickerd_model::normalise::Reject;
use tickerd_model::sample::Sample;
use tickerd_model::topic::{self, GrammarError};

/// Takes what one feed says. May be called from any thread, and never blocks for longer than another call takes.
pub trait Sink: Send + Sync {
    /// A sample.
    ///
    /// # Errors
    /// Why it is refused. The refusal has been counted and logged when this returns.
    fn offer(&self, sample: &Sample<'_>) -> Result<Taken, Reject>;
    /// A sample was refused before it could be offered; `code` is a metric label from a fixed set.
    fn refuse(&self, code: &'static str, why: &dyn Display);
    /// A topic, relative to the feed, ends. A topic that is not known is no error.
    ///
    /// # Errors
    /// The name cannot be a topic's.
    fn retire(&self, topic: &[u8]) -> Result<(), GrammarError>;
    /// The state of the feed's values from now on, in the feed's own judgement.
    fn health(&self, state: FeedState, message: &str);
    /// A line for the log.
    fn log(&self, level: Level, message: &str);
    /// A sign of life, without a value.
    fn heartbeat(&self);
}

/// Checks a topic relative to its feed; the empty one is the feed's own.
pub fn check_relative(topic: &[u8]) -> Result<(), GrammarError> {
    if topic.is_empty() { Ok(()) } else { topic::check(topic).map(drop) }
}
