//! Closed bars of one topic and one period, packed: a bar of a common quote takes some 20 bytes.
//!
//! Bars lie in blocks. A bar is written as what differs from the one before it in its block, so a block is read from its
//! beginning. Blocks are shared: who reads them works on its own thread.

use std::collections::VecDeque;
use std::sync::Arc;

use super::bar::Bar;
use super::packed;

/// Bars of one block. Bars go by whole blocks when they are too old.
pub const BLOCK_BARS: usize = 32;
/// What a block takes besides its bars, about.
const BLOCK_BYTES: usize = 112;

/// Some bars in a row.
#[derive(Debug, Clone, Default)]
pub struct Block {
    first: u64,
    last: u64,
    count: usize,
    bytes: Vec<u8>,
    /// The last bar, as far as the next one is written by what differs from it.
    before: packed::Before,
}

impl Block {
    /// Its bars, in order.
    pub fn bars(&self) -> impl Iterator<Item = Bar> + '_ {
        packed::Reader::new(&self.bytes)
    }

    fn push(&mut self, bar: &Bar) {
        if self.count == 0 {
            self.first = bar.slot;
        }
        packed::write(bar, &mut self.before, &mut self.bytes);
        self.last = bar.slot;
        self.count += 1;
        if self.count == BLOCK_BARS {
            self.bytes.shrink_to_fit();
        }
    }

    fn weight(&self) -> usize {
        BLOCK_BYTES + self.bytes.capacity()
    }
}

/// How many blocks hold the newest `limit` bars. They come newest first, and the first may hold later bars too, so it does not count.
pub fn needed<'a>(blocks: impl Iterator<Item = &'a Arc<Block>>, limit: usize) -> usize {
    let (mut needed, mut count) = (0, 0);
    for block in blocks {
        if count >= limit {
            break;
        }
        count += if needed > 0 { block.count } else { 0 };
        needed += 1;
    }
    needed
}

/// All closed bars that are kept, oldest first.
#[derive(Debug, Default)]
pub struct Series {
    blocks: VecDeque<Arc<Block>>,
    count: usize,
    bytes: usize,
}

impl Series {
    /// Adds a bar, which must be later than all others.
    pub fn push(&mut self, bar: &Bar) {
        debug_assert!(self.last().is_none_or(|last| last < bar.slot), "bars come in order");
        if self.blocks.back().is_none_or(|block| block.count >= BLOCK_BARS) {
            self.blocks.push_back(Arc::default());
            self.bytes += BLOCK_BYTES;
        }
        let Some(block) = self.blocks.back_mut() else { return };
        let block = Arc::make_mut(block);
        let before = block.weight();
        block.push(bar);
        self.count += 1;
        self.bytes = (self.bytes + block.weight()).saturating_sub(before);
    }

    /// Drops blocks whose bars are all before `slot`. Returns how many bars went.
    pub fn forget(&mut self, slot: u64) -> usize {
        let had = self.count;
        while self.blocks.front().is_some_and(|block| block.last < slot)
            && let Some(block) = self.blocks.pop_front()
        {
            self.count -= block.count;
            self.bytes = self.bytes.saturating_sub(block.weight());
        }
        had - self.count
    }

    /// Drops the bars from `slot` on. Returns how many went.
    pub fn cut(&mut self, slot: u64) -> usize {
        let had = self.count;
        while self.blocks.back().is_some_and(|block| block.last >= slot)
            && let Some(block) = self.blocks.pop_back()
        {
            self.count -= block.count;
            self.bytes = self.bytes.saturating_sub(block.weight());
            let kept: Vec<Bar> = block.bars().take_while(|bar| bar.slot < slot).collect();
            if !kept.is_empty() {
                kept.iter().for_each(|bar| self.push(bar));
                break;
            }
        }
        had - self.count
    }

    /// The blocks that hold the newest `limit` bars before `before`.
    pub fn newest(&self, limit: usize, before: u64) -> Vec<Arc<Block>> {
        let end = self.blocks.partition_point(|block| block.first < before);
        let needed = needed(self.blocks.range(..end).rev(), limit);
        self.blocks.range(end - needed..end).cloned().collect()
    }

    /// The bars from `slot` on, in order.
    pub fn from(&self, slot: u64) -> impl Iterator<Item = Bar> + '_ {
        let from = self.blocks.partition_point(|block| block.last < slot);
        self.blocks.range(from..).flat_map(|block| block.bars()).filter(move |bar| bar.slot >= slot)
    }

    /// How many bars there are from `slot` on, or somewhat more.
    pub fn count_from(&self, slot: u64) -> usize {
        let from = self.blocks.partition_point(|block| block.last < slot);
        self.blocks.range(from..).map(|block| block.count).sum()
    }

    /// The slots of the first bar and of the last.
    pub fn first(&self) -> Option<u64> {
        self.blocks.front().map(|block| block.first)
    }

    /// See [`Series::first`].
    pub fn last(&self) -> Option<u64> {
        self.blocks.back().map(|block| block.last)
    }

    /// How many bars there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bars::packed::tests::bar_at;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Op {
        Push(u64),
        Forget(u64),
        Cut(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![20 => (1u64..4).prop_map(Op::Push), 1 => (0u64..80).prop_map(Op::Forget), 1 => (0u64..80).prop_map(Op::Cut)]
    }

    proptest! {
        /// Against a plain list of bars.
        #[test]
        fn it_holds_what_a_list_holds(ops in prop::collection::vec(op(), 1..400), limit in 0usize..90, back in 0u64..120) {
            let (mut series, mut list) = (Series::default(), Vec::<Bar>::new());
            let mut slot = 1_000;
            for op in ops {
                match op {
                    Op::Push(step) => {
                        slot += step;
                        let bar = bar_at(slot);
                        series.push(&bar);
                        list.push(bar);
                    }
                    Op::Forget(back) => {
                        let went = series.forget(slot - back);
                        prop_assert!(list.iter().take(went).all(|bar| bar.slot < slot - back));
                        list.drain(..went);
                        let early = list.iter().filter(|bar| bar.slot < slot - back).count();
                        prop_assert!(early < BLOCK_BARS, "{} are too old", early);
                    }
                    Op::Cut(back) => {
                        let kept = list.partition_point(|bar| bar.slot < slot - back);
                        prop_assert_eq!(series.cut(slot - back), list.len() - kept);
                        list.truncate(kept);
                        slot = list.last().map_or(slot, |bar| bar.slot);
                    }
                }
                prop_assert_eq!(series.count(), list.len());
                prop_assert_eq!((series.first(), series.last()), (list.first().map(|b| b.slot), list.last().map(|b| b.slot)));
            }
            let all: Vec<Bar> = series.from(0).collect();
            prop_assert_eq!(&all, &list);
            prop_assert_eq!(series.bytes(), series.blocks.iter().map(|block| block.weight()).sum::<usize>());
            let before = slot.saturating_sub(back);
            let newest: Vec<Bar> =
                series.newest(limit, before).iter().flat_map(|block| block.bars()).filter(|bar| bar.slot < before).collect();
            let expected: Vec<Bar> = list.iter().filter(|bar| bar.slot < before).cloned().collect();
            let expected = &expected[expected.len().saturating_sub(limit)..];
            prop_assert!(newest.ends_with(expected), "{} of {}", newest.len(), expected.len());
            let later: Vec<Bar> = series.from(before).collect();
            prop_assert!((later.len()..later.len() + BLOCK_BARS).contains(&series.count_from(before)));
            prop_assert_eq!(later, list.into_iter().filter(|bar| bar.slot >= before).collect::<Vec<_>>());
        }
    }
}
