//! A connection whose socket does not take bytes, and how it gets level again: first the rest of what was cut, then the
//! snapshots it is owed, then the newest frame of each topic that moved meanwhile, and a notice of what it missed.
//!
//! Answers to commands go the same way: they are a stall that usually ends at once.

use super::ages;
use super::cohorts::ConnId;
use super::connection::{Fresh, Snapshot, Stall};
use super::shard::{Shard, unix_ms};
use super::topics::SlotId;
use crate::model::encoding::Encoding;
use crate::model::lane::FeedState;
use crate::model::protocol::event::Notice;

/// Bytes gathered for one write while catching up.
const CHUNK_BYTES: usize = 16 * 1024;
/// Frames looked at for it: the smallest fill it about so.
const CHUNK_FRAMES: usize = 256;
/// Bytes written to one client before others have their turn: about a millisecond.
const TURN_BYTES: usize = 1 << 20;

impl Shard {
    /// Sends bytes that are whole frames, and after them the newest frames of `snapshots`.
    pub fn send(&mut self, id: ConnId, bytes: &[u8], snapshots: &[Snapshot]) {
        let (pos, now_s) = (self.pos, self.now_s);
        let Some(conn) = self.connection(id) else { return };
        if bytes.is_empty() && snapshots.is_empty() {
            return;
        }
        match &mut conn.stall {
            Some(stall) => {
                stall.rest.extend_from_slice(bytes);
                stall.snapshots.extend_from_slice(snapshots);
            }
            None => {
                // The common case needs no stall at all: one short answer that the socket takes.
                let written = match conn.link.try_write(bytes) {
                    Ok(n) => n,
                    Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => 0,
                    Err(_) => return self.drop_connection(id, 1006),
                };
                conn.sent_s = now_s;
                self.tally.bytes += written as u64;
                if written == bytes.len() && snapshots.is_empty() {
                    return;
                }
                let Some(conn) = self.connection(id) else { return };
                conn.stall = Some(Box::new(Stall {
                    rest: bytes.get(written..).unwrap_or_default().to_vec(),
                    pos,
                    health_pos: pos,
                    aged_pos: pos,
                    snapshots: snapshots.to_vec(),
                    since: unix_ms(),
                    progress_s: now_s,
                    ..Stall::default()
                }));
                self.pump(id);
            }
        }
    }

    /// Writes what is owed until the socket refuses or nothing is.
    pub fn pump(&mut self, id: ConnId) {
        let mut left = TURN_BYTES;
        loop {
            let now_s = self.now_s;
            let Some(conn) = self.connection(id) else { return };
            let Some(stall) = &mut conn.stall else { return };
            let rest = stall.rest.get(stall.out..).unwrap_or_default();
            if rest.is_empty() {
                stall.rest.clear();
                stall.out = 0;
                if self.next_chunk(id) {
                    continue;
                }
                return self.end_stall(id);
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
    fn next_chunk(&mut self, id: ConnId) -> bool {
        let Shard { connections, topics, cohorts, health, tally, encoder, pos, aged_pos, .. } = self;
        let Some(conn) = connections.get_mut(id as usize).and_then(Option::as_mut) else { return false };
        let Some(stall) = &mut conn.stall else { return false };
        let Some(cohort) = conn.cohort.and_then(|c| cohorts.get(c)) else { return false };
        let (fresh, encoding) = (conn.fresh.get_or_insert_default(), conn.encoding);
        let mut taken = 0;
        for (slot, topic) in &stall.snapshots {
            if stall.rest.len() >= CHUNK_BYTES {
                break;
            }
            taken += 1;
            let same = topics.slot(*slot).filter(|s| s.topic.as_ref() == Some(topic));
            let Some(frame) = same.and_then(|s| s.newest()) else { continue };
            if fresh.has(*slot, frame.tick().n) {
                continue;
            }
            stall.rest.extend_from_slice(frame.bytes(encoding, encoder));
            tally.frames += 1;
            fresh.sent.insert(*slot, frame.tick().n);
        }
        if taken > 0 {
            stall.snapshots.drain(..taken);
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
        if !stall.rest.is_empty() {
            return true;
        }
        let mut moved = Vec::new();
        for wire in &cohort.wires {
            let Some(tier) = topics.slot(wire.slot).and_then(|s| s.tiers.get(usize::from(wire.tier))) else {
                continue;
            };
            if let Some(frame) = tier.frame.as_ref().filter(|_| tier.pos > stall.pos) {
                moved.push((tier.pos, wire.slot, frame));
            }
        }
        if moved.len() > CHUNK_FRAMES {
            moved.select_nth_unstable_by_key(CHUNK_FRAMES, |(pos, ..)| *pos);
            moved.truncate(CHUNK_FRAMES);
        }
        moved.sort_unstable_by_key(|(pos, ..)| *pos);
        for (pushed, slot, frame) in &moved {
            if stall.rest.len() >= CHUNK_BYTES {
                break;
            }
            stall.pos = *pushed;
            stall.caught_up += 1;
            if !fresh.has(*slot, frame.tick().n) {
                stall.rest.extend_from_slice(frame.bytes(encoding, encoder));
                stall.caught_up_topics.insert(*slot);
                tally.frames += 1;
            }
        }
        if !moved.is_empty() {
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
        let Some(conn) = connections.get_mut(id as usize).and_then(Option::as_mut) else { return };
        let Some(stall) = conn.stall.take() else { return };
        // At a feed's own beat only newer ticks follow; a slower tier may still bring one that was a snapshot.
        let slower =
            conn.cohort.and_then(|c| cohorts.get(c)).is_some_and(|c| c.wires.iter().any(|w| w.tier > 0));
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
            self.start_reading(id);
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
