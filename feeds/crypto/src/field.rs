//! Readers of fields that may be missing, null or of the wrong kind. Such a field is left out, and the rest of the
//! message counts.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tickerd_feed_provider::Digits;

/// A decimal number, as a number or in a string.
pub(crate) fn digits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digits>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// A whole number, as a number or in a string.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(raw.get().trim_matches('"').parse().ok())
}

/// A text.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Fields {
        #[serde(deserialize_with = "digits")]
        price: Option<Digits>,
        #[serde(deserialize_with = "whole")]
        id: Option<u64>,
        #[serde(deserialize_with = "text")]
        name: Option<String>,
    }

    #[test]
    fn what_is_not_as_it_should_be_is_left_out() {
        for (json, price, id, name) in [
            (r#"{"price":1.00000,"id":7,"name":"a\"b"}"#, Some("1.00000"), Some(7), Some("a\"b")),
            (r#"{"price":"0.50","id":"7","name":7}"#, Some("0.50"), Some(7), None),
            (r#"{"price":null,"id":null,"name":null}"#, None, None, None),
            (r#"{"price":"n/a","id":-1,"name":[]}"#, None, None, None),
            (r#"{"price":{},"id":1.5}"#, None, None, None),
            ("{}", None, None, None),
        ] {
            let fields: Fields = serde_json::from_str(json).unwrap();
            assert_eq!(fields.price.as_ref().map(Digits::as_str), price, "{json}");
            assert_eq!((fields.id, fields.name.as_deref()), (id, name), "{json}");
        }
    }
}
