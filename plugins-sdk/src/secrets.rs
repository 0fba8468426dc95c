//! What of a feed's configuration may be a secret, and texts without it.
//!
//! A key that was written where it does not belong must not reach a log, a page or a client, whoever repeats it: the text
//! of an error, of a log line, of a health report. Each such value is replaced by its place, as in
//! `there is no pair <symbols[2]>`, so that the operator finds it in the file. Tickerd's own; no part of the SDK's promise.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// Shorter texts are left alone: they are words of ordinary sentences, such as `USD` or `Paris`, and no key is that short.
const BYTES_MIN: usize = 8;
/// Shorter texts are left alone even where the key's name says that they are secret.
const NAMED_BYTES_MIN: usize = 3;
/// A part of a value is hidden by itself if it is this long: a word of `Bearer …`, a line, a segment of a URL's path.
const PART_BYTES_MIN: usize = 16;
/// So much of a value at the end of a text that was cut is taken for it; less may be anything.
const CUT_BYTES_MIN: usize = 8;
/// So much of the head of a value is taken for it wherever it stands. It keeps the work in proportion to the text, too: a
/// place of the text is compared with no more than so many bytes, or what was compared is passed over.
const HEAD_BYTES_MIN: usize = 32;
/// Longest word of small letters that is left alone, such as `open-meteo`: schemas list such words.
const WORD_BYTES_MAX: usize = 16;
/// A key whose name holds one of these holds a secret.
const NAMES: [&str; 10] =
    ["key", "token", "secret", "pass", "pwd", "auth", "cred", "bearer", "private", "cookie"];

/// See the module.
#[derive(Debug, Default)]
pub struct Secrets {
    /// What is hidden, and what stands in its place.
    hidden: Vec<(String, String)>,
    /// Of each first byte, in lower case, the indices into `hidden`.
    starts: HashMap<u8, Vec<usize>>,
}

impl Secrets {
    /// Of a configuration.
    pub fn of(config: &Value) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.collect(config, "", false);
        let mut seen = HashSet::new();
        secrets.hidden.retain(|(text, _)| seen.insert(text.clone()));
        for (at, (text, _)) in secrets.hidden.iter().enumerate() {
            let first = text.as_bytes().first().map(u8::to_ascii_lowercase).unwrap_or_default();
            secrets.starts.entry(first).or_default().push(at);
        }
        secrets
    }

    /// `text` without the values of the configuration, also where they are percent-encoded, escaped, or in another case.
    pub fn hide(&self, text: &str) -> String {
        if self.hidden.is_empty() {
            return text.to_owned();
        }
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (shown, len) = match self.longest_at(rest) {
                Some((place, end)) => (place, end),
                None => (&rest[..first.len_utf8()], first.len_utf8()),
            };
            clean.push_str(shown);
            rest = rest.get(len..).unwrap_or_default();
        }
        clean
    }

    fn longest_at(&self, text: &str) -> Option<(&str, usize)> {
        let firsts = readings(text.as_bytes());
        let candidates = firsts.into_iter().flatten().filter_map(|first| self.starts.get(&first)).flatten();
        let ends = candidates.filter_map(|at| {
            let (value, place) = self.hidden.get(*at)?;
            let mut end = end_in(value, text.as_bytes(), CUT_BYTES_MIN)?;
            // The head of a value may end within a character.
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            (end > 0).then_some((place.as_str(), end))
        });
        ends.max_by_key(|(_, end)| *end)
    }

    fn collect(&mut self, value: &Value, place: &str, named: bool) {
        match value {
            Value::Object(table) => {
                for (key, value) in table {
                    let inner = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                    self.collect(value, &inner, named || is_secret(key));
                }
            }
            Value::Array(items) => {
                for (at, value) in items.iter().enumerate() {
                    self.collect(value, &format!("{place}[{at}]"), named);
                }
            }
            Value::String(text) => self.add_text(text, place, named),
            Value::Number(number) => self.add(&number.to_string(), place, named),
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn add_text(&mut self, text: &str, place: &str, named: bool) {
        self.add(text, place, named);
        for word in text.split_whitespace().filter(|word| word.len() >= PART_BYTES_MIN) {
            self.add(word, place, named);
        }
        // https://user:password@host/hooks/T0KEN?apikey=SECRET
        let Some((_, rest)) = text.split_once("://") else { return };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if let Some((user, _)) = authority.rsplit_once('@') {
            user.split(':').for_each(|part| self.add(part, place, true));
        }
        path.split('/')
            .filter(|part| part.len() >= PART_BYTES_MIN)
            .for_each(|part| self.add(part, place, named));
        for (name, value) in query.split(['&', '#']).filter_map(|pair| pair.split_once('=')) {
            self.add(value, place, named || is_secret(name));
        }
    }

    fn add(&mut self, text: &str, place: &str, named: bool) {
        let is_word = text.len() <= WORD_BYTES_MAX
            && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_');
        let is_hidden = match named {
            true => text.len() >= NAMED_BYTES_MIN,
            false => text.len() >= BYTES_MIN && !is_word,
        };
        if is_hidden {
            self.hidden.push((text.to_owned(), format!("<{place}>")));
        }
    }
}

/// Whether a key of this name holds a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|secret| name.contains(secret))
}

/// Where `secret` ends if it starts at the head of `text`, whatever way each character is written. At least `cut_min` bytes
/// of it at the end of a text, or before a `…`, are the secret too, and so is a long head of it anywhere.
pub fn end_in(secret: &str, text: &[u8], cut_min: usize) -> Option<usize> {
    let mut at = 0;
    for (i, byte) in secret.bytes().enumerate() {
        let rest = text.get(at..)?;
        match written(byte, rest) {
            Some(len) => at += len,
            None => return (i >= HEAD_BYTES_MIN || i >= cut_min && is_cut(rest)).then_some(at),
        }
    }
    Some(at)
}

/// How many bytes at the head of `text` are `byte`: as it is in either case, percent-encoded, escaped in JSON, or replaced
/// as an unprintable one.
fn written(byte: u8, text: &[u8]) -> Option<usize> {
    let is = |other: Option<u8>| other.is_some_and(|other| other.eq_ignore_ascii_case(&byte));
    let escape = match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        other => other,
    };
    match text {
        [b'%', high, low, ..] if is(hex(*high, *low)) => Some(3),
        [b'\\', b'u', b'0', b'0', high, low, ..] if is(hex(*high, *low)) => Some(6),
        [b'\\', next, ..] if *next == escape => Some(2),
        [0xef, 0xbf, 0xbd, ..] if byte.is_ascii_control() => Some(3),
        [next, ..] if is(Some(*next)) => Some(1),
        _ => None,
    }
}

/// The bytes, in lower case, that the head of `text` may be a writing of.
fn readings(text: &[u8]) -> [Option<u8>; 4] {
    let encoded = match text {
        [b'%', high, low, ..] | [b'\\', b'u', b'0', b'0', high, low, ..] => hex(*high, *low),
        _ => None,
    };
    let escaped = match text {
        [b'\\', b'n', ..] => Some(b'\n'),
        [b'\\', b't', ..] => Some(b'\t'),
        [b'\\', next, ..] => Some(*next),
        _ => None,
    };
    let mut all = [text.first().copied(), encoded, escaped, None];
    all.iter_mut().flatten().for_each(|byte| byte.make_ascii_lowercase());
    // Each once, or a value is looked at twice.
    for at in 1..all.len() {
        if all[..at].contains(&all[at]) {
            all[at] = None;
        }
    }
    all
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digits = [high, low];
    std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
}

/// Whether the text ends here, perhaps in the middle of a character's escape, or is marked as cut.
fn is_cut(rest: &[u8]) -> bool {
    let escape = match rest {
        [b'%', ..] => 2,
        [b'\\', ..] => 5,
        _ => 0,
    };
    (0..=escape)
        .any(|len| rest.get(len..).is_some_and(|end| end.is_empty() || end.starts_with("…".as_bytes())))
}

/// What serde says of a configuration that does not fit its type, without the values it quotes:
/// `invalid type: string, expected u32`.
pub fn of_serde(config: &[u8], error: &serde_json::Error) -> String {
    let text = error.to_string();
    // Of compact JSON that nobody wrote, line and column help nobody.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let config = serde_json::from_slice(config).unwrap_or_default();
    Secrets::of(&config).hide(&without_quotations(text))
}

/// What serde or TOML says, also within a longer text, without the value that it quotes.
pub fn without_quotations(text: &str) -> String {
    let unquoted = ["invalid type: ", "invalid value: ", "unknown variant "].iter().find_map(|head| {
        let (before, rest) = text.split_once(head)?;
        let (seen, expected) = rest.rsplit_once(", expected ")?;
        // `string "…"`, `integer `5``, `map`; a variant is a quotation alone.
        let kind = seen.split(['"', '`']).next().unwrap_or_default().trim_end();
        Some(format!("{before}{}, expected {expected}", format!("{head}{kind}").trim_end()))
    });
    unquoted.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hide(config: Value, text: &str) -> String {
        Secrets::of(&config).hide(text)
    }

    #[test]
    fn a_value_is_replaced_by_its_place_however_it_is_written() {
        let config = json!({"a": {"b": ["x", "sk_live/SECRET"]}, "pass": "4711", "n": 123456789});
        for (text, clean) in [
            ("no sk_live/SECRET here", "no <a.b[1]> here"),
            ("no sk_live%2FSECRET here", "no <a.b[1]> here"),
            (r#""sk_live\/secret""#, r#""<a.b[1]>""#),
            ("cut sk_live/SEC…", "cut <a.b[1]>…"),
            ("sk_live is short", "sk_live is short"),
            ("4711 and 123456789", "<pass> and <n>"),
        ] {
            assert_eq!(hide(config.clone(), text), clean);
        }
        assert_eq!(
            hide(json!({"pem": "BEGIN A\nMIIEvQIBADANBgkqhkiG\n"}), "bad MIIEvQIBADANBgkqhkiG"),
            "bad <pem>"
        );
        assert_eq!(
            hide(json!({"pem": "BEGIN\nSIDE"}), "a BEGIN\\nSIDE b BEGIN\u{fffd}SIDE"),
            "a <pem> b <pem>"
        );
        assert_eq!(hide(json!({"é": "ééééé"}), "éé ééééé"), "éé <é>");
    }

    #[test]
    fn short_values_and_plain_words_stay_readable() {
        let config =
            json!({"provider": "open-meteo", "symbols": ["AAPL", "BTC/USD"], "loop": true, "seed": 7});
        let text = "open-meteo has no AAPL and no BTC/USD, true 7";
        assert_eq!(hide(config, text), text);
        assert_eq!(hide(json!({"api_token": "hunter"}), "hunter is wrong"), "<api_token> is wrong");
        assert_eq!(hide(json!({"key": {"env": "hunter"}}), "no variable hunter"), "no variable <key.env>");
    }

    #[test]
    fn the_head_of_a_long_value_is_hidden_and_long_texts_take_no_time() {
        let value = format!("{}y", "x".repeat(100_000));
        // Compared place by place to its end this would be five thousand million bytes.
        let clean = hide(json!({ "key": value }), &format!("{} z", "x".repeat(99_999)));
        assert_eq!(clean, "<key> z");
        let value = format!("{}ä", "é".repeat(40));
        assert_eq!(hide(json!({ "key": value }), &format!("{}ö!", "é".repeat(40))), "<key>ö!");
        assert_eq!(
            hide(json!({"key": "0123456789abcdef"}), "0123456789a is another"),
            "0123456789a is another"
        );
    }

    #[test]
    fn parts_of_a_url_are_hidden_by_themselves() {
        let config = json!({"url": "https://ann:pa55@h.example/v1/T0KENT0KENT0KENT0KEN?v=2&apikey=abcd&q=longer_value9"});
        for (text, clean) in [
            ("login ann failed", "login <url> failed"),
            ("pa55", "<url>"),
            ("GET /v1/T0KENT0KENT0KENT0KEN", "GET /v1/<url>"),
            ("apikey=abcd&v=2", "apikey=<url>&v=2"),
            ("q=longer_value9", "q=<url>"),
            ("no address for h.example", "no address for h.example"),
        ] {
            assert_eq!(hide(config.clone(), text), clean);
        }
    }

    #[test]
    fn serde_names_types_and_no_values() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only how they are refused matters")]
        struct Config {
            #[serde(default)]
            count: u32,
            #[serde(default)]
            side: Option<Side>,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Side {
            Buy,
            Sell,
        }
        for (config, says) in [
            (r#"{"count":"sk, expected x"}"#, "invalid type: string, expected u32"),
            (r#"{"count":-5}"#, "invalid value: integer, expected u32"),
            (r#"{"side":"sk`, expected x"}"#, "unknown variant, expected `buy` or `sell`"),
            (r#"{"cuont":1}"#, "unknown field `cuont`, expected `count` or `side`"),
        ] {
            let error = serde_json::from_str::<Config>(config).unwrap_err();
            assert_eq!(of_serde(config.as_bytes(), &error), says);
        }
        let within = "create: invalid type: string \"sk\", expected u32 at line 1 column 7";
        assert_eq!(
            without_quotations(within),
            "create: invalid type: string, expected u32 at line 1 column 7"
        );
    }
}
