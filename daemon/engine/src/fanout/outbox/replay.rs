//! Ticks that were missed, as they are sent after `since`. How many there may be was decided where they were found.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::fanout::table::ids::SlotId;
use tickerd_model::wire::frame::Frame;

/// The ticks that are still to be sent, in order.
#[derive(Debug, Default)]
pub struct Replay {
    frames: VecDeque<(SlotId, Arc<Frame>)>,
    bytes: usize,
}

impl Replay {
    /// Adds the ticks of topics behind the others.
    pub fn extend(&mut self, replay: Vec<(SlotId, Vec<Arc<Frame>>)>) {
        for (slot, frame) in
            replay.into_iter().flat_map(|(slot, frames)| frames.into_iter().map(move |f| (slot, f)))
        {
            self.bytes += frame.tick().value.len();
            self.frames.push_back((slot, frame));
        }
    }

    /// Whether all of them are sent.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many bytes their values have.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next to send.
    pub fn pop(&mut self) -> Option<Arc<Frame>> {
        let (_, frame) = self.frames.pop_front()?;
        self.bytes -= frame.tick().value.len();
        Some(frame)
    }

    /// Nothing of these slots is owed any more.
    pub fn forget(&mut self, gone: &HashSet<SlotId>) {
        self.frames.retain(|(slot, _)| !gone.contains(slot));
        self.bytes = self.frames.iter().map(|(_, frame)| frame.tick().value.len()).sum();
    }
}
