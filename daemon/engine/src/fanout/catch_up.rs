//! A connection whose socket does not take bytes, and how it gets level again: first the rest of what was cut, then the
//! snapshots it is owed and the ticks it asked for, then every tick that waits of the topics it has with mode `all` (or a
//! reset, if they were too many), the newest frame of each other topic that moved meanwhile, and a notice of what it missed.
//!
//! Whatever waited is judged by what the client holds when it is sent, and not by what it held when it was due.
//!
//! Answers to commands go the same way: they are a stall that usually ends at once.

use std::collections::HashSet;
use std::sync::Arc;

use super::ages;
use super::backlog::Backlog;
use super::comings;
use super::connection::WaitsFor;
use super::moved::Moved;
use super::shard::{Shard, Tally};
use super::shares::TOPICS_MAX;
use super::stall::{Fresh, Snapshot, Stall};
use crate::exchange::ConnId;
use crate::fanout::table::cohorts::Cohort;
use crate::fanout::table::ids::SlotId;
use crate::fanout::table::topics::Topics;
use tickerd_model::encoding::{Encoder, Encoding};
use tickerd_model::frame::Frame;
use tickerd_model::lane::FeedState;
use tickerd_model::protocol::event::{self, Notice};
use tickerd_model::tier::Tier;

/// Bytes gathered for one write while catching up.
const CHUNK_BYTES: usize = 16 * 1024;
/// Bytes written to one client before others have their turn: about a millisecond.
const TURN_BYTES: usize = 1 << 20;
/// The same of a replay: some 60 clients have their turn before the shard looks at what is live again.
const REPLAY_TURN_BYTES: usize = 64 * 1024;

impl Shard {
    /// Sends bytes that are whole frames, and after them the newest frames of `snapshots`.
    pub fn send(&mut self, id: ConnId, bytes: &[u8], snapshots: &[Snapshot]) {
        self.send_with(id, bytes, snapshots, Vec::new());
    }

    /// The same, and after those the ticks of `replay`, in order.
    pub fn send_with(
        &mut self,
        id: ConnId,
        bytes: &[u8],
        snapshots: &[Snapshot],
        replay: Vec<(SlotId, Vec<Arc<Frame>>)>,
    ) {
        let (pos, now_s) = (self.pos, self.now_s);
        let Some(conn) = self.connection(id) else { return };
        if bytes.is_empty() && snapshots.is_empty() && replay.is_empty() {
            return;
        }
        if let Some(stall) = &mut conn.stall {
            stall.rest.extend_from_slice(bytes);
            stall.snapshots.extend_from_slice(snapshots);
            return stall.replay.extend(replay);
        }
        // The common case needs no stall at all: one short answer that the socket takes.
        let written = match conn.link.try_write(bytes) {
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => 0,
            Err(_) => return self.drop_connection(id, 1006),
        };
        conn.sent_s = now_s;
        let rest = bytes.get(written..).unwrap_or_default().to_vec();
        if !rest.is_empty() || !snapshots.is_empty() || !replay.is_empty() {
            let mut stall = Box::new(Stall::new(pos, rest, now_s));
            stall.snapshots = snapshots.to_vec();
            let is_much = !replay.is_empty();
            stall.replay.extend(replay);
            conn.stall = Some(stall);
            if is_much {
                // Many may come back at once: each waits for its turn, and beats go first.
                self.wait_writable(id);
            } else {
                self.pump(id);
            }
        }
        self.tally.bytes += written as u64;
    }

    /// Writes what is owed until the socket refuses or nothing is.
    pub fn pump(&mut self, id: ConnId) {
        let stall = self.connection(id).and_then(|conn| conn.stall.as_ref());
        let is_replay = stall.is_some_and(|stall| !stall.replay.is_empty());
        let mut left = if is_replay { REPLAY_TURN_BYTES } else { TURN_BYTES };
        let mut moved = Moved::default();
        loop {
            let now_s = self.now_s;
            let Some(conn) = self.connection(id) else { return };
            let Some(stall) = &mut conn.stall else { return };
            let rest = stall.rest.get(stall.out..).unwrap_or_default();
            if rest.is_empty() {
                stall.rest.clear();
                stall.out = 0;
                if self.next_chunk(id, &mut moved) {
                    continue;
                }
                return self.end_stall(id);
            }
            if left == 0 && is_replay {
                // Nothing was refused: it goes on in its next turn.
                return self.wait_writable(id);
            }
            let written = match left {
                0 => Err(std::io::ErrorKind::WouldBlock.into()),
                _ => conn.link.try_write(rest),
            };
            match written {
                Ok(n) => {
                    left = left.saturating_sub(n);
                    stall.out += n;
                    stall.progress_s = now_s;
                    conn.sent_s = now_s;
                    self.tally.bytes += n as u64;
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    let first = !std::mem::replace(&mut stall.blocked, true);
                    // What is out already need not be kept, least of all for long.
                    stall.rest.drain(..stall.out);
                    stall.rest.shrink_to_fit();
                    stall.out = 0;
                    if first {
                        self.begin_stall(id);
                    }
                    return;
                }
                Err(_) => return self.drop_connection(id, 1006),
            }
        }
    }

    /// Puts the next owed frames into the stall's buffer; false when nothing is owed.
    fn next_chunk(&mut self, id: ConnId, moved: &mut Moved) -> bool {
        let Shard { connections, topics, cohorts, health, tally, encoder, pos, aged_pos, .. } = self;
        let Some(conn) = connections.get_mut(id) else { return false };
        let Some(stall) = &mut conn.stall else { return false };
        let Some(cohort) = conn.cohort.and_then(|c| cohorts.held(c)) else { return false };
        let (fresh, encoding) = (conn.fresh.get_or_insert_default(), conn.encoding);
        if !stall.snapshots.is_empty() {
            let out = &mut Out { bytes: &mut stall.rest, encoding, encoder, tally };
            append_snapshots(&mut stall.snapshots, &stall.backlog, fresh, topics, out);
            return true;
        }
        let out = &mut Out { bytes: &mut stall.rest, encoding, encoder, tally };
        while out.has_room()
            && let Some(frame) = stall.replay.pop()
        {
            out.frame(&frame);
        }
        if !out.bytes.is_empty() {
            return true;
        }
        // Notices that passed by, of each feed and topic the newest. Before the frames: who is always behind would never
        // get them otherwise.
        let passed = health.iter().enumerate().filter(|(_, told)| told.pos > stall.health_pos);
        for (feed, told) in passed {
            if cohorts.is_in_feed(topics, cohort, feed) {
                stall.rest.extend_from_slice(told.notice.bytes(encoding, encoder));
            }
        }
        stall.health_pos = *pos;
        if *aged_pos > stall.aged_pos {
            stall.aged_pos =
                ages::append_passed(topics, cohort, encoder, stall.aged_pos, &mut stall.rest).unwrap_or(*pos);
        }
        let told = stall.roster.take();
        for (named, notice) in &told.notices {
            named.append(notice, cohort, &cohorts.patterns, encoder, &mut stall.rest);
        }
        let has_patterns = || comings::patterns_of(cohort, &cohorts.patterns).next().is_some();
        if told.lost_people || told.lost_topics && has_patterns() {
            let notice = Notice::Topics { added: Vec::new(), removed: Vec::new(), missed: true };
            event::write(&notice, encoding, encoder, &mut stall.rest);
        }
        if !stall.rest.is_empty() {
            return true;
        }
        if cohort.streams > 0 && append_backlog(stall, fresh, topics, cohort, *pos, tally, encoder) {
            return true;
        }
        let mut has_moved = false;
        while stall.rest.len() < CHUNK_BYTES
            && let Some((pushed, slot, tier)) = moved.next(topics, cohort, stall.pos)
        {
            has_moved = true;
            stall.pos = pushed;
            stall.caught_up += 1;
            let frame = topics.slot(slot).and_then(|slot| slot.frame(tier));
            if let Some(frame) = frame.filter(|frame| !fresh.has(slot, frame.tick().n)) {
                stall.rest.extend_from_slice(frame.bytes(encoding, encoder));
                stall.caught_up_topics.insert(slot);
                tally.frames += 1;
            }
        }
        if has_moved {
            return true;
        }
        stall.pos = *pos;
        false
    }

    /// The socket refused bytes: a task waits until it takes them again.
    pub fn begin_stall(&mut self, id: ConnId) {
        self.metrics.connections_lagging.inc();
        self.wait_writable(id);
    }

    fn end_stall(&mut self, id: ConnId) {
        let until_s = self.now_s + self.slowest_tier_s + 2;
        let Shard { connections, cohorts, .. } = self;
        let Some(conn) = connections.get_mut(id) else { return };
        let Some(stall) = conn.stall.take() else { return };
        // At a feed's own beat only newer ticks follow; a slower tier may still bring one that was a snapshot.
        let is_slow = |tier: Tier| tier.is_slow();
        let cohort = conn.cohort.and_then(|c| cohorts.held(c));
        let slower = cohort.is_some_and(|c| c.wires.iter().any(|wire| is_slow(wire.tier)));
        match &mut conn.fresh {
            Some(fresh) if slower && !fresh.sent.is_empty() => fresh.until_s = until_s,
            fresh => *fresh = None,
        }
        if conn.closing_until_s.is_some() {
            conn.link.finish();
        }
        let closing = conn.closing_until_s.is_some();
        if stall.blocked {
            // Nobody listened to it meanwhile, so its silence said nothing.
            (conn.heard_s, conn.pinged) = (self.now_s, false);
            self.metrics.connections_lagging.dec();
            let skipped = stall.missed.saturating_sub(stall.caught_up);
            self.tally.skipped += skipped;
            if skipped > 0 && !closing {
                let topics = stall.caught_up_topics.len();
                self.tell(id, &Notice::Lag { topics, skipped, since: stall.since });
            }
        }
        if closing && self.connection(id).is_some_and(|conn| conn.shut.is_some()) {
            return self.drop_connection(id, 1006);
        }
        let asking = self.connection(id).and_then(|conn| conn.asking.as_ref());
        match asking.is_some_and(|asking| asking.waits_for == WaitsFor::WayOut) {
            true => self.listen_again(id),
            false => self.start_reading(id),
        }
    }

    /// Appends the notices of those of `feeds` that are not up.
    pub fn append_health(&self, feeds: impl Iterator<Item = usize>, encoding: Encoding, out: &mut Vec<u8>) {
        let mut feeds: Vec<usize> = feeds.collect();
        feeds.sort_unstable();
        feeds.dedup();
        for told in feeds.iter().filter_map(|feed| self.health.get(*feed)) {
            if told.state != FeedState::Up {
                out.extend_from_slice(told.notice.bytes(encoding, &self.encoder));
            }
        }
    }

    /// Notes ticks that a slower tier must not bring again.
    pub fn mark_fresh(&mut self, id: ConnId, sent: impl IntoIterator<Item = (SlotId, u64)>) {
        let until_s = self.now_s + self.slowest_tier_s + 2;
        let Some(conn) = self.connection(id) else { return };
        let mut sent = sent.into_iter().peekable();
        if sent.peek().is_some() {
            let fresh: &mut Fresh = conn.fresh.get_or_insert_default();
            fresh.sent.extend(sent);
            fresh.until_s = until_s;
        }
    }
}

/// One write's worth of frames.
struct Out<'a> {
    bytes: &'a mut Vec<u8>,
    encoding: Encoding,
    encoder: &'a Encoder,
    tally: &'a mut Tally,
}

impl Out<'_> {
    fn has_room(&self) -> bool {
        self.bytes.len() < CHUNK_BYTES
    }

    fn frame(&mut self, frame: &Frame) {
        self.bytes.extend_from_slice(frame.bytes(self.encoding, self.encoder));
        self.tally.frames += 1;
    }
}

/// Appends the next snapshots that are owed, as new as they are now.
fn append_snapshots(
    snapshots: &mut Vec<Snapshot>,
    backlog: &Backlog,
    fresh: &mut Fresh,
    topics: &Topics,
    out: &mut Out<'_>,
) {
    // Where every tick is wanted, one that waits is the next after the snapshot: a newer snapshot would pass over it.
    let waiting: HashSet<SlotId> = backlog.slots().collect();
    let mut taken = 0;
    for Snapshot { slot: id, topic, tier } in snapshots.iter() {
        if !out.has_room() {
            break;
        }
        taken += 1;
        let Some(slot) = topics.slot(*id).filter(|slot| slot.topic.as_ref() == Some(topic)) else { continue };
        let is_behind = *tier == Tier::Every
            && (waiting.contains(id) || backlog.lost_after().is_some_and(|pos| slot.every().pos > pos));
        let Some(frame) = slot.newest_at(*tier).filter(|_| !is_behind) else { continue };
        let n = frame.tick().n;
        if !fresh.has(*id, n) {
            out.frame(frame);
            fresh.sent.insert(*id, n);
        }
    }
    snapshots.drain(..taken);
}

/// Appends the next ticks of the topics of which every tick is wanted; if they are lost, a reset of the next topics and
/// their newest ticks. False when nothing is left.
fn append_backlog(
    stall: &mut Stall,
    fresh: &Fresh,
    topics: &Topics,
    cohort: &Cohort,
    pos: u64,
    tally: &mut Tally,
    encoder: &Encoder,
) -> bool {
    let encoding = cohort.encoding;
    let Some(after) = stall.backlog.lost_after() else {
        let out = &mut Out { bytes: &mut stall.rest, encoding, encoder, tally };
        while out.has_room()
            && let Some(waiting) = stall.backlog.pop()
        {
            // What ended meanwhile takes with it what waits of it, as it does everywhere.
            let is_there = topics.slot(waiting.slot).and_then(|slot| slot.topic.as_ref());
            let tick = waiting.frame.tick();
            if is_there == Some(&tick.topic) && !fresh.has(waiting.slot, tick.n) {
                out.frame(&waiting.frame);
            }
        }
        return !out.bytes.is_empty();
    };
    let wires = cohort.wires.iter().filter(|wire| wire.tier == Tier::Every);
    let slots = wires.filter_map(|wire| Some((wire.slot, topics.slot(wire.slot)?)));
    let mut begun: Vec<_> = slots
        .filter_map(|(id, slot)| Some((slot.every().pos, id, slot, slot.frame(Tier::Every)?)))
        .filter(|(pushed, ..)| *pushed > after)
        .collect();
    if begun.len() > TOPICS_MAX {
        begun.select_nth_unstable_by_key(TOPICS_MAX, |(pushed, ..)| *pushed);
        begun.truncate(TOPICS_MAX);
    }
    begun.sort_unstable_by_key(|(pushed, ..)| *pushed);
    let mut bytes = Vec::new();
    let out = &mut Out { bytes: &mut bytes, encoding, encoder, tally };
    let mut names = Vec::new();
    for (pushed, id, slot, frame) in &begun {
        if !out.has_room() {
            break;
        }
        stall.backlog.begin_up_to(*pushed);
        stall.caught_up += 1;
        if !fresh.has(*id, frame.tick().n) {
            out.frame(frame);
            names.push(&*slot.name);
            stall.caught_up_topics.insert(*id);
        }
    }
    if begun.is_empty() {
        stall.backlog.begin_anew(pos);
        return false;
    }
    if !names.is_empty() {
        event::write(&Notice::Reset { topics: names }, encoding, encoder, &mut stall.rest);
    }
    stall.rest.extend_from_slice(&bytes);
    true
}
