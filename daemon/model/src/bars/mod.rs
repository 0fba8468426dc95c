//! Bars: of each topic with a main figure the first, greatest, least and last one of each period.
//!
//! A bar goes by the time at which its ticks were accepted, so none is late. Its figures have the digits that the source wrote.
//! A period without ticks has no bar. Bars are bounded by age and by bytes; what goes is counted.

pub mod bar;
mod book;
pub mod clock;
pub mod decimal;
mod kept;
pub mod member;
mod packed;
pub mod past;
pub mod plan;
mod room;
pub mod saving;
mod series;
mod store;

use std::collections::HashMap;
use std::sync::Arc;

use self::bar::Bar;
use self::book::Book;
pub use self::book::{LAPSED, STEP_BACK_MAX_MS};
use self::clock::{Clock, Others};
use self::decimal::NoFigure;
use self::kept::{Kept, Total};
use self::plan::Plan;
pub use self::plan::{Spec, Specs};
use crate::source::SourceId;
use crate::tick::Tick;
use crate::topic::{Topic, TopicMap};

crate::slab_key!(/** A topic's place among the bars. */ pub BookId);

/// A topic on the board.
#[derive(Debug)]
struct Attached {
    source: SourceId,
    /// `None`: it has no bars.
    book: Option<(BookId, Arc<Spec>)>,
    /// It has none because there was no room.
    is_refused: bool,
}

/// What was counted since the last look.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Ticks without a usable figure.
    pub unusable: HashMap<(SourceId, NoFigure), u64>,
    /// Bars that went because there was too little room.
    pub crowded: u64,
    /// Bars that went because the clock was ahead when they were made.
    pub ahead: u64,
    /// Bars that went because the topic's kind or field is another now.
    pub replaced: u64,
    /// Topics that got no bars because there was no room for one more.
    pub refused: u64,
}

/// A bar that closed, of a topic whose closed bars are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    pub topic: Arc<str>,
    /// Which of the plan's periods.
    pub period: usize,
    pub bar: Bar,
}

/// The bars of all topics.
#[derive(Debug)]
pub struct Bars {
    plan: Plan,
    /// Most bytes in all.
    bytes_max: usize,
    books: crate::basics::slab::Slab<BookId, Kept>,
    by_name: HashMap<Arc<str>, BookId>,
    attached: TopicMap<Attached>,
    /// What the bars of a source's topics are made of.
    specs: HashMap<SourceId, Specs>,
    /// By source, since when that is so, in Unix milliseconds.
    specified: HashMap<SourceId, u64>,
    /// By period: how long bars are kept as long as room is scarce, in milliseconds.
    spans: Box<[u64]>,
    /// By period: bars before this time, in Unix milliseconds, may be gone, or were never made.
    lost: Box<[u64]>,
    /// The same for topics that get bars from now on: earlier ones of theirs went, or had no room.
    lost_topics: u64,
    total: Total,
    /// There was no room the last time, and it is not looked for again below so many bytes.
    searched_until: usize,
    clock: Clock,
    /// Sources whose ticks another computer accepts.
    others: Others,
    counts: Counts,
    closed: Vec<Closed>,
    /// Topics that got a book since they were taken, if anyone takes them.
    opened: Vec<Arc<str>>,
    saving: Option<store::Ledger>,
    next_number: u32,
}

impl Bars {
    /// None yet, of these periods, at most [`u16::BITS`] of them.
    pub fn new(plan: Plan, bytes_max: usize) -> Bars {
        let spans: Box<[u64]> = plan.periods().iter().map(|period| period.keep_ms).collect();
        Bars {
            plan,
            bytes_max,
            books: Default::default(),
            by_name: HashMap::new(),
            attached: TopicMap::default(),
            specs: HashMap::new(),
            specified: HashMap::new(),
            lost: spans.iter().map(|_| 0).collect(),
            lost_topics: 0,
            spans,
            total: Total::default(),
            searched_until: 0,
            clock: Clock::default(),
            others: Others::default(),
            counts: Counts::default(),
            closed: Vec::new(),
            opened: Vec::new(),
            saving: None,
            next_number: 1,
        }
    }

    /// The periods that are kept.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Says what the bars of a source's topics are made of. What was said of this source before does not hold any more.
    pub fn specify(&mut self, source: SourceId, specs: Specs) {
        self.forget_specs(source);
        if !self.plan.periods().is_empty() && !specs.is_empty() {
            self.specs.insert(source, specs);
            self.specified.insert(source, self.clock.wall());
        }
    }

    /// A source went: its bars stay until they are too old.
    pub fn close(&mut self, source: SourceId) {
        self.others.forget(source);
        self.forget_specs(source);
    }

    fn forget_specs(&mut self, source: SourceId) {
        self.specs.remove(&source);
        self.specified.remove(&source);
        let Bars { attached, books, lost_topics, clock, .. } = self;
        attached.retain(|_, topic| {
            if topic.source == source {
                detach(books, topic);
                note_lost(lost_topics, topic, clock);
            }
            topic.source != source
        });
    }

    /// A topic went: its bars stay until they are too old.
    pub fn retire(&mut self, topic: &Topic) {
        if let Some(attached) = self.attached.remove(topic) {
            detach(&mut self.books, &attached);
            note_lost(&mut self.lost_topics, &attached, &self.clock);
        }
    }

    /// It is this late now: milliseconds on a clock that is never set, and Unix milliseconds.
    pub fn look(&mut self, mono_ms: u64, wall_ms: u64) {
        self.clock.look(mono_ms, wall_ms);
    }

    /// Another computer accepts a source's ticks: all before `ts`, by its clock, are here, and come within `wait_ms` of that.
    pub fn hear(&mut self, source: SourceId, ts: u64, wait_ms: u64) {
        self.others.hear(&self.clock, source, ts, wait_ms);
    }

    /// Who accepts a source's ticks is not heard.
    pub fn miss(&mut self, source: SourceId) {
        self.others.miss(&self.clock, source);
    }

    /// A source's ticks are accepted here.
    pub fn accept_here(&mut self, source: SourceId) {
        self.others.forget(source);
    }

    /// Takes a tick that was accepted.
    pub fn take(&mut self, source: SourceId, tick: &Tick) {
        if self.specs.is_empty() && self.books.is_empty() {
            return;
        }
        if !self.attached.contains_key(&tick.topic) {
            self.attach(source, &tick.topic);
        }
        let Bars { plan, books, closed, counts, saving, total, attached, .. } = self;
        let Some(Attached { book: Some((id, spec)), .. }) = attached.get(&tick.topic) else { return };
        let mark = match spec.read(tick) {
            Ok(mark) => mark,
            Err(why) => return *counts.unusable.entry((source, why)).or_default() += 1,
        };
        let Some(kept) = books.get_mut(*id) else { return };
        let taken = kept.take(plan, &mark, tick.ts, closed, total);
        counts.ahead += taken.ahead as u64;
        if let Some(ledger) = saving {
            ledger.note(*id, kept);
            ledger.cut(plan, kept.number, &taken.cuts);
        }
        self.make_room_for(0);
    }

    fn attach(&mut self, source: SourceId, topic: &Topic) {
        let spec = self.specs.get(&source).and_then(|specs| specs.of(topic.kind())).cloned();
        let is_wanted = spec.is_some();
        let book = spec.and_then(|spec| Some((self.open_book(source, topic, &spec)?, spec)));
        if !is_wanted {
            self.lapse(topic.name());
        }
        let is_refused = is_wanted && book.is_none();
        self.attached.insert(topic.clone(), Attached { source, book, is_refused });
    }

    /// A topic's ticks are in no bar from now on, whatever it had before.
    fn lapse(&mut self, topic: &str) {
        let Some(id) = self.by_name.get(topic).copied() else { return };
        self.settle_book(id);
        let Bars { books, saving, clock, .. } = self;
        let Some(kept) = books.get_mut(id) else { return };
        kept.lapse(clock.wall());
        saving.iter_mut().for_each(|ledger| ledger.note(id, kept));
    }

    /// The topic's book: the one it had before, if it was of the same kind and field.
    fn open_book(&mut self, source: SourceId, topic: &Topic, spec: &Spec) -> Option<BookId> {
        let field = spec.main.name();
        let said = self.specified.get(&source).copied().unwrap_or(0);
        if let Some(id) = self.by_name.get(topic.name()).copied() {
            // What is over by now had the sizes of before.
            self.settle_book(id);
            let kept = self.books.get_mut(id)?;
            if *kept.book.kind == *topic.kind() && *kept.book.field == *field {
                kept.book.is_attached = true;
                kept.source = Some(source);
                kept.resume(spec.sizes(), said);
                return Some(id);
            }
            self.counts.replaced += self.drop_book(id) as u64;
            self.lost_topics = self.clock.wall();
        }
        let mut book = Book::new(topic.name(), topic.kind(), field, &self.plan);
        book.is_attached = true;
        book.sizes = spec.sizes();
        book.since = said.max(self.lost_topics);
        if !self.make_room_for(book.bytes()) {
            self.counts.refused += 1;
            return None;
        }
        let id = self.insert(book, None);
        self.books.get_mut(id).into_iter().for_each(|kept| kept.source = Some(source));
        Some(id)
    }

    fn insert(&mut self, book: Book, number: Option<u32>) -> BookId {
        let weight = Total { bytes: book.bytes(), bars: book.count() };
        self.total.bytes += weight.bytes;
        let name = book.name.clone();
        let number_of = number.unwrap_or(self.next_number);
        self.next_number = self.next_number.max(number_of.saturating_add(1));
        let kept = Kept {
            book,
            source: None,
            number: number_of,
            weight,
            watched: 0,
            has_moved: false,
            is_unsaved: false,
            is_named: number.is_some(),
            lapse: None,
        };
        let id = self.books.insert(kept);
        self.opened.push(name.clone());
        self.by_name.insert(name, id);
        id
    }

    /// Drops all bars of a topic. Returns how many there were.
    fn drop_book(&mut self, id: BookId) -> usize {
        let Some(Kept { book, number, weight, .. }) = self.books.remove(id) else { return 0 };
        self.total.bytes = self.total.bytes.saturating_sub(weight.bytes);
        self.total.bars = self.total.bars.saturating_sub(weight.bars);
        self.by_name.remove(&book.name);
        if let Some(ledger) = &mut self.saving {
            ledger.drop(number);
        }
        book.count() + book.tracks.iter().filter(|track| track.open.is_some()).count()
    }

    /// Says whether closed bars of a topic and period are to be told. Answers whether the topic has bars at all.
    pub fn watch(&mut self, topic: &str, period: usize, is_watched: bool) -> bool {
        let Some(kept) = self.by_name.get(topic).copied().and_then(|id| self.books.get_mut(id)) else {
            return false;
        };
        match is_watched {
            true => kept.watched |= 1 << period,
            false => kept.watched &= !(1 << period),
        }
        true
    }

    /// Closes the bars of a topic whose period is over.
    pub fn settle(&mut self, topic: &str) {
        if let Some(id) = self.by_name.get(topic).copied() {
            self.settle_book(id);
        }
    }

    fn settle_book(&mut self, id: BookId) {
        let now = self.others.now_of(&self.clock, self.books.get(id).and_then(|kept| kept.source));
        let Bars { plan, books, closed, saving, total, .. } = self;
        let Some(kept) = books.get_mut(id).filter(|kept| kept.book.next_end <= now) else { return };
        kept.advance(plan, now, closed, total);
        saving.iter_mut().for_each(|ledger| ledger.note(id, kept));
    }

    /// The topics that got bars since the last call.
    pub fn take_opened(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.opened)
    }

    /// The bars that closed since the last call, of topics whose closed bars are watched, in order.
    pub fn take_closed(&mut self) -> Vec<Closed> {
        std::mem::take(&mut self.closed)
    }

    /// Whether the open bars of a topic moved since the last call.
    pub fn take_moved(&mut self, topic: &str) -> bool {
        let kept = self.by_name.get(topic).copied().and_then(|id| self.books.get_mut(id));
        kept.is_some_and(|kept| std::mem::take(&mut kept.has_moved))
    }

    /// What was counted since the last call.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// How many topics have bars.
    pub fn topics(&self) -> usize {
        self.by_name.len()
    }

    /// How many closed bars are kept.
    pub fn count(&self) -> usize {
        self.total.bars
    }

    /// About how many bytes all of it takes.
    pub fn bytes(&self) -> usize {
        self.total.bytes
    }
}

/// A topic that has no bars for lack of room goes: it may have some when it comes back.
fn note_lost(lost_topics: &mut u64, topic: &Attached, clock: &Clock) {
    if topic.is_refused {
        *lost_topics = clock.wall();
    }
}

fn detach(books: &mut crate::basics::slab::Slab<BookId, Kept>, topic: &Attached) {
    let kept = topic.book.as_ref().and_then(|(id, _)| books.get_mut(*id));
    kept.into_iter().for_each(|kept| kept.book.is_attached = false);
}

#[cfg(test)]
mod tests;
