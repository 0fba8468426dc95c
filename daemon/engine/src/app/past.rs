//! What is kept of the past, and under which epoch it goes on.

use std::collections::HashMap;
use std::time::Duration;

use tickerd_process::clock::now_unix_ms;

use prometheus::Registry;

use super::StartError;
use crate::pulse::{self, Past};
use crate::store::{self, SavedTopic, Store};
use tickerd_config::Config;
use tickerd_model::bars::Bars;
use tickerd_model::board::Restored;
use tickerd_model::history::{Depth, Limits};
use tickerd_model::source::SourceId;
use tickerd_model::topic::{SERVER_SEGMENT, first_segment};

/// Topics that nobody spoke of for longer are not brought back, however long the past is kept.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3_600);

/// What an earlier run left, and what the pulse is to begin with.
pub struct Opened {
    pub epoch: String,
    /// Topics that come back.
    pub saved: Vec<SavedTopic>,
    pub past: Past,
}

/// Opens what is configured.
pub fn open(config: &Config, registry: &Registry) -> Result<Opened, StartError> {
    let history = &config.history;
    let mut bars = Bars::new(pulse::plan(&config.bars), config.bars.bytes);
    let Depth { count, age } = history.depth();
    let limits = Limits { count, age, bytes: history.bytes };
    let Some(path) = &history.path else {
        return Ok(Opened {
            epoch: new_epoch(),
            saved: Vec::new(),
            past: Past { limits, restored: Vec::new(), n: 0, writer: None, bars },
        });
    };
    let (store, saved) = Store::open(path)?;
    let whole = saved.epoch.filter(|_| saved.is_whole);
    let saved_topics = wanted_of(config, saved.topics, now_unix_ms());
    let wanted = whole.clone().unwrap_or_else(new_epoch);
    let (epoch, writer) = store.start(wanted, new_epoch, store::Metrics::new(registry)?)?;
    let topics = saved_topics.len();
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
    bars.restore(saved.bars);
    let past = Past { limits, restored: Vec::new(), n: saved.n, writer: Some(writer), bars };
    Ok(Opened { epoch, saved: saved_topics, past })
}

/// The topics of feeds that are still configured, those that were heard of last first, as many as each may have; and those
/// that are still declared, or the server's own.
fn wanted_of(config: &Config, mut topics: Vec<SavedTopic>, now_ms: u64) -> Vec<SavedTopic> {
    let oldest_ms = |age: Duration| now_ms.saturating_sub(age.max(FORGOTTEN).as_millis() as u64);
    let oldest_of_feeds_ms = oldest_ms(config.history.age);
    let declared: HashMap<&str, u64> = config
        .topics
        .iter()
        .map(|topic| (topic.name.as_str(), oldest_ms(topic.depth(&config.history).age)))
        .collect();
    let mut left: HashMap<&str, usize> =
        config.feeds.iter().map(|feed| (feed.name.as_str(), feed.topics_max)).collect();
    left.insert(SERVER_SEGMENT, OWN_TOPICS_MAX);
    topics.sort_by_key(|topic| std::cmp::Reverse(topic.newest.n));
    topics.retain(|SavedTopic { newest, .. }| {
        let name = newest.topic.name();
        if newest.ts < declared.get(name).copied().unwrap_or(oldest_of_feeds_ms) {
            return false;
        }
        match left.get_mut(first_segment(name)) {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => declared.contains_key(name),
        }
    });
    topics
}

/// Whose each of them is.
pub fn restored(saved: Vec<SavedTopic>, sources: &[pulse::Opening]) -> Vec<Restored> {
    let by_name: HashMap<&str, SourceId> =
        sources.iter().map(|opening| (&*opening.source.name, opening.source.id)).collect();
    let of = |SavedTopic { newest, floor, past }| {
        let source = *by_name.get(first_segment(newest.topic.name()))?;
        Some(Restored { source, newest, floor, past })
    };
    saved.into_iter().filter_map(of).collect()
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
    use std::sync::Arc;

    use super::*;
    use crate::app::sources::Sources;
    use tickerd_model::lane::Lane;
    use tickerd_model::sample::Class;
    use tickerd_model::tick::Tick;
    use tickerd_model::topic::Topic;

    #[test]
    fn what_comes_back_is_of_todays_feeds_and_not_forgotten() {
        let text = "[[feed]]\nname = \"f\"\nexec = [\"x\"]\ntopics_max = 2\n[[feed]]\nname = \"g\"\nexec = [\"x\"]\n\
            [[topic]]\nname = \"r.a\"\n[[topic]]\nname = \"r.long\"\nhistory = { age = \"48h\" }\n";
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
            topic("r.long", 0, 1),
            topic("tickerd.stats", 9, day_ms),
        ];
        let wanted = wanted_of(&config, saved, 2 * day_ms);
        let sources = Sources::new(&config, "e", None);
        let lane = Arc::new(Lane::new(1, Box::new(|| {})));
        let mut all: Vec<_> = config.feeds.iter().map(|feed| sources.feed(feed, &lane)).collect();
        all.extend(sources.rooms(&config.topics));
        all.push(sources.own(&config.bars));
        let restored = restored(wanted, &all);
        let names: Vec<_> = restored.iter().map(|r| (r.source.0, r.newest.topic.name())).collect();
        assert_eq!(
            names,
            [(3, "tickerd.stats"), (2, "r.a"), (1, "g.new"), (0, "f.c"), (0, "f.b"), (2, "r.long")]
        );
    }
}
