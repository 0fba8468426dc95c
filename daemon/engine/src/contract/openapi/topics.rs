//! Topics, their values and their past over HTTP, the event stream, and how the feeds are.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::bars;
use super::parts::{also, answer, both, if_none_match, kept, needed, tagged};
use super::{JSON, header, mode, name, problems, query, ticket_of};
use tickerd_model::protocol::WAIT_MAX_S;
use tickerd_model::protocol::event::{Bars, Feeds, History, Published, Topics, Values};
use tickerd_model::protocol::shape::{self, Envelope};

/// Schemas of answers that carry the command's `id` on a WebSocket; HTTP has its own way to tell what answers what.
const ANSWERS: [&str; 5] = ["Topics", "Values", "History", "Bars", "Published"];

/// The paths by their names.
pub fn paths(generator: &mut SchemaGenerator, rate: &Value) -> Map<String, Value> {
    let topic = json!({
        "name": "topic", "in": "path", "required": true, "schema": shape::topic(generator).to_value(),
        "description": "As it stands: a %XX of its name is not encoded again here, but is %25XX in a query.",
    });
    let mut paths = Map::new();
    for (path, parameters, mut methods) in [
        ("/v1/topics", json!([]), listing(generator)),
        ("/v1/topics/{topic}", json!([topic]), value(generator)),
        ("/v1/topics/{topic}/history", json!([topic]), history(generator)),
        ("/v1/topics/{topic}/bars", json!([topic]), bars::one(generator)),
        ("/v1/bars", json!([]), bars::many(generator)),
        ("/v1/values", json!([]), values(generator)),
        ("/v1/sse", json!([]), stream(generator, rate)),
        ("/v1/feeds", json!([]), feeds(generator)),
        ("/v1/keys", json!([]), keys()),
        ("/v1/ticket", json!([]), ticket()),
    ] {
        methods.insert("parameters".into(), parameters);
        methods.insert("options".into(), options(path));
        paths.insert(path.into(), methods.into());
    }
    paths
}

/// Takes the `id` out of answers, and its definition.
pub fn without_ids(schemas: &mut Map<String, Value>) {
    for name in ANSWERS {
        if let Some(Value::Object(properties)) =
            schemas.get_mut(name).and_then(|schema| schema.get_mut("properties"))
        {
            properties.remove("id");
        }
    }
    schemas.remove("Id");
}

fn listing(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let schema = generator.subschema_for::<Topics<'_>>().to_value();
    let about = "A pattern; without it all topics but the server's own.";
    let parameters = json!([query("match", about, shape::pattern(generator).to_value())]);
    let mut responses = Map::new();
    responses.insert("200".into(), answer("The topics that have spoken.", &schema, json!({})));
    problems(&mut responses, &["400", "401", "403", "405", "422", "429", "503"]);
    both("topics", "Lists topics.", &parameters, &responses)
}

fn value(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let schema = generator.subschema_for::<Envelope>().to_value();
    let wait = json!({ "type": "integer", "minimum": 0, "maximum": WAIT_MAX_S, "default": 0 });
    let parameters = json!([
        query(
            "wait",
            "Seconds to wait for another value than the one of If-None-Match, or for the first.",
            wait
        ),
        header("If-None-Match", false, json!({ "type": "string" })),
    ]);
    let etag = json!({ "ETag": { "schema": { "type": "string" }, "description": "For If-None-Match." } });
    let mut responses = Map::new();
    responses.insert("200".into(), answer("The newest tick, as it is pushed.", &schema, etag.clone()));
    let mut same =
        answer("No other value than the one of If-None-Match, also after the wait.", &schema, etag);
    same.as_object_mut().map(|same| same.remove("content"));
    responses.insert("304".into(), same);
    problems(&mut responses, &["400", "401", "403", "404", "405", "422", "429", "503"]);
    let mut methods = both("value", "The newest value of a topic, or its next one.", &parameters, &responses);
    methods.insert("post".into(), post(generator));
    methods
}

fn post(generator: &mut SchemaGenerator) -> Value {
    let schema = generator.subschema_for::<Published<'_>>().to_value();
    let mut responses = Map::new();
    responses.insert("200".into(), answer("It was taken.", &schema, json!({})));
    problems(&mut responses, &["400", "401", "403", "404", "413", "422", "429", "503"]);
    json!({
        "operationId": "publish",
        "summary": "Publishes to a declared topic, to all who are there or to one.",
        "parameters": [
            name(generator),
            query("to", "Whom it is for alone.", shape::addressee(generator).to_value()),
        ],
        "requestBody": {
            "required": true, "description": "One JSON value, whatever its Content-Type.",
            "content": { JSON: { "schema": {} } },
        },
        "responses": responses,
    })
}

/// Ticks, or with a period bars, which have a tag.
fn history(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let ticks = generator.subschema_for::<History<'_>>().to_value();
    let bars = generator.subschema_for::<Bars<'_>>().to_value();
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX });
    let [period, before] = bars::which();
    let parameters = json!([
        period,
        query("limit", "How many at most: 100 ticks or 500 bars, where it is left out.", limit),
        before,
        if_none_match(),
    ]);
    let mut responses = Map::new();
    let about =
        "The newest ticks that are kept, oldest first; with a period the newest bars, which have an ETag.";
    tagged(&mut responses, about, &json!({ "oneOf": [ticks, bars] }));
    problems(&mut responses, &["400", "401", "403", "404", "405", "422", "429", "503"]);
    both("history", "The newest ticks of a topic, or its bars.", &parameters, &responses)
}

fn values(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let schema = generator.subschema_for::<Values<'_>>().to_value();
    let about = "Topics (at most 1,024) and patterns (at most 32), joined by commas.";
    let names = needed(query("topics", about, json!({ "type": "string", "pattern": "[^,]" })));
    let about =
        "The newest tick of each topic, those that are named first. At most 10,000 of them and 4 MiB.";
    let mut methods = kept("values", "The newest values of several topics.", about, &schema);
    for method in ["get", "head"] {
        let parameters = methods.get_mut(method).and_then(|method| method.get_mut("parameters"));
        if let Some(parameters) = parameters.and_then(Value::as_array_mut) {
            parameters.insert(0, names.clone());
        }
    }
    also(&mut methods, "401");
    methods
}

fn stream(generator: &mut SchemaGenerator, rate: &Value) -> Map<String, Value> {
    // One name at least; the stream itself tells which of them are none.
    let topics = json!({ "type": "string", "pattern": "[^,]" });
    let about =
        "Topics and patterns, joined by commas. What cannot be had is told in `failed` of `subscribed`.";
    let names = needed(query("topics", about, topics));
    let about =
        "The id of the last event of an earlier stream: what was missed follows, if all of it is kept.";
    let mut last = header("Last-Event-ID", false, json!({ "type": "string" }));
    last.as_object_mut().map(|last| last.insert("description".into(), about.into()));
    let about = "Server-sent events without end. The data of each is one message of the AsyncAPI document, connected and \
                 subscribed first; ticks have an id.";
    let mut responses = Map::new();
    responses.insert(
        "200".into(),
        json!({
            "description": about,
            "headers": { "Cache-Control": { "required": true, "schema": { "const": "no-store" } } },
            // A schema is of a whole body, and this one never ends.
            "content": { "text/event-stream": {} },
        }),
    );
    problems(&mut responses, &["400", "401", "403", "405", "429", "503"]);
    let get = json!({
        "operationId": "stream",
        "summary": "Ticks as an event stream.",
        "parameters": [
            names,
            query("rate", "As in subscribe.", rate.clone()),
            mode(),
            name(generator),
            last,
            query("lastEventId", "The same, from libraries that cannot send the header.", json!({ "type": "string" })),
            ticket_of(),
        ],
        "responses": responses,
    });
    Map::from_iter([("get".into(), get)])
}

fn feeds(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let schema = generator.subschema_for::<Feeds<'_>>().to_value();
    let about = "Every configured feed, in the configured order, from the start on.";
    let mut methods = kept("feeds", "How each feed is.", about, &schema);
    also(&mut methods, "401");
    methods
}

fn keys() -> Map<String, Value> {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let key = json!({
        "type": "object",
        "required": ["kty", "crv", "x", "kid", "use", "alg"],
        "properties": {
            "kty": { "const": "OKP" }, "crv": { "const": "Ed25519" }, "use": { "const": "sig" }, "alg": { "const": "EdDSA" },
            "x": text("^[A-Za-z0-9_-]{43}$"), "kid": text("^[A-Za-z0-9_-]{43}$"),
        },
    });
    let keys = json!({ "type": "array", "minItems": 1, "items": key });
    let schema = json!({ "type": "object", "required": ["keys"], "properties": { "keys": keys } });
    let about = "The public keys of signed ticks, as a JWK set. The first one signs now. No token is needed.";
    let mut methods = kept("keys", "The keys that verify signed ticks.", about, &schema);
    also(&mut methods, "404");
    methods
}

fn ticket() -> Map<String, Value> {
    let schema = json!({
        "type": "object",
        "required": ["ticket", "expires_in_ms"],
        "properties": {
            "ticket": { "type": "string", "description": "For `?ticket=` of `/ws` or `/v1/sse`." },
            "expires_in_ms": { "type": "integer", "minimum": 0 },
        },
    });
    let stored = json!({ "required": true, "schema": { "const": "no-store" } });
    let mut responses = Map::new();
    responses.insert(
        "200".into(),
        json!({
            "description": "A ticket: good once, for 30 s, from the same page and network.",
            "headers": { "Cache-Control": stored }, "content": { JSON: { "schema": schema } },
        }),
    );
    problems(&mut responses, &["400", "401", "403", "404", "405", "429", "503"]);
    let post = json!({
        "operationId": "ticket",
        "summary": "Gives who has said who it is a ticket, for clients that can send no header.",
        "responses": responses,
    });
    Map::from_iter([("post".into(), post)])
}

/// What may be asked of a path. A browser that asks in place of a page (Access-Control-Request-Method) is always answered with
/// 204: what is wrong is told to the request itself.
pub fn options(path: &str) -> Value {
    let is_topic = path.contains("{topic}");
    let methods: &[&str] = match path {
        "/v1/topics/{topic}" => &["GET, HEAD, OPTIONS", "GET, HEAD, POST, OPTIONS"],
        "/v1/sse" => &["GET, OPTIONS"],
        "/v1/ticket" => &["POST, OPTIONS"],
        _ => &["GET, HEAD, OPTIONS"],
    };
    let allow = json!({
        "required": true, "schema": { "type": "string", "enum": methods },
        "description": "POST is among them where the topic takes messages.",
    });
    let mut responses = Map::new();
    let about = "What may be asked, and in its Access-Control headers what pages of listed Origins may ask.";
    responses.insert("204".into(), json!({ "description": about, "headers": { "Allow": allow } }));
    problems(&mut responses, &["400", "403", "429", "503"]);
    if is_topic {
        problems(&mut responses, &["404", "422"]);
    }
    json!({
        "operationId": format!("preflight{}", path.replace(['/', '{', '}'], "_")),
        "summary": "What may be asked.",
        "responses": responses,
    })
}
