//! Takes keys out of texts.

use crate::Secret;
use crate::secret::HIDDEN;

/// So much of a key at the end of a text that was cut is taken for it; fewer characters may be anything.
const PART_MIN: usize = 4;

/// `text` without the keys, also where they are percent-encoded, escaped, or in another case.
pub fn redact(text: &str, secrets: &[&Secret]) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = secrets.iter().filter_map(|secret| end_in(secret, rest.as_bytes())).max();
        // A match is ASCII from end to end, so it ends at a character.
        let (shown, len) = match end.filter(|end| *end > 0) {
            Some(end) => (HIDDEN, end),
            None => (&rest[..first.len_utf8()], first.len_utf8()),
        };
        clean.push_str(shown);
        rest = rest.get(len..).unwrap_or("");
    }
    clean
}

/// Where the key ends if it starts at the head of `text`, whatever way each character is written. So much of it as
/// an excerpt holds before it was cut is the key too.
fn end_in(secret: &Secret, text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for (i, byte) in secret.expose().bytes().enumerate() {
        let rest = text.get(at..)?;
        match written(byte, rest) {
            Some(len) => at += len,
            None => return (i >= PART_MIN && is_cut(rest)).then_some(at),
        }
    }
    Some(at)
}

/// How many bytes at the head of `text` are `byte`: as it is in either case, percent-encoded, or escaped in JSON.
fn written(byte: u8, text: &[u8]) -> Option<usize> {
    let hex = |digits: &[u8]| {
        std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
    };
    let is = |other: Option<u8>| other.is_some_and(|other| other.eq_ignore_ascii_case(&byte));
    match text {
        [b'%', high, low, ..] if is(hex(&[*high, *low])) => Some(3),
        [b'\\', b'u', b'0', b'0', high, low, ..] if is(hex(&[*high, *low])) => Some(6),
        [b'\\', next, ..] if *next == byte => Some(2),
        [next, ..] if is(Some(*next)) => Some(1),
        _ => None,
    }
}

/// Whether the text ends here, perhaps in the middle of a character's escape, or is marked as cut.
fn is_cut(rest: &[u8]) -> bool {
    let escape = match rest {
        [b'%', ..] => 2,
        [b'\\', ..] => 5,
        _ => 0,
    };
    (0..=escape)
        .any(|len| rest.get(len..).is_some_and(|end| end.is_empty() || end.starts_with("…".as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    #[test]
    fn a_key_shows_in_no_form() {
        let secret = key("aB/c+9=");
        for text in [
            "k=aB/c+9=;",
            "k=aB%2Fc%2B9%3D;",
            "k=aB%2fc%2b9%3d;",
            "k=AB/C+9=;",
            r"k=aB\/c+9=;",
            r"k=aB/c\u002b9=;",
            "k=%61%42%2F%63%2B%39%3D;",
        ] {
            assert_eq!(redact(text, &[&secret]), "k=***;");
        }
        assert_eq!(redact("aB/c+9 é aB/c+9==", &[&secret]), "aB/c+9 é ***=");
        for (text, clean) in [
            ("k=aB/c+9", "k=***"),
            ("“k=aB/c…”", "“k=***…”"),
            ("k=aB%2Fc%2…", "k=***%2…"),
            (r"k=aB\/c\u00", r"k=***\u00"),
            ("k=aB/…", "k=aB/…"),
            ("aB/c …", "aB/c …"),
        ] {
            assert_eq!(redact(text, &[&secret]), clean);
        }
        assert_eq!(redact("abcd", &[&key("ab"), &key("abc")]), "***d");
    }

    proptest! {
        /// The key goes, and all else stays as it is.
        #[test]
        fn redaction_removes_the_key_alone(before in "[ 0-9é]{0,20}", secret in "[!a-z]{1,30}", after in "[ 0-9é]{0,20}") {
            let secret = key(&secret);
            let clean = redact(&format!("{before}{}{after}", secret.expose()), &[&secret]);
            prop_assert_eq!(clean, format!("{before}***{after}"));
        }
    }
}
