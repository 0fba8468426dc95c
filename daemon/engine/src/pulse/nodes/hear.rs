//! What the pulse is told of feeds: who holds them, and what other nodes say of those that they hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::Pulse;
use super::super::sources::Followed;
use super::{Part, Role, words};
use crate::exchange::beat::Stale;
use crate::exchange::nodes::{Join, NodeOrder, PulseSays, WAITING_MAX};
use tickerd_cluster::load::{About, Change, Load};
use tickerd_model::board::Unsound;
use tickerd_model::health::{FeedState, Health};
use tickerd_model::source::{Pace, Source, SourceId};
use tickerd_process::clock::now_unix_ms;

/// A beat comes within this time after it was due, or something is missing that is asked for.
const LATE_MS: u64 = 2_000;

impl Pulse {
    /// Obeys what waits. False: what is pending waits for other feeds of its instant, and nothing may be collected until then.
    pub(in super::super) fn hear_nodes(&mut self) -> bool {
        for _ in 0..WAITING_MAX {
            let Some(order) = self.nodes.as_ref().and_then(|nodes| nodes.port.orders.try_recv().ok()) else {
                break;
            };
            let now = self.mono_us();
            self.board.set_clock(now);
            let is_of_clients = matches!(
                order,
                NodeOrder::Publish { .. }
                    | NodeOrder::Published { .. }
                    | NodeOrder::Presence { .. }
                    | NodeOrder::Introduce { .. }
                    | NodeOrder::Gone { .. }
            );
            if is_of_clients {
                self.obey_node(order);
                continue;
            }
            let opens = self.opens_window(&order);
            let parked = self.nodes.as_mut().map(|nodes| nodes.park(now, order, opens));
            let Some(Some(order)) = parked else { continue };
            // It is of another instant, which may have to wait as well, or not a load.
            self.settle();
            let parked = self.nodes.as_mut().map(|nodes| nodes.park(now, order, opens));
            parked.flatten().into_iter().for_each(|order| self.obey_node(order));
        }
        if self.pending.due.is_empty() || self.is_joining() {
            return self.pending.due.is_empty();
        }
        self.settle();
        true
    }

    /// Tells what was taken of the feeds that this node holds. False: what is pending waits for other feeds of its instant.
    pub(in super::super) fn tell_nodes(&mut self) -> bool {
        let now = self.mono_us();
        if let Some(nodes) = &mut self.nodes {
            let beats = nodes.beats.iter().map(|(id, ts, _)| (*id, *ts));
            let beats = beats.filter(|(id, _)| is_beating(&self.sources, *id));
            for (id, ts) in beats.collect::<Vec<_>>() {
                nodes.join_own(now, id, ts);
            }
        }
        self.say();
        self.look_at_posts();
        self.tell_presence();
        if self.is_joining() {
            return false;
        }
        self.apply_joined();
        true
    }

    /// What waits for others of its instant is pushed now.
    pub(in super::super) fn settle(&mut self) {
        if self.nodes.is_none() {
            return;
        }
        self.say();
        self.apply_joined();
        if !self.pending.due.is_empty() {
            self.push();
        }
    }

    fn apply_joined(&mut self) {
        let loads = self.nodes.as_mut().map(|nodes| nodes.take_loads()).unwrap_or_default();
        loads.into_iter().for_each(|order| self.obey_node(order));
    }

    fn obey_node(&mut self, order: NodeOrder) {
        match order {
            NodeOrder::Hold { source, reign } => self.hold(source, &reign),
            NodeOrder::Yield { source } => self.yield_up(source),
            NodeOrder::Last { source } => self.say_last(source),
            NodeOrder::Accept { id, source, load, join } => self.apply(id, source, &load, join),
            NodeOrder::Absent { source, reason } => self.desert(source, reason),
            NodeOrder::Whole { source, ask } => self.say_whole(source, ask),
            NodeOrder::Publish { source, node, id, message } => self.hear_post(source, node, id, message),
            NodeOrder::Published { id, outcome } => self.hear_posted(id, outcome),
            NodeOrder::Presence { source, node, whole, turnovers } => {
                self.hear_presence(source, &node, whole, &turnovers);
            }
            NodeOrder::Introduce { source } => self.introduce(source),
            NodeOrder::Gone { node } => self.forget_node(&node),
        }
    }

    /// Nobody is heard who holds a feed.
    fn desert(&mut self, id: SourceId, reason: String) {
        let Some(follower) = self.nodes.as_mut().and_then(|nodes| nodes.follower(id)) else { return };
        follower.is_absent = true;
        self.pending.health.retain(|(source, _)| *source != id);
        let health = Health { state: FeedState::Down, since: now_unix_ms(), reason };
        self.pending.health.push((id, health));
        self.board.desert(id);
        self.bars.miss(id);
        self.tell_aged(id);
    }

    /// Applies what the holder of a feed says.
    fn apply(&mut self, id: SourceId, source: Option<Arc<Source>>, load: &Load, join: Join) {
        let Some(follower) = self.nodes.as_mut().and_then(|nodes| nodes.follower(id)) else { return };
        if follower.is_broken && join == Join::Next {
            return;
        }
        let was_absent = std::mem::take(&mut follower.is_absent);
        follower.is_heard = true;
        if !load.ticks.is_empty() {
            follower.spoke = load.ts;
        }
        let ends = |change: &Change| matches!(change, Change::Removed(_));
        if !self.pending.due.is_empty() && (load.whole.is_some() || load.changes.iter().any(ends)) {
            // A topic's number may be given to another, so what is due of it goes first.
            self.push();
        }
        if let Some(source) = source {
            self.reform(source);
            self.renew_posts(id);
        }
        // Whoever hears of a room's topics knows by then that it is a room.
        load.about.iter().for_each(|about| self.learn(id, about));
        if was_absent {
            self.board.undesert(id);
        }
        self.hear_health(id, load.health.as_ref(), was_absent);
        let (ts, says_ticks) = (load.ts, !load.ticks.is_empty() || load.whole.is_some());
        let dropped = load.ticks.len() as u64;
        let result = match join {
            Join::Next => self.apply_next(id, load),
            Join::Begins { floor } => {
                self.board.begin(id, floor);
                self.apply_whole(id, load, true)
            }
            Join::Whole => self.apply_whole(id, load, false),
        };
        self.tell_aged(id);
        self.apply_presence(id, load);
        let source = self.sources.get(&id).map(|followed| &followed.source);
        let interval = source.and_then(|s| s.tiers.all().first()).map_or(1, |i| i.as_millis().max(1) as u64);
        if ts > 0 {
            self.bars.hear(id, ts, interval.saturating_add(LATE_MS));
        }
        let is_beat = ts > 0 && ts % interval == 0;
        if says_ticks || is_beat && source.is_some_and(|source| source.always) {
            self.board.take_due(id, 0, &mut self.pending.due);
        }
        let Some(nodes) = &mut self.nodes else { return };
        nodes.follower(id).into_iter().for_each(|follower| follower.is_broken = result.is_err());
        if let Err((why, taken)) = result {
            // Without room it is told no more, and the feed stands still until its holder renews.
            nodes.say(PulseSays::Broken { source: id, why, dropped: dropped - taken });
        }
    }

    /// The error says how many ticks were taken before.
    fn apply_next(&mut self, id: SourceId, load: &Load) -> Result<(), (String, u64)> {
        for change in &load.changes {
            let done = match change {
                Change::Added(word) => self.board.add(id, &words::topic(word, &self.board)).map(|_| ()),
                Change::Removed(name) => self.board.remove(id, name).map(|topic| {
                    topic.iter().for_each(|topic| self.bars.retire(topic));
                }),
            };
            done.map_err(|why| (why.to_string(), 0))?;
        }
        for (word, taken) in load.ticks.iter().zip(0..) {
            let unsound = |why: Unsound| (format!("{}: {why}", word.topic), taken);
            let topic = self.board.expect(id, &word.topic, word.seq, word.merged).map_err(unsound)?.clone();
            let tick = words::tick(word, &topic);
            self.bars.take(id, &tick);
            let accepted = self.board.accept(id, tick);
            accepted.map_err(|why| (why.to_string(), taken))?;
        }
        Ok(())
    }

    fn apply_whole(&mut self, id: SourceId, load: &Load, begins: bool) -> Result<(), (String, u64)> {
        let Some(whole) = &load.whole else {
            return Err(("the whole board is not in what should have it".to_owned(), 0));
        };
        let all: Vec<_> = whole.iter().map(|word| words::whole(word, &self.board)).collect();
        for kept in &all {
            let known = self.board.find(kept.topic.name());
            let last = known.and_then(|id| self.board.history().last(id)).map_or(0, |frame| frame.tick().seq);
            let come = kept.past.iter().chain(&kept.newest).filter(|tick| tick.seq > last);
            come.for_each(|tick| self.bars.take(id, tick));
        }
        let mut resets = Vec::new();
        let gone = self.board.replace(id, all, load.retired, &mut resets);
        let gone = gone.map_err(|why| (why.to_string(), 0))?;
        gone.iter().for_each(|topic| self.bars.retire(topic));
        if !begins {
            // Numbers that begin anew are another epoch, which says as much.
            self.pending.resets.extend(resets);
        }
        Ok(())
    }

    /// What a feed is, as its holder has it.
    fn learn(&mut self, id: SourceId, about: &About) {
        let Some(part) = self.nodes.as_ref().and_then(|nodes| nodes.parts.get(&id)) else { return };
        let (max_age, source_max_age) = (words::age(about.max_age_ms), words::age(about.source_max_age_ms));
        part.lane.freshness().follow(max_age, source_max_age);
        self.board.heed_source(id, source_max_age.map(|age| age.as_micros() as u64));
        self.make_bars_of(id, words::bars(&about.bars));
        if about.is_room {
            let declared: Vec<_> = about.rooms.iter().map(words::room).collect();
            self.limit(&declared);
            self.rooms.reopen(id, declared, &mut self.board);
        }
    }

    /// Clients are told how the feed is, as its holder says, or as it said before it was away.
    fn hear_health(&mut self, id: SourceId, word: Option<&tickerd_cluster::load::Health>, was_absent: bool) {
        let Some(follower) = self.nodes.as_mut().and_then(|nodes| nodes.follower(id)) else { return };
        let said = word.map(words::health);
        let is_news = said.is_some();
        follower.health = said.or(follower.health.take());
        if !is_news && !was_absent {
            return;
        }
        let up = || Health { state: FeedState::Up, since: now_unix_ms(), reason: String::new() };
        let health = follower.health.clone().unwrap_or_else(up);
        if let Some(followed) = self.sources.get_mut(&id) {
            followed.watch.hear(health.state, id, &mut self.board);
        }
        self.pending.health.retain(|(source, _)| *source != id);
        self.pending.health.push((id, health));
    }

    /// Tells the shards which topics of a feed went stale or had news, before what is due.
    pub(super) fn tell_aged(&mut self, id: SourceId) {
        let max_age =
            self.sources.get(&id).and_then(|followed| followed.lane.as_ref()?.freshness().max_age());
        self.take_aged(Stale { since: now_unix_ms(), max_age_ms: words::age_ms(max_age) });
    }

    /// Whether a load may open a window in which it waits for others. What was pushed on arrival has waited already.
    pub(super) fn opens_window(&self, order: &NodeOrder) -> bool {
        matches!(order, NodeOrder::Accept { id, .. } if is_beating(&self.sources, *id))
    }

    /// Whether a window is open for which some feed is still to come.
    pub(in super::super) fn is_joining(&self) -> bool {
        let Some((nodes, window)) =
            self.nodes.as_ref().and_then(|nodes| Some((nodes, nodes.window.as_ref()?)))
        else {
            return false;
        };
        let interval_of = |id: &SourceId| {
            let source = self.sources.get(id).map(|followed| &followed.source);
            // One that pushes on arrival speaks at no instant of the others.
            let source = source.filter(|source| source.pace == Pace::Beat);
            source.map_or(0, |source| source.tiers.rate(0).as_millis() as u64)
        };
        let is_awaited = |(id, part): (&SourceId, &Part)| {
            let interval = interval_of(id);
            let speaks = match &part.role {
                Role::Holder(_) => true,
                // One that had nothing to say of late says nothing now, most likely.
                Role::Follower(follower) => {
                    let is_late = follower.spoke.saturating_add(2 * interval) < window.ts;
                    !follower.is_absent && follower.spoke < window.ts && !is_late
                }
            };
            speaks && !window.heard.contains(id) && interval > 0 && window.ts % interval == 0
        };
        self.mono_us() < window.until && nodes.parts.iter().any(is_awaited)
    }
}

/// Whether the own beats of a source fall on instants that others have too.
fn is_beating(sources: &BTreeMap<SourceId, Followed>, id: SourceId) -> bool {
    sources.get(&id).is_some_and(|followed| followed.source.pace == Pace::Beat)
}
