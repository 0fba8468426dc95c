//! Clients that hold nodes to what PROTOCOL.md promises, whatever happens to them:
//!
//! - No `seq` of a topic comes twice or goes back on one connection.
//! - What is left out was told: a `reset` notice names the topic, or `lag` came, or the topic had ended.
//! - A number means one value: of one epoch and topic no two nodes tell different values for one `seq`. Numbers of another holder
//!   have another epoch, which was told.
//! - `recovered: true` is followed by each tick that was missed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use tickerd_tests::{Daemon, Event, Incoming, Value, json, within};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What was told under each number, by any node: topic, epoch and seq.
pub type Truth = Arc<Mutex<BTreeMap<(String, String, u64), Value>>>;

/// Where a client was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub topic: String,
    pub epoch: String,
    pub seq: u64,
}

/// What a client has seen so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub ticks: u64,
    /// Of each topic the newest.
    pub newest: BTreeMap<String, Position>,
    /// The epochs that `reset` notices told.
    pub resets: Vec<String>,
    /// `reset` notices without one: something was left out.
    pub holes: u64,
    pub lags: u64,
    /// The states of the feed that notices told: `stale`, `up`, …
    pub states: Vec<String>,
    pub has_ended: bool,
}

/// A client that is subscribed to all of a feed, and reads on and on.
pub struct Watch {
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
    truth: Truth,
}

/// What a client knows while it reads.
struct Reader {
    node: String,
    /// Of `connected`.
    epoch: String,
    /// By feed, where another was told.
    epochs: BTreeMap<String, String>,
    /// Topics whose ticks were left out, as a notice said.
    told: BTreeSet<String>,
    all_told: bool,
    seen: Seen,
    truth: Truth,
}

impl Watch {
    /// For all that watch one cluster.
    pub fn truth() -> Truth {
        Truth::default()
    }

    /// Connects, and waits for ticks.
    pub async fn of(name: &str, node: &Daemon, feed: &str, truth: &Truth) -> Watch {
        let mut watch = Watch::begin(name, node, feed, truth).await;
        watch.goes_on().await;
        watch
    }

    /// Connects. The feed need not be there.
    pub async fn begin(name: &str, node: &Daemon, feed: &str, truth: &Truth) -> Watch {
        let mut client = node.client("/ws").await;
        let connected = client.expect("connected").await;
        let subscribe =
            json!({"event": "subscribe", "data": {"id": 1, "topics": [format!("{feed}.**")], "mode": "all"}});
        client.send(subscribe).await;
        let mut reader = Reader::new(name, connected.data["epoch"].as_str().unwrap(), truth);
        let (tell, seen) = watch::channel(Seen::default());
        let task = tokio::spawn(async move {
            loop {
                match client.incoming().await {
                    Incoming::Event(event) => reader.read(&event),
                    Incoming::Ping(_) | Incoming::Pong(_) => continue,
                    _ => break,
                }
                // Nobody is left to be told: the test is over.
                let _ = tell.send(reader.seen.clone());
            }
            reader.seen.has_ended = true;
            let _ = tell.send(reader.seen);
        });
        Watch { seen, task, truth: truth.clone() }
    }

    /// What it has seen.
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Where it is in that topic.
    pub fn position(&self, topic: &str) -> Position {
        self.seen.borrow().newest[topic].clone()
    }

    /// Waits until what it has seen is so. Fails at what may not be.
    pub async fn until(&mut self, what: &str, is_it: impl Fn(&Seen) -> bool) -> Seen {
        let found = within(what, self.seen.wait_for(|seen| is_it(seen))).await.map(|seen| seen.clone());
        match found {
            Ok(seen) => seen,
            // Only a failed check ends the task before the connection.
            Err(_) => match (&mut self.task).await {
                Ok(()) => panic!("the connection ended before {what}: {:?}", self.seen.borrow()),
                Err(failed) => std::panic::resume_unwind(failed.into_panic()),
            },
        }
    }

    /// Waits for some more ticks.
    pub async fn goes_on(&mut self) {
        let from = self.seen.borrow().ticks;
        self.until("more ticks", |seen| seen.ticks >= from + 5).await;
    }

    /// Waits until the node has told of another holder's numbers, and has ticks with them.
    pub async fn is_reset(&mut self, before: usize) {
        self.until("a reset notice with an epoch", |seen| seen.resets.len() > before).await;
        self.goes_on().await;
    }

    /// Waits until it is told that nobody brings the feed any more.
    pub async fn is_left(&mut self) {
        let left = |state: &String| state == "down" || state == "stale";
        self.until("a notice that the feed is down", |seen| seen.states.last().is_some_and(left)).await;
    }

    /// Ends it, and gives all that it has seen. Fails if anything was not as it must be.
    pub async fn end(mut self) -> Seen {
        if self.task.is_finished()
            && let Err(failed) = (&mut self.task).await
        {
            std::panic::resume_unwind(failed.into_panic());
        }
        self.task.abort();
        self.seen()
    }

    /// A client that was there connects to a node: whether all is recovered. If it says so, it is held to that.
    pub async fn returns(&self, node: &Daemon, was: &Position) -> bool {
        let mut client = node.connected().await;
        let Position { topic, epoch, seq } = was;
        let since = json!({"epoch": epoch, "seq": {topic: seq}});
        let subscribed = client.subscribe(json!({"topics": [topic], "since": since})).await;
        let grant = &subscribed["topics"][0];
        if grant["recovered"] != true {
            return false;
        }
        let now = grant["epoch"].as_str().unwrap_or(epoch);
        assert_eq!(now, epoch, "it is recovered, but has other numbers");
        let newest = grant["seq"].as_u64().unwrap();
        for seq in seq + 1..=newest {
            let tick = client.tick().await;
            assert_eq!(tick.seq(), seq, "recovered, but a tick is missing");
            self.is_true(topic, epoch, &tick);
        }
        true
    }

    fn is_true(&self, topic: &str, epoch: &str, tick: &Event) {
        let truth = self.truth.lock().unwrap();
        if let Some(known) = truth.get(&(topic.to_owned(), epoch.to_owned(), tick.seq())) {
            assert_eq!(known, tick.value(), "{topic} {epoch} {}", tick.seq());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reader {
    fn new(node: &str, epoch: &str, truth: &Truth) -> Reader {
        Reader {
            node: node.to_owned(),
            epoch: epoch.to_owned(),
            epochs: BTreeMap::new(),
            told: BTreeSet::new(),
            all_told: false,
            seen: Seen::default(),
            truth: truth.clone(),
        }
    }

    fn read(&mut self, event: &Event) {
        if event.is_tick() {
            return self.tick(event);
        }
        match (event.name.as_str(), event.data["type"].as_str()) {
            ("subscribed", _) => {
                for pattern in event.data["patterns"].as_array().unwrap() {
                    for (feed, epoch) in pattern["epochs"].as_object().into_iter().flatten() {
                        self.epochs.insert(feed.clone(), epoch.as_str().unwrap().to_owned());
                    }
                }
            }
            ("notice", Some("reset")) => {
                self.told.extend(event.topics().into_iter().map(str::to_owned));
                match event.data["epoch"].as_str() {
                    Some(epoch) => {
                        let feed = event.data["feed"].as_str().unwrap().to_owned();
                        // It is said of the whole feed, also of topics that ended with their holder.
                        let is_of = |topic: &&String| topic.split('.').next() == Some(&*feed);
                        self.told.extend(self.seen.newest.keys().filter(is_of).cloned());
                        let before = self.epochs.insert(feed, epoch.to_owned());
                        assert_ne!(
                            before.as_deref(),
                            Some(epoch),
                            "{}: told twice: {}",
                            self.node,
                            event.text
                        );
                        self.seen.resets.push(epoch.to_owned());
                    }
                    None => self.seen.holes += 1,
                }
            }
            // A topic that ended begins anew; its numbers go on.
            ("notice", Some("topics")) => {
                let ended = event.data["removed"].as_array().unwrap();
                self.told.extend(ended.iter().map(|topic| topic.as_str().unwrap().to_owned()));
            }
            ("notice", Some("lag")) => {
                self.all_told = true;
                self.seen.lags += 1;
            }
            ("notice", Some("feed")) => {
                self.seen.states.push(event.data["state"].as_str().unwrap().to_owned())
            }
            _ => {}
        }
    }

    fn tick(&mut self, event: &Event) {
        let (topic, seq) = (event.topic().to_owned(), event.seq());
        let feed = topic.split('.').next().unwrap();
        let epoch = self.epochs.get(feed).unwrap_or(&self.epoch).clone();
        let place = format!("{}: {topic} {epoch} {seq}", self.node);
        if let Some(before) = self.seen.newest.get(&topic) {
            assert!(seq > before.seq, "{place} after {before:?}: twice, or back");
            let is_told = self.told.contains(&topic) || self.all_told;
            // A snapshot may be of before those who number now: it stands before the first of theirs.
            let floor = epoch.split('-').next().and_then(|era| era.parse::<u64>().ok()).map(|era| era << 32);
            let begins = floor.is_some_and(|floor| before.seq < floor && seq == floor + 1);
            let is_next = seq == before.seq + 1 || begins;
            assert!(is_next || is_told, "{place} after {before:?}: left out, and not told");
            let is_same = epoch == before.epoch && !begins;
            assert_eq!(seq >> 32 == before.seq >> 32, is_same, "{place} after {before:?}: whose numbers?");
        }
        self.told.remove(&topic);
        let known =
            self.truth.lock().unwrap().insert((topic.clone(), epoch.clone(), seq), event.value().clone());
        assert!(
            known.as_ref().is_none_or(|known| known == event.value()),
            "{place}: {known:?} elsewhere, {}",
            event.text
        );
        self.seen.ticks += 1;
        self.seen.newest.insert(topic.clone(), Position { topic, epoch, seq });
    }
}

/// What it must find.
mod finds {
    use tickerd_tests::{Event, json};

    use super::{Reader, Truth, Watch};

    const FLOOR: u64 = 1 << 32;

    fn tick(seq: u64, value: u64) -> Event {
        Event::read(
            &json!({"event": "count", "data": {"topic": "f.t", "seq": seq, "ts": 1, "value": value}})
                .to_string(),
        )
    }

    fn reset(epoch: &str) -> Event {
        let data = json!({"type": "reset", "feed": "f", "topics": ["f.t"], "epoch": epoch});
        Event::read(&json!({"event": "notice", "data": data}).to_string())
    }

    fn lag() -> Event {
        Event::read(&json!({"event": "notice", "data": {"type": "lag"}}).to_string())
    }

    /// What it says of this, if anything.
    fn fault(truth: &Truth, events: &[Event]) -> Option<String> {
        let mut reader = Reader::new("a", "e", truth);
        let read = || events.iter().for_each(|event| reader.read(event));
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).err()?;
        Some(*failed.downcast::<String>().unwrap())
    }

    #[test]
    fn what_a_checker_must_find_it_finds() {
        for (wrong, events) in [
            ("twice, or back", vec![tick(1, 1), tick(1, 1)]),
            ("twice, or back", vec![tick(2, 1), lag(), tick(1, 1)]),
            ("left out, and not told", vec![tick(1, 1), tick(3, 3)]),
            ("left out, and not told", vec![tick(1, 1), tick(FLOOR + 1, 1)]),
            ("whose numbers?", vec![tick(1, 1), lag(), tick(FLOOR + 1, 1)]),
            ("whose numbers?", vec![tick(1, 1), reset("e-1"), tick(2, 1)]),
            ("told twice", vec![reset("e-1"), reset("e-1")]),
        ] {
            let found = fault(&Watch::truth(), &events).unwrap_or_default();
            assert!(found.contains(wrong), "{wrong}: {found:?}");
        }
        let truth = Watch::truth();
        assert_eq!(
            fault(
                &truth,
                &[tick(1, 1), tick(2, 2), reset("e-1"), tick(FLOOR + 1, 1), lag(), tick(FLOOR + 9, 9)]
            ),
            None
        );
        let found = fault(&truth, &[tick(2, 7)]).unwrap();
        assert!(found.contains("elsewhere"), "{found}");
    }
}
