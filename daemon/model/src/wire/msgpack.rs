//! JSON text to MessagePack and back: the subprotocol `tickerd.v1.msgpack` says the same in other bytes.
//!
//! What is written comes from JSON that was checked before; what is read comes from clients and is checked here.
//! <https://github.com/msgpack/msgpack/blob/master/spec.md>, read in November 2026.
//!
//! Numbers: a whole number that fits into 64 bits, signed or unsigned, becomes an integer. Any other number becomes a
//! float64 if that holds it exactly, that is, if its shortest decimal form is the same number. A number with more
//! digits or a greater exponent becomes a text of its JSON digits, so that nothing is rounded silently. Zeros at the
//! end of a fraction (`189.30`) are not part of a number; a feed that wants to keep them writes a text.

mod read;

pub use self::read::{Unreadable, to_json};

/// Writes each JSON value of `text`, which must be valid JSON, as MessagePack.
pub fn write(text: &[u8], out: &mut Vec<u8>) {
    let mut writer = Writer { text, at: 0, out };
    writer.value();
    debug_assert!(writer.at == text.len(), "one JSON value and nothing else");
}

struct Writer<'a> {
    text: &'a [u8],
    at: usize,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn peek(&self) -> u8 {
        // The text is valid JSON, so there is a byte here.
        self.text.get(self.at).copied().unwrap_or_default()
    }

    /// One value. Its depth was limited where the JSON was checked.
    fn value(&mut self) {
        match self.peek() {
            b'{' => self.container(b'}', 0x80, 0xde),
            b'[' => self.container(b']', 0x90, 0xdc),
            b'"' => self.string(),
            b'n' => self.word(4, 0xc0),
            b'f' => self.word(5, 0xc2),
            b't' => self.word(4, 0xc3),
            _ => self.number(),
        }
    }

    fn word(&mut self, len: usize, byte: u8) {
        self.at += len;
        self.out.push(byte);
    }

    /// A map or an array: `fix` is its marker with up to 15 entries, `long` with 16 bits of them.
    fn container(&mut self, end: u8, fix: u8, long: u8) {
        self.at += 1;
        let marker = self.out.len();
        self.out.push(fix);
        let mut count: u32 = 0;
        while self.peek() != end && self.at < self.text.len() {
            if self.peek() == b',' {
                self.at += 1;
            }
            if end == b'}' {
                self.string();
                self.at += 1; // the colon
            }
            self.value();
            count += 1;
        }
        self.at += 1;
        let (head, more) = match count {
            0..=15 => (fix | count as u8, Vec::new()),
            16..=0xffff => (long, (count as u16).to_be_bytes().to_vec()),
            _ => (long + 1, count.to_be_bytes().to_vec()),
        };
        if let Some(byte) = self.out.get_mut(marker) {
            *byte = head;
        }
        if !more.is_empty() {
            self.out.splice(marker + 1..marker + 1, more);
        }
    }

    fn string(&mut self) {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        while self.at < self.text.len() {
            match self.peek() {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        if escaped {
            // This is a valid JSON string, since the caller passes valid JSON.
            let text: String = serde_json::from_slice(quoted).unwrap_or_default();
            write_str(text.as_bytes(), self.out);
        } else {
            write_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default(), self.out);
        }
    }

    fn number(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|b| matches!(b, b',' | b']' | b'}')).unwrap_or(rest.len());
        self.at += len.max(1);
        let digits = rest.get(..len).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
        write_number(digits, self.out);
    }
}

fn write_str(text: &[u8], out: &mut Vec<u8>) {
    match text.len() {
        len @ 0..=31 => out.push(0xa0 | len as u8),
        len @ 32..=0xff => out.extend([0xd9, len as u8]),
        len @ 0x100..=0xffff => {
            out.push(0xda);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0xdb);
            out.extend((len as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

fn write_number(digits: &str, out: &mut Vec<u8>) {
    // MessagePack has no integer for minus zero.
    if digits != "-0" {
        if let Ok(number) = digits.parse::<u64>() {
            return write_unsigned(number, out);
        }
        if let Ok(number) = digits.parse::<i64>() {
            return write_negative(number, out);
        }
    }
    match digits.parse::<f64>() {
        Ok(number) if is_shown_as(number, digits) => {
            out.push(0xcb);
            out.extend(number.to_be_bytes());
        }
        _ => write_str(digits.as_bytes(), out),
    }
}

/// Whether a reader of the float sees these digits again.
fn is_shown_as(number: f64, digits: &str) -> bool {
    shown(number).is_some_and(|shown| decimal(&shown) == decimal(digits))
}

/// The shortest decimal of this number, as other languages print it. `None` for what JSON cannot say. Where two
/// decimals are equally near, other languages print the even one (…346.2 for …346.25). Rust's own format does not, so
/// it is not used here.
fn shown(number: f64) -> Option<String> {
    serde_json::Number::from_f64(number).map(|number| number.to_string())
}

fn write_unsigned(number: u64, out: &mut Vec<u8>) {
    match number {
        0..=0x7f => out.push(number as u8),
        0x80..=0xff => out.extend([0xcc, number as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend((number as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend((number as u32).to_be_bytes());
        }
        _ => {
            out.push(0xcf);
            out.extend(number.to_be_bytes());
        }
    }
}

fn write_negative(number: i64, out: &mut Vec<u8>) {
    if let Ok(small) = i8::try_from(number) {
        if small < -32 {
            out.push(0xd0);
        }
        out.extend(small.to_be_bytes());
    } else if let Ok(small) = i16::try_from(number) {
        out.push(0xd1);
        out.extend(small.to_be_bytes());
    } else if let Ok(small) = i32::try_from(number) {
        out.push(0xd2);
        out.extend(small.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend(number.to_be_bytes());
    }
}

/// A decimal number as its sign, its digits without zeros at either end, and the power of ten of the last digit.
/// `None` if its exponent is beyond any that matters.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().ok()?;
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    let power = i64::from(exponent) - fraction.len() as i64 + (digits.len() - kept.len()) as i64;
    let kept = kept.trim_start_matches('0');
    Some((is_negative, kept.to_owned(), if kept.is_empty() { 0 } else { power }))
}

#[cfg(test)]
mod tests;
