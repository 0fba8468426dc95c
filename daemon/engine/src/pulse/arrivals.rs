//! Feeds whose values are pushed when they come: they have no beat of their own in the schedule.
//!
//! The first value wakes the pulse, and a moment later ([`JOIN_US`]) it is pushed together with what came meanwhile. While
//! such a feed speaks, the pulse looks at its lane at each of these moments, so that not every value wakes it.

use std::collections::BTreeSet;
use std::time::Duration;

use tickerd_model::board::{Board, JOIN_US};
use tickerd_model::source::SourceId;

/// The feeds of this node that push on arrival.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    pub sources: BTreeSet<SourceId>,
    /// Something came by the lane of one of them when that was last looked at.
    is_busy: bool,
}

impl Arrivals {
    pub fn add(&mut self, id: SourceId) {
        self.sources.insert(id);
    }

    pub fn remove(&mut self, id: SourceId) {
        self.sources.remove(&id);
    }

    /// The lanes are looked at again.
    pub fn begin(&mut self) {
        self.is_busy = false;
    }

    /// Something came by the lane of a source.
    pub fn note(&mut self, id: SourceId) {
        self.is_busy |= self.sources.contains(&id);
    }

    /// How long the lanes need no look, if they do.
    pub fn nap(&self) -> Option<Duration> {
        self.is_busy.then_some(Duration::from_micros(JOIN_US))
    }

    /// When something is due, on the pulse's clock.
    pub fn next(&self, board: &Board) -> Option<u64> {
        self.sources.iter().filter_map(|id| board.next_arrival(*id)).min()
    }
}
