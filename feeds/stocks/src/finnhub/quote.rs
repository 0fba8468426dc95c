//! Finnhub's answer to `GET /quote?symbol=`, by its documentation of 2026-11.

use serde::Deserialize;
use tickerd_feed_provider::{Digits, Fault, Quote};

use super::SOURCE;
use crate::listing::Listing;
use crate::quoted::{Quoted, seconds};
use crate::unit::Day;

/// An answer.
#[derive(Deserialize)]
pub(crate) struct Answer {
    c: Option<Digits>,
    d: Option<Digits>,
    dp: Option<Digits>,
    h: Option<Digits>,
    l: Option<Digits>,
    o: Option<Digits>,
    pc: Option<Digits>,
    t: Option<Digits>,
    error: Option<String>,
}

impl Answer {
    /// The quote in it.
    ///
    /// # Errors
    /// [`Fault::Unknown`] if all values are 0, which is Finnhub's answer for a symbol it does not know. An error in
    /// words becomes the fault that its words mean. [`Fault::Nonsense`] for anything else that holds no price.
    pub(crate) fn quote(self, listing: &Listing) -> Result<Quoted, Fault> {
        if let Some(error) = self.error {
            return Err(said(&error));
        }
        let source_symbol = &listing.source_symbol;
        let is_zero = |digits: &Option<Digits>| digits.as_ref().is_some_and(Digits::is_zero);
        if is_zero(&self.c) && is_zero(&self.t) {
            return Err(Fault::Unknown { message: format!("Finnhub does not know `{source_symbol}`") });
        }
        let (unit, day) = (&listing.unit, Day::new(self.l.as_ref(), self.h.as_ref()));
        let price = day.last(unit, self.c, source_symbol)?;
        let mut quote = Quote::new(&listing.symbol, source_symbol, SOURCE, price);
        quote.open = day.price(unit, self.o);
        quote.high = day.price(unit, self.h);
        quote.low = day.price(unit, self.l);
        quote.prev_close = day.price(unit, self.pc);
        quote.change = unit.amount(self.d);
        quote.change_pct = self.dp;
        quote.currency.clone_from(&unit.currency);
        quote.source_currency.clone_from(&unit.source_currency);
        Ok(Quoted::new(quote, seconds(self.t.as_ref())))
    }
}

/// The fault for an error in words under status 200, by the words that Finnhub uses under other statuses.
fn said(message: &str) -> Fault {
    let lower = message.to_ascii_lowercase();
    let message = format!("Finnhub said `{}`", message.chars().take(200).collect::<String>());
    if lower.contains("limit reached") {
        Fault::Limited { wait: None, message }
    } else if lower.contains("api key") {
        Fault::Refused { status: 200, message: format!("{message}; check `key`") }
    } else if lower.contains("access to this resource") {
        Fault::Refused { status: 403, message }
    } else {
        Fault::Unavailable { message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(body: &str, listing: &Listing) -> Result<Quoted, Fault> {
        crate::quoted::read::<Answer>(body, "a quote")?.quote(listing)
    }

    fn listing() -> Listing {
        Listing::named("AAPL", Some("USD"))
    }

    #[test]
    fn a_quote_keeps_its_digits() {
        let Quoted { quote, time_ms, .. } =
            quote(include_str!("../../fixtures/finnhub/quote.json"), &listing()).unwrap();
        let json = serde_json::to_string(&quote).unwrap();
        assert_eq!(
            json,
            r#"{"symbol":"AAPL","source_symbol":"AAPL","source":"finnhub","price":"231.50","open":"229.87","high":"232.14","low":"228.90","prev_close":"230.10","change":"1.40","change_pct":"0.6084","currency":"USD"}"#
        );
        assert_eq!(time_ms, Some(1_767_215_600_000));
    }

    #[test]
    fn all_zeros_are_an_unknown_symbol() {
        for body in [
            r#"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#,
            r#"{"c":0.0,"d":0,"dp":0,"h":0,"l":0,"o":0,"pc":0,"t":0}"#,
        ] {
            let fault = quote(body, &listing()).unwrap_err();
            assert_eq!(fault, Fault::Unknown { message: "Finnhub does not know `AAPL`".into() });
        }
    }

    #[test]
    fn missing_and_null_fields_are_left_out() {
        let said = quote(r#"{"c":"12.50","d":null,"h":0,"pc":null}"#, &listing()).unwrap();
        assert_eq!(said.quote.price.as_str(), "12.50");
        assert_eq!((said.quote.change, said.quote.high, said.quote.prev_close), (None, None, None));
        assert_eq!(said.time_ms, None);
    }

    #[test]
    fn what_holds_no_price_is_told_for_what_it_is() {
        for (body, words) in [
            (r#"{"c":0,"pc":12.5,"t":1767215600}"#, "a price of 0 came for AAPL"),
            (
                r#"{"c":500,"l":100.5,"h":102,"t":1767215600}"#,
                "a price of 500 came for AAPL; the day's are 100.5 to 102",
            ),
            (r#"{"c":null,"t":1767215600}"#, "no price came for AAPL"),
            (r#"{"c":NaN,"t":1767215600}"#, "got `{\"c\":NaN"),
            (r#"{"c":"NaN","t":1767215600}"#, "NaN: not a decimal number"),
            ("{}", "no price came for AAPL"),
            (r#"{"c":231.5,"d":1."#, "expected a quote, got `{\"c\":231.5"),
            ("<html><title>Login</title>", "expected a quote, got `<html>"),
            ("[]", "expected a quote"),
            ("null", "expected a quote"),
            ("", "expected a quote, got ``"),
        ] {
            let Err(Fault::Nonsense { message }) = quote(body, &listing()) else { panic!("{body}") };
            assert!(message.contains(words), "{body}: {message}");
        }
    }

    #[test]
    fn prices_below_zero_are_prices_and_so_is_zero_on_such_a_day() {
        let body =
            r#"{"c":-37.63,"d":-55.9,"dp":-305.97,"h":17.85,"l":-40.32,"o":0,"pc":18.27,"t":1767215600}"#;
        let Quoted { quote, .. } = quote(body, &listing()).unwrap();
        let told = [&Some(quote.price), &quote.low, &quote.open, &quote.change, &quote.change_pct];
        let told = told.map(|digits| digits.as_ref().unwrap().as_str());
        assert_eq!(told, ["-37.63", "-40.32", "0", "-55.9", "-305.97"]);
    }

    #[test]
    fn a_minor_unit_becomes_the_major_one_in_every_price_and_nothing_else() {
        let body = r#"{"c":50.5,"d":-1.5,"dp":-2.88,"h":52,"l":50,"o":51.5,"pc":52,"t":1767215600}"#;
        let Quoted { quote, .. } = quote(body, &Listing::named("SUKOUK.KW", Some("KWF"))).unwrap();
        assert_eq!(
            serde_json::to_string(&quote).unwrap(),
            r#"{"symbol":"SUKOUK.KW","source_symbol":"SUKOUK.KW","source":"finnhub","price":"0.0505","open":"0.0515","high":"0.052","low":"0.050","prev_close":"0.052","change":"-0.0015","change_pct":"-2.88","currency":"KWD","source_currency":"KWF"}"#
        );
    }

    #[test]
    fn an_error_under_status_200_is_sorted_by_its_words() {
        let fault = |text: &str| quote(&format!(r#"{{"error":"{text}"}}"#), &listing()).unwrap_err();
        assert!(matches!(
            fault("API limit reached. Please try again later. Remaining Limit: 0"),
            Fault::Limited { wait: None, .. }
        ));
        assert!(matches!(fault("Invalid API key"), Fault::Refused { status: 200, .. }));
        assert!(matches!(
            fault("You don't have access to this resource."),
            Fault::Refused { status: 403, .. }
        ));
        assert!(matches!(fault("Something broke"), Fault::Unavailable { .. }));
    }
}
