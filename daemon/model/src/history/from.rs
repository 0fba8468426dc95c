//! What a topic said from a time on: for clients that know no number of this process.

use std::sync::Arc;

use super::History;
use crate::topic::TopicId;
use crate::wire::frame::Frame;

/// Among several nodes, who numbers anew does so from the next multiple of 2^32 on. So a tick's number says of which reign it is.
fn era(seq: u64) -> u64 {
    seq >> 32
}

impl History {
    /// Every tick of a topic that was accepted at `ms` or later, in order. `None` if some of them are gone, or may be: no older one
    /// is kept, or another node began to number the topic in between.
    pub fn from(&self, topic: TopicId, ms: u64) -> Option<impl ExactSizeIterator<Item = &Arc<Frame>>> {
        let ring = self.ring(topic)?;
        let from =
            ring.frames.iter().position(|(_, frame)| frame.tick().ts >= ms).unwrap_or(ring.frames.len());
        let first = match from.checked_sub(1) {
            Some(before) => ring.frames.get(before).map(|(_, frame)| frame.tick().seq)?,
            None if ring.gone > 0 => return None,
            None => ring.frames.front().map_or(ring.last, |(_, frame)| frame.tick().seq),
        };
        (era(first) == era(ring.last)).then(|| ring.frames.range(from..).map(|(_, frame)| frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Limits;
    use crate::sample::Class;
    use crate::tick::Tick;
    use crate::topic::Topic;
    use std::time::Duration;

    const T: TopicId = TopicId(0);

    /// The times of what is given from `ms` on, of a ring that keeps three of these ticks.
    fn from(ticks: &[(u64, u64)], ms: u64) -> Option<Vec<u64>> {
        let mut history = History::new(Limits { count: 3, age: Duration::from_secs(60), bytes: usize::MAX });
        history.open(T, 0, None);
        for (seq, ts) in ticks.iter().copied() {
            let topic = Topic::new("f.e", "trade", Class::Event);
            let value = b"1"[..].into();
            let tick = Tick { topic, seq, n: seq, ts, src_ts: 0, from: None, value, merged: 0 };
            history.push(T, &[], &Arc::new(Frame::new(tick)), 0);
        }
        history.from(T, ms).map(|frames| frames.map(|frame| frame.tick().ts).collect())
    }

    #[test]
    fn all_from_a_time_on_or_nothing() {
        let three = [(1, 10), (2, 20), (3, 30)];
        assert_eq!(from(&three, 5), Some(vec![10, 20, 30]));
        assert_eq!(from(&three, 20), Some(vec![20, 30]));
        assert_eq!(from(&three, 31), Some(vec![]));
        assert_eq!(from(&[], 31), Some(vec![]));
        let four = [(1, 10), (2, 20), (3, 30), (4, 40)];
        assert_eq!(from(&four, 20), None, "the first is gone, and could be of that time");
        assert_eq!(from(&four, 21), Some(vec![30, 40]));
    }

    #[test]
    fn what_another_node_has_numbered_is_not_known_to_be_whole() {
        const ERA: u64 = 1 << 32;
        let two = [(1, 10), (ERA + 1, 20), (ERA + 2, 30)];
        assert_eq!(from(&two, 10), None, "the first node may have said more than this one heard");
        assert_eq!(from(&two, 15), None);
        assert_eq!(from(&two, 25), Some(vec![30]));
    }
}
