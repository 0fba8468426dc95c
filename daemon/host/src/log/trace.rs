//! What a feed's author wants to see and an operator does not: every poll and every refusal.
//!
//! They are logged at trace level under targets of their own, so that a daemon, which logs from info on, pays one comparison
//! for each. `tickerd plugin run` listens; `TICKERD_LOG=tickerd::feed::poll=trace` shows the same in a daemon's log.

use std::fmt::Display;
use std::time::Duration;

use crate::report::Failure;

/// Target of each poll that returned.
pub const POLL: &str = "tickerd::feed::poll";
/// Target of each refusal.
pub const REFUSAL: &str = "tickerd::feed::refusal";
/// Target of the summaries of refusals, which are logged at a limited rate.
pub const REFUSALS: &str = "tickerd::feed::refusals";
/// Target of a feed's changes of state.
pub const STATE: &str = "tickerd::feed::state";

/// Logs that a poll has returned.
pub fn poll(feed: &str, poll: u64, took: Duration, result: &Result<(), Failure>) {
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let error = result.as_ref().err().map_or("", |failure| failure.message.as_str());
    tracing::trace!(target: POLL, feed, poll, took_us, error);
}

/// Logs that `count` samples were refused for one reason; `code` is a metric label.
pub fn refusal(feed: &str, code: &'static str, why: &dyn Display, count: u64) {
    tracing::trace!(target: REFUSAL, feed, code, count, why = %why);
}
