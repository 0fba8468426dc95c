//! What a connection that lags is owed of the topics it has with mode `all`: every tick, in order, up to a bound. Beyond
//! that it is lost as a whole, and its topics begin anew with a `reset` notice and their newest ticks; nothing is kept per
//! topic.

use crate::fanout::table::ids::SlotId;
use std::collections::VecDeque;
use std::sync::Arc;
use tickerd_model::wire::frame::Frame;

/// Most ticks that wait.
pub const FRAMES_MAX: usize = 256;

/// A tick that waits.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its push's number on the shard's count.
    pub pos: u64,
    /// Where its topic is.
    pub slot: SlotId,
    /// What to send.
    pub frame: Arc<Frame>,
}

/// The ticks that wait for one connection, in order.
#[derive(Debug, Default)]
pub struct Backlog {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// On the shard's count: whatever was pushed up to here was sent, and what was pushed later waits or is lost.
    pos: u64,
    is_lost: bool,
}

impl Backlog {
    /// An empty one: what was pushed up to `pos` was sent.
    pub fn new(pos: u64) -> Backlog {
        Backlog { pos, ..Backlog::default() }
    }

    /// A tick has to wait, with those before at most `bytes_max` bytes of values. Answers how many are lost with it, itself
    /// included; 0 if it waits.
    pub fn push(&mut self, waiting: Waiting, bytes_max: usize) -> u64 {
        if self.is_lost {
            return 1;
        }
        let bytes = waiting.frame.tick().value.len();
        if self.waiting.len() == FRAMES_MAX || self.bytes + bytes > bytes_max {
            return self.lose() + 1;
        }
        self.bytes += bytes;
        self.waiting.push_back(waiting);
        0
    }

    /// Gives up what waits, and what comes until [`Backlog::begin_anew`]; says how many ticks that are now.
    pub fn lose(&mut self) -> u64 {
        self.is_lost = true;
        let lost = self.waiting.len() as u64;
        self.waiting = VecDeque::new();
        self.bytes = 0;
        lost
    }

    /// The next tick to send.
    pub fn pop(&mut self) -> Option<Waiting> {
        let next = self.waiting.pop_front()?;
        self.bytes -= next.frame.tick().value.len();
        self.pos = next.pos;
        Some(next)
    }

    /// Bytes of the values that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Slots of which something waits.
    pub fn slots(&self) -> impl Iterator<Item = SlotId> {
        self.waiting.iter().map(|waiting| waiting.slot)
    }

    /// Nothing of these slots is owed any more.
    pub fn forget(&mut self, is_gone: impl Fn(SlotId) -> bool) {
        self.waiting.retain(|waiting| !is_gone(waiting.slot));
        self.bytes = self.waiting.iter().map(|waiting| waiting.frame.tick().value.len()).sum();
    }

    /// If it was lost, the push after which topics have to begin anew.
    pub fn lost_after(&self) -> Option<u64> {
        self.is_lost.then_some(self.pos)
    }

    /// Topics that were pushed up to here have begun anew.
    pub fn begin_up_to(&mut self, pos: u64) {
        self.pos = pos;
    }

    /// All of them have: ticks wait again.
    pub fn begin_anew(&mut self, pos: u64) {
        (self.pos, self.is_lost) = (pos, false);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use tickerd_model::basics::slab::Key;
    use tickerd_model::sample::Class;
    use tickerd_model::tick::Tick;
    use tickerd_model::topic::Topic;

    const BYTES_MAX: usize = 1 << 20;

    fn frame(seq: u64, bytes: usize) -> Arc<Frame> {
        let topic = Topic::new("f.a", "q", Class::State);
        let value = vec![b'1'; bytes].into();
        Arc::new(Frame::new(Tick { topic, seq, n: seq, ts: 0, src_ts: 0, from: None, value, merged: 0 }))
    }

    #[derive(Debug, Clone)]
    enum Op {
        /// A topic is pushed, with a value of so many bytes.
        Push(SlotId, usize),
        /// The socket takes so many ticks.
        Read(usize),
        Forget(SlotId),
        /// The shard itself was behind.
        Lose,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            // Runs of pushes, or the bound would never be met.
            12 => (0u32..5, prop_oneof![Just(1usize), Just(40_000)]).prop_map(|(s, b)| Op::Push(SlotId::new(s), b)),
            2 => (1usize..40).prop_map(Op::Read),
            1 => (0u32..5).prop_map(|slot| Op::Forget(SlotId::new(slot))),
            1 => Just(Op::Lose),
        ]
    }

    proptest! {
        /// Whatever is pushed and read: of each topic every number comes once and in order, or a reset comes first and then
        /// its newest; and never waits more than the bound.
        #[test]
        fn each_tick_comes_in_order_or_a_reset_is_told(ops in prop::collection::vec((op(), 1usize..60), 1..60)) {
            let mut backlog = Backlog::new(0);
            let mut pos = 0;
            // The shard's newest of each topic (place, number), and what the client must get next.
            let mut newest: BTreeMap<SlotId, (u64, u64)> = BTreeMap::new();
            let mut said: BTreeMap<SlotId, u64> = BTreeMap::new();
            let mut next: BTreeMap<SlotId, u64> = BTreeMap::new();
            let mut lost = 0;
            for (op, times) in ops {
                match op {
                    Op::Push(slot, bytes) => for _ in 0..times {
                        pos += 1;
                        let seq = *said.entry(slot).and_modify(|seq| *seq += 1).or_insert(1);
                        newest.insert(slot, (pos, seq));
                        next.entry(slot).or_insert(seq);
                        lost += backlog.push(Waiting { pos, slot, frame: frame(seq, bytes) }, BYTES_MAX);
                        prop_assert!(backlog.waiting.len() <= FRAMES_MAX && backlog.bytes <= BYTES_MAX);
                    },
                    Op::Read(ticks) => {
                        for _ in 0..ticks {
                            if let Some(after) = backlog.lost_after() {
                                let begun = newest.iter().filter(|(_, (pos, _))| *pos > after);
                                let oldest = begun.min_by_key(|(_, (pos, _))| *pos);
                                match oldest.map(|(slot, at)| (*slot, *at)) {
                                    Some((slot, (pushed, seq))) => {
                                        prop_assert!(next[&slot] <= seq, "nothing was missed of it");
                                        next.insert(slot, seq + 1);
                                        backlog.begin_up_to(pushed);
                                    }
                                    None => backlog.begin_anew(pos),
                                }
                            } else if let Some(waiting) = backlog.pop() {
                                let seq = waiting.frame.tick().seq;
                                prop_assert_eq!(next.insert(waiting.slot, seq + 1), Some(seq));
                            }
                        }
                    }
                    // It is not had any more, until it is pushed again.
                    Op::Forget(slot) => {
                        backlog.forget(|gone| gone == slot);
                        newest.remove(&slot);
                        next.remove(&slot);
                    }
                    Op::Lose => lost += backlog.lose(),
                }
            }
            let waits = backlog.waiting.len();
            while let Some(waiting) = backlog.pop() {
                prop_assert_eq!(next.insert(waiting.slot, waiting.frame.tick().seq + 1), Some(waiting.frame.tick().seq));
            }
            if backlog.lost_after().is_none() {
                for (slot, (_, seq)) in &newest {
                    prop_assert_eq!(next[slot], seq + 1, "all of it came; {} waited, {} were lost", waits, lost);
                }
            }
        }
    }
}
