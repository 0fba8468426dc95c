//! The OpenAPI 3.1 document (<https://spec.openapis.org/oas/v3.1.1>): every path of the public listeners.

mod bars;
mod parts;
mod topics;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::asyncapi::{HANDBOOK, info};
use super::messages;
use super::{ASYNCAPI, Facts, OPENAPI};
use tickerd_model::protocol::SUBPROTOCOLS;
use tickerd_model::protocol::problem::Problem;
use tickerd_model::protocol::shape;

const ABOUT: &str = "The HTTP side of a tickerd: the page, topics and their values, an event stream, the WebSocket handshake, \
                     and its own descriptions. Metrics and health are on the admin listener. Errors are application/problem+json and say what to change.";
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
/// Items of a header, such as `permessage-deflate; client_max_window_bits`.
const TOKENS: &str = "^[A-Za-z0-9!#$%&'*+.^_`|~=;, -]*$";
/// What browsers say of a page. Which of them may connect is the operator's choice.
const ORIGIN: &str = r"^(null|[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9._~:\[\]-]*)$";

/// The whole document.
pub fn document(facts: &Facts) -> Value {
    let mut generator = messages::generator(SchemaSettings::draft2020_12().for_serialize());
    let problem = generator.subschema_for::<Problem<'_>>();
    let rate = shape::rate(&mut generator).to_value();
    let topics = topics::paths(&mut generator, &rate);
    let socket = socket(&mut generator, &rate);
    let mut schemas = generator.take_definitions(true);
    topics::without_ids(&mut schemas);
    let mut document = json!({
        "openapi": "3.1.1",
        "info": info(facts, "tickerd over HTTP", ABOUT),
        "servers": [{ "url": "/", "description": "This daemon." }],
        "externalDocs": { "url": HANDBOOK, "description": "The whole protocol." },
        "paths": {
            "/": { "get": {
                "operationId": "page", "summary": "The page that shows every topic.",
                "responses": cached("The page.", HTML, json!({ "type": "string" })),
            } },
            ASYNCAPI: { "get": {
                "operationId": "asyncapi", "summary": "The WebSocket protocol with the events of this server's feeds.",
                "responses": description("An AsyncAPI 3.0 document.", "asyncapi"),
            }, "options": topics::options(ASYNCAPI) },
            OPENAPI: { "get": {
                "operationId": "openapi", "summary": "This document.",
                "responses": description("An OpenAPI 3.1 document.", "openapi"),
            }, "options": topics::options(OPENAPI) },
            "/ws": { "get": socket },
        },
        // Only servers with [auth] ask for it.
        "security": [{}, { "token": [] }],
        "components": {
            "securitySchemes": { "token": {
                "type": "http", "scheme": "bearer",
                "description": "A static token or a JWT, on servers with [auth].",
            } },
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "What happened, and what to change.",
                    "content": { "application/problem+json": { "schema": problem } },
                },
                "Busy": {
                    "description": "What there is too much of, and when to come back.",
                    "headers": { "Retry-After": {
                        "required": true, "description": "In seconds.", "schema": { "type": "integer", "minimum": 1 },
                    } },
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
        },
    });
    if let Some(Value::Object(paths)) = document.get_mut("paths") {
        paths.extend(topics);
    }
    document
}

/// The same of a description, which is shown to who may see anything.
fn description(about: &str, version: &str) -> Value {
    let mut responses = cached(about, JSON, described(version));
    if let Some(responses) = responses.as_object_mut() {
        problems(responses, &["401"]);
    }
    responses
}

fn described(version: &str) -> Value {
    json!({ "type": "object", "required": [version, "info"] })
}

/// Answers of a path whose bytes are kept and asked for again with their tag.
fn cached(about: &str, content_type: &str, schema: Value) -> Value {
    let headers = json!({
        "ETag": { "schema": { "type": "string" }, "description": "For If-None-Match." },
        "Cache-Control": { "schema": { "type": "string" } },
    });
    let content = json!({ content_type: { "schema": schema } });
    let mut responses = Map::new();
    responses.insert("200".into(), json!({ "description": about, "headers": headers, "content": content }));
    responses.insert("304".into(), json!({ "description": "As before.", "headers": headers }));
    problems(&mut responses, &["400", "403", "405", "429", "503"]);
    responses.into()
}

fn socket(generator: &mut SchemaGenerator, rate: &Value) -> Value {
    let mut responses = Map::new();
    responses.insert(
        "101".into(),
        json!({
            "description": "The connection is a WebSocket from here on and speaks the protocol of the AsyncAPI document.",
            "headers": {
                "Sec-WebSocket-Protocol": { "schema": { "type": "string", "enum": SUBPROTOCOLS } },
                "Sec-WebSocket-Extensions": {
                    "description": "permessage-deflate, where the client offers it and the server has compression.",
                    "schema": { "type": "string" },
                },
            },
        }),
    );
    problems(&mut responses, &["400", "401", "403", "405", "426", "429", "503", "505"]);
    json!({
        "operationId": "connect",
        "summary": "Opens a WebSocket.",
        "description": "A handshake with an Origin that may connect is answered with 101 even where another would be refused: a close follows that \
                        says why, since pages cannot read a status.",
        "parameters": [
            query("topics", "Topics and patterns, joined by commas: subscribes at once.", shape::list(generator).to_value()),
            query("rate", "Shortest time between two pushes of a topic.", rate.clone()),
            mode(),
            name(generator),
            ticket_of(),
            header("Upgrade", true, json!({ "type": "string", "pattern": "^[Ww]eb[Ss]ocket$" })),
            header("Connection", true, json!({ "type": "string", "pattern": "^[Uu]pgrade$" })),
            header("Sec-WebSocket-Version", true, json!({ "type": "string", "const": "13" })),
            header("Sec-WebSocket-Key", true, json!({ "type": "string", "pattern": "^[A-Za-z0-9+/]{22}==$" })),
            header("Sec-WebSocket-Protocol", false, json!({ "type": "string", "enum": SUBPROTOCOLS })),
            header("Sec-WebSocket-Extensions", false, json!({ "type": "string", "pattern": TOKENS })),
            header("Origin", false, json!({ "type": "string", "pattern": ORIGIN })),
        ],
        "responses": responses,
    })
}

/// What says who a client is that can send no header.
fn ticket_of() -> Value {
    query(
        "ticket",
        "A ticket of /v1/ticket, on servers with [auth].",
        json!({ "type": "string", "pattern": "^tkt_" }),
    )
}

fn mode() -> Value {
    query(
        "mode",
        "The newest at each push, or every tick.",
        json!({ "type": "string", "enum": ["latest", "all"] }),
    )
}

fn query(name: &str, about: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": about, "schema": schema })
}

fn header(name: &str, needed: bool, schema: Value) -> Value {
    json!({ "name": name, "in": "header", "required": needed, "schema": schema })
}

/// What a client calls itself.
fn name(generator: &mut SchemaGenerator) -> Value {
    query("name", "What the client calls itself in declared topics.", shape::name(generator).to_value())
}

/// Errors. Those of a server with too much to do say when to come back.
fn problems(responses: &mut Map<String, Value>, statuses: &[&str]) {
    for status in statuses {
        let kind = if ["429", "503"].contains(status) { "Busy" } else { "Problem" };
        responses.insert((*status).into(), json!({ "$ref": format!("#/components/responses/{kind}") }));
    }
}
