//! Brings what feeds say of themselves to the contract, and the contract's documents to the server: rooms that do not know
//! each other.

use std::sync::Arc;

use hyper::header::HeaderValue;

use crate::contract::{self, Contract, EventSaid, Said};
use crate::fanout::topics::FeedFacts;
use crate::feed::{Hello, OnHello};
use crate::model::protocol::rate;
use crate::server::{Document, Documents, Listen};

/// What is known before any feed has spoken.
pub fn facts(feeds: &[FeedFacts], addresses: &[Listen]) -> contract::Facts {
    let address = addresses.iter().find_map(|listen| match listen {
        Listen::Tcp(address) => Some(address.to_string()),
        Listen::Unix(_) => None,
    });
    let feed = |feed: &FeedFacts| contract::FeedFacts {
        name: feed.name.clone(),
        rates: feed.tiers.all().iter().map(|tier| rate::format(*tier)).collect(),
    };
    contract::Facts {
        version: env!("CARGO_PKG_VERSION").into(),
        // A unix socket's clients are told the name that their HTTP libraries use.
        address: address.unwrap_or_else(|| "localhost".into()),
        feeds: feeds.iter().map(feed).collect(),
    }
}

/// Takes a feed's hello to the contract.
pub fn of(feed: &str, contract: &Arc<Contract>) -> OnHello {
    let (feed, contract) = (feed.to_owned(), contract.clone());
    Box::new(move |hello| contract.hear(&feed, said(hello)))
}

/// The contract's documents as the server asks for them.
pub fn documents(contract: Arc<Contract>) -> Documents {
    Arc::new(move |path| {
        let document = contract.document(path)?;
        // Hexadecimal digits in quotes.
        let etag = HeaderValue::from_str(&document.etag).ok()?;
        Some(Document { bytes: document.bytes, etag })
    })
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
