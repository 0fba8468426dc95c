//! On which terms a topic is had: how often, and whether every tick or the newest.

use std::borrow::Cow;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::complaint::{bad, shown};
use crate::protocol::error::ProtocolError;
use crate::protocol::rate;

/// How ticks of a topic are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The newest at each push; what lay between is merged.
    Latest,
    /// Every one.
    All,
}

/// Derived, it would say of what is no text only that some value was expected.
impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Mode, D::Error> {
        let word: Cow<'de, str> = Deserialize::deserialize(deserializer)?;
        match &*word {
            "latest" => Ok(Mode::Latest),
            "all" => Ok(Mode::All),
            other => Err(serde::de::Error::unknown_variant(other, &["latest", "all"])),
        }
    }
}

/// The terms a subscription asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Shortest time between two pushes; none: the feed's own. Every tick comes at the feed's own, so it is none with
    /// [`Mode::All`].
    pub rate: Option<Duration>,
    /// For state topics; of event topics every tick comes.
    pub mode: Mode,
}

/// Checks the terms of a subscription, wherever they were written.
pub fn terms(rate: Option<&str>, mode: Option<Mode>) -> Result<Terms, ProtocolError> {
    let rate = match rate {
        None => None,
        Some(text) => Some(rate::parse(text).ok_or_else(|| {
            let text = shown(text);
            bad(format!("the rate {text:?} must be a whole number with its unit, such as \"250ms\" or \"1s\", at most 1h"))
        })?),
    };
    Ok(match mode {
        Some(Mode::All) => Terms { rate: None, mode: Mode::All },
        Some(Mode::Latest) | None => Terms { rate, mode: Mode::Latest },
    })
}
