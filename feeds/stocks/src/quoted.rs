//! A quote or trade as a source said it, with its time, on the way to a topic.

use serde::Deserialize;
use tickerd_feed_provider::time::{Epoch, epoch_ms};
use tickerd_feed_provider::{Digits, Fault, Quote, Trade};

/// Longest part of a body that is shown, in characters.
const SHOWN_MAX: usize = 80;

/// A quote and the source's time of its price, in Unix milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quoted {
    pub(crate) quote: Quote,
    pub(crate) time_ms: Option<u64>,
    /// The time by which answers are put in order: that of the last trade, even if another price replaces its price.
    pub(crate) order_ms: Option<u64>,
    /// The id of the trade that made the price, if the source tells it.
    pub(crate) trade_id: Option<String>,
    /// The price that is valid if that trade is cancelled.
    pub(crate) otherwise: Option<Digits>,
}

impl Quoted {
    /// A quote whose price is not of a trade that could be cancelled.
    pub(crate) fn new(quote: Quote, time_ms: Option<u64>) -> Quoted {
        Quoted { quote, time_ms, order_ms: time_ms, trade_id: None, otherwise: None }
    }
}

/// A trade and the source's time of it, in Unix milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Traded {
    pub(crate) trade: Trade,
    pub(crate) time_ms: Option<u64>,
    /// Whether its price becomes the last price, by its conditions.
    pub(crate) sets_price: bool,
}

/// Reads a body as JSON of shape `T`.
///
/// # Errors
/// [`Fault::Nonsense`] that shows where it differs and how it begins.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a str, wanted: &str) -> Result<T, Fault> {
    serde_json::from_str(body).map_err(|error| {
        let shown: String = body.trim().chars().take(SHOWN_MAX).collect();
        Fault::Nonsense { message: format!("expected {wanted}, got `{shown}`: {error}") }
    })
}

/// A time in Unix seconds, converted to milliseconds. Sources write a number or a string that holds one; 0 means
/// none.
pub(crate) fn seconds(said: Option<&Digits>) -> Option<u64> {
    milliseconds(said?.shifted(3).ok().as_ref())
}

/// A time in Unix milliseconds, written as a number or a string; 0 means none.
pub(crate) fn milliseconds(said: Option<&Digits>) -> Option<u64> {
    epoch_ms(said?.as_str().split('.').next()?.parse().ok()?, Epoch::Millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_numbers() {
        for (said, from_seconds, from_ms) in [
            ("1767215600", Some(1_767_215_600_000), None),
            ("1767215600.25", Some(1_767_215_600_250), None),
            ("1767215600250", None, Some(1_767_215_600_250)),
            ("0", None, None),
            ("-5", None, None),
            ("99999999999999999999999999", None, None),
        ] {
            let digits = Digits::parse(said).unwrap();
            assert_eq!(
                (seconds(Some(&digits)), milliseconds(Some(&digits))),
                (from_seconds, from_ms),
                "{said}"
            );
        }
        assert_eq!((seconds(None), milliseconds(None)), (None, None));
    }
}
