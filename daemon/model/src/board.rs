//! The board: every topic's newest tick, numbered, and what is due at which beat.
//!
//! A topic belongs to a source and may be due at several tiers. Tier 0 is the source's own beat; the others are the
//! slower beats that are configured. These tiers carry the newest tick of a state topic. [`Tier::Every`] is due
//! together with tier 0. It carries every tick, of state topics and event topics, and what it carried becomes the
//! topic's history. The board hands out frames, so that everyone who needs a tick shares one.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::history::{Batch, Depth, History, Limits};
use crate::sample::Class;
use crate::source::{Source, SourceId};
use crate::tick::Tick;
use crate::tier::Tier;
pub use crate::topic::TopicId;
use crate::topic::{Topic, TopicMap};
use crate::wire::frame::Frame;

pub use self::ages::Aged;
pub use self::arrivals::JOIN_US;
pub use self::due::Due;
pub use self::numbers::{Turn, Unsound};
pub use self::restoring::Restored;
pub use self::whole::Kept;

use self::ages::Ages;
use self::arrivals::Arrivals;
use self::numbers::Numbers;
use self::place::Place;

/// Most ticks of one topic that wait for one beat, as many as a lane holds. Above that the oldest are dropped. The
/// gap shows in `seq`, and the dropped ticks are counted as merged.
pub const TICKS_PER_BEAT_MAX: usize = 1024;
/// Most ticks of one state topic that wait for one beat while no client asks for every tick of any topic. More of
/// them would be kept for nobody, and other sources' beats would have to wait for the work.
pub const UNASKED_PER_BEAT_MAX: usize = 256;

/// A change in which sources and topics there are, to be applied in order.
#[derive(Debug, Clone)]
pub enum Change {
    /// A source came, and has no topics yet; or one that is there is another from now on, with the topics that it has.
    Opened(Arc<Source>),
    /// A source went. Its topics were removed before.
    Closed(SourceId),
    /// A topic had its first tick, or was declared.
    Added(TopicId, Topic),
    /// A topic was retired. Its number may be given to another topic, but not among the same changes.
    Removed(TopicId),
}

impl Change {
    /// The topic that was retired.
    pub fn removed(&self) -> Option<TopicId> {
        match self {
            Change::Removed(id) => Some(*id),
            Change::Opened(_) | Change::Closed(_) | Change::Added(..) => None,
        }
    }
}

/// What the board keeps of a source.
#[derive(Debug)]
struct SourceState {
    source: Arc<Source>,
    /// Per tier, the topics that may be due there. A topic is due only if its own mark ([`Place::dirty`]) says so
    /// too.
    dirty: Vec<Vec<TopicId>>,
    /// All its topics. With `always` each beat pushes all of them.
    topics: Vec<TopicId>,
    /// Whether a topic was ever retired. Then the `seq` of a new topic starts at the process-wide count, which is
    /// above every number that a retired topic of the same name had.
    retired_any: bool,
    merged: u64,
    ages: Ages,
    /// With [`Pace::Arrival`](crate::source::Pace): what waits to be pushed.
    arrivals: Option<Arrivals>,
    /// In a cluster: the numbers of its ticks, which are of whoever holds it. `None`: the board alone numbers them.
    numbers: Option<Numbers>,
}

/// Every topic there is, with its newest tick and its past.
#[derive(Debug)]
pub struct Board {
    places: Vec<Option<Place>>,
    free: Vec<TopicId>,
    by_topic: TopicMap<TopicId>,
    by_name: HashMap<Box<str>, TopicId>,
    sources: HashMap<SourceId, SourceState, foldhash::fast::RandomState>,
    /// Whether a source was closed, or an earlier run had topics that this run does not know. Then the topics of a
    /// new source start above every number that was given.
    closed_any: bool,
    changes: Vec<Change>,
    aged: Vec<Aged>,
    history: History,
    /// By name, the topics of which another part of the past is kept than of others.
    depths: HashMap<Box<str>, Depth>,
    n: u64,
    /// Microseconds on the monotonic clock, as given to [`Board::set_clock`] last.
    now: u64,
    is_every_wanted: bool,
}

impl Board {
    /// A board without sources. `limits` says how much of the past it keeps.
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
            depths: HashMap::new(),
            n: 0,
            now: 0,
            is_every_wanted: true,
        }
    }

    /// Says how much of the past is kept of the topic of this name. Holds from the moment it comes to the board.
    pub fn limit(&mut self, name: &str, depth: Depth) {
        self.depths.insert(name.into(), depth);
    }

    /// Puts a topic on the board before its first tick, so that a client can subscribe to it. The source must be
    /// open.
    pub fn declare(&mut self, source: SourceId, topic: &Topic) -> TopicId {
        debug_assert!(self.sources.contains_key(&source), "{source} is not there");
        match self.by_topic.get(topic) {
            Some(id) => *id,
            None => self.adopt(source, topic).unwrap_or_else(|| self.introduce(source, topic)),
        }
    }

    /// Puts a topic on the board that is not saved, since it can be made anew. With `seq` the caller numbers its ticks, and the
    /// first one is above it.
    pub fn declare_passing(&mut self, source: SourceId, topic: &Topic, seq: Option<u64>) {
        debug_assert!(self.sources.contains_key(&source), "{source} is not there");
        if self.by_topic.contains_key(topic) {
            return;
        }
        let id = self.introduce(source, topic);
        let Some(Some(place)) = self.places.get_mut(id.0 as usize) else { return };
        place.seq = seq.unwrap_or(place.seq);
        self.history.open_passing(id, place.seq);
    }

    /// Numbers a tick that has no number yet, makes it the newest of its topic and returns its number. Returns 0, and drops the
    /// tick, if the source is not open.
    pub fn offer(&mut self, source: SourceId, tick: Tick) -> u64 {
        let id = match self.by_topic.get(&tick.topic) {
            Some(id) => *id,
            None if !self.sources.contains_key(&source) => return 0,
            None => self.adopt(source, &tick.topic).unwrap_or_else(|| self.introduce(source, &tick.topic)),
        };
        self.put(source, id, tick)
    }

    /// Numbers a tick of a topic that is there, unless it has a number that is greater than those before.
    #[inline]
    fn put(&mut self, source: SourceId, id: TopicId, mut tick: Tick) -> u64 {
        let advance = 1 + tick.merged;
        self.n += advance;
        let Some(Some(place)) = self.places.get_mut(id.0 as usize) else { return 0 };
        let Some(state) = self.sources.get_mut(&source) else { return 0 };
        // A number that the caller gave holds, unless there was a greater one.
        place.seq = tick.seq.max(place.seq + advance);
        tick.seq = place.seq;
        tick.n = self.n;
        state.merged += tick.merged;
        let is_old = place.hear(&tick, self.now, &mut state.ages);
        if tick.topic != place.topic {
            // Everyone downstream knows the topic as the object that was restored.
            tick.topic = place.topic.clone();
        }
        if std::mem::take(&mut place.is_restored) {
            state.ages.restored -= usize::from(place.topic.class() == Class::State);
        }
        if place.is_stale && !is_old {
            (place.is_stale, place.is_deserted) = (false, false);
            state.ages.stale -= 1;
            self.aged.push(Aged { topic: id, is_stale: false });
        } else if is_old && !place.is_stale {
            state.ages.note_old(id, state.topics.len());
        }
        let class = tick.topic.class();
        let is_full = place.ticks.len()
            >= match class {
                Class::State if !self.is_every_wanted => UNASKED_PER_BEAT_MAX,
                _ => TICKS_PER_BEAT_MAX,
            };
        state.merged += u64::from(match class {
            Class::Event => is_full,
            // Counts for clients that take the newest tick. A tick that clients of every tick lost too is not counted
            // apart.
            Class::State => !place.ticks.is_empty(),
        });
        if is_full
            && let Some(dropped) = place.ticks.pop_front()
            && !self.is_every_wanted
        {
            place.unasked = dropped.tick().seq;
        }
        let frame = Arc::new(Frame::of(tick, state.source.signer.as_ref()));
        if let Some(arrivals) = &mut state.arrivals {
            arrivals.note(id, place, &frame, self.now);
        } else if place.dirty & 1 == 0
            && let Some(list) = state.dirty.first_mut()
        {
            place.dirty |= 1;
            list.push(id);
        }
        place.ticks.push_back(frame);
        place.seq
    }

    /// Says whether any client asks for every tick of any topic. Holds from the next tick on.
    pub fn want_every(&mut self, is_wanted: bool) {
        self.is_every_wanted = is_wanted;
    }

    /// Appends to `due` everything of `source` that is due at `tier` now. With tier 0 this includes what
    /// [`Tier::Every`] carries. After pushing it, the caller passes it to [`Board::remember`].
    ///
    /// The slower tiers pass on only what the own beat has pushed. So each tier carries a part of one sequence: a
    /// client that changes tiers, or that had a snapshot, neither misses a tick nor gets one twice.
    pub fn take_due(&mut self, source: SourceId, tier: u8, due: &mut Vec<Due>) {
        let Board { sources, places, now, .. } = self;
        let Some(SourceState { source, dirty, topics, arrivals, .. }) = sources.get_mut(&source) else {
            return;
        };
        let Some((own, slower)) = dirty.split_first_mut() else { return };
        let Some(at) = tier.checked_sub(1) else {
            own.extend(arrivals.iter_mut().flat_map(Arrivals::drain));
            let walk = if source.always { topics.as_slice() } else { own.as_slice() };
            for id in walk {
                let Some(place) = Place::of(places, topics, *id) else { continue };
                if let Some(taken) = place.take(*id, source.always, slower) {
                    arrivals.iter().for_each(|arrivals| arrivals.rest(place, &taken, *now));
                    due.push(taken);
                } else if source.always {
                    due.extend(place.pushed.iter().map(|frame| Due::newest(*id, 0, frame)));
                }
            }
            return own.clear();
        };
        let Some(list) = slower.get_mut(usize::from(at)) else { return };
        // Draining keeps the list's memory for the next beat.
        for id in list.drain(..) {
            let Some(place) = Place::of(places, topics, id) else { continue };
            if place.dirty & 1 << tier == 0 {
                continue;
            }
            place.dirty &= !(1 << tier);
            due.extend(place.pushed.iter().map(|frame| Due::newest(id, tier, frame)));
        }
    }

    /// Adds what was pushed to the history of its topics. This is a call of its own, so that clients do not wait for
    /// it.
    pub fn remember(&mut self, due: &[Due]) {
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        for Due { topic, frame, earlier, .. } in due.iter().filter(|due| due.tier == Tier::Every) {
            self.history.push(*topic, earlier.as_deref().unwrap_or_default(), frame, now);
            if let Some(Some(place)) = self.places.get_mut(topic.0 as usize) {
                self.history.lose_up_to(*topic, std::mem::take(&mut place.unasked));
            }
        }
    }

    /// The past of the topics.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The number of the topic of this name, if it is on the board.
    pub fn find(&self, name: &str) -> Option<TopicId> {
        self.by_name.get(name).copied()
    }

    /// The `seq` up to which all ticks of a topic have been pushed. 0 for a topic that is not on the board.
    pub fn pushed(&self, id: TopicId) -> u64 {
        let place = self.places.get(id.0 as usize).and_then(Option::as_ref);
        place.map_or(0, |place| {
            place.ticks.front().map_or(place.seq, |waiting| waiting.tick().seq.saturating_sub(1))
        })
    }

    /// From now on, notes what changes in the history, for [`Board::take_unsaved`].
    pub fn keep_ledger(&mut self) {
        self.history.keep_ledger();
    }

    /// What changed since the last call and has to be saved. With `all`, everything there is.
    pub fn take_unsaved(&mut self, all: bool) -> Batch {
        Batch { n: self.n, ..self.history.take_unsaved(all) }
    }

    /// Drops ticks of the history that are too old.
    pub fn forget(&mut self) {
        self.history.expire(i64::try_from(self.now).unwrap_or(i64::MAX));
    }

    /// The process-wide number of the newest tick.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The sources and topics that came and went since the last call, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let changes = std::mem::take(&mut self.changes);
        // Not before: ticks that were taken since the last call have these numbers, and would be another topic's.
        self.free.extend(changes.iter().filter_map(Change::removed));
        changes
    }

    /// How many topics there are.
    pub fn count(&self) -> usize {
        self.by_topic.len()
    }

    fn introduce(&mut self, source: SourceId, topic: &Topic) -> TopicId {
        let state = self.sources.get_mut(&source);
        let first = |state: &SourceState| match &state.numbers {
            Some(numbers) => numbers.top,
            None if state.retired_any => self.n,
            None => 0,
        };
        let seq = state.as_deref().map_or(0, first);
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
            is_deserted: false,
            is_anothers: false,
            alias: None,
            unasked: 0,
            rests_until: state.as_deref().and_then(|s| s.arrivals.as_ref()).map_or(0, |a| a.rests_until),
            due_at: 0,
        };
        let mut base = 0;
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
            if let Some(numbers) = &mut state.numbers {
                numbers.introduce(topic);
                base = numbers.base;
            }
        }
        if let Some(slot) = self.places.get_mut(id.0 as usize) {
            *slot = Some(place);
        }
        self.history.open(id, seq, self.depths.get(topic.name()).copied());
        if base > 0 {
            self.history.begin(id, base);
        }
        self.by_topic.insert(topic.clone(), id);
        self.by_name.insert(topic.name().into(), id);
        self.changes.push(Change::Added(id, topic.clone()));
        id
    }
}

mod ageing;
mod ages;
mod arrivals;
mod due;
pub mod missed;
mod numbering;
mod numbers;
mod pacing;
mod place;
mod restoring;
mod retiring;
mod sources;
#[cfg(test)]
mod tests;
mod whole;
