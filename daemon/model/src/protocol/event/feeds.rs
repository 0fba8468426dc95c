//! How the configured feeds are, for whoever asks over HTTP.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::health::Health;
use crate::lane::{Ledger, Tally};
use crate::protocol::shape;

/// Every configured feed, in the configured order.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Feeds<'a> {
    pub feeds: Vec<FeedEntry<'a>>,
}

/// One feed: what its `notice` says, and its figures.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FeedEntry<'a> {
    pub feed: &'a str,
    #[schemars(schema_with = "shape::feed_state")]
    pub state: &'static str,
    pub since: u64,
    pub reason: &'a str,
    /// How many topics it has.
    pub topics: usize,
    /// How many of them are stale.
    pub stale: usize,
    /// Samples accepted since the server started.
    pub samples: u64,
    /// Samples refused since then.
    pub refused: u64,
    /// The same by reason. A reason that there was none for is missing.
    pub refusals: &'a BTreeMap<&'static str, u64>,
    /// Its last changes of state, newest first, at most 8 since the server started.
    pub changes: Vec<FeedChange<'a>>,
}

/// A state that a feed had: what its `notice` said.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FeedChange<'a> {
    #[schemars(schema_with = "shape::feed_state")]
    pub state: &'static str,
    pub since: u64,
    /// The last reason in this state.
    pub reason: &'a str,
}

impl<'a> From<&'a Health> for FeedChange<'a> {
    fn from(health: &'a Health) -> FeedChange<'a> {
        FeedChange { state: health.state.as_str(), since: health.since, reason: &health.reason }
    }
}

impl<'a> FeedEntry<'a> {
    /// `counts` are the stale topics, and all.
    pub fn new(
        feed: &'a str,
        health: &'a Health,
        counts: (usize, usize),
        tally: Tally,
        ledger: &'a Ledger,
    ) -> FeedEntry<'a> {
        let (stale, topics) = counts;
        let Tally { accepted, refused } = tally;
        FeedEntry {
            feed,
            state: health.state.as_str(),
            since: health.since,
            reason: &health.reason,
            topics,
            stale,
            samples: accepted,
            refused,
            refusals: ledger.refusals(),
            changes: ledger.changes().map(FeedChange::from).collect(),
        }
    }
}
