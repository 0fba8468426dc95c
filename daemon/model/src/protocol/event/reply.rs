//! What answers a command: each carries the `id` that the command had.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::protocol::command::{Id, Mode};
use crate::protocol::error::ProtocolError;
use crate::protocol::shape;

/// Answers `auth`, and comes unasked behind `connected` where the handshake said who the client is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Authenticated<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Whom the server takes the client for.
    pub user: &'a str,
    /// When that ends; absent where it lasts as long as the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
}

/// A subscription to an exact topic, as granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TopicGrant {
    #[schemars(schema_with = "shape::topic")]
    pub topic: Box<str>,
    /// Snapshot ticks are at most this, live ones above; 0 before the topic's first tick.
    pub seq: u64,
    /// Whose numbers these are; absent where it is the epoch of `connected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Box<str>>,
    #[schemars(schema_with = "shape::rate")]
    pub rate: String,
    pub mode: Mode,
    /// After `since`: whether every tick that was missed follows; if not, the newest does. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<bool>,
    /// `false`: its feed runs and has spoken, and has no such topic yet. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<bool>,
    /// With `known`, in `subscribed`: which may have been meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A subscription to a pattern, as granted. Its rate is what was asked, since each match rounds it for its own feed, or the
/// slowest that any of these has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PatternGrant {
    #[schemars(schema_with = "shape::pattern")]
    pub pattern: Box<str>,
    /// Topics it matches now.
    pub count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::rate")]
    pub rate: Option<String>,
    pub mode: Mode,
    /// By first segment, whose numbers its topics have, where that is not the epoch of `connected`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub epochs: BTreeMap<Box<str>, Box<str>>,
    /// What may have been meant; absent where there is no doubt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A topic of a command that could not be served; the others were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failed {
    /// As it was asked for.
    pub topic: String,
    #[schemars(schema_with = "shape::code")]
    pub code: u16,
    pub message: String,
}

impl Failed {
    /// The topic's name is cut where no real one could reach.
    pub fn new(topic: &str, error: &ProtocolError) -> Failed {
        let topic = topic.chars().take(crate::topic::NAME_BYTES_MAX).collect();
        Failed { topic, code: error.code.number(), message: error.message.to_string() }
    }
}

/// Answers `subscribe`.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Subscribed {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    pub topics: Vec<TopicGrant>,
    pub patterns: Vec<PatternGrant>,
    pub failed: Vec<Failed>,
}

/// Answers `unsubscribe`: what was ended.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Unsubscribed {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    pub topics: Vec<String>,
    pub patterns: Vec<String>,
}

/// Answers `subscriptions`.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Subscriptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    pub topics: Vec<TopicGrant>,
    pub patterns: Vec<PatternGrant>,
}

/// One topic in the answer to `topics`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TopicEntry<'a> {
    #[schemars(schema_with = "shape::topic")]
    pub topic: &'a str,
    pub kind: &'a str,
    #[schemars(schema_with = "shape::class")]
    pub class: &'static str,
    pub seq: u64,
    pub ts: u64,
    pub interval_ms: u64,
    /// Whether it has had no news for longer than its feed's `max_age`; absent when it has.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// Answers `topics`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Topics<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    pub topics: Vec<TopicEntry<'a>>,
}

/// Answers `get`: whole envelopes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Values<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    #[schemars(schema_with = "shape::envelopes")]
    pub values: Vec<&'a RawValue>,
    pub failed: Vec<Failed>,
    /// Whether patterns match more, and one answer holds no more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// Answers `history`: whole envelopes, in order.
#[derive(Debug, Serialize, JsonSchema)]
pub struct History<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    #[schemars(schema_with = "shape::topic")]
    pub topic: &'a str,
    pub epoch: &'a str,
    #[schemars(schema_with = "shape::envelopes")]
    pub values: Vec<&'a RawValue>,
    /// Whether older ones that were asked for and are kept were left out, because one answer holds no more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// Answers `history` with a `period`: the bars of a topic, oldest first, the open one last. Over HTTP also
/// `/v1/topics/{topic}/bars`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Bars<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    #[schemars(schema_with = "shape::topic")]
    pub topic: &'a str,
    /// Length of each bar, such as `1m`.
    pub period: &'a str,
    /// The member of the topic's values that the figures are of; empty: the value itself.
    pub field: &'a str,
    pub epoch: &'a str,
    /// Nothing is known of the time before this: the bar in which it lies may lack ticks. Unix milliseconds.
    pub since: u64,
    #[schemars(schema_with = "shape::bars")]
    pub bars: &'a RawValue,
    /// Times after `since` of which nothing is known: the server did not run, or its computer slept or was set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Unknown>,
    /// Whether older ones that were asked for and are kept were left out, because one answer holds no more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A time of which nothing is known, in Unix milliseconds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Unknown {
    pub from: u64,
    pub to: u64,
}

/// Answers `publish`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Published<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    #[schemars(schema_with = "shape::topic")]
    pub topic: &'a str,
    /// The message's number in its topic; with `to` among the topic's letters.
    pub seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::addressee")]
    pub to: Option<&'a str>,
    /// How many connections a letter went to; absent without `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered: Option<usize>,
    /// The addressee was not there, and the letter waits.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

/// A connection that is subscribed to a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Member {
    pub conn: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// What its token says of it (`info`): any JSON.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_json")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub info: Option<Arc<str>>,
}

/// Writes JSON as it stands.
fn as_json<S: Serializer>(text: &Option<Arc<str>>, to: S) -> Result<S::Ok, S::Error> {
    let raw = text.as_deref().map(serde_json::from_str::<&RawValue>).transpose();
    raw.map_err(serde::ser::Error::custom)?.serialize(to)
}

/// Answers `presence`: who is there, not more than fits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Members<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    #[schemars(schema_with = "shape::topic")]
    pub topic: &'a str,
    /// How many are there; more than `members` when that was cut.
    pub count: usize,
    pub members: Vec<Member>,
}

/// Answers `ping`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pong<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::number")]
    pub t: Option<&'a RawValue>,
    pub ts: u64,
}

/// A command failed, or a message was none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Error<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    #[schemars(schema_with = "shape::code")]
    pub code: u16,
    #[schemars(schema_with = "shape::code_name")]
    pub name: &'static str,
    pub message: &'a str,
    pub temporary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// A failure as an event.
pub fn error(id: Option<Id>, error: &ProtocolError) -> Error<'_> {
    Error {
        id,
        code: error.code.number(),
        name: error.code.name(),
        message: &error.message,
        temporary: error.code.temporary(),
        retry_after_ms: error.retry_after_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::*;

    fn says(data: &impl super::super::Event, json: &str) {
        assert_eq!(String::from_utf8(text(data)).unwrap(), json);
    }

    #[test]
    fn replies_are_written_as_promised() {
        let subscribed = Subscribed {
            id: Some(Id::Number(2)),
            topics: vec![TopicGrant {
                topic: "stocks.AAPL".into(),
                seq: 48213,
                epoch: None,
                rate: "1s".into(),
                mode: Mode::Latest,
                recovered: None,
                known: None,
                hint: None,
            }],
            ..Subscribed::default()
        };
        says(
            &subscribed,
            r#"{"event":"subscribed","data":{"id":2,"topics":[{"topic":"stocks.AAPL","seq":48213,"rate":"1s","mode":"latest"}],"patterns":[],"failed":[]}}"#,
        );
        let recovered =
            TopicGrant { mode: Mode::All, recovered: Some(false), ..subscribed.topics[0].clone() };
        says(
            &Subscribed { topics: vec![recovered], ..Subscribed::default() },
            r#"{"event":"subscribed","data":{"topics":[{"topic":"stocks.AAPL","seq":48213,"rate":"1s","mode":"all","recovered":false}],"patterns":[],"failed":[]}}"#,
        );
        let elsewhere = TopicGrant { epoch: Some("e-2-b-1".into()), ..subscribed.topics[0].clone() };
        let pattern = PatternGrant {
            pattern: "stocks.*".into(),
            count: 1,
            rate: None,
            mode: Mode::Latest,
            epochs: [("stocks".into(), "e-2-b-1".into())].into(),
            hint: None,
        };
        says(
            &Subscribed { topics: vec![elsewhere], patterns: vec![pattern], ..Subscribed::default() },
            r#"{"event":"subscribed","data":{"topics":[{"topic":"stocks.AAPL","seq":48213,"epoch":"e-2-b-1","rate":"1s","mode":"latest"}],"patterns":[{"pattern":"stocks.*","count":1,"mode":"latest","epochs":{"stocks":"e-2-b-1"}}],"failed":[]}}"#,
        );
        let history =
            History { id: Some(Id::Number(8)), topic: "a.b", epoch: "e", values: vec![], truncated: false };
        says(&history, r#"{"event":"history","data":{"id":8,"topic":"a.b","epoch":"e","values":[]}}"#);
    }

    #[test]
    fn only_a_stale_topic_says_so_in_the_list() {
        let entry = |stale| TopicEntry {
            topic: "stocks.AAPL",
            kind: "quote",
            class: "state",
            seq: 1,
            ts: 2,
            interval_ms: 1000,
            stale,
        };
        says(
            &Topics { id: None, topics: vec![entry(true), entry(false)] },
            concat!(
                r#"{"event":"topics","data":{"topics":["#,
                r#"{"topic":"stocks.AAPL","kind":"quote","class":"state","seq":1,"ts":2,"interval_ms":1000,"stale":true},"#,
                r#"{"topic":"stocks.AAPL","kind":"quote","class":"state","seq":1,"ts":2,"interval_ms":1000}]}}"#
            ),
        );
    }
}
