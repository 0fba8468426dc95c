//! Bars as topics: `tickerd.bars.1m.stocks.AAPL` has each bar that closes, `tickerd.bar.1m.stocks.AAPL` the open one.
//!
//! They are on the board while someone asks for them, and for a moment after someone asked what it missed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::wants::Wants;
use crate::exchange::question::Want;
use tickerd_model::bars::bar::Bar;
use tickerd_model::bars::plan::Plan;
use tickerd_model::bars::{Bars, Closed};
use tickerd_model::board::Board;
use tickerd_model::sample::Class;
use tickerd_model::source::SourceId;
use tickerd_model::tick::Tick;
use tickerd_model::topic::bar::{self, Form};
use tickerd_model::topic::{Pattern, Topic};
use tickerd_model::wire::frame::Frame;

/// The kind of their ticks.
const KIND: &str = "bar";
/// Topics behind that are looked at in one turn of the pulse, each some 10 µs.
const ARRANGED_MAX: usize = 128;
/// Who asked what it missed of a topic subscribes within this many beats.
const HELD_BEATS: u32 = 10;

/// The bars that are on the board.
#[derive(Debug, Default)]
pub struct Live {
    /// Whose topics they are, once that is there.
    source: Option<SourceId>,
    /// By the topic behind.
    shown: HashMap<Arc<str>, Vec<Shown>>,
    /// Topics behind that are to be looked at, each once.
    queue: VecDeque<Arc<str>>,
    queued: HashSet<Arc<str>>,
}

/// One topic on the board.
#[derive(Debug)]
struct Shown {
    form: Form,
    period: usize,
    topic: Topic,
    /// Beats for which it stays though nobody asks for it.
    held: u32,
}

/// What it takes to put bars on the board.
pub struct Stage<'a> {
    pub bars: &'a mut Bars,
    pub board: &'a mut Board,
    pub now_ms: u64,
}

impl Live {
    /// They are topics of this source.
    pub fn open(&mut self, source: SourceId) {
        self.source = Some(source);
    }

    /// The source beats: finds what is asked for and new, and what nobody asks for any more; and tells what has moved.
    pub fn beat(&mut self, source: SourceId, wants: &mut Wants, stage: &mut Stage<'_>) {
        if self.source != Some(source) {
            return;
        }
        // What closed is told to those who were there. To who comes now the newest bar is told as the first one.
        self.tell_closed(stage);
        let (changes, opened) = (wants.take_changes(), stage.bars.take_opened());
        self.find(&changes, stage.bars);
        if !wants.is_empty() {
            opened.into_iter().for_each(|topic| self.enqueue(topic));
        }
        let mut over = Vec::new();
        for (topic, shown) in &mut self.shown {
            for one in shown.iter_mut().filter(|one| one.held > 0) {
                one.held -= 1;
                if one.held == 0 {
                    over.push(topic.clone());
                }
            }
        }
        over.into_iter().for_each(|topic| self.enqueue(topic));
        self.work(wants, stage);
        self.tell_open(stage);
    }

    /// Puts some of what was found on the board, or takes it off. A pattern may mean thousands of topics, and other sources' beats
    /// must not wait for all of them.
    pub fn work(&mut self, wants: &Wants, stage: &mut Stage<'_>) {
        for _ in 0..ARRANGED_MAX {
            let Some(topic) = self.queue.pop_front() else { return };
            self.queued.remove(&topic);
            self.arrange(&topic, wants, stage);
        }
    }

    /// Whether there is more to do.
    pub fn is_owing(&self) -> bool {
        !self.queue.is_empty()
    }

    fn enqueue(&mut self, topic: Arc<str>) {
        if self.queued.insert(topic.clone()) {
            self.queue.push_back(topic);
        }
    }

    /// Finds the topics behind that changes may be about. Several patterns cost as much as one that means all.
    fn find(&mut self, changes: &[Want], bars: &Bars) {
        let reach = |change: &Want| bar::reach(&change.name).map(|reach| reach.topics.to_owned());
        let (patterns, names): (Vec<String>, Vec<String>) =
            changes.iter().filter_map(reach).partition(|topics| Pattern::is_pattern(topics));
        names.into_iter().for_each(|name| self.enqueue(name.into()));
        let only = match patterns.as_slice() {
            [] => return,
            [only] => Pattern::parse(only).ok(),
            _ => None,
        };
        let is_meant = |topic: &&Arc<str>| only.as_ref().is_none_or(|pattern| pattern.matches(topic));
        let meant: Vec<_> = bars.names().chain(self.shown.keys()).filter(is_meant).cloned().collect();
        meant.into_iter().for_each(|topic| self.enqueue(topic));
    }

    /// Has on the board what is asked for of one topic.
    fn arrange(&mut self, behind: &Arc<str>, wants: &Wants, stage: &mut Stage<'_>) {
        let Some(source) = self.source else { return };
        let plan = stage.bars.plan().clone();
        for form in Form::ALL {
            for (nth, period) in plan.periods().iter().enumerate() {
                let shown = self.shown.get_mut(behind).into_iter().flatten();
                let mut shown = shown.filter(|one| (one.form, one.period) == (form, nth));
                let is_held = shown.next().map(|one| one.held > 0);
                match (is_held, wants.is_wanted(form, &period.name, behind)) {
                    (None, true) => {
                        if let Some(topic) = self.show(behind, form, nth, 0, stage) {
                            stage.say_first(source, behind, form, nth, &topic);
                        }
                    }
                    (Some(false), false) => self.hide(behind, form, nth, stage),
                    // Its bars may be another book by now, which does not know that it is watched.
                    (Some(_), _) if form == Form::Closed => drop(stage.bars.watch(behind, nth, true)),
                    _ => {}
                }
            }
        }
    }

    /// Puts a topic on the board, if there are such bars.
    fn show(
        &mut self,
        behind: &Arc<str>,
        form: Form,
        nth: usize,
        held: u32,
        stage: &mut Stage<'_>,
    ) -> Option<Topic> {
        let Stage { bars, board, .. } = stage;
        let plan = bars.plan();
        let (source, period) = (self.source?, plan.periods().get(nth)?);
        let name = bar::name_of(form, &period.name, behind);
        let class = if form == Form::Closed { Class::Event } else { Class::State };
        let topic = Topic::new(&name, KIND, class);
        if !bars.has(behind) {
            return None;
        }
        // The last bar that closed is told first, or was told in answer to what was missed.
        let last = bars.last_closed(behind, nth).map_or(0, |bar| bar.slot);
        let seq = (form == Form::Closed).then(|| if held > 0 { last } else { last.saturating_sub(1) });
        board.declare_passing(source, &topic, seq);
        if form == Form::Closed {
            bars.watch(behind, nth, true);
        }
        let shown = Shown { form, period: nth, topic: topic.clone(), held };
        self.shown.entry(behind.clone()).or_default().push(shown);
        Some(topic)
    }

    fn hide(&mut self, behind: &Arc<str>, form: Form, nth: usize, stage: &mut Stage<'_>) {
        let (Some(source), Some(shown)) = (self.source, self.shown.get_mut(behind)) else { return };
        shown.retain(|one| {
            let is_it = (one.form, one.period) == (form, nth);
            if is_it {
                stage.board.retire(source, &one.topic);
            }
            !is_it
        });
        if shown.is_empty() {
            self.shown.remove(behind);
        }
        if form == Form::Closed {
            stage.bars.watch(behind, nth, false);
        }
    }

    /// Says what closed since the last beat.
    fn tell_closed(&mut self, stage: &mut Stage<'_>) {
        let Some(source) = self.source else { return };
        for behind in self.shown.keys() {
            stage.bars.settle(behind);
        }
        let plan = stage.bars.plan().clone();
        for Closed { topic: behind, period, bar } in stage.bars.take_closed() {
            let shown = self.shown.get(&behind).into_iter().flatten();
            for one in shown.filter(|one| (one.form, one.period) == (Form::Closed, period)) {
                stage.offer(source, &one.topic, bar.slot, &bar, period, &plan);
            }
        }
    }

    /// Says what moved since the last beat.
    fn tell_open(&mut self, stage: &mut Stage<'_>) {
        let Some(source) = self.source else { return };
        let plan = stage.bars.plan().clone();
        for (behind, shown) in &self.shown {
            let mut open = shown.iter().filter(|one| one.form == Form::Open).peekable();
            if open.peek().is_none() || !stage.bars.take_moved(behind) {
                continue;
            }
            for one in open {
                // A beat comes when a period ends, often before the first tick of the next one.
                if let Some(bar) = stage.bars.newest(behind, one.period) {
                    stage.offer(source, &one.topic, 0, &bar, one.period, &plan);
                }
            }
        }
    }

    /// The bars that closed after the one with this number and were pushed, as ticks. The topic is on the board then for as long as
    /// it takes to subscribe to it. None if some are gone, or may be, or if they may be more than `most`.
    pub fn missed(
        &mut self,
        name: &str,
        seq: u64,
        most: usize,
        stage: &mut Stage<'_>,
    ) -> Option<Vec<Arc<Frame>>> {
        let bar::Behind { form: Form::Closed, period, topic: behind } = bar::behind(name)? else {
            return None;
        };
        let nth = stage.bars.plan().find(period)?;
        let bars = stage.bars.closed_after(behind, nth, seq, most)?;
        let behind: Arc<str> = behind.into();
        let mut shown = self.shown.get_mut(&behind).into_iter().flatten();
        let topic = match shown.find(|one| (one.form, one.period) == (Form::Closed, nth)) {
            Some(one) => {
                one.held = HELD_BEATS;
                one.topic.clone()
            }
            None => self.show(&behind, Form::Closed, nth, HELD_BEATS, stage)?,
        };
        let pushed = stage.board.find(name).map_or(0, |id| stage.board.pushed(id));
        let plan = stage.bars.plan().clone();
        let ms = plan.periods().get(nth)?.ms;
        let n = stage.board.n();
        let told = bars.iter().filter(|bar| bar.slot <= pushed);
        Some(
            told.map(|bar| Arc::new(Frame::new(tick(&topic, bar.slot, n, bar, ms, (bar.slot + 1) * ms))))
                .collect(),
        )
    }
}

impl Stage<'_> {
    /// The first thing that is said of a topic: its newest bar.
    fn say_first(&mut self, source: SourceId, behind: &Arc<str>, form: Form, nth: usize, topic: &Topic) {
        let bar = match form {
            Form::Closed => self.bars.last_closed(behind, nth),
            Form::Open => self.bars.newest(behind, nth),
        };
        let plan = self.bars.plan().clone();
        if let Some(bar) = bar {
            let seq = if form == Form::Closed { bar.slot } else { 0 };
            self.offer(source, topic, seq, &bar, nth, &plan);
        }
    }

    fn offer(&mut self, source: SourceId, topic: &Topic, seq: u64, bar: &Bar, nth: usize, plan: &Plan) {
        let ms = plan.periods().get(nth).map_or(1, |period| period.ms);
        self.board.offer(source, tick(topic, seq, 0, bar, ms, self.now_ms));
    }
}

/// A bar as a tick.
fn tick(topic: &Topic, seq: u64, n: u64, bar: &Bar, period_ms: u64, ts: u64) -> Tick {
    let mut value = Vec::with_capacity(160);
    bar.write(period_ms, &mut value);
    Tick { topic: topic.clone(), seq, n, ts, src_ts: 0, from: None, value: value.into(), merged: 0 }
}

#[cfg(test)]
mod tests;
