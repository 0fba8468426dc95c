//! Where a subscription begins that is to bring the past: which `seq` of each topic was the last before that.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::follow::{Period, Wish};
use crate::message::{Message, Past, Tick, Topics, is_pattern};

/// From when on ticks are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// After this tick of the one topic.
    Seq(u64),
    /// The ticks of so long ago, as far as they are kept.
    Ago(Duration),
}

/// How many ticks of a topic are looked through.
const LOOKED_THROUGH: u64 = 10_000;

/// The last `seq` before the time, of each topic that the wish means now; and whether there were more topics than a
/// connection may have.
pub(crate) fn begin(
    connection: &mut Connection,
    wish: &Wish,
    since: Since,
) -> Result<(BTreeMap<String, u64>, bool), Failure> {
    let age = match since {
        Since::Seq(seq) => {
            let seqs = wish.topics.iter().map(|topic| (wish.name(topic), seq)).collect();
            return Ok((seqs, false));
        }
        Since::Ago(age) => age,
    };
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let from = connection.now()?.saturating_sub(age).max(0);
    let (topics, more) = named(connection, wish)?;
    let mut seqs = BTreeMap::new();
    for topic in topics {
        let seq = match &wish.bars {
            Some(period) => before_bar(connection, &topic, period, from)?,
            None => Some(before(connection, &topic, from)?),
        };
        seqs.extend(seq.map(|seq| (wish.name(&topic), seq)));
    }
    Ok((seqs, more))
}

/// The topics that a wish means now, by name.
fn named(connection: &mut Connection, wish: &Wish) -> Result<(Vec<String>, bool), Failure> {
    let mut names = Vec::new();
    for topic in &wish.topics {
        match is_pattern(topic) {
            true => names.extend(list(connection, topic)?.topics.into_iter().map(|listed| listed.topic)),
            false => names.push(topic.clone()),
        }
    }
    names.sort();
    names.dedup();
    let more = names.len() > connection.hello.limits.topics;
    names.truncate(connection.hello.limits.topics);
    Ok((names, more))
}

/// The topics that a pattern matches now.
pub(crate) fn list(connection: &mut Connection, pattern: &str) -> Result<Topics, Failure> {
    let text = connection.ask("topics", json!({"match": pattern}))?;
    let none = Topics { topics: Vec::new() };
    Ok(Message::read(&text).and_then(|message| message.data()).unwrap_or(none))
}

/// The same of closed bars, of which `seq` is the number of the period, counted from 1970. A daemon goes on only after a bar
/// that it has: where it has none from before the time, the first one is that. `None`: it has no closed bar.
fn before_bar(
    connection: &mut Connection,
    topic: &str,
    period: &Period,
    from: i64,
) -> Result<Option<u64>, Failure> {
    #[derive(serde::Deserialize)]
    struct Bar {
        start: u64,
    }
    let asked = json!({"topic": topic, "period": period.name, "limit": LOOKED_THROUGH});
    let text = match connection.ask("history", asked) {
        Err(Failure::Refused { code: 404, .. }) => return Ok(None),
        text => text?,
    };
    let now = u64::try_from(connection.now()?).unwrap_or_default();
    let from = u64::try_from(from).unwrap_or_default();
    let past: Option<Past<'_>> = Message::read(&text).and_then(|message| message.data());
    let bars = past.map(|past| past.bars).unwrap_or_default();
    let starts = bars.iter().filter_map(|bar| serde_json::from_str(bar.get()).ok()).map(|bar: Bar| bar.start);
    let closed: Vec<u64> = starts.filter(|start| start + period.ms <= now).collect();
    let last = closed.iter().rev().find(|start| **start < from).or(closed.first());
    Ok(last.map(|start| start / period.ms.max(1)))
}

/// The `seq` before the first tick that is not older than this; 0 for a topic without a value.
fn before(connection: &mut Connection, topic: &str, from: i64) -> Result<u64, Failure> {
    let text = match connection.ask("history", json!({"topic": topic, "limit": LOOKED_THROUGH})) {
        Err(Failure::Refused { code: 404, .. }) => return Ok(0),
        text => text?,
    };
    let past: Option<Past<'_>> = Message::read(&text).and_then(|message| message.data());
    let mut last = 0;
    for value in past.map(|past| past.values).unwrap_or_default() {
        let Some(tick): Option<Tick<'_>> = Message::read(value.get()).and_then(|message| message.tick())
        else {
            continue;
        };
        if tick.ts >= from {
            return Ok(tick.seq.saturating_sub(1));
        }
        last = tick.seq;
    }
    Ok(last)
}
