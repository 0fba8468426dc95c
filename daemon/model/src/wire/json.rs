//! One JSON value, checked and stripped of the whitespace between its tokens in one pass.
//!
//! This is not done by `serde_json`. A feed's digits must stay as they are, the depth and the Unicode (also lone
//! surrogates in escapes) must be checked, and the whitespace must be removed, for each sample. `serde_json` reads
//! everything that this accepts; a property test holds both to the same verdict. Grammar: RFC 8259, read 2026-11.

use std::fmt;

/// Why a text is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Offset of the first byte that could not be accepted.
    pub at: usize,
    /// What was wrong with it.
    pub what: What,
}

/// The kinds of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The text ended inside a value.
    Ended,
    /// A byte that cannot stand there.
    Unexpected,
    /// A word that other languages print for a value that is not a number or is infinite, such as `NaN`.
    NoNumber(&'static str),
    /// A control character inside a string.
    Control,
    /// An escape that does not exist, or half a surrogate pair.
    Escape,
    /// Not UTF-8.
    Utf8,
    /// Nested deeper than allowed.
    Depth,
    /// More text after the value.
    Trailing,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::NoNumber(word) => {
                return write!(
                    f,
                    "{word} is no number of JSON, at byte {}; write null, or leave it out",
                    self.at
                );
            }
            What::Ended => "it ends inside a value",
            What::Unexpected => "a character cannot stand there",
            What::Control => "a control character in a string must be escaped",
            What::Escape => "the escape is not one of JSON's, or is half a surrogate pair",
            What::Utf8 => "it is not UTF-8",
            What::Depth => "it is nested too deep",
            What::Trailing => "something follows the value",
        };
        write!(f, "{what}, at byte {}", self.at)
    }
}

impl Fault {
    /// Names the word at the fault, if it is one that other languages print for such a value.
    fn named(self, text: &[u8]) -> Fault {
        let near = self.at.saturating_sub(2)..=self.at;
        let found = near.rev().find_map(|at| Some((at, no_number_at(text, at)?)));
        match (self.what, found) {
            (What::Unexpected, Some((at, word))) => Fault { at, what: What::NoNumber(word) },
            _ => self,
        }
    }
}

/// The word for "not a number" or for infinity that begins at this byte, such as `NaN` or `-Infinity`. Longer words
/// are tried first.
pub fn no_number_at(text: &[u8], at: usize) -> Option<&'static str> {
    const WORDS: [&str; 10] =
        ["-Infinity", "Infinity", "-infinity", "infinity", "-inf", "inf", "-NaN", "NaN", "-nan", "nan"];
    let starts = |rest: &[u8], word: &str| rest.starts_with(word.as_bytes());
    let rest = text.get(at..)?;
    let preceded = at.checked_sub(1).and_then(|before| text.get(before));
    // The word must not begin in the middle of another, and it includes its sign.
    if preceded.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
        return None;
    }
    WORDS.into_iter().find(|word| starts(rest, word))
}

/// Checks one JSON value and gives it back without whitespace outside its strings.
pub fn compact(text: &[u8], depth_max: usize) -> Result<Box<[u8]>, Fault> {
    if let Err(e) = std::str::from_utf8(text) {
        return Err(Fault { at: e.valid_up_to(), what: What::Utf8 });
    }
    let mut scan = Scan { text, at: 0, out: Vec::with_capacity(text.len()), copied: 0 };
    scan.document(depth_max).map_err(|fault| fault.named(text))?;
    Ok(scan.out.into_boxed_slice())
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    out: Vec<u8>,
    /// Everything before this offset is in `out` or was whitespace.
    copied: usize,
}

/// What the scanner needs next.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Value,
    /// After `[`: a value or `]`.
    FirstItem,
    /// After `{`: a key or `}`.
    FirstKey,
    Key,
    /// After a whole value: `,` or the end of what is open.
    Next,
}

impl Scan<'_> {
    fn document(&mut self, depth_max: usize) -> Result<(), Fault> {
        // One bit per level, set for an object. `depth_max` is at most 64, so one 64-bit word is enough and no
        // function calls itself.
        debug_assert!(depth_max <= 64);
        let mut objects: u64 = 0;
        let mut depth = 0usize;
        let mut expect = Expect::Value;
        loop {
            self.skip_whitespace();
            let Some(byte) = self.peek() else {
                let done = expect == Expect::Next && depth == 0;
                self.flush();
                return if done { Ok(()) } else { Err(self.fault(What::Ended)) };
            };
            expect = match (expect, byte) {
                (Expect::Next, _) if depth == 0 => return Err(self.fault(What::Trailing)),
                (Expect::Next, b',') => {
                    self.at += 1;
                    if objects & 1 == 1 { Expect::Key } else { Expect::Value }
                }
                (Expect::Next | Expect::FirstItem, b']') if objects & 1 == 0 => {
                    self.at += 1;
                    (objects, depth) = (objects >> 1, depth - 1);
                    Expect::Next
                }
                (Expect::Next | Expect::FirstKey, b'}') if objects & 1 == 1 => {
                    self.at += 1;
                    (objects, depth) = (objects >> 1, depth - 1);
                    Expect::Next
                }
                (Expect::Key | Expect::FirstKey, b'"') => {
                    self.string()?;
                    self.skip_whitespace();
                    match self.peek() {
                        Some(b':') => self.at += 1,
                        Some(_) => return Err(self.fault(What::Unexpected)),
                        None => return Err(self.fault(What::Ended)),
                    }
                    Expect::Value
                }
                (Expect::Next | Expect::Key | Expect::FirstKey, _) => {
                    return Err(self.fault(What::Unexpected));
                }
                (_, b'{' | b'[') => {
                    if depth == depth_max {
                        return Err(self.fault(What::Depth));
                    }
                    let object = byte == b'{';
                    (objects, depth) = (objects << 1 | u64::from(object), depth + 1);
                    self.at += 1;
                    if object { Expect::FirstKey } else { Expect::FirstItem }
                }
                (_, b'"') => {
                    self.string()?;
                    Expect::Next
                }
                (_, b'-' | b'0'..=b'9') => {
                    self.number()?;
                    Expect::Next
                }
                (_, b't') => self.literal(b"true")?,
                (_, b'f') => self.literal(b"false")?,
                (_, b'n') => self.literal(b"null")?,
                _ => return Err(self.fault(What::Unexpected)),
            };
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fault(&self, what: What) -> Fault {
        Fault { at: self.at, what }
    }

    fn flush(&mut self) {
        if let Some(run) = self.text.get(self.copied..self.at) {
            self.out.extend_from_slice(run);
        }
        self.copied = self.at;
    }

    fn skip_whitespace(&mut self) {
        if matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.flush();
            while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
                self.at += 1;
            }
            self.copied = self.at;
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<Expect, Fault> {
        for byte in word {
            match self.peek() {
                Some(seen) if seen == *byte => self.at += 1,
                Some(_) => return Err(self.fault(What::Unexpected)),
                None => return Err(self.fault(What::Ended)),
            }
        }
        Ok(Expect::Next)
    }

    fn digits(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'0'..=b'9') => {}
            Some(_) => return Err(self.fault(What::Unexpected)),
            None => return Err(self.fault(What::Ended)),
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(self.fault(What::Ended)),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return Err(self.fault(What::Control)),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let bad = Fault { at: start, what: What::Escape };
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => match self.unit().ok_or(bad)? {
                0xdc00..=0xdfff => Err(bad),
                0xd800..=0xdbff => {
                    let low = (self.text.get(self.at..self.at + 2) == Some(b"\\u")).then(|| {
                        self.at += 1;
                        self.unit()
                    });
                    match low.flatten() {
                        Some(0xdc00..=0xdfff) => Ok(()),
                        _ => Err(bad),
                    }
                }
                _ => Ok(()),
            },
            Some(_) => Err(bad),
            None => Err(self.fault(What::Ended)),
        }
    }

    /// At a `u`: reads it and its four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at + 1..self.at + 5)?;
        let mut unit = 0;
        for digit in digits {
            unit = unit << 4 | char::from(*digit).to_digit(16)?;
        }
        self.at += 5;
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(input: &str) -> Result<String, What> {
        compact(input.as_bytes(), 64).map(|v| String::from_utf8(v.into()).unwrap()).map_err(|f| f.what)
    }

    #[test]
    fn values_pass_and_lose_only_their_whitespace() {
        for (input, output) in [
            ("1", "1"),
            (" -0.10e+5 ", "-0.10e+5"),
            ("[ ]", "[]"),
            ("{ }", "{}"),
            ("[1, [2 ,{\"a\" : null}], true,false ]", "[1,[2,{\"a\":null}],true,false]"),
            (r#"" \u00e9 \" \ud83d\ude00 ""#, r#"" \u00e9 \" \ud83d\ude00 ""#),
        ] {
            assert_eq!(text(input).as_deref(), Ok(output), "{input}");
        }
    }

    #[test]
    fn faults_are_told_apart() {
        for (input, what) in [
            ("", What::Ended),
            ("{\"a\"", What::Ended),
            ("tru", What::Ended),
            ("[1 2]", What::Unexpected),
            ("[1,]", What::Unexpected),
            ("{\"a\":1,}", What::Unexpected),
            ("{1:2}", What::Unexpected),
            ("]", What::Unexpected),
            ("[}", What::Unexpected),
            ("NaN", What::NoNumber("NaN")),
            ("[1,-Infinity]", What::NoNumber("-Infinity")),
            ("{\"a\":nan}", What::NoNumber("nan")),
            ("[nope]", What::Unexpected),
            ("x.inf", What::Unexpected),
            ("+1", What::Unexpected),
            ("01", What::Trailing),
            ("1 2", What::Trailing),
            ("\"a\nb\"", What::Control),
            (r#""\x""#, What::Escape),
            (r#""\ud800""#, What::Escape),
            (r#""\udc00""#, What::Escape),
            (r#""\ud800\u0041""#, What::Escape),
        ] {
            assert_eq!(text(input), Err(what), "{input}");
        }
        assert_eq!(compact(b"\"\xff\"", 64).unwrap_err(), Fault { at: 1, what: What::Utf8 });
        assert!(text(&format!("{}1{}", "[".repeat(64), "]".repeat(64))).is_ok());
        assert_eq!(text(&format!("{}1{}", "[".repeat(65), "]".repeat(65))), Err(What::Depth));
    }

    proptest::proptest! {
        /// The independent parser agrees on what is JSON, except for numbers that do not fit its types.
        #[test]
        fn agrees_with_serde_json(input in r#"[\[\]{}:,"\\u0-9a-fd8e.\-+ tr]{0,24}"#) {
            let ours = compact(input.as_bytes(), 64);
            match serde_json::from_str::<serde_json::Value>(&input) {
                Ok(value) => {
                    let ours = ours.unwrap();
                    proptest::prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&ours).unwrap(), value);
                }
                Err(e) if e.to_string().contains("out of range") => {}
                Err(e) => proptest::prop_assert!(ours.is_err(), "{} accepted, though {}", input, e),
            }
        }
    }
}
