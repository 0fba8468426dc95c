//! Removes keys from texts.

use tickerd_sdk::secrets::end_in;

use crate::Secret;
use crate::secret::HIDDEN;

/// A part of a key at the end of a cut text is hidden from this many characters on. Fewer characters may be anything.
const PART_MIN: usize = 4;

/// `text` without the keys. They are also found if they are percent-encoded, escaped or written in another case.
pub fn redact(text: &str, secrets: &[&Secret]) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let ends = secrets.iter().filter_map(|secret| end_in(secret.expose(), rest.as_bytes(), PART_MIN));
        let end = ends.max();
        // A match is all ASCII, so it ends at a character.
        let (shown, len) = match end.filter(|end| *end > 0) {
            Some(end) => (HIDDEN, end),
            None => (&rest[..first.len_utf8()], first.len_utf8()),
        };
        clean.push_str(shown);
        rest = rest.get(len..).unwrap_or("");
    }
    clean
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
        /// The key is removed, and everything else stays as it is.
        #[test]
        fn redaction_removes_the_key_alone(before in "[ 0-9é]{0,20}", secret in "[!a-z]{1,30}", after in "[ 0-9é]{0,20}") {
            let secret = key(&secret);
            let clean = redact(&format!("{before}{}{after}", secret.expose()), &[&secret]);
            prop_assert_eq!(clean, format!("{before}***{after}"));
        }
    }
}
