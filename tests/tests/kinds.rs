//! The standard kinds: every bundled feed keeps to their schemas in `plugins-sdk/kinds`, the simulated one too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use jsonschema::Validator;
use tickerd_test_providers::{Kraken, open_meteo::OpenMeteo, yahoo};
use tickerd_tests::contract::Contract;
use tickerd_tests::*;

const README: &str = include_str!("../../plugins-sdk/README.md");
/// Each kind, and the events of bundled feeds that are of it.
const KINDS: [(&str, &[&str]); 5] = [
    ("quote", &["quote"]),
    ("trade", &["trade"]),
    ("correction", &["correction"]),
    ("observation", &["weather"]),
    ("gauge", &["cpu", "memory", "load", "disk", "net", "uptime", "sine"]),
];
/// What a kind and a feed must say alike of a field.
const MARKS: [&str; 3] = ["x-tickerd-main", "x-tickerd-role", "x-tickerd-unit"];

/// A kind's schema.
fn kind(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../plugins-sdk/kinds/{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The kind that an event is of.
fn kind_of(event: &str) -> &'static str {
    KINDS
        .iter()
        .find(|(_, events)| events.contains(&event))
        .unwrap_or_else(|| panic!("{event} has no kind"))
        .0
}

/// All parts of a field's schema: it, what it refers to, and its alternatives.
fn parts<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut parts = vec![schema];
    let referred = schema["$ref"].as_str().map(|path| document.pointer(&path[1..]).unwrap());
    let others =
        ["allOf", "anyOf", "oneOf"].iter().flat_map(|word| schema[word].as_array().into_iter().flatten());
    referred.into_iter().chain(others).for_each(|part| parts.extend(self::parts(document, part)));
    parts
}

/// The types that a field's values may be of, apart from null.
fn types(document: &Value, schema: &Value) -> BTreeSet<String> {
    let of_data = |data: &Value| match data {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        _ => "number",
    };
    let mut types = BTreeSet::new();
    for part in parts(document, schema) {
        match &part["type"] {
            Value::Array(several) => {
                types.extend(several.iter().filter_map(Value::as_str).map(str::to_owned))
            }
            one => types.extend(one.as_str().map(str::to_owned)),
        }
        types.extend(part.get("const").map(of_data).map(str::to_owned));
        types.extend(part["enum"].as_array().into_iter().flatten().map(of_data).map(str::to_owned));
    }
    types.remove("null");
    types
}

/// A mark of a field, wherever in its schema it is.
fn mark<'a>(document: &'a Value, schema: &'a Value, word: &str) -> Option<&'a Value> {
    parts(document, schema).into_iter().find_map(|part| part.get(word))
}

/// What is wrong with a feed's schema of an event, compared with its kind.
fn differences(document: &Value, name: &str, event: &str) -> Vec<String> {
    let kind_name = kind_of(event);
    let (kind, schema) = (kind(kind_name), &document["components"]["schemas"][name]);
    let mut wrong = Vec::new();
    let mut mains = 0;
    let own = schema["properties"].as_object().unwrap();
    for (field, own) in own {
        mains += u32::from(mark(document, own, MARKS[0]) == Some(&json!(true)));
        let role = mark(document, own, MARKS[1]).and_then(Value::as_str);
        let shared = match kind["properties"].get(field) {
            Some(shared) => shared,
            None if kind_name == "gauge" => {
                if types(document, own).iter().any(|kind| !["number", "integer"].contains(&kind.as_str())) {
                    wrong.push(format!("{field} is no number"));
                }
                if !role.is_some_and(|role| ["gauge", "counter"].contains(&role)) {
                    wrong.push(format!("{field} has the role {role:?}"));
                }
                continue;
            }
            None => {
                wrong.push(format!("{field} is no field of the kind"));
                continue;
            }
        };
        let (of_feed, of_kind) = (types(document, own), types(&kind, shared));
        if of_feed != of_kind {
            wrong.push(format!("{field} is {of_feed:?}, not {of_kind:?}"));
        }
        for word in MARKS {
            let (of_feed, of_kind) = (mark(document, own, word), shared.get(word));
            if of_feed != of_kind {
                wrong.push(format!("{word} of {field} is {of_feed:?}, not {of_kind:?}"));
            }
        }
    }
    // Of a correction nothing is to be charted.
    if mains != u32::from(kind_name != "correction") {
        wrong.push(format!("{mains} fields are the main one"));
    }
    let required = |schema: &Value| -> BTreeSet<String> {
        let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.map(str::to_owned).collect()
    };
    let missing: Vec<_> = required(&kind).difference(&required(schema)).cloned().collect();
    if !missing.is_empty() {
        wrong.push(format!("not always there: {missing:?}"));
    }
    let is_sim = name.starts_with("sim.");
    let simulated = (own.contains_key("simulated"), schema["x-tickerd-simulated"] == true);
    if simulated != (is_sim, is_sim) {
        wrong.push(format!("simulated, and marked so: {simulated:?}"));
    }
    wrong
}

/// What is wrong with a tick of a standard kind.
fn wrong(tick: &Event, kind: &Value, validator: &Validator) -> Vec<String> {
    let value = tick.value();
    let violations = validator.iter_errors(value).map(|e| format!("{e} at {}", e.instance_path()));
    let is_open = kind.get("additionalProperties").is_some();
    let odd =
        value.as_object().unwrap().keys().filter(|name| !is_open && kind["properties"].get(name).is_none());
    violations.chain(odd.map(|name| format!("{name} is no field of the kind"))).collect()
}

#[tokio::test]
async fn bundled_feeds_keep_to_the_standard_kinds() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let weather = OpenMeteo::start();
    weather.set("time", json!(now));
    let kraken = Kraken::standing(&[("BTC/USD", "64000.10000")], Duration::from_millis(100));
    let stocks = yahoo::start(|_, _| None);
    let feed = |name: &str, config: &[String]| {
        let feed = Feed::plugin(name, &format!("tickerd_feed_{name}")).set("interval = \"50ms\"");
        config.iter().fold(feed, |feed, line| feed.configured(line))
    };
    let url = |url: String| format!("base_url = \"{url}\"");
    let daemon = daemon()
        .feed(sim(7))
        .feed(feed("host", &[]))
        .feed(feed("weather", &[url(weather.url())]))
        .feed(feed("crypto", &[url(kraken.url()), "symbols = [\"BTC/USD\"]".to_owned()]))
        .feed(feed(
            "stocks",
            &[url(stocks.url()), "provider = \"yahoo\"".to_owned(), "symbols = [\"AAPL\"]".to_owned()],
        ))
        .run()
        .await;

    let contract = Contract::of(&daemon, &["sim", "host", "weather", "crypto", "stocks"]).await;
    let document = contract.document();
    let mut declared = BTreeSet::new();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        // A definition of an event's schema has a third part.
        let Some((_, event)) = name.split_once('.').filter(|(_, event)| !event.contains('.')) else {
            continue;
        };
        declared.insert(name.as_str());
        assert_eq!(differences(document, name, event), Vec::<String>::new(), "{name}");
    }
    let all = [
        "crypto.quote",
        "crypto.trade",
        "host.cpu",
        "host.disk",
        "host.load",
        "host.memory",
        "host.net",
        "host.uptime",
        "sim.quote",
        "sim.sine",
        "sim.trade",
        "sim.weather",
        "stocks.correction",
        "stocks.quote",
        "stocks.trade",
        "weather.weather",
    ];
    assert_eq!(declared.into_iter().collect::<Vec<_>>(), all);

    let kinds: BTreeMap<&str, (Value, Validator)> = KINDS
        .iter()
        .map(|(name, _)| {
            let kind = kind(name);
            let validator = jsonschema::validator_for(&kind).unwrap();
            (*name, (kind, validator))
        })
        .collect();
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["sim.**", "host.**", "weather.**", "crypto.**", "stocks.**"]})).await;
    let mut missing: BTreeSet<_> = [
        "sim.quote",
        "sim.trade",
        "sim.weather",
        "sim.sine",
        "host.cpu",
        "host.memory",
        "host.load",
        "host.uptime",
        "weather.weather",
        "crypto.quote",
        "stocks.quote",
    ]
    .into();
    within("a value of each kind", async {
        while !missing.is_empty() {
            let tick = client.next().await;
            if !tick.is_tick() {
                continue;
            }
            let feed = tick.topic().split('.').next().unwrap();
            missing.remove(format!("{feed}.{}", tick.name).as_str());
            let is_sim = feed == "sim";
            assert_eq!(tick.value()["simulated"] == true, is_sim, "{}", tick.text);
            assert_eq!(tick.value()["source"] == "sim", is_sim, "{}", tick.text);
            let (kind, validator) = &kinds[kind_of(&tick.name)];
            assert_eq!(wrong(&tick, kind, validator), Vec::<String>::new(), "{}", tick.text);
        }
    })
    .await;
}

/// The word for a field's type in the tables of the README.
fn word(schema: &Value) -> &'static str {
    let is_digits = schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("[0-9]"));
    match (schema["type"].as_str().unwrap(), schema["const"] == true) {
        ("string", _) if is_digits => "digits",
        ("string", _) => "text",
        ("boolean", true) => "true",
        ("array", _) => "list of text",
        ("number", _) => "number",
        ("integer", _) => "integer",
        (other, _) => panic!("a type that the README has no word for: {other}"),
    }
}

#[test]
fn the_readme_has_every_field_of_each_kind_with_its_type() {
    let (_, section) = README.split_once("\n## Standard kinds").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut told = BTreeSet::new();
    for part in section.split("\n### ").skip(1) {
        let event = part.split(':').next().unwrap();
        let name = KINDS.iter().find(|(name, events)| *name == event || events.contains(&event)).unwrap().0;
        told.insert(name);
        let kind = kind(name);
        let mut left: BTreeSet<&str> =
            kind["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        for row in part.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let types: Vec<_> = cells[2].split(';').map(|word| word.trim().trim_matches('`')).collect();
            for (at, field) in cells[1].split('`').skip(1).step_by(2).enumerate() {
                assert!(left.remove(field), "{event}: {field} is no field of the kind");
                // One type for all fields of a row, one for each, or that of another kind's table.
                match *types.get(at).or(types.first()).unwrap() {
                    "" | "as of a trade" => {}
                    told => assert_eq!(told, word(&kind["properties"][field]), "{event}: {field}"),
                }
            }
        }
        // What the section says of all kinds in its first words.
        left.remove("simulated");
        assert_eq!(left, BTreeSet::new(), "{event}: the README lacks these");
    }
    assert_eq!(told, KINDS.iter().map(|(name, _)| *name).collect());
}
