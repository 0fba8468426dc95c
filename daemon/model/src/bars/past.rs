//! The bars of one topic and period that someone asked for. They are put into words where they are sent, not where they are kept.

use std::sync::Arc;

use super::Bars;
use super::bar::Bar;
use super::clock::Unknown;
use super::series::Block;

/// Some bars of one topic.
#[derive(Debug, Clone, Default)]
pub struct Past {
    period_ms: u64,
    /// The field that they are made of.
    pub field: Box<str>,
    /// They may hold more than was asked for, at both ends.
    blocks: Vec<Arc<Block>>,
    open: Option<Bar>,
    limit: usize,
    /// Bars before this slot are too old, and those from `before` on were not asked for.
    floor: u64,
    before: u64,
    /// Since when something is known of the topic's bars, in Unix milliseconds.
    pub since: u64,
    /// Times within what is told of which nothing is known.
    pub unknown: Vec<Unknown>,
}

impl Bars {
    /// The newest bars of a topic that begin before `before` (Unix milliseconds), at most `limit`, the open one included. `None`
    /// if the topic has no bars.
    pub fn past(&mut self, topic: &str, period: usize, limit: usize, before: u64) -> Option<Past> {
        self.settle(topic);
        let kept = self.books.get(*self.by_name.get(topic)?)?;
        let period_ms = self.plan.ms(period);
        let keep_ms = self.plan.periods().get(period)?.keep_ms;
        let before = before.div_ceil(period_ms);
        let series = kept.book.closed(period)?;
        let open = kept.book.open(&self.plan, period).filter(|bar| bar.slot < before);
        let floor = self.clock.wall().saturating_sub(keep_ms) / period_ms;
        let crowded = self.floor_of(period).saturating_mul(period_ms);
        // It moves on by whole bars, so that an answer stays the same meanwhile.
        let oldest = floor.saturating_mul(period_ms).max(crowded.min(self.clock.wall()));
        let since = self.clock.began().max(oldest);
        let blocks = series.newest(limit, before);
        let unknown = self.clock.unknown().filter(|time| time.to > since).collect();
        let field = kept.book.field.clone();
        Some(Past { period_ms, field, blocks, open, limit, floor, before, since, unknown })
    }

    /// The closed bars of a topic after `slot`, in order; `None` if some of them may be gone, or no bar had that slot.
    pub fn closed_after(&mut self, topic: &str, period: usize, slot: u64) -> Option<Vec<Bar>> {
        self.settle(topic);
        let series = self.books.get(*self.by_name.get(topic)?)?.book.closed(period)?;
        let is_known = series.first().is_some_and(|first| first <= slot)
            && series.last().is_some_and(|last| slot <= last);
        is_known.then(|| series.from(slot.saturating_add(1)).collect())
    }

    /// The last closed bar of a topic.
    pub fn last_closed(&mut self, topic: &str, period: usize) -> Option<Bar> {
        self.settle(topic);
        let series = self.books.get(*self.by_name.get(topic)?)?.book.closed(period)?;
        series.from(series.last()?).next()
    }

    /// The open bar of a topic; where none is open since one closed, that one.
    pub fn newest(&mut self, topic: &str, period: usize) -> Option<Bar> {
        self.settle(topic);
        let open = self.books.get(*self.by_name.get(topic)?)?.book.open(&self.plan, period);
        open.or_else(|| self.last_closed(topic, period))
    }

    /// Whether a topic has bars.
    pub fn has(&self, topic: &str) -> bool {
        self.by_name.contains_key(topic)
    }

    /// The topics that have bars.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }
}

impl Past {
    /// The bars, oldest first, the open one last.
    pub fn bars(&self) -> Vec<Bar> {
        let closed = self.blocks.iter().flat_map(|block| block.bars());
        let mut bars: Vec<Bar> = closed
            .chain(self.open.clone())
            .filter(|bar| (self.floor..self.before).contains(&bar.slot))
            .collect();
        bars.drain(..bars.len().saturating_sub(self.limit));
        bars
    }

    /// Writes the bars as a JSON array, and as many of the newest as `bytes_max` hold. Returns whether some had no room.
    pub fn write(&self, bytes_max: usize, out: &mut Vec<u8>) -> bool {
        let (begin, mut ends) = (out.len(), Vec::new());
        for bar in self.bars() {
            out.push(b',');
            bar.write(self.period_ms, out);
            ends.push(out.len() - begin);
        }
        let all = out.len() - begin;
        // Where the first one is that has room: each is written behind a comma.
        let passed = ends.partition_point(|end| all - end >= bytes_max);
        let from = if all <= bytes_max { 0 } else { ends.get(passed).copied().unwrap_or(all) };
        out.drain(begin..begin + from);
        match out.get_mut(begin) {
            Some(comma) => *comma = b'[',
            None => out.push(b'['),
        }
        out.push(b']');
        from > 0
    }

    /// About how many bars it holds: what it costs to put it into words.
    pub fn weight(&self) -> usize {
        1 + self.limit.min(self.blocks.len() * super::series::BLOCK_BARS + 1)
    }
}
