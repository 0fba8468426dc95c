//! Coinbase Exchange's feed: channels `ticker`, `matches` and `heartbeat`.
//!
//! Shapes: docs.cdp.coinbase.com, Exchange WebSocket feed, September 2026. Numbers are in strings. For a product that
//! it does not know, Coinbase refuses the whole subscription, so the feed subscribes again without that product.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tickerd_feed_provider::stream::{Heard, Stream};
use tickerd_feed_provider::time::rfc3339_ms;
use tickerd_feed_provider::{Digits, Fault, Limit, Side, Tally, excerpt};
use tickerd_sdk::Host;

use crate::book::{Book, When};
use crate::field;

/// Coinbase's address.
pub(crate) const BASE_URL: &str = "wss://ws-feed.exchange.coinbase.com";
/// A heartbeat comes each second for each product.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);

/// Coinbase allows eight connections a second per address.
pub(crate) fn connections() -> Limit {
    Limit::per_second(8)
}

/// Coinbase's side of the feed.
pub(crate) struct Coinbase {
    pub book: Book,
    pub trades: bool,
    pub silence: Duration,
}

/// The fields of all messages. Those that a type of message does not have are `None`.
#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "field::text")]
    message: Option<String>,
    #[serde(default, deserialize_with = "field::text")]
    reason: Option<String>,
    #[serde(default, deserialize_with = "field::text")]
    product_id: Option<String>,
    #[serde(default, deserialize_with = "field::whole")]
    sequence: Option<u64>,
    #[serde(default, deserialize_with = "field::whole")]
    trade_id: Option<u64>,
    #[serde(default, deserialize_with = "field::text")]
    time: Option<String>,
    #[serde(default, deserialize_with = "field::text")]
    side: Option<String>,
    #[serde(default, deserialize_with = "field::digits")]
    price: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    size: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    best_bid: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    best_bid_size: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    best_ask: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    best_ask_size: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    open_24h: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    high_24h: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    low_24h: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    volume_24h: Option<Digits>,
}

impl Message {
    fn ms(&self) -> Option<u64> {
        self.time.as_deref().and_then(rfc3339_ms)
    }
}

impl Coinbase {
    pub fn new(book: Book, trades: bool) -> Coinbase {
        Coinbase { book, trades, silence: SILENCE }
    }

    fn subscribe(&self) -> String {
        let mut channels = vec!["ticker", "heartbeat"];
        channels.extend(self.trades.then_some("matches"));
        json!({"type": "subscribe", "product_ids": self.book.wanted(), "channels": channels}).to_string()
    }

    fn ticker(&mut self, ticker: Message, host: &Host) -> Result<bool, Fault> {
        let when = When { number: ticker.sequence, ms: ticker.ms() };
        let name = ticker.product_id.unwrap_or_default();
        self.book.quote(host, &name, when, ticker.price, |quote| {
            quote.bid = ticker.best_bid;
            quote.bid_size = ticker.best_bid_size;
            quote.ask = ticker.best_ask;
            quote.ask_size = ticker.best_ask_size;
            quote.open = ticker.open_24h;
            quote.high = ticker.high_24h;
            quote.low = ticker.low_24h;
            quote.volume = ticker.volume_24h;
        })
    }

    fn matched(&mut self, matched: Message, host: &Host) -> Result<bool, Fault> {
        let when = When { number: matched.trade_id, ms: matched.ms() };
        let name = matched.product_id.unwrap_or_default();
        // The last trade before the subscription. After a break it may be one that was missed; at the first
        // connection it is old.
        if matched.kind == "last_match" && self.book.is_history(&name, when) {
            self.book.note_trade(host, &name, when);
            return Ok(true);
        }
        self.book.trade(host, &name, when, matched.price, |trade| {
            trade.size = matched.size;
            // The message has the side of the offer that was taken. The one who took it is on the other side.
            trade.side = match matched.side.as_deref() {
                Some("sell") => Some(Side::Buy),
                Some("buy") => Some(Side::Sell),
                _ => None,
            };
        })
    }

    fn refused(&mut self, error: &Message) -> Result<Heard, Fault> {
        let message = error.message.as_deref().unwrap_or("an error");
        let reason = error.reason.as_deref().unwrap_or(message);
        // `FOO-BAR is not a valid product`, `FOO-BAR is delisted`.
        let name = reason.split_whitespace().next().unwrap_or_default();
        if self.book.wanted().contains(&name) && self.book.refuse(name, reason)? {
            return Ok(Heard::Answer(vec![self.subscribe()]));
        }
        if reason.to_ascii_lowercase().contains("rate limit") {
            return Err(Fault::Limited {
                wait: None,
                message: format!("coinbase says: {}", excerpt(reason)),
            });
        }
        Err(self.book.unavailable(reason))
    }
}

impl Stream for Coinbase {
    fn hello(&mut self) -> Vec<String> {
        self.book.begin();
        vec![self.subscribe()]
    }

    fn hear(&mut self, text: &str, host: &Host) -> Result<Heard, Fault> {
        let message: Message = serde_json::from_str(text).map_err(|e| self.book.nonsense(text, e))?;
        let current = match message.kind.as_str() {
            "ticker" => self.ticker(message, host)?,
            "match" | "last_match" if self.trades => self.matched(message, host)?,
            "error" => return self.refused(&message),
            // Heartbeats, confirmations, and types that do not exist yet: Coinbase says that clients should ignore
            // those.
            _ => false,
        };
        Ok(if current { Heard::Values } else { Heard::Talk })
    }

    fn silence(&self) -> Duration {
        self.silence
    }

    fn trouble(&self) -> Option<String> {
        self.book.missing()
    }

    fn lost_in_a_break(&self) -> Option<&'static str> {
        self.trades.then_some("trades")
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.book.tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{Pair, test_host};

    fn coinbase() -> Coinbase {
        let pair = |name: &str| Pair::new(name.replace('-', "/"), name.into(), name.into(), "USD".into());
        Coinbase::new(Book::new("coinbase", vec![pair("ETH-USD"), pair("FOO-USD")]), true)
    }

    #[test]
    fn a_ticker_is_a_quote_with_its_digits() {
        let test = test_host();
        let heard = coinbase().hear(include_str!("../fixtures/coinbase.ticker.json"), &test.host());
        assert_eq!(heard, Ok(Heard::Values));
        let sample = test.samples().pop().unwrap();
        assert_eq!((sample.topic.as_str(), sample.source_time_ms), ("ETH-USD", Some(1_795_176_022_061)));
        for (field, digits) in [
            ("price", "2850.20"),
            ("open", "2799.5"),
            ("high", "2913.8"),
            ("low", "2780.52"),
            ("volume", "245532.79269678"),
            ("bid_size", "0.46688654"),
        ] {
            assert_eq!(sample.value[field], digits, "{field}");
        }
    }

    #[test]
    fn a_match_is_a_trade_whose_side_is_the_takers() {
        let test = test_host();
        let heard = coinbase().hear(include_str!("../fixtures/coinbase.match.json"), &test.host());
        assert_eq!(heard, Ok(Heard::Values));
        let sample = test.samples().pop().unwrap();
        assert_eq!((sample.topic.as_str(), sample.event.as_str()), ("trades.ETH-USD", "trade"));
        assert_eq!((&sample.value["id"], &sample.value["side"]), (&json!("370843402"), &json!("buy")));
    }

    #[test]
    fn a_product_that_is_not_known_is_left_out_of_the_next_subscription() {
        let mut coinbase = coinbase();
        let heard = coinbase.hear(include_str!("../fixtures/coinbase.error.json"), &test_host().host());
        let Ok(Heard::Answer(messages)) = heard else { panic!("{heard:?}") };
        assert!(messages[0].contains("ETH-USD") && !messages[0].contains("FOO-USD"), "{messages:?}");
        assert_eq!(coinbase.trouble().unwrap(), "FOO/USD: “FOO-USD is not a valid product”");
        assert!(coinbase.hello()[0].contains("FOO-USD"), "a new connection asks again");
    }
}
