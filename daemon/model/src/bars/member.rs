//! Finds one member of a JSON object, fast: it is done for each tick of a topic that has bars.

use memchr::memmem::Finder;

/// Deepest nesting that is followed. A value that was accepted is not deeper.
const DEPTH_MAX: usize = crate::normalise::VALUE_DEPTH_MAX;

/// The name of a member, ready to be looked for. The empty name stands for the whole value.
#[derive(Debug, Clone)]
pub struct Member {
    name: Box<str>,
    /// `"name":`
    finder: Finder<'static>,
}

impl Member {
    pub fn new(name: &str) -> Member {
        // A JSON writer escapes a name like any other text.
        let mut needle = serde_json::to_vec(name).unwrap_or_default();
        needle.push(b':');
        Member { name: name.into(), finder: Finder::new(&needle).into_owned() }
    }

    /// Its name; empty for the whole value.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The member's token in a value without whitespace, if the value is an object that has it at its top.
    pub fn find<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        if self.name.is_empty() {
            return Some(value);
        }
        let inside = value.strip_prefix(b"{")?;
        // Where nothing is nested, the first place that looks like the member is the member: a quote inside a string would be
        // escaped, so `,"name":` cannot stand there. Its quote could only be the one behind a string if the name began with what may
        // follow that.
        let may_follow_string = self.name.starts_with([':', ',', '}']);
        if !may_follow_string && memchr::memchr2(b'{', b'[', inside).is_none() {
            let needle = self.finder.needle().len();
            let place = self.finder.find_iter(value).find(|at| {
                matches!(at.checked_sub(1).and_then(|before| value.get(before)), Some(b'{' | b','))
            })?;
            return token(value.get(place + needle..)?);
        }
        let mut rest = inside;
        loop {
            let key = token(rest)?;
            let after = rest.get(key.len()..)?.strip_prefix(b":")?;
            let found = token(after)?;
            if key.strip_prefix(b"\"").is_some() && self.finder.needle().strip_suffix(b":") == Some(key) {
                return Some(found);
            }
            rest = after.get(found.len()..)?.strip_prefix(b",")?;
        }
    }
}

/// The JSON value that a text begins with.
fn token(text: &[u8]) -> Option<&[u8]> {
    let mut depth = 0;
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => at += string(text.get(at..)?)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                if depth > DEPTH_MAX {
                    return None;
                }
                continue;
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            b',' | b':' if depth > 0 => {
                at += 1;
                continue;
            }
            b',' | b':' | b'}' | b']' => return None,
            _ => {
                let end = |b: &u8| matches!(b, b',' | b'}' | b']' | b':');
                at += text.get(at..)?.iter().position(end).unwrap_or(text.len() - at);
            }
        }
        if depth == 0 {
            return text.get(..at);
        }
    }
}

/// The length of the string that a text begins with, quotes included.
fn string(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let found = memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        at += found;
        match text.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str, value: &str) -> Option<String> {
        Member::new(name).find(value.as_bytes()).map(|found| String::from_utf8(found.to_vec()).unwrap())
    }

    #[test]
    fn a_member_is_found_at_the_top_alone() {
        for (value, found) in [
            (r#"{"price":"1.50"}"#, Some("\"1.50\"")),
            (r#"{"symbol":"A","price":1.50,"x":1}"#, Some("1.50")),
            (r#"{"book":{"price":1},"price":2}"#, Some("2")),
            (r#"{"book":[{"price":1}]}"#, None),
            (r#"{"a":",\"price\":3","price":4}"#, Some("4")),
            (r#"{"a":"{,\"price\":3","b":"\\"}"#, None),
            (r#"{"price":{"a":[1,"]"]},"b":1}"#, Some(r#"{"a":[1,"]"]}"#)),
            (r#"{"pricey":1,"aprice":2}"#, None),
            (r#"{"price":null}"#, Some("null")),
            ("{}", None),
            ("12.5", None),
            (r#"["price",1]"#, None),
            (r#""price""#, None),
        ] {
            assert_eq!(find("price", value).as_deref(), found, "{value}");
        }
        assert_eq!(find("", "12.5").as_deref(), Some("12.5"));
        assert_eq!(find(":", r#"{",":":1"}"#), None);
        assert_eq!(find(",", r#"{"a":"{",":b":1}"#), None);
        assert_eq!(find("a\"b", r#"{"a\"b":1}"#).as_deref(), Some("1"));
    }

    fn json(depth: u32) -> proptest::strategy::BoxedStrategy<serde_json::Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(Into::into),
            "[a-c,:{}\\[\\]\"\\\\é]{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(depth, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map("[ab\",:]{1,2}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
        .boxed()
    }

    proptest::proptest! {
        #[test]
        fn it_finds_what_a_json_library_finds(value in json(3), name in "[ab\",:]{1,2}") {
            let text = value.to_string();
            let expected = value.get(&name).map(ToString::to_string);
            proptest::prop_assert_eq!(find(&name, &text), expected, "{}", text);
        }

        #[test]
        fn no_bytes_panic(text in r#"[{}\[\]":,\\a1]{0,30}"#) {
            let _ = Member::new("a").find(text.as_bytes());
        }
    }
}
