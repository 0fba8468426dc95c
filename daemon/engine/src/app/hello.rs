//! Brings what feeds say of themselves to the contract, which does not know the plugin host.

use std::sync::Arc;

use crate::contract::{self, Contract, EventSaid, Said};
use tickerd_host::{Hello, OnHello};
use tickerd_model::protocol::rate;
use tickerd_model::source::Source;

/// What the configuration says of a feed.
pub fn facts_of(source: &Source) -> contract::FeedFacts {
    contract::FeedFacts {
        name: (*source.name).to_owned(),
        rates: source.tiers.all().iter().map(|tier| rate::format(*tier)).collect(),
    }
}

/// Takes a feed's hello to the contract.
pub fn on_hello(feed: &str, contract: &Arc<Contract>) -> OnHello {
    let (feed, contract) = (feed.to_owned(), contract.clone());
    Box::new(move |hello| contract.hear(&feed, said(hello)))
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
