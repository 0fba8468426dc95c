//! What is kept of the past, and under which epoch it goes on.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tickerd_process::clock::now_unix_ms;

use prometheus::Registry;

use super::StartError;
use crate::exchange::source::FeedFacts;
use crate::pulse::Past;
use crate::store::{self, SavedTopic, Store};
use tickerd_config::Config;
use tickerd_model::board::Restored;
use tickerd_model::history::Limits;
use tickerd_model::topic::{SERVER_SEGMENT, first_segment};

/// Topics that nobody spoke of for longer are not brought back, however long the past is kept.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3_600);

/// Opens what is configured; the epoch, and what the pulse is to begin with.
pub fn open(config: &Config, facts: &[FeedFacts], registry: &Registry) -> Result<(String, Past), StartError> {
    let history = &config.history;
    let limits = Limits { count: history.count, age: history.age, bytes: history.bytes };
    let Some(path) = &history.path else {
        return Ok((new_epoch(), Past { limits, restored: Vec::new(), n: 0, writer: None }));
    };
    let (store, saved) = Store::open(path)?;
    let whole = saved.epoch.filter(|_| saved.is_whole);
    let restored = restore(config, facts, saved.topics, now_unix_ms());
    let wanted = whole.clone().unwrap_or_else(new_epoch);
    let (epoch, writer) = store.start(wanted, new_epoch, store::Metrics::new(registry)?)?;
    let topics = restored.len();
    match &whole {
        Some(whole) if *whole == epoch => tracing::info!(epoch, topics, "the past of the last run goes on"),
        Some(_) => tracing::warn!(
            topics,
            "the past of the last run is there, but nothing can be added to it, so this is another epoch"
        ),
        None if saved.n > 0 => tracing::warn!(
            topics,
            "the last run did not end in order: its last second may be missing, so this is another epoch"
        ),
        None => {}
    }
    Ok((epoch, Past { limits, restored, n: saved.n, writer: Some(writer) }))
}

/// The topics of feeds that are still configured, those that were heard of last first, as many as each may have; and those
/// that are still declared, or the server's own.
fn restore(config: &Config, facts: &[FeedFacts], mut topics: Vec<SavedTopic>, now_ms: u64) -> Vec<Restored> {
    let oldest_ms = now_ms.saturating_sub(config.history.age.max(FORGOTTEN).as_millis() as u64);
    let feeds: HashMap<&str, usize> = facts.iter().zip(0..).map(|(f, at)| (f.name.as_str(), at)).collect();
    let declared: HashSet<&str> = config.topics.iter().map(|topic| topic.name.as_str()).collect();
    let mut left: Vec<usize> = config.feeds.iter().map(|feed| feed.topics_max).collect();
    left.resize(facts.len(), declared.len() + OWN_TOPICS_MAX);
    topics.sort_by_key(|topic| std::cmp::Reverse(topic.newest.n));
    let restored = topics.into_iter().filter_map(|SavedTopic { newest, floor, past }| {
        let first = first_segment(newest.topic.name());
        let group = *feeds.get(first)?;
        let is_feeds = group < config.feeds.len();
        if !is_feeds && first != SERVER_SEGMENT && !declared.contains(newest.topic.name()) {
            return None;
        }
        let left = left.get_mut(group).filter(|left| **left > 0 && newest.ts >= oldest_ms)?;
        *left -= 1;
        Some(Restored { group, newest, floor, past })
    });
    restored.collect()
}

/// Topics that the server may have of its own.
const OWN_TOPICS_MAX: usize = 8;

/// Eight letters and digits: history begins anew.
fn new_epoch() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bits: u64 = rand::random();
    (0..8).map(|at| char::from(LETTERS[(bits >> (at * 5) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use tickerd_model::sample::Class;
    use tickerd_model::tick::Tick;
    use tickerd_model::topic::Topic;

    #[test]
    fn what_comes_back_is_of_todays_feeds_and_not_forgotten() {
        let text = "[[feed]]\nname = \"f\"\nexec = [\"x\"]\ntopics_max = 2\n[[feed]]\nname = \"g\"\nexec = [\"x\"]\n\
            [[topic]]\nname = \"r.a\"\n";
        let config = Config::from_text("test", text, Path::new(".")).unwrap();
        let day_ms = 24 * 3_600_000;
        let topic = |name: &str, n: u64, ts: u64| {
            let topic = Topic::new(name, "q", Class::State);
            let newest = Tick {
                topic,
                seq: 1,
                n,
                ts,
                src_ts: 0,
                from: None,
                value: b"1".as_slice().into(),
                merged: 0,
            };
            SavedTopic { newest, floor: 0, past: Vec::new() }
        };
        let saved = vec![
            topic("f.a", 1, day_ms),
            topic("f.b", 2, day_ms),
            topic("f.c", 3, day_ms),
            topic("g.old", 4, day_ms - 1),
            topic("g.new", 5, day_ms),
            topic("gone.a", 6, 2 * day_ms),
            topic("r.a", 7, day_ms),
            topic("r.b", 8, day_ms),
            topic("tickerd.stats", 9, day_ms),
        ];
        let restored = restore(&config, &crate::app::rooms::facts(&config), saved, 2 * day_ms);
        let names: Vec<_> = restored.iter().map(|r| (r.group, r.newest.topic.name())).collect();
        assert_eq!(names, [(3, "tickerd.stats"), (2, "r.a"), (1, "g.new"), (0, "f.c"), (0, "f.b")]);
    }
}
