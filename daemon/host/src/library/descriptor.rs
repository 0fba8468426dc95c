//! What a plugin says about itself before an instance exists, as plain data: it crosses from the process that may run the
//! plugin's code to the one that must not.

use serde::{Deserialize, Serialize};

use crate::report::Mode;
use tickerd_model::sample::Class;

/// A plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginInfo {
    /// Its own version; may be empty.
    pub version: String,
    /// What it was made with; may be empty.
    pub sdk: String,
    /// The ABI's minor version it was compiled with.
    pub abi_minor: u32,
    /// The oldest minor version it runs on.
    pub min_host_minor: u32,
    /// What it offers; at least one. A daemon runs the first.
    pub feed_types: Vec<FeedTypeInfo>,
}

/// One kind of feed in a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedTypeInfo {
    /// Reverse-DNS name.
    pub id: String,
    /// Short name for people; may be empty.
    pub name: String,
    /// One sentence for people; may be empty.
    pub description: String,
    /// Who made it.
    pub vendor: Option<String>,
    /// SPDX licence expression.
    pub license: Option<String>,
    /// Where to read more.
    pub homepage: Option<String>,
    /// JSON Schema of its configuration, as it stands in the plugin; none: anything goes.
    pub config_schema: Option<String>,
    /// How it is driven.
    pub mode: Mode,
    /// Whether a blocked call can be made to return.
    pub interrupts: bool,
    /// How often it would like to be polled, in milliseconds; 0: no wish.
    pub default_poll_ms: u32,
    /// How often it may be polled at most, in milliseconds.
    pub min_poll_ms: u32,
    /// What it may emit; at least one.
    pub events: Vec<EventTypeInfo>,
}

/// An event a feed may emit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTypeInfo {
    /// Its word in the envelope.
    pub name: String,
    /// Whether the newest value is all that counts.
    pub class: Class,
    /// One sentence for people; may be empty.
    pub description: String,
    /// JSON Schema of its values, as it stands in the plugin.
    pub value_schema: Option<String>,
}
