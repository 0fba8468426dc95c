//! What the pulse tells of the feeds that this node holds.

use std::ops::Range;
use std::sync::Arc;

use super::super::Pulse;
use super::{Cluster, Follower, Holder, Part, Role, words};
use crate::exchange::nodes::{PulseSays, Reign};
use tickerd_cluster::load::{About, Change, Load};
use tickerd_model::board::{Board, Due, Turn};
use tickerd_model::health::{FeedState, Health};
use tickerd_model::source::{Kind, Pace, Source, SourceId};
use tickerd_model::tier::Tier;
use tickerd_process::clock::now_unix_ms;

/// Topics that came and went are told with the next beat, or at once when they are more than these.
const TURNS_MAX: usize = 4_096;

impl Pulse {
    /// This node numbers a feed's ticks from now on.
    pub(super) fn hold(&mut self, source: Arc<Source>, reign: &Reign) {
        let id = source.id;
        let Some(part) = self.nodes.as_mut().and_then(|nodes| nodes.parts.get_mut(&id)) else { return };
        // What waits was said before.
        part.lane.drain();
        self.bars.accept_here(id);
        part.lane.freshness().configure(part.max_age);
        let (bars, declared) = (part.bars.clone(), part.declared.clone());
        self.make_bars_of(id, bars);
        let is_room = source.kind == Kind::Room;
        self.reform(source);
        if is_room {
            self.rooms.reopen(id, declared, &mut self.board);
        }
        if let Some(part) = self.nodes.as_mut().and_then(|nodes| nodes.parts.get_mut(&id)) {
            if let (true, Role::Follower(Follower { is_absent: true, .. })) = (is_room, &part.role) {
                // A feed's plugin says how it is; a room is well once somebody holds it.
                let up = Health { state: FeedState::Up, since: now_unix_ms(), reason: String::new() };
                self.pending.health.retain(|(source, _)| *source != id);
                self.pending.health.push((id, up));
            }
            part.role = Role::Holder(Holder { era: reign.era, ..Holder::default() });
        }
        self.renew_beats(id);
        self.board.begin(id, reign.floor);
        self.board.hold(id);
        self.board.undesert(id);
        self.tell_aged(id);
        let Some(nodes) = &mut self.nodes else { return };
        let (Some(followed), Some(part)) = (self.sources.get(&id), nodes.parts.get_mut(&id)) else { return };
        let (about, health) = (part.about(&followed.source), part.lane.told());
        let Role::Holder(holder) = &mut part.role else { return };
        holder.about = about.clone();
        holder.greatest_seq = self.board.greatest(id).max(reign.floor);
        let mut load = match reign.whole {
            true => Load { turnovers: self.rooms.everyone(id, false), ..whole(&self.board, id) },
            false => {
                let all = self.board.topics_of(id).map(words::topic_word).map(Change::Added).collect();
                Load { changes: all, ..Load::default() }
            }
        };
        load.ts = now_unix_ms();
        drop(self.rooms.take_told(id));
        load.health = health.as_ref().map(words::health_word);
        load.about = Some(about);
        nodes.send(id, load, false);
        self.keep_posts(id);
    }

    /// This node does not number a feed's ticks from now on.
    pub(super) fn yield_up(&mut self, id: SourceId) {
        let Some(nodes) = &mut self.nodes else { return };
        if nodes.holder(id).is_none() {
            return;
        }
        nodes.beats.retain(|(source, ..)| *source != id);
        if let Some(part) = nodes.parts.get_mut(&id) {
            part.role = Role::Follower(Follower { health: part.lane.told(), ..Follower::default() });
        }
        self.board.leave(id);
        self.renew_beats(id);
    }

    /// Tells all that a feed said until now, and that this is the last of it.
    pub(super) fn say_last(&mut self, id: SourceId) {
        if self.nodes.as_mut().is_none_or(|nodes| nodes.holder(id).is_none()) {
            return;
        }
        self.collect_all();
        let before = self.pending.due.len();
        self.board.take_due(id, 0, &mut self.pending.due);
        let due = before..self.pending.due.len();
        self.say_load(id, now_unix_ms(), due, true);
        self.push();
        self.yield_up(id);
    }

    /// Tells what beats that were taken say, and what cannot wait for the next one. To be called before they are pushed.
    pub(in super::super) fn say(&mut self) {
        let Some(nodes) = &mut self.nodes else { return };
        for (id, ts, due) in std::mem::take(&mut nodes.beats) {
            self.say_load(id, ts, due, false);
        }
        let Some(nodes) = &mut self.nodes else { return };
        let is_urgent = |(id, part): (&SourceId, &Part)| match &part.role {
            Role::Holder(holder) => {
                // A feed that has no beats of its own may have no other occasion.
                let is_last = self.arrivals.sources.contains(id) && self.board.next_arrival(*id).is_none();
                let turns_max = if is_last { 0 } else { TURNS_MAX };
                (holder.health.is_some() || self.board.turns(*id) > turns_max).then_some(*id)
            }
            Role::Follower(_) => None,
        };
        for id in nodes.parts.iter().filter_map(is_urgent).collect::<Vec<_>>() {
            self.say_load(id, now_unix_ms(), 0..0, false);
        }
        let Some(nodes) = &mut self.nodes else { return };
        for (source, era) in std::mem::take(&mut nodes.lost) {
            if !nodes.say(PulseSays::Lost { source, era }) {
                nodes.lost.push((source, era));
            }
        }
    }

    fn say_load(&mut self, id: SourceId, ts: u64, due: Range<usize>, is_last: bool) {
        let (Some(nodes), Some(followed)) = (&mut self.nodes, self.sources.get(&id)) else { return };
        let Some(part) = nodes.parts.get_mut(&id) else { return };
        let about = part.about(&followed.source);
        let Role::Holder(holder) = &mut part.role else { return };
        let turns = self.board.take_turns(id);
        let due: &[Due] = self.pending.due.get(due).unwrap_or_default();
        let every = due.iter().filter(|due| due.tier == Tier::Every).flat_map(Due::frames);
        let ticks: Vec<_> = every.map(|frame| words::tick_word(frame.tick())).collect();
        let greatest = ticks.iter().map(|tick| tick.seq).max().unwrap_or(0);
        holder.greatest_seq = holder.greatest_seq.max(greatest);
        let about = (holder.about != about).then(|| {
            holder.about = about.clone();
            about
        });
        let health = holder.health.take().map(|health| words::health_word(&health));
        let changes = turns.iter().map(|turn| match turn {
            Turn::Added(topic) => Change::Added(words::topic_word(topic)),
            Turn::Removed(topic) => Change::Removed(topic.name().into()),
        });
        let (turnovers, letters) = self.rooms.take_told(id);
        let changes = changes.collect();
        let load = Load { ts, about, changes, ticks, health, turnovers, letters, ..Load::default() };
        // An own beat that pushes every value does so on all nodes.
        let is_said = followed.source.always && !due.is_empty();
        let empty = Load { ts, ..Load::default() };
        if is_last || is_said || load != empty {
            nodes.send(id, load, is_last);
        }
    }

    /// Answers with all that was pushed of a source.
    pub(super) fn say_whole(&mut self, id: SourceId, ask: u64) {
        // Whoever gets it goes on with the next load: topics that came are told before.
        if self.board.turns(id) > 0 {
            self.say_load(id, now_unix_ms(), 0..0, false);
        }
        let (Some(nodes), Some(followed)) = (&mut self.nodes, self.sources.get(&id)) else { return };
        let Some(part) = nodes.parts.get(&id) else { return };
        let health = match &part.role {
            Role::Holder(holder) if holder.is_lost => return,
            Role::Holder(_) => part.lane.told(),
            Role::Follower(follower) => follower.health.clone(),
        };
        let about = part.about(&followed.source);
        let health = health.as_ref().map(words::health_word);
        let turnovers = self.rooms.everyone(id, false);
        let load =
            Load { ts: now_unix_ms(), about: Some(about), health, turnovers, ..whole(&self.board, id) };
        // Without room there is no answer, and whoever asked asks again.
        nodes.say(PulseSays::Whole { source: id, ask, load });
    }
}

fn whole(board: &Board, id: SourceId) -> Load {
    Load { whole: Some(words::whole_word(board, id)), retired: board.top(id), ..Load::default() }
}

impl Cluster {
    /// Hands over a load, or none any more of this reign.
    fn send(&mut self, source: SourceId, load: Load, is_last: bool) {
        let Some(holder) = self.holder(source).filter(|holder| !holder.is_lost) else { return };
        let (era, greatest_seq) = (holder.era, holder.greatest_seq);
        if !self.say(PulseSays::Beat { source, era, load, is_last, greatest_seq }) {
            self.holder(source).into_iter().for_each(|holder| holder.is_lost = true);
            self.lost.push((source, era));
        }
    }
}

impl Part {
    /// What the feed is, as this node has it.
    fn about(&self, source: &Source) -> About {
        let freshness = self.lane.freshness();
        let interval = source.tiers.all().first();
        About {
            is_room: source.kind == Kind::Room,
            interval_ms: interval.map_or(0, |interval| interval.as_millis() as u64),
            is_paced: source.pace == Pace::Arrival,
            always: source.always,
            max_age_ms: words::age_ms(freshness.max_age()),
            source_max_age_ms: words::age_ms(freshness.source_max_age()),
            bars: words::bars_word(&self.bars),
            rooms: self.declared.iter().map(words::room_word).collect(),
            // What the plugin and the configuration say besides is added by who sends it.
            ..About::default()
        }
    }
}
