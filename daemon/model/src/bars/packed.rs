//! How a closed bar lies in memory and on disk: small numbers in few bytes, most of them as what differs from the bar before.

use super::bar::{Bar, Volume};
use super::decimal::{Decimal, Token};

/// The bar is not of the slot after the one before it: how many slots later stands there.
const JUMPS: u8 = 1;
/// All four figures have as many places and stand in JSON as the last figure of the bar before.
const ALIKE: u8 = 2;
/// All four figures are the same, and one stands there.
const FLAT: u8 = 4;
const MERGED: u8 = 8;
const VOLUME: u8 = 16;
const VOLUME_UNKNOWN: u8 = 32;

/// In the byte before a figure: it stood in JSON as a string.
const TEXT: u8 = 32;
/// In the byte before a figure: its text follows.
const LONG: u8 = 64;

/// What the next bar is compared with.
#[derive(Debug, Clone, Default)]
pub struct Before {
    slot: u64,
    close: Option<(i64, u8, Token)>,
}

/// Appends a bar.
pub fn write(bar: &Bar, before: &mut Before, out: &mut Vec<u8>) {
    let figures = [&bar.open, &bar.high, &bar.low, &bar.close];
    let is_flat = figures.iter().all(|figure| **figure == bar.open);
    let form = before.close.map(|(_, scale, token)| (scale, token));
    let alike = form.and_then(|form| digits_of(figures, form));
    let step = bar.slot.wrapping_sub(before.slot);
    let mut shape = 0;
    for (is_so, bit) in [
        (step != 1, JUMPS),
        (alike.is_some(), ALIKE),
        (is_flat, FLAT),
        (bar.merged > 0, MERGED),
        (matches!(bar.volume, Volume::Sum { .. }), VOLUME),
        (bar.volume == Volume::Unknown, VOLUME_UNKNOWN),
    ] {
        shape |= if is_so { bit } else { 0 };
    }
    out.push(shape);
    if step != 1 {
        number(u128::from(step), out);
    }
    number(u128::from(bar.count), out);
    if bar.merged > 0 {
        number(u128::from(bar.merged), out);
    }
    match (alike, before.close) {
        (Some([open, high, low, close]), Some((last, ..))) => {
            number(signed(i128::from(open) - i128::from(last)), out);
            if !is_flat {
                number(signed(i128::from(close) - i128::from(open)), out);
                number(signed(i128::from(high) - i128::from(open.max(close))), out);
                number(signed(i128::from(open.min(close)) - i128::from(low)), out);
            }
        }
        _ => figures.into_iter().take(if is_flat { 1 } else { 4 }).for_each(|figure| decimal(figure, out)),
    }
    if let Volume::Sum { digits, scale, token } = bar.volume {
        out.push(scale | if token == Token::Text { TEXT } else { 0 });
        number(signed(digits), out);
    }
    before.slot = bar.slot;
    before.close = match &bar.close {
        Decimal::Short { digits, scale, token } => Some((*digits, *scale, *token)),
        Decimal::Long { .. } => None,
    };
}

/// The digits of figures that all have this form.
fn digits_of(figures: [&Decimal; 4], form: (u8, Token)) -> Option<[i64; 4]> {
    let mut all = [0; 4];
    for (place, figure) in all.iter_mut().zip(figures) {
        let Decimal::Short { digits, scale, token } = figure else { return None };
        if (*scale, *token) != form {
            return None;
        }
        *place = *digits;
    }
    Some(all)
}

fn decimal(figure: &Decimal, out: &mut Vec<u8>) {
    let form = |token: Token| if token == Token::Text { TEXT } else { 0 };
    match figure {
        Decimal::Short { digits, scale, token } => {
            out.push(scale | form(*token));
            number(signed(i128::from(*digits)), out);
        }
        Decimal::Long { text, token } => {
            out.push(LONG | form(*token));
            number(text.len() as u128, out);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Seven bits in each byte, the least first.
fn number(mut left: u128, out: &mut Vec<u8>) {
    while left >= 128 {
        out.push(left as u8 | 128);
        left >>= 7;
    }
    out.push(left as u8);
}

/// A number with a sign as one without, small if it is near zero.
fn signed(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)) as u128
}

/// Reads bars one after the other, and ends at the first byte that nobody wrote.
#[derive(Debug)]
pub struct Reader<'a> {
    left: &'a [u8],
    before: Before,
}

impl<'a> Reader<'a> {
    /// Reads what was written with an empty [`Before`].
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { left: bytes, before: Before::default() }
    }

    /// Whether all bytes were read.
    pub fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, left) = self.left.split_first()?;
        self.left = left;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u128> {
        let mut number = 0;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 127);
            if bits.leading_zeros() < shift {
                return None;
            }
            number |= bits << shift;
            if byte < 128 {
                return Some(number);
            }
        }
        None
    }

    fn whole(&mut self) -> Option<u64> {
        u64::try_from(self.number()?).ok()
    }

    fn signed(&mut self) -> Option<i128> {
        let number = self.number()?;
        Some((number >> 1) as i128 ^ -((number & 1) as i128))
    }

    fn decimal(&mut self) -> Option<Decimal> {
        let form = self.byte()?;
        let token = if form & TEXT == 0 { Token::Number } else { Token::Text };
        if form & LONG == 0 {
            let digits = i64::try_from(self.signed()?).ok()?;
            let scale = form & !TEXT;
            return (scale <= 18).then_some(Decimal::Short { digits, scale, token });
        }
        let length = usize::try_from(self.number()?).ok()?;
        let (text, left) = self.left.split_at_checked(length)?;
        self.left = left;
        let read = |text: &[u8]| Decimal::read(text).ok().filter(|read| matches!(read, Decimal::Long { .. }));
        match token {
            Token::Number => read(text),
            Token::Text => read(&[b"\"", text, b"\""].concat()),
        }
    }

    fn bar(&mut self) -> Option<Bar> {
        let shape = self.byte()?;
        let step = if shape & JUMPS == 0 { 1 } else { self.whole()? };
        let slot = self.before.slot.checked_add(step)?;
        let count = self.whole()?;
        let merged = if shape & MERGED == 0 { 0 } else { self.whole()? };
        let is_flat = shape & FLAT != 0;
        let [open, high, low, close] = if shape & ALIKE == 0 {
            let open = self.decimal()?;
            match is_flat {
                true => [open.clone(), open.clone(), open.clone(), open],
                false => [open, self.decimal()?, self.decimal()?, self.decimal()?],
            }
        } else {
            let (last, scale, token) = self.before.close?;
            let open = i128::from(last).checked_add(self.signed()?)?;
            let (mut high, mut low, mut close) = (open, open, open);
            if !is_flat {
                close = open.checked_add(self.signed()?)?;
                high = open.max(close).checked_add(self.signed()?)?;
                low = open.min(close).checked_sub(self.signed()?)?;
            }
            let short = |digits: i128| {
                i64::try_from(digits).ok().map(|digits| Decimal::Short { digits, scale, token })
            };
            [short(open)?, short(high)?, short(low)?, short(close)?]
        };
        let volume = if shape & VOLUME != 0 {
            let form = self.byte()?;
            let token = if form & TEXT == 0 { Token::Number } else { Token::Text };
            let scale = form & !TEXT;
            let digits = self.signed().filter(|_| scale <= 18)?;
            Volume::Sum { digits, scale, token }
        } else if shape & VOLUME_UNKNOWN != 0 {
            Volume::Unknown
        } else {
            Volume::None
        };
        self.before.slot = slot;
        self.before.close = match &close {
            Decimal::Short { digits, scale, token } => Some((*digits, *scale, *token)),
            Decimal::Long { .. } => None,
        };
        Some(Bar { slot, open, high, low, close, count, merged, volume })
    }
}

impl Iterator for Reader<'_> {
    type Item = Bar;

    fn next(&mut self) -> Option<Bar> {
        self.bar()
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A bar whose figures follow from its slot.
    pub fn bar_at(slot: u64) -> Bar {
        let digits = 18_930 + (slot as i64 * 37) % 101;
        let short = |digits: i64| Decimal::Short { digits, scale: 2, token: Token::Text };
        let (open, close) = (short(digits), short(digits + 7));
        Bar {
            slot,
            open,
            high: short(digits + 20),
            low: short(digits - 30),
            close,
            count: slot % 50 + 1,
            merged: 0,
            volume: Volume::None,
        }
    }

    fn figure() -> impl Strategy<Value = Decimal> {
        let text = prop_oneof![
            4 => "-?[1-9][0-9]{0,3}\\.[0-9]{2}",
            1 => "-?[1-9][0-9]{0,17}",
            1 => "-?[1-9][0-9]{20,40}",
            1 => "[1-9]e-[1-9]",
            1 => Just("-0.0".to_owned()),
        ];
        (text, any::<bool>()).prop_map(|(text, is_text)| {
            let json = if is_text { format!("\"{text}\"") } else { text };
            Decimal::read(json.as_bytes()).unwrap()
        })
    }

    fn bar() -> impl Strategy<Value = Bar> {
        let volume = prop_oneof![
            Just(Volume::None),
            Just(Volume::Unknown),
            (any::<i128>(), 0u8..=18).prop_map(|(digits, scale)| Volume::Sum {
                digits: digits >> 2,
                scale,
                token: Token::Text
            }),
        ];
        let figures = prop_oneof![
            3 => (figure(), figure(), figure(), figure()).prop_map(|(a, b, c, d)| [a, b, c, d]),
            1 => figure().prop_map(|a| [a.clone(), a.clone(), a.clone(), a]),
            3 => prop::array::uniform4(-999_999_999_999_999_999i64..=999_999_999_999_999_999).prop_map(|all| {
                all.map(|digits| Decimal::Short { digits, scale: 3, token: Token::Number })
            }),
        ];
        (0u64..1 << 60, figures, any::<u32>(), any::<u32>(), volume).prop_map(
            |(slot, [open, high, low, close], count, merged, volume)| Bar {
                slot,
                open,
                high,
                low,
                close,
                count: count.into(),
                merged: (merged >> 30).into(),
                volume,
            },
        )
    }

    proptest! {
        /// Whatever the order of the figures: the greatest need not be the greatest.
        #[test]
        fn bars_are_read_as_they_were_written(mut bars in prop::collection::vec(bar(), 1..40)) {
            bars.sort_by_key(|bar| bar.slot);
            let (mut bytes, mut before) = (Vec::new(), Before::default());
            bars.iter().for_each(|bar| write(bar, &mut before, &mut bytes));
            let mut reader = Reader::new(&bytes);
            let read: Vec<Bar> = reader.by_ref().collect();
            prop_assert!(reader.is_done());
            prop_assert_eq!(read, bars);
        }

        #[test]
        fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Reader::new(&bytes).count();
        }
    }

    #[test]
    fn a_bar_of_eighteen_digits_takes_sixty_four_bytes_at_most() {
        let most = 999_999_999_999_999_999;
        let short = |digits: i64| Decimal::Short { digits, scale: 9, token: Token::Text };
        let volume = Volume::Sum { digits: i128::from(most) * 50, scale: 9, token: Token::Text };
        let (count, merged) = (1 << 20, 1 << 20);
        let bar = |slot, open: i64, close: i64| Bar {
            slot,
            open: short(open),
            high: short(most),
            low: short(-most),
            close: short(close),
            count,
            merged,
            volume,
        };
        let (mut bytes, mut before) = (Vec::new(), Before::default());
        write(&bar(1, most, -most), &mut before, &mut bytes);
        bytes.clear();
        write(&bar(1 << 20, most, -most), &mut before, &mut bytes);
        assert!(bytes.len() <= 64, "{}", bytes.len());
        bytes.clear();
        for slot in 0..100 {
            write(&bar_at(slot), &mut before, &mut bytes);
        }
        assert!(bytes.len() <= 100 * 12, "{} bytes for 100 common bars", bytes.len());
    }
}
