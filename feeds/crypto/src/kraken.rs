//! Kraken's WebSocket API v2: channels `ticker`, `trade`, `status` and `heartbeat`.
//!
//! Shapes: docs.kraken.com, Spot WebSocket v2, and one recorded session, September 2026. Digits are JSON numbers
//! whose trailing zeros count (`1.00000`). Symbols have their usual names: `BTC/USD`, not `XBT/USD`.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tickerd_feed_provider::stream::{Heard, Stream};
use tickerd_feed_provider::time::rfc3339_ms;
use tickerd_feed_provider::{Digits, Fault, Limit, Side, Tally, excerpt};
use tickerd_sdk::Host;

use crate::book::{Book, When};
use crate::field;

/// Kraken's address.
pub(crate) const BASE_URL: &str = "wss://ws.kraken.com";
/// The path behind the address.
pub(crate) const PATH: &str = "/v2";
/// Kraken sends a heartbeat each second if there is nothing else to send.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);

/// Kraken allows 150 connections in ten minutes per address.
pub(crate) fn connections() -> Limit {
    Limit::new(150, Duration::from_secs(10 * 60))
}

/// Kraken's side of the feed.
pub(crate) struct Kraken {
    pub book: Book,
    pub trades: bool,
    pub silence: Duration,
    /// The status that the exchange reports, unless it is `online`.
    status: Option<String>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    channel: Option<Cow<'a, str>>,
    #[serde(rename = "type", default, deserialize_with = "field::text")]
    kind: Option<String>,
    #[serde(borrow, default)]
    data: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    success: Option<bool>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    symbol: Option<String>,
}

#[derive(Deserialize)]
struct Ticker {
    symbol: String,
    #[serde(default, deserialize_with = "field::digits")]
    last: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    bid: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    bid_qty: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    ask: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    ask_qty: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    high: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    low: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    volume: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    change: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    change_pct: Option<Digits>,
    #[serde(default, deserialize_with = "field::text")]
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Traded {
    symbol: String,
    #[serde(default, deserialize_with = "field::text")]
    side: Option<String>,
    #[serde(default, deserialize_with = "field::digits")]
    price: Option<Digits>,
    #[serde(default, deserialize_with = "field::digits")]
    qty: Option<Digits>,
    #[serde(default, deserialize_with = "field::whole")]
    trade_id: Option<u64>,
    #[serde(default, deserialize_with = "field::text")]
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default, deserialize_with = "field::text")]
    system: Option<String>,
}

impl Kraken {
    pub fn new(book: Book, trades: bool) -> Kraken {
        Kraken { book, trades, silence: SILENCE, status: None }
    }

    /// Reads each item by itself, so that one that cannot be read does not spoil the others. Returns whether any was
    /// current.
    fn items<T: for<'de> Deserialize<'de>>(
        &mut self,
        items: Vec<&RawValue>,
        mut take: impl FnMut(&mut Self, T) -> Result<bool, Fault>,
    ) -> Result<Heard, Fault> {
        let (mut heard, count, mut unreadable) = (Heard::Talk, items.len(), None);
        for item in items {
            match serde_json::from_str(item.get()) {
                Ok(item) => {
                    if take(self, item)? {
                        heard = Heard::Values;
                    }
                }
                Err(e) => unreadable = Some(self.book.nonsense(item.get(), e)),
            }
        }
        match unreadable {
            Some(nonsense) if count == 1 => Err(nonsense),
            Some(_) => {
                self.book.tally.count("values that could not be read");
                Ok(heard)
            }
            None => Ok(heard),
        }
    }

    fn ticker(&mut self, ticker: Ticker, host: &Host) -> Result<bool, Fault> {
        let when = When { number: None, ms: ticker.timestamp.as_deref().and_then(rfc3339_ms) };
        self.book.quote(host, &ticker.symbol, when, ticker.last, |quote| {
            quote.bid = ticker.bid;
            quote.bid_size = ticker.bid_qty;
            quote.ask = ticker.ask;
            quote.ask_size = ticker.ask_qty;
            quote.high = ticker.high;
            quote.low = ticker.low;
            quote.volume = ticker.volume;
            quote.change = ticker.change;
            quote.change_pct = ticker.change_pct;
        })
    }

    fn traded(&mut self, traded: Traded, is_snapshot: bool, host: &Host) -> Result<bool, Fault> {
        let when = When { number: traded.trade_id, ms: traded.timestamp.as_deref().and_then(rfc3339_ms) };
        if is_snapshot && self.book.is_history(&traded.symbol, when) {
            return Ok(false);
        }
        self.book.trade(host, &traded.symbol, when, traded.price, |trade| {
            trade.size = traded.qty;
            // The side of the one who took the other's offer.
            trade.side = match traded.side.as_deref() {
                Some("buy") => Some(Side::Buy),
                Some("sell") => Some(Side::Sell),
                _ => None,
            };
        })
    }

    fn status(&mut self, status: &Status) {
        let system = status.system.as_deref().unwrap_or("online");
        self.status = (system != "online").then(|| format!("kraken is in `{system}`"));
    }

    fn refused(&mut self, error: &str, symbol: Option<&str>) -> Result<Heard, Fault> {
        match symbol {
            Some(symbol) if self.book.refuse(symbol, error)? => Ok(Heard::Talk),
            _ if error.to_ascii_lowercase().contains("rate") => {
                Err(Fault::Limited { wait: None, message: format!("kraken says: {}", excerpt(error)) })
            }
            _ => Err(self.book.unavailable(error)),
        }
    }
}

impl Stream for Kraken {
    fn hello(&mut self) -> Vec<String> {
        self.book.begin();
        self.status = None;
        let symbols = self.book.wanted();
        let ticker = json!({"method": "subscribe", "req_id": 1, "params":
            {"channel": "ticker", "symbol": symbols, "event_trigger": "trades", "snapshot": true}});
        // The snapshot is the last 50 trades. After a break it closes most gaps; at the first connection it would be
        // old.
        let trade = json!({"method": "subscribe", "req_id": 2, "params":
            {"channel": "trade", "symbol": symbols, "snapshot": self.book.has_trades()}});
        let mut hello = vec![ticker.to_string()];
        hello.extend(self.trades.then(|| trade.to_string()));
        hello
    }

    fn hear(&mut self, text: &str, host: &Host) -> Result<Heard, Fault> {
        let message: Message = serde_json::from_str(text).map_err(|e| self.book.nonsense(text, e))?;
        let data = message.data.unwrap_or_default();
        match message.channel.as_deref() {
            Some("ticker") => self.items(data, |kraken, ticker| kraken.ticker(ticker, host)),
            Some("trade") => {
                let is_snapshot = message.kind.as_deref() == Some("snapshot");
                self.items(data, |kraken, traded| kraken.traded(traded, is_snapshot, host))
            }
            Some("status") => self.items(data, |kraken, status: Status| {
                kraken.status(&status);
                Ok(false)
            }),
            _ if message.success == Some(false) => {
                self.refused(message.error.as_deref().unwrap_or("no"), message.symbol.as_deref())
            }
            // Heartbeats, confirmations, and types that do not exist yet.
            _ => Ok(Heard::Talk),
        }
    }

    fn silence(&self) -> Duration {
        self.silence
    }

    fn trouble(&self) -> Option<String> {
        match (&self.status, self.book.missing()) {
            (Some(status), Some(missing)) => Some(format!("{status}, {missing}")),
            (status, missing) => status.clone().or(missing),
        }
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

    fn kraken() -> Kraken {
        let pair = |name: &str| Pair::new(name.into(), name.into(), name.replace('/', "-"), "USD".into());
        Kraken::new(Book::new("kraken", vec![pair("USDT/USD"), pair("NOPE/USD")]), true)
    }

    #[test]
    fn digits_are_as_they_were_written() {
        let test = test_host();
        let heard = kraken().hear(include_str!("../fixtures/kraken.ticker.json"), &test.host());
        assert_eq!(heard, Ok(Heard::Values));
        let sample = test.samples().pop().unwrap();
        assert_eq!((sample.topic.as_str(), sample.source_time_ms), ("USDT-USD", Some(1_795_176_018_054)));
        for (field, digits) in [
            ("price", "1.00000"),
            ("bid", "0.99980"),
            ("bid_size", "44620.68691883"),
            ("ask", "0.99990"),
            ("volume", "270638277.50461281"),
            ("change", "-0.00005"),
            ("change_pct", "-0.01"),
        ] {
            assert_eq!(sample.value[field], digits, "{field}");
        }
    }

    #[test]
    fn each_trade_of_a_message_counts_and_the_side_is_the_takers() {
        let test = test_host();
        let heard = kraken().hear(include_str!("../fixtures/kraken.trade.json"), &test.host());
        assert_eq!(heard, Ok(Heard::Values));
        let trades: Vec<_> = test.samples().into_iter().map(|s| (s.topic, s.value)).collect();
        assert_eq!(trades.len(), 2);
        assert_eq!((trades[0].0.as_str(), &trades[0].1["side"]), ("trades.USDT-USD", &json!("sell")));
        assert_eq!((&trades[1].1["id"], &trades[1].1["size"]), (&json!("7002"), &json!("0.0000001")));
    }

    #[test]
    fn what_is_missing_is_the_trouble() {
        let (mut kraken, test) = (kraken(), test_host());
        kraken.hear(include_str!("../fixtures/kraken.refused.json"), &test.host()).unwrap();
        assert_eq!(kraken.trouble().unwrap(), "NOPE/USD: “Currency pair not supported NOPE/USD”");
        kraken.hear(include_str!("../fixtures/kraken.status.json"), &test.host()).unwrap();
        assert!(kraken.trouble().unwrap().starts_with("kraken is in `maintenance`, NOPE/USD: "));
        let hello = kraken.hello();
        assert!(hello[0].contains("NOPE/USD"), "a new connection asks again: {hello:?}");
        assert_eq!(kraken.trouble(), None);
    }

    #[test]
    fn too_many_messages_and_other_refusals_end_the_connection() {
        let refusal = |text: &str| kraken().hear(text, &test_host().host()).expect_err("the connection ends");
        let limited = refusal(r#"{"method":"subscribe","success":false,"error":"Exceeded msg rate"}"#);
        assert!(matches!(limited, Fault::Limited { .. }), "{limited:?}");
        let other = refusal(r#"{"method":"subscribe","success":false,"error":"Event(s) not found"}"#);
        assert!(matches!(other, Fault::Unavailable { .. }), "{other:?}");
    }
}
