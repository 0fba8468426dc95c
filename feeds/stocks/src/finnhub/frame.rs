//! What comes over Finnhub's WebSocket, by its documentation of 2026-11.

use serde::Deserialize;
use serde_json::value::RawValue;
use tickerd_feed_provider::{Digits, Fault};

use crate::quoted::{milliseconds, read};

/// A text message.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    /// Prices, in the order sent. One that cannot be read does not spoil the others.
    Trades(Vec<Result<Print, Fault>>),
    /// A sign of life.
    Ping,
    /// An error in words. The stream goes on.
    Error(String),
    /// A kind that is not documented.
    Other(String),
}

/// One trade; or a price alone if `size` is 0, as for currencies.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Print {
    #[serde(rename = "s")]
    pub(crate) source_symbol: String,
    #[serde(rename = "p")]
    pub(crate) price: Option<Digits>,
    #[serde(rename = "v")]
    pub(crate) size: Option<Digits>,
    /// Unix milliseconds.
    t: Option<Digits>,
    /// The trade's conditions: numbers as strings. Absent or null for currencies.
    #[serde(rename = "c", default)]
    conditions: Option<Vec<String>>,
}

impl Print {
    pub(crate) fn time_ms(&self) -> Option<u64> {
        milliseconds(self.t.as_ref())
    }

    pub(crate) fn take_conditions(&mut self) -> Vec<String> {
        self.conditions.take().unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    msg: Option<String>,
}

/// Reads a text message.
///
/// # Errors
/// [`Fault::Nonsense`]: it is not of the documented shape.
pub(crate) fn frame(text: &str) -> Result<Frame, Fault> {
    let envelope: Envelope = read(text, "a message")?;
    Ok(match envelope.kind.as_str() {
        "trade" => {
            let data = envelope.data.map_or("null", |data| data.get());
            let trades: Vec<&RawValue> = read(data, "trades")?;
            Frame::Trades(trades.into_iter().map(|trade| read(trade.get(), "a trade")).collect())
        }
        "ping" => Frame::Ping,
        "error" => Frame::Error(envelope.msg.unwrap_or_else(|| "an error without words".to_owned())),
        _ => Frame::Other(envelope.kind),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trades(text: &str) -> Vec<Print> {
        let Frame::Trades(prints) = frame(text).unwrap() else { panic!("{text}") };
        prints.into_iter().filter_map(Result::ok).collect()
    }

    #[test]
    fn trades_keep_order_digits_and_conditions() {
        let mut prints = trades(include_str!("../../fixtures/finnhub/trades.json"));
        let said: Vec<_> = prints
            .iter_mut()
            .map(|p| (p.source_symbol.clone(), p.price.clone().unwrap().to_string(), p.time_ms().unwrap()))
            .collect();
        assert_eq!(
            said,
            [
                ("AAPL".to_owned(), "231.5600".to_owned(), 1_767_215_601_234),
                ("BINANCE:BTCUSDT".to_owned(), "91250.01".to_owned(), 1_767_215_601_240),
                ("OANDA:EUR_USD".to_owned(), "1.17385".to_owned(), 1_767_215_601_251),
            ]
        );
        assert_eq!(prints[0].take_conditions(), ["1", "8", "24", "12"]);
        assert_eq!(prints[1].size.as_ref().unwrap().as_str(), "0.00011");
        assert!(!prints[2].size.as_ref().unwrap().is_positive(), "a price alone");
    }

    #[test]
    fn a_trade_that_cannot_be_read_does_not_spoil_the_others() {
        let text = r#"{"type":"trade","data":[{"p":1},{"s":"A","p":"NaN"},7,null,{"s":"A","p":"2.50"}]}"#;
        let prices: Vec<_> = trades(text).into_iter().map(|p| p.price.unwrap().to_string()).collect();
        assert_eq!(prices, ["2.50"]);
    }

    #[test]
    fn other_messages_are_told_apart() {
        assert_eq!(frame(r#"{"type":"ping"}"#), Ok(Frame::Ping));
        let error = frame(r#"{"type":"error","msg":"Invalid symbol FX:EURUSD"}"#);
        assert_eq!(error, Ok(Frame::Error("Invalid symbol FX:EURUSD".into())));
        assert_eq!(frame(r#"{"type":"news","data":[]}"#), Ok(Frame::Other("news".into())));
    }

    #[test]
    fn what_is_no_message_is_nonsense() {
        for text in [
            "",
            "hello",
            "[]",
            "{}",
            r#"{"type":"trade"}"#,
            r#"{"type":"trade","data":null}"#,
            r#"{"type":"trade","data":[{"s":"A","p":1.5"#,
        ] {
            assert!(matches!(frame(text), Err(Fault::Nonsense { .. })), "{text}");
        }
    }
}
