//! The messages of PROTOCOL.md that the command line reads. Unknown keys and events are ignored.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Any message, in either direction.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
}

/// A value of a topic.
#[derive(Debug, Deserialize)]
pub struct Tick<'a> {
    /// The kind of its value, which is the message's event.
    #[serde(skip)]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub topic: Cow<'a, str>,
    pub seq: u64,
    /// Unix milliseconds.
    pub ts: i64,
    /// Who published it, in rooms.
    pub from: Option<String>,
    /// To whom, of a direct message. Its `seq` counts those.
    pub to: Option<String>,
    #[serde(borrow)]
    pub value: &'a RawValue,
}

/// Events of the server's own, in which ticks never come.
const NO_TICKS: [&str; 16] = [
    "connected",
    "authenticated",
    "subscribed",
    "unsubscribed",
    "subscriptions",
    "topics",
    "values",
    "history",
    "published",
    "presence",
    "error",
    "notice",
    "heartbeat",
    "pong",
    "closing",
    "closed",
];

impl<'a> Message<'a> {
    pub fn read(text: &'a str) -> Option<Message<'a>> {
        serde_json::from_str(text).ok()
    }

    /// The tick that it is, if it is one.
    pub fn tick(&self) -> Option<Tick<'a>> {
        if NO_TICKS.contains(&&*self.event) {
            return None;
        }
        let tick: Tick<'a> = self.data()?;
        Some(Tick { kind: self.event.clone(), ..tick })
    }

    /// Its data in this shape, if it has it.
    pub fn data<T: Deserialize<'a>>(&self) -> Option<T> {
        serde_json::from_str(self.data?.get()).ok()
    }
}

/// The data of `connected`.
#[derive(Debug, Clone, Deserialize)]
pub struct Hello {
    pub epoch: String,
    pub heartbeat_ms: u64,
    #[serde(default)]
    pub limits: Limits,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Limits {
    pub topics: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { topics: 1_024 }
    }
}

/// The data of `error`.
#[derive(Debug, Deserialize)]
pub struct Refusal {
    pub code: u16,
    pub message: String,
    pub retry_after_ms: Option<u64>,
}

/// The data of `subscribed`.
#[derive(Debug, Deserialize)]
pub struct Subscribed {
    #[serde(default)]
    pub topics: Vec<Granted>,
    #[serde(default)]
    pub patterns: Vec<GrantedPattern>,
    #[serde(default)]
    pub failed: Vec<Failed>,
}

#[derive(Debug, Deserialize)]
pub struct Granted {
    pub topic: String,
    pub epoch: Option<String>,
    #[serde(default)]
    pub mode: String,
    pub recovered: Option<bool>,
    pub hint: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct GrantedPattern {
    pub pattern: String,
    /// By first segment, the epochs that are not the one of `connected`.
    #[serde(default)]
    pub epochs: HashMap<String, String>,
    pub hint: Option<String>,
}

/// A topic of several that is refused.
#[derive(Debug, Clone, Deserialize)]
pub struct Failed {
    pub topic: String,
    pub code: u16,
    pub message: String,
}

/// The data of `topics`.
#[derive(Debug, Deserialize)]
pub struct Topics {
    pub topics: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
pub struct Listed {
    pub topic: String,
    pub kind: String,
    pub class: String,
    pub seq: u64,
    pub ts: i64,
    pub interval_ms: u64,
    #[serde(default)]
    pub stale: bool,
}

/// The data of `values`.
#[derive(Debug, Deserialize)]
pub struct Values<'a> {
    #[serde(borrow)]
    pub values: Vec<&'a RawValue>,
    #[serde(default)]
    pub failed: Vec<Failed>,
    #[serde(default)]
    pub truncated: bool,
}

/// The data of `history`: ticks, or bars if a period was asked for.
#[derive(Debug, Deserialize)]
pub struct Past<'a> {
    #[serde(default)]
    pub epoch: String,
    #[serde(borrow, default)]
    pub values: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    pub bars: Vec<&'a RawValue>,
    #[serde(default)]
    pub truncated: bool,
}

/// The data of `notice`, of all its types together.
#[derive(Debug, Deserialize)]
pub struct Notice {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub feed: String,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub topics: Vec<String>,
    #[serde(default)]
    pub patterns: Vec<String>,
    #[serde(default)]
    pub removed: Vec<String>,
    pub epoch: Option<String>,
}

/// The data of `closing`.
#[derive(Debug, Deserialize)]
pub struct Closing {
    pub reconnect_ms: (u64, u64),
}

/// The data of `pong`.
#[derive(Debug, Deserialize)]
pub struct Pong {
    pub ts: i64,
}

/// How many samples of a topic lie between two of its ticks. Where another node has begun to number it, which it does above a
/// multiple of 2^32, nothing is known of that: none.
pub fn skipped(last: u64, seq: u64) -> u64 {
    let between = seq.saturating_sub(last).saturating_sub(1);
    if between < seq & u64::from(u32::MAX) { between } else { 0 }
}

/// The first segment of a topic. All topics that share it have the numbers of one epoch.
pub fn feed(topic: &str) -> &str {
    topic.split('.').next().unwrap_or_default()
}

/// Whether this names many topics.
pub fn is_pattern(text: &str) -> bool {
    text.contains('*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_another_node_begins_nothing_was_skipped() {
        const ERA: u64 = 1 << 32;
        for (last, seq, between) in [
            (1, 2, 0),
            (1, 5, 3),
            (5, 5, 0),
            (5, 2, 0),
            (7, ERA + 1, 0),
            (7, ERA + 9, 0),
            (ERA + 1, ERA + 4, 2),
        ] {
            assert_eq!(skipped(last, seq), between, "{last} {seq}");
        }
    }

    #[test]
    fn ticks_are_told_from_what_the_server_says() {
        let tick = |text| {
            Message::read(text)
                .and_then(|message| message.tick().map(|tick| (tick.topic.into_owned(), tick.seq)))
        };
        let quote =
            r#"{"event":"quote","data":{"topic":"a.b","seq":7,"ts":1,"value":{"price":189.30},"new":1}}"#;
        assert_eq!(tick(quote), Some(("a.b".to_owned(), 7)));
        let room = r#"{"event":"message","data":{"topic":"r.l","seq":1,"ts":1,"from":"user:a","value":1}}"#;
        assert!(tick(room).is_some());
        for other in [
            r#"{"event":"published","data":{"topic":"r.l","seq":1,"ts":1,"value":1}}"#,
            r#"{"event":"later","data":{"topic":"r.l"}}"#,
            r#"{"event":"heartbeat"}"#,
            "[]",
            "",
        ] {
            assert_eq!(tick(other), None, "{other}");
        }
    }
}
