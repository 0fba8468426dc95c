//! What a feed says about itself once it is ready to work.

use serde::{Deserialize, Serialize};

use super::event_doc::EventDocs;
use tickerd_model::sample::Class;

/// How a feed is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The host asks for values at intervals.
    Poll,
    /// The feed gives values when it has some.
    Push,
}

impl Mode {
    /// The word in a hello line.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Poll => "poll",
            Mode::Push => "push",
        }
    }
}

/// What a feed says about itself once it is ready to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The feed type's own id, such as `org.example.stocks`.
    pub feed: String,
    /// The plugin's version.
    pub version: String,
    /// How it is driven.
    pub mode: Mode,
    /// Whether it gives signs of life while it has no values, so that a feed without any is taken for hung.
    pub beats: bool,
    /// The events it declares, with their class.
    pub events: Vec<(String, Class)>,
    /// What it says of their values.
    pub docs: EventDocs,
    /// How often it would like to be polled, in milliseconds; 0: once per push interval.
    pub default_poll_ms: u32,
    /// The shortest poll interval it allows, in milliseconds.
    pub min_poll_ms: u32,
}
