//! What feeds say of their values: whatever it is, the document stays one, and its references lead somewhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tickerd_engine::contract::{ASYNCAPI, Contract, EventSaid, Facts, FeedFacts, Said};
use tickerd_model::sample::Class;

fn look(document: &Value, value: &Value) {
    match value {
        Value::Object(object) => {
            if let Some(reference) = object.get("$ref") {
                let reference = reference.as_str().expect("a reference is text");
                let pointer = reference.strip_prefix('#').expect("and stays inside");
                // Feeds may write other characters percent-encoded, as URIs do; those are looked at by the unit tests.
                assert!(
                    pointer.contains('%') || document.pointer(pointer).is_some(),
                    "{reference} leads nowhere"
                );
            }
            object.values().for_each(|value| look(document, value));
        }
        Value::Array(array) => array.iter().for_each(|value| look(document, value)),
        _ => {}
    }
}

fuzz_target!(|schema: &str| {
    let contract = Contract::new(Facts {
        version: "0".into(),
        address: "localhost".into(),
        is_tls: false,
        bars: Vec::new(),
    });
    contract.open(FeedFacts { name: "f".into(), rates: vec!["1s".into()] });
    let event = EventSaid {
        name: "e".into(),
        class: Class::State,
        description: String::new(),
        schema: Some(schema.into()),
    };
    let remarks = contract.hear("f", Said { id: String::new(), version: String::new(), events: vec![event] });
    assert!(remarks.iter().all(|remark| remark.chars().count() < 600), "{remarks:?}");
    // The parts that are the same in every document take most of the time; without a schema there is nothing new.
    if remarks.is_empty() {
        let bytes = contract.document(ASYNCAPI, |_| true).expect("it is there").bytes;
        let document: Value = serde_json::from_slice(&bytes).expect("it is JSON");
        look(&document, &document["components"]["schemas"]);
    }
});
