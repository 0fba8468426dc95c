//! Which bars go: those that are too old, and those for which there is no room.

use super::clock::shifted;
use super::{Bars, BookId};

/// A period's bars go in this many steps when there is too little room.
const STEPS: u64 = 64;
/// A search for room looks for such a part of all bytes more than is needed. If it does not find that, the next search comes when
/// such a part more is taken. So what a search costs, which is some time per topic, is seldom spent.
const SEARCH_PART: usize = 64;

impl Bars {
    /// Drops what is too old, and topics that have no bars any more. To be called now and then.
    pub fn expire(&mut self) {
        self.searched_until = 0;
        // Room came back: bars are kept for longer again.
        if self.has_much_room() {
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
        self.make_room_for(0);
        if self.has_much_room() {
            // With their next ticks they have bars.
            let Bars { attached, lost_topics, clock, .. } = self;
            attached.retain(|_, topic| {
                super::note_lost(lost_topics, topic, clock);
                !topic.is_refused
            });
        }
    }

    fn has_much_room(&self) -> bool {
        self.total.bytes < self.bytes_max / 4 * 3
    }

    /// Drops bars of one period that are older than is kept now. If that is less than configured, it is counted and noted.
    fn forget(&mut self, nth: usize) {
        let floor = self.floor_of(nth);
        let Bars { books, total, spans, plan, lost, counts, others, .. } = self;
        let mut went = 0;
        for (_, kept) in books.iter_mut() {
            let ahead = others.ahead_of(kept.source);
            let floor = shifted(floor.saturating_mul(plan.ms(nth)), ahead) / plan.ms(nth);
            let track = kept.book.tracks.get_mut(nth);
            let gone = track.map_or(0, |track| track.closed.forget(floor));
            if gone > 0 {
                kept.weigh(total);
                went += gone as u64;
            }
        }
        let (span, keep) = (spans.get(nth), plan.periods().get(nth).map(|period| &period.keep_ms));
        if span < keep {
            counts.crowded += went;
            let before = floor.saturating_mul(plan.ms(nth));
            lost.iter_mut().skip(nth).take(1).for_each(|lost| *lost = before.max(*lost));
        }
    }

    /// The first slot of a period that is kept.
    pub(super) fn floor_of(&self, nth: usize) -> u64 {
        let span = self.spans.get(nth).copied().unwrap_or(0);
        self.clock.ageing().saturating_sub(span) / self.plan.ms(nth)
    }

    /// Drops bars so that so many bytes more have room, and says whether they have. Where the last search found too little, it does
    /// not search again for each tick.
    pub(super) fn make_room_for(&mut self, more: usize) -> bool {
        let most = self.bytes_max.saturating_sub(more);
        if self.total.bytes > most && self.total.bytes >= self.searched_until {
            let part = self.bytes_max / SEARCH_PART;
            let enough = most.saturating_sub(part);
            self.make_room(enough);
            self.searched_until = if self.total.bytes <= enough { 0 } else { self.total.bytes + part.max(1) };
        }
        self.total.bytes <= most
    }

    fn make_room(&mut self, most: usize) {
        self.shorten(most);
        // Bars that are younger than the time by which they get old can only go by the wall clock.
        if self.total.bytes > most && self.clock.believe() {
            for (span, period) in self.spans.iter_mut().zip(self.plan.periods()) {
                *span = period.keep_ms;
            }
            self.shorten(most);
        }
        // Topics that are away make room for those that are there.
        let away = self.books.iter().filter(|(_, kept)| !kept.book.is_attached);
        for id in away.map(|(id, _)| id).collect::<Vec<_>>() {
            if self.total.bytes <= most {
                return;
            }
            self.counts.crowded += self.drop_book(id) as u64;
            self.lost_topics = self.clock.wall();
        }
    }

    /// Drops bars of the shortest period that has any, of all topics alike, then of the next, until no more than `most` bytes
    /// are left.
    fn shorten(&mut self, most: usize) {
        for nth in 0..self.spans.len() {
            let step = (self.plan.periods().get(nth).map_or(0, |period| period.keep_ms) / STEPS).max(1);
            if self.total.bytes > most {
                // Time has passed, so that more may be too old.
                self.forget(nth);
            }
            while self.total.bytes > most {
                let Some(span) = self.spans.get_mut(nth).filter(|span| **span > 0) else { break };
                *span = span.saturating_sub(step);
                self.forget(nth);
            }
        }
    }
}
