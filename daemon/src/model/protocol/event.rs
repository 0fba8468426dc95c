//! What the server says, apart from ticks: one type per event, written as one message.
//!
//! `data` is always an object and its arrays are always present.

use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::value::RawValue;

use super::command::{Id, Mode};
use super::error::ProtocolError;
use super::shape::{self, Shape};
use crate::model::encoding::{Encoder, Encoding};
use crate::model::lane::Health;
use crate::model::message::Message;

/// First on every connection.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Connected<'a> {
    pub v: u32,
    pub server: &'a str,
    pub conn: &'a str,
    pub epoch: &'a str,
    pub heartbeat_ms: u64,
    pub limits: Limits,
}

/// What one connection may have.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Limits {
    pub topics: usize,
    pub patterns: usize,
    pub message_bytes: usize,
}

/// A subscription to an exact topic, as granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TopicGrant {
    #[schemars(schema_with = "shape::topic")]
    pub topic: Box<str>,
    /// Snapshot ticks are at most this, live ones above; 0 before the topic's first tick.
    pub seq: u64,
    #[schemars(schema_with = "shape::rate")]
    pub rate: String,
    pub mode: Mode,
    /// After `since`: whether every tick that was missed follows; if not, the newest does. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<bool>,
}

/// A subscription to a pattern, as granted. Its rate is what was asked, since each match rounds it for its own feed.
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
        let topic = topic.chars().take(crate::model::topic::TOPIC_BYTES_MAX).collect();
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

/// A message from one to one. One to all in a topic is a tick, and looks the same without `to`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LetterTo<'a> {
    #[schemars(schema_with = "shape::topic")]
    pub topic: &'a str,
    /// Counts the topic's letters, whoever they are for.
    pub seq: u64,
    pub ts: u64,
    pub from: &'a str,
    #[schemars(schema_with = "shape::addressee")]
    pub to: &'a str,
    #[schemars(schema_with = "shape::any")]
    pub value: &'a RawValue,
}

/// A connection that is subscribed to a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Member {
    pub conn: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
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

/// Who came and went, to those who are there. Many at once are counted, and not all named.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Turnover<'a> {
    #[schemars(schema_with = "shape::topic")]
    pub topic: &'a str,
    pub count: usize,
    pub joined: Vec<Member>,
    pub left: Vec<Member>,
    /// Some are not named: ask for `presence`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
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

/// Comes when nothing else did for `heartbeat_ms`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Heartbeat {
    pub ts: u64,
}

/// The server is about to stop.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Closing {
    pub in_ms: u64,
    /// Pick a moment in this window to come back.
    pub reconnect_ms: [u64; 2],
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

/// Something worth knowing; clients ignore types they do not know.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Notice<'a> {
    /// A feed's state changed.
    Feed {
        feed: &'a str,
        #[schemars(schema_with = "shape::feed_state")]
        state: &'static str,
        since: u64,
        reason: &'a str,
    },
    /// The connection was slow: `skipped` ticks of `topics` topics were passed over since `since`, and what came just
    /// before this notice is their newest.
    Lag { topics: usize, skipped: u64, since: u64 },
    /// These topics have had no news (no sample, not even with the same value) for `max_age_ms`; `since` is when that was
    /// found. A tick may still follow: a snapshot, or one that a slower rate held back. Only `fresh` ends it.
    Stale {
        feed: &'a str,
        #[schemars(schema_with = "shape::topics")]
        topics: Vec<&'a str>,
        since: u64,
        max_age_ms: u64,
    },
    /// These topics were stale and had news, or ended. It comes before the news.
    Fresh {
        feed: &'a str,
        #[schemars(schema_with = "shape::topics")]
        topics: Vec<&'a str>,
    },
    /// Topics that match a pattern of the connection came or went. `removed` happened before `added`: a topic in both is
    /// another one of the same name.
    Topics {
        #[schemars(schema_with = "shape::topics")]
        added: Vec<&'a str>,
        #[schemars(schema_with = "shape::topics")]
        removed: Vec<&'a str>,
        /// Whether others came or went of which nothing is told: list them with the command `topics`.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        missed: bool,
    },
    /// Of these topics, had with mode `all`, ticks were passed over; the newest of each follows.
    Reset {
        #[schemars(schema_with = "shape::topics")]
        topics: Vec<&'a str>,
    },
}

impl<'a> Notice<'a> {
    /// A feed's health as a notice.
    pub fn feed(feed: &'a str, health: &'a Health) -> Notice<'a> {
        Notice::Feed { feed, state: health.state.as_str(), since: health.since, reason: &health.reason }
    }
}

/// A type that is one event's data.
pub trait Event: Serialize {
    /// The event's name.
    const NAME: &'static str;
}

macro_rules! events {
    ($($type:ty => $name:literal $(/ $variant:literal)?),* $(,)?) => {$(
        impl Event for $type {
            const NAME: &'static str = $name;
        }
    )*

        /// Every event apart from ticks, with the schema of its data.
        pub fn shapes(generator: &mut SchemaGenerator) -> Vec<Shape> {
            vec![$(Shape {
                name: $name,
                variant: None$(.or(Some($variant)))?,
                data: generator.subschema_for::<$type>(),
            }),*]
        }
    };
}

events! {
    Connected<'_> => "connected",
    Subscribed => "subscribed",
    Unsubscribed => "unsubscribed",
    Subscriptions => "subscriptions",
    Topics<'_> => "topics",
    Values<'_> => "values",
    History<'_> => "history",
    Published<'_> => "published",
    LetterTo<'_> => "message",
    Members<'_> => "presence",
    Turnover<'_> => "presence" / "turnover",
    Pong<'_> => "pong",
    Heartbeat => "heartbeat",
    Closing => "closing",
    Error<'_> => "error",
    Notice<'_> => "notice",
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    event: &'static str,
    data: &'a T,
}

/// Appends `data` as one message.
pub fn write<T: Event>(data: &T, encoding: Encoding, encoder: &Encoder, out: &mut Vec<u8>) {
    encoder.write(encoding, &text(data), 0, out);
}

/// `data` as a message that several connections get.
pub fn message<T: Event>(data: &T) -> Message {
    Message::new(&text(data), 0)
}

fn text<T: Event>(data: &T) -> Vec<u8> {
    let envelope = Envelope { event: T::NAME, data };
    // These types hold nothing that JSON cannot say, and a Vec takes all that is written to it.
    serde_json::to_vec(&envelope).expect("events are plain data")
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
    use super::*;
    use crate::model::lane::FeedState;
    use crate::model::protocol::words;

    fn text<T: Event>(data: &T) -> String {
        String::from_utf8(super::text(data)).unwrap()
    }

    #[test]
    fn shapes_are_as_promised() {
        let subscribed = Subscribed {
            id: Some(Id::Number(2)),
            topics: vec![TopicGrant {
                topic: "stocks.AAPL".into(),
                seq: 48213,
                rate: "1s".into(),
                mode: Mode::Latest,
                recovered: None,
            }],
            ..Subscribed::default()
        };
        assert_eq!(
            text(&subscribed),
            r#"{"event":"subscribed","data":{"id":2,"topics":[{"topic":"stocks.AAPL","seq":48213,"rate":"1s","mode":"latest"}],"patterns":[],"failed":[]}}"#
        );
        let health = Health { state: FeedState::Stale, since: 1, reason: "…".into() };
        assert_eq!(
            text(&Notice::feed("stocks", &health)),
            r#"{"event":"notice","data":{"type":"feed","feed":"stocks","state":"stale","since":1,"reason":"…"}}"#
        );
        assert_eq!(
            text(&Notice::Lag { topics: 12, skipped: 340, since: 1 }),
            r#"{"event":"notice","data":{"type":"lag","topics":12,"skipped":340,"since":1}}"#
        );
        let topics = vec!["stocks.AAPL"];
        assert_eq!(
            text(&Notice::Stale { feed: "stocks", topics: topics.clone(), since: 1, max_age_ms: 3000 }),
            r#"{"event":"notice","data":{"type":"stale","feed":"stocks","topics":["stocks.AAPL"],"since":1,"max_age_ms":3000}}"#
        );
        assert_eq!(
            text(&Notice::Fresh { feed: "stocks", topics }),
            r#"{"event":"notice","data":{"type":"fresh","feed":"stocks","topics":["stocks.AAPL"]}}"#
        );
        let recovered =
            TopicGrant { mode: Mode::All, recovered: Some(false), ..subscribed.topics[0].clone() };
        assert_eq!(
            text(&Subscribed { topics: vec![recovered], ..Subscribed::default() }),
            r#"{"event":"subscribed","data":{"topics":[{"topic":"stocks.AAPL","seq":48213,"rate":"1s","mode":"all","recovered":false}],"patterns":[],"failed":[]}}"#
        );
        assert_eq!(
            text(&Notice::Topics { added: vec!["a.b"], removed: vec![], missed: false }),
            r#"{"event":"notice","data":{"type":"topics","added":["a.b"],"removed":[]}}"#
        );
        assert_eq!(
            text(&Notice::Reset { topics: vec!["a.b"] }),
            r#"{"event":"notice","data":{"type":"reset","topics":["a.b"]}}"#
        );
        let history =
            History { id: Some(Id::Number(8)), topic: "a.b", epoch: "e", values: vec![], truncated: false };
        assert_eq!(
            text(&history),
            r#"{"event":"history","data":{"id":8,"topic":"a.b","epoch":"e","values":[]}}"#
        );
        let entry = |stale| TopicEntry {
            topic: "stocks.AAPL",
            kind: "quote",
            class: "state",
            seq: 1,
            ts: 2,
            interval_ms: 1000,
            stale,
        };
        assert_eq!(
            text(&Topics { id: None, topics: vec![entry(true), entry(false)] }),
            concat!(
                r#"{"event":"topics","data":{"topics":["#,
                r#"{"topic":"stocks.AAPL","kind":"quote","class":"state","seq":1,"ts":2,"interval_ms":1000,"stale":true},"#,
                r#"{"topic":"stocks.AAPL","kind":"quote","class":"state","seq":1,"ts":2,"interval_ms":1000}]}}"#
            )
        );
        assert_eq!(text(&Heartbeat { ts: 1 }), r#"{"event":"heartbeat","data":{"ts":1}}"#);
    }

    #[test]
    fn what_the_server_says_no_feed_may_say() {
        let names =
            [Connected::NAME, Subscribed::NAME, Values::NAME, Notice::NAME, Closing::NAME, Pong::NAME];
        for name in names.into_iter().chain([Published::NAME, LetterTo::NAME, Members::NAME, Turnover::NAME])
        {
            assert!(words::is_reserved(name), "{name}");
        }
    }
}
