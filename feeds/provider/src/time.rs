//! A provider's times as Unix milliseconds.

use jiff::Timestamp;

/// 2000-01-01 and 2100-01-01 in Unix milliseconds. A time outside was read in a wrong unit, or is nonsense.
const SANE_MS: std::ops::Range<u64> = 946_684_800_000..4_102_444_800_000;

/// The unit in which a number counts time since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epoch {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// Unix milliseconds of an RFC 3339 time of any offset and precision. `None` if it is not one, or not of this
/// century.
pub fn rfc3339_ms(text: &str) -> Option<u64> {
    // A longer text only has more digits after the point than any clock gives.
    if text.len() > 64 {
        return None;
    }
    let time: Timestamp = text.parse().ok()?;
    sane(u64::try_from(time.as_millisecond()).ok()?)
}

/// Unix milliseconds of a number counted in `unit`. `None` if that is not a time of this century.
pub fn epoch_ms(number: u64, unit: Epoch) -> Option<u64> {
    sane(match unit {
        Epoch::Seconds => number.checked_mul(1000)?,
        Epoch::Millis => number,
        Epoch::Micros => number / 1000,
        Epoch::Nanos => number / 1_000_000,
    })
}

fn sane(ms: u64) -> Option<u64> {
    SANE_MS.contains(&ms).then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_all_offsets_and_precisions_are_read() {
        for (text, ms) in [
            ("2026-01-01T00:00:00Z", 1_767_225_600_000),
            ("2026-01-01T01:00:00.123456789+01:00", 1_767_225_600_123),
            ("2025-12-31T19:00:00-05:00", 1_767_225_600_000),
            ("2026-01-01T00:00:00.9999999999Z", 0),
            ("2026-01-01T00:00:00", 0),
            ("2026-13-01T00:00:00Z", 0),
            ("0001-01-01T00:00:00Z", 0),
            ("yesterday", 0),
            ("", 0),
        ] {
            assert_eq!(rfc3339_ms(text), Some(ms).filter(|ms| *ms != 0), "{text}");
        }
    }

    #[test]
    fn a_number_of_another_unit_is_refused() {
        let ms = 1_767_225_600_123;
        assert_eq!(epoch_ms(ms / 1000, Epoch::Seconds), Some(1_767_225_600_000));
        assert_eq!(epoch_ms(ms, Epoch::Millis), Some(ms));
        assert_eq!(epoch_ms(ms * 1000 + 7, Epoch::Micros), Some(ms));
        assert_eq!(epoch_ms(ms * 1_000_000 + 7, Epoch::Nanos), Some(ms));
        for (number, unit) in
            [(ms, Epoch::Seconds), (ms / 1000, Epoch::Millis), (ms, Epoch::Nanos), (0, Epoch::Millis)]
        {
            assert_eq!(epoch_ms(number, unit), None, "{number} {unit:?}");
        }
        assert_eq!(epoch_ms(u64::MAX, Epoch::Seconds), None);
    }
}
