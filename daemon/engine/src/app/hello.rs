//! Brings what feeds say of themselves to the contract, which does not know the plugin host, and to those who read ticks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::contract::{self, Contract, EventSaid, Said};
use tickerd_host::{Hello, OnHello};
use tickerd_model::fields::Fields;
use tickerd_model::lane::{FieldsByKind, Lane};
use tickerd_model::protocol::rate;
use tickerd_model::source::Source;

/// What the configuration says of a feed.
pub fn facts_of(source: &Source) -> contract::FeedFacts {
    contract::FeedFacts {
        name: (*source.name).to_owned(),
        rates: source.tiers.all().iter().map(|tier| rate::format(*tier)).collect(),
    }
}

/// What the plugins of this node said of themselves, by feed, in JSON. Other nodes are told.
#[derive(Clone, Default)]
pub struct Hellos(Arc<Mutex<HashMap<String, Arc<str>>>>);

impl Hellos {
    pub fn get(&self, feed: &str) -> Option<Arc<str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(feed).cloned()
    }

    fn note(&self, feed: &str, said: &Said) {
        let Ok(json) = serde_json::to_string(said) else { return };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(feed.to_owned(), json.into());
    }
}

/// Takes a feed's hello to the contract, and what its fields mean to its lane. The host calls it before it takes the samples
/// that follow the hello. `hellos` is there where other nodes are told.
pub fn on_hello(feed: &str, contract: &Arc<Contract>, lane: &Arc<Lane>, hellos: Option<&Hellos>) -> OnHello {
    let (feed, contract, lane, hellos) = (feed.to_owned(), contract.clone(), lane.clone(), hellos.cloned());
    // What was told last: a feed that starts again says the same, and its author knows by then.
    let told = Mutex::new(Vec::new());
    Box::new(move |hello| {
        let said = said(hello);
        hellos.iter().for_each(|hellos| hellos.note(&feed, &said));
        let (mut remarks, wrong) = take(&feed, said, &contract, &lane);
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != wrong {
            remarks.extend(wrong.iter().cloned());
            *told = wrong;
        }
        remarks
    })
}

/// Takes what a plugin said, of this node or another. What is left out and why; and what is wrong with its marks.
pub fn take(feed: &str, said: Said, contract: &Contract, lane: &Lane) -> (Vec<String>, Vec<String>) {
    let (fields, wrong) = fields_of(&said);
    lane.set_fields(fields);
    (contract.hear(feed, said), wrong)
}

/// The fields of each event that has a schema, and what is wrong with their marks.
fn fields_of(said: &Said) -> (FieldsByKind, Vec<String>) {
    let (mut kinds, mut wrong) = (FieldsByKind::new(), Vec::new());
    for EventSaid { name, schema, .. } in &said.events {
        // A text that is no JSON is told by the contract.
        let schema = schema.as_deref().and_then(|schema| serde_json::from_str(schema).ok());
        let Some(schema) = schema else { continue };
        let (fields, remarks) = Fields::of_schema(&schema);
        kinds.insert(name.as_str().into(), Arc::new(fields));
        wrong.extend(remarks.iter().map(|remark| format!("the value schema of {name}: {remark}")));
    }
    (kinds, wrong)
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

#[cfg(test)]
mod tests {
    use tickerd_host::{EventDoc, Mode};

    use super::*;
    use crate::contract::Facts;

    fn hello(schema: &str) -> Hello {
        let doc = EventDoc { description: String::new(), schema: Some(schema.into()) };
        Hello {
            feed: "org.example".into(),
            version: "1".into(),
            mode: Mode::Push,
            beats: false,
            events: vec![("quote".into(), tickerd_model::sample::Class::State)],
            docs: [("quote".to_owned(), doc)].into(),
            default_poll_ms: 0,
            min_poll_ms: 0,
        }
    }

    #[test]
    fn the_lane_knows_the_fields_and_what_is_wrong_is_told_until_it_is_another() {
        let facts = Facts { version: "1".into(), address: "127.0.0.1:1".into(), is_tls: false, bars: vec![] };
        let (contract, lane) = (Arc::new(Contract::new(facts)), Arc::new(Lane::new(4, Box::new(|| {}))));
        let on_hello = on_hello("stocks", &contract, &lane, None);
        let right = r#"{"properties":{"price":{"type":"string","x-tickerd-main":true}}}"#;
        assert_eq!(on_hello(&hello(right)), Vec::<String>::new());
        assert_eq!(lane.fields("quote").unwrap().main.as_deref(), Some("price"));
        let wrong = r#"{"properties":{"price":{"type":"string","x-tickerd-man":true}}}"#;
        let says = "the value schema of quote: \"x-tickerd-man\" is no mark; did you mean x-tickerd-main?";
        assert_eq!(on_hello(&hello(wrong)), [says]);
        assert_eq!(on_hello(&hello(wrong)), Vec::<String>::new(), "told once");
        assert_eq!(lane.fields("quote").unwrap().main, None);
        on_hello(&hello(right));
        assert_eq!(on_hello(&hello(wrong)), [says], "it is wrong again");
    }
}
