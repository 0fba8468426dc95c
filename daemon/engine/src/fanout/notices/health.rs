//! How feeds are: told when it changes, to those who subscribe while a feed is not up, and to those who catch up.

use std::rc::Rc;

use super::{Announcement, WhenLate};
use crate::fanout::table::cohorts::Cohorts;
use crate::fanout::table::ids::CohortId;
use crate::fanout::table::topics::Topics;
use tickerd_model::encoding::{Encoder, Encoding};
use tickerd_model::lane::{FeedState, Health};
use tickerd_model::message::Message;
use tickerd_model::protocol::event::{self, Notice};

/// What was last told of a feed.
#[derive(Debug)]
pub struct FeedHealth {
    /// Its state.
    pub state: FeedState,
    /// When, on the shard's count of pushes.
    pub pos: u64,
    /// The notice, ready to send.
    pub notice: Rc<Message>,
}

impl FeedHealth {
    /// Of a feed of which nothing was told yet.
    pub fn up() -> FeedHealth {
        FeedHealth { state: FeedState::Up, pos: 0, notice: Rc::new(Message::new(b"", 0)) }
    }
}

/// The notice of a feed's new health, which is kept as `known`, to those subscribed in the feed.
pub fn announce(
    known: &mut FeedHealth,
    (feed, health): (usize, &Health),
    topics: &Topics,
    cohorts: &Cohorts,
    pos: u64,
) -> Announcement {
    let name = topics.feeds().get(feed).map_or("", |f| f.name.as_str());
    let message = Rc::new(event::message(&Notice::feed(name, health)));
    *known = FeedHealth { state: health.state, pos, notice: message.clone() };
    let interested = cohorts.iter().filter(|(_, cohort)| cohorts.is_in_feed(topics, cohort, feed));
    let to: Vec<CohortId> = interested.map(|(id, _)| id).collect();
    Announcement { pos, when_late: WhenLate::Drop, message, to: to.into() }
}

/// Appends the notices of those of `feeds` that are not up.
pub fn append_not_up(
    health: &[FeedHealth],
    mut feeds: Vec<usize>,
    encoding: Encoding,
    encoder: &Encoder,
    out: &mut Vec<u8>,
) {
    feeds.sort_unstable();
    feeds.dedup();
    for told in feeds.iter().filter_map(|feed| health.get(*feed)) {
        if told.state != FeedState::Up {
            out.extend_from_slice(told.notice.bytes(encoding, encoder));
        }
    }
}
