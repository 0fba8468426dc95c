//! What an operator is shown of a cluster. The engine's `cluster` answers with it, and it goes over the admin socket as it is.

use serde::{Deserialize, Serialize};

/// The cluster, as one node of it knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRows {
    pub cluster: String,
    /// This node.
    pub node: String,
    /// `node` or `edge`.
    pub role: String,
    /// The cluster's, as clients have it in `connected`; empty: not known yet.
    pub epoch: String,
    /// Whether it was told to hold nothing any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draining: bool,
    /// Whether a NATS server is reached.
    pub connected: bool,
    /// What is wrong, and what to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Whether other nodes have revoked what is not known here yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind: bool,
    /// This node, and those that it hears, by name.
    pub nodes: Vec<NodeRow>,
    /// The feeds that this node follows, by name.
    pub feeds: Vec<HeldRow>,
}

/// One node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRow {
    pub node: String,
    /// Tells this run of its process from others.
    pub life: String,
    pub version: String,
    /// `node` or `edge`.
    pub role: String,
    /// For how long nothing was heard of it, in milliseconds; none: it is this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_ms: Option<u64>,
    /// By how much its clock is ahead of this node's, in milliseconds, with what a message takes; none: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ms: Option<i64>,
    /// Whether its configuration of the feeds is another than this node's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub config_differs: bool,
    /// Whether it is of another cluster that has the same name: its records are others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strange: bool,
}

/// One feed that this node follows or holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRow {
    pub feed: String,
    /// The node that holds it; none: nobody is heard to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// `holds`: this node does. `follows`: it applies what the holder says. `stale`: nobody is heard that holds it.
    /// `broken`: what the holder says cannot be applied.
    pub state: String,
    /// Why it is so, and what to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    pub era: u64,
    /// Whose numbers its ticks have, as clients have it in `epoch`; empty: not known yet.
    pub root: String,
    /// The beat that this node has sent or applied last.
    pub beats: u64,
    /// How old the last beat was when it was applied here, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<u64>,
    /// Beats that were missing when a later one came.
    pub holes: u64,
    /// Beats that were dropped, since their sender does not hold the feed.
    pub fenced: u64,
}

impl ClusterRows {
    /// Whether NATS is reached, and every feed is held and followed.
    pub fn is_well(&self) -> bool {
        self.connected && self.feeds.iter().all(|feed| feed.holder.is_some() && feed.trouble.is_none())
    }
}
