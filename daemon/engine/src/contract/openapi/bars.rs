//! Bars over HTTP: of one topic, or of several at once.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::parts::{both, if_none_match, needed, tagged};
use super::{problems, query};
use tickerd_model::protocol::command::BARS_LIMIT;
use tickerd_model::protocol::event::{Bars, Failed};

/// What says which bars: `period` and `before`.
pub fn which() -> [Value; 2] {
    // Which periods there are is the operator's choice; `60s` is `1m`.
    let period = json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" });
    let before = json!({ "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64 });
    [
        query("period", "The length of each bar, such as 1m. An error says which are kept.", period),
        query("before", "Bars that begin before this time alone, in Unix milliseconds.", before),
    ]
}

fn limit() -> Value {
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX, "default": BARS_LIMIT });
    query("limit", "How many at most, of each topic: the newest ones.", limit)
}

/// `/v1/topics/{topic}/bars`
pub fn one(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let schema = generator.subschema_for::<Bars<'_>>().to_value();
    let [period, before] = which();
    let parameters = json!([needed(period), limit(), before, if_none_match()]);
    let mut responses = Map::new();
    tagged(&mut responses, "The newest bars, oldest first, the open one last.", &schema);
    problems(&mut responses, &["400", "401", "403", "404", "405", "422", "429", "503"]);
    both("bars", "The bars of a topic.", &parameters, &responses)
}

/// `/v1/bars`
pub fn many(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let bars = generator.subschema_for::<Bars<'_>>().to_value();
    let failed = generator.subschema_for::<Failed>().to_value();
    let schema = json!({
        "type": "object",
        "required": ["topics", "failed"],
        "properties": {
            "topics": { "type": "array", "items": bars },
            "failed": { "type": "array", "items": failed },
        },
    });
    let names = query(
        "topics",
        "Topics, joined by commas: at most 256.",
        json!({ "type": "string", "pattern": "[^,]" }),
    );
    let [period, before] = which();
    let parameters = json!([needed(names), needed(period), limit(), before, if_none_match()]);
    let mut responses = Map::new();
    let about =
        "The newest bars of each topic, in the order of the question; what there is none of is in failed.";
    tagged(&mut responses, about, &schema);
    problems(&mut responses, &["400", "401", "403", "405", "429", "503"]);
    both("barsOfMany", "The bars of several topics.", &parameters, &responses)
}
