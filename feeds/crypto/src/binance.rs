//! Binance's market data: combined streams `<symbol>@ticker` and `<symbol>@trade`.
//!
//! Shapes: developers.binance.com, Spot WebSocket streams, July 2026. Numbers are in strings. `@ticker` comes each
//! second and holds price, bid and ask of one moment, which `@miniTicker` and `@bookTicker` do not. The streams are
//! named in the URL, so the feed sends nothing and stays far below Binance's limit of five messages a second. For a
//! symbol that it does not know Binance sends nothing. A connection lives for 24 hours.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tickerd_feed_provider::stream::{Heard, Stream};
use tickerd_feed_provider::time::{Epoch, epoch_ms};
use tickerd_feed_provider::{Digits, Fault, Limit, Side, Tally};
use tickerd_sdk::Host;

use crate::book::{Book, When};
use crate::field;

/// Binance's address for market data alone.
pub(crate) const BASE_URL: &str = "wss://data-stream.binance.vision";
/// Binance pings each 20 s; this is two missed pings.
pub(crate) const SILENCE: Duration = Duration::from_secs(50);
/// Binance cuts connections after 24 hours. They are renewed half an hour before that.
pub(crate) const LIFE: Duration = Duration::from_secs(23 * 60 * 60 + 30 * 60);

/// Binance allows 300 connections in five minutes per address.
pub(crate) fn connections() -> Limit {
    Limit::new(300, Duration::from_secs(5 * 60))
}

/// Binance's side of the feed.
pub(crate) struct Binance {
    pub book: Book,
    pub trades: bool,
    pub silence: Duration,
    pub life: Duration,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "field::text")]
    msg: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "e", default, deserialize_with = "field::text")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Ticker {
    #[serde(rename = "s")]
    symbol: String,
    #[serde(rename = "E", default, deserialize_with = "field::whole")]
    at: Option<u64>,
    #[serde(rename = "c", default, deserialize_with = "field::digits")]
    last: Option<Digits>,
    #[serde(rename = "b", default, deserialize_with = "field::digits")]
    bid: Option<Digits>,
    #[serde(rename = "B", default, deserialize_with = "field::digits")]
    bid_size: Option<Digits>,
    #[serde(rename = "a", default, deserialize_with = "field::digits")]
    ask: Option<Digits>,
    #[serde(rename = "A", default, deserialize_with = "field::digits")]
    ask_size: Option<Digits>,
    #[serde(rename = "o", default, deserialize_with = "field::digits")]
    open: Option<Digits>,
    #[serde(rename = "h", default, deserialize_with = "field::digits")]
    high: Option<Digits>,
    #[serde(rename = "l", default, deserialize_with = "field::digits")]
    low: Option<Digits>,
    #[serde(rename = "v", default, deserialize_with = "field::digits")]
    volume: Option<Digits>,
    #[serde(rename = "p", default, deserialize_with = "field::digits")]
    change: Option<Digits>,
    #[serde(rename = "P", default, deserialize_with = "field::digits")]
    change_pct: Option<Digits>,
}

#[derive(Deserialize)]
struct Traded {
    #[serde(rename = "s")]
    symbol: String,
    #[serde(rename = "t", default, deserialize_with = "field::whole")]
    id: Option<u64>,
    #[serde(rename = "p", default, deserialize_with = "field::digits")]
    price: Option<Digits>,
    #[serde(rename = "q", default, deserialize_with = "field::digits")]
    size: Option<Digits>,
    #[serde(rename = "T", default, deserialize_with = "field::whole")]
    at: Option<u64>,
    /// Whether the buyer's offer was the one that was taken.
    #[serde(rename = "m", default)]
    buyer_made: Option<bool>,
}

impl Binance {
    pub fn new(book: Book, trades: bool) -> Binance {
        Binance { book, trades, silence: SILENCE, life: LIFE }
    }

    /// The part of the URL after the base: the streams.
    pub fn path(&self) -> String {
        let symbols = self.book.wanted();
        let streams =
            symbols.iter().map(|symbol| symbol.to_ascii_lowercase()).map(|symbol| match self.trades {
                true => format!("{symbol}@ticker/{symbol}@trade"),
                false => format!("{symbol}@ticker"),
            });
        format!("/stream?streams={}", streams.collect::<Vec<_>>().join("/"))
    }

    fn ticker(&mut self, ticker: Ticker, host: &Host) -> Result<bool, Fault> {
        let when = When { number: None, ms: ticker.at.and_then(|at| epoch_ms(at, Epoch::Millis)) };
        self.book.quote(host, &ticker.symbol, when, ticker.last, |quote| {
            quote.bid = ticker.bid;
            quote.bid_size = ticker.bid_size;
            quote.ask = ticker.ask;
            quote.ask_size = ticker.ask_size;
            quote.open = ticker.open;
            quote.high = ticker.high;
            quote.low = ticker.low;
            quote.volume = ticker.volume;
            quote.change = ticker.change;
            quote.change_pct = ticker.change_pct;
        })
    }

    fn traded(&mut self, traded: Traded, host: &Host) -> Result<bool, Fault> {
        let when = When { number: traded.id, ms: traded.at.and_then(|at| epoch_ms(at, Epoch::Millis)) };
        self.book.trade(host, &traded.symbol, when, traded.price, |trade| {
            trade.size = traded.size;
            trade.side = traded.buyer_made.map(|made| if made { Side::Sell } else { Side::Buy });
        })
    }
}

impl Stream for Binance {
    fn hello(&mut self) -> Vec<String> {
        self.book.begin();
        Vec::new()
    }

    fn hear(&mut self, text: &str, host: &Host) -> Result<Heard, Fault> {
        let nonsense = |book: &Book, e| book.nonsense(text, e);
        let envelope: Envelope = serde_json::from_str(text).map_err(|e| nonsense(&self.book, e))?;
        if let Some(said) = envelope.error.map(|e| e.get().to_owned()).or(envelope.msg) {
            return Err(self.book.unavailable(&said));
        }
        let Some(data) = envelope.data.map(RawValue::get) else { return Ok(Heard::Talk) };
        let event: Event = serde_json::from_str(data).map_err(|e| nonsense(&self.book, e))?;
        let current = match event.kind.as_deref() {
            Some("24hrTicker") => {
                let ticker = serde_json::from_str(data).map_err(|e| nonsense(&self.book, e))?;
                self.ticker(ticker, host)?
            }
            Some("trade") => {
                let traded = serde_json::from_str(data).map_err(|e| nonsense(&self.book, e))?;
                self.traded(traded, host)?
            }
            Some("serverShutdown") => {
                return Ok(Heard::Leaving("the server announced that it shuts down".into()));
            }
            _ => false,
        };
        Ok(if current { Heard::Values } else { Heard::Talk })
    }

    fn silence(&self) -> Duration {
        self.silence
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.book.patience())
    }

    fn life(&self) -> Option<Duration> {
        Some(self.life)
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

    fn binance() -> Binance {
        let pair = Pair::new("BTC/USDT".into(), "BTCUSDT".into(), "BTC-USDT".into(), "USDT".into());
        Binance::new(Book::new("binance", vec![pair]), true)
    }

    #[test]
    fn a_ticker_is_a_quote_with_its_digits() {
        let test = test_host();
        let heard = binance().hear(include_str!("../fixtures/binance.ticker.json"), &test.host());
        assert_eq!(heard, Ok(Heard::Values));
        let sample = test.samples().pop().unwrap();
        assert_eq!((sample.topic.as_str(), sample.source_time_ms), ("BTC-USDT", Some(1_795_176_000_123)));
        for (field, text) in [
            ("price", "91750.10000000"),
            ("bid", "91750.00000000"),
            ("ask_size", "0.50000000"),
            ("open", "91870.60000000"),
            ("change", "-120.50000000"),
            ("change_pct", "-0.131"),
            ("currency", "USDT"),
        ] {
            assert_eq!(sample.value[field], text, "{field}");
        }
    }

    #[test]
    fn a_trade_is_sold_when_the_buyers_offer_was_taken() {
        let test = test_host();
        let heard = binance().hear(include_str!("../fixtures/binance.trade.json"), &test.host());
        assert_eq!(heard, Ok(Heard::Values));
        let sample = test.samples().pop().unwrap();
        assert_eq!((&sample.value["id"], &sample.value["side"]), (&"2001".into(), &"sell".into()));
        assert_eq!(sample.source_time_ms, Some(1_795_176_000_122), "when it was made, not when it was told");
    }

    #[test]
    fn the_streams_are_in_the_url() {
        assert_eq!(binance().path(), "/stream?streams=btcusdt@ticker/btcusdt@trade");
    }
}
