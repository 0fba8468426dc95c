//! What clients send: one MessagePack value, turned into the JSON text that says the same, within limits.

use std::fmt;
use std::io::Write as _;

use super::shown;

/// Deepest nesting. A published value may nest as deep as a feed's, 64 levels, which is looked at later; around it are the message and
/// its `data`.
const DEPTH_MAX: usize = 66;

/// Why bytes are not a message, in words for the client's author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// The bytes end before the value does.
    CutShort,
    /// More bytes follow the value.
    MoreThanOne,
    /// A map's key is not a text.
    Key,
    /// A text is not UTF-8.
    NotUtf8,
    /// A kind of value that JSON does not have.
    Kind(u8),
    /// A float that is not a number or is infinite.
    NotANumber,
    /// Nested deeper than any message.
    TooDeep,
    /// Its JSON is longer than a message may be.
    TooLong,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unreadable::CutShort => "it is cut short; send each message whole",
            Unreadable::MoreThanOne => "something follows the value; send one message per frame",
            Unreadable::Key => "the keys of a map must be texts",
            Unreadable::NotUtf8 => "a text is not UTF-8",
            Unreadable::NotANumber => "a float is infinite or not a number",
            Unreadable::TooDeep => return write!(f, "it is nested deeper than {DEPTH_MAX}"),
            Unreadable::TooLong => "its JSON form is longer than a message may be",
            Unreadable::Kind(byte) => {
                return write!(
                    f,
                    "it holds a kind of value that JSON does not have (0x{byte:02x}): no bin, no ext"
                );
            }
        })
    }
}

/// The JSON text of a whole MessagePack value, at most `limit` bytes long.
///
/// # Errors
/// What is wrong with the bytes.
pub fn to_json(bytes: &[u8], limit: usize) -> Result<String, Unreadable> {
    let mut reader = Reader { rest: bytes, out: Vec::with_capacity(bytes.len() * 2), limit };
    reader.value(0)?;
    if !reader.rest.is_empty() {
        return Err(Unreadable::MoreThanOne);
    }
    // Only complete UTF-8 texts and ASCII were written.
    String::from_utf8(reader.out).map_err(|_| Unreadable::NotUtf8)
}

struct Reader<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
    limit: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Unreadable::CutShort)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.take(1).map(|taken| taken.first().copied().unwrap_or_default())
    }

    /// A big-endian unsigned number of `len` bytes.
    fn unsigned(&mut self, len: usize) -> Result<u64, Unreadable> {
        Ok(self.take(len)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A big-endian signed number of `len` bytes.
    fn signed(&mut self, len: usize) -> Result<i64, Unreadable> {
        let spare = 64 - 8 * len as u32;
        Ok((self.unsigned(len)? << spare) as i64 >> spare)
    }

    fn say(&mut self, text: impl fmt::Display) -> Result<(), Unreadable> {
        let written = write!(self.out, "{text}");
        debug_assert!(written.is_ok(), "a Vec takes all that is written to it");
        if self.out.len() > self.limit { Err(Unreadable::TooLong) } else { Ok(()) }
    }

    fn value(&mut self, depth: usize) -> Result<(), Unreadable> {
        if depth > DEPTH_MAX {
            return Err(Unreadable::TooDeep);
        }
        match self.byte()? {
            byte @ 0x00..=0x7f => self.say(byte),
            byte @ 0xe0..=0xff => self.say(byte as i8),
            byte @ 0x80..=0x8f => self.map(u64::from(byte & 0x0f), depth),
            byte @ 0x90..=0x9f => self.array(u64::from(byte & 0x0f), depth),
            byte @ (0xa0..=0xbf | 0xd9..=0xdb) => self.string(byte),
            0xc0 => self.say("null"),
            0xc2 => self.say("false"),
            0xc3 => self.say("true"),
            0xca => {
                let number = f32::from_bits(self.unsigned(4)? as u32);
                // The shortest digits of the f32, 0.1 and not 0.10000000149011612, written as those of an f64 are.
                let digits = serde_json::to_string(&number).unwrap_or_default();
                self.say(digits.parse().ok().and_then(shown).ok_or(Unreadable::NotANumber)?)
            }
            0xcb => {
                let number = f64::from_bits(self.unsigned(8)?);
                self.say(shown(number).ok_or(Unreadable::NotANumber)?)
            }
            byte @ 0xcc..=0xcf => {
                let number = self.unsigned(1 << (byte - 0xcc))?;
                self.say(number)
            }
            byte @ 0xd0..=0xd3 => {
                let number = self.signed(1 << (byte - 0xd0))?;
                self.say(number)
            }
            byte @ (0xdc | 0xdd) => {
                let count = self.unsigned(2 << (byte - 0xdc))?;
                self.array(count, depth)
            }
            byte @ (0xde | 0xdf) => {
                let count = self.unsigned(2 << (byte - 0xde))?;
                self.map(count, depth)
            }
            other => Err(Unreadable::Kind(other)),
        }
    }

    /// A string whose marker is `byte`.
    fn string(&mut self, byte: u8) -> Result<(), Unreadable> {
        let len = match byte {
            0xa0..=0xbf => u64::from(byte & 0x1f),
            0xd9..=0xdb => self.unsigned(1 << (byte - 0xd9))?,
            _ => return Err(Unreadable::Key),
        };
        let bytes = self.take(usize::try_from(len).map_err(|_| Unreadable::CutShort)?)?;
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::NotUtf8)?;
        let quoted = serde_json::to_writer(&mut self.out, text);
        debug_assert!(quoted.is_ok(), "a text is JSON, and a Vec takes all that is written to it");
        self.say("")
    }

    // An announced count that does not come costs nothing: each entry takes at least one byte of the input.

    fn array(&mut self, count: u64, depth: usize) -> Result<(), Unreadable> {
        self.say("[")?;
        for at in 0..count {
            if at > 0 {
                self.say(",")?;
            }
            self.value(depth + 1)?;
        }
        self.say("]")
    }

    fn map(&mut self, count: u64, depth: usize) -> Result<(), Unreadable> {
        self.say("{")?;
        for at in 0..count {
            if at > 0 {
                self.say(",")?;
            }
            let key = self.byte()?;
            self.string(key)?;
            self.say(":")?;
            self.value(depth + 1)?;
        }
        self.say("}")
    }
}
