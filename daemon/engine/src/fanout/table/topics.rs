//! A shard's topics: the newest pushed frame of each, per tier, and which cohorts want it.
//!
//! A slot exists while the topic does, or while someone asked for it by name: that is how an exact topic can be had
//! before its first tick.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::ids::{CohortId, SlotId};
use super::names::Names;
use crate::exchange::beat::Stale;
use crate::exchange::source::Directory;
use tickerd_model::basics::slab::Slab;
use tickerd_model::board::{Due, TopicId};
use tickerd_model::protocol::command::{Mode, Terms};
use tickerd_model::sample::Class;
use tickerd_model::source::{Source, SourceId};
use tickerd_model::tier::Tier;
use tickerd_model::topic::bar::{self, Form};
use tickerd_model::topic::{Pattern, Topic, first_segment};
use tickerd_model::wire::frame::Frame;

/// A cohort that wants a slot at some tier.
#[derive(Debug, Clone, Copy)]
pub struct Tap {
    /// Who.
    pub cohort: CohortId,
    /// Where the cohort keeps this wire, so that either end finds the other at once.
    pub wire: u32,
}

/// A topic at one tier.
#[derive(Debug, Default)]
pub struct TierSlot {
    /// The frame last pushed here; at [`Tier::Every`] only while it is not [`Tier::OWN`]'s.
    frame: Option<Arc<Frame>>,
    /// When, on the shard's count of pushes.
    pub pos: u64,
    /// Who wants it.
    pub taps: Vec<Tap>,
}

/// A topic.
#[derive(Debug)]
pub struct Slot {
    /// Its full name.
    pub name: Box<str>,
    /// Whose it is; none while no source of its first segment is there.
    pub source: Option<SourceId>,
    /// Present once it has spoken.
    pub topic: Option<Topic>,
    /// How many cohorts asked for it by name.
    pub asked: u32,
    /// Present while it has had no news for too long.
    pub stale: Option<Stale>,
    /// When that was last told to be so or not, on the shard's count of pushes.
    pub aged_pos: u64,
    /// By tier, the feed's own beat first.
    tiers: Vec<TierSlot>,
    /// At the tier that carries every tick.
    stream: TierSlot,
}

impl Slot {
    /// What is kept at a tier.
    pub fn tier(&self, tier: Tier) -> Option<&TierSlot> {
        match tier {
            Tier::Every => Some(&self.stream),
            Tier::Newest(at) => self.tiers.get(usize::from(at)),
        }
    }

    /// The same, to change.
    pub fn tier_mut(&mut self, tier: Tier) -> Option<&mut TierSlot> {
        match tier {
            Tier::Every => Some(&mut self.stream),
            Tier::Newest(at) => self.tiers.get_mut(usize::from(at)),
        }
    }

    /// What is kept at the tier that carries every tick.
    pub fn every(&self) -> &TierSlot {
        &self.stream
    }

    /// Takes in what is due, the push of this number.
    pub fn push(&mut self, due: &Due, pos: u64) {
        let (at_tier, at_own) = match (due.tier, due.is_newest) {
            (Tier::Every, false) => (Some(&mut self.stream), None),
            (Tier::Every, true) => {
                (self.stream.frame, self.stream.pos) = (None, pos);
                (None, self.tiers.first_mut())
            }
            (Tier::Newest(at), _) => (self.tiers.get_mut(usize::from(at)), None),
        };
        if let Some(tier) = at_tier.or(at_own) {
            (tier.frame, tier.pos) = (Some(due.frame.clone()), pos);
        }
    }

    /// The frame last pushed at a tier.
    pub fn frame(&self, tier: Tier) -> Option<&Arc<Frame>> {
        let frame = self.tier(tier)?.frame.as_ref();
        if tier == Tier::Every { frame.or(self.tier(Tier::OWN)?.frame.as_ref()) } else { frame }
    }

    /// What is kept at all tiers.
    pub fn all_tiers(&self) -> impl Iterator<Item = &TierSlot> {
        self.tiers.iter().chain([&self.stream])
    }

    /// Who wants it, at any tier.
    pub fn taps(&self) -> impl Iterator<Item = &Tap> {
        self.all_tiers().flat_map(|tier| &tier.taps)
    }

    /// The newest pushed frame as one who has the topic at `tier` sees it: every other tier is slower than the feed's own
    /// beat, and the stream may be ahead of it by ticks that say the same again.
    pub fn newest_at(&self, tier: Tier) -> Option<&Arc<Frame>> {
        self.frame(if tier == Tier::Every { Tier::Every } else { Tier::OWN })
    }

    /// The newest pushed frame.
    pub fn newest(&self) -> Option<&Arc<Frame>> {
        self.newest_at(if self.is_event() { Tier::Every } else { Tier::OWN })
    }

    /// The newest pushed `seq`, 0 before the first.
    pub fn seq(&self) -> u64 {
        self.newest().map_or(0, |frame| frame.tick().seq)
    }

    /// Whether each of its ticks matters. Of bars their name says so, before they are there.
    pub fn is_event(&self) -> bool {
        let is_closed_bars = || bar::behind(&self.name).is_some_and(|bars| bars.form == Form::Closed);
        self.topic.as_ref().map_or_else(is_closed_bars, |topic| topic.class() == Class::Event)
    }
}

/// All slots of a shard.
#[derive(Debug, Default)]
pub struct Topics {
    sources: Directory,
    slots: Slab<SlotId, Slot>,
    by_name: HashMap<Box<str>, SlotId>,
    of_board: Vec<Option<SlotId>>,
    /// Topics that have spoken, by source.
    spoken: HashMap<SourceId, usize>,
    /// Those that have spoken.
    names: Names,
    /// How often a topic spoke for the first time, or those of a source got other numbers.
    appeared: u64,
}

impl Topics {
    /// A source came. Names of its topics that someone asked for while there was none are its own now: those slots.
    pub fn open(&mut self, source: &Arc<Source>) -> Vec<SlotId> {
        let before = self.sources.get(source.id).map(|before| &before.group.epoch);
        self.appeared += u64::from(before.is_some_and(|epoch| *epoch != source.group.epoch));
        self.sources.open(source);
        let count = source.tiers.all().len();
        let mut found = Vec::new();
        for (id, slot) in self.slots.iter_mut() {
            if first_segment(&slot.name) != &*source.name {
                continue;
            }
            slot.source = Some(source.id);
            slot.tiers.resize_with(count.max(slot.tiers.len()), TierSlot::default);
            found.push(id);
        }
        found
    }

    /// A source went, whose topics have gone before.
    pub fn close(&mut self, id: SourceId) {
        self.sources.close(id);
        self.spoken.remove(&id);
        for (_, slot) in self.slots.iter_mut().filter(|(_, slot)| slot.source == Some(id)) {
            slot.source = None;
        }
    }

    /// Whether any topic of a source has spoken.
    pub fn has_spoken(&self, source: SourceId) -> bool {
        self.spoken.get(&source).is_some_and(|count| *count > 0)
    }

    /// The sources there are.
    pub fn sources(&self) -> &Directory {
        &self.sources
    }

    /// The source of a slot.
    pub fn source_of(&self, slot: &Slot) -> Option<&Arc<Source>> {
        slot.source.and_then(|id| self.sources.get(id))
    }

    /// The slot of a name, if there is one.
    pub fn find(&self, name: &str) -> Option<SlotId> {
        self.by_name.get(name).copied()
    }

    /// A slot by its number.
    pub fn slot(&self, id: SlotId) -> Option<&Slot> {
        self.slots.get(id)
    }

    /// A slot by its number, to change.
    pub fn slot_mut(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.slots.get_mut(id)
    }

    /// A slot that is there, since a wire leads to it or an ask names it; see [`Slab::held`].
    #[track_caller]
    pub fn held(&self, id: SlotId) -> Option<&Slot> {
        self.slots.held(id)
    }

    /// The same, to change.
    #[track_caller]
    pub fn held_mut(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.slots.held_mut(id)
    }

    /// Slots from this place on.
    pub fn iter_from(&self, place: u32) -> impl Iterator<Item = (SlotId, &Slot)> {
        self.slots.iter_from(place)
    }

    /// The slot of a topic on the board.
    pub fn of_board(&self, id: TopicId) -> Option<SlotId> {
        self.of_board.get(id.0 as usize).copied().flatten()
    }

    /// The slot of a name, made if need be; `None` if no configured feed has such topics. Whether it may have this one is for
    /// the caller to know.
    pub fn intern(&mut self, name: &str) -> Option<SlotId> {
        if let Some(id) = self.find(name) {
            return Some(id);
        }
        let source = self.sources.of(name)?;
        let (source, tiers) = (source.id, source.tiers.all().len());
        let slot = Slot {
            name: name.into(),
            source: Some(source),
            topic: None,
            asked: 0,
            stale: None,
            aged_pos: 0,
            tiers: std::iter::repeat_with(TierSlot::default).take(tiers).collect(),
            stream: TierSlot::default(),
        };
        let id = self.slots.insert(slot);
        self.by_name.insert(name.into(), id);
        Some(id)
    }

    /// A topic spoke for the first time.
    pub fn appear(&mut self, board: TopicId, topic: &Topic) -> Option<SlotId> {
        let id = self.intern(topic.name())?;
        let at = board.0 as usize;
        if self.of_board.len() <= at {
            self.of_board.resize(at + 1, None);
        }
        *self.of_board.get_mut(at)? = Some(id);
        let slot = self.slot_mut(id)?;
        let source = slot.source;
        if slot.topic.replace(topic.clone()).is_none() {
            self.appeared += 1;
            self.names.add(id, topic.name());
            source.into_iter().for_each(|source| *self.spoken.entry(source).or_default() += 1);
        }
        Some(id)
    }

    /// A topic was retired: its frames go, the slot stays while someone asks for it.
    pub fn vanish(&mut self, board: TopicId) -> Option<SlotId> {
        let id = self.of_board.get_mut(board.0 as usize)?.take()?;
        let Topics { slots, names, spoken, .. } = self;
        let slot = slots.held_mut(id)?;
        if slot.topic.take().is_some() {
            names.remove(id, &slot.name);
            if let Some(count) = slot.source.and_then(|source| spoken.get_mut(&source)) {
                *count -= 1;
            }
        }
        slot.stale = None;
        for tier in slot.tiers.iter_mut().chain([&mut slot.stream]) {
            tier.frame = None;
        }
        Some(id)
    }

    /// Frees a slot that nobody needs.
    pub fn release(&mut self, id: SlotId) {
        let unused = self.slot(id).is_some_and(|slot| {
            slot.topic.is_none() && slot.asked == 0 && slot.all_tiers().all(|tier| tier.taps.is_empty())
        });
        if unused && let Some(slot) = self.slots.remove(id) {
            self.by_name.remove(&slot.name);
        }
    }

    /// How often a topic has spoken for the first time, or those of a source got other numbers: another number once there is what
    /// nobody has asked about.
    pub fn appeared(&self) -> u64 {
        self.appeared
    }

    /// How many topics have spoken.
    pub fn present_count(&self) -> usize {
        self.names.count()
    }

    /// Every topic that has spoken and matches.
    pub fn matching(&self, pattern: &Pattern) -> Vec<(SlotId, &Slot)> {
        let candidates = self.names.candidates(pattern).filter_map(|id| Some((id, self.slot(id)?)));
        candidates.filter(|(_, slot)| pattern.matches(&slot.name)).collect()
    }

    /// How many topics [`Topics::matching`] looks at.
    pub fn cost(&self, pattern: &Pattern) -> usize {
        self.names.cost(pattern)
    }

    /// The tier that a slot is had at on these terms.
    pub fn grant(&self, slot: &Slot, terms: Terms) -> Tier {
        if slot.is_event() || terms.mode == Mode::All {
            return Tier::Every;
        }
        Tier::Newest(self.source_of(slot).map_or(0, |source| source.tiers.grant(terms.rate)))
    }

    /// What a tier of a slot is.
    pub fn rate(&self, slot: &Slot, tier: Tier) -> Duration {
        let tier = match tier {
            Tier::Every => 0,
            Tier::Newest(at) => at,
        };
        self.source_of(slot).map_or(Duration::ZERO, |source| source.tiers.rate(tier))
    }
}
