//! The bars that someone asks for, and how they are told.

use serde_json::value::RawValue;

use tickerd_model::bars::past::Past;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::protocol::event;

/// Bytes of bars in one answer about one topic.
pub const BARS_BYTES_MAX: usize = 1 << 20;

/// Which bars are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The period, as it was written.
    pub period: String,
    /// Most bars of one topic: the newest ones.
    pub limit: usize,
    /// They begin before this time, in Unix milliseconds.
    pub before: u64,
}

/// The bars of one topic.
#[derive(Debug)]
pub struct PastBars {
    pub topic: String,
    /// The period's name.
    pub period: Box<str>,
    pub past: Past,
}

/// What is found of one topic.
pub type Found = Result<PastBars, ProtocolError>;

impl PastBars {
    /// Its bars as JSON, at most `bytes_max`, and whether some had no room.
    pub fn text(&self, bytes_max: usize) -> (Box<RawValue>, bool) {
        let mut text = Vec::new();
        let is_truncated = self.past.write(bytes_max, &mut text);
        // Digits and names as they were checked: it is JSON by construction.
        let text = String::from_utf8(text).ok().and_then(|text| RawValue::from_string(text).ok());
        (text.unwrap_or_else(|| RawValue::NULL.to_owned()), is_truncated)
    }

    /// What is said of it.
    pub fn told<'a>(
        &'a self,
        id: Option<Id>,
        epoch: &'a str,
        bars: &'a RawValue,
        truncated: bool,
    ) -> event::Bars<'a> {
        let unknown = self.past.unknown.iter().map(|time| event::Unknown { from: time.from, to: time.to });
        event::Bars {
            id,
            topic: &self.topic,
            period: &self.period,
            epoch,
            since: self.past.since,
            bars,
            unknown: unknown.collect(),
            truncated,
        }
    }
}
