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

    /// Appends what is said of it over HTTP. Many bars are asked for at once there, so they are not read again to be put into
    /// the object, as [`PastBars::text`] does.
    pub fn write(&self, epoch: &str, bytes_max: usize, out: &mut Vec<u8>) -> serde_json::Result<()> {
        const NONE: &[u8] = b"\"bars\":[]";
        let mut bars = Vec::new();
        let is_truncated = self.past.write(bytes_max, &mut bars);
        let none = RawValue::from_string("[]".to_owned())?;
        let object = serde_json::to_vec(&self.told(None, epoch, &none, is_truncated))?;
        // A quote in a name that stands before it is escaped.
        let at = object.windows(NONE.len()).position(|part| part == NONE).unwrap_or(object.len());
        let (head, rest) = object.split_at(at);
        let tail = rest.get(NONE.len()..).unwrap_or_default();
        out.reserve(object.len() + bars.len());
        for part in [head, b"\"bars\":", &bars, tail] {
            out.extend_from_slice(part);
        }
        Ok(())
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
            field: &self.past.field,
            epoch,
            since: self.past.since,
            bars,
            unknown: unknown.collect(),
            truncated,
        }
    }
}
