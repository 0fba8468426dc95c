//! The protocol's messages with their schemas, from the types that read and write them.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::value_schema::DEFINITIONS;
use tickerd_model::protocol::command;
use tickerd_model::protocol::event;
use tickerd_model::protocol::shape::{self, Envelope, Shape};

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its `event`.
    pub name: String,
    /// Its name in the document; `name`, unless there are two of that name.
    pub key: String,
    /// What it does or says, for people.
    pub about: String,
    /// Schema of the whole message.
    pub payload: Value,
    /// For commands, the keys of the events that answer them.
    pub answers: &'static [&'static str],
}

/// All that is the same on every server.
#[derive(Debug, Default)]
pub struct Messages {
    /// What clients send.
    pub commands: Vec<Message>,
    /// What servers say apart from ticks.
    pub events: Vec<Message>,
    /// Any tick.
    pub tick: Value,
    /// What clients publish.
    pub published: Value,
    /// What the server says of itself.
    pub stats: Value,
    /// Bars that are pushed.
    pub bar: Value,
    /// Schemas that these refer to.
    pub definitions: Map<String, Value>,
}

impl Messages {
    /// Collects them.
    pub fn new() -> Messages {
        let mut messages = Messages::default();
        let mut reading = generator(SchemaSettings::draft07().for_deserialize());
        let commands = command::described(&mut reading);
        messages.definitions.extend(reading.take_definitions(true));
        let mut writing = generator(SchemaSettings::draft07().for_serialize());
        let events = event::shapes(&mut writing);
        messages.tick = writing.subschema_for::<Envelope>().to_value();
        messages.published = shape::published(&mut writing).to_value();
        messages.stats = shape::stats().to_value();
        messages.bar = shape::bar(&mut writing).to_value();
        // What both directions share, such as ids, is the same in both.
        messages.definitions.extend(writing.take_definitions(true));
        for described in commands {
            let data = described.shape.data.clone();
            // A command whose data has nothing that must be there may leave it out.
            let needed =
                resolve(&data, &messages.definitions).is_some_and(|data| data.get("required").is_some());
            let mut message = message(&described.shape, described.about.to_owned(), needed);
            message.answers = described.answers;
            messages.commands.push(message);
        }
        for shape in events {
            let about = resolve(&shape.data, &messages.definitions)
                .and_then(|data| data.get("description")?.as_str().map(str::to_owned));
            messages.events.push(message(&shape, about.unwrap_or_default(), true));
        }
        messages
    }
}

fn message(shape: &Shape, about: String, data_needed: bool) -> Message {
    let required: &[&str] = if data_needed { &["event", "data"] } else { &["event"] };
    let payload = json!({
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": { "event": { "type": "string", "const": shape.name }, "data": shape.data },
    });
    let key = shape.variant.map_or(shape.name.to_owned(), |variant| format!("{}.{variant}", shape.name));
    Message { name: shape.name.to_owned(), key, about, payload, answers: &[] }
}

/// The definition that a schema refers to.
fn resolve<'a>(schema: &Schema, definitions: &'a Map<String, Value>) -> Option<&'a Value> {
    definitions.get(schema.get("$ref")?.as_str()?.strip_prefix(DEFINITIONS)?)
}

/// Makes schemas whose references point into a document's own definitions.
pub fn generator(settings: SchemaSettings) -> SchemaGenerator {
    let mut settings = settings.with(|settings| settings.definitions_path = "/components/schemas".into());
    settings.transforms.push(Box::new(RecursiveTransform(plain)));
    if settings.contract.is_serialize() {
        settings.transforms.push(Box::new(RecursiveTransform(never_null)));
    }
    settings.into_generator()
}

/// Rust's own number formats mean nothing elsewhere: what they bound is said in words that others know.
fn plain(schema: &mut Schema) {
    let Some(format) = schema.get("format").and_then(Value::as_str) else { return };
    let most = match format {
        "uint16" => Some(u64::from(u16::MAX)),
        "uint32" => Some(u64::from(u32::MAX)),
        // Up to 2^64 - 1, which a reader that counts in doubles could not hold exactly.
        "uint64" | "uint" => None,
        _ => return,
    };
    schema.remove("format");
    if let Some(most) = most.filter(|_| schema.get("maximum").is_none()) {
        schema.insert("maximum".into(), most.into());
    }
}

/// What may be left out is left out: it is never null.
fn never_null(schema: &mut Schema) {
    let required: Vec<String> = match schema.get("required") {
        Some(Value::Array(names)) => {
            names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (_, property) in properties.iter_mut().filter(|(name, _)| !required.contains(name)) {
        if let Some(Value::Array(types)) = property.get_mut("type") {
            types.retain(|word| word != "null");
        }
        let Some(Value::Array(choices)) = property.get_mut("anyOf") else { continue };
        choices.retain(|choice| choice.get("type").is_none_or(|word| word != "null"));
        if let [only] = choices.as_mut_slice() {
            let only = std::mem::take(only);
            if let Some(object) = property.as_object_mut() {
                object.remove("anyOf");
                object.extend(only.as_object().cloned().unwrap_or_default());
            }
        }
    }
}
