//! A measured number, as it stands in an observation.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser};
use serde_json::value::RawValue;

use super::digits::Digits;

/// A number with at least this many decimals has noise of a float, as in `17.800000000000011`. No weather instrument
/// reads so many.
const DECIMALS_NOISE: usize = 5;

/// A measured number. In JSON a number, with the digits of its source where nothing was converted.
///
/// A converted one has two decimals at most, and so has one that came with five or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure(Box<str>);

impl Measure {
    /// The number as its source wrote it.
    pub fn said(digits: &Digits) -> Measure {
        let text = digits.as_str();
        let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        if decimals >= DECIMALS_NOISE {
            return Measure::converted(digits.value());
        }
        // JSON has no leading zeros, but a source that writes its numbers in strings may have them.
        let (sign, unsigned) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
        let bare = unsigned.trim_start_matches('0');
        let zero = if bare.is_empty() || bare.starts_with('.') { "0" } else { "" };
        Measure(format!("{sign}{zero}{bare}").into())
    }

    /// A converted number, rounded to two decimals and never `-0`. `value` must be finite; [`Digits`] always are.
    pub fn converted(value: f64) -> Measure {
        let rounded = (value * 100.0).round() / 100.0 + 0.0;
        Measure(rounded.to_string().into())
    }

    /// The nearest float, for comparing.
    pub fn value(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// The number as it stands in JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl JsonSchema for Measure {
    fn schema_name() -> Cow<'static, str> {
        "Measure".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_source_wrote_stays() {
        for (said, json) in [
            ("19.10", "19.10"),
            ("-3", "-3"),
            ("0", "0"),
            ("-0.5", "-0.5"),
            ("007.5", "7.5"),
            ("00", "0"),
            ("000.25", "0.25"),
            ("13.4200", "13.4200"),
        ] {
            let measure = Measure::said(&Digits::parse(said).unwrap());
            assert_eq!(serde_json::to_string(&measure).unwrap(), json);
        }
    }

    #[test]
    fn a_floats_noise_is_rounded_away() {
        for (said, json) in [
            ("17.800000000000011", "17.8"),
            ("87.166373588392688", "87.17"),
            ("-0.00000000000001", "0"),
            ("2.1000000000000001", "2.1"),
        ] {
            let measure = Measure::said(&Digits::parse(said).unwrap());
            assert_eq!(serde_json::to_string(&measure).unwrap(), json);
        }
    }

    #[test]
    fn what_was_worked_out_has_two_decimals_at_most() {
        for (value, json) in
            [(4.6296, "4.63"), (-0.001, "0"), (16093.44, "16093.44"), (5.0, "5"), (0.1 + 0.2, "0.3")]
        {
            let measure = Measure::converted(value);
            assert_eq!(serde_json::to_string(&measure).unwrap(), json);
            assert!((measure.value() - value).abs() < 0.01);
        }
    }
}
