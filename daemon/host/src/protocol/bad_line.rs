//! Lines that make no sense: why, in words for the feed's author, and the place in the line.

use std::fmt;

use crate::log::feed_log::FeedLog;
use crate::log::text::printable;
use tickerd_model::wire::json::no_number_at;

/// Most characters of a line that are shown.
const SHOWN_CHARS_MAX: usize = 120;
/// Of these, at most this many stand before the place where the line is wrong.
const BEFORE_CHARS: usize = 80;

/// Why a line is not one of the protocol's.
#[derive(Debug)]
pub enum LineError {
    /// Not a JSON object of the right shape.
    Json(serde_json::Error),
    /// It is UTF-16.
    Utf16,
    /// It is not UTF-8, from this byte on.
    Utf8 { at: usize },
    /// It has `NaN` or the like in place of a value.
    NoNumber { word: &'static str, at: usize },
    /// It has a text in single quotes, as Python prints a dictionary.
    Quotes { at: usize },
    /// A word that is not one of those allowed, such as a health, a mode or a log level.
    Word { key: &'static str, word: String, allowed: &'static str },
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::Json(e) => {
                write!(
                    f,
                    r#"not a line of a feed ({e}); write one JSON object: {{"topic":"…","event":"…","data":…}}"#
                )
            }
            LineError::Utf16 => f.write_str("this line is UTF-16; write UTF-8"),
            LineError::Utf8 { at } => write!(f, "this line is not UTF-8, at byte {at}; write UTF-8"),
            LineError::NoNumber { word, at } => {
                write!(f, "{word} at byte {at} is no number of JSON; write null, or leave the value out")
            }
            LineError::Quotes { at } => {
                write!(
                    f,
                    "a text in single quotes, at byte {at}, is no JSON; in Python print(json.dumps(…), flush=True)"
                )
            }
            LineError::Word { key, word, allowed } => write!(f, "{key} {word:?} is not one of {allowed}"),
        }
    }
}

impl std::error::Error for LineError {}

impl LineError {
    /// Why `line` could not be read, where the parser says `error`. Mistakes that feeds often make are named.
    pub fn of(line: &[u8], error: serde_json::Error) -> LineError {
        if let Err(e) = std::str::from_utf8(line) {
            return LineError::Utf8 { at: e.valid_up_to() };
        }
        if !error.is_syntax() {
            return LineError::Json(error);
        }
        // The parser counts columns from one, and stops at the character that it cannot use, or inside a word.
        let near = error.column().saturating_sub(1).min(line.len());
        let places = near.saturating_sub(3)..=near;
        if let Some((at, word)) = places.clone().find_map(|at| Some((at, no_number_at(line, at)?))) {
            return LineError::NoNumber { word, at };
        }
        match line.get(near) {
            Some(b'\'') => LineError::Quotes { at: near },
            _ => LineError::Json(error),
        }
    }

    /// The byte at which the line is wrong.
    fn at(&self) -> usize {
        match self {
            LineError::Json(e) => e.column().saturating_sub(1),
            LineError::Utf8 { at } | LineError::NoNumber { at, .. } | LineError::Quotes { at } => *at,
            LineError::Utf16 | LineError::Word { .. } => 0,
        }
    }
}

/// Shows a line: the part around the place where it is wrong, on one line, without values of the feed's configuration.
pub struct Shown<'a> {
    line: &'a [u8],
    at: usize,
    feed_log: &'a FeedLog,
}

impl<'a> Shown<'a> {
    /// A line that makes no sense, for this reason.
    pub fn of(line: &'a [u8], error: &LineError, feed_log: &'a FeedLog) -> Shown<'a> {
        Shown { line, at: error.at(), feed_log }
    }

    /// A line that makes sense, from its start.
    pub fn whole(line: &'a [u8], feed_log: &'a FeedLog) -> Shown<'a> {
        Shown { line, at: 0, feed_log }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = String::from_utf8_lossy(self.line.get(..self.at).unwrap_or_default()).chars().count();
        // Hidden before it is cut: a part of a value would not be recognised.
        let text = self.feed_log.hide(&String::from_utf8_lossy(self.line));
        let text = printable(text.trim());
        let skipped =
            if text.chars().count() > SHOWN_CHARS_MAX { before.saturating_sub(BEFORE_CHARS) } else { 0 };
        let rest = text.chars().skip(skipped).count();
        let start = if skipped > 0 { "…" } else { "" };
        let end = if rest > SHOWN_CHARS_MAX { "…" } else { "" };
        let part: String = text.chars().skip(skipped).take(SHOWN_CHARS_MAX).collect();
        write!(f, "{start}{part}{end}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::lines::said;

    use serde_json::json;

    fn told(line: &[u8]) -> String {
        said(line).unwrap_err().to_string()
    }

    #[test]
    fn what_feeds_often_do_wrong_is_named() {
        for (line, says) in [
            (&br#"{"event":"quote","data":NaN}"#[..], "NaN at byte 24 is no number of JSON; write null"),
            (br#"{"event":"quote","data":{"a":[1, -Infinity]}}"#, "-Infinity at byte 33"),
            (br#"{"event":"quote","data":nan}"#, "nan at byte 24"),
            (br#"{"event":"quote","data":-inf}"#, "-inf at byte 24"),
            (b"{'event': 'quote'}", "single quotes, at byte 1"),
            (b"{\"event\":\"q\xff\",\"data\":1}", "not UTF-8, at byte 11"),
            (b"hello", "not a line of a feed (expected value at line 1 column 1)"),
            (br#"{"event":"NaN","data":}"#, "not a line of a feed (expected value"),
        ] {
            let told = told(line);
            assert!(told.contains(says), "{}: {told}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn the_part_around_the_place_is_shown_on_one_line() {
        let feed_log = FeedLog::new("f", &json!({}));
        let shown = |line: &[u8]| Shown::of(line, &said(line).unwrap_err(), &feed_log).to_string();
        assert_eq!(shown(b"  debug: \x1b[2Jhello\r"), "debug: \u{fffd}[2Jhello");
        let long = format!("{{\"event\":\"e\",\"data\":[{}NaN{}]}}", "1,".repeat(200), ",2".repeat(200));
        let part = shown(long.as_bytes());
        assert!(part.starts_with('…') && part.ends_with('…') && part.contains("1,NaN,2"), "{part}");
        assert_eq!(part.chars().count(), SHOWN_CHARS_MAX + 2);
    }

    #[test]
    fn nothing_of_the_configuration_is_shown() {
        let feed_log =
            FeedLog::new("f", &json!({"a": ["sk_live_0123456789"], "b": {"url": "wss://x.example/y"}}));
        let line = br#"got {"a":["sk_live_0123456789"],"b":{"url":"wss://x.example/y"}}"#;
        for shown in [Shown::of(line, &said(line).unwrap_err(), &feed_log), Shown::whole(line, &feed_log)] {
            let shown = shown.to_string();
            assert!(!shown.contains("sk_live") && !shown.contains("x.example"), "{shown}");
            assert!(shown.starts_with("got {"), "{shown}");
        }
    }
}
