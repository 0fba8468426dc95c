//! What this server says and takes, for machines: an AsyncAPI document of the protocol with the events of its feeds, and an
//! OpenAPI document of its HTTP paths.
//!
//! Both are made of the types that read and write the messages, and of what feeds say when they start, so that they cannot
//! tell of anything else. A feed's thread does the work on its own schemas; who asks gets bytes that are ready, or puts
//! ready parts together once after a feed said something new.

mod asyncapi;
mod messages;
mod openapi;
mod value_schema;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use tickerd_model::normalise::check_kind;
use tickerd_model::protocol::words;
use tickerd_model::sample::Class;

/// Where the documents are.
pub const ASYNCAPI: &str = "/v1/asyncapi.json";
/// See [`ASYNCAPI`].
pub const OPENAPI: &str = "/v1/openapi.json";
/// Events of one feed that are listed; a library cannot declare more.
const EVENTS_MAX: usize = 256;
/// Schemas of all feeds together, in bytes; those of a feed that comes after are left out.
const SCHEMA_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Editions of the AsyncAPI document that are kept: clients with other rights are shown other feeds.
const KEPT_MAX: usize = 16;

/// What is known before any feed has spoken.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The daemon's version.
    pub version: String,
    /// Where clients connect, as `host:port`; a proxy's clients know better.
    pub address: String,
    /// Whether TLS is spoken there.
    pub is_tls: bool,
    /// Of which periods bars are kept, shortest first.
    pub bars: Vec<BarFacts>,
}

/// A period of which bars are kept.
#[derive(Debug, Clone)]
pub struct BarFacts {
    /// Its name, such as `1m`.
    pub period: String,
    /// For how long, in milliseconds.
    pub keep_ms: u64,
}

/// What the configuration says of a feed.
#[derive(Debug, Clone)]
pub struct FeedFacts {
    /// First segment of its topics.
    pub name: String,
    /// At which rates its topics can be had, the feed's own first.
    pub rates: Vec<String>,
}

/// What a feed said of itself when it started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The feed type's own id; may be empty.
    pub id: String,
    /// Its version; may be empty.
    pub version: String,
    /// What it may emit.
    pub events: Vec<EventSaid>,
}

/// One event of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSaid {
    pub name: String,
    pub class: Class,
    /// May be empty.
    pub description: String,
    /// JSON Schema of its values.
    pub schema: Option<String>,
}

/// A document, ready to be served.
#[derive(Debug, Clone)]
pub struct Document {
    pub bytes: Bytes,
    /// Quotes included.
    pub etag: String,
}

/// A feed that has spoken, with its schemas as they go into a document.
#[derive(Debug)]
struct Spoken {
    said: Said,
    /// By event; the schema's text may have been refused.
    events: Vec<SpokenEvent>,
    /// Definitions of all its events, by their place among the document's.
    definitions: Map<String, Value>,
    bytes: usize,
}

#[derive(Debug)]
struct SpokenEvent {
    name: String,
    class: Class,
    /// With what there is to say about a schema that was left out.
    description: String,
    /// The definition that holds the schema of its values.
    schema: Option<String>,
}

/// Both documents, and what is known of the feeds.
#[derive(Debug)]
pub struct Contract {
    facts: Facts,
    openapi: Document,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order they came.
    configured: Vec<FeedFacts>,
    feeds: BTreeMap<String, Spoken>,
    /// By the feeds that are shown. None of them once a feed said something new.
    asyncapi: Vec<(Vec<String>, Document)>,
}

impl Contract {
    /// Of a server without feeds.
    pub fn new(facts: Facts) -> Contract {
        let openapi = Document::new(&openapi::document(&facts));
        Contract { facts, openapi, state: Mutex::default() }
    }

    /// A feed is configured.
    pub fn open(&self, feed: FeedFacts) {
        let mut state = self.state();
        state.configured.retain(|other| other.name != feed.name);
        state.configured.push(feed);
        state.asyncapi.clear();
    }

    /// A feed is configured no longer.
    pub fn close(&self, feed: &str) {
        let mut state = self.state();
        state.configured.retain(|other| other.name != feed);
        state.feeds.remove(feed);
        state.asyncapi.clear();
    }

    /// A feed said who it is. What it said before does not hold any more. Answers what was left out and why.
    pub fn hear(&self, feed: &str, said: Said) -> Vec<String> {
        if self.state().feeds.get(feed).is_some_and(|spoken| spoken.said == said) {
            return Vec::new();
        }
        // The work is done here, without the lock, on the thread of the feed that causes it.
        let (mut spoken, mut remarks) = Spoken::new(feed, said);
        let mut state = self.state();
        let others: usize =
            state.feeds.iter().filter(|(name, _)| *name != feed).map(|(_, spoken)| spoken.bytes).sum();
        if spoken.bytes > 0 && others + spoken.bytes > SCHEMA_BYTES_MAX {
            spoken.forget_schemas();
            remarks.push(format!(
                "its value schemas are not shown: those of other feeds fill {SCHEMA_BYTES_MAX} bytes"
            ));
        }
        state.feeds.insert(feed.to_owned(), spoken);
        state.asyncapi.clear();
        remarks
    }

    /// The document at that path, if one is there. Feeds that are not `shown` do not stand in it.
    pub fn document(&self, path: &str, shown: impl Fn(&str) -> bool) -> Option<Document> {
        match path {
            ASYNCAPI => {
                let mut state = self.state();
                let State { configured, feeds, asyncapi } = &mut *state;
                let configured: Vec<_> = configured.iter().filter(|feed| shown(&feed.name)).collect();
                let feeds: BTreeMap<_, _> = feeds
                    .iter()
                    .map(|(name, spoken)| (name.as_str(), spoken))
                    .filter(|(name, _)| shown(name))
                    .collect();
                let names: Vec<String> = configured.iter().map(|feed| feed.name.clone()).collect();
                if let Some((_, made)) = asyncapi.iter().find(|(of, _)| *of == names) {
                    return Some(made.clone());
                }
                let made = Document::new(&asyncapi::document(&self.facts, &configured, &feeds));
                if asyncapi.len() >= KEPT_MAX {
                    asyncapi.clear();
                }
                asyncapi.push((names, made.clone()));
                Some(made)
            }
            OPENAPI => Some(self.openapi.clone()),
            _ => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spoken {
    fn new(feed: &str, said: Said) -> (Spoken, Vec<String>) {
        let (mut definitions, mut remarks) = (Map::new(), Vec::new());
        if said.events.len() > EVENTS_MAX {
            remarks.push(format!("only {EVENTS_MAX} of its events are shown"));
        }
        let mut bytes = 0;
        let mut events = Vec::new();
        for event in said.events.iter().take(EVENTS_MAX) {
            if check_kind(event.name.as_bytes()).is_err() || words::is_reserved(&event.name) {
                let name: String = event.name.chars().take(40).collect();
                remarks.push(format!("its event {name:?} is not shown, for no tick can have that name"));
                continue;
            }
            let mut shown = SpokenEvent {
                name: event.name.clone(),
                class: event.class,
                description: event.description.clone(),
                schema: None,
            };
            if let Some(schema) = &event.schema {
                let place = format!("{feed}.{}", event.name);
                match value_schema::define(&place, schema) {
                    Ok(defined) => {
                        bytes += schema.len();
                        definitions.extend(defined);
                        shown.schema = Some(place);
                    }
                    Err(why) => {
                        remarks.push(format!("the value schema of {} is not shown: {why}", event.name));
                    }
                }
            }
            events.push(shown);
        }
        (Spoken { said, events, definitions, bytes }, remarks)
    }

    fn forget_schemas(&mut self) {
        self.definitions.clear();
        self.bytes = 0;
        self.events.iter_mut().for_each(|event| event.schema = None);
    }
}

impl Document {
    fn new(value: &Value) -> Document {
        let mut text = value.to_string();
        text.push('\n');
        // Without a key, so that the same document has the same tag in every process of one build.
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Document { etag: format!("\"{:016x}\"", hasher.finish()), bytes: text.into() }
    }
}

#[cfg(test)]
mod tests;
