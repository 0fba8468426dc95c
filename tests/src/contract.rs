//! The daemon's own description of what it says, and whether what it says is that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::client::Event;
use crate::daemon::{Daemon, http};
use crate::within;

/// An AsyncAPI document that messages are held to.
///
/// Stricter than for others: what the server itself says may have no key that the document does not name, since a key that
/// nobody wrote down is how a document and a program part.
pub struct Contract {
    document: Value,
    validators: BTreeMap<String, Validator>,
    seen: Mutex<BTreeSet<String>>,
}

impl Contract {
    /// The daemon's, once these feeds have said who they are.
    pub async fn of(daemon: &Daemon, feeds: &[&str]) -> Contract {
        let has_spoken = |document: &Value| {
            let told = document["x-feeds"].as_array().unwrap();
            feeds.iter().all(|name| told.iter().any(|feed| feed["name"] == *name && feed["spoken"] == true))
        };
        within("feeds to say who they are", async {
            loop {
                let document = fetch(daemon, "/v1/asyncapi.json").await;
                if has_spoken(&document) {
                    return Contract::new(document);
                }
                // A document tells no event, so it is asked again.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }

    /// Of a document.
    pub fn new(document: Value) -> Contract {
        let mut strict = document.clone();
        for (name, schema) in strict["components"]["schemas"].as_object_mut().unwrap() {
            // A feed's are named after feed and event; what its values hold besides is its own affair.
            if !name.contains('.') {
                close(schema);
            }
        }
        strict["components"]["messages"].as_object_mut().unwrap().values_mut().for_each(|message| {
            close(&mut message["payload"]);
        });
        let names = document["components"]["messages"].as_object().unwrap().keys();
        let validators = names
            .map(|name| {
                let whole = json!({
                    "$schema": "http://json-schema.org/draft-07/schema#",
                    "$ref": format!("#/components/messages/{name}/payload"),
                    "components": strict["components"],
                });
                let validator = jsonschema::validator_for(&whole).unwrap_or_else(|e| panic!("{name}: {e}"));
                (name.clone(), validator)
            })
            .collect();
        Contract { document, validators, seen: Mutex::default() }
    }

    /// The document as it was served.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Which message of the document this one of the server's is, and that it keeps to its schema.
    pub fn check(&self, event: &Event) {
        let name = if event.is_tick() {
            let feed = event.topic().split('.').next().unwrap();
            let declared = format!("tick.{feed}.{}", event.name);
            match event.name.as_str() {
                "message" if event.data.get("to").is_some() => "event.message".to_owned(),
                "message" => "tick.message".to_owned(),
                _ if self.validators.contains_key(&declared) => declared,
                _ => "tick".to_owned(),
            }
        } else if event.name == "presence" && event.data.get("members").is_none() {
            "event.presence.turnover".to_owned()
        } else if event.name == "history" && event.data.get("bars").is_some() {
            "event.history.bars".to_owned()
        } else {
            format!("event.{}", event.name)
        };
        self.judge(&name, &event.text);
        let mut seen = self.seen.lock().unwrap();
        seen.extend(event.data["type"].as_str().map(|kind| format!("notice {kind}")));
        seen.insert(name);
    }

    /// Holds a client's message to the schema of its command.
    pub fn check_command(&self, text: &str) {
        let message: Value = serde_json::from_str(text).unwrap();
        self.judge(&format!("command.{}", message["event"].as_str().unwrap()), text);
    }

    /// Whether the document says that this is a message of that name.
    pub fn allows(&self, name: &str, message: &Value) -> bool {
        self.validators[name].is_valid(message)
    }

    fn judge(&self, name: &str, text: &str) {
        let Some(validator) = self.validators.get(name) else {
            panic!("no {name} in the document for {text}")
        };
        let message: Value = serde_json::from_str(text).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(&message).map(|e| format!("{} at {}", e, e.instance_path())).collect();
        assert!(wrong.is_empty(), "{name}: {text}\n{wrong:#?}");
    }

    /// What came so far: names of messages, and `notice …` with its type.
    pub fn seen(&self) -> BTreeSet<String> {
        self.seen.lock().unwrap().clone()
    }

    /// All that could come, in the same names.
    pub fn whole(&self) -> BTreeSet<String> {
        let names = self.validators.keys().filter(|name| !name.starts_with("command."));
        let notices = self.document["components"]["schemas"]["Notice"]["oneOf"].as_array().unwrap();
        let kinds = notices.iter().map(|notice| notice["properties"]["type"]["const"].as_str().unwrap());
        names.cloned().chain(kinds.map(|kind| format!("notice {kind}"))).collect()
    }
}

/// A document of the daemon's.
pub async fn fetch(daemon: &Daemon, path: &str) -> Value {
    let (status, body) = http(daemon.address(), path).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Allows no key that is not named, here and below.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("properties").is_some_and(Value::is_object) {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(array) => array.iter_mut().for_each(close),
        _ => {}
    }
}
