//! The unit of prices, the conversion from pence to pounds, and what counts as a price.

use tickerd_feed_provider::{Digits, Fault};

use crate::minor;

/// The unit of a source's prices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    /// The major unit. `None` if it is not known.
    pub(crate) currency: Option<String>,
    /// What the source writes, if that is a minor unit.
    pub(crate) source_currency: Option<String>,
    places: i32,
}

impl Unit {
    /// The unit of a code. Case matters: `GBp` is pence and `GBP` is pounds.
    pub(crate) fn of(code: Option<&str>) -> Unit {
        let Some(code) = code.map(str::trim).filter(|code| !code.is_empty()) else { return Unit::default() };
        match minor::major(code) {
            Some((major, places)) => {
                Unit { currency: Some(major.to_owned()), source_currency: Some(code.to_owned()), places }
            }
            None => Unit { currency: Some(code.to_owned()), source_currency: None, places: 0 },
        }
    }

    /// An amount in the major unit. `None` if it would be too long.
    pub(crate) fn amount(&self, said: Option<Digits>) -> Option<Digits> {
        let said = said?;
        if self.places == 0 { Some(said) } else { said.shifted(self.places).ok() }
    }

    /// A price in the major unit. `None` if it is 0, which sources write for a price they do not know. It may be
    /// below zero.
    pub(crate) fn price(&self, said: Option<Digits>) -> Option<Digits> {
        self.amount(said).filter(|price| !price.is_zero())
    }

    /// The price of a trade.
    ///
    /// # Errors
    /// [`Fault::Nonsense`] if it is missing or 0.
    pub(crate) fn traded(&self, said: Option<Digits>, source_symbol: &str) -> Result<Digits, Fault> {
        Day::default().last(self, said, source_symbol)
    }
}

/// The lowest and the highest price of a source's day, in the source's unit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Day {
    low: Option<Digits>,
    high: Option<Digits>,
}

impl Day {
    /// The range as a source says it. The source writes 0 for what it does not know. A range whose low is above its
    /// high counts as none.
    pub(crate) fn new(low: Option<&Digits>, high: Option<&Digits>) -> Day {
        let is_below = low.is_some_and(|low| low.value() < 0.0);
        let known = |said: Option<&Digits>| said.filter(|said| is_below || !said.is_zero()).cloned();
        match (known(low), known(high)) {
            (Some(low), Some(high)) if low.value() > high.value() => Day::default(),
            (low, high) => Day { low, high },
        }
    }

    /// A price of that day in the major unit. `None` if it is 0, unless prices are below zero that day.
    pub(crate) fn price(&self, unit: &Unit, said: Option<Digits>) -> Option<Digits> {
        unit.amount(said).filter(|price| !price.is_zero() || self.is_below_zero())
    }

    /// Whether a price, in the source's unit, is a real one and lies within the day's range.
    pub(crate) fn holds(&self, price: &Digits) -> bool {
        (!price.is_zero() || self.is_below_zero())
            && self.low.as_ref().is_none_or(|low| low.value() <= price.value())
            && self.high.as_ref().is_none_or(|high| price.value() <= high.value())
    }

    /// The last price in the major unit.
    ///
    /// # Errors
    /// [`Fault::Nonsense`] if it is missing, is 0 on a day whose prices are above 0, or lies outside the day's range.
    pub(crate) fn last(
        &self,
        unit: &Unit,
        said: Option<Digits>,
        source_symbol: &str,
    ) -> Result<Digits, Fault> {
        let wrong = |why: String| Err(Fault::Nonsense { message: why });
        let Some(said) = said else { return wrong(format!("no price came for {source_symbol}")) };
        if !self.holds(&said) {
            let range = match (&self.low, &self.high) {
                _ if said.is_zero() => "0 stands for none".to_owned(),
                (Some(low), Some(high)) => format!("the day's are {low} to {high}"),
                (Some(low), None) => format!("the day's are {low} or more"),
                (None, Some(high)) => format!("the day's are {high} or less"),
                (None, None) => "it is none".to_owned(),
            };
            return wrong(format!("a price of {said} came for {source_symbol}; {range}"));
        }
        match unit.amount(Some(said)) {
            Some(price) => Ok(price),
            None => wrong(format!("a price with too many digits came for {source_symbol}")),
        }
    }

    fn is_below_zero(&self) -> bool {
        self.low.as_ref().is_some_and(|low| low.value() < 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Option<Digits> {
        Some(Digits::parse(text).unwrap())
    }

    fn day(low: &str, high: &str) -> Day {
        Day::new(digits(low).as_ref(), digits(high).as_ref())
    }

    #[test]
    fn minor_units_become_major_ones_digit_for_digit() {
        for (code, price, major, shifted) in [
            ("GBp", "7423.5", "GBP", "74.235"),
            ("GBX", "12", "GBP", "0.12"),
            ("ZAc", "155", "ZAR", "1.55"),
            ("ILA", "3.10", "ILS", "0.0310"),
            ("KWF", "50.5", "KWD", "0.0505"),
            ("USX", "284.25", "USD", "2.8425"),
            ("USX", "-3763", "USD", "-37.63"),
            ("GBp", "0.5", "GBP", "0.005"),
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
    fn a_price_is_a_number_within_the_day() {
        let unit = Unit::of(Some("GBp"));
        for (low, high, said, words) in [
            ("0", "0", None, "no price came for X"),
            ("0", "0", digits("0"), "a price of 0 came for X; 0 stands for none"),
            ("69", "71", digits("-0.00"), "a price of -0.00 came for X; 0 stands for none"),
            ("69", "71", digits("173.28"), "a price of 173.28 came for X; the day's are 69 to 71"),
            ("69", "0", digits("68.99"), "; the day's are 69 or more"),
            ("0", "71", digits("71.01"), "; the day's are 71 or less"),
            ("-40.32", "-1", digits("0"), "0 stands for none"),
        ] {
            let Err(Fault::Nonsense { message }) = day(low, high).last(&unit, said, "X") else {
                panic!("{words}")
            };
            assert!(message.contains(words), "{message}");
        }
        for (low, high, said, price) in [
            ("69", "71", "70.10", "0.7010"),
            ("69", "71", "71.0", "0.710"),
            ("0", "0", "-3763", "-37.63"),
            ("-40.32", "0", "0", "0.00"),
            ("-40.32", "17.85", "-37.63", "-0.3763"),
            ("71", "69", "500", "5.00"),
        ] {
            let last = day(low, high).last(&unit, digits(said), "X").map(|last| last.as_str().to_owned());
            assert_eq!(last.as_deref(), Ok(price), "{said} in {low} to {high}");
        }
        assert_eq!(unit.amount(digits("-1.5")), digits("-0.015"), "a change may be below zero");
    }
}
