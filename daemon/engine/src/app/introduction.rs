//! Brings what feeds say of themselves to the contract, and documents to the server: the contract's, and how the feeds are.
//! These rooms do not know each other.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use hyper::header::HeaderValue;

use super::VERSION;
use super::feeds::{Feed, Feeds};
use crate::contract::{self, Contract, EventSaid, Said};
use crate::server::{Document, Documents, FEEDS, Listen};
use tickerd_host::{Hello, OnHello};
use tickerd_model::lane::{FeedState, Health};
use tickerd_model::protocol::event::{self, FeedEntry};
use tickerd_model::protocol::rate;
use tickerd_model::source::Source;
use tickerd_process::clock::now_unix_ms;

/// What is known before any feed is there.
pub fn facts(addresses: &[Listen]) -> contract::Facts {
    let address = addresses.iter().find_map(|listen| match listen {
        Listen::Tcp(address) => Some(address.to_string()),
        Listen::Unix(_) => None,
    });
    contract::Facts {
        version: VERSION.into(),
        // A unix socket's clients are told the name that their HTTP libraries use.
        address: address.unwrap_or_else(|| "localhost".into()),
    }
}

/// What the configuration says of a feed.
pub fn facts_of(source: &Source) -> contract::FeedFacts {
    contract::FeedFacts {
        name: (*source.name).to_owned(),
        rates: source.tiers.all().iter().map(|tier| rate::format(*tier)).collect(),
    }
}

/// Takes a feed's hello to the contract.
pub fn of(feed: &str, contract: &Arc<Contract>) -> OnHello {
    let (feed, contract) = (feed.to_owned(), contract.clone());
    Box::new(move |hello| contract.hear(&feed, said(hello)))
}

/// The contract's documents, and the list of feeds, as the server asks for them.
pub fn documents(contract: Arc<Contract>, feeds: Arc<Feeds>) -> Documents {
    Arc::new(move |path| {
        if path == FEEDS {
            return list(&feeds.all());
        }
        let document = contract.document(path)?;
        // Hexadecimal digits in quotes.
        let etag = HeaderValue::from_str(&document.etag).ok()?;
        Some(Document { bytes: document.bytes, etag })
    })
}

/// How each feed is, as clients may know it: nothing that was not told to them.
fn list(feeds: &[Arc<Feed>]) -> Option<Document> {
    let told: Vec<Health> = feeds.iter().map(|feed| feed.lane.told().unwrap_or_else(starting)).collect();
    let entries = feeds.iter().zip(&told).map(|(feed, health)| {
        let (name, lane) = (&feed.configured.name, &feed.lane);
        FeedEntry::new(name, health, lane.freshness().counts(), lane.tally())
    });
    let feeds = entries.collect();
    let bytes = serde_json::to_vec(&event::Feeds { feeds }).ok()?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let etag = HeaderValue::from_str(&format!("\"{:016x}\"", hasher.finish())).ok()?;
    Some(Document { bytes: bytes.into(), etag })
}

fn starting() -> Health {
    Health { state: FeedState::Down, since: now_unix_ms(), reason: "starting".into() }
}

fn said(hello: &Hello) -> Said {
    let event = |(name, class): &(String, _)| {
        let doc = hello.docs.get(name).cloned().unwrap_or_default();
        EventSaid { name: name.clone(), class: *class, description: doc.description, schema: doc.schema }
    };
    Said {
        id: hello.feed.clone(),
        version: hello.version.clone(),
        events: hello.events.iter().map(event).collect(),
    }
}
