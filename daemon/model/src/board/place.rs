//! A topic's place on the board: its number, its newest ticks, and where they are due.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::frame::Frame;
use crate::sample::Class;
use crate::topic::{Topic, TopicId};

/// One topic on the board.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) topic: Topic,
    /// Where it is in its source's list of topics.
    pub(super) at: usize,
    pub(super) seq: u64,
    /// Bit per tier: due at that tier's next beat.
    pub(super) dirty: u16,
    /// What was last pushed at the own beat: what `on_change` compares with, what `always` pushes again, and what the slower
    /// tiers pass on.
    pub(super) pushed: Option<Arc<Frame>>,
    /// All since the last own beat.
    pub(super) ticks: VecDeque<Arc<Frame>>,
    /// When there was news last, on the board's clock: when the newest tick came, or as much earlier as it was old by its
    /// source's time, if that is heeded. May lie before the clock's start.
    pub(super) heard: i64,
    /// Told to be without news for too long.
    pub(super) is_stale: bool,
    /// Of an earlier run, and not heard of in this one.
    pub(super) is_restored: bool,
}

impl Place {
    /// The own beat has come, and `frame` is the newest: whether it is pushed to those who take the newest. If so, it is owed
    /// to the `slower` tiers too.
    pub(super) fn push(
        &mut self,
        topic: TopicId,
        frame: &Arc<Frame>,
        always: bool,
        slower: &mut [Vec<TopicId>],
    ) -> bool {
        self.dirty &= !1;
        let differs = || self.pushed.as_ref().is_none_or(|old| old.tick().value != frame.tick().value);
        if self.topic.class() == Class::Event || !always && !differs() {
            return false;
        }
        self.pushed = Some(frame.clone());
        for (list, tier) in slower.iter_mut().zip(1..) {
            let bit = 1 << tier;
            if self.dirty & bit == 0 {
                self.dirty |= bit;
                list.push(topic);
            }
        }
        true
    }
}
