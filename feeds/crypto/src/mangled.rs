//! Every documented message, cut off at each place and with each of its values replaced by something else.

use serde_json::{Value, json};
use tickerd_feed_provider::stream::Stream;
use tickerd_sdk::testing::TestHost;

use crate::binance::Binance;
use crate::book::{Book, Pair};
use crate::coinbase::Coinbase;
use crate::kraken::Kraken;

fn book(source: &'static str, names: [&str; 2]) -> Book {
    let pair = |name: &str| Pair::new(format!("{name}/X"), name.into(), name.replace('/', "-"), "X".into());
    Book::new(source, names.map(pair).into())
}

/// Hears `text` as a new connection's first message. No panic, no fault that ends the feed, no price that is none.
fn hear(stream: &mut impl Stream, text: &str) {
    let test = TestHost::of::<crate::Crypto>();
    stream.hello();
    let heard = stream.hear(text, &test.host());
    if let Err(fault) = heard {
        assert!(!matches!(fault, tickerd_feed_provider::Fault::Refused { .. }), "{text}: {fault}");
    }
    assert_eq!(test.rejects(), Vec::<String>::new(), "{text}");
    for sample in test.samples() {
        let price: f64 = sample.value["price"].as_str().unwrap().parse().unwrap();
        assert!(price > 0.0 && price.is_finite(), "{text}: {}", sample.json);
    }
}

/// Every value of `json`, its members' first, replaced by each of the `others`.
fn replaced(json: &Value, others: &[Value], each: &mut dyn FnMut(Value)) {
    for other in others {
        each(other.clone());
    }
    match json {
        Value::Object(members) => {
            for (key, value) in members {
                replaced(value, others, &mut |other| {
                    let mut members = members.clone();
                    members.insert(key.clone(), other);
                    each(Value::Object(members));
                });
                let mut fewer = members.clone();
                fewer.remove(key);
                each(Value::Object(fewer));
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                replaced(value, others, &mut |other| {
                    let mut items = items.clone();
                    items[i] = other;
                    each(Value::Array(items));
                });
            }
        }
        _ => {}
    }
}

fn mangle(stream: &mut impl Stream, text: &str) {
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        hear(stream, &text[..end]);
    }
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5e300),
        json!(u64::MAX),
        json!(""),
        json!("-0.0"),
        json!("NaN"),
        json!("9".repeat(1000)),
        json!([]),
        json!({}),
        json!([[{}]]),
    ];
    let json: Value = serde_json::from_str(text).unwrap();
    replaced(&json, &others, &mut |other| hear(stream, &other.to_string()));
}

#[test]
fn no_message_of_krakens_can_do_harm() {
    let mut kraken = Kraken::new(book("kraken", ["USDT/USD", "NOPE/USD"]), true);
    mangle(&mut kraken, include_str!("../fixtures/kraken.ticker.json"));
    mangle(&mut kraken, include_str!("../fixtures/kraken.trade.json"));
    mangle(&mut kraken, include_str!("../fixtures/kraken.refused.json"));
    mangle(&mut kraken, include_str!("../fixtures/kraken.status.json"));
}

#[test]
fn no_message_of_coinbases_can_do_harm() {
    let mut coinbase = Coinbase::new(book("coinbase", ["ETH-USD", "FOO-USD"]), true);
    mangle(&mut coinbase, include_str!("../fixtures/coinbase.ticker.json"));
    mangle(&mut coinbase, include_str!("../fixtures/coinbase.match.json"));
    mangle(&mut coinbase, include_str!("../fixtures/coinbase.error.json"));
}

#[test]
fn no_message_of_binances_can_do_harm() {
    let mut binance = Binance::new(book("binance", ["BTCUSDT", "ETHUSDT"]), true);
    mangle(&mut binance, include_str!("../fixtures/binance.ticker.json"));
    mangle(&mut binance, include_str!("../fixtures/binance.trade.json"));
}
