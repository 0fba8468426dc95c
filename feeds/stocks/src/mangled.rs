//! Every documented answer and message, broken in every way: there must be no panic, and no price of 0.

use serde::de::DeserializeOwned;
use tickerd_feed_provider::stream::Stream;
use tickerd_feed_provider::{Digits, Fault, Secret};
use tickerd_sdk::testing::TestHost;
use tickerd_test_providers::mangled;

use crate::config::Tape;
use crate::desk::Desk;
use crate::line::{Dialogue, Listening};
use crate::listing::Listing;
use crate::market::Market;
use crate::quoted::{Quoted, read};
use crate::{StocksFeed, alpaca, finnhub, yahoo};

fn is_price(digits: &Digits) -> bool {
    digits.value().is_finite()
}

/// Reads every broken `text` as an answer of shape `A`, from which `quote` makes a quote.
fn answers<A: DeserializeOwned>(text: &str, quote: impl Fn(A) -> Result<Quoted, Fault>) {
    let mut quotes = 0;
    mangled(text, &mut |text| {
        if let Ok(Quoted { quote, .. }) = read::<A>(text, "an answer").and_then(&quote) {
            quotes += 1;
            let prices = [&quote.bid, &quote.ask, &quote.open, &quote.high, &quote.low, &quote.prev_close];
            let all = prices.into_iter().flatten().chain([&quote.price]);
            assert!(all.clone().all(is_price), "{text}: {quote:?}");
        }
    });
    assert!(quotes > 0, "what is broken elsewhere than in the price is a quote still");
}

/// Reads every broken `text` as a new connection's first message.
fn messages(text: &str, dialogue: impl Dialogue) {
    let desk = Desk::new(Market::new(vec![Listing::named("AAPL", None)], "mock", None), Vec::new());
    let mut listening = Listening::new(&desk, "mock", dialogue);
    mangled(text, &mut |text| {
        let test = TestHost::of::<StocksFeed>();
        listening.hello();
        if let Err(fault) = listening.hear(text, &test.host()) {
            assert!(matches!(fault, Fault::Nonsense { .. } | Fault::Unavailable { .. }), "{text}: {fault}");
        }
        assert_eq!(test.rejects(), Vec::<String>::new(), "{text}");
        for sample in test.samples() {
            let price = sample.value["price"].as_str().expect("a price is a string");
            assert!(is_price(&Digits::parse(price).expect("a price is a number")), "{text}: {}", sample.json);
        }
    });
}

#[test]
fn no_answer_can_do_harm() {
    let listing = Listing::named("AAPL", Some("GBp"));
    let quote = include_str!("../fixtures/finnhub/quote.json");
    answers(quote, |answer: finnhub::QuoteAnswer| answer.quote(&listing));
    let chart = include_str!("../fixtures/yahoo/chart.json");
    answers(chart, |answer: yahoo::ChartAnswer| answer.quote(&listing, 1_767_200_000_000));
    let snapshots = include_str!("../fixtures/alpaca/snapshots.json");
    answers(snapshots, |answer: alpaca::Snapshots| {
        answer.checked()?.quote(&listing, Tape::Iex, 1_767_225_600_000)
    });
}

#[test]
fn no_message_can_do_harm() {
    messages(include_str!("../fixtures/finnhub/trades.json"), finnhub::stream::Trades::new());
    let secret = Secret::new("mock").expect("it is one");
    let trades = alpaca::stream::Trades::new(&secret, &secret, Tape::Iex);
    messages(include_str!("../fixtures/alpaca/trades.json"), trades);
    let trades = alpaca::stream::Trades::new(&secret, &secret, Tape::Iex);
    messages(include_str!("../fixtures/alpaca/corrections.json"), trades);
}
