//! A feed's statement before it is checked.

use serde::{Deserialize, Serialize};

/// Whether a topic's values replace one another or each matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A value replaces the last; may be conflated.
    State,
    /// Each value matters: trades, alerts.
    Event,
}

impl Class {
    /// The word used on the wire and in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::State => "state",
            Class::Event => "event",
        }
    }
}

/// One statement of a feed, borrowed for the length of the call that brought it.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The topic, relative to the feed's configured name. Empty means the feed's name itself.
    pub topic: &'a [u8],
    /// The event kind, such as `quote`.
    pub event: &'a [u8],
    /// One JSON value.
    pub value: &'a [u8],
    /// The class that the feed declared for this event. `None` means [`Class::State`].
    pub class: Option<Class>,
    /// The source's own time, Unix milliseconds; 0 means unknown.
    pub src_ts: u64,
}
