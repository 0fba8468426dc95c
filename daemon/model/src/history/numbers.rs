//! The numbers of a topic's ticks, where another node may have given them.

use std::sync::Arc;

use super::History;
use crate::topic::TopicId;
use crate::wire::frame::Frame;

impl History {
    /// The numbers of a topic begin anew above `base`. Its ticks stay, and who saw none above it has missed none of them.
    pub fn begin(&mut self, topic: TopicId, base: u64) {
        if let Some(ring) = self.ring_mut(topic) {
            (ring.base, ring.last) = (ring.base.max(base), ring.last.max(base));
        }
    }

    /// A topic's ticks up to this number are known to have been pushed.
    pub fn reach(&mut self, topic: TopicId, last: u64) {
        self.ring_mut(topic).into_iter().for_each(|ring| ring.last = ring.last.max(last));
    }

    /// The number up to which a topic's ticks were pushed.
    pub fn pushed(&self, topic: TopicId) -> u64 {
        self.ring(topic).map_or(0, |ring| ring.last)
    }

    /// Ticks of a topic with a number up to this one are gone.
    pub fn floor(&self, topic: TopicId) -> u64 {
        self.ring(topic).map_or(0, |ring| ring.floor)
    }

    /// The newest tick of a topic, also if it is too old for the rest.
    pub fn last(&self, topic: TopicId) -> Option<&Arc<Frame>> {
        self.ring(topic)?.newest()
    }
}
