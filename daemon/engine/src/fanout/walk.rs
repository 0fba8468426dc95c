//! One beat's way to the sockets of a shard: each cohort's due frames are joined once, and each member gets one write.
//!
//! The walk stops after [`WRITES_PER_TURN`] writes so that the shard can read; whatever happens in between, each
//! connection is served once per beat: `Connection::beat` says whether it was, and one that changes its subscriptions in
//! between is served first.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::ages::Ages;
use super::comings::{Comings, Named};
use super::joined::{Joined, Sent};
use super::shard::{Shard, Told};
use crate::exchange::ConnId;
use crate::exchange::beat::Beat;
use crate::fanout::table::cohorts::Cohorts;
use crate::fanout::table::ids::{CohortId, SlotId};
use crate::fanout::table::topics::Tap;
use tickerd_model::board::{Change, Due};
use tickerd_model::encoding::{Encoder, Encoding};
use tickerd_model::frame::Frame;
use tickerd_model::lane::Health;
use tickerd_model::message::Message;
use tickerd_model::protocol::event::{self, Notice};
use tickerd_model::tier::Tier;
use tickerd_process::clock::now_unix_ms;

/// Writes between two turns of the shard's other work: about a millisecond at 4 µs each.
pub const WRITES_PER_TURN: usize = 256;

/// What is due to some cohort.
#[derive(Debug)]
pub struct Item {
    /// The push's number on the shard's count.
    pub pos: u64,
    /// What it is.
    pub payload: Payload,
}

/// What an item is.
#[derive(Debug)]
pub enum Payload {
    /// The newest tick of a topic.
    Newest(SlotId, Arc<Frame>),
    /// The next tick of a topic, for those who get every one.
    Every(SlotId, Arc<Frame>),
    /// Words of the server's own.
    Notice(About, Rc<Message>),
}

/// What a notice is about: what becomes of it when it cannot go out depends on that.
#[derive(Debug, Clone)]
pub enum About {
    /// How a feed or a topic is; only how it is in the end matters.
    State,
    /// Which topics, or people in one, came and went.
    Roster(Rc<Named>),
    /// Ticks were passed over.
    Reset,
}

impl Item {
    /// As connections of this encoding get it.
    pub fn bytes(&self, encoding: Encoding, encoder: &Encoder) -> &[u8] {
        match &self.payload {
            Payload::Newest(_, frame) | Payload::Every(_, frame) => frame.bytes(encoding, encoder),
            Payload::Notice(_, message) => message.bytes(encoding, encoder),
        }
    }
}

/// A beat on its way.
#[derive(Debug, Default)]
pub struct Walk {
    items: Vec<Item>,
    /// How many of them, the first, are notices.
    notices: u32,
    touched: Vec<CohortId>,
    /// How many of `touched` were begun.
    begun: usize,
    /// Members of the current cohort still to serve, from the end downward: whoever leaves is replaced by the last,
    /// who was served already or is met again further down.
    members_left: usize,
    joined: Joined,
    /// For those who cannot take the joined bytes.
    own: Joined,
    started: Option<Instant>,
    oldest_ts: u64,
}

impl Walk {
    /// Whether a beat is on its way.
    pub fn is_on(&self) -> bool {
        self.started.is_some()
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
            if let Some(cohort) = cohorts.held_mut(tap.cohort) {
                if cohort.due.is_empty() {
                    self.touched.push(tap.cohort);
                }
                cohort.due.extend(added.clone());
            }
        }
    }

    /// How many frames and notices it has.
    #[cfg(test)]
    pub fn built(&self) -> usize {
        self.items.len()
    }
}

impl Shard {
    /// Applies a beat and notes who is due what.
    pub fn begin(&mut self, beat: &Beat) {
        self.look_at_clock();
        self.beat += 1;
        self.tally.skipped += beat.skipped;
        let (mut ages, mut comings) = (Ages::default(), Comings::default());
        for change in &beat.changes {
            match change {
                Change::Added(id, topic) => {
                    if let Some(slot) = self.topics.appear(*id, topic) {
                        // Who is behind may have been told that its namesake, gone meanwhile, is stale.
                        self.pos += 1;
                        let pos = self.pos;
                        self.topics.slot_mut(slot).into_iter().for_each(|slot| slot.aged_pos = pos);
                        self.cohorts.appear(&mut self.topics, slot);
                        self.know_room(slot, topic.name());
                        self.note_coming(slot, true, &mut comings);
                    }
                }
                Change::Removed(id) => {
                    // While its wires still lead to those who were told that it is stale.
                    self.age(*id, None, &mut ages);
                    if let Some(slot) = self.topics.vanish(*id) {
                        self.note_coming(slot, false, &mut comings);
                        self.cohorts.vanish(&mut self.topics, slot);
                    }
                }
            }
        }
        self.walk.started = Some(self.now);
        self.walk.oldest_ts = u64::MAX;
        for (feed, health) in &beat.health {
            self.tell_health(*feed, health);
        }
        for aged in &beat.aged {
            self.age(aged.topic, aged.stale, &mut ages);
        }
        self.tell_ages(ages);
        for topic in &beat.resets {
            self.note_reset(*topic, &mut comings);
        }
        self.tell_comings(comings);
        for (topic, turnover) in &beat.turnovers {
            self.tell_turnover(*topic, turnover);
        }
        self.hand_out(&beat.letters);
        self.walk.notices = self.walk.items.len() as u32;
        for due in &beat.due {
            self.push(due);
        }
        if !self.waiting.is_empty() {
            self.answer_waiting();
        }
    }

    /// Keeps what is due of a topic and makes it due to those who want it.
    fn push(&mut self, due: &Due) {
        let Shard { topics, cohorts, walk, pos, .. } = self;
        let Some(id) = topics.of_board(due.topic) else { return };
        let Some(slot) = topics.slot_mut(id) else { return };
        *pos += due.ticks() as u64;
        slot.push(due, *pos);
        if due.tier == Tier::Every && !slot.every().taps.is_empty() {
            let first = *pos - due.ticks() as u64 + 1;
            let item =
                |(frame, pos): (&Arc<Frame>, u64)| Item { pos, payload: Payload::Every(id, frame.clone()) };
            walk.add(due.frames().zip(first..).map(item), &slot.every().taps, cohorts);
        }
        let tier = if due.tier == Tier::Every { due.is_newest.then_some(Tier::OWN) } else { Some(due.tier) };
        if let Some(tier) = tier.and_then(|tier| slot.tier(tier)).filter(|tier| !tier.taps.is_empty()) {
            let item = Item { pos: *pos, payload: Payload::Newest(id, due.frame.clone()) };
            walk.add([item], &tier.taps, cohorts);
        }
    }

    /// Keeps a feed's health and makes its notice due to those subscribed in the feed.
    fn tell_health(&mut self, feed: usize, health: &Health) {
        let Some(known) = self.health.get_mut(feed) else { return };
        let name = self.topics.feeds().get(feed).map_or("", |f| f.name.as_str());
        let notice = Rc::new(event::message(&Notice::feed(name, health)));
        self.pos += 1;
        *known = Told { state: health.state, pos: self.pos, notice: notice.clone() };
        let interested: Vec<CohortId> = self
            .cohorts
            .iter()
            .filter(|(_, c)| self.cohorts.is_in_feed(&self.topics, c, feed))
            .map(|(id, _)| id)
            .collect();
        if interested.is_empty() {
            return;
        }
        let item = self.add_notice(self.pos, About::State, notice);
        for id in interested {
            self.owe(id, item);
        }
    }

    /// Adds a notice to the beat that is on its way; the number to [`Shard::owe`] it by.
    pub(super) fn add_notice(&mut self, pos: u64, about: About, notice: Rc<Message>) -> u32 {
        self.walk.items.push(Item { pos, payload: Payload::Notice(about, notice) });
        self.walk.items.len() as u32 - 1
    }

    /// Makes a cohort due what was added.
    pub(super) fn owe(&mut self, id: CohortId, item: u32) {
        if let Some(cohort) = self.cohorts.held_mut(id) {
            if cohort.due.is_empty() {
                self.walk.touched.push(id);
            }
            cohort.due.push(item);
        }
    }

    /// Serves the next members; whether there are more.
    pub fn walk_on(&mut self) -> bool {
        let mut writes = 0;
        loop {
            while self.walk.members_left == 0 {
                if !self.next_cohort() {
                    self.end_walk();
                    return false;
                }
            }
            let Some(cohort) = self.walk.touched.get(self.walk.begun - 1).copied() else { return false };
            let members = self.cohorts.get(cohort).map_or(0, |c| c.members.len());
            self.walk.members_left = self.walk.members_left.min(members);
            let Some(at) = self.walk.members_left.checked_sub(1) else { continue };
            self.walk.members_left = at;
            let Some(member) = self.cohorts.get(cohort).and_then(|c| c.members.get(at)).copied() else {
                continue;
            };
            self.serve(member, false);
            writes += 1;
            if writes == WRITES_PER_TURN {
                return true;
            }
        }
    }

    /// Serves one connection its share of the beat that is on its way, before something changes what that is.
    pub fn serve_early(&mut self, id: ConnId) {
        if self.walk.is_on() {
            self.serve(id, true);
        }
    }

    fn next_cohort(&mut self) -> bool {
        if let Some(done) = self.walk.begun.checked_sub(1)
            && let Some(id) = self.walk.touched.get(done)
            && let Some(cohort) = self.cohorts.get_mut(*id)
        {
            cohort.due.clear();
        }
        let Some(id) = self.walk.touched.get(self.walk.begun) else { return false };
        self.walk.begun += 1;
        self.walk.joined.clear();
        if let Some(cohort) = self.cohorts.get(*id).filter(|cohort| !cohort.members.is_empty()) {
            for at in &cohort.due {
                if let Some(item) = self.walk.items.get(*at as usize) {
                    self.walk.joined.push(*at, item, cohort.encoding, &self.encoder);
                }
            }
            self.walk.members_left = cohort.members.len();
        }
        true
    }

    fn end_walk(&mut self) {
        if let Some(started) = self.walk.started.take()
            && !self.walk.items.is_empty()
        {
            self.metrics.write_seconds.observe(started.elapsed().as_secs_f64());
            if self.walk.oldest_ts != u64::MAX {
                let age = now_unix_ms().saturating_sub(self.walk.oldest_ts);
                self.metrics.tick_age_seconds.observe(age as f64 / 1000.0);
            }
        }
        self.walk.items.clear();
        self.walk.touched.clear();
        self.walk.begun = 0;
        self.walk.joined.clear();
        // A beat much larger than usual does not keep its memory for good.
        self.walk.joined.bytes.shrink_to(1 << 20);
        self.tally.flush(&self.metrics);
    }

    fn serve(&mut self, id: ConnId, early: bool) {
        let (beat, now_s) = (self.beat, self.now_s);
        let Shard { connections, cohorts, walk, encoder, tally, .. } = self;
        let Some(conn) = connections.get_mut(id) else { return };
        if conn.beat == beat {
            return;
        }
        conn.beat = beat;
        let Some(cohort) = conn.cohort.and_then(|c| cohorts.held(c)) else { return };
        if cohort.due.is_empty() {
            return;
        }
        if let Some(stall) = &mut conn.stall {
            // Where nobody has every tick, the frames need no look.
            let notices = cohort.due.partition_point(|item| *item < walk.notices);
            let looked_at = if cohort.streams == 0 { notices } else { cohort.due.len() };
            stall.missed += (cohort.due.len() - looked_at) as u64;
            for item in cohort.due.iter().take(looked_at).filter_map(|at| walk.items.get(*at as usize)) {
                stall.pass(item);
            }
            return;
        }
        let joined = if early || conn.fresh.is_some() {
            walk.own.clear();
            for at in &cohort.due {
                let Some(item) = walk.items.get(*at as usize) else { continue };
                let had = match (&item.payload, &conn.fresh) {
                    (Payload::Newest(slot, frame) | Payload::Every(slot, frame), Some(fresh)) => {
                        fresh.has(*slot, frame.tick().n)
                    }
                    _ => false,
                };
                if !had {
                    walk.own.push(*at, item, conn.encoding, encoder);
                }
            }
            &walk.own
        } else {
            &walk.joined
        };
        if joined.bytes.is_empty() {
            return;
        }
        match joined.write(conn, &walk.items, now_s) {
            Sent::All => {
                tally.frames += joined.frames();
                tally.bytes += joined.bytes.len() as u64;
            }
            Sent::Part { frames, bytes } => {
                tally.frames += frames;
                tally.bytes += bytes;
                self.begin_stall(id);
            }
            Sent::Gone => self.drop_connection(id, 1006),
        }
    }
}
