//! Fields that are checked while they are read: names, and the values of ticks.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use tickerd_model::normalise::{KIND_BYTES_MAX, VALUE_BYTES_MAX, VALUE_DEPTH_MAX};
use tickerd_model::rooms::CONN_BYTES_MAX;
use tickerd_model::topic;
use tickerd_model::wire::json;

use super::bytes::Bytes;

/// Longest name of a node or a feed, as the configuration has it.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest text that a log may show, such as a reason.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Longest address of a client, with room to spare: a user's name of 128 bytes may be written with three for each.
const ADDRESS_BYTES_MAX: usize = 512;

/// Text, without a copy of it before it was checked.
struct Text<F>(F);

impl<'de, T, F: FnOnce(&str) -> Result<T, String>> Visitor<'de> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

pub fn check_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
        return Err(format!("a name is not 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 _ -"));
    }
    Ok(())
}

/// A node or a feed.
pub fn name<'de, D: Deserializer<'de>, T: for<'a> From<&'a str>>(from: D) -> Result<T, D::Error> {
    from.deserialize_str(Text(|text: &str| check_name(text).map(|()| T::from(text))))
}

pub fn topic<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
    from.deserialize_str(Text(|text: &str| {
        topic::check(text.as_bytes()).map(Arc::from).map_err(|error| format!("not a topic: {error}"))
    }))
}

/// A tick's number, or how many there are. Greater ones are not exact in JavaScript, and nobody has come there by counting.
pub fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(from)?;
    match number < 1 << 53 {
        true => Ok(number),
        false => Err(D::Error::custom(format!("{number} is no number of a tick"))),
    }
}

/// The event of a topic's ticks. Rooms have words of the server's here.
pub fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    from.deserialize_str(Text(|text: &str| {
        let is_kind = (1..=KIND_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed);
        is_kind.then(|| text.into()).ok_or_else(|| "not the name of an event".to_owned())
    }))
}

/// Who published a tick. It stands between quotation marks in what clients get.
pub fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Arc<str>>, D::Error> {
    let refused = |c: char| c.is_control() || matches!(c, '"' | '\\');
    from.deserialize_str(Text(|text: &str| {
        let is_address = (1..=ADDRESS_BYTES_MAX).contains(&text.len()) && !text.contains(refused);
        is_address.then(|| Some(text.into())).ok_or_else(|| "not the address of a client".to_owned())
    }))
}

/// The name of a connection.
pub fn conn<'de, D: Deserializer<'de>>(from: D) -> Result<Box<str>, D::Error> {
    from.deserialize_str(Text(|text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_conn = (1..=CONN_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed);
        is_conn.then(|| text.into()).ok_or_else(|| "not the name of a connection".to_owned())
    }))
}

/// What a token says of its client: JSON, as the values of ticks are.
pub fn info<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bytes>, D::Error> {
    value(from).map(Some)
}

/// A text that people read.
pub fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Box<str>, D::Error> {
    from.deserialize_str(Text(|text: &str| {
        let is_short = text.len() <= TEXT_BYTES_MAX;
        is_short.then(|| text.into()).ok_or_else(|| format!("a text is longer than {TEXT_BYTES_MAX} bytes"))
    }))
}

/// The value of a tick: JSON as clients get it.
pub fn value<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
    struct Json;
    impl Visitor<'_> for Json {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON as bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
            if bytes.len() > VALUE_BYTES_MAX {
                return Err(E::custom(format!("a value is longer than {VALUE_BYTES_MAX} bytes")));
            }
            json::compact(bytes, VALUE_DEPTH_MAX).map(Bytes).map_err(|_| E::custom("a value is not JSON"))
        }
    }
    from.deserialize_bytes(Json)
}
