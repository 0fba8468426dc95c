//! A client of the fan-out's model: what it must have, by what it asked for and what was said.

use std::collections::BTreeMap;

use tickerd_tests::{Client, Daemon, Event, json};

use super::{FENCES, Manner, Topic};

/// A rate and a mode.
pub type Terms = (Option<&'static str>, &'static str);

/// A client, what it asked for, and what it has.
pub struct Member {
    pub client: Client,
    pub asks: BTreeMap<String, Terms>,
    /// Per topic: what came since it was last not subscribed to.
    pub had: BTreeMap<String, Had>,
}

/// What a client has of a topic.
#[derive(Debug, Clone, Default)]
pub struct Had {
    pub seq: u64,
    pub value: u64,
    /// Subscribed without snapshot and not ticked since: it need not have the newest.
    pub unpaid: bool,
    /// Where every tick is had, all values that must still come in this order.
    pub owed: Vec<u64>,
    /// Ticks were passed over, and the next that comes is the newest.
    pub is_reset: bool,
}

impl Member {
    pub async fn join(daemon: &Daemon, manner: Manner) -> Member {
        let mut client = if manner.is_slow { daemon.narrow().await } else { daemon.connected().await };
        for (topic, rate) in FENCES {
            client
                .subscribe(json!({"topics": [format!("s.{topic}")], "rate": rate, "snapshot": false}))
                .await;
        }
        Member { client, asks: BTreeMap::new(), had: BTreeMap::new() }
    }

    pub fn wants(&self, topic: &str) -> bool {
        wants(&self.asks, topic)
    }

    /// Where it goes from one mode to the other, what was said and not pushed yet may be passed over.
    pub fn change_modes(&mut self, asked: &BTreeMap<String, Terms>, topics: &BTreeMap<String, Topic>) {
        for (name, topic) in topics.iter().filter(|(_, topic)| !topic.is_event) {
            if wants_all(asked, name, topic.is_event) != wants_all(&self.asks, name, topic.is_event)
                && let Some(had) = self.had.get_mut(name)
            {
                had.owed.clear();
            }
        }
    }

    /// A tick was said that it must get, if it wants the topic.
    pub fn learn(&mut self, topic: &str, is_event: bool, value: u64) {
        if self.wants(topic) {
            let is_all = wants_all(&self.asks, topic, is_event);
            let had = self.had.entry(topic.to_owned()).or_default();
            had.unpaid = false;
            if is_all {
                had.owed.push(value);
            }
        }
    }

    /// Sends a command and gives everything up to its answer and the snapshots behind it.
    pub async fn command(&mut self, event: &str, mut data: tickerd_tests::Value) -> Vec<Event> {
        data["id"] = json!(1);
        self.client.send(json!({"event": event, "data": data})).await;
        let events = self.client.sync().await;
        assert!(events.iter().all(|event| event.name != "error"), "{events:?}");
        events
    }

    /// Looks at what came: it must have been asked for, be newer than what came before, and be what was said.
    pub fn take(&mut self, event: Event, topics: &BTreeMap<String, Topic>, history: &[String], now: &str) {
        if event.is_notice("reset") {
            for topic in event.topics() {
                self.had.entry(topic.to_owned()).or_default().is_reset = true;
            }
        }
        if !event.is_tick() || event.topic().starts_with("s.fence.") {
            return;
        }
        let (name, seq) = (event.topic().to_owned(), event.seq());
        let value = event.value()["said"].as_u64().unwrap();
        let event = Event { text: event.text.chars().take(200).collect(), ..event };
        let last = || history.iter().rev().take(30).rev().cloned().collect::<Vec<_>>().join("\n");
        assert!(
            self.wants(&name),
            "{now}: nobody asked for {}\nit asked for {:?}\nbefore:\n{}",
            event.text,
            self.asks,
            last()
        );
        let had = self.had.entry(name.clone()).or_default();
        assert!(seq > had.seq, "{now}: {} after seq {}\nbefore:\n{}", event.text, had.seq, last());
        assert!(value > had.value, "{now}: {} after {}\nbefore:\n{}", event.text, had.value, last());
        let topic = topics
            .get(&name)
            .unwrap_or_else(|| panic!("{now}: {} is retired\nbefore:\n{}", event.text, last()));
        assert!(topic.values.contains(&value), "{now}: {} was not said\nbefore:\n{}", event.text, last());
        had.seq = seq;
        had.value = value;
        if std::mem::take(&mut had.is_reset) {
            had.owed.retain(|owed| *owed >= value);
        }
        if let Some(at) = had.owed.iter().position(|owed| *owed == value) {
            assert_eq!(at, 0, "{now}: {} before {:?}\nbefore:\n{}", event.text, had.owed, last());
            had.owed.remove(0);
        } else {
            assert!(!topic.is_event || had.owed.first().is_none_or(|next| *next > value), "{now}: {had:?}");
        }
    }
}

/// Whether one of what was asked for brings a topic.
pub fn wants(asks: &BTreeMap<String, Terms>, topic: &str) -> bool {
    asks.keys().any(|ask| matches(ask, topic))
}

/// Whether every tick of a topic is wanted: its own ask says so, or without one any pattern's.
fn wants_all(asks: &BTreeMap<String, Terms>, topic: &str, is_event: bool) -> bool {
    let of_patterns = || asks.iter().any(|(ask, (_, mode))| matches(ask, topic) && *mode == "all");
    is_event || asks.get(topic).map_or_else(of_patterns, |(_, mode)| *mode == "all")
}

/// The grammar's meaning, written down a second time: `*` is one segment, `**` at the end one or more.
fn matches(pattern: &str, topic: &str) -> bool {
    let (pattern, topic): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), topic.split('.').collect());
    let open = pattern.last() == Some(&"**");
    let fixed = if open { pattern.len() - 1 } else { pattern.len() };
    let long_enough = if open { topic.len() > fixed } else { topic.len() == fixed };
    long_enough && pattern[..fixed].iter().zip(&topic).all(|(one, other)| *one == "*" || one == other)
}
