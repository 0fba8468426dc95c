//! Which bars have to be saved, and how those of an earlier run come back.

use std::collections::HashMap;

use super::book::Book;
use super::clock::Clock;
use super::kept::Kept;
use super::plan::Plan;
use super::saving::{Batch, Key, Named, Saved, Times, write_row};
use super::{Bars, BookId};

/// What changed since the last batch.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    books: Vec<BookId>,
    cuts: Vec<Key>,
    gone: Vec<u32>,
    /// Whether too much changed to be noted one by one.
    is_lost: bool,
    /// The wall clock at the last batch, in Unix milliseconds.
    until: u64,
}

/// Where nothing comes, that is saved so often, in milliseconds: after a crash it is known that nothing came.
const QUIET_MS: u64 = 60_000;

/// Most cuts and topics that went between two batches. Over that, everything is saved anew.
const NOTED_MAX: usize = 65_536;

impl Ledger {
    pub fn note(&mut self, id: BookId, kept: &mut Kept) {
        if !std::mem::replace(&mut kept.is_unsaved, true) {
            self.books.push(id);
        }
    }

    pub fn cut(&mut self, plan: &Plan, topic: u32, cuts: &[(usize, u64)]) {
        let keys = cuts.iter().map(|(nth, slot)| Key { period_s: seconds(plan, *nth), slot: *slot, topic });
        self.cuts.extend(keys);
        self.bound();
    }

    pub fn drop(&mut self, number: u32) {
        self.gone.push(number);
        self.bound();
    }

    fn bound(&mut self) {
        if self.cuts.len() + self.gone.len() > NOTED_MAX {
            (self.cuts, self.gone, self.is_lost) = (Vec::new(), Vec::new(), true);
        }
    }
}

fn seconds(plan: &Plan, nth: usize) -> u32 {
    u32::try_from(plan.ms(nth) / 1_000).unwrap_or(u32::MAX)
}

impl Bars {
    /// From now on, notes what changes, for [`Bars::take_unsaved`].
    pub fn keep_ledger(&mut self) {
        self.saving = Some(Ledger { is_lost: true, ..Ledger::default() });
    }

    /// Whether anything changed since the last batch.
    pub fn has_unsaved(&self) -> bool {
        let is_quiet_for_long = |ledger: &Ledger| {
            !self.by_name.is_empty() && self.clock.wall() >= ledger.until.saturating_add(QUIET_MS)
        };
        let is_so = |ledger: &Ledger| {
            ledger.is_lost
                || !(ledger.books.is_empty() && ledger.gone.is_empty())
                || is_quiet_for_long(ledger)
        };
        self.saving.as_ref().is_some_and(is_so)
    }

    /// What changed since the last call. With `all`, everything there is.
    pub fn take_unsaved(&mut self, all: bool) -> Batch {
        let Some(ledger) = self.saving.take() else { return Batch::default() };
        self.saving = Some(Ledger { until: self.clock.wall(), ..Ledger::default() });
        let all = all || ledger.is_lost;
        let times = Times {
            began: self.clock.began(),
            until: self.clock.wall(),
            unknown: self.clock.unknown().collect(),
            lost: self.lost.iter().enumerate().map(|(nth, lost)| (seconds(&self.plan, nth), *lost)).collect(),
        };
        let floors = (0..self.plan.periods().len()).map(|nth| (seconds(&self.plan, nth), self.floor_of(nth)));
        let mut batch = Batch { all, floors: floors.collect(), times, ..Batch::default() };
        if !all {
            (batch.cuts, batch.gone) = (ledger.cuts, ledger.gone);
        }
        let books = match all {
            true => self.books.iter().map(|(id, _)| id).collect(),
            false => ledger.books,
        };
        let Bars { plan, books: all_books, .. } = self;
        for id in books {
            let Some(kept) = all_books.get_mut(id) else { continue };
            // The place may have another topic by now, which is saved once all the same.
            if std::mem::take(&mut kept.is_unsaved) || all {
                kept.save(plan, all, &mut batch);
            }
        }
        batch
    }

    /// Puts back what an earlier run left. To be called before the first tick.
    pub fn restore(&mut self, saved: Saved) {
        let Times { began, until, unknown, lost } = saved.times;
        if began > 0 {
            for (nth, known) in self.lost.iter_mut().enumerate() {
                // A period that was not kept has no earlier bars.
                let was = lost.iter().find(|(period_s, _)| *period_s == seconds(&self.plan, nth));
                *known = was.map_or(until, |(_, lost)| *lost);
            }
            self.clock = Clock::resume(began, until, unknown);
        }
        let mut by_number = HashMap::new();
        for Named { number, topic, kind, field, sizes, since } in saved.names {
            if self.by_name.contains_key(&topic) {
                continue;
            }
            let mut book = Book::new(&topic, &kind, &field, &self.plan);
            (book.since, book.sizes) = (since, sizes);
            by_number.insert(number, self.insert(book, Some(number)));
        }
        let periods: HashMap<u32, usize> =
            (0..self.plan.periods().len()).map(|nth| (seconds(&self.plan, nth), nth)).collect();
        let Bars { books, plan, .. } = self;
        for (key, row) in saved.rows {
            let (Some(id), Some(nth)) = (by_number.get(&key.topic), periods.get(&key.period_s)) else {
                continue;
            };
            if let Some(kept) = books.get_mut(*id) {
                kept.book.restore(plan, *nth, row.bar, row.is_open);
            }
        }
        for (_, kept) in self.books.iter_mut() {
            kept.weigh(&mut self.total);
        }
        self.make_room_for(0);
    }
}

impl Kept {
    fn save(&mut self, plan: &Plan, all: bool, batch: &mut Batch) {
        let Kept { book, number, is_named, .. } = self;
        if all || !std::mem::replace(is_named, true) {
            let Book { name, kind, field, sizes, since, .. } = &*book;
            let (topic, kind, field, sizes) = (name.clone(), kind.clone(), field.clone(), sizes.clone());
            batch.names.push(Named { number: *number, topic, kind, field, sizes, since: *since });
        }
        *is_named = true;
        for (nth, track) in book.tracks.iter_mut().enumerate() {
            let key = |slot: u64| Key { period_s: seconds(plan, nth), slot, topic: *number };
            let from = if all { 0 } else { track.unsaved_from };
            if all || track.closed.last().is_some_and(|last| last >= from) {
                batch.rows.extend(track.closed.from(from).map(|bar| (key(bar.slot), write_row(&bar, false))));
                track.unsaved_from = track.closed.last().map_or(from, |last| last + 1);
            }
            if let Some(open) = track.open.as_ref().filter(|_| all || track.is_open_unsaved) {
                batch.rows.push((key(open.slot), write_row(open, true)));
            }
            track.is_open_unsaved = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{F, NOON, bars, plan, tick, topic};

    /// Goal: who is away after a quiet night knows that nothing came, and not only since the last tick.
    #[test]
    fn that_nothing_came_is_saved_too() {
        let mut first = bars(plan(&[("1m", 60, 86_400)]));
        first.keep_ledger();
        first.look(0, NOON);
        first.take_unsaved(false);
        first.look(100_000, NOON + 100_000);
        assert!(!first.has_unsaved(), "there are no bars");
        first.take(F, &tick(&topic("f.a"), r#"{"price":1}"#, NOON + 100_000));
        first.take_unsaved(false);
        let mut batches = 0;
        for second in 101..7_000 {
            first.look(second * 1_000, NOON + second * 1_000);
            if first.has_unsaved() {
                batches += 1;
                assert_eq!(first.take_unsaved(false).times.until, NOON + second * 1_000);
            }
        }
        assert_eq!(batches, 6_900 / 60 - 1);
    }
}
