//! The documents that the server serves: the contract's, and how the feeds are. The server knows neither.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use hyper::header::HeaderValue;

use super::VERSION;
use super::feeds::{Feed, Feeds};
use crate::contract::{self, Contract};
use crate::server::{Document, Documents, FEEDS, KEYS};
use tickerd_config::{Bars, Listen, Listener};
use tickerd_identity::Keyring;
use tickerd_model::access::rights::{Rights, Verb};
use tickerd_model::health::{FeedState, Health};
use tickerd_model::lane::Ledger;
use tickerd_model::protocol::event::{self, FeedEntry};
use tickerd_process::clock::now_unix_ms;

/// What is known before any feed is there.
pub fn facts(addresses: &[Listener], bars: &Bars) -> contract::Facts {
    // Those with the PROXY protocol are for proxies alone.
    let address =
        addresses.iter().filter(|listener| !listener.proxy).find_map(|listener| match &listener.address {
            Listen::Tcp(address) => Some((address.to_string(), listener.tls)),
            Listen::Unix(_) => None,
        });
    let is_tls = address.as_ref().is_some_and(|(_, is_tls)| *is_tls);
    let bars = bars.keep.iter().map(|keep| contract::BarFacts {
        period: keep.name(),
        keep_ms: u64::try_from(keep.age.as_millis()).unwrap_or(u64::MAX),
    });
    contract::Facts {
        version: VERSION.into(),
        // A unix socket's clients are told the name that their HTTP libraries use.
        address: address.map_or_else(|| "localhost".into(), |(address, _)| address),
        is_tls,
        bars: bars.collect(),
    }
}

/// The contract's documents, the list of feeds and the keys of signatures, as the server asks for them.
pub fn documents(contract: Arc<Contract>, feeds: Arc<Feeds>, keyring: Option<Arc<Keyring>>) -> Documents {
    Arc::new(move |path, rights| {
        match path {
            FEEDS => return list(&feeds.all(), rights),
            KEYS => return tagged(keyring.as_ref()?.jwk_set().into_bytes()),
            _ => {}
        }
        let document = contract.document(path, |feed| rights.reaches(Verb::Subscribe, feed))?;
        // Hexadecimal digits in quotes.
        let etag = HeaderValue::from_str(&document.etag).ok()?;
        Some(Document { bytes: document.bytes, etag })
    })
}

/// How each feed is, as clients may know it: nothing that was not told to them.
fn list(feeds: &[Arc<Feed>], rights: &Rights) -> Option<Document> {
    let shown = |feed: &&Arc<Feed>| rights.reaches(Verb::Subscribe, &feed.configured.name);
    let feeds: Vec<_> = feeds.iter().filter(shown).collect();
    let told: Vec<Health> = feeds.iter().map(|feed| feed.lane.told().unwrap_or_else(starting)).collect();
    let ledgers: Vec<Ledger> = feeds.iter().map(|feed| feed.lane.ledger()).collect();
    let entries = feeds.iter().zip(told.iter().zip(&ledgers)).map(|(feed, (health, ledger))| {
        let (name, lane) = (&feed.configured.name, &feed.lane);
        FeedEntry::new(name, health, lane.freshness().counts(), lane.tally(), ledger)
    });
    let feeds = entries.collect();
    tagged(serde_json::to_vec(&event::Feeds { feeds }).ok()?)
}

/// Bytes with a tag that is new whenever they are.
fn tagged(bytes: Vec<u8>) -> Option<Document> {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let etag = HeaderValue::from_str(&format!("\"{:016x}\"", hasher.finish())).ok()?;
    Some(Document { bytes: bytes.into(), etag })
}

fn starting() -> Health {
    Health { state: FeedState::Down, since: now_unix_ms(), reason: "starting".into() }
}
