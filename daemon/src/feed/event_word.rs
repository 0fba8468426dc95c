//! What a hello says of one event: its class as a word, or an object with the class and what there is to know of its values.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::feed::event_doc::EventDoc;
use crate::feed::sample_line::ClassWord;
use crate::model::sample::Class;

/// See the module.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum EventWord {
    /// `"event"`
    Class(ClassWord),
    /// `{"class":"event","description":"…","schema":{…}}`
    Described(Described),
}

/// All of it is optional: without a class the event is a state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Described {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<ClassWord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<Box<RawValue>>,
}

impl EventWord {
    /// As short as it can be said.
    pub fn new(class: Class, doc: Option<&EventDoc>) -> EventWord {
        let Some(doc) = doc else { return EventWord::Class(class.into()) };
        EventWord::Described(Described {
            class: Some(class.into()),
            description: Some(doc.description.clone()).filter(|text| !text.is_empty()),
            // Docs are trimmed before they are written, so that a schema is JSON.
            schema: doc.schema.clone().and_then(|schema| RawValue::from_string(schema).ok()),
        })
    }

    /// The class, and what is said besides.
    pub fn into_parts(self) -> (Class, EventDoc) {
        match self {
            EventWord::Class(word) => (word.into(), EventDoc::default()),
            EventWord::Described(Described { class, description, schema }) => {
                let schema = schema.map(|raw| raw.get().to_owned());
                let doc = EventDoc { description: description.unwrap_or_default(), schema };
                (class.map_or(Class::State, Class::from), doc)
            }
        }
    }
}

impl<'de> Deserialize<'de> for EventWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EventWord, D::Error> {
        struct EventVisitor;
        impl<'de> Visitor<'de> for EventVisitor {
            type Value = EventWord;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#""state", "event", or an object with class, description and schema"#)
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<EventWord, E> {
                ClassWord::deserialize(serde::de::value::StrDeserializer::new(word)).map(EventWord::Class)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EventWord, A::Error> {
                Described::deserialize(MapAccessDeserializer::new(map)).map(EventWord::Described)
            }
        }
        deserializer.deserialize_any(EventVisitor)
    }
}
