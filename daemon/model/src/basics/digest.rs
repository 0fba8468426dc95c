//! The SHA-256 of a file's bytes, as people compare them: 64 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

/// The number of hexadecimal digits of a digest.
pub const DIGITS: usize = 64;

/// 32 bytes; written and read as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestError {
    /// The text has this number of characters instead of 64.
    Length(usize),
    /// The text has this character, which is not a hexadecimal digit.
    Digit(char),
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DigestError::Length(length) => {
                write!(f, "a SHA-256 has {DIGITS} hexadecimal digits, and this has {length} characters")
            }
            DigestError::Digit(c) => write!(f, "{c:?} is no hexadecimal digit"),
        }
    }
}

impl std::error::Error for DigestError {}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        if let Some(wrong) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(DigestError::Digit(wrong));
        }
        let mut bytes = [0; 32];
        if text.len() != DIGITS {
            return Err(DigestError::Length(text.len()));
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let value = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or_default() as u8;
            *byte = pair.iter().fold(0, |byte, digit| byte << 4 | value(digit));
        }
        Ok(Digest(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slips_are_named() {
        assert_eq!("".parse::<Digest>(), Err(DigestError::Length(0)));
        assert_eq!("ab".repeat(33).parse::<Digest>(), Err(DigestError::Length(66)));
        assert_eq!("sha256:00".parse::<Digest>(), Err(DigestError::Digit('s')));
        let upper = "AB".repeat(32).parse::<Digest>().unwrap();
        assert_eq!(upper.to_string(), "ab".repeat(32), "either case is read");
    }

    proptest! {
        #[test]
        fn digests_read_back_as_written(bytes: [u8; 32]) {
            prop_assert_eq!(Digest(bytes).to_string().parse(), Ok(Digest(bytes)));
        }

        #[test]
        fn no_text_breaks_it(text: String) {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text.to_ascii_lowercase());
            }
        }
    }
}
