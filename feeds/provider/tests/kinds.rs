//! The shapes of the standard kinds, as the SDK's README and schemas tell them to authors, are those of the bundled feeds.

use std::collections::BTreeSet;

use tickerd_feed_provider::{Action, Correction, Digits, Measure, Observation, Quote, Session, Side, Trade};
use tickerd_sdk::schemars::{JsonSchema, schema_for};

const README: &str = include_str!("../../../plugins-sdk/README.md");

/// The fields in the first column of a kind's table.
fn told(kind: &str) -> BTreeSet<&'static str> {
    let begins = README.find(&format!("\n### {kind}: ")).unwrap_or_else(|| panic!("no section of {kind}"));
    let section = &README[begins + 1..];
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let columns = rows
        .take_while(|row| row.starts_with('|'))
        .map(|row| row.split('|').nth(1).expect("a row has columns"));
    columns.flat_map(|column| column.split('`').skip(1).step_by(2)).collect()
}

fn holds<T: JsonSchema>(kind: &str) {
    let schema = schema_for!(T);
    let fields = schema.get("properties").and_then(|fields| fields.as_object()).expect("a struct has fields");
    let fields: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(told(kind), fields, "{kind}");
}

#[test]
fn the_readme_tells_every_field_and_no_other() {
    holds::<Quote>("quote");
    holds::<Trade>("trade");
    holds::<Correction>("correction");
    holds::<Observation>("weather");
}

/// A value with all its fields is as the kind's schema says, and has every field of it.
fn keeps_to(kind: &str, schema: &str, value: &impl serde::Serialize) {
    let schema: serde_json::Value = serde_json::from_str(schema).expect("a kind is JSON");
    let value = serde_json::to_value(value).expect("a value is JSON");
    let validator = jsonschema::validator_for(&schema).expect("a kind is a schema");
    let wrong: Vec<_> =
        validator.iter_errors(&value).map(|e| format!("{e} at {}", e.instance_path())).collect();
    assert_eq!(wrong, Vec::<String>::new(), "{kind}: {value}");
    let fields = |object: &serde_json::Value| {
        object.as_object().expect("a table of fields").keys().cloned().collect::<BTreeSet<_>>()
    };
    let mut left = fields(&schema["properties"]);
    left.remove("simulated");
    assert_eq!(fields(&value), left, "{kind}");
}

#[test]
fn every_field_is_as_the_schema_of_its_kind_says() {
    let digits = |text: &str| Digits::parse(text).expect("digits");
    let some = |text: &str| Some(digits(text));
    let text = |text: &str| Some(text.to_owned());
    let quote = Quote {
        bid: some("1.0"),
        bid_size: some("5"),
        ask: some("1.2"),
        ask_size: some("0.5"),
        open: some("1"),
        high: some("2"),
        low: some("-0.5"),
        prev_close: some("1.05"),
        change: some("-0.05"),
        change_pct: some("-4.8"),
        volume: some("1000000"),
        currency: text("GBP"),
        source_currency: text("GBp"),
        delay_s: Some(900),
        session: Some(Session::Always),
        ..Quote::new("BTC/USD", "BTC-USD", "coinbase", digits("1.10"))
    };
    keeps_to("quote", include_str!("../../../plugins-sdk/kinds/quote.json"), &quote);
    let trade = Trade {
        symbol: "AAPL".into(),
        source_symbol: "AAPL".into(),
        source: "alpaca",
        id: text("7"),
        price: digits("231.50"),
        size: some("100"),
        side: Some(Side::Buy),
        currency: text("USD"),
        delay_s: Some(0),
        conditions: vec!["odd lot".into()],
    };
    keeps_to("trade", include_str!("../../../plugins-sdk/kinds/trade.json"), &trade);
    let correction = Correction {
        symbol: "AAPL".into(),
        source_symbol: "AAPL".into(),
        source: "alpaca",
        action: Action::Corrected,
        id: "7".into(),
        price: some("231.50"),
        size: some("100"),
        new_id: text("8"),
        new_price: some("231.49"),
        new_size: some("90"),
        currency: text("USD"),
    };
    keeps_to("correction", include_str!("../../../plugins-sdk/kinds/correction.json"), &correction);
    let number = |value: f64| Some(Measure::converted(value));
    let observation = Observation {
        temperature_c: number(-2.5),
        condition: text("light rain"),
        feels_like_c: number(-6.0),
        wind_ms: number(3.1),
        wind_gust_ms: number(7.0),
        wind_deg: number(240.0),
        wind_variable: true,
        humidity_pct: number(92.0),
        pressure_hpa: number(1013.0),
        cloud_pct: number(100.0),
        precipitation_mm: number(0.1),
        precipitation_s: Some(900),
        visibility_m: number(16093.44),
        visibility_over: true,
        dew_point_c: number(-3.1),
        stale: true,
        place: "oslo".into(),
        station: text("KJFK"),
        latitude: Some(59.91),
        longitude: Some(10.75),
        source: "metar",
        attribution: Some("by NOAA"),
        raw: text("METAR KJFK"),
    };
    keeps_to("observation", include_str!("../../../plugins-sdk/kinds/observation.json"), &observation);
}
