//! What a shard's clients ask for, and what that leads to. No socket and no connection is known here.
//!
//! [`Table`] is all of it. Read [`topics`] first: each topic's newest frames. Then [`cohorts`]: who asked for the same, and the
//! wires from topics to them. [`asks`] and [`edits`] say what a connection asks for, and how a command changes that. [`names`]
//! finds the topics that a pattern may match, [`values`] their newest values, [`patterns`] finds the patterns that a topic matches, [`effort`] counts the
//! cost, and [`wants`] who asks for bars.

pub mod asks;
pub mod cohorts;
pub mod edits;
pub mod effort;
pub mod ids;
mod names;
pub mod patterns;
pub mod topics;
mod values;
pub mod wants;

use self::cohorts::Cohorts;
use self::topics::Topics;
use tickerd_model::access::rights::{Rights, Verb};
use tickerd_model::protocol::event::TopicEntry;
use tickerd_model::tier::Tier;
use tickerd_model::topic::Pattern;

/// Who asked for what, and what that leads to.
#[derive(Debug, Default)]
pub struct Table {
    pub topics: Topics,
    pub cohorts: Cohorts,
}

impl Table {
    /// The topics that match and that these rights show, by name.
    pub fn entries(&self, rights: &Rights, pattern: &Pattern) -> Vec<TopicEntry<'_>> {
        let matching = self.topics.matching(pattern).into_iter();
        let matching = matching.filter(|(_, slot)| rights.allow(Verb::Subscribe, &slot.name));
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
