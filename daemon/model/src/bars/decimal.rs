//! Decimal numbers as their source wrote them: `189.30` stays `189.30`, and compares equal to `189.3`.
//!
//! Nothing is rounded. A number of at most 18 digits is kept in 8 bytes; any other is kept as its text.

use std::cmp::Ordering;

/// Most digits of a number that is kept in 8 bytes.
const SHORT_DIGITS_MAX: usize = 18;
/// Longest text of a number, in bytes.
pub const TEXT_BYTES_MAX: usize = 128;
/// Greatest exponent, and least one below zero. No measured thing needs more.
const EXPONENT_MAX: i32 = 9_999;

/// Whether a number stood in JSON as a number or as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Token {
    Number,
    Text,
}

/// One decimal number. Two of them are equal if they are written alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decimal {
    /// `digits / 10^scale`, without leading zeros, exponent or negative zero.
    Short { digits: i64, scale: u8, token: Token },
    /// Any other number, as it was written.
    Long { text: Box<str>, token: Token },
}

/// Why a JSON value is no figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoFigure {
    /// The field is not there, or is null.
    Missing,
    /// It is neither a number nor a text that is one, such as `"NaN"` or `{}`.
    NoNumber,
    /// It is longer than [`TEXT_BYTES_MAX`] bytes, or its exponent is beyond ±[`EXPONENT_MAX`].
    TooLong,
}

impl NoFigure {
    /// All of them, for metrics that are there from the start.
    pub const ALL: [NoFigure; 3] = [NoFigure::Missing, NoFigure::NoNumber, NoFigure::TooLong];

    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            NoFigure::Missing => "missing",
            NoFigure::NoNumber => "no_number",
            NoFigure::TooLong => "too_long",
        }
    }
}

impl Decimal {
    /// Reads a JSON token: a number, or a string that holds one.
    pub fn read(json: &[u8]) -> Result<Decimal, NoFigure> {
        let (text, token) = match json {
            b"null" => return Err(NoFigure::Missing),
            [b'"', text @ .., b'"'] => (text, Token::Text),
            number => (number, Token::Number),
        };
        let shape = Shape::read(text).ok_or(NoFigure::NoNumber)?;
        if text.len() > TEXT_BYTES_MAX {
            return Err(NoFigure::TooLong);
        }
        if let Some(short) = shape.short(token) {
            return Ok(short);
        }
        shape.exponent.ok_or(NoFigure::TooLong)?;
        // Only ASCII got through.
        let text = std::str::from_utf8(text).map_err(|_| NoFigure::NoNumber)?;
        Ok(Decimal::Long { text: text.into(), token })
    }

    /// Appends it as JSON, as it was written.
    pub fn write(&self, out: &mut Vec<u8>) {
        let token = match self {
            Decimal::Short { token, .. } | Decimal::Long { token, .. } => *token,
        };
        let quote = |out: &mut Vec<u8>| {
            if token == Token::Text {
                out.push(b'"');
            }
        };
        quote(out);
        match self {
            Decimal::Short { digits, scale, .. } => write_scaled(i128::from(*digits), *scale, out),
            Decimal::Long { text, .. } => out.extend_from_slice(text.as_bytes()),
        }
        quote(out);
    }

    /// Which of two numbers is greater, however they are written.
    pub fn compare(&self, other: &Decimal) -> Ordering {
        if let (Decimal::Short { digits, scale, .. }, Decimal::Short { digits: others, scale: other, .. }) =
            (self, other)
        {
            if scale == other {
                return digits.cmp(others);
            }
            let most = *scale.max(other);
            let raised = |digits: i64, scale: u8| i128::from(digits) * 10i128.pow(u32::from(most - scale));
            return raised(*digits, *scale).cmp(&raised(*others, *other));
        }
        self.with_text(|one| other.with_text(|two| compare_texts(one, two)))
    }

    fn with_text<T>(&self, act: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Decimal::Long { text, .. } => act(text.as_bytes()),
            Decimal::Short { digits, scale, .. } => {
                let mut text = Vec::with_capacity(24);
                write_scaled(i128::from(*digits), *scale, &mut text);
                act(&text)
            }
        }
    }

    /// As `digits / 10^scale`, if it has at most 36 digits and a scale of at most 18.
    pub(super) fn scaled(&self) -> Option<(i128, u8)> {
        match self {
            Decimal::Short { digits, scale, .. } => Some((i128::from(*digits), *scale)),
            Decimal::Long { text, .. } => {
                let shape = Shape::read(text.as_bytes())?;
                let digits: Vec<u8> = shape.digits().collect();
                let scale = i32::try_from(shape.fraction.len()).ok()? - shape.exponent?;
                let raise = usize::try_from((-scale).max(0)).ok()?;
                let scale = u8::try_from(scale.max(0)).ok().filter(|scale| *scale <= 18)?;
                let significant = digits.iter().skip_while(|digit| **digit == b'0').count();
                if significant + raise > 36 && significant > 0 {
                    return None;
                }
                let number = digits.iter().fold(0i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
                let number = if number == 0 { 0 } else { number * 10i128.pow(u32::try_from(raise).ok()?) };
                Some((if shape.is_negative { -number } else { number }, scale))
            }
        }
    }

    /// How it stood in JSON.
    pub(super) fn token(&self) -> Token {
        match self {
            Decimal::Short { token, .. } | Decimal::Long { token, .. } => *token,
        }
    }

    /// Bytes outside this struct.
    pub(super) fn heap(&self) -> usize {
        match self {
            Decimal::Short { .. } => 0,
            Decimal::Long { text, .. } => text.len(),
        }
    }
}

/// Appends `digits / 10^scale` with all its digits.
pub(super) fn write_scaled(digits: i128, scale: u8, out: &mut Vec<u8>) {
    // Digits are found from the last one on.
    let begin = out.len();
    let mut places = 0u8;
    let mut put = |digit: u8| {
        if places == scale && scale > 0 {
            out.push(b'.');
        }
        out.push(b'0' + digit);
        places = places.saturating_add(1);
        places <= scale
    };
    let mut large = digits.unsigned_abs();
    while large > u128::from(u64::MAX) {
        put((large % 10) as u8);
        large /= 10;
    }
    // Division is much faster in 64 bits.
    let mut left = large as u64;
    while put((left % 10) as u8) || left >= 10 {
        left /= 10;
    }
    if digits < 0 {
        out.push(b'-');
    }
    if let Some(text) = out.get_mut(begin..) {
        text.reverse();
    }
}

/// The parts of a number's text.
struct Shape<'a> {
    is_negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    has_exponent: bool,
    /// `None`: it is beyond what is taken.
    exponent: Option<i32>,
}

impl<'a> Shape<'a> {
    /// `-? digit+ (. digit+)? ([eE] [+-]? digit+)?`. A string may have leading zeros; a JSON number has none.
    fn read(text: &'a [u8]) -> Option<Shape<'a>> {
        let (is_negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (whole, rest) = digits(rest)?;
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => digits(rest)?,
            rest => (&[][..], rest),
        };
        let (has_exponent, exponent) = match rest {
            [] => (false, Some(0)),
            [b'e' | b'E', rest @ ..] => {
                let (sign, rest) = match rest {
                    [b'-', rest @ ..] => (-1, rest),
                    [b'+', rest @ ..] | rest => (1, rest),
                };
                let (digits, []) = digits(rest)? else { return None };
                let number: Option<i32> = std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok());
                (true, number.filter(|e| *e <= EXPONENT_MAX).map(|e| sign * e))
            }
            _ => return None,
        };
        Some(Shape { is_negative, whole, fraction, has_exponent, exponent })
    }

    fn digits(&self) -> impl DoubleEndedIterator<Item = u8> + '_ {
        self.whole.iter().chain(self.fraction).copied()
    }

    fn short(&self, token: Token) -> Option<Decimal> {
        let count = self.whole.len() + self.fraction.len();
        let has_zeros = self.whole.len() > 1 && self.whole.first() == Some(&b'0');
        if count > SHORT_DIGITS_MAX || self.has_exponent || has_zeros {
            return None;
        }
        let digits = self.digits().fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        if digits == 0 && self.is_negative {
            return None;
        }
        let digits = if self.is_negative { -digits } else { digits };
        Some(Decimal::Short { digits, scale: self.fraction.len() as u8, token })
    }

    /// The digits that count, and where the point stands before them: `0.012` is `12` and -1.
    fn significant(&self) -> (Vec<u8>, i64) {
        let mut digits: Vec<u8> = self.digits().skip_while(|digit| *digit == b'0').collect();
        let zeros = self.whole.len() + self.fraction.len() - digits.len();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        let point = self.whole.len() as i64 - zeros as i64 + i64::from(self.exponent.unwrap_or(0));
        (digits, point)
    }
}

fn digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    text.split_at_checked(count).filter(|(digits, _)| !digits.is_empty())
}

/// Compares numbers by their texts, which were read before.
fn compare_texts(one: &[u8], two: &[u8]) -> Ordering {
    let (Some(one), Some(two)) = (Shape::read(one), Shape::read(two)) else { return Ordering::Equal };
    let ((digits, point), (others, other)) = (one.significant(), two.significant());
    let sign = |shape: &Shape<'_>, digits: &[u8]| match (digits.is_empty(), shape.is_negative) {
        (true, _) => 0,
        (false, true) => -1,
        (false, false) => 1,
    };
    let (first, second) = (sign(&one, &digits), sign(&two, &others));
    if first != second || first == 0 {
        return first.cmp(&second);
    }
    // Digits after the point of the first one compare like words.
    let magnitude = point.cmp(&other).then_with(|| digits.cmp(&others));
    if first < 0 { magnitude.reverse() } else { magnitude }
}

#[cfg(test)]
mod tests;
