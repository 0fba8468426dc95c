//! Which topics are stale: told to those who hold them, when it changes, when they come, and when they catch up.
//!
//! A notice names at most [`TOPICS_MAX`] topics of one feed, and is built once for all cohorts that hold the same of them.
//! To tell a state twice does no harm, so a client that may have missed it is told again.

use std::rc::Rc;

use super::shares::Shares;
use super::{Announcement, TOPICS_MAX, WhenLate};
use crate::exchange::beat::Stale;
use crate::fanout::table::asks::{Ask, Edit, TierChange, What};
use crate::fanout::table::cohorts::Cohort;
use crate::fanout::table::ids::SlotId;
use crate::fanout::table::topics::{Slot, Topics};
use tickerd_model::board::TopicId;
use tickerd_model::protocol::event::{self, Notice};
use tickerd_model::source::SourceId;
use tickerd_model::wire::encoding::{Encoder, Encoding};

/// Which topics went stale in one beat, or had news again.
#[derive(Debug, Default)]
pub struct StaleNotices {
    words: Vec<TopicState>,
    shares: Shares,
}

/// One topic's state.
#[derive(Debug, Clone)]
struct TopicState {
    /// When it was told, on the shard's count of pushes.
    pos: u64,
    source: Option<SourceId>,
    /// None: it had news.
    stale: Option<Stale>,
    topic: Rc<str>,
}

impl TopicState {
    fn of(slot: &Slot) -> TopicState {
        TopicState {
            pos: slot.aged_pos,
            source: slot.source,
            stale: slot.stale,
            topic: Rc::from(&*slot.name),
        }
    }
}

impl StaleNotices {
    /// Keeps a topic's state as of `pos`, and notes who is to be told. False if that is no news: it is told nobody.
    pub fn note(&mut self, topics: &mut Topics, topic: TopicId, stale: Option<Stale>, pos: u64) -> bool {
        let Some(slot) = topics.of_board(topic).and_then(|id| topics.slot_mut(id)) else { return false };
        if slot.stale.is_none() && stale.is_none() {
            return false;
        }
        (slot.stale, slot.aged_pos) = (stale, pos);
        let at = self.words.len() as u32;
        for tap in slot.taps() {
            self.shares.add(tap.cohort, at);
        }
        self.words.push(TopicState::of(slot));
        true
    }

    /// The notices of the beat.
    pub fn announce(self, topics: &Topics) -> Vec<Announcement> {
        let StaleNotices { words, shares } = self;
        let mut announcements = Vec::new();
        for (set, cohorts) in shares.sets() {
            let its: Vec<TopicState> = set.iter().filter_map(|at| words.get(*at as usize)).cloned().collect();
            for run in runs(&its) {
                let (Some(first), Some(notice)) = (run.first(), notice(topics, run)) else { continue };
                // At its first word's place: a notice that does not get through is owed with all its words.
                announcements.push(Announcement::new(first.pos, WhenLate::Drop, &notice, cohorts.clone()));
            }
        }
        announcements
    }
}

/// Appends notices of those of the topics just asked for that are stale already: those that were named, and those that are
/// had differently now.
pub fn append_asked(
    topics: &Topics,
    edits: &[Edit],
    changes: &[TierChange],
    (encoding, encoder): (Encoding, &Encoder),
    out: &mut Vec<u8>,
) {
    let named = edits.iter().filter_map(|edit| match edit {
        Edit::Set(Ask { what: What::Exact(slot), .. }) => Some(*slot),
        Edit::Set(_) | Edit::Clear(_) => None,
    });
    let had = changes.iter().filter(|change| change.now.is_some()).map(|change| change.slot);
    let stale = |id: SlotId| Some((id, topics.slot(id).filter(|slot| slot.stale.is_some())?));
    let mut slots: Vec<(SlotId, &Slot)> = named.chain(had).filter_map(stale).collect();
    slots.sort_unstable_by_key(|(id, slot)| (slot.source, slot.stale, *id));
    slots.dedup_by_key(|(id, _)| *id);
    let words: Vec<TopicState> = slots.iter().map(|(_, slot)| TopicState::of(slot)).collect();
    for notice in runs(&words).filter_map(|run| notice(topics, run)) {
        event::write(&notice, encoding, encoder, out);
    }
}

/// Appends the next notices of those that passed by after `from`: of each topic how it is now. The place up to which
/// that is, and none if nothing is left after it.
pub fn append_passed(
    topics: &Topics,
    cohort: &Cohort,
    encoder: &Encoder,
    from: u64,
    out: &mut Vec<u8>,
) -> Option<u64> {
    let slots = cohort.wires.iter().filter_map(|wire| topics.slot(wire.slot));
    let mut slots: Vec<&Slot> = slots.filter(|slot| slot.aged_pos > from).collect();
    let is_all = slots.len() <= TOPICS_MAX;
    if !is_all {
        slots.select_nth_unstable_by_key(TOPICS_MAX, |slot| slot.aged_pos);
        slots.truncate(TOPICS_MAX);
    }
    let last = slots.iter().map(|slot| slot.aged_pos).max();
    let mut words: Vec<TopicState> = slots.into_iter().map(TopicState::of).collect();
    words.sort_unstable_by_key(|word| (word.source, word.stale, word.pos));
    for notice in runs(&words).filter_map(|run| notice(topics, run)) {
        event::write(&notice, cohort.encoding, encoder, out);
    }
    last.filter(|_| !is_all)
}

/// Words that one notice can say.
fn runs(words: &[TopicState]) -> impl Iterator<Item = &[TopicState]> {
    let alike = words.chunk_by(|one, next| one.source == next.source && one.stale == next.stale);
    alike.flat_map(|words| words.chunks(TOPICS_MAX))
}

/// The notice of one run.
fn notice<'a>(topics: &'a Topics, run: &'a [TopicState]) -> Option<Notice<'a>> {
    let first = run.first()?;
    let source = first.source.and_then(|id| topics.sources().get(id));
    let feed = source.map_or("", |source| &*source.name);
    let topics = run.iter().map(|word| &*word.topic).collect();
    Some(match first.stale {
        Some(Stale { since, max_age_ms }) => Notice::Stale { feed, topics, since, max_age_ms },
        None => Notice::Fresh { feed, topics },
    })
}
