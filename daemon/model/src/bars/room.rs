//! Which bars go: those that are too old, and those for which there is no room.

use super::{Bars, BookId};

/// A period's bars go in this many steps when there is too little room.
const STEPS: u64 = 64;

impl Bars {
    /// Drops what is too old, and topics that have no bars any more. To be called now and then.
    pub fn expire(&mut self) {
        // Room came back: bars are kept for longer again.
        if self.total.bytes < self.bytes_max / 4 * 3 {
            for (span, period) in self.spans.iter_mut().zip(self.plan.periods()) {
                *span = span.saturating_add(period.keep_ms / STEPS).min(period.keep_ms);
            }
        }
        for nth in 0..self.spans.len() {
            self.forget(nth);
        }
        let ids: Vec<BookId> = self.books.iter().map(|(id, _)| id).collect();
        for id in ids {
            // What is open and over of a topic that is away would stay for ever.
            self.settle_book(id);
            if self.books.get(id).is_some_and(|kept| !kept.book.is_attached && kept.book.is_empty()) {
                self.drop_book(id);
            }
        }
        // The oldest bar began before it was too old by less than its period.
        let reach = self.plan.periods().iter().map(|period| period.keep_ms.saturating_add(period.ms));
        let longest = reach.max().unwrap_or(0);
        self.clock.forget(self.clock.ageing().saturating_sub(longest));
        if self.total.bytes > self.bytes_max {
            self.make_room();
        }
    }

    /// Drops bars of one period that are older than is kept now. Returns how many went.
    fn forget(&mut self, nth: usize) -> usize {
        let floor = self.floor_of(nth);
        let Bars { books, total, .. } = self;
        let mut went = 0;
        for (_, kept) in books.iter_mut() {
            let track = kept.book.tracks.get_mut(nth);
            let gone = track.map_or(0, |track| track.closed.forget(floor));
            if gone > 0 {
                kept.weigh(total);
                went += gone;
            }
        }
        went
    }

    /// The first slot of a period that is kept.
    pub(super) fn floor_of(&self, nth: usize) -> u64 {
        let span = self.spans.get(nth).copied().unwrap_or(0);
        self.clock.ageing().saturating_sub(span) / self.plan.ms(nth)
    }

    /// Drops bars of the shortest period that has any, of all topics alike, then of the next, until there is room.
    pub(super) fn make_room(&mut self) {
        for nth in 0..self.spans.len() {
            let step = (self.plan.periods().get(nth).map_or(0, |period| period.keep_ms) / STEPS).max(1);
            while self.total.bytes > self.bytes_max {
                let Some(span) = self.spans.get_mut(nth).filter(|span| **span > 0) else { break };
                *span = span.saturating_sub(step);
                self.counts.crowded += self.forget(nth) as u64;
            }
        }
        // Topics that are away make room for those that are there.
        let away = self.books.iter().filter(|(_, kept)| !kept.book.is_attached);
        for id in away.map(|(id, _)| id).collect::<Vec<_>>() {
            if self.total.bytes <= self.bytes_max {
                return;
            }
            self.counts.crowded += self.drop_book(id) as u64;
        }
    }
}
