//! A length of time as people write it: a whole number and its unit.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Units with their length in milliseconds, largest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A length of time, written as in tickerd's own file: `"250ms"`, `"15s"`, `"10m"`, `"1h"`.
///
/// Whole milliseconds. A bare number is refused with what to write in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

/// Why a text is not a [`Period`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPeriod(String);

impl fmt::Display for BadPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadPeriod {}

impl Period {
    /// A period of `secs` seconds, for defaults.
    pub const fn secs(secs: u64) -> Period {
        Period(Duration::from_secs(secs))
    }

    /// Reads a whole number and `ms`, `s`, `m` or `h`, without spaces.
    ///
    /// # Errors
    /// The text is something else, or longer than can be counted.
    pub fn parse(text: &str) -> Result<Period, BadPeriod> {
        let seen: String = text.chars().take(40).collect();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if unit.is_empty() && !number.is_empty() {
            return Err(BadPeriod(format!("`{seen}` lacks its unit; write \"{seen}s\" for seconds")));
        }
        let Some((_, ms)) = UNITS.iter().find(|(name, _)| *name == unit).filter(|_| !number.is_empty())
        else {
            return Err(BadPeriod(format!(
                "`{seen}` is not a length of time; write a whole number and ms, s, m or h, as \"15s\""
            )));
        };
        number
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(*ms))
            .map(|ms| Period(Duration::from_millis(ms)))
            .ok_or_else(|| BadPeriod(format!("`{seen}` is longer than can be counted")))
    }

    /// How long it is.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Duration {
        period.0
    }
}

/// Rounds up to the next whole millisecond, so that a period made from a limit never breaks the limit.
impl From<Duration> for Period {
    fn from(duration: Duration) -> Period {
        let ms = duration.as_nanos().div_ceil(1_000_000);
        Period(Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)))
    }
}

/// The shortest exact way to write it.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let exact = UNITS.iter().find(|(_, unit)| ms != 0 && ms.is_multiple_of(u128::from(*unit)));
        match exact {
            Some((name, unit)) => write!(f, "{}{name}", ms / u128::from(*unit)),
            None => f.write_str("0s"),
        }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time with its unit, such as \"15s\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                Period::parse(text).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Period, E> {
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_period_carries_its_unit() {
        for (json, ms) in [
            ("\"250ms\"", 250),
            ("\"15s\"", 15_000),
            ("\"10m\"", 600_000),
            ("\"1h\"", 3_600_000),
            ("\"0s\"", 0),
        ] {
            let read: Period = serde_json::from_str(json).unwrap();
            assert_eq!(read.duration(), Duration::from_millis(ms), "{json}");
        }
    }

    #[test]
    fn what_is_no_period_is_refused_with_what_to_write() {
        for (json, remedy) in [
            ("15", "`15` lacks its unit; write \"15s\" for seconds"),
            ("\"15\"", "`15` lacks its unit"),
            ("\"15 s\"", "write a whole number and ms, s, m or h"),
            ("\"soon\"", "`soon` is not a length of time"),
            ("\"s\"", "`s` is not a length of time"),
            ("\"\"", "as \"15s\""),
            ("\"-1s\"", "`-1s` is not"),
            ("\"1.5s\"", "`1.5s` is not"),
            ("\"15µs\"", "`15µs` is not"),
            ("\"99999999999999999999h\"", "longer than can be counted"),
            ("-3", "such as \"15s\""),
            ("null", "such as \"15s\""),
        ] {
            let refusal = serde_json::from_str::<Period>(json).unwrap_err().to_string();
            assert!(refusal.contains(remedy), "{json}: {refusal}");
        }
    }

    #[test]
    fn a_limit_is_rounded_up() {
        assert_eq!(Period::from(Duration::from_micros(1_001)).to_string(), "2ms");
        assert_eq!(Period::secs(90).to_string(), "90s");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in 0u64..10_000_000_000) {
            let period = Period::from(Duration::from_millis(ms));
            prop_assert_eq!(Period::parse(&period.to_string()), Ok(period));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = Period::parse(&text);
        }
    }
}
