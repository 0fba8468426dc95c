//! What the board hands out at a beat.

use std::sync::Arc;

use super::TopicId;
use crate::tier::Tier;
use crate::wire::frame::Frame;

/// One frame that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// The topic it is of.
    pub topic: TopicId,
    /// Who gets it: the clients that have the topic at this tier.
    pub tier: Tier,
    /// What to send.
    pub frame: Arc<Frame>,
    /// At [`Tier::Every`], the ticks before `frame`, in order. Most often there are none.
    pub earlier: Option<Arc<[Arc<Frame>]>>,
    /// At [`Tier::Every`], whether `frame` is due at [`Tier::OWN`] as well. For a state topic it most often is.
    pub is_newest: bool,
}

impl Due {
    /// All its frames, in order.
    pub fn frames(&self) -> impl Iterator<Item = &Arc<Frame>> {
        self.earlier.iter().flat_map(|frames| frames.iter()).chain([&self.frame])
    }

    /// How many frames there are, at least 1.
    pub fn ticks(&self) -> usize {
        1 + self.earlier.as_ref().map_or(0, |frames| frames.len())
    }

    /// The newest tick of a topic, at one of its feed's tiers.
    pub(super) fn newest(topic: TopicId, at: u8, frame: &Arc<Frame>) -> Due {
        Due { topic, tier: Tier::Newest(at), frame: frame.clone(), earlier: None, is_newest: false }
    }
}
