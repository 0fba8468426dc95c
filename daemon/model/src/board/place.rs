//! A topic's place on the board: its number, its newest ticks, and where they are due.

use std::collections::VecDeque;
use std::sync::Arc;

use super::due::Due;
use crate::sample::Class;
use crate::tier::Tier;
use crate::topic::{Topic, TopicId};
use crate::wire::frame::Frame;

/// One topic on the board.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) topic: Topic,
    /// Its position in its source's list of topics.
    pub(super) at: usize,
    pub(super) seq: u64,
    /// One bit per tier: the topic is due at that tier's next beat.
    pub(super) dirty: u16,
    /// What was last pushed at the own beat. `on_change` compares new values with it, `always` pushes it again, and
    /// the slower tiers pass it on.
    pub(super) pushed: Option<Arc<Frame>>,
    /// All ticks since the last own beat, oldest first.
    pub(super) ticks: VecDeque<Arc<Frame>>,
    /// The number of the newest tick that was dropped since the last own beat because nobody asked for every tick; 0: none was.
    pub(super) unasked: u64,
    /// When the topic had news last, in microseconds on the board's clock. A tick that was old by its source's time
    /// counts as that much earlier, if that time is heeded; so this may lie before the clock's start.
    pub(super) heard: i64,
    /// Whether the topic was told to be stale.
    pub(super) is_stale: bool,
    /// Whether the topic is of an earlier run and had no tick in this one.
    pub(super) is_restored: bool,
    /// Whether it is stale because nobody is heard who holds its source.
    pub(super) is_deserted: bool,
    /// Whether another node numbered it until now: the feed that speaks of it next has another object of its name.
    pub(super) is_anothers: bool,
    /// The object by which the feed knows it, if that is not `topic`.
    pub(super) alias: Option<Topic>,
    /// With [`Pace::Arrival`](crate::source::Pace): until when it is not pushed (0: it never was), and when what waits is due.
    /// Microseconds on the board's clock.
    pub(super) rests_until: u64,
    pub(super) due_at: u64,
}

impl Place {
    /// The topic with this number, if it is one of these topics of a source. The number may be another source's by now.
    pub(super) fn of<'a>(
        places: &'a mut [Option<Place>],
        topics: &[TopicId],
        id: TopicId,
    ) -> Option<&'a mut Place> {
        places.get_mut(id.0 as usize)?.as_mut().filter(|place| topics.get(place.at) == Some(&id))
    }

    /// The own beat has come, and `frame` is the newest tick. Returns whether it is pushed to clients that take the
    /// newest. If so, the `slower` tiers have to push it too.
    pub(super) fn push(
        &mut self,
        topic: TopicId,
        frame: &Arc<Frame>,
        always: bool,
        slower: &mut [Vec<TopicId>],
    ) -> bool {
        self.dirty &= !1;
        if self.topic.class() == Class::Event || !always && self.has_pushed(frame) {
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

    /// Takes what waits, for the own beat.
    pub(super) fn take(&mut self, topic: TopicId, always: bool, slower: &mut [Vec<TopicId>]) -> Option<Due> {
        let frame = self.ticks.pop_back()?;
        let earlier = (!self.ticks.is_empty()).then(|| self.ticks.drain(..).collect());
        let is_newest = self.push(topic, &frame, always, slower);
        Some(Due { topic, tier: Tier::Every, frame, earlier, is_newest })
    }

    /// Whether the value that was pushed last is the same. What happens twice is not the same.
    pub(super) fn has_pushed(&self, frame: &Frame) -> bool {
        let is_same = |old: &Arc<Frame>| old.tick().value == frame.tick().value;
        self.topic.class() == Class::State && self.pushed.as_ref().is_some_and(is_same)
    }
}
