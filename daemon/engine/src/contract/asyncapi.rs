//! The AsyncAPI 3.0 document (<https://www.asyncapi.com/docs/reference/specification/v3.0.0>).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::messages::{Message, Messages};
use super::value_schema::DEFINITIONS;
use super::{BarFacts, Facts, FeedFacts, Spoken, SpokenEvent};
use tickerd_model::protocol::error::Code;
use tickerd_model::protocol::shape;
use tickerd_model::protocol::{SUBPROTOCOLS, VERSION};
use tickerd_model::wire::close::{self, Advice};

/// The protocol's description for people.
pub const HANDBOOK: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/daemon/PROTOCOL.md");

const ABOUT: &str = "One WebSocket per client. Every message, both ways, is one object, in JSON or MessagePack, with exactly the keys event \
                     and data. Clients send commands and get events; ticks bring the newest value of each topic they \
                     subscribed to. Clients ignore events, notice types and keys that they do not know.";

/// Of the WebSocket's own compression, for which AsyncAPI has no word.
const DEFLATE: &str = "RFC 7692, where the client offers it and the server is configured with compression: without context \
                       takeover by the client, and by the server too where the client or the operator asks for that, in a window \
                       of 9 to 15 bits; any message may come plain.";

/// The whole document.
pub fn document(facts: &Facts, configured: &[&FeedFacts], feeds: &BTreeMap<&str, &Spoken>) -> Value {
    let mut fixed = Messages::new();
    let mut schemas = std::mem::take(&mut fixed.definitions);
    let mut messages = Map::new();
    let mut operations = Map::new();
    for command in &fixed.commands {
        messages.insert(format!("command.{}", command.name), described(command));
        operations.insert(command.name.clone(), operation(command));
    }
    for event in &fixed.events {
        messages.insert(format!("event.{}", event.key), described(event));
    }
    let spoken = feeds.iter().flat_map(|(feed, spoken)| spoken.events.iter().map(move |event| (feed, event)));
    for (feed, event) in spoken {
        messages.insert(format!("tick.{feed}.{}", event.name), tick(feed, event));
    }
    schemas.extend(feeds.values().flat_map(|spoken| spoken.definitions.clone()));
    messages.insert(
        "tick".into(),
        json!({
            "name": "tick", "title": "Any tick", "contentType": "application/json", "payload": fixed.tick,
            "summary": "A tick of a feed that did not say what its values look like, or of any other.",
        }),
    );
    for (key, name, payload) in [
        ("tick.message", "message", &fixed.published),
        ("tick.tickerd.stats", "stats", &fixed.stats),
        ("tick.tickerd.bar", "bar", &fixed.bar),
    ] {
        messages.insert(
            key.into(),
            json!({
                "name": name, "title": name, "summary": payload["description"],
                "contentType": "application/json", "payload": payload,
            }),
        );
    }
    let answers: Vec<&str> = fixed.commands.iter().flat_map(|command| command.answers).copied().collect();
    let is_said = |key: &&String| match key.strip_prefix("event.") {
        Some(name) => !answers.contains(&name) || name == "subscribed",
        None => key.starts_with("tick"),
    };
    let said: Vec<Value> = messages.keys().filter(is_said).map(|key| on_channel(key)).collect();
    operations.insert(
        "listen".into(),
        json!({
            "action": "send", "channel": reference("channels", "ws"), "messages": said,
            "summary": "What the server says without being asked: subscribed also answers the topics of the address.",
        }),
    );
    let on_channel: Map<String, Value> =
        messages.keys().map(|key| (key.clone(), reference("components/messages", key))).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": info(facts, "tickerd", ABOUT),
        "defaultContentType": "application/json",
        "servers": { "this": server(facts) },
        "channels": { "ws": channel(on_channel) },
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas },
        "x-bars": bars(&facts.bars),
        "x-closes": closes(),
        "x-errors": errors(),
        "x-feeds": configured.iter().map(|feed| feed_facts(feed, feeds.get(feed.name.as_str()).copied())).collect::<Vec<_>>(),
    })
}

/// What both documents say of themselves.
pub fn info(facts: &Facts, title: &str, about: &str) -> Value {
    json!({
        "title": title, "version": facts.version, "description": about,
        "license": { "name": env!("CARGO_PKG_LICENSE") },
        "contact": { "name": "tickerd", "url": env!("CARGO_PKG_REPOSITORY") },
        "x-protocol-version": VERSION,
    })
}

fn server(facts: &Facts) -> Value {
    json!({
        "host": "{address}", "protocol": if facts.is_tls { "wss" } else { "ws" }, "protocolVersion": "13",
        "description": "This daemon. Behind a proxy it has the proxy's address, and wss where that speaks TLS.",
        "variables": { "address": { "default": facts.address, "description": "host:port" } },
    })
}

fn channel(messages: Map<String, Value>) -> Value {
    json!({
        "address": "/ws",
        "title": "The ticker",
        "description": ABOUT,
        "servers": [reference("servers", "this")],
        "messages": messages,
        "bindings": { "ws": {
            "bindingVersion": "0.1.0", "method": "GET",
            "query": {
                "type": "object",
                "properties": {
                    "topics": { "type": "string", "description": "Topics and patterns, joined by commas: subscribes at once." },
                    "rate": { "type": "string", "description": "As in subscribe." },
                    "name": { "type": "string", "description": "What the client calls itself in declared topics." },
                },
            },
            "headers": {
                "type": "object",
                "properties": { "Sec-WebSocket-Protocol": {
                    "type": "string", "enum": SUBPROTOCOLS, "description": "May be left out: the first is spoken then. The second says the same as MessagePack in binary messages.",
                } },
            },
        } },
        "externalDocs": { "url": HANDBOOK },
        "x-extensions": { "permessage-deflate": DEFLATE },
    })
}

fn described(message: &Message) -> Value {
    json!({
        "name": message.name, "title": message.name, "summary": message.about,
        "contentType": "application/json", "payload": message.payload,
    })
}

fn operation(command: &Message) -> Value {
    let mut answers = vec![on_channel("event.error")];
    answers.extend(command.answers.iter().map(|answer| on_channel(&format!("event.{answer}"))));
    json!({
        "action": "receive", "channel": reference("channels", "ws"), "summary": command.about,
        "messages": [on_channel(&format!("command.{}", command.name))],
        "reply": { "channel": reference("channels", "ws"), "messages": answers },
    })
}

fn tick(feed: &str, event: &SpokenEvent) -> Value {
    let class = event.class.as_str();
    let about = match event.description.as_str() {
        "" => format!("A tick of the feed {feed}, of class {class}."),
        said => format!("{said} A tick of the feed {feed}, of class {class}."),
    };
    let value = match &event.schema {
        Some(name) => json!({ "$ref": format!("{DEFINITIONS}{name}") }),
        None => json!({ "description": "The feed does not say what it looks like." }),
    };
    // A feed's name holds nothing that a regular expression would take for more than itself.
    let topic = json!({ "type": "string", "pattern": format!("^{feed}(\\.|$)") });
    let kind = json!({ "type": "string", "const": event.name });
    json!({
        "name": event.name, "title": format!("{}, of {feed}", event.name), "summary": about,
        "contentType": "application/json", "payload": shape::envelope(&about, kind, topic, value),
    })
}

fn feed_facts(feed: &FeedFacts, spoken: Option<&Spoken>) -> Value {
    let mut facts = json!({ "name": feed.name, "rates": feed.rates, "spoken": spoken.is_some() });
    let Some((facts_now, spoken)) = facts.as_object_mut().zip(spoken) else { return facts };
    facts_now.insert("type".into(), spoken.said.id.as_str().into());
    facts_now.insert("version".into(), spoken.said.version.as_str().into());
    let events: Map<String, Value> =
        spoken.events.iter().map(|event| (event.name.clone(), event.class.as_str().into())).collect();
    facts_now.insert("events".into(), events.into());
    facts
}

/// Of which periods bars can be asked for.
fn bars(periods: &[BarFacts]) -> Value {
    periods.iter().map(|bars| json!({ "period": bars.period, "keep_ms": bars.keep_ms })).collect()
}

/// Why the server ends a connection, and what the client does then.
fn closes() -> Value {
    let row = |row: &close::Row| {
        let advice = match row.advice {
            Advice::Stop => "stop",
            Advice::BackOff => "back_off",
            Advice::AtOnce => "at_once",
        };
        json!({ "code": row.code.code(), "name": row.name, "text": row.text, "then": advice })
    };
    close::TABLE.iter().map(row).collect()
}

fn errors() -> Value {
    let row =
        |code: &Code| json!({ "code": code.number(), "name": code.name(), "temporary": code.temporary() });
    Code::ALL.iter().map(row).collect()
}

fn reference(place: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/{place}/{name}") })
}

fn on_channel(message: &str) -> Value {
    reference("channels/ws/messages", message)
}
