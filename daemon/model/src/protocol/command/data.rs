//! What stands in the `data` of each command, as it is written. The same types give the schemas that others read.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::terms::Mode;
use crate::protocol::{fields, shape};

/// A client's name for its command, echoed in the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Id {
    /// A number.
    Number(u32),
    /// At most 36 characters.
    Text(#[schemars(length(max = 36))] Box<str>),
}

/// Where a client was when it went away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// Of which history, as it was told.
    pub epoch: Epochs,
    /// By exact topic, the number of the last tick it had; 0 is none.
    pub seq: BTreeMap<String, u64>,
}

/// Whose numbers a client's positions are.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[serde(untagged)]
pub enum Epochs {
    /// Of all topics.
    One(String),
    /// By exact topic.
    ByTopic(BTreeMap<String, String>),
}

impl Epochs {
    /// That of a topic; none where the client does not say it.
    pub fn of(&self, topic: &str) -> Option<&str> {
        match self {
            Epochs::One(epoch) => Some(epoch),
            Epochs::ByTopic(epochs) => epochs.get(topic).map(String::as_str),
        }
    }
}

impl<'de> Deserialize<'de> for Epochs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Epochs, D::Error> {
        struct EpochsVisitor;
        impl<'de> Visitor<'de> for EpochsVisitor {
            type Value = Epochs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or an object of texts")
            }
            fn visit_str<E>(self, epoch: &str) -> Result<Epochs, E> {
                Ok(Epochs::One(epoch.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, epochs: A) -> Result<Epochs, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(epochs)).map(Epochs::ByTopic)
            }
        }
        from.deserialize_any(EpochsVisitor)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    /// A JWT, or a token that the operator gave out.
    pub token: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscribeData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    /// Topics and patterns.
    #[schemars(schema_with = "shape::names")]
    pub topics: Vec<String>,
    /// Shortest time between two pushes of a topic; none: the feed's own.
    #[serde(default)]
    #[schemars(schema_with = "shape::optional_rate")]
    pub rate: Option<serde_json::Value>,
    /// None: what each topic's class says.
    pub mode: Option<Mode>,
    /// Whether the newest value of each topic follows at once; none: it does.
    pub snapshot: Option<bool>,
    /// Where the client was when it went away, for mode `all`.
    #[serde(default, deserialize_with = "fields::object")]
    pub since: Option<Since>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicsData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    #[schemars(schema_with = "shape::names")]
    pub topics: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("dependencies" = { "before": ["period"] }))]
pub struct HistoryData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    #[schemars(schema_with = "shape::topic")]
    pub topic: String,
    /// How many of the newest at most; none: 100 ticks, or 500 bars.
    #[schemars(range(min = 1))]
    pub limit: Option<u32>,
    /// Asks for bars of this length instead of ticks, such as `1m`.
    #[serde(default)]
    #[schemars(schema_with = "shape::optional_period")]
    pub period: Option<String>,
    /// Of bars: those that begin before this time alone, in Unix milliseconds.
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub before: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    /// None: `**`, all of them.
    #[serde(default)]
    #[schemars(schema_with = "shape::optional_pattern")]
    pub r#match: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishData<'a> {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    /// One that was declared with `publish`.
    #[schemars(schema_with = "shape::topic")]
    pub topic: String,
    /// Any JSON; its digits are kept.
    #[serde(borrow)]
    #[schemars(schema_with = "shape::any")]
    pub value: &'a RawValue,
    /// To one alone: `user:NAME`, or `conn:` and what the other was told in `connected`.
    #[serde(default)]
    #[schemars(schema_with = "shape::optional_addressee")]
    pub to: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    /// One that was declared with `presence`.
    #[schemars(schema_with = "shape::topic")]
    pub topic: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PingData<'a> {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    /// Comes back as it was written.
    #[serde(borrow, default)]
    #[schemars(schema_with = "shape::optional_number")]
    pub t: Option<&'a RawValue>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
}
