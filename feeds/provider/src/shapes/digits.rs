//! A decimal number as its source wrote it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Longest number taken, in bytes; the widest a provider sends has about 20.
const BYTES_MAX: usize = 64;

/// A decimal number that keeps its source's digits: `1.00000` stays `1.00000`. Serialised as a JSON string.
///
/// Read from a JSON number or from a string that holds one; an exponent is written out. Never NaN, never infinite.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Digits(Box<str>);

/// Why a text is not a [`Digits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadDigits;

impl fmt::Display for BadDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a decimal number of at most {BYTES_MAX} characters")
    }
}

impl std::error::Error for BadDigits {}

impl Digits {
    /// Reads `-?digits[.digits][e±digits]`.
    ///
    /// # Errors
    /// The text is something else, or longer than 64 bytes with its exponent written out.
    pub fn parse(text: &str) -> Result<Digits, BadDigits> {
        if text.len() > BYTES_MAX {
            return Err(BadDigits);
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| BadDigits)?),
            None => (text, 0),
        };
        let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) {
            return Err(BadDigits);
        }
        let digits = Digits(mantissa.into());
        if exponent == 0 { Ok(digits) } else { digits.shifted(exponent) }
    }

    /// The number times ten to the `places`, digit for digit: `7423.5` shifted by -2 is `74.235`.
    ///
    /// # Errors
    /// The result would be longer than 64 bytes.
    pub fn shifted(&self, places: i32) -> Result<Digits, BadDigits> {
        let (sign, unsigned) = self.0.strip_prefix('-').map_or(("", &*self.0), |rest| ("-", rest));
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let point = i64::try_from(whole.len()).map_err(|_| BadDigits)? + i64::from(places);
        let digits = format!("{whole}{fraction}");
        let len = i64::try_from(digits.len()).map_err(|_| BadDigits)?;
        let widest = i64::try_from(BYTES_MAX).map_err(|_| BadDigits)?;
        if point.abs() > widest || len > widest {
            return Err(BadDigits);
        }
        let zeros = |n: i64| "0".repeat(usize::try_from(n).unwrap_or(0));
        let (whole, fraction) = if point <= 0 {
            ("0".to_owned(), zeros(-point) + &digits)
        } else if point >= len {
            (digits + &zeros(point - len), String::new())
        } else {
            let (whole, fraction) = digits.split_at(usize::try_from(point).map_err(|_| BadDigits)?);
            (whole.to_owned(), fraction.to_owned())
        };
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            trimmed => trimmed,
        };
        let text =
            if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
        if text.len() > BYTES_MAX { Err(BadDigits) } else { Ok(Digits(text.into())) }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is above zero, as a size must be.
    pub fn is_positive(&self) -> bool {
        !self.0.starts_with('-') && !self.is_zero()
    }

    /// Whether it is zero, which many sources write for a value they do not know.
    pub fn is_zero(&self) -> bool {
        !self.0.bytes().any(|b| (b'1'..=b'9').contains(&b))
    }

    /// The nearest float, for comparing and for converting units. Never send it in place of the number.
    pub fn value(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digits, D::Error> {
        // The raw text is used, since a float in between would lose digits.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        Digits::parse(text).map_err(|e| {
            de::Error::custom(format!("{}: {e}", text.chars().take(BYTES_MAX).collect::<String>()))
        })
    }
}

impl JsonSchema for Digits {
    fn schema_name() -> Cow<'static, str> {
        "Digits".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_stay_as_they_are_written() {
        for (json, digits) in [
            ("1.00000", "1.00000"),
            ("\"245532.79\"", "245532.79"),
            ("-0.5", "-0.5"),
            ("1e-7", "0.0000001"),
            ("1.5E3", "1500"),
            ("12.34e1", "123.4"),
            ("0", "0"),
            ("1750000000000000000000", "1750000000000000000000"),
        ] {
            let read: Digits = serde_json::from_str(json).unwrap();
            assert_eq!(read.as_str(), digits, "{json}");
            assert_eq!(serde_json::to_string(&read).unwrap(), format!("\"{digits}\""));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for json in [
            "null", "\"\"", "\"NaN\"", "\"1,5\"", "\"-\"", "\"1.\"", "\".5\"", "true", "[1]", "\"1e99\"",
            "\"1e\"",
        ] {
            assert!(serde_json::from_str::<Digits>(json).is_err(), "{json}");
        }
        assert!(Digits::parse(&"9".repeat(65)).is_err());
    }

    #[test]
    fn what_is_above_zero_and_what_is_zero_are_told_apart() {
        for (text, is_positive, is_zero) in [
            ("0.01", true, false),
            ("10", true, false),
            ("0", false, true),
            ("0.000", false, true),
            ("-0.0", false, true),
            ("-3", false, false),
            ("-0.03", false, false),
        ] {
            let digits = Digits::parse(text).unwrap();
            assert_eq!((digits.is_positive(), digits.is_zero()), (is_positive, is_zero), "{text}");
        }
    }

    #[test]
    fn what_is_below_zero_is_shifted_digit_for_digit() {
        for (text, places, shifted) in [
            ("-37.63", -2, "-0.3763"),
            ("-5", -3, "-0.005"),
            ("-1250.5", -2, "-12.505"),
            ("-0.5", 3, "-500"),
            ("50.5", -3, "0.0505"),
        ] {
            assert_eq!(Digits::parse(text).unwrap().shifted(places).unwrap().as_str(), shifted, "{text}");
        }
    }

    proptest! {
        /// Shifting there and back gives the same number, and no digit is lost.
        #[test]
        fn a_shift_loses_nothing(whole in 0u64..1_000_000, fraction in "[0-9]{1,8}", places in -20i32..20) {
            let digits = Digits::parse(&format!("{whole}.{fraction}")).unwrap();
            let back = digits.shifted(places).unwrap().shifted(-places).unwrap();
            let trimmed = |d: &Digits| {
                let text = d.as_str().to_owned();
                if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
            };
            prop_assert_eq!(trimmed(&back), trimmed(&digits));
        }
    }
}
