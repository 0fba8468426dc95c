//! The bars of one topic.
//!
//! A tick goes into the open bars of the periods that are made of no shorter one. When such a bar closes, it goes into the
//! longer ones. So a tick costs the same with one period and with many, and each bar is exact.

use std::sync::Arc;

use super::bar::{Bar, Mark, Volume};
use super::plan::Plan;
use super::saving::Sizes;
use super::series::Series;

/// The clock may step back so far, in milliseconds, and what comes then goes into the bar that is open. If it steps back
/// further, it was wrong before: bars that lie ahead of it go.
pub const STEP_BACK_MAX_MS: u64 = 60_000;

/// In place of a time since which a topic's ticks are in bars: none of them are now. No clock is so late.
pub const LAPSED: u64 = 1 << 53;

/// What a topic takes besides its book, about: its places in tables, and what the allocator adds to what it has.
const BOOK_BYTES: usize = 400;
/// What a period of a topic takes besides its blocks, about: their list.
const TRACK_BYTES: usize = 64;

/// What is kept of one period.
#[derive(Debug, Default)]
pub struct Track {
    /// What is open of it, without what is open of the period that it is made of.
    pub(super) open: Option<Bar>,
    pub(super) closed: Series,
    /// The first slot whose closed bar is not saved yet.
    pub(super) unsaved_from: u64,
    /// Whether the open bar changed since it was saved.
    pub(super) is_open_unsaved: bool,
}

/// The bars of one topic.
#[derive(Debug)]
pub struct Book {
    /// The topic.
    pub name: Arc<str>,
    /// Of which kind it is.
    pub kind: Box<str>,
    /// The field that its bars are made of.
    pub field: Box<str>,
    /// The field whose sizes are added up.
    pub(super) sizes: Sizes,
    /// Its ticks before this time, in Unix milliseconds, may be in no bar.
    pub(super) since: u64,
    /// By period.
    pub(super) tracks: Box<[Track]>,
    /// No tick goes into a bar before this time: it is closed, or later ticks were taken.
    floor: u64,
    /// When the first open bar ends.
    pub(super) next_end: u64,
    /// How many topics on the board it is of: one, or none while the topic is away.
    pub(super) is_attached: bool,
}

/// What a tick did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bars that went because the clock was wrong when they were made.
    pub ahead: usize,
    /// From which slot on they went, by period.
    pub cuts: Vec<(usize, u64)>,
}

impl Book {
    pub fn new(name: &str, kind: &str, field: &str, plan: &Plan) -> Book {
        let tracks = plan.periods().iter().map(|_| Track::default()).collect();
        let (name, kind, field, sizes) = (name.into(), kind.into(), field.into(), Sizes::default());
        Book { name, kind, field, sizes, since: 0, tracks, floor: 0, next_end: u64::MAX, is_attached: false }
    }

    /// Volumes are of these sizes from now on. What is open has none if it was of others: no sum is of two fields.
    pub(super) fn size_by(&mut self, sizes: Sizes) {
        if self.sizes != Sizes::Unsaid {
            for track in &mut self.tracks {
                track.is_open_unsaved |= track.open.is_some();
                track.open.iter_mut().for_each(|bar| bar.volume = Volume::Unknown);
            }
        }
        self.sizes = sizes;
    }

    /// Takes what a tick brings, which was accepted at `ts` in Unix milliseconds. Bars that close are told to `on_close` with
    /// the place of their period.
    pub fn take(
        &mut self,
        plan: &Plan,
        mark: &Mark,
        ts: u64,
        on_close: &mut impl FnMut(usize, &Bar),
    ) -> Taken {
        let mut taken = Taken::default();
        if self.floor > ts.saturating_add(STEP_BACK_MAX_MS) {
            taken = self.rewind(plan, ts);
        }
        let at = ts.max(self.floor);
        if at >= self.next_end {
            self.advance(plan, at, on_close);
        }
        let mut has_opened = false;
        for (nth, track) in self.tracks.iter_mut().enumerate() {
            if plan.base(nth).is_some() {
                continue;
            }
            match &mut track.open {
                Some(bar) => bar.add(mark),
                open => {
                    let slot = at / plan.ms(nth);
                    *open = Some(Bar::of(slot, mark));
                    self.floor = self.floor.max(slot * plan.ms(nth));
                    has_opened = true;
                }
            }
            track.is_open_unsaved = true;
        }
        if has_opened {
            self.find_next_end(plan);
        }
        taken
    }

    /// Closes the bars whose period is over at `now`. Ticks that come later go into later bars.
    pub fn advance(&mut self, plan: &Plan, now: u64, on_close: &mut impl FnMut(usize, &Bar)) {
        for nth in 0..self.tracks.len() {
            let slot = now / plan.ms(nth);
            let Some(track) = self.tracks.get_mut(nth) else { return };
            let Some(bar) = track.open.take_if(|bar| bar.slot < slot) else { continue };
            track.is_open_unsaved = false;
            track.closed.push(&bar);
            self.floor = self.floor.max((bar.slot + 1) * plan.ms(nth));
            on_close(nth, &bar);
            for (longer, track) in
                self.tracks.iter_mut().enumerate().filter(|(at, _)| plan.base(*at) == Some(nth))
            {
                match &mut track.open {
                    Some(open) => open.absorb(&bar),
                    open => *open = Some(Bar { slot: slot_in(plan, nth, bar.slot, longer), ..bar.clone() }),
                }
                track.is_open_unsaved = true;
            }
        }
        self.find_next_end(plan);
    }

    /// The bar of a period that is open now, with everything in it.
    pub fn open(&self, plan: &Plan, nth: usize) -> Option<Bar> {
        let own = self.tracks.get(nth)?.open.clone();
        let Some(base) = plan.base(nth) else { return own };
        match (own, self.open(plan, base)) {
            (Some(mut own), Some(part)) => {
                own.absorb(&part);
                Some(own)
            }
            (None, Some(part)) => Some(Bar { slot: slot_in(plan, base, part.slot, nth), ..part }),
            (own, None) => own,
        }
    }

    /// Its closed bars of a period.
    pub fn closed(&self, nth: usize) -> Option<&Series> {
        self.tracks.get(nth).map(|track| &track.closed)
    }

    /// The clock was wrong: what lies ahead of `ts` goes.
    fn rewind(&mut self, plan: &Plan, ts: u64) -> Taken {
        let mut taken = Taken::default();
        for (nth, track) in self.tracks.iter_mut().enumerate() {
            let slot = ts / plan.ms(nth);
            let open = track.open.take_if(|bar| bar.slot >= slot);
            let went = track.closed.cut(slot) + usize::from(open.is_some());
            track.unsaved_from = track.unsaved_from.min(slot);
            if went > 0 {
                taken.ahead += went;
                taken.cuts.push((nth, slot));
            }
        }
        self.floor = 0;
        self.rebuild(plan, ts);
        self.find_next_end(plan);
        taken
    }

    /// Puts together what is left of the longer bars that were open at `ts`.
    fn rebuild(&mut self, plan: &Plan, ts: u64) {
        for nth in 0..self.tracks.len() {
            let Some(base) = plan.base(nth) else { continue };
            let slot = ts / plan.ms(nth);
            let first = slot * plan.ms(nth) / plan.ms(base);
            let parts = self.tracks.get(base).into_iter();
            let parts = parts.flat_map(|track| track.closed.from(first));
            let whole = parts.reduce(|mut whole, part| {
                whole.absorb(&part);
                whole
            });
            let (Some(track), Some(whole)) = (self.tracks.get_mut(nth), whole) else { continue };
            track.open = Some(Bar { slot, ..whole });
            track.is_open_unsaved = true;
        }
    }

    /// Puts a bar of an earlier run back; in order.
    pub(super) fn restore(&mut self, plan: &Plan, nth: usize, bar: Bar, is_open: bool) {
        let Some(track) = self.tracks.get_mut(nth) else { return };
        let start = bar.slot.saturating_mul(plan.ms(nth));
        let end = start.saturating_add(plan.ms(nth));
        self.floor = self.floor.max(if is_open { start } else { end });
        match is_open {
            true => track.open = Some(bar),
            false => {
                track.unsaved_from = bar.slot + 1;
                track.closed.push(&bar);
            }
        }
        self.find_next_end(plan);
    }

    fn find_next_end(&mut self, plan: &Plan) {
        let ends = self.tracks.iter().enumerate().filter_map(|(nth, track)| {
            track.open.as_ref().map(|bar| bar.slot.saturating_add(1).saturating_mul(plan.ms(nth)))
        });
        self.next_end = ends.min().unwrap_or(u64::MAX);
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let tracks = self.tracks.iter().map(|track| {
            size_of::<Track>() + TRACK_BYTES + track.closed.bytes() + track.open.as_ref().map_or(0, Bar::heap)
        });
        size_of::<Book>() + BOOK_BYTES + 2 * self.name.len() + tracks.sum::<usize>()
    }

    /// How many closed bars it has.
    pub fn count(&self) -> usize {
        self.tracks.iter().map(|track| track.closed.count()).sum()
    }

    /// Whether it has no bar at all.
    pub fn is_empty(&self) -> bool {
        self.tracks.iter().all(|track| track.open.is_none() && track.closed.count() == 0)
    }
}

/// The slot of a longer period in which a slot of a shorter one lies.
fn slot_in(plan: &Plan, shorter: usize, slot: u64, longer: usize) -> u64 {
    slot.saturating_mul(plan.ms(shorter)) / plan.ms(longer)
}
