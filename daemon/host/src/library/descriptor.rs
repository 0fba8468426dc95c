//! What a plugin says about itself before an instance exists, as plain data. It is read in a process that can be spared, since
//! that runs the plugin's code, and goes to another one as JSON.

use serde::{Deserialize, Serialize};

use crate::report::Mode;
use tickerd_model::sample::Class;

/// A plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginInfo {
    /// Its own version; may be empty.
    pub version: String,
    /// The SDK it was made with; may be empty.
    pub sdk: String,
    /// The ABI's minor version it was compiled with.
    pub abi_minor: u32,
    /// The oldest minor version of tickerd's ABI that it runs on.
    pub min_host_minor: u32,
    /// Its feed types, at least one. A daemon runs the first.
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
    /// Whether it has an `interrupt`, which makes a blocked call return.
    pub interrupts: bool,
    /// The poll interval it would like, in milliseconds; 0: no wish.
    pub default_poll_ms: u32,
    /// The shortest poll interval it allows, in milliseconds.
    pub min_poll_ms: u32,
    /// The events that it may emit, at least one.
    pub events: Vec<EventTypeInfo>,
}

/// An event a feed may emit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTypeInfo {
    /// Its name, which is `event` in the envelope that clients get.
    pub name: String,
    /// State, of which only the newest value counts, or event, of which each counts.
    pub class: Class,
    /// One sentence for people; may be empty.
    pub description: String,
    /// JSON Schema of its values, as it stands in the plugin.
    pub value_schema: Option<String>,
}
