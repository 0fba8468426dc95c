//! The documents as values: that they hold together, and follow what feeds say.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use tickerd_model::rooms;

fn contract(feeds: &[&str]) -> Contract {
    let feed = |name: &&str| FeedFacts { name: (*name).into(), rates: vec!["250ms".into(), "1s".into()] };
    let contract = Contract::new(Facts {
        version: "0.1.0".into(),
        address: "127.0.0.1:8425".into(),
        is_tls: false,
        bars: vec![BarFacts { period: "1m".into(), keep_ms: 86_400_000 }],
    });
    feeds.iter().map(feed).for_each(|feed| contract.open(feed));
    contract
}

fn said(events: &[(&str, Option<Value>)]) -> Said {
    let event = |(name, schema): &(&str, Option<Value>)| EventSaid {
        name: (*name).into(),
        class: Class::State,
        description: "Said.".into(),
        schema: schema.as_ref().map(ToString::to_string),
    };
    Said { id: "org.example".into(), version: "1".into(), events: events.iter().map(event).collect() }
}

fn read(contract: &Contract, path: &str) -> Value {
    serde_json::from_slice(&contract.document(path, |_| true).unwrap().bytes).unwrap()
}

/// Every reference of the document, where it is data of no schema's.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(array) => array.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_no_definition_is_left_over() {
    let contract = contract(&["stocks"]);
    let price =
        json!({"$defs": {"Price": {"type": "string"}}, "properties": {"price": {"$ref": "#/$defs/Price"}}});
    assert_eq!(
        contract.hear("stocks", said(&[("quote", Some(price)), ("bare", None)])),
        Vec::<String>::new()
    );
    for path in [ASYNCAPI, OPENAPI] {
        let document = read(&contract, path);
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            assert!(document.pointer(&reference[1..]).is_some(), "{path}: {reference} leads nowhere");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(
                found.contains(format!("#/components/schemas/{name}").as_str()),
                "{path}: {name} is not used"
            );
        }
    }
}

#[test]
fn a_feed_that_is_not_shown_stands_nowhere() {
    let contract = contract(&["stocks", "secret"]);
    for feed in ["stocks", "secret"] {
        contract.hear(feed, said(&[("quote", Some(json!({"title": feed})))]));
    }
    let shown = |feed: &'static str| contract.document(ASYNCAPI, move |name| name == feed).unwrap();
    let of_stocks = shown("stocks");
    let text = String::from_utf8_lossy(&of_stocks.bytes);
    assert!(text.contains("tick.stocks.quote") && !text.contains("secret"), "{text}");
    assert_ne!(of_stocks.etag, shown("secret").etag);
    assert_eq!(of_stocks.etag, shown("stocks").etag);
    let all = read(&contract, ASYNCAPI);
    assert_eq!(all["x-feeds"].as_array().unwrap().len(), 2);
    assert_eq!(all["x-bars"], json!([{"period": "1m", "keep_ms": 86_400_000}]));
    // However many kinds of rights there are, few editions are kept.
    for feeds in 0..100 {
        contract.open(FeedFacts { name: format!("f{feeds}"), rates: Vec::new() });
        contract.document(ASYNCAPI, |name| name.len() % 7 < feeds % 7).unwrap();
        assert!(contract.state().asyncapi.len() <= KEPT_MAX);
    }
}

#[test]
fn the_document_follows_what_feeds_say() {
    let contract = contract(&["stocks", "sim"]);
    let silent = contract.document(ASYNCAPI, |_| true).unwrap();
    assert_eq!(contract.document(ASYNCAPI, |_| true).unwrap().etag, silent.etag);
    let first = said(&[("quote", Some(json!({"type": "object"})))]);
    contract.hear("stocks", first.clone());
    let spoken = contract.document(ASYNCAPI, |_| true).unwrap();
    assert_ne!(spoken.etag, silent.etag);
    let messages = read(&contract, ASYNCAPI)["components"]["messages"].clone();
    let data = &messages["tick.stocks.quote"]["payload"]["properties"]["data"];
    assert_eq!(data["properties"]["value"]["$ref"], "#/components/schemas/stocks.quote");
    contract.hear("stocks", first);
    let again = contract.document(ASYNCAPI, |_| true).unwrap();
    assert_eq!(again.bytes.as_ptr(), spoken.bytes.as_ptr(), "what is said again costs nothing");
    contract.hear("stocks", said(&[("trade", None)]));
    let document = read(&contract, ASYNCAPI);
    assert!(document["components"]["messages"].get("tick.stocks.quote").is_none());
    assert!(document["components"]["schemas"].get("stocks.quote").is_none());
    assert_eq!(document["x-feeds"][0]["events"], json!({"trade": "state"}));
    assert_eq!(document["x-feeds"][1], json!({"name": "sim", "rates": ["250ms", "1s"], "spoken": false}));
    assert!(contract.document("/v1/other.json", |_| true).is_none());
}

#[test]
fn what_a_feed_says_badly_is_left_out_and_told() {
    let contract = contract(&["f"]);
    let remarks = contract.hear(
        "f",
        said(&[("quote", Some(json!({"type": 1}))), ("Bad Name", Some(json!(true))), ("error", None)]),
    );
    assert_eq!(remarks.len(), 3, "{remarks:?}");
    let messages = read(&contract, ASYNCAPI)["components"]["messages"].clone();
    assert!(messages.get("tick.f.quote").is_some() && messages.get("tick.f.error").is_none());
    assert!(!messages.to_string().contains("Bad Name"));
}

#[test]
fn schemas_of_all_feeds_together_are_bounded() {
    let names: Vec<String> = (0..200).map(|n| format!("f{n}")).collect();
    let contract = contract(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let long = json!({"title": "x".repeat(32_000)});
    let mut refused = 0;
    for name in &names {
        refused += contract.hear(name, said(&[("quote", Some(long.clone()))])).len();
    }
    assert!(refused > 0, "200 × 32,000 bytes are over the limit");
    assert!(contract.document(ASYNCAPI, |_| true).unwrap().bytes.len() < SCHEMA_BYTES_MAX + 1024 * 1024);
}

/// A command, an event or an answer that one of them names and the other lacks would be a hole in the contract.
#[test]
fn commands_and_their_answers_are_all_there() {
    let messages = messages::Messages::new();
    let events: BTreeSet<&str> = messages.events.iter().map(|event| event.key.as_str()).collect();
    for command in &messages.commands {
        assert!(!command.answers.is_empty(), "{command:?}");
        assert!(command.answers.iter().all(|answer| events.contains(answer)), "{command:?}");
        assert!(!command.about.is_empty());
    }
    for event in &messages.events {
        assert!(!event.about.is_empty(), "{} says nothing of itself", event.name);
    }
}

/// What a schema takes and a parser refuses, or the other way round, would be a lie of the document.
#[test]
fn schemas_of_names_take_what_is_taken() {
    let document = read(&contract(&[]), OPENAPI);
    let of = |path: &str, method: &str, name: &str| {
        let parameters = document["paths"][path][method]["parameters"].as_array().unwrap();
        let schema = &parameters.iter().find(|parameter| parameter["name"] == name).unwrap()["schema"];
        jsonschema::draft202012::new(schema).unwrap()
    };
    let (name, to) = (of("/ws", "get", "name"), of("/v1/topics/{topic}", "post", "to"));
    let commands = read(&contract(&[]), ASYNCAPI);
    let data =
        &commands["components"]["messages"]["command.publish"]["payload"]["properties"]["data"]["$ref"];
    let data = commands.pointer(&data.as_str().unwrap()[1..]).unwrap();
    let to_of_command = jsonschema::draft7::new(&data["properties"]["to"]).unwrap();
    assert!(to_of_command.is_valid(&Value::Null));
    let long = "x".repeat(65);
    for text in [
        "ann",
        "a-b_9",
        "",
        "Admin",
        "SYSTEM",
        "tickerd",
        "administrator",
        "a.b",
        "ü",
        "a b",
        &long,
        &long[1..],
        "a\n",
    ] {
        assert_eq!(name.is_valid(&json!(text)), rooms::is_name(text), "{text:?}");
        for addressee in
            [format!("user:{text}"), format!("conn:{text}"), format!("USER:{text}"), text.to_owned()]
        {
            let is_taken = rooms::To::parse(&addressee).is_ok();
            assert_eq!(to.is_valid(&json!(addressee)), is_taken, "{addressee:?}");
            assert_eq!(to_of_command.is_valid(&json!(addressee)), is_taken, "{addressee:?}");
        }
    }
}
