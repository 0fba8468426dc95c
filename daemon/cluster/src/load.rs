//! What a holder says of its feed in one beat, as nodes send it to each other.
//!
//! Every struct is written with its fields' names, and what is not known is skipped. So a field can be added later, and nodes of
//! two versions understand each other: it needs a default. A tick and a topic say at least what has none.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::wire::{Bytes, fields};

/// What one beat carries; or, with `whole`, the whole board as it is after that beat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Load {
    /// The instant of the beat by the holder's schedule, in Unix milliseconds.
    pub ts: u64,
    /// What the feed is. It is there in the first beat of an era, in each whole board, and when it has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// Topics that came and went, in order. They apply before the ticks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Ticks in the order in which they were pushed. A topic's `seq` rises.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ticks: Vec<Tick>,
    /// The feed's health, when it has changed, and in each whole board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// All topics there are. Topics that the board has besides them are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<Vec<Whole>>,
    /// With `whole`: topics that ended had numbers up to this one. A new topic's are above it.
    #[serde(deserialize_with = "fields::number", skip_serializing_if = "is_zero")]
    pub retired: u64,
    /// Who came to declared topics and left them; with `whole`, all who are there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub turnovers: Vec<Turnover>,
    /// Messages to some connections alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub letters: Vec<Letter>,
}

/// Who came to a declared topic, and who left it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turnover {
    #[serde(deserialize_with = "fields::topic")]
    pub topic: Arc<str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<Person>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Conn>,
}

/// The name of a connection, which begins with that of its node.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Conn(#[serde(deserialize_with = "fields::conn")] pub Box<str>);

/// Who is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    #[serde(rename = "c")]
    pub conn: Conn,
    #[serde(
        rename = "n",
        default,
        deserialize_with = "fields::address",
        skip_serializing_if = "Option::is_none"
    )]
    pub name: Option<Arc<str>>,
    /// What its token says of it, in JSON.
    #[serde(
        rename = "i",
        default,
        deserialize_with = "fields::info",
        skip_serializing_if = "Option::is_none"
    )]
    pub info: Option<Bytes>,
}

/// A message to one addressee, for one of the connections that get it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    pub conn: Conn,
    #[serde(deserialize_with = "fields::topic")]
    pub topic: Arc<str>,
    #[serde(default, deserialize_with = "fields::address")]
    pub from: Option<Arc<str>>,
    #[serde(default, deserialize_with = "fields::address")]
    pub to: Option<Arc<str>>,
    pub seq: u64,
    pub ts: u64,
    #[serde(deserialize_with = "fields::value")]
    pub value: Bytes,
}

/// What a feed is, for nodes that have no section of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// Whether clients publish to it: declared topics of one first segment. Otherwise a plugin is its source.
    pub is_room: bool,
    /// The push interval.
    pub interval_ms: u64,
    /// Its topics are pushed when their values come, at most once in an interval, and not all at fixed times.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_paced: bool,
    /// Each beat pushes every topic's newest value, changed or not.
    pub always: bool,
    /// The age from which a value is stale; 0: never.
    pub max_age_ms: u64,
    /// The same by the source's own time; 0: that is not looked at.
    #[serde(skip_serializing_if = "is_zero")]
    pub source_max_age_ms: u64,
    /// Of which field its topics have bars, as the configuration writes it in JSON.
    pub bars: Box<str>,
    /// What the plugin says of itself and its events, in JSON. Empty until it has said it.
    pub hello: Box<str>,
    /// The hash of the feed's section in the configuration, so that nodes can be compared.
    pub section: u64,
    /// Where clients publish: the declared topics.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rooms: Vec<Room>,
}

/// A declared topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    #[serde(deserialize_with = "fields::topic")]
    pub name: Arc<str>,
    /// Clients may publish.
    #[serde(default)]
    pub publish: bool,
    /// Clients may see who is there.
    #[serde(default)]
    pub presence: bool,
    /// Messages that are kept, and for how long.
    #[serde(default)]
    pub count: u64,
    #[serde(default)]
    pub age_ms: u64,
}

/// A topic came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It has had its first tick, or was declared.
    Added(Topic),
    /// It was retired.
    Removed(#[serde(deserialize_with = "fields::topic")] Arc<str>),
}

/// A topic, with the kind of its ticks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    #[serde(deserialize_with = "fields::topic")]
    pub name: Arc<str>,
    /// The event of its ticks, such as `quote`.
    #[serde(deserialize_with = "fields::kind")]
    pub kind: Arc<str>,
    /// Its ticks are events: none replaces another. Otherwise the newest is its state.
    #[serde(default)]
    pub is_event: bool,
}

/// A tick that has its number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Its topic, which was added before.
    #[serde(rename = "t", deserialize_with = "fields::topic")]
    pub topic: Arc<str>,
    #[serde(rename = "s", deserialize_with = "fields::number")]
    pub seq: u64,
    /// Earlier samples that it replaces; `seq` counts them.
    #[serde(rename = "m", default, deserialize_with = "fields::number", skip_serializing_if = "is_zero")]
    pub merged: u64,
    /// When the holder accepted it, Unix milliseconds.
    #[serde(rename = "a")]
    pub ts: u64,
    /// The source's own time, Unix milliseconds; 0: unknown.
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    pub src_ts: u64,
    /// Who published it.
    #[serde(
        rename = "f",
        default,
        deserialize_with = "fields::address",
        skip_serializing_if = "Option::is_none"
    )]
    pub from: Option<Arc<str>>,
    /// One JSON value, as clients get it.
    #[serde(rename = "v", deserialize_with = "fields::value")]
    pub value: Bytes,
}

/// One topic of a whole board.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    pub topic: Topic,
    /// The number up to which its ticks were pushed; 0: it has had none.
    #[serde(deserialize_with = "fields::number")]
    pub seq: u64,
    /// How long it had no news.
    #[serde(default)]
    pub age_ms: u64,
    #[serde(default)]
    pub is_stale: bool,
    /// Ticks with a `seq` up to this number are gone.
    #[serde(default, deserialize_with = "fields::number")]
    pub floor: u64,
    /// The ticks above it that are kept, in order. The last of them is the topic's newest, unless `newest` is there.
    #[serde(default)]
    pub past: Vec<Tick>,
    /// Its newest tick, where the past does not have it.
    #[serde(default)]
    pub newest: Option<Tick>,
}

/// How a feed is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// As `feed_state` names it, such as `up`.
    #[serde(deserialize_with = "fields::text")]
    pub state: Box<str>,
    /// Since when, Unix milliseconds.
    pub since: u64,
    #[serde(deserialize_with = "fields::text")]
    pub reason: Box<str>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
