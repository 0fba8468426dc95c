//! The bars of one topic and period that someone asked for. They are put into words where they are sent, not where they are kept.

use std::sync::Arc;

use super::Bars;
use super::bar::Bar;
use super::book::LAPSED;
use super::clock::{Unknown, shifted};
use super::series::{Block, needed};

/// No bar is shorter as JSON.
const BAR_BYTES_MIN: usize = 64;

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
        // All by the clock here, and told by that of who accepted the ticks.
        let told = |ms| shifted(ms, self.others.ahead_of(kept.source));
        let floor = self.clock.wall().saturating_sub(keep_ms) / period_ms;
        // It moves on by whole bars, so that an answer stays the same meanwhile.
        let wall = self.clock.wall();
        let topic_since = if kept.book.since == LAPSED { wall - wall % period_ms } else { kept.book.since };
        let lost = self.lost.get(period).copied().unwrap_or(0).max(topic_since);
        let oldest = floor.saturating_mul(period_ms).max(lost.min(wall));
        let since = self.clock.began().max(oldest);
        let blocks = series.newest(limit, before);
        let unknown = self.clock.unknown().filter(|time| time.to > since);
        let unknown = unknown.map(|time| Unknown { from: told(time.from), to: told(time.to) }).collect();
        let (since, floor) = (told(since), told(floor.saturating_mul(period_ms)) / period_ms);
        let field = kept.book.field.clone();
        Some(Past { period_ms, field, blocks, open, limit, floor, before, since, unknown })
    }

    /// The closed bars of a topic after `slot`, in order; `None` if some of them may be gone or were never made, or no bar had
    /// that slot. Neither if they may be more than `most`.
    pub fn closed_after(&mut self, topic: &str, period: usize, slot: u64, most: usize) -> Option<Vec<Bar>> {
        self.settle(topic);
        let kept = self.books.get(*self.by_name.get(topic)?)?;
        let series = kept.book.closed(period)?;
        let after = slot.saturating_add(1);
        let since = shifted(kept.book.since, self.others.ahead_of(kept.source));
        let is_known = series.first().is_some_and(|first| first <= slot)
            && series.last().is_some_and(|last| slot <= last)
            && since <= after.saturating_mul(self.plan.ms(period));
        (is_known && series.count_from(after) <= most).then(|| series.from(after).collect())
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
        self.newest(self.limit)
    }

    fn newest(&self, limit: usize) -> Vec<Bar> {
        let passed = self.blocks.len() - needed(self.blocks.iter().rev(), limit);
        let closed = self.blocks.iter().skip(passed).flat_map(|block| block.bars());
        let mut bars: Vec<Bar> = closed
            .chain(self.open.clone())
            .filter(|bar| (self.floor..self.before).contains(&bar.slot))
            .collect();
        bars.drain(..bars.len().saturating_sub(limit));
        bars
    }

    /// Writes the bars as a JSON array, and as many of the newest as `bytes_max` hold. Returns whether some had no room.
    pub fn write(&self, bytes_max: usize, out: &mut Vec<u8>) -> bool {
        let (begin, mut ends) = (out.len(), Vec::new());
        // Who asks for a billion is not served more work than room.
        let most = bytes_max / BAR_BYTES_MIN + 1;
        for bar in self.newest(self.limit.min(most)) {
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

#[cfg(test)]
mod tests {
    use super::super::tests::{F, NOON, bars, plan, tick, topic};

    #[test]
    fn an_open_bar_moves_with_ticks_alone() {
        let (mut bars, a) = (bars(plan(&[("10s", 10, 100), ("1m", 60, 600)])), topic("f.a"));
        bars.look(0, NOON);
        bars.take(F, &tick(&a, r#"{"price":1}"#, NOON));
        assert!(bars.take_moved("f.a") && !bars.take_moved("f.a"));
        for (mono, closed) in [(10_000, 1), (60_000, 2)] {
            bars.look(mono, NOON + mono);
            bars.settle("f.a");
            assert_eq!((bars.count(), bars.take_moved("f.a")), (closed, false));
            assert_eq!(bars.newest("f.a", 1).map(|bar| bar.count), Some(1));
        }
        bars.take(F, &tick(&a, r#"{"price":2}"#, NOON + 60_000));
        assert!(bars.take_moved("f.a"));
    }

    #[test]
    fn since_moves_on_by_whole_bars() {
        let (mut bars, a) = (bars(plan(&[("10s", 10, 100), ("1m", 60, 600)])), topic("f.a"));
        let begins = NOON + 3;
        bars.look(0, begins);
        for ms in (0..900_000).step_by(500) {
            bars.look(ms, begins + ms);
            bars.take(F, &tick(&a, r#"{"price":1}"#, begins + ms));
            bars.expire();
            for (nth, (period, keep)) in [(10_000, 100_000), (60_000, 600_000)].into_iter().enumerate() {
                let past = bars.past("f.a", nth, 1_000, u64::MAX).unwrap();
                let oldest = (begins + ms - keep) / period * period;
                assert_eq!(past.since, oldest.max(begins), "{nth} at {ms}");
                assert_eq!(past.bars().first().map(|bar| bar.slot * period), Some(oldest.max(NOON)));
            }
        }
    }

    #[test]
    fn an_answer_holds_the_newest_that_have_room() {
        let (mut bars, a) = (bars(plan(&[("1s", 1, 3_600)])), topic("f.a"));
        for second in 0..1_000 {
            bars.look(second * 1_000, NOON + second * 1_000);
            bars.take(F, &tick(&a, r#"{"price":0}"#, NOON + second * 1_000));
        }
        let past = bars.past("f.a", 0, 1_000_000_000, u64::MAX).unwrap();
        let (mut all, mut some) = (Vec::new(), Vec::new());
        assert!(!past.write(1 << 20, &mut all));
        for bytes_max in [0, 1, 63, 64, 200, 4_000, all.len() - 2, all.len() - 1] {
            some.clear();
            assert_eq!(past.write(bytes_max, &mut some), bytes_max < all.len() - 1, "{bytes_max}");
            assert!(
                some.len() <= bytes_max + 2 && (some == b"[]" || all.ends_with(&some[1..])),
                "{bytes_max}"
            );
            assert!(some.len() + 100 > bytes_max.min(all.len()), "{bytes_max}: {}", some.len());
        }
    }
}
