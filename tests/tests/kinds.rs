//! The standard kinds: what the SDK's README says of them, every bundled feed keeps to, the simulated one too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use tickerd_test_providers::{Kraken, open_meteo::OpenMeteo};
use tickerd_tests::contract::Contract;
use tickerd_tests::*;

const README: &str = include_str!("../../plugins-sdk/README.md");

/// Fields of a kind and their types, as the README has them.
type Fields = BTreeMap<String, String>;

/// The kinds of the README's section, by event.
fn kinds() -> BTreeMap<String, Fields> {
    let (_, section) = README.split_once("\n## Standard kinds").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut kinds = BTreeMap::<String, Fields>::new();
    for part in section.split("\n### ").skip(1) {
        let mut fields = Fields::new();
        for row in part.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let types: Vec<_> = cells[2].split(';').map(str::trim).collect();
            for (at, name) in cells[1].split('`').skip(1).step_by(2).enumerate() {
                // One type for all fields of a row, one for each, or none: then they are as of a quote.
                let kind = match types.get(at).or(types.first()) {
                    Some(&"") => kinds["quote"][name].clone(),
                    Some(&"as of a trade") => kinds["trade"][name.trim_start_matches("new_")].clone(),
                    Some(kind) => kind.trim_matches('`').to_owned(),
                    None => panic!("{row}"),
                };
                fields.insert(name.to_owned(), kind);
            }
        }
        // What the section says of all kinds in its first words.
        fields.insert("simulated".to_owned(), "true".to_owned());
        kinds.insert(part.split(':').next().unwrap().to_owned(), fields);
    }
    kinds
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    let is_digits = |text: &str| {
        let text = text.strip_prefix('-').unwrap_or(text);
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        [whole, part].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    match kind {
        "text" => value.is_string(),
        "digits" => value.as_str().is_some_and(is_digits),
        "number" => value.is_number(),
        "integer" => value.is_u64(),
        "true" => *value == json!(true),
        "list of text" => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        other => panic!("a type that this test does not know: {other}"),
    }
}

/// What a value of a kind always has.
fn required(kind: &str) -> &'static [&'static str] {
    match kind {
        "weather" => &["place", "source", "temperature_c"],
        "correction" => &["symbol", "source_symbol", "source", "action"],
        _ => &["symbol", "source_symbol", "source", "price"],
    }
}

/// What is wrong with a tick of a standard kind.
fn wrong(tick: &Event, fields: &Fields) -> Vec<String> {
    let value = tick.value().as_object().unwrap();
    let missing = required(&tick.name).iter().filter(|name| !value.contains_key(**name));
    let missing = missing.map(|name| format!("{name} is missing"));
    let odd = value.iter().filter_map(|(name, value)| match fields.get(name) {
        None => Some(format!("{name} is no field of the kind")),
        Some(kind) if !is_of_type(value, kind) => Some(format!("{name} is not {kind}: {value}")),
        Some(_) => None,
    });
    missing.chain(odd).collect()
}

#[tokio::test]
async fn bundled_feeds_keep_to_the_standard_kinds() {
    let kinds = kinds();
    assert_eq!(kinds.keys().collect::<Vec<_>>(), ["correction", "quote", "trade", "weather"]);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let weather = OpenMeteo::start();
    weather.set("time", json!(now));
    let kraken = Kraken::standing(&[("BTC/USD", "64000.10000")], Duration::from_millis(100));
    let feed = |name: &str, config: &[String]| {
        let feed = Feed::plugin(name, &format!("tickerd_feed_{name}")).set("interval = \"50ms\"");
        config.iter().fold(feed, |feed, line| feed.configured(line))
    };
    let url = |url: String| format!("base_url = \"{url}\"");
    let daemon = daemon()
        .feed(sim(7))
        .feed(feed("weather", &[url(weather.url())]))
        .feed(feed("crypto", &[url(kraken.url()), "symbols = [\"BTC/USD\"]".to_owned()]))
        // Nobody answers there; its schemas are told all the same.
        .feed(feed(
            "stocks",
            &[
                url("http://127.0.0.1:9".to_owned()),
                "provider = \"yahoo\"".to_owned(),
                "symbols = [\"AAPL\"]".to_owned(),
            ],
        ))
        .run()
        .await;

    let contract = Contract::of(&daemon, &["sim", "weather", "crypto", "stocks"]).await;
    let schemas = contract.document()["components"]["schemas"].as_object().unwrap();
    let mut declared = BTreeSet::new();
    for (name, schema) in schemas {
        let Some((feed, kind)) = name.split_once('.') else { continue };
        let Some(fields) = kinds.get(kind) else { continue };
        declared.insert(name.as_str());
        for (field, schema) in schema["properties"].as_object().unwrap() {
            assert!(fields.contains_key(field), "{name} has a field that the kind does not have: {field}");
            assert_eq!(field == "simulated", feed == "sim" && schema["const"] == true, "{name}: {field}");
        }
        let needed: Vec<_> =
            schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let missing =
            required(kind).iter().find(|field| **field != "temperature_c" && !needed.contains(field));
        assert_eq!(missing, None, "{name}");
    }
    let all = [
        "crypto.quote",
        "crypto.trade",
        "sim.quote",
        "sim.trade",
        "sim.weather",
        "stocks.correction",
        "stocks.quote",
        "stocks.trade",
        "weather.weather",
    ];
    assert_eq!(declared.into_iter().collect::<Vec<_>>(), all);

    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["sim.**", "weather.**", "crypto.**"]})).await;
    let mut missing: BTreeSet<_> =
        ["sim.quote", "sim.trade", "sim.weather", "sim.sine", "weather.weather", "crypto.quote"].into();
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
            if let Some(fields) = kinds.get(&tick.name) {
                assert_eq!(wrong(&tick, fields), Vec::<String>::new(), "{}", tick.text);
            }
        }
    })
    .await;
}
