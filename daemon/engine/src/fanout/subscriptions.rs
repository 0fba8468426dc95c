//! What a connection asks for, as `subscribe` and `unsubscribe` change it: each name is granted or refused by itself, and what
//! was granted brings its snapshot.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::answers::HINTS_MAX;
use super::shard::Shard;
use super::stall::Snapshot;
use super::wish::Wish;
use crate::exchange::ConnId;
use crate::fanout::table::cohorts::{Ask, Edit, Member, Moved, What};
use crate::fanout::table::ids::{CohortId, SlotId};
use tickerd_model::frame::Frame;
use tickerd_model::protocol::command::{Id, Terms};
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event::{self, Failed, TopicGrant};
use tickerd_model::tier::Tier;
use tickerd_model::topic::{self, Pattern, first_segment};

/// What goes out behind the answer to a subscription.
struct PastOf {
    snapshots: Vec<Snapshot>,
    replay: Vec<(SlotId, Vec<Arc<Frame>>)>,
    /// Topics of which ticks are gone.
    resets: Vec<String>,
}

impl Shard {
    /// Subscribes, and says what was granted.
    pub(super) fn subscribe(&mut self, id: ConnId, wish: Wish) {
        let Wish { request, always_told, names, terms, snapshot, missed, was_there } = wish;
        let (edits, failed) = self.edits_for(id, &names, terms, true);
        let from = self.connection(id).and_then(|c| c.cohort);
        let moved = self.edit(id, from, &edits);
        let cohort = self.connection(id).and_then(|c| c.cohort);
        let whats = edits.iter().filter_map(|edit| match edit {
            Edit::Set(ask) => Some(ask.what),
            Edit::Clear(_) => None,
        });
        let (mut topics, patterns) = self.grants(cohort, whats);
        self.hint(id, &mut topics);
        let snapshots = self.snapshots_after(id, &moved, snapshot);
        let mut past = PastOf { snapshots, replay: Vec::new(), resets: Vec::new() };
        self.bring_back(id, missed, was_there, snapshot, &moved, &mut topics, &mut past);
        let PastOf { snapshots, mut replay, mut resets } = past;
        replay.retain(|(_, frames)| !frames.is_empty());
        let (mut out, encoding) = (Vec::new(), self.encoding(id));
        if request.is_some() || always_told || !failed.is_empty() {
            self.write(id, &event::Subscribed { id: request, topics, patterns, failed }, &mut out);
        }
        self.append_health(self.feeds_of(&edits).into_iter(), encoding, &mut out);
        self.append_stale(&edits, &moved, encoding, &mut out);
        resets.sort_unstable();
        for names in resets.chunks(super::shares::TOPICS_MAX) {
            let topics = names.iter().map(String::as_str).collect();
            self.write(id, &event::Notice::Reset { topics }, &mut out);
        }
        self.send_with(id, &out, &snapshots, replay);
    }

    /// Adds what was missed of the topics that come with a subscription: the ticks, or the word that they are gone.
    #[allow(clippy::too_many_arguments, reason = "each is one part of the answer")]
    fn bring_back(
        &mut self,
        id: ConnId,
        mut missed: HashMap<String, Option<Vec<Arc<Frame>>>>,
        was_there: bool,
        snapshot: bool,
        moved: &[Moved],
        topics: &mut [TopicGrant],
        past: &mut PastOf,
    ) {
        let slots = moved.iter().filter(|moved| moved.now.is_some()).map(|moved| moved.slot);
        if was_there {
            let brought = slots.clone().filter_map(|slot| self.topics.slot(slot));
            for slot in brought.filter(|slot| slot.is_event()) {
                missed.entry(slot.name.to_string()).or_insert(None);
            }
        }
        if missed.is_empty() {
            return;
        }
        let brought: HashSet<SlotId> = slots.collect();
        for grant in topics {
            let Some(frames) = missed.remove(&*grant.topic) else { continue };
            grant.recovered = Some(frames.is_some());
            let Some(slot) = self.topics.find(&grant.topic) else { continue };
            past.snapshots.retain(|snapshot| snapshot.slot != slot);
            self.begin_again(id, slot);
            match (frames, self.topics.slot(slot).and_then(|slot| slot.topic.clone())) {
                (Some(frames), _) => past.replay.push((slot, frames)),
                (None, Some(topic)) if snapshot => {
                    past.snapshots.push(Snapshot { slot, topic, tier: Tier::Every });
                }
                (None, _) => {}
            }
        }
        // What a pattern brings has no grant of its own: its ticks follow, or a word that they do not.
        for (name, frames) in missed {
            let Some(slot) = self.topics.find(&name).filter(|slot| brought.contains(slot)) else { continue };
            match frames {
                Some(frames) => {
                    past.snapshots.retain(|snapshot| snapshot.slot != slot);
                    self.begin_again(id, slot);
                    past.replay.push((slot, frames));
                }
                None => past.resets.push(name),
            }
        }
    }

    /// What it takes to subscribe to these names, and which of them cannot be had; `hinted`: says what may have been meant.
    /// What it names is kept only by an edit: do one at once, or forget it.
    pub(super) fn edits_for(
        &mut self,
        id: ConnId,
        names: &[String],
        terms: Terms,
        hinted: bool,
    ) -> (Vec<Edit>, Vec<Failed>) {
        let (mut edits, mut failed) = (Vec::with_capacity(names.len()), Vec::new());
        let from = self.connection(id).and_then(|c| c.cohort);
        let (mut exact, mut patterns) = self.count_asks(from);
        let mut named = HashSet::with_capacity(names.len());
        for name in names {
            let hinted = hinted && failed.len() < HINTS_MAX;
            let asked = self.ask(name, terms, hinted).and_then(|ask| {
                let new = !named.contains(&ask.what) && !self.has_ask(from, ask.what);
                let (count, max, of) = match ask.what {
                    What::Exact(_) => (&mut exact, self.settings.topics_max, "topics"),
                    What::Pattern(_) => (&mut patterns, self.settings.patterns_max, "patterns"),
                };
                if new && *count >= max {
                    let message =
                        format!("a connection may have {max} {of}; unsubscribe from some, or use a pattern");
                    self.forget(ask.what);
                    return Err(ProtocolError::new(Code::TooManyTopics, message));
                }
                *count += usize::from(new);
                Ok(ask)
            });
            match asked {
                Ok(ask) if named.insert(ask.what) => edits.push(Edit::Set(ask)),
                Ok(_) => {}
                Err(error) => failed.push(Failed::new(name, &error)),
            }
        }
        (edits, failed)
    }

    /// What it takes to unsubscribe from those of these names that are subscribed to.
    pub(super) fn edits_against(&mut self, id: ConnId, names: &[String]) -> Vec<Edit> {
        let from = self.connection(id).and_then(|c| c.cohort);
        let mut named = HashSet::new();
        let what = |name: &String| match Pattern::is_pattern(name) {
            true => Some(What::Pattern(self.cohorts.patterns.find(&Pattern::parse(name).ok()?)?)),
            false => self.topics.find(name).map(What::Exact),
        };
        let whats = names.iter().filter_map(what);
        whats.filter(|what| self.has_ask(from, *what) && named.insert(*what)).map(Edit::Clear).collect()
    }

    /// Whatever a client had of a topic, it says where it goes on.
    fn begin_again(&mut self, id: ConnId, slot: SlotId) {
        let Some(conn) = self.connection(id) else { return };
        if let Some(fresh) = &mut conn.fresh {
            fresh.sent.remove(&slot);
        }
        if let Some(stall) = &mut conn.stall {
            stall.forget(&HashSet::from([slot]));
        }
    }

    /// Changes what a connection asks for.
    fn edit(&mut self, id: ConnId, from: Option<CohortId>, edits: &[Edit]) -> Vec<Moved> {
        let member = Member { id, encoding: self.encoding(id) };
        let (cohort, moved) = self.cohorts.edit(&mut self.topics, member, from, edits);
        if let Some(conn) = self.connection(id) {
            conn.cohort = cohort;
        }
        self.note_moves(id, &moved);
        moved
    }

    /// Which snapshots are owed after a change. A tick that was had at another rate is not sent again.
    fn snapshots_after(&mut self, id: ConnId, moved: &[Moved], wanted: bool) -> Vec<Snapshot> {
        let (mut snapshots, mut had) = (Vec::new(), Vec::new());
        let Some(conn) = self.connections.get_mut(id) else {
            return snapshots;
        };
        if let Some(stall) = &mut conn.stall {
            stall.forget(&moved.iter().map(|m| m.slot).collect());
        }
        for Moved { slot: at, before, now } in moved {
            let (Some(slot), Some(now)) = (self.topics.slot(*at), *now) else { continue };
            let (Some(topic), Some(newest)) = (&slot.topic, slot.newest_at(now)) else { continue };
            let n = newest.tick().n;
            let had_at = before.and_then(|tier| slot.frame(tier)).map_or(0, |f| f.tick().n);
            // Who is behind has not had what was pushed.
            let known = conn.stall.is_none()
                && (had_at >= n
                    || conn.fresh.as_ref().is_some_and(|fresh| before.is_some() && fresh.has(*at, n)));
            if !known && (wanted || before.is_some()) {
                snapshots.push(Snapshot { slot: *at, topic: topic.clone(), tier: now });
                // Who had a topic, left it and comes back gets its snapshot again.
                if let Some(fresh) = &mut conn.fresh {
                    fresh.sent.remove(at);
                }
            } else if now.is_slow() {
                // A slower tier would bring it at its next beat.
                had.push((*at, n.max(had_at)));
            }
        }
        self.mark_fresh(id, had);
        snapshots
    }

    pub(super) fn unsubscribe(&mut self, id: ConnId, request: Option<Id>, names: &[String]) {
        let from = self.connection(id).and_then(|c| c.cohort);
        let edits = self.edits_against(id, names);
        let mut ended = event::Unsubscribed { id: request, ..Default::default() };
        for what in edits.iter().filter_map(|edit| match edit {
            Edit::Clear(what) => Some(*what),
            Edit::Set(_) => None,
        }) {
            match what {
                What::Exact(slot) => {
                    ended.topics.extend(self.topics.slot(slot).map(|slot| String::from(&*slot.name)));
                }
                What::Pattern(id) => {
                    ended.patterns.extend(self.cohorts.patterns.get(id).map(|p| p.as_str().to_owned()));
                }
            }
        }
        let moved = self.edit(id, from, &edits);
        // An exact ask that goes may leave the topic to a pattern with another rate.
        let snapshots = self.snapshots_after(id, &moved, true);
        let mut out = Vec::new();
        if ended.id.is_some() {
            self.write(id, &ended, &mut out);
        }
        self.send(id, &out, &snapshots);
    }

    /// One name of a `subscribe`, as an ask that can be granted.
    fn ask(&mut self, name: &str, terms: Terms, hinted: bool) -> Result<Ask, ProtocolError> {
        if !Pattern::is_pattern(name) {
            self.topics.sources().check(name, hinted)?;
            let slot = self.topics.intern(name);
            let slot = slot.ok_or_else(|| self.topics.sources().unknown(first_segment(name), hinted))?;
            let what = What::Exact(slot);
            return Ok(Ask { what, terms });
        }
        let pattern = Pattern::parse(name).map_err(|why| {
            ProtocolError::new(Code::BadPattern, format!("not a pattern: {why}{}", topic::hint(name)))
        })?;
        if let Some(feed) = pattern.feed() {
            self.topics.feed_of(feed).ok_or_else(|| self.topics.sources().unknown(feed, hinted))?;
        }
        Ok(Ask { what: What::Pattern(self.cohorts.patterns.intern(&pattern)), terms })
    }

    /// Frees what edits name and nobody asks for after all.
    pub(super) fn forget_all(&mut self, edits: &[Edit]) {
        for edit in edits {
            match edit {
                Edit::Set(ask) => self.forget(ask.what),
                Edit::Clear(_) => {}
            }
        }
    }

    /// Frees what [`Shard::ask`] made and nobody asks for after all.
    fn forget(&mut self, what: What) {
        match what {
            What::Exact(slot) => self.topics.release(slot),
            What::Pattern(pattern) => self.cohorts.patterns.release(pattern),
        }
    }

    fn has_ask(&self, cohort: Option<CohortId>, what: What) -> bool {
        let asks = cohort.and_then(|c| self.cohorts.held(c)).map(|c| c.asks()).unwrap_or_default();
        asks.binary_search_by_key(&what, |ask| ask.what).is_ok()
    }

    fn count_asks(&self, cohort: Option<CohortId>) -> (usize, usize) {
        let asks = cohort.and_then(|c| self.cohorts.held(c)).map(|c| c.asks()).unwrap_or_default();
        let exact = asks.partition_point(|ask| matches!(ask.what, What::Exact(_)));
        (exact, asks.len() - exact)
    }

    fn feeds_of(&self, edits: &[Edit]) -> Vec<usize> {
        let mut feeds = Vec::new();
        for edit in edits {
            match edit {
                Edit::Set(Ask { what: What::Exact(slot), .. }) => {
                    feeds.extend(self.topics.slot(*slot).map(|slot| slot.feed));
                }
                Edit::Set(Ask { what: What::Pattern(id), .. }) => {
                    match self.cohorts.patterns.get(*id).and_then(Pattern::feed) {
                        Some(feed) => feeds.extend(self.topics.feed_of(feed)),
                        None => feeds.extend(0..self.topics.feeds().len()),
                    }
                }
                Edit::Clear(_) => {}
            }
        }
        feeds
    }
}
