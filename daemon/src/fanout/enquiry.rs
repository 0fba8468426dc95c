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
use crate::model::frame::Frame;
use crate::model::protocol::error::ProtocolError;
use crate::model::protocol::event;
use crate::model::topic::Pattern;

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
    /// The newest value of a topic. It is the same as one whose tag, `epoch-seq`, is among `known`.
    Value { topic: String, known: Vec<String> },
    /// The first value of a topic whose `seq` is another than this; 0 for a topic that has none yet. Answered when
    /// there is one, so the asker brings its own patience, and keeps its number within bounds.
    Next { topic: String, seq: u64 },
    /// The topics that match.
    Topics(Pattern),
    /// The newest ticks of a topic.
    History { topic: String, limit: usize },
    /// A message to a declared topic.
    Publish(Message),
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
    /// No such topic.
    Refused(ProtocolError),
    /// A JSON object, as in the data of the event that answers the same command.
    Object(Vec<u8>),
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
pub struct Waiter {
    seq: u64,
    answer: oneshot::Sender<Answer>,
}

impl Shard {
    /// Answers an enquiry, or keeps it until there is an answer.
    pub fn answer_enquiry(&mut self, enquiry: Enquiry) {
        let Enquiry { what, answer } = enquiry;
        let answered = match what {
            Ask::Topics(pattern) => {
                let looks = self.topics.cost(&pattern);
                self.jobs.effort.spend(looks);
                Answer::Listed { object: self.list(&pattern), looks }
            }
            Ask::History { topic, limit } => match self.check_topic(&topic) {
                Ok(()) => return self.forward(About::History { topic, limit }, answer),
                Err(error) => Answer::Refused(error),
            },
            Ask::Publish(message) => match self.check_topic(&message.topic) {
                Ok(()) => return self.forward(About::Publish(message), answer),
                Err(error) => Answer::Refused(error),
            },
            Ask::Value { topic, known } => match self.check_topic(&topic) {
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
                None => return self.waiting.entry(topic).or_default().push(Waiter { seq, answer }),
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
            Found::Published(Ok(published)) => Answer::Object(rooms::object(&published)),
            Found::Published(Err(error)) => Answer::Refused(error),
            // Nothing else is forwarded.
            Found::Since { .. } | Found::Resumed { .. } | Found::Members(_) => return,
        };
        // Who lost interest meanwhile needs no answer.
        let _ = answer.send(answered);
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
            for Waiter { seq, answer } in std::mem::take(waiters) {
                match self.value(topic, seq) {
                    Some((value, _)) => drop(answer.send(value)),
                    None => waiters.push(Waiter { seq, answer }),
                }
            }
            !waiters.is_empty()
        });
        self.waiting = waiting;
    }

    /// Forgets those who lost patience.
    pub(super) fn forget_gone(&mut self) {
        self.waiting.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.answer.is_closed());
            !waiters.is_empty()
        });
    }
}
