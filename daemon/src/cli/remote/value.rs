//! A value as its members, and texts that are safe for a terminal.

use std::fmt;

use serde::Deserializer;
use serde::de::{Deserialize, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value's members, in their order. Those of objects inside are named with a dot. The digits are those of the source.
pub type Members = Vec<(String, String)>;

/// Objects in objects are opened so far.
const DEPTH_MAX: usize = 3;
/// Most members that are shown; `--json` has all.
const MEMBERS_MAX: usize = 64;
/// Longest text of one member that is shown.
const CHARS_MAX: usize = 200;

/// What a value consists of. One that is no object has one member without a name.
pub fn members(value: &RawValue) -> Members {
    let mut found = Vec::new();
    collect(String::new(), value.get(), 0, &mut found);
    found
}

fn collect(name: String, value: &str, depth: usize, found: &mut Members) {
    if found.len() >= MEMBERS_MAX {
        return;
    }
    if depth < DEPTH_MAX
        && value.starts_with('{')
        && let Ok(Object(members)) = serde_json::from_str(value)
        && !(members.is_empty())
    {
        for (key, inner) in members {
            let key = word(&key);
            let name = if name.is_empty() { key } else { format!("{name}.{key}") };
            collect(name, inner.get(), depth + 1, found);
        }
        return;
    }
    let text = match value.starts_with('"').then(|| serde_json::from_str::<String>(value)) {
        Some(Ok(text)) => word(&text),
        _ => safe(value),
    };
    found.push((name, cut(text)));
}

/// A text as one word: in quotes if it would not be one.
fn word(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || "_-+.,:;/@%#$€*()&!?~^'°".contains(c);
    match !text.is_empty() && text.chars().all(is_word) {
        true => text.to_owned(),
        false => safe(&serde_json::to_string(text).unwrap_or_default()),
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// JSON on one line, the same value, in which nothing can move a terminal: what is no visible text is written as `\u….`
pub fn safe(json: &str) -> String {
    let mut clean = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // Outside of texts these are space, and inside they cannot be.
            '\n' | '\r' | '\t' => clean.push(' '),
            c if is_hidden(c) => clean.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => clean.push(c),
        }
    }
    clean
}

/// Words of a daemon for a terminal: one line, without what could move it.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Controls, and what changes the direction of writing.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// An object whose order is kept.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        from.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> String {
        let value = RawValue::from_string(json.to_owned()).unwrap();
        members(&value)
            .iter()
            .map(|(name, value)| format!("{name}={value} "))
            .collect::<String>()
            .trim_end()
            .to_owned()
    }

    #[test]
    fn values_are_shown_member_by_member_with_their_digits() {
        assert_eq!(of(r#"{"price":"189.30","n":1.50,"ok":true}"#), "price=189.30 n=1.50 ok=true");
        assert_eq!(of(r#"{"z":{"b":1,"a":{"c":null}},"l":[1, 2]}"#), "z.b=1 z.a.c=null l=[1, 2]");
        assert_eq!(of("36893488147419103232"), "=36893488147419103232");
        assert_eq!(of(r#"{"text":"hello, you"}"#), r#"text="hello, you""#);
        assert_eq!(of("{}"), "={}");
        assert_eq!(of(r#"{"a":{"b":{"c":{"d":1}}}}"#), r#"a.b.c={"d":1}"#);
    }

    /// Goal: no value moves the terminal.
    #[test]
    fn what_could_move_a_terminal_is_written_out() {
        for json in [
            "\"\\u001b[2J\"",
            "{\"\\u001b]0;x\\u0007\":1}",
            "\"\u{9b}31m\"",
            "[\"\u{9b}31m\", \"\u{202e}\"]",
            "\"\u{7f}\\u0000\\r\\n\"",
        ] {
            let shown = of(json);
            assert!(shown.chars().all(|c| !is_hidden(c)), "{shown:?}");
            let safe = safe(json);
            assert!(safe.chars().all(|c| !is_hidden(c)), "{safe:?}");
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(value(&safe), value(json));
        }
        assert_eq!(plain("a\u{1b}[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
    }

    #[test]
    fn long_values_are_cut() {
        let long = format!("\"{}\"", "x".repeat(10_000));
        assert_eq!(of(&long).chars().count(), 1 + CHARS_MAX + 1);
        let many: Vec<String> = (0..1_000).map(|n| format!("\"k{n}\":1")).collect();
        assert_eq!(of(&format!("{{{}}}", many.join(","))).split(' ').count(), MEMBERS_MAX);
    }
}
