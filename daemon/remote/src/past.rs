//! Where a subscription begins that is to bring the past: which `seq` of each topic was the last before that.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::json;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::follow::{Period, Wish};
use crate::message::{Message, Past, Tick, Topics, feed, is_pattern};

/// From when on ticks are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// After this tick of the one topic.
    Seq(u64),
    /// The ticks of so long ago, as far as they are kept.
    Ago(Duration),
}

/// The first segment of the server's own topics, and one that is always there.
const OWN: &str = "tickerd";
const OWN_TOPIC: &str = "tickerd.stats";
/// How many ticks of a topic are looked through.
const LOOKED_THROUGH: u64 = 10_000;

/// Where a subscription begins.
pub(crate) struct Begin {
    /// The last `seq` before the time, of each topic that the wish means now.
    pub seqs: BTreeMap<String, u64>,
    /// By first segment, whose numbers these are, as far as it was told.
    pub epochs: HashMap<String, String>,
    /// There were more topics than a connection may have.
    pub more: bool,
}

/// Finds that out.
pub(crate) fn begin(connection: &mut Connection, wish: &Wish, since: Since) -> Result<Begin, Failure> {
    let mut epochs = HashMap::new();
    let age = match since {
        Since::Seq(seq) => {
            let seqs: BTreeMap<String, u64> =
                wish.topics.iter().map(|topic| (wish.name(topic), seq)).collect();
            epoch_of(connection, seqs.keys(), &mut epochs)?;
            return Ok(Begin { seqs, epochs, more: false });
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
    epoch_of(connection, seqs.keys(), &mut epochs)?;
    Ok(Begin { seqs, epochs, more })
}

/// Asks whose numbers topics have, once for each first segment.
fn epoch_of<'a>(
    connection: &mut Connection,
    topics: impl Iterator<Item = &'a String>,
    epochs: &mut HashMap<String, String>,
) -> Result<(), Failure> {
    for topic in topics {
        if epochs.contains_key(feed(topic)) {
            continue;
        }
        // Bars are of the server's own: those that are there have the epoch of its other topics.
        let asked = if feed(topic) == OWN { OWN_TOPIC } else { topic };
        match connection.ask("history", json!({"topic": asked, "limit": 1})) {
            Ok(text) => {
                let past: Option<Past<'_>> = Message::read(&text).and_then(|message| message.data());
                epochs.extend(past.map(|past| (feed(topic).to_owned(), past.epoch)));
            }
            // It has not spoken, or its past is not this client's to see: `subscribed` tells.
            Err(Failure::Refused { .. }) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
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
