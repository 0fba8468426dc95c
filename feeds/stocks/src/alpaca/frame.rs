//! What comes over Alpaca's stream of market data, by its documentation of 2026-11.

use serde::Deserialize;
use serde_json::value::RawValue;
use tickerd_feed_provider::time::rfc3339_ms;
use tickerd_feed_provider::{Action, Correction, Digits, Fault, Trade};

use super::conditions::sets_last_price;
use super::{SOURCE, Tape, trade_id};
use crate::last;
use crate::listing::Listing;
use crate::quoted::{Traded, read};

/// One of the messages that a text frame holds.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    /// The server is there. The feed has to authenticate now.
    Connected,
    /// The server accepted the key. The feed has to subscribe now.
    Authenticated,
    /// What is subscribed to now, by the source's names.
    Subscribed(Vec<String>),
    /// One trade.
    Trade(Print),
    /// A trade was cancelled, by the exchange or by Alpaca.
    Cancel(Cancel),
    /// A trade was corrected.
    Correct(Correct),
    /// The server refuses something.
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
    #[serde(rename = "z")]
    tape: Option<String>,
}

/// A trade that was cancelled, or was an error.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Cancel {
    #[serde(rename = "S")]
    pub(crate) source_symbol: String,
    #[serde(rename = "i")]
    id: Digits,
    #[serde(rename = "x")]
    exchange: Option<String>,
    #[serde(rename = "p")]
    price: Option<Digits>,
    #[serde(rename = "s")]
    size: Option<Digits>,
    #[serde(rename = "t")]
    time: Option<String>,
}

/// A trade, and the one in its place.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Correct {
    #[serde(rename = "S")]
    pub(crate) source_symbol: String,
    #[serde(rename = "x")]
    exchange: Option<String>,
    #[serde(rename = "oi")]
    id: Digits,
    #[serde(rename = "op")]
    price: Option<Digits>,
    #[serde(rename = "os")]
    size: Option<Digits>,
    #[serde(rename = "ci")]
    new_id: Option<Digits>,
    #[serde(rename = "cp")]
    new_price: Option<Digits>,
    #[serde(rename = "cs")]
    new_size: Option<Digits>,
    #[serde(rename = "cc")]
    new_conditions: Option<Vec<String>>,
    #[serde(rename = "t")]
    time: Option<String>,
    #[serde(rename = "z")]
    tape: Option<String>,
}

/// What a cancel or a correction does.
#[derive(Debug, PartialEq)]
pub(crate) struct Corrected {
    pub(crate) correction: Correction,
    /// The trade that sets the price in its place.
    pub(crate) by: Option<last::Print>,
    pub(crate) time_ms: Option<u64>,
}

impl Cancel {
    pub(crate) fn corrected(self, listing: &Listing) -> Corrected {
        let unit = &listing.unit;
        let correction = Correction {
            symbol: listing.symbol.clone(),
            source_symbol: self.source_symbol,
            source: SOURCE,
            action: Action::Cancelled,
            id: trade_id(self.exchange.as_deref(), &self.id),
            price: unit.price(self.price),
            size: self.size,
            new_id: None,
            new_price: None,
            new_size: None,
            currency: unit.currency.clone(),
        };
        Corrected { correction, by: None, time_ms: self.time.as_deref().and_then(rfc3339_ms) }
    }
}

impl Correct {
    pub(crate) fn corrected(self, listing: &Listing) -> Corrected {
        let (unit, exchange) = (&listing.unit, self.exchange.as_deref());
        let (new_id, new_price) = (self.new_id.map(|id| trade_id(exchange, &id)), unit.price(self.new_price));
        let sets_price =
            sets_last_price(self.new_conditions.as_deref().unwrap_or_default(), self.tape.as_deref());
        let by = new_price.clone().filter(|_| sets_price);
        let correction = Correction {
            symbol: listing.symbol.clone(),
            source_symbol: self.source_symbol,
            source: SOURCE,
            action: Action::Corrected,
            id: trade_id(exchange, &self.id),
            price: unit.price(self.price),
            size: self.size,
            new_id: new_id.clone(),
            new_price,
            new_size: self.new_size,
            currency: unit.currency.clone(),
        };
        Corrected {
            correction,
            // The corrected trade keeps the time of the first.
            by: by.map(|price| last::Print { id: new_id, price, time_ms: None }),
            time_ms: self.time.as_deref().and_then(rfc3339_ms),
        }
    }
}

impl Print {
    /// The trade in the shape of all sources.
    ///
    /// # Errors
    /// [`Fault::Nonsense`]: it holds no price.
    pub(crate) fn traded(self, listing: &Listing, tape: Tape) -> Result<Traded, Fault> {
        let unit = &listing.unit;
        let price = unit.traded(self.price, &self.source_symbol)?;
        let conditions = self.conditions.unwrap_or_default();
        let sets_price = sets_last_price(&conditions, self.tape.as_deref());
        let trade = Trade {
            symbol: listing.symbol.clone(),
            source_symbol: self.source_symbol,
            source: SOURCE,
            id: self.id.map(|id| trade_id(self.exchange.as_deref(), &id)),
            price,
            size: self.size.filter(Digits::is_positive),
            side: None,
            currency: unit.currency.clone(),
            delay_s: Some(tape.delay_s()),
            conditions,
        };
        Ok(Traded { trade, time_ms: self.time.as_deref().and_then(rfc3339_ms), sets_price })
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
    match kind.kind.as_ref() {
        "t" => return Ok(Message::Trade(read(text, "a trade")?)),
        "x" => return Ok(Message::Cancel(read(text, "a cancelled trade")?)),
        "c" => return Ok(Message::Correct(read(text, "a corrected trade")?)),
        _ => {}
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
        let Traded { trade, time_ms, sets_price } =
            print.traded(&Listing::named("AAPL", None), Tape::DelayedSip).unwrap();
        assert_eq!(
            serde_json::to_string(&trade).unwrap(),
            r#"{"symbol":"AAPL","source_symbol":"AAPL","source":"alpaca","id":"V-10594","price":"231.5100","size":"100","delay_s":900,"conditions":["@","I"]}"#
        );
        assert_eq!((time_ms, sets_price), (Some(1_767_215_601_234), false), "an odd lot");
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
    fn cancels_and_corrections_name_their_trades() {
        let said = messages(include_str!("../../fixtures/alpaca/corrections.json")).unwrap();
        let listing = Listing::named("RCL", Some("USD"));
        let corrected: Vec<_> = said
            .into_iter()
            .map(|message| match message.unwrap() {
                Message::Cancel(cancel) => cancel.corrected(&listing),
                Message::Correct(correct) => correct.corrected(&listing),
                other => panic!("{other:?}"),
            })
            .collect();
        let json: Vec<_> =
            corrected.iter().map(|said| serde_json::to_string(&said.correction).unwrap()).collect();
        assert_eq!(
            json,
            [
                r#"{"symbol":"RCL","source_symbol":"RCL","source":"alpaca","action":"cancelled","id":"D-71684334236466","price":"173.28","size":"20100","currency":"USD"}"#,
                r#"{"symbol":"RCL","source_symbol":"RCL","source":"alpaca","action":"corrected","id":"M-52983525097785","price":"44.54","size":"3817","new_id":"M-52983525098568","new_price":"44.55","new_size":"297726","currency":"USD"}"#,
            ]
        );
        assert_eq!(corrected[0].time_ms, Some(1_767_215_604_024));
        assert_eq!(corrected[1].by, None, "a contingent trade sets no price");
    }

    #[test]
    fn a_trade_without_a_price_is_refused_and_one_below_zero_is_none() {
        let Message::Trade(print) = one(r#"[{"T":"t","S":"A","p":-2.50}]"#) else { panic!() };
        let said = print.traded(&Listing::named("A", None), Tape::Iex).unwrap();
        assert_eq!(said.trade.price.as_str(), "-2.50");
        for price in ["0", "null"] {
            let Message::Trade(print) = one(&format!(r#"[{{"T":"t","S":"A","p":{price}}}]"#)) else {
                panic!()
            };
            assert!(print.traded(&Listing::named("A", None), Tape::Iex).is_err(), "{price}");
        }
    }
}
