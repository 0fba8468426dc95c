//! Finds the field of an object whose value could not be read. The parser tells a position, but the author of a
//! client needs a name.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

/// The name of the field of the object `data` whose value holds the error. `None` if the error is not in a value: the
/// parser itself names a key of `data` that is missing, unknown or duplicate.
pub fn holding(data: &str, error: &serde_json::Error) -> Option<String> {
    let at = offset(data, error.line(), error.column())?;
    let Fields(fields) = serde_json::from_str(data).ok()?;
    let (name, _) = fields.into_iter().find(|(_, raw)| {
        let start = (raw.get().as_ptr() as usize).wrapping_sub(data.as_ptr() as usize);
        (start..=start + raw.get().len()).contains(&at)
    })?;
    Some(name.chars().take(40).collect())
}

/// The offset of the next byte that the parser would have read: the first byte of a value that it only looked at, or
/// the byte after a value that it read. Its lines count from 1; its columns are the bytes of the line that it has
/// read.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    Some(before + column)
}

/// Reads an object or nothing. Derived code would also accept a list of its values in order.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    struct ObjectVisitor<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
        type Value = Option<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
        fn visit_unit<E>(self) -> Result<Option<T>, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(ObjectVisitor(PhantomData))
}

/// An object's fields in order, including duplicates.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields<'a>, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is wrong with its fields matters")]
    struct Data {
        list: Vec<String>,
        flag: Option<bool>,
        part: Option<Part>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is wrong with its fields matters")]
    struct Part {
        some: u8,
    }

    fn found(data: &str) -> Option<String> {
        holding(data, &serde_json::from_str::<Data>(data).unwrap_err())
    }

    #[test]
    fn the_field_with_the_wrong_value_is_named() {
        for (data, field) in [
            (r#"{"list":7}"#, Some("list")),
            (r#"{"list":"x"}"#, Some("list")),
            (r#"{"list":{"list":[]}}"#, Some("list")),
            (r#"{"list":null}"#, Some("list")),
            (r#"{"list":["a",7,"b"],"flag":true}"#, Some("list")),
            (r#"{"flag":true,"list":[[]]}"#, Some("list")),
            ("{\n \"list\" : [\"ü\"] ,\n\n \"flag\" : 0 }", Some("flag")),
            (r#"{"list":["flag"],"flag":"yes"}"#, Some("flag")),
            (r#"{"list":[],"part":{}}"#, Some("part")),
            (r#"{"part":{"more":1},"list":[]}"#, Some("part")),
            (r#"{"part":{"some":1,"some":1},"list":[]}"#, Some("part")),
            // The parser itself names these.
            (r#"{"flag":true}"#, None),
            (r#"{"flag":true }"#, None),
            (r#"{"part":{"some":1}}"#, None),
            (r#"{"list":[],"more":1}"#, None),
            (r#"{"list":[],"list":[]}"#, None),
            // These are not objects.
            ("7", None),
            ("[[],true,1]", None),
            ("{", None),
        ] {
            assert_eq!(found(data).as_deref(), field, "{data}");
        }
    }

    proptest::proptest! {
        /// For any value at any place, its own name is found.
        #[test]
        fn a_wrong_value_is_found_anywhere(
            before in "[ \n]{0,3}", after in "[ \n]{0,3}",
            value in r#"(7|-1\.5e3|true|"[a-zü]{0,5}"|\{\}|\{"list":[0-9]\}|\[[ \n]{0,2}[1-9]{1,3}\]|\["x",null\])"#,
            first in proptest::bool::ANY,
        ) {
            let wrong = format!("{before}\"list\"{after}:{before}{value}{after}");
            let data = if first { format!("{{{wrong},\"flag\":true}}") } else { format!("{{\"flag\":true,{wrong}}}") };
            proptest::prop_assert_eq!(found(&data), Some("list".to_owned()), "{}", data);
        }
    }
}
