//! A shard's answers to what HTTP asks. What cannot be answered yet is kept until it can.

use crate::exchange::enquiry::{Answer, Ask, Enquiry, VALUES_MAX};
use crate::fanout::shard::Shard;
use crate::fanout::shard::waiters::Waiter;
use crate::fanout::table::edits::HINTS_MAX;
use crate::fanout::table::topics::Slot;
use tickerd_model::access::identity::Identity;
use tickerd_model::access::rights::Rights;
use tickerd_model::protocol::event::{self, Failed};
use tickerd_model::topic::Pattern;

impl Shard {
    /// Answers an enquiry, or keeps it until there is an answer.
    pub fn answer_enquiry(&mut self, enquiry: Enquiry) {
        if let Ask::Value { topic, least: seq, hinted, .. } = &enquiry.what
            && self.seq(topic) < *seq
            && self.table.topics.sources().check(topic, *hinted).is_ok()
        {
            let (topic, seq) = (topic.clone(), *seq);
            return self.waiters.entry(topic).or_default().push(Waiter::Least { seq, enquiry });
        }
        let Enquiry { what, answer } = enquiry;
        let answered = match what {
            Ask::Topics(pattern, rights) => {
                let looks = self.table.topics.cost(&pattern);
                self.turns.effort.spend(looks);
                Answer::Listed { object: self.list(&rights, &pattern), looks }
            }
            Ask::Rows(page) => Answer::Rows(self.rows(&page)),
            Ask::Disconnect { number } => Answer::Disconnected(self.disconnect(number)),
            Ask::Values { names, who } => self.read_values(&names, &who),
            // Whoever asks may have no right at all.
            Ask::Takes { topic } => match self.table.topics.sources().check(&topic, false) {
                Ok(()) => {
                    let source = self.table.topics.sources().of(&topic);
                    Answer::Takes { messages: source.is_some_and(|source| source.takes_messages(&topic)) }
                }
                Err(error) => Answer::Refused(error),
            },
            Ask::Value { topic, known, hinted, .. } => {
                match self.table.topics.sources().check(&topic, hinted) {
                    Ok(()) => match self.value(&topic, 0) {
                        Some((Answer::Value { tag, .. }, seq)) if known.contains(&tag) => {
                            Answer::Same { seq, tag }
                        }
                        Some((value, _)) => value,
                        None => Answer::Silent,
                    },
                    Err(error) => Answer::Refused(error),
                }
            }
            Ask::Next { topic, seq } => match self.value(&topic, seq) {
                Some((value, _)) => value,
                None => return self.waiters.entry(topic).or_default().push(Waiter::Next { seq, answer }),
            },
        };
        // Who lost interest meanwhile needs no answer.
        let _ = answer.send(answered);
    }

    /// The newest `seq` of a topic that was pushed; 0 before the first.
    fn seq(&self, topic: &str) -> u64 {
        self.table.topics.find(topic).and_then(|slot| self.table.topics.slot(slot)).map_or(0, Slot::seq)
    }

    /// A topic's newest value, unless it has this `seq`.
    fn value(&self, topic: &str, seq: u64) -> Option<(Answer, u64)> {
        let slot = self.table.topics.find(topic).and_then(|slot| self.table.topics.slot(slot));
        let frame = slot.and_then(Slot::newest).filter(|frame| frame.tick().seq != seq)?;
        let now = frame.tick().seq;
        let epoch = self.table.topics.sources().epoch_of(topic).unwrap_or(&self.settings.epoch);
        Some((Answer::Value { frame: frame.clone(), tag: format!("{epoch}-{now}") }, now))
    }

    /// The newest values of what is named. Who asks names one pattern at a time.
    fn read_values(&mut self, names: &[String], who: &Identity) -> Answer {
        let (mut frames, mut failed, mut truncated, mut looks) = (Vec::new(), Vec::new(), false, names.len());
        for name in names {
            let hinted = who.rights.is_open() && failed.len() < HINTS_MAX;
            let found = match Pattern::is_pattern(name) {
                true => self.table.pattern(who, name, hinted).map(|pattern| {
                    looks += self.table.topics.cost(&pattern);
                    let values = self.table.values(who, &pattern);
                    let room = VALUES_MAX.saturating_sub(frames.len());
                    truncated |= values.len() > room;
                    frames.extend(values.into_iter().take(room).map(|(_, frame)| frame.clone()));
                }),
                false => self.table.value(who, name, hinted).map(|frame| frames.push(frame)),
            };
            failed.extend(found.err().map(|error| Failed::new(name, &error)));
        }
        self.turns.effort.spend(looks);
        looks += frames.len();
        Answer::Values { frames, failed, truncated, looks }
    }

    fn list(&self, rights: &Rights, pattern: &Pattern) -> Vec<u8> {
        let listed = event::Topics { id: None, topics: self.table.entries(rights, pattern) };
        // It is plain data, and a Vec takes all that is written to it.
        serde_json::to_vec(&listed).expect("topics are plain data")
    }

    /// Answers those whose topics have moved. Costs a look at each topic that is waited for.
    pub fn answer_waiting(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiters);
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
        self.waiters = waiting;
    }

    /// Forgets those who lost patience.
    pub fn forget_gone(&mut self) {
        self.waiters.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
    }
}
