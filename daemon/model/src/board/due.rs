//! What the board hands out at a beat.

use std::sync::Arc;

use super::TopicId;
use crate::frame::Frame;

/// The tier that carries every tick, at the feed's own beat.
pub const STREAM: u8 = u8::MAX;

/// One frame that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// Whose.
    pub topic: TopicId,
    /// At which of its feed's tiers, or [`STREAM`].
    pub tier: u8,
    /// What to send.
    pub frame: Arc<Frame>,
    /// At [`STREAM`], what comes before it, in order; most often nothing.
    pub earlier: Option<Arc<[Arc<Frame>]>>,
    /// At [`STREAM`], whether `frame` is due at tier 0 as well: of a state topic it most often is.
    pub is_newest: bool,
}

impl Due {
    /// All of it, in order.
    pub fn frames(&self) -> impl Iterator<Item = &Arc<Frame>> {
        self.earlier.iter().flat_map(|frames| frames.iter()).chain([&self.frame])
    }

    /// How many ticks that are.
    pub fn ticks(&self) -> usize {
        1 + self.earlier.as_ref().map_or(0, |frames| frames.len())
    }

    /// The newest tick of a topic, at one of its feed's tiers.
    pub(super) fn newest(topic: TopicId, tier: u8, frame: &Arc<Frame>) -> Due {
        Due { topic, tier, frame: frame.clone(), earlier: None, is_newest: false }
    }
}
