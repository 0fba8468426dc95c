//! Alpaca's answer to `GET /v2/stocks/snapshots?symbols=`, by its documentation of 2026-11.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use tickerd_feed_provider::time::rfc3339_ms;
use tickerd_feed_provider::{Digits, Fault, Quote};

use super::{SOURCE, Tape};
use crate::listing::Listing;
use crate::quoted::{Quoted, read};

/// A day in milliseconds. Bars start at midnight in New York, and its clocks change on Sundays, without trading.
const DAY_MS: u64 = 86_400_000;

/// An answer: what is known of each symbol that was asked for.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Snapshots(BTreeMap<String, Box<RawValue>>);

#[derive(Deserialize)]
struct Snapshot {
    #[serde(rename = "latestTrade")]
    trade: Option<Last>,
    #[serde(rename = "latestQuote")]
    quote: Option<Best>,
    #[serde(rename = "dailyBar")]
    day: Option<Bar>,
    #[serde(rename = "prevDailyBar")]
    day_before: Option<Bar>,
}

#[derive(Deserialize)]
struct Last {
    t: Option<String>,
    p: Option<Digits>,
}

#[derive(Deserialize)]
struct Best {
    ap: Option<Digits>,
    bp: Option<Digits>,
}

#[derive(Deserialize)]
struct Bar {
    t: Option<String>,
    o: Option<Digits>,
    h: Option<Digits>,
    l: Option<Digits>,
    c: Option<Digits>,
    v: Option<Digits>,
}

impl Snapshots {
    /// The answer, if it is one.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] if it is an error in words under status 200.
    pub(crate) fn checked(self) -> Result<Snapshots, Fault> {
        match self.0.get("message").map(|message| message.get()) {
            Some(text) if text.starts_with('"') => {
                let text: String = text.chars().take(200).collect();
                Err(Fault::Unavailable { message: format!("Alpaca said {text}") })
            }
            _ => Ok(self),
        }
    }

    /// What it says of one symbol.
    ///
    /// # Errors
    /// [`Fault::Unknown`]: nothing. [`Fault::Nonsense`]: it holds no price.
    pub(crate) fn quote(&self, listing: &Listing, tape: Tape) -> Result<Quoted, Fault> {
        let source_symbol = &listing.source_symbol;
        let Some(said) = self.0.get(source_symbol).map(|said| said.get()).filter(|said| *said != "null")
        else {
            let tape = tape.name();
            return Err(Fault::Unknown {
                message: format!("Alpaca has nothing of `{source_symbol}` on {tape}"),
            });
        };
        let snapshot: Snapshot = read(said, "a snapshot")?;
        let trade_ms = snapshot.trade.as_ref().and_then(|trade| trade.t.as_deref().and_then(rfc3339_ms));
        let traded = snapshot.trade.and_then(|trade| trade.p).filter(Digits::is_positive);
        let day_ms = snapshot.day.as_ref().and_then(|day| day.t.as_deref().and_then(rfc3339_ms));
        // Before the first regular trade of a day, the daily bar is still that of the trading day before.
        let is_over = matches!((trade_ms, day_ms), (Some(trade), Some(day)) if trade >= day + DAY_MS);
        let (day, day_before) =
            if is_over { (None, snapshot.day) } else { (snapshot.day, snapshot.day_before) };

        let unit = &listing.unit;
        let (price, time_ms) = match traded {
            Some(price) => (Some(price), trade_ms),
            None => (day.as_ref().and_then(|day| day.c.clone()), None),
        };
        let price = unit.last(price, source_symbol)?;
        let mut quote = Quote::new(&listing.symbol, source_symbol, SOURCE, price);
        if let Some(best) = snapshot.quote {
            quote.bid = unit.price(best.bp);
            quote.ask = unit.price(best.ap);
        }
        if let Some(day) = day {
            quote.open = unit.price(day.o);
            quote.high = unit.price(day.h);
            quote.low = unit.price(day.l);
            quote.volume = day.v;
        }
        quote.prev_close = unit.price(day_before.and_then(|day| day.c));
        quote.currency.clone_from(&unit.currency);
        quote.source_currency.clone_from(&unit.source_currency);
        quote.delay_s = Some(tape.delay_s());
        Ok(Quoted { quote, time_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = include_str!("../../fixtures/alpaca/snapshots.json");

    fn quote(body: &str, symbol: &str) -> Result<Quoted, Fault> {
        read::<Snapshots>(body, "snapshots by symbol")?
            .checked()?
            .quote(&Listing::named(symbol, Some("USD")), Tape::Iex)
    }

    #[test]
    fn a_snapshot_keeps_its_digits() {
        let said = quote(BODY, "AAPL").unwrap();
        assert_eq!(
            serde_json::to_string(&said.quote).unwrap(),
            r#"{"symbol":"AAPL","source_symbol":"AAPL","source":"alpaca","price":"231.505","bid":"231.50","ask":"231.52","open":"229.87","high":"232.140","low":"228.90","prev_close":"230.10","volume":"1180799","currency":"USD","delay_s":0}"#
        );
        assert_eq!(said.time_ms, Some(1_767_215_600_943));
    }

    #[test]
    fn parts_that_are_null_or_absent_are_left_out() {
        let said = quote(BODY, "MSFT").unwrap();
        assert_eq!((said.quote.price.as_str(), said.time_ms), ("402.5", None), "the day's last price");
        assert_eq!((said.quote.bid, said.quote.prev_close), (None, None));
        let said = quote(r#"{"X":{"latestTrade":{"p":1.50},"latestQuote":{"bp":0,"ap":1.6}}}"#, "X").unwrap();
        assert_eq!((said.quote.bid, said.quote.ask.unwrap().as_str()), (None, "1.6"));
    }

    #[test]
    fn before_the_first_trade_of_a_day_its_bar_is_the_day_before() {
        let body = r#"{"X":{"latestTrade":{"t":"2025-12-31T13:00:00Z","p":10.5},
            "dailyBar":{"t":"2025-12-30T05:00:00Z","o":9,"h":11,"l":8,"c":10,"v":5},
            "prevDailyBar":{"t":"2025-12-29T05:00:00Z","c":7}}}"#;
        let said = quote(body, "X").unwrap().quote;
        assert_eq!((said.prev_close.unwrap().as_str(), said.open, said.volume), ("10", None, None));
    }

    #[test]
    fn a_symbol_that_is_missing_or_null_is_unknown() {
        for symbol in ["NONE", "GONE"] {
            let words = format!("Alpaca has nothing of `{symbol}` on iex");
            assert_eq!(quote(BODY, symbol).unwrap_err(), Fault::Unknown { message: words });
        }
    }

    #[test]
    fn what_holds_no_price_is_told_for_what_it_is() {
        for (body, words) in [
            (r#"{"X":{}}"#, "no price came for X"),
            (r#"{"X":{"latestTrade":null,"dailyBar":{"c":0}}}"#, "a price of 0 came for X"),
            (r#"{"X":{"latestTrade":{"p":-1}}}"#, "no price came for X"),
            (r#"{"X":{"latestTrade":{"p":"NaN"}}}"#, "NaN: not a decimal number"),
            (r#"{"X":[1]}"#, "expected a snapshot, got `[1]`"),
            (r#"{"X":{"latestTrade":{"#, "expected snapshots by symbol"),
            ("<!doctype html>", "got `<!doctype html>`"),
            ("[]", "expected snapshots by symbol"),
        ] {
            let Err(Fault::Nonsense { message }) = quote(body, "X") else { panic!("{body}") };
            assert!(message.contains(words), "{body}: {message}");
        }
    }

    #[test]
    fn an_error_under_status_200_is_told() {
        let fault = quote(r#"{"message":"internal server error"}"#, "X").unwrap_err();
        assert_eq!(fault, Fault::Unavailable { message: "Alpaca said \"internal server error\"".into() });
    }
}
