//! Reads a node as a checked value, or says why it is wrong. One function per kind of value.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::document::{Node, Value};
use super::problem::Code;
use super::quantity::{self, Misread};
use super::section::Refusal;
use super::shown::quoted;

pub(super) type Read<T> = Result<T, Vec<Refusal>>;

/// `true` or `false`.
pub(super) fn boolean(node: &Node) -> Read<bool> {
    let change = match &node.value {
        Value::Boolean(boolean) => return Ok(*boolean),
        Value::Text(text) if text == "true" => return Ok(true),
        Value::Text(text) if text == "false" => return Ok(false),
        Value::Text(text) | Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => "write true, without quotes",
            "false" | "no" | "off" | "0" => "write false, without quotes",
            _ => "write true or false, without quotes",
        },
        _ => "write true or false",
    };
    let what = format!("this is a switch, and the value is {}", node.value.kind());
    Err(vec![Refusal::new(node, what).code(Code::WrongType).allowed("true, false").change(change)])
}

/// A whole number within a range.
pub(super) fn integer<N>(range: RangeInclusive<N>) -> impl Fn(&Node) -> Read<N>
where
    N: Copy + PartialOrd + fmt::Display + FromStr + TryInto<i128> + TryFrom<i128>,
{
    move |node| {
        let (min, max) = (*range.start(), *range.end());
        let refuse = |code: Code, what: String, change: String| {
            let allowed = format!("a whole number from {min} to {max}");
            Err(vec![Refusal::new(node, what).code(code).allowed(allowed).change(change)])
        };
        let (digits, radix) = match &node.value {
            Value::Integer(digits, radix) => (digits.as_str(), *radix),
            Value::Text(text) => (text.as_str(), 10),
            Value::String(text) if text.parse::<N>().is_ok_and(|number| range.contains(&number)) => {
                let what = "a number is written without quotes".to_owned();
                return refuse(Code::WrongType, what, format!("write {text}"));
            }
            other => {
                let what = format!("a whole number is needed, and this is {}", other.kind());
                return refuse(Code::WrongType, what, format!("write a number from {min} to {max}"));
            }
        };
        let number = i128::from_str_radix(digits, radix);
        let nearest = match number {
            Ok(number) => match N::try_from(number) {
                Ok(number) if range.contains(&number) => return Ok(number),
                _ if min.try_into().is_ok_and(|min| number < min) => min,
                _ => max,
            },
            Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => max,
            Err(error) if *error.kind() == std::num::IntErrorKind::NegOverflow => min,
            Err(_) => {
                let what = "this is not a whole number".to_owned();
                return refuse(Code::WrongType, what, format!("write a number from {min} to {max}"));
            }
        };
        let side = if nearest == min { "below the least" } else { "above the most" };
        refuse(
            Code::OutOfRange,
            format!("this is {side}, {nearest}"),
            format!("write {nearest}, or another number in the range"),
        )
    }
}

/// A duration within a range.
pub(super) fn duration(min: Duration, max: Duration) -> impl Fn(&Node) -> Read<Duration> {
    move |node| {
        let kind = Kind {
            noun: "duration",
            min: quantity::write_duration(min),
            max: quantity::write_duration(max),
            units: "ms, s, m, h, d",
            guess: &|number| quantity::guess_duration(number, min, max),
        };
        quantity_within(node, &kind, quantity::parse_duration, min, max)
    }
}

/// A size in bytes within a range.
pub(super) fn size(min: usize, max: usize) -> impl Fn(&Node) -> Read<usize> {
    move |node| {
        let (min, max) = (min as u64, max as u64);
        let kind = Kind {
            noun: "size",
            min: quantity::write_size(min),
            max: quantity::write_size(max),
            units: "B, KiB, MiB, GiB, KB, MB, GB",
            guess: &|number| quantity::guess_size(number, min, max),
        };
        let bytes = quantity_within(node, &kind, quantity::parse_size, min, max)?;
        usize::try_from(bytes).map_err(|_| {
            vec![kind.refuse(node, Code::OutOfRange, "this machine cannot address as much".to_owned(), None)]
        })
    }
}

/// `"off"`, or what `read` reads.
pub(super) fn or_off<T>(read: impl Fn(&Node) -> Read<T>) -> impl Fn(&Node) -> Read<Option<T>> {
    move |node| match &node.value {
        Value::String(text) | Value::Text(text) if text == "off" => Ok(None),
        _ => read(node).map(Some).map_err(|mut refusals| {
            let is_never =
                matches!(&node.value, Value::String(text) | Value::Text(text) if is_no_limit(text));
            for refusal in &mut refusals {
                refusal.allowed += ", or \"off\"";
                if is_never {
                    refusal.change = "write \"off\"".to_owned();
                }
            }
            refusals
        }),
    }
}

/// Whether a text says in another way that there is no limit.
fn is_no_limit(text: &str) -> bool {
    const WORDS: [&str; 8] = ["never", "none", "no", "false", "disabled", "infinite", "inf", "unlimited"];
    WORDS.contains(&text.to_ascii_lowercase().as_str())
}

struct Kind<'k> {
    noun: &'static str,
    min: String,
    max: String,
    units: &'static str,
    guess: &'k dyn Fn(&str) -> Option<String>,
}

impl Kind<'_> {
    fn refuse(&self, node: &Node, code: Code, what: String, instead: Option<String>) -> Refusal {
        let instead = instead.unwrap_or_else(|| self.min.clone());
        let change = match &node.value {
            Value::Text(_) => format!("write {instead}"),
            _ => format!("write \"{instead}\""),
        };
        Refusal::new(node, what)
            .code(code)
            .allowed(format!("a {} from \"{}\" to \"{}\" ({})", self.noun, self.min, self.max, self.units))
            .change(change)
    }
}

fn quantity_within<T: PartialOrd>(
    node: &Node,
    kind: &Kind<'_>,
    parse: impl Fn(&str) -> Result<T, Misread>,
    min: T,
    max: T,
) -> Read<T> {
    let refuse =
        |code: Code, what: String, instead: Option<String>| Err(vec![kind.refuse(node, code, what, instead)]);
    // What is meant may be out of range as well.
    let within = |instead: String| match parse(&instead) {
        Ok(value) if value < min => Some(kind.min.clone()),
        Ok(value) if value > max => Some(kind.max.clone()),
        Ok(_) => Some(instead),
        Err(_) => None,
    };
    let most = |text: &str| is_no_limit(text).then(|| kind.max.clone());
    let text = match &node.value {
        Value::String(text) | Value::Text(text) => text,
        Value::Integer(digits, 10) => {
            let what = format!("a {} carries its unit", kind.noun);
            return refuse(Code::WrongUnit, what, (kind.guess)(digits));
        }
        Value::Float(number) => {
            // 15.0 is written 15.
            let written = number.to_string();
            let seconds = parse(&format!("{number}s")).err().and_then(|misread| within(misread.instead?));
            let what = format!("a {} is a whole number and its unit", kind.noun);
            return refuse(
                Code::WrongUnit,
                what,
                seconds.or_else(|| (kind.guess)(&written)).or_else(|| most(&written)),
            );
        }
        other => {
            let what = format!("a {} is needed, and this is {}", kind.noun, other.kind());
            return refuse(Code::WrongType, what, None);
        }
    };
    match parse(text) {
        Ok(value) if value < min => {
            refuse(Code::OutOfRange, format!("this is shorter than the least, {}", kind.min), None)
        }
        Ok(value) if value > max => {
            let what = format!("this is more than the most, {}", kind.max);
            refuse(Code::OutOfRange, what, Some(kind.max.clone()))
        }
        Ok(value) => Ok(value),
        Err(misread) => {
            let instead = match misread.is_beyond {
                true => Some(kind.max.clone()),
                false => misread.instead.and_then(within),
            };
            let instead = instead.or_else(|| (kind.guess)(text.trim())).or_else(|| most(text));
            refuse(Code::WrongUnit, misread.what, instead)
        }
    }
}

/// A text.
pub(super) fn string(node: &Node) -> Read<String> {
    match &node.value {
        Value::String(text) | Value::Text(text) => Ok(text.clone()),
        other => {
            let what = format!("a text is needed, and this is {}", other.kind());
            Err(vec![
                Refusal::new(node, what)
                    .code(Code::WrongType)
                    .allowed("a text in quotes")
                    .change("put it in quotes"),
            ])
        }
    }
}

/// One of a few words.
pub(super) fn word<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Node) -> Read<T> {
    move |node| {
        let allowed: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let text = match &node.value {
            Value::String(text) | Value::Text(text) => text.as_str(),
            _ => "",
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let written = text.to_ascii_lowercase().replace('_', "-");
        let near = words
            .iter()
            .map(|(word, _)| {
                (strsim::damerau_levenshtein(&written.replace('-', ""), &word.replace(['-', '_'], "")), word)
            })
            .filter(|(distance, word)| *distance <= word.len() / 3)
            .min_by_key(|(distance, _)| *distance);
        let change = match near {
            Some((_, word)) => format!("did you mean \"{word}\"?"),
            None => format!("write one of {}", allowed.join(", ")),
        };
        let what = match &node.value {
            Value::String(_) | Value::Text(_) => "this word is not known here".to_owned(),
            other => format!("a word in quotes is needed, and this is {}", other.kind()),
        };
        Err(vec![Refusal::new(node, what).code(Code::UnknownWord).allowed(allowed.join(", ")).change(change)])
    }
}

/// Reads a list. Texts from the environment and flags are split at commas. Every element is read and every problem
/// told.
pub(super) fn list<T>(node: &Node, read: impl Fn(&Node) -> Read<T>) -> Read<Vec<T>> {
    let split: Vec<Node>;
    let items = match &node.value {
        Value::Array(items) => items,
        Value::Text(text) => {
            let item =
                |text: &str| Node { origin: node.origin.clone(), value: Value::Text(text.trim().to_owned()) };
            split = text.split(',').map(item).collect();
            &split
        }
        other => {
            let change = match other {
                Value::String(text) => elements(node, text, &read),
                _ => None,
            };
            let change = change.unwrap_or_else(|| "write it as [\"…\", \"…\"]".to_owned());
            let what = format!("a list is needed, and this is {}", other.kind());
            return Err(vec![
                Refusal::new(node, what).code(Code::WrongType).allowed("a list in [ ]").change(change),
            ]);
        }
    };
    let mut values = Vec::with_capacity(items.len());
    let mut refusals = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match read(item) {
            Ok(value) => values.push(value),
            Err(wrong) => refusals.extend(wrong.into_iter().map(|mut refusal| {
                refusal.suffix = format!("[{at}]{}", refusal.suffix);
                refusal
            })),
        }
    }
    if refusals.is_empty() { Ok(values) } else { Err(refusals) }
}

/// The list that a text with commas was meant to be, if each of them can be read.
fn elements<T>(node: &Node, text: &str, read: impl Fn(&Node) -> Read<T>) -> Option<String> {
    let is_right = |text: &&str| {
        let value = Value::String((*text).to_owned());
        read(&Node { origin: node.origin.clone(), value }).is_ok()
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let parts = if is_right(&text) { vec![text] } else { parts };
    let written: Vec<String> = parts.iter().map(|part| quoted(part)).collect();
    parts.iter().all(is_right).then(|| format!("write [{}]", written.join(", ")))
}

/// Reads any table as JSON, to be given to a plugin.
pub(super) fn json(node: &Node) -> Read<serde_json::Value> {
    let refuse = |what: &str, change: &str| {
        Err(vec![Refusal::new(node, what).allowed("what JSON can say").change(change)])
    };
    Ok(match &node.value {
        Value::Text(text) | Value::String(text) | Value::Datetime(text) => {
            serde_json::Value::from(text.as_str())
        }
        Value::Boolean(boolean) => serde_json::Value::from(*boolean),
        Value::Float(float) => match serde_json::Number::from_f64(*float) {
            Some(number) => serde_json::Value::Number(number),
            None => return refuse("JSON has no such number", "write a finite number, or a text"),
        },
        Value::Integer(digits, radix) => match i64::from_str_radix(digits, *radix) {
            Ok(number) => serde_json::Value::from(number),
            Err(_) => match u64::from_str_radix(digits, *radix) {
                Ok(number) => serde_json::Value::from(number),
                Err(_) => return refuse("this is more than 64 bits hold", "write it as a text, in quotes"),
            },
        },
        Value::Array(_) => serde_json::Value::Array(list(node, json)?),
        Value::Table(table) => {
            let mut map = serde_json::Map::new();
            let mut refusals = Vec::new();
            for entry in &table.0 {
                match json(&entry.node) {
                    Ok(value) => {
                        map.insert(entry.key.clone(), value);
                    }
                    Err(wrong) => refusals.extend(wrong.into_iter().map(|mut refusal| {
                        refusal.suffix = format!(".{}{}", entry.key, refusal.suffix);
                        refusal
                    })),
                }
            }
            if !refusals.is_empty() {
                return Err(refusals);
            }
            serde_json::Value::Object(map)
        }
    })
}
