//! The board: every topic's newest tick, numbered, and what is due at which beat.
//!
//! A topic belongs to a group (its feed's place in the configuration) and may be due at several tiers: tier 0 is the
//! feed's own beat, the others are the configured slower ones. They carry the newest tick of a state topic. [`Tier::Every`] is
//! due with tier 0 and carries every tick, of state topics and event topics, and what it carried is the topic's history.
//! The board hands out frames, so that all who need a tick share one.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::frame::Frame;
use super::history::{Batch, History, Limits};
use super::sample::Class;
use super::source::{Source, SourceId};
use super::tick::Tick;
use super::tier::Tier;
pub use super::topic::TopicId;
use super::topic::{Topic, TopicMap};

pub use self::ageing::Aged;
use self::ageing::Ages;
pub use self::due::Due;
pub use self::restoring::Restored;

/// Most ticks of one topic that wait for one beat, as many as a lane holds; over that the oldest go. It shows in `seq`, and
/// is counted.
pub const TICKS_PER_BEAT_MAX: usize = 1024;
/// The same for a state topic while nobody asks for every tick of anything: what a feed says above that is put away for
/// nobody, and the others' beats would wait for it.
pub const UNASKED_PER_BEAT_MAX: usize = 256;

/// Topics in a list of what may be due that are not, beyond twice as many as there are topics.
const LEFT_OVER_MAX: usize = 1024;

/// A change in which sources and topics there are, to be applied in order.
#[derive(Debug, Clone)]
pub enum Change {
    /// A source came. It has no topics yet.
    Opened(Arc<Source>),
    /// A source went. Its topics were removed before.
    Closed(SourceId),
    /// A topic spoke for the first time.
    Added(TopicId, Topic),
    /// It was retired; its number may be given again.
    Removed(TopicId),
}

#[derive(Debug)]
struct Place {
    topic: Topic,
    /// Where it is in its source's list of topics.
    at: usize,
    seq: u64,
    /// Bit per tier: due at that tier's next beat.
    dirty: u16,
    /// What was last pushed at the own beat: what `on_change` compares with, what `always` pushes again, and what the slower
    /// tiers pass on.
    pushed: Option<Arc<Frame>>,
    /// All since the last own beat.
    ticks: VecDeque<Arc<Frame>>,
    /// When there was news last, on the board's clock: when the newest tick came, or as much earlier as it was old by its
    /// source's time, if that is heeded. May lie before the clock's start.
    heard: i64,
    /// Told to be without news for too long.
    is_stale: bool,
    /// Of an earlier run, and not heard of in this one.
    is_restored: bool,
}

/// What the board keeps of a source.
#[derive(Debug)]
struct SourceState {
    source: Arc<Source>,
    /// Per tier, the topics that may be due there; which of them are is what their own marks say.
    dirty: Vec<Vec<TopicId>>,
    /// All its topics, for `always`.
    topics: Vec<TopicId>,
    /// Whether a topic was ever retired: new ones then start at the process's count, above any number they had.
    retired_any: bool,
    merged: u64,
    ages: Ages,
}

/// Every topic there is, with its newest tick and its past.
#[derive(Debug)]
pub struct Board {
    places: Vec<Option<Place>>,
    free: Vec<TopicId>,
    by_topic: TopicMap<TopicId>,
    by_name: HashMap<Box<str>, TopicId>,
    sources: HashMap<SourceId, SourceState, foldhash::fast::RandomState>,
    /// A source was closed, or there were topics that nothing is known of: new sources begin above every number that was given.
    closed_any: bool,
    changes: Vec<Change>,
    aged: Vec<Aged>,
    history: History,
    n: u64,
    /// Microseconds on the monotonic clock, as it was last told; see [`Board::set_clock`].
    now: u64,
    is_every_wanted: bool,
}

impl Board {
    /// A board without sources, which keeps so much of the past.
    pub fn new(limits: Limits) -> Board {
        Board {
            places: Vec::new(),
            free: Vec::new(),
            by_topic: TopicMap::default(),
            by_name: HashMap::new(),
            sources: HashMap::default(),
            closed_any: false,
            changes: Vec::new(),
            aged: Vec::new(),
            history: History::new(limits),
            n: 0,
            now: 0,
            is_every_wanted: true,
        }
    }

    /// A source comes. What is said for one that is not there is dropped.
    pub fn open(&mut self, source: &Arc<Source>) {
        let state = SourceState {
            source: source.clone(),
            dirty: vec![Vec::new(); source.tiers.all().len()],
            topics: Vec::new(),
            retired_any: self.closed_any,
            merged: 0,
            ages: Ages::default(),
        };
        self.sources.insert(source.id, state);
        self.changes.push(Change::Opened(source.clone()));
    }

    /// A source goes, and its topics with it.
    pub fn close(&mut self, source: SourceId) {
        let Some(state) = self.sources.get(&source) else { return };
        for id in state.topics.clone() {
            if let Some(topic) =
                self.places.get(id.0 as usize).and_then(Option::as_ref).map(|p| p.topic.clone())
            {
                self.retire(source, &topic);
            }
        }
        self.closed_any = true;
        self.sources.remove(&source);
        self.changes.push(Change::Closed(source));
    }

    /// Puts a topic of a source that is there on the board before it has spoken, so that who subscribes has it.
    pub fn declare(&mut self, source: SourceId, topic: &Topic) -> TopicId {
        debug_assert!(self.sources.contains_key(&source), "{source} is not there");
        match self.by_topic.get(topic) {
            Some(id) => *id,
            None => self.adopt(source, topic).unwrap_or_else(|| self.introduce(source, topic)),
        }
    }

    /// Numbers a tick and makes it the newest of its topic. Answers its number.
    pub fn offer(&mut self, source: SourceId, mut tick: Tick) -> u64 {
        let id = match self.by_topic.get(&tick.topic) {
            Some(id) => *id,
            None if !self.sources.contains_key(&source) => return 0,
            None => self.adopt(source, &tick.topic).unwrap_or_else(|| self.introduce(source, &tick.topic)),
        };
        let advance = 1 + tick.merged;
        self.n += advance;
        let Some(Some(place)) = self.places.get_mut(id.0 as usize) else { return 0 };
        let Some(state) = self.sources.get_mut(&source) else { return 0 };
        place.seq += advance;
        tick.seq = place.seq;
        tick.n = self.n;
        state.merged += tick.merged;
        let is_old = place.hear(&tick, self.now, &mut state.ages);
        if tick.topic != place.topic {
            // To all downstream it is the one that was restored.
            tick.topic = place.topic.clone();
        }
        if std::mem::take(&mut place.is_restored) {
            state.ages.restored -= usize::from(place.topic.class() == Class::State);
        }
        if place.is_stale && !is_old {
            place.is_stale = false;
            state.ages.stale -= 1;
            self.aged.push(Aged { topic: id, is_stale: false });
        } else if is_old && !place.is_stale {
            state.ages.old.push(id);
        }
        let class = tick.topic.class();
        let is_full = place.ticks.len()
            >= match class {
                Class::State if !self.is_every_wanted => UNASKED_PER_BEAT_MAX,
                _ => TICKS_PER_BEAT_MAX,
            };
        state.merged += u64::from(match class {
            Class::Event => is_full,
            // For those who take the newest; whether the others lost one too is not told apart.
            Class::State => !place.ticks.is_empty(),
        });
        if is_full {
            place.ticks.pop_front();
        }
        place.ticks.push_back(Arc::new(Frame::new(tick)));
        if place.dirty & 1 == 0
            && let Some(list) = state.dirty.first_mut()
        {
            place.dirty |= 1;
            list.push(id);
        }
        place.seq
    }

    /// Says whether anyone asks for every tick of anything, from the next tick on.
    pub fn want_every(&mut self, is_wanted: bool) {
        self.is_every_wanted = is_wanted;
    }

    /// Takes a topic off the board.
    pub fn retire(&mut self, source: SourceId, topic: &Topic) {
        let Some(id) = self.by_topic.remove(topic) else { return };
        self.by_name.remove(topic.name());
        let place = self.places.get_mut(id.0 as usize).and_then(Option::take);
        if let (Some(place), Some(state)) = (place, self.sources.get_mut(&source)) {
            state.retired_any = true;
            state.ages.states -= usize::from(topic.class() == Class::State);
            state.ages.stale -= usize::from(place.is_stale);
            state.ages.restored -= usize::from(place.is_restored && topic.class() == Class::State);
            // The last moves into the gap. The lists of what may be due need no search: no mark, not due.
            state.topics.swap_remove(place.at);
            let moved =
                state.topics.get(place.at).and_then(|id| self.places.get_mut(id.0 as usize)?.as_mut());
            if let Some(moved) = moved {
                moved.at = place.at;
            }
            // Topics that come and go between two slow beats would make those lists long.
            let most = 2 * state.topics.len() + LEFT_OVER_MAX;
            for (list, tier) in state.dirty.iter_mut().zip(0u8..).filter(|(list, _)| list.len() > most) {
                list.sort_unstable_by_key(|id| id.0);
                list.dedup();
                list.retain(
                    |id| matches!(self.places.get(id.0 as usize), Some(Some(p)) if p.dirty & 1 << tier != 0),
                );
            }
        }
        self.history.close(id);
        self.free.push(id);
        self.changes.push(Change::Removed(id));
    }

    /// Everything of `source` that is due at `tier` now, into `due`; with tier 0 also what [`Tier::Every`] carries. Once it is pushed
    /// it is to be remembered, see [`Board::remember`].
    ///
    /// The slower tiers pass on what the own beat has pushed, and nothing else: then each of them carries a part of one
    /// sequence, and who changes tiers or had a snapshot neither misses a tick nor gets one twice.
    pub fn take_due(&mut self, source: SourceId, tier: u8, due: &mut Vec<Due>) {
        let Board { sources, places, .. } = self;
        let Some(SourceState { source, dirty, topics, .. }) = sources.get_mut(&source) else { return };
        let Some((own, slower)) = dirty.split_first_mut() else { return };
        let Some(at) = tier.checked_sub(1) else {
            let walk = if source.always { topics.as_slice() } else { own.as_slice() };
            for id in walk {
                let Some(Some(place)) = places.get_mut(id.0 as usize) else { continue };
                if let Some(frame) = place.ticks.pop_back() {
                    let earlier = (!place.ticks.is_empty()).then(|| place.ticks.drain(..).collect());
                    let is_newest = place.push(*id, &frame, source.always, slower);
                    due.push(Due { topic: *id, tier: Tier::Every, frame, earlier, is_newest });
                } else if source.always {
                    due.extend(place.pushed.iter().map(|frame| Due::newest(*id, 0, frame)));
                }
            }
            return own.clear();
        };
        let Some(list) = slower.get_mut(usize::from(at)) else { return };
        // Draining keeps the list's memory for the next beat.
        for id in list.drain(..) {
            let Some(Some(place)) = places.get_mut(id.0 as usize) else { continue };
            if place.dirty & 1 << tier == 0 {
                continue;
            }
            place.dirty &= !(1 << tier);
            due.extend(place.pushed.iter().map(|frame| Due::newest(id, tier, frame)));
        }
    }

    /// What was due has been pushed: it is the past of its topics. Apart, since nobody who waits for it needs to wait for this.
    pub fn remember(&mut self, due: &[Due]) {
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        for Due { topic, frame, earlier, .. } in due.iter().filter(|due| due.tier == Tier::Every) {
            self.history.push(*topic, earlier.as_deref().unwrap_or_default(), frame, now);
        }
    }

    /// The past of the topics.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The number of the topic of this name, if it has spoken.
    pub fn find(&self, name: &str) -> Option<TopicId> {
        self.by_name.get(name).copied()
    }

    /// The `seq` of a topic up to which all is pushed.
    pub fn pushed(&self, id: TopicId) -> u64 {
        let place = self.places.get(id.0 as usize).and_then(Option::as_ref);
        place.map_or(0, |place| {
            place.ticks.front().map_or(place.seq, |waiting| waiting.tick().seq.saturating_sub(1))
        })
    }

    /// From now on what changes of the past is noted for [`Board::take_unsaved`].
    pub fn keep_ledger(&mut self) {
        self.history.keep_ledger();
    }

    /// What has to be written down since the last call, or `all` there is.
    pub fn take_unsaved(&mut self, all: bool) -> Batch {
        Batch { n: self.n, ..self.history.take_unsaved(all) }
    }

    /// Gives up the past that is too old.
    pub fn forget(&mut self) {
        self.history.expire(i64::try_from(self.now).unwrap_or(i64::MAX));
    }

    /// The topics that came and went since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// How many topics there are.
    pub fn count(&self) -> usize {
        self.by_topic.len()
    }

    /// How many topics a source has.
    pub fn topics(&self, source: SourceId) -> usize {
        self.sources.get(&source).map_or(0, |g| g.topics.len())
    }

    /// Ticks of a source that were merged into newer ones before they were pushed, since the last call.
    pub fn take_merged(&mut self, source: SourceId) -> u64 {
        self.sources.get_mut(&source).map_or(0, |g| std::mem::take(&mut g.merged))
    }

    fn introduce(&mut self, source: SourceId, topic: &Topic) -> TopicId {
        let state = self.sources.get_mut(&source);
        let seq = if state.as_ref().is_some_and(|s| s.retired_any) { self.n } else { 0 };
        let at = state.as_ref().map_or(0, |s| s.topics.len());
        let place = Place {
            topic: topic.clone(),
            at,
            seq,
            dirty: 0,
            pushed: None,
            ticks: VecDeque::new(),
            heard: i64::try_from(self.now).unwrap_or(i64::MAX),
            is_stale: false,
            is_restored: false,
        };
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                let id = TopicId(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
                self.places.push(None);
                id
            }
        };
        if let Some(state) = state {
            state.topics.push(id);
            state.ages.states += usize::from(topic.class() == Class::State);
        }
        if let Some(slot) = self.places.get_mut(id.0 as usize) {
            *slot = Some(place);
        }
        self.history.open(id, seq);
        self.by_topic.insert(topic.clone(), id);
        self.by_name.insert(topic.name().into(), id);
        self.changes.push(Change::Added(id, topic.clone()));
        id
    }
}

impl Place {
    /// The own beat has come, and `frame` is the newest: whether it is pushed to those who take the newest. If so, it is owed
    /// to the `slower` tiers too.
    fn push(
        &mut self,
        topic: TopicId,
        frame: &Arc<Frame>,
        always: bool,
        slower: &mut [Vec<TopicId>],
    ) -> bool {
        self.dirty &= !1;
        let differs = || self.pushed.as_ref().is_none_or(|old| old.tick().value != frame.tick().value);
        if self.topic.class() == Class::Event || !always && !differs() {
            return false;
        }
        self.pushed = Some(frame.clone());
        for (list, tier) in slower.iter_mut().zip(1..) {
            let bit = 1 << tier;
            if self.dirty & bit == 0 {
                self.dirty |= bit;
                list.push(topic);
            }
        }
        true
    }
}

mod ageing;
mod due;
mod missed;
mod restoring;
#[cfg(test)]
mod tests;
