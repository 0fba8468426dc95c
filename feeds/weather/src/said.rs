//! One field as a source wrote it: a number, a number in a string, null, or something unexpected.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tickerd_feed_provider::Digits;

/// Longest text kept of one field, in bytes; a whole METAR has about 200.
const TEXT_BYTES_MAX: usize = 1024;

/// One field of an answer. Reading it never fails, so an odd field does not spoil the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Said {
    /// Absent, or `null`.
    #[default]
    Nothing,
    /// A number, its digits kept.
    Number(Digits),
    /// A string.
    Text(String),
    /// Something else, or a text that is too long.
    Odd,
}

impl Said {
    /// The number, also from a string that holds one.
    pub(crate) fn number(&self) -> Option<Digits> {
        match self {
            Said::Number(digits) => Some(digits.clone()),
            Said::Text(text) => Digits::parse(text.trim()).ok(),
            Said::Nothing | Said::Odd => None,
        }
    }

    /// The text, if there is any in it.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Said::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn whole(&self) -> Option<u64> {
        let digits = self.number()?;
        let (whole, fraction) = digits.as_str().split_once('.').unwrap_or((digits.as_str(), ""));
        whole.parse().ok().filter(|_| fraction.bytes().all(|digit| digit == b'0'))
    }

    /// Whether the source said nothing here.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Said::Nothing
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Said, D::Error> {
        // The raw text is used, since a float in between would lose digits.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let raw = raw.get();
        Ok(match raw.as_bytes().first() {
            Some(b'n') => Said::Nothing,
            Some(b'"') if raw.len() <= TEXT_BYTES_MAX => {
                serde_json::from_str(raw).map_or(Said::Odd, Said::Text)
            }
            _ => Digits::parse(raw).map_or(Said::Odd, Said::Number),
        })
    }
}

/// Reads a part of an answer. A part that is `null` or has another shape counts as missing, so it does not spoil the
/// rest.
pub(crate) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> Said {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_are_read_out_of_strings_too() {
        for json in ["12.30", "\"12.30\"", "\" 12.30 \""] {
            assert_eq!(said(json).number().unwrap().as_str(), "12.30", "{json}");
        }
        for json in ["null", "\"NaN\"", "\"\"", "true", "[1]", "{\"value\":1}", "\"VRB\""] {
            assert_eq!(said(json).number(), None, "{json}");
        }
    }

    #[test]
    fn text_and_whole_numbers_are_told_from_the_rest() {
        assert_eq!(said("\" VRB \"").text(), Some("VRB"));
        assert_eq!(said("\"  \"").text(), None);
        assert_eq!(said("7").text(), None);
        assert_eq!(said("404").whole(), Some(404));
        assert_eq!(said("\"404\"").whole(), Some(404));
        assert_eq!(said("3.0").whole(), Some(3));
        assert_eq!(said("3.5").whole(), None);
        assert_eq!(said("-3").whole(), None);
        assert!(said("null").is_nothing() && !said("0").is_nothing());
        assert_eq!(said(&format!("\"{}\"", "x".repeat(TEXT_BYTES_MAX))), Said::Odd);
    }

    #[test]
    fn an_odd_part_costs_nothing_but_itself() {
        #[derive(Debug, Default, PartialEq, Deserialize)]
        #[serde(default)]
        struct Whole {
            #[serde(deserialize_with = "lenient")]
            part: Vec<u8>,
            n: u8,
        }
        for (json, part) in [("null", vec![]), ("\"x\"", vec![]), ("[1]", vec![1]), ("{}", vec![])] {
            let whole: Whole = serde_json::from_str(&format!("{{\"part\":{json},\"n\":7}}")).unwrap();
            assert_eq!(whole, Whole { part, n: 7 }, "{json}");
        }
        assert_eq!(serde_json::from_str::<Whole>("{}").unwrap(), Whole::default());
    }
}
