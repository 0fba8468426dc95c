//! A topic's bars with what is known of them: how much they are, who watches, what is saved.

use super::bar::{Bar, Mark, Volume};
use super::book::{Book, LAPSED, Taken};
use super::decimal::{Decimal, NoFigure};
use super::plan::Plan;
use super::saving::Sizes;
use super::{Closed, Spec};
use crate::source::SourceId;
use crate::tick::Tick;

/// How much is kept.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Total {
    pub bytes: usize,
    /// Closed bars.
    pub bars: usize,
}

/// A book, and who wants to know of it.
#[derive(Debug)]
pub(super) struct Kept {
    pub book: Book,
    /// Whose topic it is; none: of an earlier run, and not there yet.
    pub source: Option<SourceId>,
    /// Its number on disk.
    pub number: u32,
    pub weight: Total,
    /// By period, one bit each: closed bars are watched.
    pub watched: u16,
    /// A tick came since it was asked whether one did. That a bar closes is no news of it.
    pub has_moved: bool,
    pub is_unsaved: bool,
    /// Whether what names it on disk is so.
    pub is_named: bool,
    /// Since when its ticks are in no bar, and since when they were before; Unix milliseconds.
    pub lapse: Option<(u64, u64)>,
}

/// A feed's first ticks may come here an instant before what it says of their fields. So long it has not lapsed, in milliseconds.
const INSTANT_MS: u64 = 1_000;

impl Spec {
    pub(super) fn sizes(&self) -> Sizes {
        self.size.as_ref().map_or(Sizes::Nothing, |size| Sizes::Of(size.name().into()))
    }

    /// What a tick brings.
    pub(super) fn read(&self, tick: &Tick) -> Result<Mark, NoFigure> {
        let figure = Decimal::read(self.main.find(&tick.value).ok_or(NoFigure::Missing)?)?;
        let size = match self.size.as_ref().and_then(|size| size.find(&tick.value)).map(Decimal::read) {
            None | Some(Err(NoFigure::Missing)) => Volume::None,
            Some(Ok(size)) => Volume::of(&size),
            Some(Err(_)) => Volume::Unknown,
        };
        Ok(Mark { figure, size, merged: tick.merged })
    }
}

impl Kept {
    /// A tick of its topic goes into no bar, since no field is named for it.
    pub fn lapse(&mut self, now: u64) {
        if self.book.since != LAPSED {
            self.lapse = Some((now, std::mem::replace(&mut self.book.since, LAPSED)));
            self.is_named = false;
        }
    }

    /// Its ticks are in bars again, with volumes of these sizes, as was said at this time.
    pub fn resume(&mut self, sizes: Sizes, said: u64) {
        if self.book.since == LAPSED {
            let instant = self.lapse.take().filter(|(at, _)| said <= at.saturating_add(INSTANT_MS));
            self.book.since = instant.map_or(said, |(_, since)| since);
            self.is_named = false;
        }
        if self.book.sizes != sizes {
            self.book.size_by(sizes);
            self.is_named = false;
        }
    }

    pub fn take(
        &mut self,
        plan: &Plan,
        mark: &Mark,
        ts: u64,
        closed: &mut Vec<Closed>,
        total: &mut Total,
    ) -> Taken {
        let mut over = Vec::new();
        let taken = self.book.take(plan, mark, ts, &mut |nth, bar| over.push((nth, bar.clone())));
        self.has_moved = true;
        if !over.is_empty() || taken.ahead > 0 {
            self.tell(over, closed);
            self.weigh(total);
        }
        taken
    }

    pub fn advance(&mut self, plan: &Plan, now: u64, closed: &mut Vec<Closed>, total: &mut Total) {
        let mut over = Vec::new();
        self.book.advance(plan, now, &mut |nth, bar| over.push((nth, bar.clone())));
        self.tell(over, closed);
        self.weigh(total);
    }

    fn tell(&self, over: Vec<(usize, Bar)>, closed: &mut Vec<Closed>) {
        let watched = over.into_iter().filter(|(period, _)| self.watched & (1 << period) != 0);
        closed.extend(watched.map(|(period, bar)| Closed { topic: self.book.name.clone(), period, bar }));
    }

    /// How much it is now.
    pub fn weigh(&mut self, total: &mut Total) {
        let now = Total { bytes: self.book.bytes(), bars: self.book.count() };
        let before = std::mem::replace(&mut self.weight, now);
        total.bytes = (total.bytes + now.bytes).saturating_sub(before.bytes);
        total.bars = (total.bars + now.bars).saturating_sub(before.bars);
    }
}
