//! `tickerd get`, `topics`, `history`, `bars` and `publish`: one question, one answer.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use tickerd_process::clock::utc;
use tickerd_remote::{Connection, Failed, Failure, Listed, Message, Past, Topics, Values, is_pattern};

use super::line::Lines;
use super::screen::{Screen, tell, written};
use super::value::{members, plain, safe};
use super::{Reach, duration, finish};
use crate::cli::operator::table::table;

/// Longest message to a room; the daemon takes 48 KiB.
const PUBLISHED_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Debug, Clone, Args)]
pub struct GetArgs {
    /// Topics and patterns.
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Clone, Args)]
pub struct TopicsArgs {
    /// Which topics; without it all.
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// The topic.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// How many, the newest.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// None that are older than this, such as 30s or 5m.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Clone, Args)]
pub struct BarsArgs {
    /// The topic.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// The length of a bar, one that the daemon keeps.
    #[arg(long, value_name = "PERIOD", default_value = "1m")]
    period: String,
    /// How many, the newest.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Clone, Args)]
pub struct PublishArgs {
    /// The room, a topic that the operator declared for messages.
    #[arg(value_name = "ROOM")]
    room: String,
    /// The message, any JSON: '{"text":"hello"}', '"hello"'. With - it is read from standard input.
    #[arg(value_name = "JSON")]
    value: String,
    /// Only to this user or connection: user:NAME or conn:ID.
    #[arg(long, value_name = "WHOM")]
    to: Option<String>,
    /// What the room knows you by, where no token says so.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    how: How,
}

/// What all of them can be told.
#[derive(Debug, Clone, Args)]
struct How {
    /// Print JSON, one value a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

impl How {
    fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(&self.reach.target()?)
    }

    /// Prints ticks, each a whole message.
    fn ticks<'a>(&self, ticks: impl IntoIterator<Item = &'a RawValue>) -> Result<(), Failure> {
        let mut screen = Screen::new();
        let mut lines = Lines::new(screen.has_colour());
        for text in ticks {
            let tick = Message::read(text.get()).and_then(|message| message.tick());
            let line = match tick {
                Some(tick) if !self.json => lines.line(&tick),
                _ => safe(text.get()) + "\n",
            };
            if let Err(error) = screen.print(&line) {
                return written(Err(error));
            }
        }
        written(screen.flush())
    }

    fn text(&self, text: &str) -> Result<(), Failure> {
        let mut screen = Screen::new();
        written(screen.print(text).and_then(|()| screen.flush()))
    }
}

pub fn get(args: &GetArgs) -> ExitCode {
    finish(args.how.connect().and_then(|mut connection| {
        let text = connection.ask("get", json!({"topics": args.topics}))?;
        connection.close();
        let values: Values<'_> = data(&text)?;
        args.how.ticks(values.values.iter().copied())?;
        if values.truncated {
            tell("warning: there are more values than one answer holds; name fewer");
        }
        all(&values.failed)?;
        match values.values.is_empty() {
            true => Err(nothing(&args.topics.join(" "))),
            false => Ok(()),
        }
    }))
}

pub fn topics(args: &TopicsArgs) -> ExitCode {
    finish(args.how.connect().and_then(|mut connection| {
        let asked = args.pattern.as_ref().map_or(json!({}), |pattern| json!({"match": pattern}));
        let text = connection.ask("topics", asked)?;
        let now = connection.now()?;
        connection.close();
        #[derive(Deserialize)]
        struct Raw<'a> {
            #[serde(borrow)]
            topics: Vec<&'a RawValue>,
        }
        let raw: Raw<'_> = data(&text)?;
        let shown = match args.how.json {
            true => raw.topics.iter().map(|topic| safe(topic.get()) + "\n").collect(),
            false if raw.topics.is_empty() => String::new(),
            false => listed(&data::<Topics>(&text)?.topics, now),
        };
        args.how.text(&shown)?;
        match &args.pattern {
            Some(pattern) if raw.topics.is_empty() => Err(nothing(pattern)),
            _ => Ok(()),
        }
    }))
}

pub fn history(args: &HistoryArgs) -> ExitCode {
    finish(args.how.connect().and_then(|mut connection| {
        let from = match args.since {
            Some(age) => connection.now()?.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
            None => i64::MIN,
        };
        let text = connection.ask("history", json!({"topic": args.topic, "limit": args.limit}))?;
        connection.close();
        let past: Past<'_> = data(&text)?;
        let is_wanted = |text: &&&RawValue| {
            let tick = Message::read(text.get()).and_then(|message| message.tick());
            tick.is_none_or(|tick| tick.ts >= from)
        };
        args.how.ticks(past.values.iter().filter(is_wanted).copied())?;
        if past.truncated {
            tell("warning: there are older ticks than one answer holds");
        }
        Ok(())
    }))
}

pub fn bars(args: &BarsArgs) -> ExitCode {
    finish(args.how.connect().and_then(|mut connection| {
        let asked = json!({"topic": args.topic, "period": args.period, "limit": args.limit});
        let text = connection.ask("history", asked)?;
        connection.close();
        let past: Past<'_> = data(&text)?;
        let shown: String = match args.how.json {
            true => past.bars.iter().map(|bar| safe(bar.get()) + "\n").collect(),
            false => table_of_bars(&past.bars),
        };
        args.how.text(&shown)?;
        if past.truncated {
            tell("warning: there are older bars than one answer holds");
        }
        Ok(())
    }))
}

pub fn publish(args: &PublishArgs) -> ExitCode {
    finish(published(args))
}

fn published(args: &PublishArgs) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Command<'a> {
        topic: &'a str,
        value: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<&'a str>,
    }
    #[derive(Deserialize)]
    struct Published {
        seq: u64,
        delivered: Option<u64>,
        #[serde(default)]
        kept: bool,
    }
    let value = match args.value.as_str() {
        "-" => {
            let mut text = String::new();
            let read = std::io::stdin().lock().take(PUBLISHED_BYTES_MAX).read_to_string(&mut text);
            read.map_err(|error| Failure::Usage(format!("standard input cannot be read: {error}")))?;
            text
        }
        value => value.to_owned(),
    };
    let value = RawValue::from_string(value.trim().to_owned()).map_err(|error| {
        Failure::Usage(format!("the message is no JSON: {error}; a text has quotes of its own: '\"hello\"'"))
    })?;
    let mut connection = Connection::named(&args.how.reach.target()?, args.name.as_deref())?;
    let command = Command { topic: &args.room, value: &value, to: args.to.as_deref() };
    let text = connection.ask("publish", command)?;
    connection.close();
    if args.how.json {
        let data: &RawValue = data(&text)?;
        return args.how.text(&(safe(data.get()) + "\n"));
    }
    let Published { seq, delivered, kept } = data(&text)?;
    args.how.text(&match (delivered, kept) {
        (_, true) => "kept until they come\n".to_owned(),
        (Some(delivered), false) => format!("delivered to {delivered} connections\n"),
        (None, false) => format!("published as {seq}\n"),
    })
}

/// The data of an answer.
fn data<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failure> {
    Message::read(text).and_then(|message| message.data()).ok_or_else(|| {
        let why = "the daemon's answer is not as PROTOCOL.md says; is it of another version?";
        Failure::Failed(why.to_owned())
    })
}

/// Tells each topic that failed; the failure is that of the last.
fn all(failed: &[Failed]) -> Result<(), Failure> {
    let Some((last, others)) = failed.split_last() else { return Ok(()) };
    let words = |failed: &Failed| format!("{}: {}", failed.topic, failed.message);
    others.iter().for_each(|failed| tell(&words(failed)));
    Err(Failure::Refused { code: last.code, why: words(last) })
}

fn nothing(pattern: &str) -> Failure {
    let hint = if is_pattern(pattern) { "; tickerd topics lists those that there are" } else { "" };
    Failure::Refused { code: 404, why: format!("no topic has a value that {pattern} means{hint}") }
}

fn listed(topics: &[Listed], now: i64) -> String {
    let head = ["TOPIC", "KIND", "CLASS", "SEQ", "AGE", "INTERVAL", ""].map(str::to_owned);
    let rows = topics.iter().map(|topic| {
        let interval = Duration::from_millis(topic.interval_ms);
        let age = Duration::from_millis(u64::try_from(now.saturating_sub(topic.ts)).unwrap_or_default());
        let stale = if topic.stale { "stale" } else { "" };
        [
            plain(&topic.topic),
            plain(&topic.kind),
            plain(&topic.class),
            topic.seq.to_string(),
            if topic.seq == 0 { "-".to_owned() } else { span(age) },
            format!("{interval:?}"),
            stale.to_owned(),
        ]
    });
    table(&std::iter::once(head).chain(rows).map(Vec::from).collect::<Vec<_>>())
}

/// A time in the unit in which it reads best: `0.2s`, `17s`, `3m`, `2h`, `5d`.
fn span(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1}s", time.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn table_of_bars(bars: &[&RawValue]) -> String {
    let shown = ["open", "high", "low", "close", "count", "volume"];
    let head: Vec<String> = std::iter::once("START").chain(shown).map(str::to_uppercase).collect();
    let rows = bars.iter().map(|bar| {
        let found = members(bar);
        let member =
            |name: &str| found.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value);
        let start = utc(member("start").parse().unwrap_or_default());
        std::iter::once(start).chain(shown.iter().map(|name| member(name).to_owned())).collect()
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_a_table() {
        let topic = |name: &str, ts, stale| Listed {
            topic: name.to_owned(),
            kind: "quote".to_owned(),
            class: "state".to_owned(),
            seq: 7,
            ts,
            interval_ms: 250,
            stale,
        };
        let text = listed(&[topic("s.a", 1_000_000, false), topic("s.long", 0, true)], 1_000_200);
        let expected = "\
TOPIC   KIND   CLASS  SEQ  AGE   INTERVAL
s.a     quote  state  7    0.2s  250ms
s.long  quote  state  7    16m   250ms     stale
";
        assert_eq!(text, expected);
    }

    #[test]
    fn bars_are_a_table_with_their_digits() {
        let bar = r#"{"start":1767225600000,"open":"189.30","high":189.50,"low":"1","close":"2","count":3,"merged":0}"#;
        let bar = RawValue::from_string(bar.to_owned()).unwrap();
        let text = table_of_bars(&[&bar]);
        assert!(text.contains("2026-01-01T00:00:00Z  189.30  189.50  1    2      3\n"), "{text}");
    }
}
