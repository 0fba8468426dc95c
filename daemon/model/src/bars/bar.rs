//! One bar: the first, greatest, least and last figure of a period.

use std::io::Write;

use super::decimal::{Decimal, Token, write_scaled};

/// A bar, open or closed. Its period is known from where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// Which period it is of: its start, divided by the period's length.
    pub slot: u64,
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    pub close: Decimal,
    /// Ticks that it was made of.
    pub count: u64,
    /// Samples that were merged into those ticks before they could be seen here.
    pub merged: u64,
    pub volume: Volume,
}

/// The sum of sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Volume {
    /// No size is known.
    #[default]
    None,
    /// `digits / 10^scale`.
    Sum { digits: i128, scale: u8, token: Token },
    /// A size was no number, or the sum is too large: it would not be exact.
    Unknown,
}

/// What a tick brings to its bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub figure: Decimal,
    /// One size, as a sum of one.
    pub size: Volume,
    pub merged: u64,
}

impl Volume {
    /// One size.
    pub fn of(size: &Decimal) -> Volume {
        match size.scaled() {
            Some((digits, scale)) => Volume::Sum { digits, scale, token: size.token() },
            None => Volume::Unknown,
        }
    }

    /// Both together.
    pub fn plus(self, other: Volume) -> Volume {
        let (Volume::Sum { digits, scale, token }, Volume::Sum { digits: others, scale: other, .. }) =
            (self, other)
        else {
            return match (self, other) {
                (Volume::None, only) | (only, Volume::None) => only,
                _ => Volume::Unknown,
            };
        };
        let most = scale.max(other);
        let raised =
            |digits: i128, scale: u8| digits.checked_mul(10i128.checked_pow(u32::from(most - scale))?);
        let sum =
            raised(digits, scale).zip(raised(others, other)).and_then(|(one, two)| one.checked_add(two));
        sum.map_or(Volume::Unknown, |digits| Volume::Sum { digits, scale: most, token })
    }
}

impl Bar {
    /// A bar of one tick.
    pub fn of(slot: u64, mark: &Mark) -> Bar {
        let figure = || mark.figure.clone();
        Bar {
            slot,
            open: figure(),
            high: figure(),
            low: figure(),
            close: figure(),
            count: 1,
            merged: mark.merged,
            volume: mark.size,
        }
    }

    /// Adds a tick.
    pub fn add(&mut self, mark: &Mark) {
        if mark.figure.compare(&self.high).is_gt() {
            self.high = mark.figure.clone();
        }
        if mark.figure.compare(&self.low).is_lt() {
            self.low = mark.figure.clone();
        }
        self.close = mark.figure.clone();
        self.count = self.count.saturating_add(1);
        self.merged = self.merged.saturating_add(mark.merged);
        self.volume = self.volume.plus(mark.size);
    }

    /// Adds a later bar of a part of its period.
    pub fn absorb(&mut self, later: &Bar) {
        if later.high.compare(&self.high).is_gt() {
            self.high = later.high.clone();
        }
        if later.low.compare(&self.low).is_lt() {
            self.low = later.low.clone();
        }
        self.close = later.close.clone();
        self.count = self.count.saturating_add(later.count);
        self.merged = self.merged.saturating_add(later.merged);
        self.volume = self.volume.plus(later.volume);
    }

    /// Appends `{"start":…,"open":…,…}`.
    pub fn write(&self, period_ms: u64, out: &mut Vec<u8>) {
        let start = self.slot.saturating_mul(period_ms);
        let written = write!(out, r#"{{"start":{start}"#);
        debug_assert!(written.is_ok(), "a Vec takes all that is written to it");
        let figures = [
            (",\"open\":", &self.open),
            (",\"high\":", &self.high),
            (",\"low\":", &self.low),
            (",\"close\":", &self.close),
        ];
        for (name, figure) in figures {
            out.extend_from_slice(name.as_bytes());
            figure.write(out);
        }
        let written = write!(out, r#","count":{},"merged":{}"#, self.count, self.merged);
        debug_assert!(written.is_ok(), "a Vec takes all that is written to it");
        if let Volume::Sum { digits, scale, token } = self.volume {
            let quote = if token == Token::Text { "\"" } else { "" };
            out.extend_from_slice(b",\"volume\":");
            out.extend_from_slice(quote.as_bytes());
            write_scaled(digits, scale, out);
            out.extend_from_slice(quote.as_bytes());
        }
        out.push(b'}');
    }

    /// Bytes outside this struct.
    pub(super) fn heap(&self) -> usize {
        [&self.open, &self.high, &self.low, &self.close].into_iter().map(Decimal::heap).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(figure: &str, size: Option<&str>) -> Mark {
        let read = |json: &str| Decimal::read(json.as_bytes()).unwrap();
        let size = size.map_or(Volume::None, |size| Volume::of(&read(size)));
        Mark { figure: read(figure), size, merged: 1 }
    }

    fn written(bar: &Bar) -> String {
        let mut out = Vec::new();
        bar.write(1_000, &mut out);
        let text = String::from_utf8(out).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        text
    }

    #[test]
    fn a_bar_has_the_digits_of_its_ticks() {
        let mut bar = Bar::of(7, &mark("\"10.0\"", Some("\"1.50\"")));
        for (figure, size) in
            [("\"10\"", Some("\"2\"")), ("\"9.95\"", None), ("\"10.00\"", Some("\"0.125\""))]
        {
            bar.add(&mark(figure, size));
        }
        // 10 and 10.00 are not greater than 10.0.
        let expected = r#"{"start":7000,"open":"10.0","high":"10.0","low":"9.95","close":"10.00","count":4,"merged":4,"volume":"3.625"}"#;
        assert_eq!(written(&bar), expected);
        let later = Bar::of(7, &mark("-3", None));
        bar.absorb(&later);
        assert!(written(&bar).contains(r#""low":-3,"close":-3,"count":5"#), "{}", written(&bar));
    }

    #[test]
    fn a_sum_that_is_not_exact_is_not_told() {
        let large = "99999999999999999999999999999999999";
        let mut bar = Bar::of(0, &mark("1", Some(large)));
        assert!(written(&bar).contains(large));
        bar.add(&mark("1", Some("0.000000000000000001")));
        assert_eq!(bar.volume, Volume::Unknown);
        assert!(!written(&bar).contains("volume"));
        bar.add(&mark("1", Some("1")));
        assert_eq!(bar.volume, Volume::Unknown);
        assert_eq!(Bar::of(0, &mark("1", Some("1e40"))).volume, Volume::Unknown);
    }
}
