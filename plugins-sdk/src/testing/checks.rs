//! The checks that tickerd makes of a sample, so that a feed's tests meet them first.

use serde_json::Value;

use super::{Captured, INSTANCE, Seen};
use crate::info::{RESERVED_EVENTS, is_event_name};

/// The longest value tickerd takes, in bytes.
const VALUE_BYTES_MAX: usize = 48 * 1024;
/// The deepest nesting of a value.
const VALUE_DEPTH_MAX: usize = 64;
/// The longest topic, in bytes, with the feed's name before it.
const TOPIC_BYTES_MAX: usize = 160;
/// The greatest source time that is passed on, in Unix milliseconds.
const SOURCE_TIME_MAX: u64 = (1 << 53) - 1;

/// A sample as the feed said it.
pub(super) struct Said<'a> {
    pub topic: &'a [u8],
    pub event: &'a [u8],
    pub value: &'a [u8],
    /// 0: unknown.
    pub source_time_ms: u64,
}

/// The sample as tickerd takes it.
///
/// # Errors
/// Why tickerd refuses it.
pub(super) fn check(said: &Said<'_>, seen: &Seen) -> Result<Captured, String> {
    let topic = std::str::from_utf8(said.topic).map_err(|_| "bad_topic: not UTF-8".to_owned())?;
    let event = std::str::from_utf8(said.event).map_err(|_| "bad_event: not UTF-8".to_owned())?;
    if !is_relative_topic(topic) {
        return Err(format!("bad_topic: `{topic}`"));
    }
    if !is_event_name(event) {
        return Err(format!("bad_event: `{event}`"));
    }
    if RESERVED_EVENTS.contains(&event) {
        return Err(format!("reserved_event: `{event}`"));
    }
    if seen.declared.as_ref().is_some_and(|declared| !declared.iter().any(|d| d == event)) {
        return Err(format!("bad_event: `{event}` is not among the feed's declared events"));
    }
    if let Some(known) = seen.events.get(topic).filter(|known| *known != event) {
        return Err(format!(
            "kind_changed: `{topic}` is of `{known}` since its first sample; use another topic for `{event}`"
        ));
    }
    if said.value.len() > VALUE_BYTES_MAX {
        return Err(format!("too_large: {} bytes", said.value.len()));
    }
    let json = std::str::from_utf8(said.value).map_err(|_| "bad_json: not UTF-8".to_owned())?;
    let value = serde_json::from_str(json).map_err(|e| format!("bad_json: {e}"))?;
    let depth = depth(&value);
    if depth > VALUE_DEPTH_MAX {
        return Err(format!("bad_json: {depth} levels; {VALUE_DEPTH_MAX} are allowed"));
    }
    Ok(Captured {
        topic: topic.to_owned(),
        event: event.to_owned(),
        value,
        json: json.to_owned(),
        source_time_ms: Some(said.source_time_ms).filter(|ms| (1..=SOURCE_TIME_MAX).contains(ms)),
        at_ms: seen.now_ms,
    })
}

/// Empty, or segments of `A–Z a–z 0–9 _ - %XX`, 1 to 64 long, at most 7 (the feed's name is the first of 8).
pub(super) fn is_relative_topic(topic: &str) -> bool {
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'A'..=b'F');
    let escapes = |s: &str| {
        s.split('%').skip(1).all(|rest| matches!(rest.as_bytes(), [high, low, ..] if hex(*high) && hex(*low)))
    };
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'%');
    let segment = |s: &str| (1..=64).contains(&s.len()) && s.bytes().all(alphabet) && escapes(s);
    let is_short = INSTANCE.to_bytes().len() + 1 + topic.len() <= TOPIC_BYTES_MAX;
    topic.is_empty() || is_short && topic.split('.').count() <= 7 && topic.split('.').all(segment)
}

/// How many levels are nested. The parser has bounded it.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
