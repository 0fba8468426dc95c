//! What clients ask without changing anything: `topics`, `get`, `subscriptions`, and what a subscription was granted.

use std::time::Duration;

use super::cohorts::{ConnId, What};
use super::shard::Shard;
use super::topics::Slot;
use crate::model::board::STREAM;
use crate::model::protocol::command::{Id, Mode};
use crate::model::protocol::error::{Code, ProtocolError};
use crate::model::protocol::event::{self, Failed, PatternGrant, TopicEntry, TopicGrant};
use crate::model::protocol::rate;
use crate::model::topic::{self, Pattern, first_segment};

/// Bytes of envelopes that one `get` answers at most.
const GET_BYTES_MAX: usize = 1 << 20;

impl Shard {
    pub(super) fn tell_subscriptions(&mut self, id: ConnId, request: Option<Id>) {
        let cohort = self.connection(id).and_then(|c| c.cohort);
        let asks = cohort.and_then(|c| self.cohorts.get(c)).map(|c| c.asks().to_vec()).unwrap_or_default();
        let (topics, patterns) = self.grants(cohort, asks.iter().map(|ask| ask.what));
        self.charge(id, patterns.len());
        self.tell(id, &event::Subscriptions { id: request, topics, patterns });
    }

    pub(super) fn tell_topics(&mut self, id: ConnId, request: Option<Id>, text: &str) {
        let pattern = match Pattern::parse(text) {
            Ok(pattern) => pattern,
            Err(why) => {
                let error = ProtocolError::new(Code::BadPattern, format!("match cannot be used: {why}"));
                return self.tell_error(id, request, &error);
            }
        };
        self.charge(id, 1);
        let matching = self.topics.present().filter(|(_, slot)| pattern.matches(&slot.name));
        let mut topics: Vec<TopicEntry<'_>> = matching
            .filter_map(|(_, slot)| {
                let topic = slot.topic.as_ref()?;
                Some(TopicEntry {
                    topic: &slot.name,
                    kind: topic.kind(),
                    class: topic.class().as_str(),
                    seq: slot.seq(),
                    ts: slot.newest().map_or(0, |frame| frame.tick().ts),
                    interval_ms: self.topics.rate(slot, 0).as_millis() as u64,
                    stale: slot.stale.is_some(),
                })
            })
            .collect();
        topics.sort_unstable_by_key(|entry| entry.topic);
        let mut out = Vec::new();
        self.write(id, &event::Topics { id: request, topics }, &mut out);
        self.send(id, &out, &[]);
    }

    pub(super) fn tell_values(&mut self, id: ConnId, request: Option<Id>, names: &[String]) {
        let (mut frames, mut failed, mut bytes) = (Vec::new(), Vec::new(), 0);
        for name in names {
            let found = self.check_topic(name).and_then(|()| {
                let newest =
                    self.topics.find(name).and_then(|slot| self.topics.slot(slot)).and_then(Slot::newest);
                newest.cloned().ok_or_else(|| {
                    ProtocolError::new(
                        Code::UnknownTopic,
                        "the topic has not spoken yet; subscribe to wait for it",
                    )
                })
            });
            match found {
                Ok(frame) if bytes + frame.envelope().len() <= GET_BYTES_MAX => {
                    bytes += frame.envelope().len();
                    frames.push(frame);
                }
                Ok(_) => failed.push(Failed::new(
                    name,
                    &ProtocolError::new(
                        Code::TooLarge,
                        format!("one answer holds {GET_BYTES_MAX} bytes; ask for the rest in another get"),
                    ),
                )),
                Err(error) => failed.push(Failed::new(name, &error)),
            }
        }
        // Envelopes are JSON by construction, so none is left out here.
        let values =
            frames.iter().filter_map(|frame| serde_json::from_slice(frame.envelope()).ok()).collect();
        self.tell(id, &event::Values { id: request, values, failed });
    }

    /// Checks that an exact topic is one, and that some feed could bring it.
    pub(super) fn check_topic(&self, name: &str) -> Result<(), ProtocolError> {
        topic::check(name.as_bytes()).map_err(|why| match Pattern::is_pattern(name) {
            true => ProtocolError::new(Code::BadPattern, "a pattern cannot be used here; name the topics"),
            false => ProtocolError::new(Code::BadRequest, format!("not a topic: {why}")),
        })?;
        match self.topics.feed_of(name) {
            Some(_) => Ok(()),
            None => Err(self.unknown_feed(first_segment(name))),
        }
    }

    pub(super) fn unknown_feed(&self, seen: &str) -> ProtocolError {
        let names: Vec<&str> = self.topics.feeds().iter().map(|feed| feed.name.as_str()).collect();
        let near = names.iter().map(|name| (strsim::damerau_levenshtein(name, seen), *name)).min();
        let hint = match near {
            Some((distance, name)) if distance <= 2 => format!("; did you mean {name}?"),
            _ if names.is_empty() => "; this server runs no feed".into(),
            _ => {
                format!("; this server has {}", names.iter().take(20).copied().collect::<Vec<_>>().join(", "))
            }
        };
        ProtocolError::new(Code::UnknownTopic, format!("there is no feed {seen:?}{hint}"))
    }

    /// What a cohort was granted for these asks.
    pub(super) fn grants(
        &self,
        cohort: Option<u32>,
        whats: impl Iterator<Item = What>,
    ) -> (Vec<TopicGrant>, Vec<PatternGrant>) {
        let (mut topics, mut patterns) = (Vec::new(), Vec::new());
        let Some(cohort) = cohort.and_then(|c| self.cohorts.get(c)) else { return (topics, patterns) };
        for what in whats {
            let Ok(at) = cohort.asks().binary_search_by_key(&what, |ask| ask.what) else { continue };
            let Some(terms) = cohort.asks().get(at).map(|ask| ask.terms) else { continue };
            match what {
                What::Exact(id) => {
                    let Some(slot) = self.topics.slot(id) else { continue };
                    let tier = self.topics.grant(slot, terms);
                    topics.push(TopicGrant {
                        topic: slot.name.clone(),
                        seq: slot.newest_at(tier).map_or(0, |frame| frame.tick().seq),
                        rate: rate::format(self.topics.rate(slot, tier)),
                        mode: if tier == STREAM { Mode::All } else { Mode::Latest },
                        recovered: None,
                    });
                }
                What::Pattern(id) => {
                    let Some(pattern) = self.cohorts.patterns.get(id) else { continue };
                    let count = self.topics.present().filter(|(_, slot)| pattern.matches(&slot.name)).count();
                    patterns.push(PatternGrant {
                        pattern: pattern.as_str().into(),
                        count,
                        rate: terms.rate.filter(|rate| *rate > Duration::ZERO).map(rate::format),
                        mode: terms.mode,
                    });
                }
            }
        }
        (topics, patterns)
    }
}
