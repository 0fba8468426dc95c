//! What HTTP asks a shard: the value of a topic, its next one, the list of topics. Each is answered once, through the
//! enquiry's own channel; nobody waits for anybody.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::question::{About, Found, From, Message, Question};
use super::shard::Shard;
use super::topics::Slot;
use super::{past, rooms};
use tickerd_model::frame::Frame;
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::protocol::event;
use tickerd_model::topic::Pattern;

/// Enquiries that wait for a shard.
pub const ENQUIRIES_MAX: usize = 1024;

/// One enquiry, and where its answer goes. The asker may lose interest.
#[derive(Debug)]
pub struct Enquiry {
    pub what: Ask,
    pub answer: oneshot::Sender<Answer>,
}

/// What is asked.
#[derive(Debug)]
pub enum Ask {
    /// The newest value of a topic, and none before the one with the number `least`: that was published, and may not be
    /// pushed yet. It is the same as one whose tag, `epoch-seq`, is among `known`.
    Value { topic: String, known: Vec<String>, least: u64 },
    /// The first value of a topic whose `seq` is another than this; 0 for a topic that has none yet. Answered when
    /// there is one, so the asker brings its own patience, and keeps its number within bounds.
    Next { topic: String, seq: u64 },
    /// The topics that match.
    Topics(Pattern),
    /// The newest ticks of a topic; `least` as of a value.
    History { topic: String, limit: usize, least: u64 },
    /// A message to a declared topic.
    Publish(Message),
    /// What a topic takes.
    Takes { topic: String },
}

/// What is answered.
#[derive(Debug)]
pub enum Answer {
    /// The newest value, and its tag.
    Value { frame: Arc<Frame>, tag: String },
    /// It is known already; its `seq`, and its tag.
    Same { seq: u64, tag: String },
    /// The topic may come, and has said nothing yet.
    Silent,
    /// There may be such a topic. Whether it takes messages.
    Takes { messages: bool },
    /// No such topic.
    Refused(ProtocolError),
    /// A JSON object, as in the data of the event that answers the same command.
    Object(Vec<u8>),
    /// The same of a message that was taken; its number, if it is for all.
    Published { object: Vec<u8>, seq: Option<u64> },
    /// The same of a list, for which so many topics were looked at.
    Listed { object: Vec<u8>, looks: usize },
}

/// Asks shards, from any thread. The default has none to ask.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    ports: Arc<[mpsc::Sender<Enquiry>]>,
    /// Whose turn it is: all know the same.
    turn: Arc<AtomicUsize>,
}

impl Asker {
    /// Asks those who receive from these channels, in turn.
    pub fn new(ports: impl IntoIterator<Item = mpsc::Sender<Enquiry>>) -> Asker {
        Asker { ports: ports.into_iter().collect(), turn: Arc::default() }
    }

    /// Asks one of the shards; none if too many enquiries wait, or it has stopped.
    pub fn ask(&self, what: Ask) -> Option<oneshot::Receiver<Answer>> {
        let at = self.turn.fetch_add(1, Ordering::Relaxed) % self.ports.len().max(1);
        let (answer, answered) = oneshot::channel();
        self.ports.get(at)?.try_send(Enquiry { what, answer }).ok()?;
        Some(answered)
    }
}

/// Who waits for a topic's next value, by its name.
pub type Waiting = HashMap<String, Vec<Waiter>>;

/// Enquiries that the pulse answers, by number.
#[derive(Debug, Default)]
pub struct Forwarded {
    asked: HashMap<u64, oneshot::Sender<Answer>>,
    count: u64,
}

/// One of them.
#[derive(Debug)]
pub enum Waiter {
    /// For another value than the one with this number.
    Next { seq: u64, answer: oneshot::Sender<Answer> },
    /// For the value with this number, and then for an answer.
    Least { seq: u64, enquiry: Enquiry },
}

impl Waiter {
    fn is_closed(&self) -> bool {
        match self {
            Waiter::Next { answer, .. } | Waiter::Least { enquiry: Enquiry { answer, .. }, .. } => {
                answer.is_closed()
            }
        }
    }
}

impl Shard {
    /// Answers an enquiry, or keeps it until there is an answer.
    pub fn answer_enquiry(&mut self, enquiry: Enquiry) {
        if let Ask::Value { topic, least: seq, .. } | Ask::History { topic, least: seq, .. } = &enquiry.what
            && self.seq(topic) < *seq
        {
            let (topic, seq) = (topic.clone(), *seq);
            return self.waiting.entry(topic).or_default().push(Waiter::Least { seq, enquiry });
        }
        let Enquiry { what, answer } = enquiry;
        let answered = match what {
            Ask::Topics(pattern) => {
                let looks = self.topics.cost(&pattern);
                self.jobs.effort.spend(looks);
                Answer::Listed { object: self.list(&pattern), looks }
            }
            Ask::History { topic, limit, .. } => match self.check_topic(&topic) {
                Ok(()) => return self.forward(About::History { topic, limit }, answer),
                Err(error) => Answer::Refused(error),
            },
            Ask::Publish(message) => match self.check_room(&message.topic) {
                Ok(()) => return self.forward(About::Publish(message), answer),
                Err(error) => Answer::Refused(error),
            },
            Ask::Takes { topic } => match self.check_topic(&topic) {
                Ok(()) => {
                    Answer::Takes { messages: self.settings.publish.iter().any(|name| **name == *topic) }
                }
                Err(error) => Answer::Refused(error),
            },
            Ask::Value { topic, known, .. } => match self.check_topic(&topic) {
                Ok(()) => match self.value(&topic, 0) {
                    Some((Answer::Value { tag, .. }, seq)) if known.contains(&tag) => {
                        Answer::Same { seq, tag }
                    }
                    Some((value, _)) => value,
                    None => Answer::Silent,
                },
                Err(error) => Answer::Refused(error),
            },
            Ask::Next { topic, seq } => match self.value(&topic, seq) {
                Some((value, _)) => value,
                None => return self.waiting.entry(topic).or_default().push(Waiter::Next { seq, answer }),
            },
        };
        // Who lost interest meanwhile needs no answer.
        let _ = answer.send(answered);
    }

    /// Asks the pulse. One that is not taken is answered by its channel's end.
    fn forward(&mut self, about: About, answer: oneshot::Sender<Answer>) {
        let forwarded = &mut self.forwarded;
        forwarded.count += 1;
        let number = forwarded.count;
        if self.uplink.ask(Question { from: From::Http(number), request: None, about }).is_ok() {
            forwarded.asked.insert(number, answer);
        }
    }

    /// Passes on what the pulse answered.
    pub(super) fn answer_asked(&mut self, number: u64, found: Found) {
        let Some(answer) = self.forwarded.asked.remove(&number) else { return };
        let settings = self.settings.clone();
        let answered = match found {
            Found::History { topic, past: Some(past) } => {
                Answer::Object(past::object(&topic, &settings.epoch, &past))
            }
            Found::History { past: None, .. } => Answer::Silent,
            Found::Published(Ok(published)) => Answer::Published {
                object: rooms::object(&published),
                seq: published.letter.is_none().then_some(published.seq),
            },
            Found::Published(Err(error)) => Answer::Refused(error),
            // Nothing else is forwarded.
            Found::Since { .. } | Found::Resumed { .. } | Found::Members(_) => return,
        };
        // Who lost interest meanwhile needs no answer.
        let _ = answer.send(answered);
    }

    /// The newest `seq` of a topic that was pushed; 0 before the first.
    fn seq(&self, topic: &str) -> u64 {
        self.topics.find(topic).and_then(|slot| self.topics.slot(slot)).map_or(0, Slot::seq)
    }

    /// A topic's newest value, unless it has this `seq`.
    fn value(&self, topic: &str, seq: u64) -> Option<(Answer, u64)> {
        let slot = self.topics.find(topic).and_then(|slot| self.topics.slot(slot));
        let frame = slot.and_then(Slot::newest).filter(|frame| frame.tick().seq != seq)?;
        let now = frame.tick().seq;
        Some((Answer::Value { frame: frame.clone(), tag: format!("{}-{now}", self.settings.epoch) }, now))
    }

    fn list(&self, pattern: &Pattern) -> Vec<u8> {
        let listed = event::Topics { id: None, topics: self.entries(pattern) };
        // It is plain data, and a Vec takes all that is written to it.
        serde_json::to_vec(&listed).expect("topics are plain data")
    }

    /// Answers those whose topics have moved. Costs a look at each topic that is waited for.
    pub(super) fn answer_waiting(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|topic, waiters| {
            for waiter in std::mem::take(waiters) {
                match waiter {
                    Waiter::Next { seq, answer } => match self.value(topic, seq) {
                        Some((value, _)) => drop(answer.send(value)),
                        None => waiters.push(Waiter::Next { seq, answer }),
                    },
                    Waiter::Least { seq, enquiry } if self.seq(topic) >= seq => self.answer_enquiry(enquiry),
                    least => waiters.push(least),
                }
            }
            !waiters.is_empty()
        });
        self.waiting = waiting;
    }

    /// Forgets those who lost patience.
    pub(super) fn forget_gone(&mut self) {
        self.waiting.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
    }
}
