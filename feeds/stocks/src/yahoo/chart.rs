//! Yahoo's answer to `GET /v8/finance/chart/<symbol>`. It is not documented; the shapes are those that public clients
//! have met by 2026-11.

use serde::Deserialize;
use tickerd_feed_provider::{Digits, Fault, Quote, Session};

use super::SOURCE;
use crate::listing::Listing;
use crate::quoted::{Quoted, seconds};
use crate::unit::{Day, Unit};

/// An answer.
#[derive(Deserialize)]
pub(crate) struct Answer {
    chart: Option<Body<Chart>>,
    /// Refusals come in this field.
    finance: Option<Body<serde_json::Value>>,
}

#[derive(Deserialize)]
struct Body<T> {
    result: Option<Vec<T>>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize)]
struct Chart {
    meta: Meta,
    timestamp: Option<Vec<Option<Digits>>>,
    indicators: Option<Indicators>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    currency: Option<String>,
    instrument_type: Option<String>,
    regular_market_time: Option<Digits>,
    regular_market_price: Option<Digits>,
    regular_market_day_high: Option<Digits>,
    regular_market_day_low: Option<Digits>,
    regular_market_volume: Option<Digits>,
    previous_close: Option<Digits>,
    chart_previous_close: Option<Digits>,
    current_trading_period: Option<Periods>,
}

#[derive(Deserialize)]
struct Periods {
    pre: Option<Span>,
    regular: Option<Span>,
    post: Option<Span>,
}

#[derive(Deserialize)]
struct Span {
    start: Option<Digits>,
    end: Option<Digits>,
}

#[derive(Deserialize)]
struct Indicators {
    quote: Option<Vec<Option<Candles>>>,
}

#[derive(Deserialize)]
struct Candles {
    close: Option<Vec<Option<Digits>>>,
}

impl Answer {
    /// The quote in the answer. `now_ms` gives the session within the hours that the answer tells.
    ///
    /// # Errors
    /// [`Fault::Unknown`], [`Fault::Refused`], [`Fault::Limited`] or [`Fault::Unavailable`] as the error in it says;
    /// [`Fault::Nonsense`] if it holds no price.
    pub(crate) fn quote(self, listing: &Listing, now_ms: u64) -> Result<Quoted, Fault> {
        let source_symbol = &listing.source_symbol;
        if let Some(refusal) = self.refusal() {
            return Err(refused(refusal, source_symbol));
        }
        let chart = self.chart.and_then(|body| body.result).and_then(|charts| charts.into_iter().next());
        let Some(Chart { meta, timestamp, indicators }) = chart else {
            return Err(Fault::Nonsense {
                message: format!("a chart without content came for {source_symbol}"),
            });
        };

        let said = Unit::of(meta.currency.as_deref());
        let unit = if said == Unit::default() { &listing.unit } else { &said };
        let order_ms = seconds(meta.regular_market_time.as_ref());
        let day = Day::new(meta.regular_market_day_low.as_ref(), meta.regular_market_day_high.as_ref());
        let (price, time_ms) = match meta.regular_market_price {
            Some(price) if day.holds(&price) => (Some(price), order_ms),
            // The price is not of this day, or 0. The youngest minute's price replaces it.
            said => last_close(indicators, timestamp, &day)
                .map_or((said, order_ms), |(price, at)| (Some(price), at)),
        };
        let price = day.last(unit, price, source_symbol)?;
        let mut quote = Quote::new(&listing.symbol, source_symbol, SOURCE, price);
        quote.high = day.price(unit, meta.regular_market_day_high);
        quote.low = day.price(unit, meta.regular_market_day_low);
        quote.prev_close = day.price(unit, meta.previous_close.or(meta.chart_previous_close));
        quote.volume = meta.regular_market_volume;
        quote.currency.clone_from(&unit.currency);
        quote.source_currency.clone_from(&unit.source_currency);
        quote.session = match meta.instrument_type.as_deref() {
            Some("CRYPTOCURRENCY") => Some(Session::Always),
            _ => meta.current_trading_period.and_then(|periods| session(&periods, now_ms)),
        };
        Ok(Quoted { order_ms, ..Quoted::new(quote, time_ms) })
    }

    fn refusal(&self) -> Option<&Refusal> {
        let chart = self.chart.as_ref().and_then(|body| body.error.as_ref());
        chart.or_else(|| self.finance.as_ref().and_then(|body| body.error.as_ref()))
    }
}

fn refused(refusal: &Refusal, source_symbol: &str) -> Fault {
    let code = refusal.code.as_deref().unwrap_or("an error");
    let words: String = refusal.description.as_deref().unwrap_or("nothing more").chars().take(200).collect();
    let message = format!("Yahoo said `{code}` for {source_symbol}: {words}");
    match code {
        "Not Found" | "Bad Request" | "Unprocessable Entity" => Fault::Unknown { message },
        "Unauthorized" | "Forbidden" => Fault::Refused { status: 401, message },
        "Too Many Requests" => Fault::Limited { wait: None, message },
        _ => Fault::Unavailable { message },
    }
}

/// The youngest price of the day among the candles; some candles are null.
fn last_close(
    indicators: Option<Indicators>,
    timestamp: Option<Vec<Option<Digits>>>,
    day: &Day,
) -> Option<(Digits, Option<u64>)> {
    let closes = indicators?.quote?.into_iter().next()??.close?;
    let times = timestamp.unwrap_or_default();
    closes.into_iter().enumerate().rev().find_map(|(i, close)| {
        let at = times.get(i).and_then(|time| seconds(time.as_ref()));
        Some((close.filter(|close| day.holds(close))?, at))
    })
}

/// The session at `now_ms`. `None` if there are no hours.
fn session(periods: &Periods, now_ms: u64) -> Option<Session> {
    let within = |span: &Option<Span>| -> Option<bool> {
        let span = span.as_ref()?;
        Some((seconds(span.start.as_ref())?..seconds(span.end.as_ref())?).contains(&now_ms))
    };
    let regular = within(&periods.regular)?;
    Some(if regular {
        Session::Regular
    } else if within(&periods.pre) == Some(true) {
        Session::Pre
    } else if within(&periods.post) == Some(true) {
        Session::Post
    } else {
        Session::Closed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = include_str!("../../fixtures/yahoo/chart.json");
    /// Within the regular hours of the fixture.
    const NOW_MS: u64 = 1_767_200_000_000;

    fn quote(body: &str, listing: &Listing, now_ms: u64) -> Result<Quoted, Fault> {
        crate::quoted::read::<Answer>(body, "a chart")?.quote(listing, now_ms)
    }

    fn said(body: &str) -> Result<Quoted, Fault> {
        quote(body, &Listing::named("AAPL", None), NOW_MS)
    }

    #[test]
    fn a_chart_keeps_its_digits() {
        let Quoted { quote, time_ms, .. } = said(BODY).unwrap();
        assert_eq!(
            serde_json::to_string(&quote).unwrap(),
            r#"{"symbol":"AAPL","source_symbol":"AAPL","source":"yahoo","price":"231.50","high":"232.14","low":"228.9","prev_close":"230.10","volume":"51447349","currency":"USD","session":"regular"}"#
        );
        assert_eq!(time_ms, Some(1_767_199_980_000));
    }

    #[test]
    fn pence_become_pounds() {
        let body = BODY.replace(r#""USD""#, r#""GBp""#);
        let quote = said(&body).unwrap().quote;
        assert_eq!((quote.price.as_str(), quote.prev_close.unwrap().as_str()), ("2.3150", "2.3010"));
        assert_eq!((quote.currency.as_deref(), quote.source_currency.as_deref()), (Some("GBP"), Some("GBp")));
        assert_eq!(quote.volume.unwrap().as_str(), "51447349");
    }

    #[test]
    fn a_minor_unit_becomes_the_major_one_in_every_price_and_nothing_else() {
        let quote = said(&BODY.replace(r#""USD""#, r#""KWF""#)).unwrap().quote;
        assert_eq!(
            serde_json::to_string(&quote).unwrap(),
            r#"{"symbol":"AAPL","source_symbol":"AAPL","source":"yahoo","price":"0.23150","high":"0.23214","low":"0.2289","prev_close":"0.23010","volume":"51447349","currency":"KWD","source_currency":"KWF","session":"regular"}"#
        );
    }

    #[test]
    fn a_price_below_zero_is_a_price() {
        let body = BODY
            .replace(r#""regularMarketPrice":231.50"#, r#""regularMarketPrice":-37.63"#)
            .replace(r#""regularMarketDayLow":228.9"#, r#""regularMarketDayLow":-40.32"#)
            .replace(r#""chartPreviousClose":230.10"#, r#""chartPreviousClose":0"#);
        let quote = said(&body).unwrap().quote;
        let told = [&Some(quote.price), &quote.low, &quote.prev_close];
        assert_eq!(told.map(|digits| digits.as_ref().unwrap().as_str()), ["-37.63", "-40.32", "0"]);
        let without_range = BODY.replace("regularMarketDay", "other").replace("231.50", "-0.25");
        assert_eq!(said(&without_range).unwrap().quote.price.as_str(), "-0.25", "a rate");
    }

    #[test]
    fn a_last_price_outside_the_day_is_not_the_price() {
        for price in ["500", "2.315", "-231.5"] {
            let body =
                BODY.replace(r#""regularMarketPrice":231.50"#, &format!(r#""regularMarketPrice":{price}"#));
            let Quoted { quote, time_ms, .. } = said(&body).unwrap();
            assert_eq!((quote.price.as_str(), time_ms), ("231.25", Some(1_767_191_460_000)), "{price}");
            let Err(Fault::Nonsense { message }) = said(&body.replace("close", "other")) else {
                panic!("{price}")
            };
            assert_eq!(message, format!("a price of {price} came for AAPL; the day's are 228.9 to 232.14"));
        }
    }

    #[test]
    fn a_null_currency_is_what_the_configuration_says_or_nothing() {
        let body = BODY.replace(r#""USD""#, "null");
        assert_eq!(said(&body).unwrap().quote.currency, None);
        let listing = Listing::named("AAPL", Some("ZAc"));
        let quote = quote(&body, &listing, NOW_MS).unwrap().quote;
        assert_eq!((quote.currency.as_deref(), quote.price.as_str()), (Some("ZAR"), "2.3150"));
    }

    #[test]
    fn without_a_last_price_the_youngest_candle_counts() {
        let body = BODY.replace(r#""regularMarketPrice":231.50"#, r#""regularMarketPrice":null"#);
        let Quoted { quote, time_ms, .. } = said(&body).unwrap();
        assert_eq!((quote.price.as_str(), time_ms), ("231.25", Some(1_767_191_460_000)), "the last is null");
        for empty in [r#""quote":[{}]"#, r#""quote":[]"#, r#""quote":null"#, r#""quote":[null]"#] {
            let start = body.find(r#""quote":["#).unwrap();
            let end = body[start..].find("}]").unwrap() + start + 2;
            let body = format!("{}{empty}{}", &body[..start], &body[end..]);
            let Err(Fault::Nonsense { message }) = said(&body) else { panic!("{body}") };
            assert_eq!(message, "no price came for AAPL");
        }
    }

    #[test]
    fn the_session_is_where_the_clock_is_in_the_hours() {
        for (now_s, session) in [
            (1_767_171_599, Session::Closed),
            (1_767_171_600, Session::Pre),
            (1_767_191_400, Session::Regular),
            (1_767_214_800, Session::Post),
            (1_767_229_200, Session::Closed),
        ] {
            let quote = quote(BODY, &Listing::named("AAPL", None), now_s * 1_000).unwrap().quote;
            assert_eq!(quote.session, Some(session), "{now_s}");
        }
        let crypto = BODY.replace("EQUITY", "CRYPTOCURRENCY");
        assert_eq!(said(&crypto).unwrap().quote.session, Some(Session::Always));
        let silent = BODY.replace("currentTradingPeriod", "other");
        assert_eq!(said(&silent).unwrap().quote.session, None);
    }

    #[test]
    fn errors_are_sorted_by_what_they_say() {
        let error = |part: &str, code: &str| {
            said(&format!(
                r#"{{"{part}":{{"result":null,"error":{{"code":"{code}","description":"so it is"}}}}}}"#
            ))
            .unwrap_err()
        };
        let unknown = error("chart", "Not Found");
        assert_eq!(unknown, Fault::Unknown { message: "Yahoo said `Not Found` for AAPL: so it is".into() });
        assert!(matches!(error("finance", "Unauthorized"), Fault::Refused { status: 401, .. }));
        assert!(matches!(error("chart", "Internal"), Fault::Unavailable { .. }));
    }

    #[test]
    fn what_is_no_chart_is_nonsense() {
        for body in [
            "",
            "{}",
            "null",
            "Edge: Too Many Requests",
            "<html>",
            r#"{"chart":{"result":[],"error":null}}"#,
            r#"{"chart":{"result":[{"timestamp":[]}],"error":null}}"#,
            r#"{"chart":{"result":[{"meta":{"regularMarketPrice":"soon"}}]}}"#,
            &BODY[..BODY.len() / 2],
        ] {
            assert!(matches!(said(body), Err(Fault::Nonsense { .. })), "{body}");
        }
    }
}
