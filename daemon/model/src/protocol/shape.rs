//! JSON Schemas of values that several messages share. They are made from the same constants and tables that check or
//! write the values.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::error::Code;
use super::words::RESERVED_EVENTS;
use crate::access::user::NAMES_RESERVED;
use crate::access::user::USER_BYTES_MAX;
use crate::health::FeedState;
use crate::normalise::KIND_BYTES_MAX;
use crate::rooms::{CONN_BYTES_MAX, KIND};
use crate::sample::Class;
use crate::topic::bar::PERIOD_BYTES_MAX;
use crate::topic::{NAME_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENTS_MAX, SERVER_SEGMENT};

/// A schema under its command's or event's name.
#[derive(Debug, Clone)]
pub struct Shape {
    pub name: &'static str,
    /// Tells it from another shape of the same name.
    pub variant: Option<&'static str>,
    /// The schema of `data`.
    pub data: Schema,
}

/// A name that a client gives itself.
fn word() -> String {
    format!("[A-Za-z0-9_-]{{1,{SEGMENT_BYTES_MAX}}}")
}

/// A segment of a topic. Its bytes are counted one by one, those of `%XX` too, which a pattern cannot say.
fn segment() -> String {
    format!("([A-Za-z0-9_-]|%[0-9A-F]{{2}}){{1,{SEGMENT_BYTES_MAX}}}")
}

/// What may stand before the topic that bars are of, besides `or` in place of the word and of the period. That names of other
/// topics are shorter, a schema does not say.
fn before_bars(or: &str) -> String {
    format!("({SERVER_SEGMENT}\\.(bars?{or})\\.([0-9a-z]{{1,{PERIOD_BYTES_MAX}}}{or})\\.)?")
}

/// One pattern.
fn one_pattern() -> String {
    let (before, segment, more) = (before_bars("|\\*"), segment(), SEGMENTS_MAX - 1);
    format!("{before}(({segment}|\\*)\\.){{0,{more}}}({segment}|\\*\\*?)")
}

/// An exact topic.
pub fn topic(_: &mut SchemaGenerator) -> Schema {
    let (before, segment, more) = (before_bars(""), segment(), SEGMENTS_MAX - 1);
    json_schema!({
        "type": "string",
        "maxLength": NAME_BYTES_MAX,
        "pattern": format!("^{before}{segment}(\\.{segment}){{0,{more}}}$"),
    })
}

/// Exact topics.
pub fn topics(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": topic(generator) })
}

/// A pattern. A topic counts as a pattern that matches itself.
pub fn pattern(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "maxLength": NAME_BYTES_MAX, "pattern": format!("^{}$", one_pattern()),
    })
}

/// Topics and patterns, joined by commas.
pub fn list(_: &mut SchemaGenerator) -> Schema {
    let one = one_pattern();
    json_schema!({ "type": "string", "pattern": format!("^{one}(,{one})*$") })
}

/// A pattern, or nothing.
pub fn optional_pattern(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = pattern(generator);
    schema.insert("type".into(), json!(["string", "null"]));
    schema
}

/// What a command names: topics, and patterns if it takes them.
pub fn names(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "minItems": 1, "items": pattern(generator) })
}

/// A client's name.
pub fn name(_: &mut SchemaGenerator) -> Schema {
    let word = word();
    json_schema!({ "type": "string", "pattern": format!("^{word}$"), "not": reserved("") })
}

/// The address of a letter.
pub fn addressee(_: &mut SchemaGenerator) -> Schema {
    let conn = format!("[A-Za-z0-9_-]{{1,{CONN_BYTES_MAX}}}");
    let user = format!("([A-Za-z0-9_-]|%[0-9A-F]{{2}}){{1,{USER_BYTES_MAX}}}");
    let pattern = format!("^(user:{user}|conn:{conn})$");
    json_schema!({ "type": "string", "pattern": pattern, "not": reserved("user:") })
}

/// The address of a letter, or nothing.
pub fn optional_addressee(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = addressee(generator);
    schema.insert("type".into(), json!(["string", "null"]));
    schema
}

/// The reserved names, after a prefix. A schema cannot say that upper and lower case count as the same.
fn reserved(prefix: &str) -> Value {
    let any_case = |letter: char| format!("[{}{letter}]", letter.to_ascii_uppercase());
    let names = NAMES_RESERVED.map(|name| name.chars().map(any_case).collect::<String>());
    json!({ "type": "string", "pattern": format!("^{prefix}({})$", names.join("|")) })
}

/// Any JSON.
pub fn any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}

/// From 1ms to 1h, as [`super::rate::parse`] reads it.
const RATE: &str = "^0*(([1-9][0-9]{0,5}|[12][0-9]{6}|3[0-5][0-9]{5}|3600000)ms|([1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|3600)s|\
                    ([1-9]|[1-5][0-9]|60)m|1h)$";

/// A rate.
pub fn rate(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": RATE })
}

/// A rate, or nothing.
pub fn optional_rate(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "pattern": RATE })
}

/// A number whose digits are kept.
pub fn number(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "number" })
}

/// A number whose digits are kept, or nothing.
pub fn optional_number(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["number", "null"] })
}

/// The numbers of errors.
pub fn code(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "enum": Code::ALL.map(Code::number) })
}

/// The names of errors.
pub fn code_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Code::ALL.map(Code::name) })
}

/// The states of feeds.
pub fn feed_state(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": FeedState::ALL.map(FeedState::as_str) })
}

/// The classes of topics.
pub fn class(_: &mut SchemaGenerator) -> Schema {
    let words = [Class::State, Class::Event].map(Class::as_str);
    json_schema!({ "type": "string", "enum": words })
}

/// Bars, oldest first.
pub fn bars(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": generator.subschema_for::<Bar>() })
}

/// One bar; [`crate::bars::bar::Bar`] writes it.
pub struct Bar;

impl JsonSchema for Bar {
    fn schema_name() -> Cow<'static, str> {
        "Bar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let figure = |about: &str| json!({ "type": ["number", "string"], "description": about });
        let count =
            |about: &str, least: u8| json!({ "type": "integer", "minimum": least, "description": about });
        json_schema!({
            "description": "The first, greatest, least and last figure that a topic had in a period.",
            "type": "object",
            "required": ["start", "open", "high", "low", "close", "count", "merged"],
            "properties": {
                "start": count("When it begins, in Unix milliseconds: a multiple of the period.", 0),
                "open": figure("The first figure, with the digits of its source; a decimal number also where it is a string."),
                "high": figure("The greatest figure."),
                "low": figure("The least figure."),
                "close": figure("The last figure."),
                "count": count("Ticks that it is made of.", 1),
                "merged": count("Samples that were merged into those ticks, and whose figures are not known.", 0),
                "volume": figure("The sum of the ticks' sizes, exact; left out where none is known."),
            },
        })
    }
}

/// Bars as the server pushes them, in topics of its own.
pub fn bar(generator: &mut SchemaGenerator) -> Schema {
    let (segment, more) = (segment(), SEGMENTS_MAX - 1);
    let about = "A bar: one that closed, in tickerd.bars.PERIOD.TOPIC (class event, seq is its start divided by the period), or the open one, in \
                 tickerd.bar.PERIOD.TOPIC (class state).";
    let topic = json!({
        "type": "string",
        "maxLength": NAME_BYTES_MAX,
        "pattern": format!("^{SERVER_SEGMENT}\\.bars?\\.[0-9a-z]{{1,{PERIOD_BYTES_MAX}}}\\.{segment}(\\.{segment}){{0,{more}}}$"),
    });
    let value = generator.subschema_for::<Bar>().to_value();
    let mut bar = envelope(about, json!({ "type": "string", "const": "bar" }), topic, value);
    if let Some(seq) = bar.pointer_mut("/properties/data/properties/seq/description") {
        *seq = "Of a closed bar its start divided by the period: a jump is periods without ticks. Of the open one it counts.".into();
    }
    bar
}

/// The length of bars, as a configuration may say it, or nothing. Which of them are kept is the operator's choice.
pub fn optional_period(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "pattern": "^[0-9]+(ms|s|m|h|d)$" })
}

/// Whole envelopes of ticks.
pub fn envelopes(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": generator.subschema_for::<Envelope>() })
}

/// The envelope of any tick; [`crate::wire::frame`] writes it.
pub struct Envelope;

impl JsonSchema for Envelope {
    fn schema_name() -> Cow<'static, str> {
        "Tick".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let event = json!({
            "type": "string",
            "maxLength": KIND_BYTES_MAX,
            "pattern": "^[a-z][a-z0-9_]*$",
            "not": { "enum": RESERVED_EVENTS.into_iter().filter(|word| *word != KIND).collect::<Vec<_>>() },
        });
        let mut tick =
            envelope("The newest value of a topic.", event, topic(generator).to_value(), json!({}));
        let properties = tick.pointer_mut("/properties/data/properties").and_then(Value::as_object_mut);
        if let Some(properties) = properties {
            properties.insert("from".into(), from());
        }
        tick
    }
}

fn from() -> Value {
    json!({
        "type": "string", "maxLength": "user:".len() + 3 * USER_BYTES_MAX,
        "description": "Who published it: user:NAME or conn:CONN, or http where it came over HTTP without a name.",
    })
}

/// The envelope of what clients publish in declared topics, to all who are there.
pub fn published(generator: &mut SchemaGenerator) -> Schema {
    let about = "What a client published, to all who are subscribed to a declared topic.";
    let kind = json!({ "type": "string", "const": KIND });
    let mut message = envelope(about, kind, topic(generator).to_value(), json!({}));
    if let Some(Value::Array(required)) = message.pointer_mut("/properties/data/required") {
        required.push("from".into());
    }
    let properties = message.pointer_mut("/properties/data/properties").and_then(Value::as_object_mut);
    if let Some(properties) = properties {
        properties.insert("from".into(), from());
    }
    message
}

/// The envelope of what the server says of itself.
pub fn stats() -> Schema {
    let count = |about: &str| json!({ "type": "integer", "minimum": 0, "description": about });
    let value = json!({
        "type": "object",
        "required": ["clients", "topics"],
        "properties": { "clients": count("Open connections."), "topics": count("Topics there are.") },
    });
    let about = "What the server says of itself, when it has changed.";
    envelope(about, json!({ "const": "stats" }), json!({ "const": "tickerd.stats" }), value)
}

/// The envelope of a tick whose parts are known more closely.
pub fn envelope(about: &str, event: Value, topic: Value, value: Value) -> Schema {
    let count = |about: &str, least: u8| json!({ "type": "integer", "minimum": least, "description": about });
    let text = |about: &str| json!({ "type": "string", "minLength": 1, "description": about });
    json_schema!({
        "description": about,
        "type": "object",
        "required": ["event", "data"],
        "additionalProperties": false,
        "properties": {
            "event": event,
            "data": {
                "type": "object",
                "required": ["topic", "seq", "ts", "value"],
                "properties": {
                    "topic": topic,
                    "seq": count("Counts the topic's samples: a jump says how many were merged.", 1),
                    "ts": count("When the server took the value, Unix milliseconds.", 0),
                    "src_ts": count("The source's own time, Unix milliseconds, where it is known.", 0),
                    "value": value,
                    "sig": text("The Ed25519 signature of the message without sig and kid, in base64url; in JSON, of a signed feed."),
                    "kid": text("The name of the key at /v1/keys that verifies sig."),
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::rate;

    #[test]
    fn a_rate_is_described_as_it_is_read() {
        let validator = jsonschema::validator_for(&json!({ "type": "string", "pattern": RATE })).unwrap();
        let units = ["ms", "s", "m", "h", ""];
        let numbers = [
            "", "0", "1", "01", "59", "60", "61", "999", "1000", "3599", "3600", "3601", "999999", "3599999",
            "3600000", "3600001", "9999999",
        ];
        for text in units.iter().flat_map(|unit| numbers.iter().map(move |number| format!("{number}{unit}")))
        {
            assert_eq!(validator.is_valid(&json!(text)), rate::parse(&text).is_some(), "{text}");
        }
    }
}
