//! Durations and sizes as people write them: a whole number and its unit.

use std::time::Duration;

/// Units of a duration with their length in milliseconds, largest first.
const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Those that messages are written in.
const WRITTEN_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units of a size in bytes, largest first. The `i` tells binary units from decimal ones.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// Other spellings, and the unit they mean: (written, unit, factor).
const DURATION_ALIASES: [(&str, &str, u64); 17] = [
    ("msec", "ms", 1),
    ("millis", "ms", 1),
    ("milliseconds", "ms", 1),
    ("sec", "s", 1),
    ("secs", "s", 1),
    ("second", "s", 1),
    ("seconds", "s", 1),
    ("min", "m", 1),
    ("mins", "m", 1),
    ("minute", "m", 1),
    ("minutes", "m", 1),
    ("hr", "h", 1),
    ("hrs", "h", 1),
    ("hour", "h", 1),
    ("hours", "h", 1),
    ("day", "h", 24),
    ("days", "h", 24),
];

const SIZE_ALIASES: [(&str, &str, u64); 10] = [
    ("b", "B", 1),
    ("byte", "B", 1),
    ("bytes", "B", 1),
    ("k", "KiB", 1),
    ("kb", "KB", 1),
    ("kib", "KiB", 1),
    ("m", "MiB", 1),
    ("mb", "MB", 1),
    ("g", "GiB", 1),
    ("gb", "GB", 1),
];

/// Why a text is not a quantity, and what to write in its place if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misread {
    pub what: String,
    pub instead: Option<String>,
    /// Whether it is more than can be counted.
    pub is_beyond: bool,
}

/// Reads a duration as the configuration does: `250ms`, `1s`, `2m`, `1h`. The error says what to write.
pub fn read_duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|misread| match misread.instead {
        Some(instead) => format!("{}; write {instead}", misread.what),
        None => format!("{}; write one such as 250ms, 10s, 5m or 1h", misread.what),
    })
}

/// Reads `250ms`, `1s`, `2m`, `1h`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, Misread> {
    parse(text, "duration", &DURATION_UNITS, &DURATION_ALIASES).map(Duration::from_millis)
}

/// Reads `128B`, `64KiB`, `1MB`.
pub(super) fn parse_size(text: &str) -> Result<u64, Misread> {
    parse(text, "size", &SIZE_UNITS, &SIZE_ALIASES)
}

/// The shortest exact way to write a duration of whole milliseconds.
pub fn write_duration(duration: Duration) -> String {
    write(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &WRITTEN_UNITS, "0s")
}

/// The shortest exact way to write a size.
pub fn write_size(bytes: u64) -> String {
    write(bytes, &SIZE_UNITS, "0B")
}

/// For a bare number: the likely duration within the range. Seconds first, but a hundred and more are milliseconds where less
/// than a second is allowed. What is too much in any unit is the most.
pub(super) fn guess_duration(number: &str, min: Duration, max: Duration) -> Option<String> {
    let is_short = min < Duration::from_secs(1) && number.len() > 2;
    let units = if is_short { ["ms", "s", "m", "h"] } else { ["s", "ms", "m", "h"] };
    let written = |unit: &str| format!("{number}{unit}");
    let fits = |text: &String| parse_duration(text).is_ok_and(|read| (min..=max).contains(&read));
    let most = || is_more(parse_duration(&written("ms")), &max).then(|| write_duration(max));
    units.into_iter().map(written).find(fits).or_else(most)
}

/// For a bare number: the likely size within the range, bytes first. What is too much in any unit is the most.
pub(super) fn guess_size(number: &str, min: u64, max: u64) -> Option<String> {
    let written = |unit: &str| format!("{number}{unit}");
    let fits = |text: &String| parse_size(text).is_ok_and(|read| (min..=max).contains(&read));
    let most = || is_more(parse_size(&written("B")), &max).then(|| write_size(max));
    ["B", "KiB", "MiB", "GiB"].into_iter().map(written).find(fits).or_else(most)
}

fn is_more<T: PartialOrd>(read: Result<T, Misread>, max: &T) -> bool {
    match read {
        Ok(value) => value > *max,
        Err(misread) => misread.is_beyond,
    }
}

fn parse(
    text: &str,
    noun: &str,
    units: &[(&str, u64)],
    aliases: &[(&str, &str, u64)],
) -> Result<u64, Misread> {
    let misread =
        |what: &str, instead: Option<String>| Misread { what: what.to_owned(), instead, is_beyond: false };
    let trimmed = text.trim();
    let (number, rest) =
        trimmed.split_at(trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len()));
    let unit = rest.trim_start();
    if number.is_empty() {
        let what = if trimmed.starts_with('-') { "is below zero" } else { "does not start with a number" };
        return Err(misread(&format!("a {noun} is a whole number and its unit, and this {what}"), None));
    }
    if unit.is_empty() {
        return Err(misread(&format!("a {noun} carries its unit"), None));
    }
    let alias = aliases.iter().find(|(written, _, _)| *written == unit.to_ascii_lowercase());
    let (name, times) = alias.map_or((unit, 1), |(_, name, times)| (*name, *times));
    let known = units.iter().find(|(name, _)| *name == unit);
    let Some((_, factor)) = known.or_else(|| units.iter().find(|(other, _)| *other == name)) else {
        if let Some(fraction) = rest.strip_prefix('.') {
            return Err(misread(
                &format!("a {noun} is a whole number and its unit"),
                whole(number, fraction, units),
            ));
        }
        return Err(misread(&no_unit(unit, noun, units), None));
    };
    let Some(count) = exact(number, times).and_then(|count| count.checked_mul(*factor)) else {
        let what = format!("this {noun} is larger than can be counted");
        return Err(Misread { what, instead: None, is_beyond: true });
    };
    match known {
        Some(_) if trimmed.len() == text.len() && rest == unit => Ok(count),
        Some(_) => {
            Err(misread(&format!("a {noun} is written without spaces"), Some(format!("{number}{unit}"))))
        }
        None => {
            let instead = exact(number, times).map(|number| format!("{number}{name}"));
            Err(misread(&no_unit(unit, noun, units), instead))
        }
    }
}

fn exact(number: &str, times: u64) -> Option<u64> {
    number.parse::<u64>().ok()?.checked_mul(times)
}

fn no_unit(unit: &str, noun: &str, units: &[(&str, u64)]) -> String {
    let names: Vec<&str> = units.iter().rev().map(|(name, _)| *name).collect();
    format!("`{unit}` is not a unit of a {noun} ({})", names.join(", "))
}

/// `1.5s` → `1500ms`, when a smaller unit holds it exactly.
fn whole(number: &str, fraction_and_unit: &str, units: &[(&str, u64)]) -> Option<String> {
    let end = fraction_and_unit.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = fraction_and_unit.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let scale = 10u64.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let scaled = format!("{number}{digits}").parse::<u64>().ok()?.checked_mul(*factor)?;
    (scaled % scale == 0).then(|| write(scaled / scale, units, &format!("0{unit}")))
}

fn write(count: u64, units: &[(&str, u64)], zero: &str) -> String {
    if count == 0 {
        return zero.to_owned();
    }
    units
        .iter()
        .find(|(_, factor)| count.is_multiple_of(*factor))
        .map_or_else(|| count.to_string(), |(name, factor)| format!("{}{name}", count / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, ms) in
            [("250ms", 250), ("1s", 1_000), ("2m", 120_000), ("1h", 3_600_000), ("2d", 172_800_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_unit() {
        for (text, bytes) in
            [("128B", 128), ("64KiB", 65_536), ("17MiB", 17 << 20), ("1MB", 1_000_000), ("3GiB", 3 << 30)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn misread_durations_say_what_to_write() {
        for (text, what, instead) in [
            ("15", "carries its unit", None),
            ("", "does not start with a number", None),
            ("soon", "does not start with a number", None),
            ("-1s", "is below zero", None),
            ("15 s", "without spaces", Some("15s")),
            (" 15s", "without spaces", Some("15s")),
            ("15sec", "not a unit", Some("15s")),
            ("15S", "not a unit", None),
            ("2days", "not a unit", Some("48h")),
            ("1.5s", "whole number", Some("1500ms")),
            ("0.5m", "whole number", Some("30s")),
            ("0.0d", "whole number", Some("0d")),
            ("1.0001ms", "whole number", None),
            ("99999999999999999999s", "larger than can be counted", None),
            ("99999999999999999999 s", "larger than can be counted", None),
            ("999999999999999999days", "larger than can be counted", None),
            ("15µs", "not a unit", None),
        ] {
            let misread = parse_duration(text).expect_err(text);
            assert!(misread.what.contains(what), "{text}: {misread:?}");
            assert_eq!(misread.instead.as_deref(), instead, "{text}: {misread:?}");
        }
    }

    #[test]
    fn misread_sizes_say_what_to_write() {
        for (text, instead) in [
            ("64k", Some("64KiB")),
            ("1mb", Some("1MB")),
            ("12 KiB", Some("12KiB")),
            ("1.5KiB", Some("1536B")),
            ("0.0MiB", Some("0MiB")),
        ] {
            assert_eq!(parse_size(text).expect_err(text).instead.as_deref(), instead, "{text}");
        }
    }

    proptest! {
        #[test]
        fn written_durations_read_back(ms in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&write_duration(duration)), Ok(duration));
        }

        #[test]
        fn written_sizes_read_back(bytes: u64) {
            prop_assert_eq!(parse_size(&write_size(bytes)), Ok(bytes));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = parse_duration(&text);
            let _ = parse_size(&text);
        }

        #[test]
        fn what_is_offered_instead_is_read(text in "[0-9]{1,24}(\\.[0-9]{1,3})? ?([a-zA-Z]{0,5}|ms|s|d|days|KiB|GiB|kb)") {
            if let Err(Misread { instead: Some(instead), .. }) = parse_duration(&text) {
                prop_assert!(parse_duration(&instead).is_ok(), "{} -> {}", text, instead);
            }
            if let Err(Misread { instead: Some(instead), .. }) = parse_size(&text) {
                prop_assert!(parse_size(&instead).is_ok(), "{} -> {}", text, instead);
            }
        }
    }
}
