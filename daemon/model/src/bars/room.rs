//! Which bars go: those that are too old, and those for which there is no room.

use super::{Bars, BookId};

/// A period's bars go in this many steps when there is too little room.
const STEPS: u64 = 64;
/// After a search that did not find enough room, the next one comes when such a part of all bytes more is taken.
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

    /// Drops bars so that so many bytes more have room, and says whether they have. Where the last search found too little, it does
    /// not search again for each tick.
    pub(super) fn make_room_for(&mut self, more: usize) -> bool {
        let most = self.bytes_max.saturating_sub(more);
        if self.total.bytes > most && self.total.bytes >= self.searched_until {
            self.make_room(most);
            let is_enough = self.total.bytes <= most;
            self.searched_until =
                if is_enough { 0 } else { self.total.bytes + (self.bytes_max / SEARCH_PART).max(1) };
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
            while self.total.bytes > most {
                let Some(span) = self.spans.get_mut(nth).filter(|span| **span > 0) else { break };
                *span = span.saturating_sub(step);
                self.counts.crowded += self.forget(nth) as u64;
                let floor = self.floor_of(nth).saturating_mul(self.plan.ms(nth));
                if let Some(lost) = self.lost.get_mut(nth) {
                    *lost = floor.max(*lost);
                }
            }
        }
    }
}
