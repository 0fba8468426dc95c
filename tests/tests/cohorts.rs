//! The fan-out against a model. Clients on two shards subscribe, change their minds, leave and come back at random while
//! topics tick, retire and return; a plain model says what each client must have once everything is at rest.
//!
//! The model knows nothing of cohorts, wires or beats: per client a list of what it asked for, per topic the last value.

mod member;

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tickerd_tests::{Daemon, Script, daemon, json};

use self::member::{Had, Member, wants};

const CLIENTS: usize = 6;
const OPERATIONS: usize = 400;
const OPERATIONS_MAX: usize = 5 * OPERATIONS;
/// The feed's own beat and two slower tiers.
const RATES: [Option<&str>; 4] = [None, Some("10ms"), Some("30ms"), Some("80ms")];
const MODES: [&str; 3] = ["latest", "latest", "all"];
const STATES: [&str; 8] = ["a", "b", "x.a", "x.b", "x.y.a", "y.a", "y.b", "y.x.b"];
const EVENTS: [&str; 3] = ["t", "x.t", "y.x.t"];
const PATTERNS: [&str; 9] =
    ["s.*", "s.**", "s.x.*", "s.x.**", "s.*.a", "s.*.*.*", "s.y.**", "*.x.t", "s.*.x.*"];
/// A topic per tier that says when everything before it has come.
const FENCES: [(&str, &str); 3] = [("fence.own", "10ms"), ("fence.mid", "30ms"), ("fence.slow", "80ms")];

#[tokio::test]
async fn every_client_has_what_it_asked_for() {
    live(Manner { rest_every: 8, padding: 0, is_slow: false }).await;
}

/// Values are large, sockets take little and nobody reads between two rests, so that clients lag most of the time, and
/// those with mode `all` miss ticks and are told of it.
#[tokio::test]
async fn slow_clients_have_what_they_asked_for() {
    let daemon = live(Manner { rest_every: 40, padding: 40_000, is_slow: true }).await;
    let skipped = daemon.metric("tickerd_ticks_skipped_total").await.unwrap();
    assert!(skipped > 0.0, "nobody was slow");
}

/// How a world differs from others.
#[derive(Debug, Clone, Copy)]
struct Manner {
    /// At rest after so many operations on average.
    rest_every: u32,
    /// Bytes added to each value.
    padding: usize,
    is_slow: bool,
}

async fn live(manner: Manner) -> Daemon {
    let seed = std::env::var("SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    // Shown when the test fails; run it with SEED=… to see the same operations again.
    println!("SEED={seed}");
    let script = Script::new("s");
    let feed = script.feed().set("interval = \"10ms\"");
    let daemon = daemon().chatty().feed(feed).server("shards = 2\ntiers = [\"30ms\", \"80ms\"]").run().await;
    let mut world = World::new(seed, manner, script, daemon).await;
    for operation in 0..OPERATIONS_MAX {
        // On a busy machine it may take longer until someone who is to be slow was.
        if operation >= OPERATIONS && (!manner.is_slow || world.has_skipped().await) {
            break;
        }
        world.operate(operation).await;
        if world.chance.random_ratio(1, 3) {
            world.beat().await;
            // Now or never: what was just pushed waits for the slower tiers.
            let who = world.chance.random_range(0..CLIENTS);
            let what = world.subscribe(who).await;
            world.history.push(format!("after a beat: {what}"));
        }
        if world.chance.random_ratio(1, manner.rest_every) {
            world.rest().await;
        }
    }
    world.rest().await;
    let World { daemon, members, script: _script, .. } = world;
    drop(members);
    daemon.metric_until("tickerd_connections", |count| count == 0.0).await;
    daemon.metric_until("tickerd_cohorts", |count| count == 0.0).await;
    daemon
}

struct World {
    manner: Manner,
    chance: SmallRng,
    script: Script,
    daemon: Daemon,
    members: Vec<Member>,
    /// By full name: what is there now.
    topics: BTreeMap<String, Topic>,
    /// Every value is said once in the world.
    said: u64,
    history: Vec<String>,
}

/// What the script has said of a topic since the last rest, and the last before it.
#[derive(Debug, Clone)]
struct Topic {
    is_event: bool,
    values: Vec<u64>,
    /// Retired and not heard of since. What it said before may still be a snapshot until the next rest.
    is_gone: bool,
}

impl World {
    async fn has_skipped(&self) -> bool {
        self.daemon.metric("tickerd_ticks_skipped_total").await.is_some_and(|skipped| skipped > 0.0)
    }

    async fn new(seed: u64, manner: Manner, script: Script, daemon: Daemon) -> World {
        let mut members = Vec::new();
        for _ in 0..CLIENTS {
            members.push(Member::join(&daemon, manner).await);
        }
        let chance = SmallRng::seed_from_u64(seed);
        let mut world = World {
            manner,
            chance,
            script,
            daemon,
            members,
            topics: BTreeMap::new(),
            said: 0,
            history: Vec::new(),
        };
        world.rest().await;
        world
    }

    /// One random thing happens. Answers are awaited, ticks are not: they race with what comes next.
    async fn operate(&mut self, number: usize) {
        let who = self.chance.random_range(0..CLIENTS);
        // Who is spoken to reads what waits, so that among slow clients little is said but ticks.
        let from = if self.manner.is_slow && self.chance.random_ratio(3, 4) { 0..58 } else { 0..100 };
        let what = match self.chance.random_range(from) {
            0..50 => self.speak(false).await,
            50..58 => self.speak(true).await,
            58..64 => self.retire().await,
            64..84 => self.subscribe(who).await,
            84..96 => self.unsubscribe(who).await,
            _ => self.replace(who).await,
        };
        self.history.push(format!("{number}: {what}"));
    }

    /// A burst of ticks on a few topics.
    async fn speak(&mut self, is_event: bool) -> String {
        let mut lines = Vec::new();
        let mut told = Vec::new();
        let count = if self.manner.is_slow { 12 } else { self.chance.random_range(1..=6) };
        for _ in 0..count {
            let names = if is_event { &EVENTS[..] } else { &STATES[..] };
            let name = *names.choose(&mut self.chance).unwrap();
            self.said += 1;
            let value = json!({"said": self.said, "padding": "x".repeat(self.manner.padding)});
            lines.push(if is_event { Script::happening(name, &value) } else { Script::state(name, &value) });
            let full = self.script.topic(name);
            for member in &mut self.members {
                member.learn(&full, is_event, self.said);
            }
            let topic =
                self.topics.entry(full).or_insert(Topic { is_event, values: Vec::new(), is_gone: false });
            topic.values.push(self.said);
            topic.is_gone = false;
            told.push(format!("{name}={}", self.said));
        }
        self.script.lines(&lines).await;
        format!("ticks {}", told.join(" "))
    }

    async fn retire(&mut self) -> String {
        let name = *STATES.iter().chain(&EVENTS).collect::<Vec<_>>().choose(&mut self.chance).unwrap();
        // What waits for its beat goes with the topic, so nobody is sure of it any more: first it comes to rest.
        self.rest().await;
        let full = self.script.topic(name);
        self.topics.entry(full.clone()).and_modify(|topic| topic.is_gone = true);
        for member in &mut self.members {
            if let Some(had) = member.had.get_mut(&full) {
                *had = Had { seq: had.seq, ..Had::default() };
            }
        }
        self.script.retire(name).await;
        format!("retires {name}")
    }

    async fn subscribe(&mut self, who: usize) -> String {
        let mut names: Vec<String> = Vec::new();
        for _ in 0..self.chance.random_range(1..=4) {
            names.push(match self.chance.random_ratio(2, 5) {
                true => (*PATTERNS.choose(&mut self.chance).unwrap()).to_owned(),
                false => self.script.topic(
                    STATES.iter().chain(&EVENTS).collect::<Vec<_>>().choose(&mut self.chance).unwrap(),
                ),
            });
        }
        let rate = *RATES.choose(&mut self.chance).unwrap();
        let mode = *MODES.choose(&mut self.chance).unwrap();
        let snapshot = self.chance.random_ratio(4, 5);
        // The model must know whether a tick came before or after, so what was said comes to rest first, mostly; with a
        // snapshot it does not matter.
        if !snapshot {
            self.rest().await;
        }
        let World { members, topics, .. } = self;
        let member = &mut members[who];
        let before: Vec<String> = topics.keys().filter(|topic| member.wants(topic)).cloned().collect();
        let asked = member.asks.clone();
        let command = json!({"topics": names, "rate": rate, "mode": mode, "snapshot": snapshot});
        let events = member.command("subscribe", command).await;
        let told = format!("{who} subscribes to {names:?} at {rate:?} in mode {mode}, snapshot {snapshot}");
        for name in &names {
            member.asks.insert(name.clone(), (rate, mode));
        }
        member.change_modes(&asked, topics);
        for name in topics.keys().filter(|name| !before.contains(name)) {
            if wants(&member.asks, name) {
                // Event ticks on their way may come or not, as they were pushed after the snapshot or before.
                member.had.insert(name.clone(), Had { unpaid: !snapshot, ..Had::default() });
            }
        }
        for event in events {
            let unasked = !snapshot && event.is_tick() && !before.iter().any(|topic| topic == event.topic());
            assert!(!unasked || event.topic().starts_with("s.fence."), "{told}: {}", event.text);
            member.take(event, topics, &self.history, &told);
        }
        told
    }

    async fn unsubscribe(&mut self, who: usize) -> String {
        let World { members, topics, chance, .. } = self;
        let member = &mut members[who];
        let names: Vec<String> = member.asks.keys().filter(|_| chance.random_ratio(1, 2)).cloned().collect();
        let told = format!("{who} unsubscribes from {names:?}");
        if names.is_empty() {
            return told;
        }
        let asked = member.asks.clone();
        let events = member.command("unsubscribe", json!({ "topics": names })).await;
        // Up to the answer everything may come that was asked for; what comes behind it belongs to what is left.
        let end = events.iter().position(|event| event.name == "unsubscribed").expect("it is answered");
        let (before, after) = events.split_at(end);
        for event in before {
            member.take(event.clone(), topics, &self.history, &told);
        }
        member.asks.retain(|name, _| !names.contains(name));
        let asks = member.asks.clone();
        member.change_modes(&asked, topics);
        member.had.retain(|topic, _| wants(&asks, topic));
        for event in after {
            member.take(event.clone(), topics, &self.history, &told);
        }
        told
    }

    /// A client goes without a word and another comes.
    async fn replace(&mut self, who: usize) -> String {
        self.members[who] = Member::join(&self.daemon, self.manner).await;
        format!("{who} is replaced")
    }

    /// Waits until the feed's own beat has pushed what was said, and the slower ones not yet all of it.
    async fn beat(&mut self) {
        let who = self.chance.random_range(0..CLIENTS);
        let (topic, _) = FENCES[0];
        let fence = self.script.fence(topic).await;
        for event in self.members[who].client.fence(&self.script.topic(topic), fence).await {
            self.members[who].take(event, &self.topics, &self.history, &format!("{who} waits for a beat"));
        }
    }

    /// Waits until every client has everything, and compares.
    async fn rest(&mut self) {
        let mut fences = Vec::new();
        for (topic, _) in FENCES {
            fences.push((self.script.topic(topic), self.script.fence(topic).await));
        }
        let World { members, topics, history, .. } = self;
        for (who, member) in members.iter_mut().enumerate() {
            let mut waiting = fences.clone();
            while !waiting.is_empty() {
                let event = member.client.next().await;
                if event.is_tick() {
                    waiting
                        .retain(|(topic, fence)| event.topic() != topic || event.value()["fence"] != *fence);
                }
                member.take(event, topics, history, &format!("{who} rests"));
            }
            for (name, topic) in topics.iter().filter(|(name, topic)| member.wants(name) && !topic.is_gone) {
                let had = member.had.get(name).cloned().unwrap_or_default();
                let newest = *topic.values.last().unwrap();
                let asks = &member.asks;
                let last = history.iter().rev().take(30).rev().cloned().collect::<Vec<_>>().join("\n");
                assert!(
                    had.value == newest || had.unpaid,
                    "client {who} has {had:?} of {name}, not {newest}\nit asked for {asks:?}\nbefore:\n{last}"
                );
                assert!(had.owed.is_empty(), "client {who} still lacks {had:?} of {name}\nbefore:\n{last}");
            }
        }
        topics.retain(|_, topic| !topic.is_gone);
        for topic in topics.values_mut() {
            topic.values.drain(..topic.values.len() - 1);
        }
    }
}
