//! What the board knows of its topics' ages.

use crate::topic::TopicId;

/// A topic that became stale, or that had news again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aged {
    /// The topic.
    pub topic: TopicId,
    /// Whether it is stale now.
    pub is_stale: bool,
}

/// Counts and times of one source's topics.
#[derive(Debug, Default)]
pub(super) struct Ages {
    /// How many state topics it has.
    pub states: usize,
    /// How many of them are stale.
    pub stale: usize,
    /// How many of them are of an earlier run and had no tick in this one. They are stale, but this says nothing
    /// about the feed.
    pub restored: usize,
    /// Topics whose newest tick was too old when it came and that are not told as stale yet. A topic may be listed
    /// twice. No more than the source has topics.
    pub old: Vec<TopicId>,
    /// The age by the source's own time, in microseconds, from which a tick is too old. `None`: the source's time is
    /// not heeded.
    pub source_max_age: Option<u64>,
    /// When the last tick of a state topic came. `newest` is the latest time of any of their values, by the source's
    /// own time.
    pub came: u64,
    pub newest: i64,
    /// A topic that was heard before this time counts as heard at this time.
    pub floor: Option<u64>,
    /// The greatest age at the last look, in microseconds, and when the next look is.
    pub max_age: u64,
    pub next_look: u64,
}
