//! Alpaca's answer to `GET /v2/stocks/snapshots?symbols=`, by its documentation of 2026-11.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use tickerd_feed_provider::time::rfc3339_ms;
use tickerd_feed_provider::{Digits, Fault, Quote, is_ahead};

use super::conditions::{is_extended, sets_last_price};
use super::{SOURCE, Tape, trade_id};
use crate::listing::Listing;
use crate::quoted::{Quoted, read};
use crate::unit::Day;

/// A minute in milliseconds.
const MINUTE_MS: u64 = 60_000;
/// A day in milliseconds. Bars start at midnight in New York. Its clocks change on Sundays, when there is no trading,
/// so each trading day has this length.
const DAY_MS: u64 = 86_400_000;

/// An answer: the snapshots of the symbols that were asked for.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Snapshots(BTreeMap<String, Box<RawValue>>);

#[derive(Deserialize)]
struct Snapshot {
    #[serde(rename = "latestTrade")]
    trade: Option<Last>,
    #[serde(rename = "latestQuote")]
    quote: Option<Best>,
    #[serde(rename = "minuteBar")]
    minute: Option<Bar>,
    #[serde(rename = "dailyBar")]
    day: Option<Bar>,
    #[serde(rename = "prevDailyBar")]
    day_before: Option<Bar>,
}

#[derive(Deserialize)]
struct Last {
    t: Option<String>,
    x: Option<String>,
    p: Option<Digits>,
    c: Option<Vec<String>>,
    i: Option<Digits>,
    z: Option<String>,
}

impl Last {
    fn ms(&self) -> Option<u64> {
        self.t.as_deref().and_then(rfc3339_ms)
    }

    fn id(&self) -> Option<String> {
        self.i.as_ref().map(|number| trade_id(self.x.as_deref(), number))
    }
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

impl Bar {
    fn ms(&self) -> Option<u64> {
        self.t.as_deref().and_then(rfc3339_ms)
    }
}

impl Snapshots {
    /// The answer itself, if it holds snapshots.
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

    /// The quote of one symbol. `now_ms` is this machine's clock, in Unix milliseconds.
    ///
    /// # Errors
    /// [`Fault::Unknown`] if the answer says nothing of the symbol; [`Fault::Nonsense`] if it holds no price.
    pub(crate) fn quote(&self, listing: &Listing, tape: Tape, now_ms: u64) -> Result<Quoted, Fault> {
        let source_symbol = &listing.source_symbol;
        let Some(said) = self.0.get(source_symbol).map(|said| said.get()).filter(|said| *said != "null")
        else {
            let tape = tape.name();
            return Err(Fault::Unknown {
                message: format!("Alpaca has nothing of `{source_symbol}` on {tape}"),
            });
        };
        let snapshot: Snapshot = read(said, "a snapshot")?;
        let trade_ms = snapshot.trade.as_ref().and_then(Last::ms);
        let day_ms = snapshot.day.as_ref().and_then(Bar::ms);
        // Before the first regular trade of a day, the daily bar is still that of the trading day before. A trade
        // dated ahead of this machine's clock says nothing about that.
        let traded_ms = trade_ms.filter(|ms| !is_ahead(*ms, now_ms));
        let is_over = matches!((traded_ms, day_ms), (Some(trade), Some(day)) if trade >= day + DAY_MS);
        let (day, day_before) =
            if is_over { (None, snapshot.day) } else { (snapshot.day, snapshot.day_before) };

        let unit = &listing.unit;
        let range = day.as_ref().map(|day| Day::new(day.l.as_ref(), day.h.as_ref())).unwrap_or_default();
        // A trade that does not set the last price, was cancelled or lies outside the day is not used. The bars leave
        // such trades out.
        let marks = snapshot.trade.as_ref().and_then(|trade| trade.c.as_deref()).unwrap_or_default();
        let is_extended = is_extended(marks);
        let traded = snapshot.trade.filter(|trade| {
            let marks = trade.c.as_deref().unwrap_or_default();
            sets_last_price(marks, trade.z.as_deref())
                && !trade.id().is_some_and(|id| listing.last.is_cancelled(&id, trade_ms))
                && trade.p.as_ref().is_some_and(|price| range.holds(price))
        });
        let trade_id = traded.as_ref().and_then(Last::id);
        let bar = day.as_ref().or(day_before.as_ref()).and_then(|day| day.c.clone());
        // A bar's last minute is known only to its start.
        let minute_ms = snapshot.minute.as_ref().and_then(Bar::ms).map(|ms| ms + MINUTE_MS);
        let order_ms = trade_ms.or(minute_ms);
        let (price, time_ms) = match traded {
            Some(trade) => (trade.p, trade_ms),
            // The close of a day that is over is of another minute. The day of a trade in extended hours is over, or
            // has not begun.
            None => (bar.clone(), minute_ms.filter(|_| day.is_some() && !is_extended)),
        };
        let price = range.last(unit, price, source_symbol)?;
        let mut quote = Quote::new(&listing.symbol, source_symbol, SOURCE, price);
        if let Some(best) = snapshot.quote {
            quote.bid = range.price(unit, best.bp);
            quote.ask = range.price(unit, best.ap);
        }
        if let Some(day) = day {
            quote.open = range.price(unit, day.o);
            quote.high = range.price(unit, day.h);
            quote.low = range.price(unit, day.l);
            quote.volume = day.v;
        }
        quote.prev_close = range.price(unit, day_before.and_then(|day| day.c));
        quote.currency.clone_from(&unit.currency);
        quote.source_currency.clone_from(&unit.source_currency);
        quote.delay_s = Some(tape.delay_s());
        let otherwise = bar.filter(|bar| range.holds(bar)).and_then(|bar| unit.price(Some(bar)));
        Ok(Quoted { quote, time_ms, order_ms, trade_id, otherwise })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = include_str!("../../fixtures/alpaca/snapshots.json");
    /// Some hours after the fixture.
    const NOW_MS: u64 = 1_767_225_600_000;

    fn quote(body: &str, symbol: &str) -> Result<Quoted, Fault> {
        read::<Snapshots>(body, "snapshots by symbol")?.checked()?.quote(
            &Listing::named(symbol, Some("USD")),
            Tape::Iex,
            NOW_MS,
        )
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
    fn a_trade_that_is_not_the_last_price_gives_way_to_the_bar() {
        let body = |trade: &str| {
            format!(
                r#"{{"X":{{"latestTrade":{{"t":"2025-12-31T15:00:30Z","x":"D","i":7,"s":100,{trade}}},
                "minuteBar":{{"t":"2025-12-31T14:59:00Z","c":70.1}},
                "dailyBar":{{"t":"2025-12-31T05:00:00Z","o":70,"h":71,"l":69,"c":70.1,"v":5}}}}}}"#
            )
        };
        for trade in [
            r#""p":70.5,"c":["@","I"],"z":"C""#,
            r#""p":70.5,"c":[" ","B"],"z":"A""#,
            r#""p":173.28,"c":["@"],"z":"C""#,
            r#""p":0,"c":["@"],"z":"C""#,
        ] {
            let said = quote(&body(trade), "X").unwrap();
            let is = (said.quote.price.as_str(), said.time_ms, said.trade_id);
            assert_eq!(is, ("70.1", Some(1_767_193_200_000), None), "{trade}");
        }
        let said = quote(&body(r#""p":70.5,"c":["@"],"z":"C""#), "X").unwrap();
        assert_eq!((said.quote.price.as_str(), said.time_ms), ("70.5", Some(1_767_193_230_000)));
        assert_eq!(said.trade_id.as_deref(), Some("D-7"));
        assert_eq!(said.otherwise.unwrap().as_str(), "70.1");
    }

    /// The close of Friday, asked for on Monday, or that of a day, asked for in its evening.
    #[test]
    fn an_old_close_is_not_told_with_the_time_of_this_minute() {
        for (mark, day, volume) in [
            ("T", "2025-12-26T05:00:00Z", None),
            ("I", "2025-12-26T05:00:00Z", None),
            ("T", "2025-12-29T05:00:00Z", Some("5")),
            ("U", "2025-12-29T05:00:00Z", Some("5")),
        ] {
            let body = format!(
                r#"{{"X":{{"latestTrade":{{"t":"2025-12-29T13:02:30Z","x":"D","i":7,"p":70.5,"c":["@","{mark}"],"z":"C"}},
                "minuteBar":{{"t":"2025-12-29T13:02:00Z","c":70.5}},
                "dailyBar":{{"t":"{day}","o":70,"h":71,"l":69,"c":70.1,"v":5}}}}}}"#
            );
            let said = quote(&body, "X").unwrap();
            assert_eq!((said.quote.price.as_str(), said.time_ms), ("70.1", None), "{mark} {day}");
            assert_eq!(said.order_ms, Some(1_767_013_350_000), "{mark} {day}");
            assert_eq!(said.quote.volume.as_ref().map(Digits::as_str), volume, "{mark} {day}");
        }
    }

    #[test]
    fn a_trade_that_was_cancelled_is_not_the_last_price() {
        let body = r#"{"X":{"latestTrade":{"t":"2025-12-31T15:00:30Z","x":"D","i":7,"p":70.5},
            "dailyBar":{"t":"2025-12-31T05:00:00Z","h":71,"l":69,"c":70.1}}}"#;
        let mut listing = Listing::named("X", None);
        let price = |listing: &Listing| {
            let snapshots = read::<Snapshots>(body, "snapshots by symbol").unwrap();
            snapshots.quote(listing, Tape::Iex, NOW_MS).unwrap().quote.price.to_string()
        };
        assert_eq!(price(&listing), "70.5");
        listing.last.corrected("D-7", None, Some(1_767_193_240_000));
        assert_eq!(price(&listing), "70.1");
    }

    #[test]
    fn prices_below_zero_are_prices() {
        let body = r#"{"X":{"latestTrade":{"p":-0.25},"latestQuote":{"bp":-0.30,"ap":0},
            "dailyBar":{"h":0.10,"l":-0.40,"o":0,"c":-0.25},"prevDailyBar":{"c":-0.05}}}"#;
        let said = quote(body, "X").unwrap().quote;
        let told = [Some(said.price), said.bid, said.ask, said.open, said.low, said.prev_close];
        assert_eq!(
            told.map(|price| price.unwrap().to_string()),
            ["-0.25", "-0.30", "0", "0", "-0.40", "-0.05"]
        );
    }

    #[test]
    fn a_trade_dated_ahead_does_not_end_the_day() {
        let said = quote(&BODY.replacen("2025-12-31T21:13:20.943947698Z", "2026-01-02T21:13:20Z", 1), "AAPL");
        let said = said.unwrap().quote;
        assert_eq!((said.prev_close.unwrap().as_str(), said.volume.unwrap().as_str()), ("230.10", "1180799"));
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
            (
                r#"{"X":{"latestTrade":{"p":500},"dailyBar":{"h":71,"l":69,"c":72}}}"#,
                "a price of 72 came for X; the day's are 69 to 71",
            ),
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
