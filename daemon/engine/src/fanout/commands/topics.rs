//! `topics`: the topics that a pattern matches.

use crate::exchange::ConnId;
use crate::fanout::shard::Shard;
use crate::fanout::shard::turns::Costly;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event::{self, TopicEntry};
use tickerd_model::tier::Tier;
use tickerd_model::topic::{self, Pattern};

impl Shard {
    /// Lists them, in turns if they are many.
    pub fn list_topics(&mut self, id: ConnId, request: Option<Id>, pattern: &str) {
        match Pattern::parse(pattern) {
            Ok(pattern) => self.undertake(id, Costly::List { request, pattern }),
            Err(why) => {
                let error = ProtocolError::new(
                    Code::BadPattern,
                    format!("match cannot be used: {why}{}", topic::hint(pattern)),
                );
                self.tell_error(id, request, &error);
            }
        }
    }

    /// Tells them.
    pub fn tell_topics(&mut self, id: ConnId, request: Option<Id>, pattern: &Pattern) {
        let topics = self.entries(pattern);
        let mut out = Vec::new();
        self.write(id, &event::Topics { id: request, topics }, &mut out);
        self.send(id, &out);
    }

    /// The topics that match, by name.
    pub fn entries(&self, pattern: &Pattern) -> Vec<TopicEntry<'_>> {
        let matching = self.topics.matching(pattern).into_iter();
        let mut topics: Vec<TopicEntry<'_>> = matching
            .filter_map(|(_, slot)| {
                let topic = slot.topic.as_ref()?;
                Some(TopicEntry {
                    topic: &slot.name,
                    kind: topic.kind(),
                    class: topic.class().as_str(),
                    seq: slot.seq(),
                    ts: slot.newest().map_or(0, |frame| frame.tick().ts),
                    interval_ms: self.topics.rate(slot, Tier::OWN).as_millis() as u64,
                    stale: slot.stale.is_some(),
                })
            })
            .collect();
        topics.sort_unstable_by_key(|entry| entry.topic);
        topics
    }
}
