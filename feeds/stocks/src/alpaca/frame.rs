//! What comes over Alpaca's stream of market data, by its documentation of 2026-11.

use serde::Deserialize;
use serde_json::value::RawValue;
use tickerd_feed_provider::time::rfc3339_ms;
use tickerd_feed_provider::{Digits, Fault, Trade};

use super::{SOURCE, Tape};
use crate::listing::Listing;
use crate::quoted::{Traded, read};

/// One of the messages that a text frame holds.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    /// The server is there: time to say who we are.
    Connected,
    /// It knows us: time to subscribe.
    Authenticated,
    /// What is subscribed to now, by the source's names.
    Subscribed(Vec<String>),
    /// One trade.
    Trade(Print),
    /// It refuses something.
    Error { code: u32, message: String },
    /// A kind that was not asked for, or is not documented.
    Other(String),
}

/// One trade as Alpaca writes it.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Print {
    #[serde(rename = "S")]
    pub(crate) source_symbol: String,
    #[serde(rename = "i")]
    id: Option<Digits>,
    #[serde(rename = "x")]
    exchange: Option<String>,
    #[serde(rename = "p")]
    pub(crate) price: Option<Digits>,
    #[serde(rename = "s")]
    size: Option<Digits>,
    #[serde(rename = "t")]
    time: Option<String>,
    #[serde(rename = "c")]
    conditions: Option<Vec<String>>,
}

impl Print {
    /// The trade. Its id is the exchange's letter and number, as `V-10593`: the number alone is one exchange's.
    ///
    /// # Errors
    /// [`Fault::Nonsense`]: it holds no price.
    pub(crate) fn traded(self, listing: &Listing, tape: Tape) -> Result<Traded, Fault> {
        let unit = &listing.unit;
        let price = unit.last(self.price, &self.source_symbol)?;
        let exchange = self.exchange.map_or_else(String::new, |exchange| format!("{exchange}-"));
        let trade = Trade {
            symbol: listing.symbol.clone(),
            source_symbol: self.source_symbol,
            source: SOURCE,
            id: self.id.map(|id| format!("{exchange}{id}")),
            price,
            size: self.size.filter(Digits::is_positive),
            side: None,
            currency: unit.currency.clone(),
            delay_s: Some(tape.delay_s()),
            conditions: self.conditions.unwrap_or_default(),
        };
        Ok(Traded { trade, time_ms: self.time.as_deref().and_then(rfc3339_ms) })
    }
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "T")]
    kind: String,
    msg: Option<String>,
    code: Option<u32>,
    #[serde(default)]
    trades: Option<Vec<String>>,
}

/// Reads the messages in a text frame. One that cannot be read does not spoil the others.
///
/// # Errors
/// [`Fault::Nonsense`]: it is not an array.
pub(crate) fn messages(text: &str) -> Result<Vec<Result<Message, Fault>>, Fault> {
    let messages: Vec<&RawValue> = read(text, "an array of messages")?;
    Ok(messages.into_iter().map(|message| self::message(message.get())).collect())
}

fn message(text: &str) -> Result<Message, Fault> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(rename = "T", borrow)]
        kind: std::borrow::Cow<'a, str>,
    }
    let kind: Kind = read(text, "a message")?;
    if kind.kind == "t" {
        return Ok(Message::Trade(read(text, "a trade")?));
    }
    let head: Head = read(text, "a message")?;
    let said = head.msg.unwrap_or_default();
    Ok(match (head.kind.as_str(), said.as_str()) {
        ("success", "connected") => Message::Connected,
        ("success", "authenticated") => Message::Authenticated,
        ("subscription", _) => Message::Subscribed(head.trades.unwrap_or_default()),
        ("error", _) => Message::Error { code: head.code.unwrap_or(0), message: said },
        _ => Message::Other(head.kind),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Message {
        messages(text).unwrap().remove(0).unwrap()
    }

    #[test]
    fn trades_keep_their_digits() {
        let mut said = messages(include_str!("../../fixtures/alpaca/trades.json")).unwrap();
        assert_eq!(said.len(), 3);
        let Ok(Message::Trade(print)) = said.remove(0) else { panic!("a trade") };
        let Traded { trade, time_ms } =
            print.traded(&Listing::named("AAPL", None), Tape::DelayedSip).unwrap();
        assert_eq!(
            serde_json::to_string(&trade).unwrap(),
            r#"{"symbol":"AAPL","source_symbol":"AAPL","source":"alpaca","id":"V-10594","price":"231.5100","size":"100","delay_s":900,"conditions":["@","I"]}"#
        );
        assert_eq!(time_ms, Some(1_767_215_601_234));
        assert_eq!(said[0].as_ref().unwrap(), &Message::Other("q".into()));
        assert!(said[1].is_err(), "a trade without a symbol");
    }

    #[test]
    fn the_greeting_and_errors_are_told_apart() {
        assert_eq!(one(r#"[{"T":"success","msg":"connected"}]"#), Message::Connected);
        assert_eq!(one(r#"[{"T":"success","msg":"authenticated"}]"#), Message::Authenticated);
        let subscribed = one(r#"[{"T":"subscription","trades":["AAPL"],"quotes":[],"bars":[]}]"#);
        assert_eq!(subscribed, Message::Subscribed(vec!["AAPL".into()]));
        let error = one(r#"[{"T":"error","code":405,"msg":"symbol limit exceeded"}]"#);
        assert_eq!(error, Message::Error { code: 405, message: "symbol limit exceeded".into() });
    }

    #[test]
    fn what_is_no_message_is_nonsense() {
        for text in ["", "{}", "null", "<html>", r#"[{"T":"t""#] {
            assert!(matches!(messages(text), Err(Fault::Nonsense { .. })), "{text}");
        }
        for text in ["[{}]", "[1]", r#"[{"T":3}]"#, r#"[{"T":"t","S":"A","p":"high"}]"#] {
            assert!(matches!(messages(text).unwrap()[0], Err(Fault::Nonsense { .. })), "{text}");
        }
    }

    #[test]
    fn a_trade_without_a_price_above_zero_is_refused() {
        for price in ["0", "-2", "null"] {
            let Message::Trade(print) = one(&format!(r#"[{{"T":"t","S":"A","p":{price}}}]"#)) else {
                panic!()
            };
            assert!(print.traded(&Listing::named("A", None), Tape::Iex).is_err(), "{price}");
        }
    }
}
