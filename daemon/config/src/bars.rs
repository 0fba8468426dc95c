//! `[bars]`: open, high, low and close per period, of which topics, and for how long they are kept.

use std::time::Duration;

use super::document::{Node, Value};
use super::problem::{Code, Origin};
use super::quantity::{guess_duration, parse_duration, write_duration};
use super::reader::{Read, duration, size, string};
use super::section::{Refusal, Section};
use super::shown::quoted;
use tickerd_model::protocol::rate::period_name;

/// Most periods that are kept.
pub const PERIODS_MAX: usize = 8;
/// Most bars of one period and topic.
pub const BARS_MAX: u64 = 100_000;
/// Memory of a kept bar, with up to 18 digits.
pub const BAR_BYTES: usize = 64;

/// Longest name of a field, as in the schema of an event.
const FIELD_BYTES_MAX: usize = 64;

const DAY: Duration = Duration::from_secs(86_400);
const AGE_MAX: Duration = Duration::from_secs(400 * 86_400);

/// `[bars]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bars {
    /// The periods, shortest first, each once; empty: no bars are kept.
    ///
    /// At most 8. Default 10s for 1h, and 1m for 24h.
    pub keep: Vec<Keep>,
    /// Most bytes of all bars together. Above it, the oldest bars of the shortest period are dropped first.
    ///
    /// Range 64KiB..=64GiB; default 256MiB.
    pub bytes: usize,
}

/// A period, and how long its bars are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Length of a bar. Range 1s..=24h, in whole seconds, and a day is a multiple of it.
    pub period: Duration,
    /// From the period itself to 400 days, and at most [`BARS_MAX`] bars.
    pub age: Duration,
}

/// Of which field a feed's topics have bars.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum FeedBars {
    /// Of the main field, if the schema of their kind marks one.
    #[default]
    Auto,
    /// They have none.
    Off,
    /// Of this field, a member of the value; empty: of the value itself. `volume` is summed up, if it is there.
    Field { field: String, volume: Option<String> },
}

impl Default for Bars {
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let keep = vec![
            Keep { period: Duration::from_secs(10), age: hours(1) },
            Keep { period: Duration::from_secs(60), age: hours(24) },
        ];
        Bars { keep, bytes: 256 << 20 }
    }
}

impl Keep {
    /// The period's name on the wire: `1m`.
    pub fn name(&self) -> String {
        period_name(self.period)
    }

    /// How many bars of a topic that is.
    pub fn count(&self) -> u64 {
        self.age.as_secs() / self.period.as_secs().max(1)
    }
}

impl Bars {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Bars::default();
        Bars {
            keep: section.take("keep", default.keep, read_keep),
            bytes: section.take("bytes", default.bytes, size(64 << 10, 64 << 30)),
        }
    }

    /// For how many topics the bytes suffice if all of them have every bar. `None`: nothing is kept of any.
    pub fn topics(&self) -> Option<u64> {
        (self.bytes as u64).checked_div(self.bytes_of(1))
    }

    /// The memory of every bar of so many topics.
    pub fn bytes_of(&self, topics: u64) -> u64 {
        let bars: u64 = self.keep.iter().map(Keep::count).sum();
        topics.saturating_mul(bars * BAR_BYTES as u64)
    }
}

impl FeedBars {
    /// Reads `bars` of a `[[feed]]`.
    pub(super) fn read(feed: &mut Section<'_>) -> FeedBars {
        let node = feed.ask("bars");
        match node.map(|node| (node, &node.value)) {
            Some((_, Value::Boolean(is_on))) => {
                return if *is_on { FeedBars::Auto } else { FeedBars::Off };
            }
            None | Some((_, Value::Table(_))) => {}
            Some((node, value)) => {
                let change = match value {
                    Value::String(field) if is_field(field) => {
                        format!("write bars = {{ field = {} }}", quoted(field))
                    }
                    _ => "write bars = false, or bars = { field = \"price\" }".to_owned(),
                };
                let refusal = Refusal::new(node, format!("this is {}", value.kind())).code(Code::WrongType);
                let allowed = "false, true, or { field = \"NAME\", volume = \"NAME\" }";
                feed.refuse("bars", refusal.allowed(allowed).change(change));
                return FeedBars::Auto;
            }
        }
        let mut section = feed.section("bars");
        let field = section.take("field", None, |node| read_field(node).map(Some));
        let volume = section.take("volume", None, |node| read_field(node).map(Some));
        if let Some(node) = section.ask("volume") {
            const DELETE: &str = "delete volume, or name another field";
            let what = match (&field, &volume) {
                (_, Some(volume)) if volume.is_empty() => "the volume is a field, and this names none",
                (Some(field), Some(_)) if field.is_empty() => {
                    "field = \"\" is the value itself, and such a value has no other field"
                }
                (Some(field), Some(volume)) if field == volume => "this is the field itself",
                _ => "",
            };
            if !what.is_empty() {
                let refusal = Refusal::new(node, what).code(Code::Conflict);
                section.refuse("volume", refusal.allowed(FIELD).change(DELETE));
            }
        }
        match (field, node) {
            (Some(field), _) => FeedBars::Field { field, volume },
            (None, Some(node)) if section.ask("field").is_none() => {
                let refusal = Refusal::new(node, "this does not say of which field")
                    .code(Code::MissingKey)
                    .allowed(FIELD);
                section.refuse("field", refusal.change("add field = \"price\", or write bars = true"));
                FeedBars::Auto
            }
            (None, _) => FeedBars::Auto,
        }
    }
}

const FIELD: &str =
    "a field of the feed's values, such as \"price\": 1 to 64 bytes; field = \"\" is the value itself";

fn read_field(node: &Node) -> Read<String> {
    let field = string(node)?;
    if !is_field(&field) {
        let what =
            format!("a field's name has at most {FIELD_BYTES_MAX} bytes, and this has {}", field.len());
        return Err(vec![Refusal::new(node, what).allowed(FIELD).change("write the field's own name")]);
    }
    Ok(field)
}

fn is_field(field: &str) -> bool {
    field.len() <= FIELD_BYTES_MAX
}

/// Reads `{ "10s" = "1h" }`, or `10s=1h,1m=24h` from the environment.
fn read_keep(node: &Node) -> Read<Vec<Keep>> {
    const ALLOWED: &str =
        "at most 8 periods, each with how long it is kept: { \"10s\" = \"1h\", \"1m\" = \"24h\" }";
    let refuse = |at: &Node, code: Code, what: String, change: String| {
        vec![Refusal::new(at, what).code(code).allowed(ALLOWED).change(change)]
    };
    let pairs: Vec<(Node, Node)> = match &node.value {
        Value::Table(table) => {
            let key = |origin: &Origin, key: &str| Node {
                origin: origin.clone(),
                value: match origin {
                    Origin::File(_) => Value::String(key.to_owned()),
                    _ => Value::Text(key.to_owned()),
                },
            };
            table.0.iter().map(|entry| (key(&entry.key_origin, &entry.key), entry.node.clone())).collect()
        }
        Value::Text(text) => {
            let pair = |pair: &str| {
                let (period, age) = pair.split_once('=')?;
                let node = |text: &str| Node {
                    origin: node.origin.clone(),
                    value: Value::Text(text.trim().to_owned()),
                };
                Some((node(period), node(age)))
            };
            let pairs: Option<Vec<_>> = text.split(',').map(pair).collect();
            pairs.ok_or_else(|| {
                let what = "a period and how long it is kept are written with = between them";
                refuse(node, Code::WrongValue, what.to_owned(), "write 10s=1h,1m=24h".to_owned())
            })?
        }
        other => {
            let what = format!("a table is needed, and this is {}", other.kind());
            let change = "write keep = { \"10s\" = \"1h\", \"1m\" = \"24h\" }".to_owned();
            return Err(refuse(node, Code::WrongType, what, change));
        }
    };
    if let Some((period, _)) = pairs.get(PERIODS_MAX) {
        let what = format!("this is one period more than {PERIODS_MAX}");
        return Err(refuse(period, Code::TooMany, what, "delete one".to_owned()));
    }
    let mut keep: Vec<Keep> = Vec::new();
    let mut refusals = Vec::new();
    for (period_node, age_node) in &pairs {
        let read = read_period(period_node).and_then(|period| {
            if keep.iter().any(|earlier| earlier.period == period) {
                let name = period_name(period);
                let what = format!("the period {name} is there already");
                return Err(refuse(period_node, Code::Duplicate, what, "delete one of the two".to_owned()));
            }
            Ok(Keep { period, age: read_age(age_node, period)? })
        });
        match read {
            Ok(one) => keep.push(one),
            Err(wrong) => refusals.extend(wrong.into_iter().map(|mut refusal| {
                let written = match &period_node.value {
                    Value::String(text) | Value::Text(text) => text.as_str(),
                    _ => "",
                };
                refusal.suffix = format!(".{written}");
                refusal
            })),
        }
    }
    keep.sort_by_key(|one| one.period);
    if refusals.is_empty() { Ok(keep) } else { Err(refusals) }
}

fn read_period(node: &Node) -> Read<Duration> {
    const LEAST: Duration = Duration::from_secs(1);
    let period = duration(LEAST, DAY)(node).map_err(|mut refusals| {
        // What was meant may be no period either.
        let meant = match &node.value {
            Value::String(text) | Value::Text(text) => {
                let instead = parse_duration(text).err().and_then(|misread| misread.instead);
                instead.or_else(|| guess_duration(text.trim(), LEAST, DAY))
            }
            _ => None,
        };
        let meant = meant.and_then(|meant| parse_duration(&meant).ok());
        if let Some(meant) = meant.filter(|meant| (LEAST..=DAY).contains(meant) && !is_period(*meant)) {
            refusals.iter_mut().for_each(|refusal| refusal.change = near_periods(meant));
        }
        refusals
    })?;
    if is_period(period) {
        return Ok(period);
    }
    let what = match period.subsec_nanos() {
        0 => "a day is no multiple of this period, so that its bars would begin at another time each day",
        _ => "a period is whole seconds",
    };
    let allowed = "a period of which a day is a multiple, such as 10s, 1m, 15m, 1h, 24h";
    let refusal = Refusal::new(node, what).code(Code::OutOfRange).allowed(allowed);
    Err(vec![refusal.change(near_periods(period))])
}

fn is_period(period: Duration) -> bool {
    period.subsec_nanos() == 0 && DAY.as_secs().is_multiple_of(period.as_secs())
}

/// The longest period below, and the shortest above.
fn near_periods(period: Duration) -> String {
    let (seconds, day) = (period.as_secs(), DAY.as_secs());
    // 7m is told of 6m and 8m, not of 400s.
    let unit = [3_600, 60, 1].into_iter().find(|unit| seconds.is_multiple_of(*unit)).unwrap_or(1);
    let divides = |seconds: &u64| day.is_multiple_of(*seconds) && seconds.is_multiple_of(unit);
    let name = |seconds: u64| format!("\"{}\"", period_name(Duration::from_secs(seconds)));
    let below = (1..=seconds).rev().find(divides).map(name);
    let above = (seconds + 1..=day).find(divides).map(name);
    let nearest: Vec<String> = below.into_iter().chain(above).collect();
    format!("write {}", nearest.join(" or "))
}

fn read_age(node: &Node, period: Duration) -> Read<Duration> {
    // In whole hours, as people write it.
    let most = Duration::from_secs((period.as_secs() * BARS_MAX / 3_600 * 3_600).min(AGE_MAX.as_secs()));
    // What is offered in place of another slip is no more than that.
    let age = duration(period, AGE_MAX)(node).or_else(|_| duration(period, most)(node))?;
    let keep = Keep { period, age };
    if keep.count() > BARS_MAX {
        let what = format!("this is {} bars of each topic", keep.count());
        let allowed = format!("at most {BARS_MAX} bars of one period");
        let change =
            format!("write \"{}\" or less, or name a longer period for what is older", write_duration(most));
        return Err(vec![Refusal::new(node, what).code(Code::OutOfRange).allowed(allowed).change(change)]);
    }
    Ok(age)
}
