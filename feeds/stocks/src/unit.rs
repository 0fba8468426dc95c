//! What prices are in, and the way from pence to pounds.

use tickerd_feed_provider::{Digits, Fault};

/// Minor units in which exchanges quote: as sources write them, the major unit, and the places in between.
const MINOR: [(&str, &str, i32); 4] =
    [("GBp", "GBP", -2), ("GBX", "GBP", -2), ("ZAc", "ZAR", -2), ("ILA", "ILS", -2)];

/// What a source's prices are in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    /// The major unit; none where nobody says it.
    pub(crate) currency: Option<String>,
    /// What the source writes, where that is a minor unit.
    pub(crate) source_currency: Option<String>,
    places: i32,
}

impl Unit {
    /// The unit behind a code; case counts, for `GBp` are pence and `GBP` pounds.
    pub(crate) fn of(code: Option<&str>) -> Unit {
        let Some(code) = code.filter(|code| !code.is_empty()) else { return Unit::default() };
        match MINOR.iter().find(|(minor, _, _)| *minor == code) {
            Some((_, major, places)) => Unit {
                currency: Some((*major).to_owned()),
                source_currency: Some(code.to_owned()),
                places: *places,
            },
            None => Unit { currency: Some(code.to_owned()), source_currency: None, places: 0 },
        }
    }

    /// An amount in the major unit; none if it would be too long.
    pub(crate) fn amount(&self, said: Option<Digits>) -> Option<Digits> {
        let said = said?;
        if self.places == 0 { Some(said) } else { said.shifted(self.places).ok() }
    }

    /// A price in the major unit; none if it is not above zero, as sources write what they do not know.
    pub(crate) fn price(&self, said: Option<Digits>) -> Option<Digits> {
        self.amount(said).filter(Digits::is_positive)
    }

    /// The last price, without which there is no quote.
    ///
    /// # Errors
    /// [`Fault::Nonsense`]: it is missing, or not above zero.
    pub(crate) fn last(&self, said: Option<Digits>, source_symbol: &str) -> Result<Digits, Fault> {
        let told = said.as_ref().map_or_else(|| "no price".to_owned(), |price| format!("a price of {price}"));
        self.price(said).ok_or_else(|| Fault::Nonsense {
            message: format!("{told} came for {source_symbol}; a price is a number above zero"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Option<Digits> {
        Some(Digits::parse(text).unwrap())
    }

    #[test]
    fn minor_units_become_major_ones_digit_for_digit() {
        for (code, price, major, shifted) in [
            ("GBp", "7423.5", "GBP", "74.235"),
            ("GBX", "12", "GBP", "0.12"),
            ("ZAc", "155", "ZAR", "1.55"),
            ("ILA", "3.10", "ILS", "0.0310"),
        ] {
            let unit = Unit::of(Some(code));
            assert_eq!(unit.price(digits(price)), digits(shifted), "{code}");
            assert_eq!(unit.currency.as_deref(), Some(major));
            assert_eq!(unit.source_currency.as_deref(), Some(code));
        }
    }

    #[test]
    fn major_units_stay_as_they_are_and_none_is_guessed() {
        let pounds = Unit::of(Some("GBP"));
        assert_eq!((pounds.price(digits("74.20")), pounds.source_currency.clone()), (digits("74.20"), None));
        assert_eq!(Unit::of(None), Unit::default());
        assert_eq!(Unit::of(Some("")), Unit::default());
    }

    #[test]
    fn a_price_is_there_and_above_zero() {
        let unit = Unit::of(Some("USD"));
        for (said, words) in [
            (None, "no price came for X"),
            (digits("0"), "a price of 0 came for X"),
            (digits("-1.5"), "a price of -1.5 came"),
        ] {
            let Err(Fault::Nonsense { message }) = unit.last(said, "X") else { panic!("{words}") };
            assert!(message.contains(words), "{message}");
        }
        assert_eq!(unit.amount(digits("-1.5")), digits("-1.5"), "a change may be below zero");
    }
}
