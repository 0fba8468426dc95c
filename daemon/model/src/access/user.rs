//! What a user may be called, and how such a name is written where the grammar of topics holds.

use std::borrow::Cow;
use std::fmt::Write;

/// Longest name of a user, in bytes.
pub const USER_BYTES_MAX: usize = 128;

/// Whether a user may be called so: 1 to 128 bytes of visible UTF-8, such as `ann`, `auth0|5f7` or `ann@example.org`.
pub fn is_user(name: &str) -> bool {
    let is_visible = |c: char| !(c.is_control() || c.is_whitespace() || is_invisible(c));
    (1..=USER_BYTES_MAX).contains(&name.len()) && name.chars().all(is_visible)
}

/// Characters that change how others look, or look like nothing: two names that look the same should be the same.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Writes a name as one segment of a topic: bytes that a segment cannot hold are percent-encoded, `auth0|5f7` is `auth0%7C5f7`.
/// Two names never give the same segment.
pub fn segment(name: &str) -> Cow<'_, str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if name.bytes().all(fits) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 8);
    for byte in name.bytes() {
        if fits(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Cow::Owned(out)
}

/// Whether a text is what [`segment`] makes of a user's name.
pub fn is_segment(text: &str) -> bool {
    let mut name = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let hex =
            |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).map(|digit| digit as u8);
        name.push(match byte {
            b'%' => match (hex(bytes.next()), hex(bytes.next())) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return false,
            },
            byte => byte,
        });
    }
    // Another way to write the same name would be another address.
    std::str::from_utf8(&name).is_ok_and(|name| is_user(name) && segment(name) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_visible_text() {
        for good in ["ann", "auth0|5f7c", "ann@example.org", "Ünal", "a.b", &"x".repeat(128)] {
            assert!(is_user(good), "{good}");
        }
        for bad in ["", "a b", "a\nb", "a\u{0}", "a\u{202e}b", "\u{feff}ann", "a\u{a0}b", &"x".repeat(129)] {
            assert!(!is_user(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_segment_names_one_user() {
        assert_eq!(segment("ann_b-1"), "ann_b-1");
        assert_eq!(segment("auth0|5f7"), "auth0%7C5f7");
        assert_eq!(segment("a%7C"), "a%257C");
        assert_eq!(segment("a.b*"), "a%2Eb%2A");
        for name in ["ann", "auth0|5f7", "a%7C", "Ünal", "a.b"] {
            assert!(is_segment(&segment(name)), "{name}");
        }
        for other in ["", "a|b", "a%7c", "%41", "%", "%4", "%FF", "a%20b"] {
            assert!(!is_segment(other), "{other}");
        }
    }
}
