//! What a user may be called, and how such a name is written where the grammar of topics holds.

use std::borrow::Cow;
use std::fmt::Write;

/// Longest name of a user, in bytes.
pub const USER_BYTES_MAX: usize = 128;

/// Names that nobody may have, in upper or lower case: they would look like the server.
pub const NAMES_RESERVED: [&str; 4] = ["tickerd", "server", "system", "admin"];

/// Whether a user may be called so: 1 to 128 bytes of visible UTF-8, such as `ann`, `auth0|5f7` or `ann@example.org`, and none of
/// [`NAMES_RESERVED`].
pub fn is_user(name: &str) -> bool {
    let is_visible = |c: char| !(c.is_control() || c.is_whitespace() || is_invisible(c));
    (1..=USER_BYTES_MAX).contains(&name.len()) && name.chars().all(is_visible) && !is_reserved(name)
}

/// Whether it is one of [`NAMES_RESERVED`].
pub fn is_reserved(name: &str) -> bool {
    NAMES_RESERVED.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Characters that change how others look, or look like nothing: two names that look the same should be the same.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        // A hyphen that is seldom shown, and what joins or turns the characters around it.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Letters that are blank: of Hangul, Khmer and Mongolian, and the Braille cell without dots.
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
            // Variants of the character before, notes between lines and of music, the mark of byte order, and tags.
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
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
        for code in [0xad, 0x34f, 0x115f, 0x1160, 0x180e, 0x200b, 0x2800, 0x3164, 0xfe00, 0xfe0f, 0xffa0]
            .into_iter()
            .chain([0xe0001, 0xe0020, 0xe007f, 0xe0100, 0xe01ef])
        {
            let c = char::from_u32(code).unwrap();
            assert!(!is_user(&format!("ann{c}")) && !is_user(&c.to_string()), "{code:x}");
        }
    }

    #[test]
    fn nobody_is_called_as_the_server() {
        for bad in ["tickerd", "admin", "Server", "SYSTEM"] {
            assert!(!is_user(bad) && !is_segment(bad), "{bad}");
        }
        assert!(is_user("admin@example.org") && is_user("admins"));
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
