//! How sources are: told when it changes, to those who subscribe while one is not up, and to those who catch up.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Announcement, WhenLate};
use crate::fanout::table::cohorts::Cohorts;
use crate::fanout::table::ids::CohortId;
use crate::fanout::table::topics::Topics;
use tickerd_model::health::{FeedState, Health};
use tickerd_model::protocol::event::{self, Notice};
use tickerd_model::source::SourceId;
use tickerd_model::wire::encoding::{Encoder, Encoding};
use tickerd_model::wire::message::Message;

/// What was last told of a source.
#[derive(Debug)]
pub struct SourceHealth {
    /// First segment of its topics.
    pub name: Box<str>,
    /// Its state.
    pub state: FeedState,
    /// When, on the shard's count of pushes.
    pub pos: u64,
    /// The notice, ready to send.
    pub notice: Rc<Message>,
    /// When it was last told that its topics have other numbers, on the same count; 0: never.
    pub epoch_pos: u64,
}

impl SourceHealth {
    /// Of a source of which nothing was told yet.
    pub fn up(name: &str) -> SourceHealth {
        let notice = Rc::new(Message::new(b"", Default::default()));
        SourceHealth { name: name.into(), state: FeedState::Up, pos: 0, notice, epoch_pos: 0 }
    }

    /// Keeps a source's new health, and makes its notice to those subscribed in the source.
    pub fn announce(
        &mut self,
        health: &Health,
        topics: &Topics,
        cohorts: &Cohorts,
        pos: u64,
    ) -> Announcement {
        let message = Rc::new(event::message(&Notice::feed(&self.name, health)));
        (self.state, self.pos, self.notice) = (health.state, pos, message.clone());
        let interested = cohorts.iter().filter(|(_, cohort)| cohorts.is_in_feed(topics, cohort, &self.name));
        let to: Vec<CohortId> = interested.map(|(id, _)| id).collect();
        Announcement { pos, when_late: WhenLate::Drop, message, to: to.into() }
    }
}

/// Appends the notices of those of `sources` that are not up.
pub fn append_not_up(
    health: &BTreeMap<SourceId, SourceHealth>,
    sources: &BTreeSet<SourceId>,
    encoding: Encoding,
    encoder: &Encoder,
    out: &mut Vec<u8>,
) {
    for told in sources.iter().filter_map(|source| health.get(source)) {
        if told.state != FeedState::Up {
            out.extend_from_slice(told.notice.bytes(encoding, encoder));
        }
    }
}
