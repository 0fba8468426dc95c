//! What an outbox sends next, once its bytes are out: one write's worth at a time, as new as it is then.

use std::collections::{BTreeMap, HashSet};

use super::ahead::Ahead;
use super::late_notices::ToTell;
use super::newest::PushedSince;
use super::{Outbox, Snapshot};
use crate::fanout::metrics::Counts;
use crate::fanout::notices::TOPICS_MAX;
use crate::fanout::notices::health::SourceHealth;
use crate::fanout::notices::{epochs, stale};
use crate::fanout::table::cohorts::{Cohort, Cohorts};
use crate::fanout::table::ids::SlotId;
use crate::fanout::table::topics::{Slot, Topics};
use tickerd_model::protocol::event::{self, Notice};
use tickerd_model::source::SourceId;
use tickerd_model::tier::Tier;
use tickerd_model::wire::encoding::{Encoder, Encoding};
use tickerd_model::wire::frame::Frame;

/// Bytes gathered for one write while a client catches up.
const CHUNK_BYTES: usize = 16 * 1024;

/// What a shard has to send now.
#[derive(Debug, Clone, Copy)]
pub struct Current<'a> {
    pub topics: &'a Topics,
    pub cohorts: &'a Cohorts,
    /// Of each source, and of some that went.
    pub health: &'a BTreeMap<SourceId, SourceHealth>,
    pub encoder: &'a Encoder,
    /// Pushes so far.
    pub pos: u64,
    /// When a topic was last told to be stale or not to be, on that count.
    pub stale_pos: u64,
}

/// A client that catches up.
#[derive(Debug)]
pub struct CatchingUp<'a> {
    pub cohort: &'a Cohort,
    /// What it has beyond the last beat.
    pub ahead: &'a mut Ahead,
    /// Which of its topics moved, as far as that was looked up in this turn.
    pub pushed: &'a mut PushedSince,
    pub counts: &'a mut Counts,
}

impl Outbox {
    /// Puts the next bytes in, where none are left; false when nothing is owed any more.
    pub fn refill(&mut self, current: Current<'_>, client: CatchingUp<'_>) -> bool {
        let CatchingUp { cohort, ahead, pushed, counts } = client;
        if !self.snapshots.is_empty() {
            self.add_snapshots(current, cohort.encoding, ahead, counts);
            return true;
        }
        self.add_replay(current, cohort.encoding, counts)
            || self.add_notices(current, cohort)
            || cohort.streams > 0 && self.add_backlog(current, cohort, ahead, counts)
            || self.add_newest(current, CatchingUp { cohort, ahead, pushed, counts })
    }

    /// Whether snapshots still fit to the bytes before them: the client is not behind, so they do not get old there.
    pub fn joins_snapshots(&self) -> bool {
        !self.snapshots.is_empty() && !self.is_lagging() && self.has_room()
    }

    fn has_room(&self) -> bool {
        self.bytes.len() < CHUNK_BYTES
    }

    /// Adds the next snapshots, as new as they are now.
    fn add_snapshots(
        &mut self,
        current: Current<'_>,
        encoding: Encoding,
        ahead: &mut Ahead,
        counts: &mut Counts,
    ) {
        // Where every tick is wanted, one that waits is the next after the snapshot: a newer snapshot would pass over it.
        let waiting: HashSet<SlotId> = self.backlog.slots().collect();
        let snapshots = std::mem::take(&mut self.snapshots);
        let mut rest = snapshots.into_iter();
        // Whoever breaks off before what it missed is through has not had all up to one of these.
        let bytes = if self.replay.is_empty() { Frame::bytes_alone } else { Frame::bytes_unmarked };
        while self.has_room()
            && let Some(Snapshot { slot: id, topic, tier }) = rest.next()
        {
            let slot = current.topics.slot(id).filter(|slot| slot.topic.as_ref() == Some(&topic));
            let Some(slot) = slot else { continue };
            let is_behind = tier == Tier::Every
                && (waiting.contains(&id)
                    || self.backlog.lost_after().is_some_and(|pos| slot.every().pos > pos));
            let Some(frame) = slot.newest_at(tier).filter(|_| !is_behind) else { continue };
            let n = frame.tick().n;
            if !ahead.has(id, n) {
                self.bytes.extend_from_slice(bytes(frame, encoding, current.encoder));
                counts.frames += 1;
                ahead.sent.insert(id, n);
            }
        }
        self.snapshots = rest.collect();
    }

    /// Adds the next ticks that were asked for with `since`; false when none are left. They come topic by topic, so only the last of
    /// all says that everything up to it was had.
    fn add_replay(&mut self, current: Current<'_>, encoding: Encoding, counts: &mut Counts) -> bool {
        while self.has_room()
            && let Some(frame) = self.replay.pop()
        {
            let bytes = if self.replay.is_empty() { Frame::bytes_alone } else { Frame::bytes_unmarked };
            self.bytes.extend_from_slice(bytes(&frame, encoding, current.encoder));
            counts.frames += 1;
        }
        !self.bytes.is_empty()
    }

    /// Adds the notices that passed by: of each source and topic how it is now, and those that wait. They come before the
    /// frames, since a client that is always behind would never get them otherwise. False when there are none.
    fn add_notices(&mut self, current: Current<'_>, cohort: &Cohort) -> bool {
        let Current { topics, cohorts, health, encoder, pos, stale_pos } = current;
        for told in health.values().filter(|told| told.pos > self.health_pos) {
            if cohorts.is_in_feed(topics, cohort, &told.name) {
                self.bytes.extend_from_slice(told.notice.bytes(cohort.encoding, encoder));
            }
        }
        self.health_pos = pos;
        if health.values().any(|told| told.epoch_pos > self.epochs_told.0) {
            let known = (topics, cohorts, health);
            let told = epochs::append_passed(known, cohort, encoder, self.epochs_told, &mut self.bytes);
            self.epochs_told = told.map_or((pos, 0), |named| (self.epochs_told.0, named));
        }
        if stale_pos > self.stale_pos {
            let told = stale::append_passed(topics, cohort, encoder, self.stale_pos, &mut self.bytes);
            self.stale_pos = told.unwrap_or(pos);
        }
        let ToTell { notices, lost_topics, lost_people } = self.late_notices.take();
        for (subject, notice) in &notices {
            subject.append(notice, cohort, &cohorts.patterns, encoder, &mut self.bytes);
        }
        if lost_people || lost_topics && cohort.has_patterns() {
            let notice = Notice::Topics { added: Vec::new(), removed: Vec::new(), missed: true };
            event::write(&notice, cohort.encoding, encoder, &mut self.bytes);
        }
        !self.bytes.is_empty()
    }

    /// Adds the next ticks of the topics of which every tick is wanted; if they are lost, a reset of the next topics and their
    /// newest ticks. False when nothing is left.
    fn add_backlog(
        &mut self,
        current: Current<'_>,
        cohort: &Cohort,
        ahead: &Ahead,
        counts: &mut Counts,
    ) -> bool {
        if let Some(after) = self.backlog.lost_after() {
            return self.begin_backlog_anew(current, cohort, ahead, counts, after);
        }
        while self.has_room()
            && let Some(waiting) = self.backlog.pop()
        {
            // What ended meanwhile takes with it what waits of it, as it does everywhere.
            let is_there = current.topics.slot(waiting.slot).and_then(|slot| slot.topic.as_ref());
            let tick = waiting.frame.tick();
            if is_there == Some(&tick.topic) && !ahead.has(waiting.slot, tick.n) {
                self.bytes.extend_from_slice(waiting.frame.bytes_alone(cohort.encoding, current.encoder));
                counts.frames += 1;
            }
        }
        !self.bytes.is_empty()
    }

    fn begin_backlog_anew(
        &mut self,
        current: Current<'_>,
        cohort: &Cohort,
        ahead: &Ahead,
        counts: &mut Counts,
        after: u64,
    ) -> bool {
        let begun = first_pushed_after(current.topics, cohort, after);
        if begun.is_empty() {
            self.backlog.begin_anew(current.pos);
            return false;
        }
        let (mut ticks, mut names) = (Vec::new(), Vec::new());
        for (id, slot, frame) in begun {
            if ticks.len() >= CHUNK_BYTES {
                break;
            }
            self.backlog.begin_up_to(slot.every().pos);
            self.passed.caught_up += 1;
            if !ahead.has(id, frame.tick().n) {
                ticks.extend_from_slice(frame.bytes_alone(cohort.encoding, current.encoder));
                counts.frames += 1;
                // That its ticks have other numbers was told before, and a tick that is not its next one with it.
                let is_told = slot
                    .source
                    .and_then(|id| current.health.get(&id))
                    .is_some_and(|told| told.epoch_pos > after);
                names.extend((!is_told).then_some(&*slot.name));
                self.passed.topics.insert(id);
            }
        }
        if !names.is_empty() {
            let notice = Notice::reset(names);
            event::write(&notice, cohort.encoding, current.encoder, &mut self.bytes);
        }
        self.bytes.extend_from_slice(&ticks);
        true
    }

    /// Adds the newest ticks of topics that moved meanwhile; false when none did.
    fn add_newest(&mut self, current: Current<'_>, client: CatchingUp<'_>) -> bool {
        let CatchingUp { cohort, ahead, pushed, counts } = client;
        let mut has_moved = false;
        while self.has_room()
            && let Some((pos, id, tier)) = pushed.next(current.topics, cohort, self.pos)
        {
            has_moved = true;
            self.pos = pos;
            self.passed.caught_up += 1;
            let frame = current.topics.slot(id).and_then(|slot| slot.frame(tier));
            if let Some(frame) = frame.filter(|frame| !ahead.has(id, frame.tick().n)) {
                self.bytes.extend_from_slice(frame.bytes_alone(cohort.encoding, current.encoder));
                counts.frames += 1;
                self.passed.topics.insert(id);
            }
        }
        if !has_moved {
            self.pos = current.pos;
        }
        has_moved
    }
}

/// The topics of which every tick is wanted and that were pushed after this, first pushed first; as many as a notice names.
fn first_pushed_after<'a>(
    topics: &'a Topics,
    cohort: &Cohort,
    after: u64,
) -> Vec<(SlotId, &'a Slot, &'a Frame)> {
    let wires = cohort.wires.iter().filter(|wire| wire.tier == Tier::Every);
    let slots = wires.filter_map(|wire| Some((wire.slot, topics.held(wire.slot)?)));
    let mut begun: Vec<(SlotId, &Slot, &Frame)> = slots
        .filter(|(_, slot)| slot.every().pos > after)
        .filter_map(|(id, slot)| Some((id, slot, &**slot.frame(Tier::Every)?)))
        .collect();
    if begun.len() > TOPICS_MAX {
        begun.select_nth_unstable_by_key(TOPICS_MAX, |(_, slot, _)| slot.every().pos);
        begun.truncate(TOPICS_MAX);
    }
    begun.sort_unstable_by_key(|(_, slot, _)| slot.every().pos);
    begun
}
