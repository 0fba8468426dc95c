//! Every documented message, cut off at each place and with each of its values replaced by something else.

use tickerd_feed_provider::stream::Stream;
use tickerd_test_providers::mangled;

use crate::binance::Binance;
use crate::book::{Book, Pair, test_host};
use crate::coinbase::Coinbase;
use crate::kraken::Kraken;

fn book(source: &'static str, names: [&str; 2]) -> Book {
    let pair = |name: &str| Pair::new(format!("{name}/X"), name.into(), name.replace('/', "-"), "X".into());
    Book::new(source, names.map(pair).into())
}

/// Reads `text` as a new connection's first message. There must be no panic, no fault that ends the feed, and no
/// price of 0.
fn hear(stream: &mut impl Stream, text: &str) {
    let test = test_host();
    stream.hello();
    let heard = stream.hear(text, &test.host());
    if let Err(fault) = heard {
        assert!(!matches!(fault, tickerd_feed_provider::Fault::Refused { .. }), "{text}: {fault}");
    }
    assert_eq!(test.rejects(), Vec::<String>::new(), "{text}");
    for sample in test.samples() {
        let price: f64 = sample.value["price"].as_str().unwrap().parse().unwrap();
        assert!(price != 0.0 && price.is_finite(), "{text}: {}", sample.json);
    }
}

fn mangle(stream: &mut impl Stream, text: &str) {
    mangled(text, &mut |text| hear(stream, text));
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
