//! What the server says, apart from ticks: one type per event, written as one message.
//!
//! [`reply`] holds what answers a command, [`notice`] what is worth knowing; here is what else is said unasked, and how all
//! of it is written. `data` is always an object and its arrays are always present.
mod feeds;
mod notice;
mod reply;

use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::value::RawValue;

use super::shape::{self, Shape};
use crate::wire::encoding::{Encoder, Encoding, Mark};
use crate::wire::message::Message;

pub use feeds::{FeedEntry, Feeds};
pub use notice::Notice;
pub use reply::{
    Authenticated, Bars, Error, Failed, History, Member, Members, PatternGrant, Pong, Published, Subscribed,
    Subscriptions, TopicEntry, TopicGrant, Topics, Unknown, Unsubscribed, Values, error,
};

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
    Authenticated<'_> => "authenticated",
    Subscribed => "subscribed",
    Unsubscribed => "unsubscribed",
    Subscriptions => "subscriptions",
    Topics<'_> => "topics",
    Values<'_> => "values",
    History<'_> => "history",
    Bars<'_> => "history" / "bars",
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
    encoder.write(encoding, &text(data), Mark::default(), out);
}

/// `data` as a message that several connections get.
pub fn message<T: Event>(data: &T) -> Message {
    Message::new(&text(data), Mark::default())
}

fn text<T: Event>(data: &T) -> Vec<u8> {
    let envelope = Envelope { event: T::NAME, data };
    // These types hold nothing that JSON cannot say, and a Vec takes all that is written to it.
    serde_json::to_vec(&envelope).expect("events are plain data")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::words;

    #[test]
    fn what_the_server_says_no_feed_may_say() {
        let names =
            [Connected::NAME, Subscribed::NAME, Values::NAME, Notice::NAME, Closing::NAME, Pong::NAME];
        for name in names.into_iter().chain([Published::NAME, LetterTo::NAME, Members::NAME, Turnover::NAME])
        {
            assert!(words::is_reserved(name), "{name}");
        }
    }

    #[test]
    fn an_event_is_one_message() {
        assert_eq!(text(&Heartbeat { ts: 1 }), br#"{"event":"heartbeat","data":{"ts":1}}"#);
    }
}
