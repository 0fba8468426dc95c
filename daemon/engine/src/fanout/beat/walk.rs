//! One beat's way to the sockets of a shard: each cohort's due frames are joined once, and each member gets one write.
//!
//! The walk stops after [`WRITES_PER_TURN`] writes so that the shard can read; whatever happens in between, each
//! connection is served once per beat: `Connection::beat` says whether it was, and one that changes its subscriptions in
//! between is served first.

use std::sync::Arc;
use std::time::Instant;

use super::joined::{Joined, Written};
use super::whole::{self, Whole};
use crate::exchange::ConnId;
use crate::fanout::connection::Connection;
use crate::fanout::metrics::Metrics;
use crate::fanout::metrics::feeds::Pushed;
use crate::fanout::notices::Announcement;
use crate::fanout::outbox::item::{Item, Payload};
use crate::fanout::table::cohorts::{Cohort, Cohorts};
use crate::fanout::table::ids::{CohortId, SlotId};
use crate::fanout::table::topics::{Slot, Tap};
use tickerd_model::board::Due;
use tickerd_model::source::SourceId;
use tickerd_model::tier::Tier;
use tickerd_model::wire::encoding::Encoder;
use tickerd_model::wire::frame::Frame;
use tickerd_model::wire::shared::{Steps, Turn};
use tickerd_process::clock::now_unix_ms;

/// Writes between two turns of the shard's other work: about a millisecond at 4 µs each.
pub const WRITES_PER_TURN: usize = 256;

/// A beat on its way.
#[derive(Debug, Default)]
pub struct Walk {
    items: Vec<Item>,
    /// From which on items are of which source, in order; notices are of none.
    sources: Vec<(u32, SourceId)>,
    /// What is due to clients, by source.
    pub pushed: Pushed,
    /// How many of them, the first, are notices.
    notices: u32,
    touched: Vec<CohortId>,
    /// How many of `touched` were begun.
    begun: usize,
    /// Members of the current cohort still to serve, from the end downward: whoever leaves is replaced by the last,
    /// who was served already or is met again further down.
    members_left: usize,
    joined: Joined,
    whole: Whole,
    /// The same as a part of the cohort's stream, for those who are in step with it.
    shared: Joined,
    /// Who those are; none where the cohort has no stream.
    turn: Option<Turn>,
    steps: Steps,
    /// For those who cannot take the joined bytes.
    own: Joined,
    started: Option<Instant>,
    oldest_ts: u64,
    /// Bytes that may wait for a connection of the ticks that it gets every one of.
    pending: usize,
}

impl Walk {
    /// No beat is on its way; `pending` bytes of ticks may wait for a connection that gets every one.
    pub fn new(pending: usize) -> Walk {
        Walk { pending, ..Walk::default() }
    }

    /// So many bytes may wait from now on.
    pub fn set_pending(&mut self, pending: usize) {
        self.pending = pending;
    }

    /// Whether a beat is on its way.
    pub fn is_on(&self) -> bool {
        self.started.is_some()
    }

    /// A beat begins.
    pub fn start(&mut self, now: Instant) {
        self.started = Some(now);
        self.oldest_ts = u64::MAX;
    }

    /// Adds a notice, due to all who are told. Notices come before ticks.
    pub fn announce(&mut self, announcement: Announcement, cohorts: &mut Cohorts) {
        let Announcement { pos, when_late, message, to } = announcement;
        if to.is_empty() {
            return;
        }
        let at = self.items.len() as u32;
        self.items.push(Item { pos, payload: Payload::Notice(when_late, message) });
        self.notices = at + 1;
        for id in to.iter() {
            self.owe(*id, at..at + 1, cohorts);
        }
    }

    /// Adds what is due of a topic, to those who want it at its tier; `pos` is its last push.
    pub fn push(&mut self, due: &Due, pos: u64, (id, slot): (SlotId, &Slot), cohorts: &mut Cohorts) {
        let last = self.sources.last().map(|(_, source)| *source);
        if let Some(source) = slot.source.filter(|source| last != Some(*source)) {
            self.sources.push((self.items.len() as u32, source));
        }
        if due.tier == Tier::Every && !slot.every().taps.is_empty() {
            let first = pos - due.ticks() as u64 + 1;
            let item =
                |(frame, pos): (&Arc<Frame>, u64)| Item { pos, payload: Payload::Every(id, frame.clone()) };
            self.add(due.frames().zip(first..).map(item), &slot.every().taps, cohorts);
        }
        let tier = if due.tier == Tier::Every { due.is_newest.then_some(Tier::OWN) } else { Some(due.tier) };
        if let Some(tier) = tier.and_then(|tier| slot.tier(tier)).filter(|tier| !tier.taps.is_empty()) {
            let item = Item { pos, payload: Payload::Newest(id, due.frame.clone()) };
            self.add([item], &tier.taps, cohorts);
        }
    }

    /// Adds ticks of a topic, due to all who tap it.
    fn add(&mut self, items: impl IntoIterator<Item = Item>, taps: &[Tap], cohorts: &mut Cohorts) {
        let from = self.items.len() as u32;
        for item in items {
            if let Payload::Newest(_, frame) | Payload::Every(_, frame) = &item.payload {
                self.oldest_ts = self.oldest_ts.min(frame.tick().ts);
            }
            self.items.push(item);
        }
        let added = from..self.items.len() as u32;
        for tap in taps {
            self.owe(tap.cohort, added.clone(), cohorts);
        }
    }

    /// Makes a cohort due what was added.
    fn owe(&mut self, id: CohortId, added: std::ops::Range<u32>, cohorts: &mut Cohorts) {
        if let Some(cohort) = cohorts.held_mut(id) {
            if cohort.due.is_empty() {
                self.touched.push(id);
            }
            cohort.due.extend(added);
        }
    }

    /// The next member to serve; none at the end of the beat.
    pub fn next_member(&mut self, cohorts: &mut Cohorts, encoder: &Encoder) -> Option<ConnId> {
        loop {
            while self.members_left == 0 {
                if !self.next_cohort(cohorts, encoder) {
                    return None;
                }
            }
            // Its cohort may have lost members since, and may be gone.
            let cohort = self.touched.get(self.begun - 1).and_then(|id| cohorts.get(*id));
            let members = cohort.map_or(&[][..], |cohort| &cohort.members);
            self.members_left = self.members_left.min(members.len());
            if let Some(at) = self.members_left.checked_sub(1) {
                self.members_left = at;
                return members.get(at).copied();
            }
        }
    }

    fn next_cohort(&mut self, cohorts: &mut Cohorts, encoder: &Encoder) -> bool {
        if let Some(done) = self.begun.checked_sub(1)
            && let Some(id) = self.touched.get(done)
            && let Some(cohort) = cohorts.get_mut(*id)
        {
            cohort.due.clear();
        }
        let Some(id) = self.touched.get(self.begun) else { return false };
        if self.begun == 0 {
            self.whole.begin(&self.items, self.touched.iter().filter_map(|id| cohorts.get(*id)), encoder);
        }
        self.begun += 1;
        self.joined.clear();
        self.shared.clear();
        self.turn = None;
        if let Some(cohort) = cohorts.get_mut(*id).filter(|cohort| !cohort.members.is_empty()) {
            self.members_left = cohort.members.len();
            self.turn = self.join_shared(cohort, encoder);
            if self.turn.is_none() {
                self.join(cohort, encoder);
            }
            self.count_due(cohort.members.len() as u64);
        }
        true
    }

    /// Joins what a cohort is due as a part of its stream; none if it has no stream, or if that failed.
    fn join_shared(&mut self, cohort: &mut Cohort, encoder: &Encoder) -> Option<Turn> {
        let (stream, started) = (cohort.stream.as_mut()?, self.started?);
        let turn = stream.begin(started, &mut self.steps);
        for at in &cohort.due {
            if let Some(item) = self.items.get(*at as usize)
                && !self.shared.push_shared(*at, item, stream, cohort.encoding, encoder)
            {
                self.shared.clear();
                return None;
            }
        }
        stream.end(turn);
        Some(turn)
    }

    /// Joins what a cohort is due for those who are in step with no stream.
    fn join(&mut self, cohort: &Cohort, encoder: &Encoder) {
        if cohort.encoding == whole::ENCODING && self.whole.is_laid() {
            for at in &cohort.due {
                if let Some(bytes) = self.whole.get(*at) {
                    self.joined.push_bytes(*at, bytes, *at < self.notices);
                }
            }
            return;
        }
        for at in &cohort.due {
            if let Some(item) = self.items.get(*at as usize) {
                self.joined.push(*at, item, cohort.encoding, encoder);
            }
        }
    }

    /// Counts what was joined for so many members.
    fn count_due(&mut self, members: u64) {
        let joined = if self.turn.is_some() { &self.shared } else { &self.joined };
        // Items are in the order of their sources, so what is due of one is counted when the next begins.
        let ((mut source, mut until), mut begun, mut now) = (self.source_at(0), (0, 0), (0, 0));
        for (end, at) in joined.ends() {
            if *at >= until {
                count(&mut self.pushed, source, begun, now, members);
                ((source, until), begun) = (self.source_at(*at), now);
            }
            now = (now.0 + 1, *end as u64);
        }
        count(&mut self.pushed, source, begun, now, members);
    }

    /// Of which source an item is, and from which item on it is another; none: a notice.
    fn source_at(&self, at: u32) -> (Option<SourceId>, u32) {
        let next = self.sources.partition_point(|(from, _)| *from <= at);
        let source = next.checked_sub(1).and_then(|last| self.sources.get(last)).map(|(_, source)| *source);
        (source, self.sources.get(next).map_or(u32::MAX, |(from, _)| *from))
    }

    /// Serves a member of a cohort its share of the beat; `early`: before its cohort's turn.
    pub fn serve(
        &mut self,
        conn: &mut Connection,
        cohort: &Cohort,
        early: bool,
        encoder: &Encoder,
        now_s: u32,
    ) -> Written {
        if let Some(outbox) = &mut conn.outbox {
            // Where nobody has every tick, the frames need no look.
            let notices = cohort.due.partition_point(|item| *item < self.notices);
            let looked_at = if cohort.streams == 0 { notices } else { cohort.due.len() };
            outbox.miss((cohort.due.len() - looked_at) as u64);
            for item in cohort.due.iter().take(looked_at).filter_map(|at| self.items.get(*at as usize)) {
                outbox.pass(item, self.pending);
            }
            return Written::Nothing;
        }
        let before = std::mem::take(&mut conn.step);
        let joined = if early || self.is_had(conn, cohort) {
            self.join_own(conn, cohort, encoder);
            &self.own
        } else if let Some(turn) = &self.turn {
            if turn.admits(before) {
                let written = self.shared.write(conn, &self.items, self.pending, now_s);
                if matches!(written, Written::All { .. }) {
                    conn.step = turn.after();
                }
                return written;
            }
            if self.joined.bytes().is_empty() {
                self.join(cohort, encoder);
            }
            &self.joined
        } else {
            &self.joined
        };
        if joined.bytes().is_empty() {
            return Written::Nothing;
        }
        joined.write(conn, &self.items, self.pending, now_s)
    }

    /// Whether a member has some of what its cohort is due already.
    fn is_had(&self, conn: &Connection, cohort: &Cohort) -> bool {
        let mut due = cohort.due.iter().filter_map(|at| self.items.get(*at as usize));
        conn.ahead.is_some() && due.any(|item| conn.has(item))
    }

    /// Joins what one member is due, without what it has already.
    fn join_own(&mut self, conn: &Connection, cohort: &Cohort, encoder: &Encoder) {
        self.own.clear();
        for at in &cohort.due {
            let Some(item) = self.items.get(*at as usize) else { continue };
            if !conn.has(item) {
                self.own.push(*at, item, conn.encoding, encoder);
            }
        }
    }

    /// The beat is out.
    pub fn end(&mut self, metrics: &Metrics) {
        if let Some(started) = self.started.take()
            && !self.items.is_empty()
        {
            metrics.write_seconds.observe(started.elapsed().as_secs_f64());
            if self.oldest_ts != u64::MAX {
                let age = now_unix_ms().saturating_sub(self.oldest_ts);
                metrics.tick_age_seconds.observe(age as f64 / 1000.0);
            }
        }
        self.pushed.tell();
        self.sources.clear();
        self.items.clear();
        self.notices = 0;
        self.touched.clear();
        self.begun = 0;
        self.joined.clear();
        self.whole.clear();
        self.shared.clear();
        self.turn = None;
        // A beat much larger than usual does not keep its memory for good.
        self.joined.shrink_to(1 << 20);
        self.shared.shrink_to(1 << 20);
    }

    /// How many frames and notices it has.
    #[cfg(test)]
    pub fn built(&self) -> usize {
        self.items.len()
    }
}

/// Counts what was joined from `begun` to `now`, in ticks and bytes, for each of a cohort's members.
fn count(pushed: &mut Pushed, source: Option<SourceId>, begun: (u64, u64), now: (u64, u64), members: u64) {
    if let Some(source) = source.filter(|_| now != begun) {
        pushed.count(source, (now.0 - begun.0) * members, (now.1 - begun.1) * members);
    }
}
