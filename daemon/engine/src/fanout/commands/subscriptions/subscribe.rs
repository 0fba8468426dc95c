//! `subscribe`: says what was granted, and sends what comes with it: snapshots, what was missed, and how feeds and topics are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::exchange::ConnId;
use crate::fanout::connection::Connection;
use crate::fanout::connection::request::SubscribeRequest;
use crate::fanout::notices::{TOPICS_MAX, health, stale};
use crate::fanout::outbox::{Reply, Snapshot};
use crate::fanout::shard::Shard;
use crate::fanout::table::asks::{Edit, TierChange};
use crate::fanout::table::ids::SlotId;
use crate::fanout::table::topics::Topics;
use tickerd_model::protocol::event::{self, Notice, TopicGrant};
use tickerd_model::tier::Tier;
use tickerd_model::wire::frame::Frame;

impl Shard {
    /// Subscribes, and says what was granted.
    pub fn subscribe(&mut self, id: ConnId, wanted: SubscribeRequest) {
        let SubscribeRequest { request, always_told, names, terms, snapshot, mut missed, since, was_there } =
            wanted;
        if let Some(since) = &since {
            // Since it was asked for, another node may have begun to number the topics.
            missed
                .iter_mut()
                .filter(|(topic, _)| !self.has_epoch(topic, since))
                .for_each(|(_, frames)| *frames = None);
        }
        let (edits, failed) = self.edits_for(id, &names, terms, true);
        let changes = self.edit(id, &edits);
        let cohort = self.cohort_of(id);
        let whats = edits.iter().filter_map(|edit| match edit {
            Edit::Set(ask) => Some(ask.what),
            Edit::Clear(_) => None,
        });
        let (mut topics, patterns) = self.grants(cohort, whats);
        self.hint(id, &mut topics);
        let snapshots = self.snapshots_after(id, &changes, snapshot);
        let mut recovery = Recovery::new(missed, snapshots, snapshot);
        if let Some(conn) = self.connections.get_mut(id) {
            recovery.find(&self.table.topics, conn, &changes, was_there, &mut topics);
        }
        let Recovery { snapshots, replay, resets, .. } = recovery;
        let (mut bytes, encoding) = (Vec::new(), self.answer_encoding(id));
        if request.is_some() || always_told || !failed.is_empty() {
            self.write(id, &event::Subscribed { id: request, topics, patterns, failed }, &mut bytes);
        }
        health::append_not_up(
            &self.health,
            &self.table.sources_of(&edits),
            encoding,
            &self.encoder,
            &mut bytes,
        );
        stale::append_asked(&self.table.topics, &edits, &changes, (encoding, &self.encoder), &mut bytes);
        for names in resets.chunks(TOPICS_MAX) {
            let topics = names.iter().map(String::as_str).collect();
            self.write(id, &Notice::reset(topics), &mut bytes);
        }
        self.send_reply(id, Reply { bytes, snapshots, replay });
    }
}

/// What a client missed of the topics that come with a subscription, and how it gets that: the ticks, or the word that they
/// are gone.
struct Recovery {
    /// By name: every tick in order, or `None` if some of them are gone.
    missed: HashMap<String, Option<Vec<Arc<Frame>>>>,
    wants_snapshot: bool,
    snapshots: Vec<Snapshot>,
    replay: Vec<(SlotId, Vec<Arc<Frame>>)>,
    /// Topics of which ticks are gone, by name.
    resets: Vec<String>,
}

impl Recovery {
    fn new(
        missed: HashMap<String, Option<Vec<Arc<Frame>>>>,
        snapshots: Vec<Snapshot>,
        wants_snapshot: bool,
    ) -> Recovery {
        Recovery { missed, wants_snapshot, snapshots, replay: Vec::new(), resets: Vec::new() }
    }

    /// Finds out what is sent of each topic that is had differently now. `was_there`: of event topics that are not among the
    /// missed ones nothing can be told.
    fn find(
        &mut self,
        topics: &Topics,
        conn: &mut Connection,
        changes: &[TierChange],
        was_there: bool,
        grants: &mut [TopicGrant],
    ) {
        let brought: HashSet<SlotId> =
            changes.iter().filter(|change| change.now.is_some()).map(|change| change.slot).collect();
        if was_there {
            let slots = brought.iter().filter_map(|slot| topics.held(*slot));
            for slot in slots.filter(|slot| slot.is_event()) {
                self.missed.entry(slot.name.to_string()).or_insert(None);
            }
        }
        if self.missed.is_empty() {
            return;
        }
        for grant in grants {
            if let Some(frames) = self.missed.remove(&*grant.topic) {
                grant.recovered = Some(frames.is_some());
                self.grant(topics, conn, &grant.topic, frames);
            }
        }
        // What a pattern brings has no grant of its own: its ticks follow, or a word that they do not.
        for (name, frames) in std::mem::take(&mut self.missed) {
            let Some(slot) = topics.find(&name).filter(|slot| brought.contains(slot)) else { continue };
            match frames {
                Some(frames) => self.replay(conn, slot, frames),
                None => self.resets.push(name),
            }
        }
        self.resets.sort_unstable();
        // Behind all others the topic that was pushed last: the end of its ticks is the end of all.
        self.replay.sort_by_key(|(slot, _)| topics.held(*slot).map_or(0, |slot| slot.every().pos));
    }

    /// A topic that was asked for by name.
    fn grant(&mut self, topics: &Topics, conn: &mut Connection, name: &str, frames: Option<Vec<Arc<Frame>>>) {
        let Some(slot) = topics.find(name) else { return };
        let is_gone = frames.is_none();
        self.replay(conn, slot, frames.unwrap_or_default());
        let topic = topics.held(slot).and_then(|slot| slot.topic.clone());
        if is_gone
            && self.wants_snapshot
            && let Some(topic) = topic
        {
            self.snapshots.push(Snapshot { slot, topic, tier: Tier::Every });
        }
    }

    /// A topic goes on where it is told, whatever its client had of it.
    fn replay(&mut self, conn: &mut Connection, slot: SlotId, frames: Vec<Arc<Frame>>) {
        self.snapshots.retain(|snapshot| snapshot.slot != slot);
        if let Some(ahead) = &mut conn.ahead {
            ahead.sent.remove(&slot);
        }
        if let Some(outbox) = &mut conn.outbox {
            outbox.forget(&HashSet::from([slot]));
        }
        if !frames.is_empty() {
            self.replay.push((slot, frames));
        }
    }
}
