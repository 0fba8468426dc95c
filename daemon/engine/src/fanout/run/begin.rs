//! A beat arrives: what it says is kept, and whoever is due something of it is noted.

use std::sync::Arc;

use crate::exchange::beat::{Beat, Stale};
use crate::fanout::notices::epochs::EpochNotices;
use crate::fanout::notices::health::SourceHealth;
use crate::fanout::notices::presence;
use crate::fanout::notices::stale::StaleNotices;
use crate::fanout::notices::topics::TopicNotices;
use crate::fanout::shard::Shard;
use crate::fanout::table::Table;
use crate::fanout::table::ids::SlotId;
use tickerd_model::board::{Change, Due, TopicId};
use tickerd_model::health::{FeedState, Health};
use tickerd_model::rooms::Turnover;
use tickerd_model::source::{Source, SourceId};
use tickerd_model::topic::Topic;
use tickerd_process::clock::now_unix_ms;

/// Sources that went and of which clients that catch up are still told.
const CLOSED_MAX: usize = 64;

impl Shard {
    /// Applies a beat and notes who is due what.
    pub(super) fn begin(&mut self, beat: &Beat) {
        self.look_at_clock();
        self.beat += 1;
        self.counts.skipped += beat.skipped;
        self.walk.start(self.now);
        let (mut stale, mut came) = (StaleNotices::default(), TopicNotices::default());
        let mut epochs = EpochNotices::default();
        for change in &beat.changes {
            match change {
                Change::Opened(source) => self.open_source(source, &mut epochs),
                Change::Closed(id) => self.close_source(*id),
                Change::Added(id, topic) => self.add_topic(*id, topic, &mut came),
                Change::Removed(id) => {
                    // While its wires still lead to those who were told that it is stale.
                    self.note_stale(*id, None, &mut stale);
                    self.remove_topic(*id, &mut came);
                }
            }
        }
        for (source, health) in &beat.health {
            self.tell_health(*source, health);
        }
        for aged in &beat.aged {
            self.note_stale(aged.topic, aged.stale, &mut stale);
        }
        stale.announce(&self.table.topics).into_iter().for_each(|notice| self.announce(notice));
        for topic in &beat.resets {
            let slot = self.table.topics.of_board(*topic).and_then(|id| self.table.topics.slot(id));
            slot.into_iter().filter(|slot| !epochs.has(slot)).for_each(|slot| came.note_reset(slot));
        }
        self.tell_epochs(epochs);
        let pos = &mut self.pos;
        let announcements = came.announce(|| {
            *pos += 1;
            *pos
        });
        announcements.into_iter().for_each(|notice| self.announce(notice));
        for (topic, turnover) in &beat.turnovers {
            self.tell_turnover(*topic, turnover);
        }
        for due in &beat.due {
            self.push(due);
        }
        // Whoever gets one is served the rest first, so the beat has to be known.
        self.hand_out(&beat.letters);
        if !self.waiters.is_empty() {
            self.answer_waiting();
        }
    }

    fn add_topic(&mut self, id: TopicId, topic: &Topic, came: &mut TopicNotices) {
        let Some(slot) = self.table.topics.appear(id, topic) else { return };
        // A client that is behind may have been told that its namesake, gone meanwhile, is stale.
        self.pos += 1;
        let pos = self.pos;
        self.table.topics.held_mut(slot).into_iter().for_each(|slot| slot.aged_pos = pos);
        self.table.cohorts.appear(&mut self.table.topics, slot);
        self.know_room(slot, id, topic.name());
        self.note_topic(slot, true, came);
    }

    fn remove_topic(&mut self, id: TopicId, came: &mut TopicNotices) {
        let Some(slot) = self.table.topics.vanish(id) else { return };
        self.note_topic(slot, false, came);
        self.forget_room(slot);
        self.table.cohorts.vanish(&mut self.table.topics, slot);
    }

    fn note_topic(&mut self, slot: SlotId, came: bool, notices: &mut TopicNotices) {
        if let Some(slot) = self.table.topics.held(slot) {
            notices.note(&self.table.cohorts.patterns, slot, came);
        }
    }

    /// Keeps whether a topic is stale, and notes who is to be told.
    fn note_stale(&mut self, topic: TopicId, stale: Option<Stale>, notices: &mut StaleNotices) {
        if notices.note(&mut self.table.topics, topic, stale, self.pos + 1) {
            self.pos += 1;
            self.stale_pos = self.pos;
        }
    }

    /// A source came, or is another: who asked for its topics before has them from now on.
    fn open_source(&mut self, source: &Arc<Source>, epochs: &mut EpochNotices) {
        // Of one that is new it is taken to be that of `connected`.
        let before = self.table.topics.sources().of(&source.name).map(|before| &before.group.epoch);
        let is_other =
            before.map_or_else(|| self.other_epoch(source).is_some(), |epoch| **epoch != *source.group.epoch);
        if is_other {
            epochs.note(source.id);
        }
        for slot in self.table.topics.open(source) {
            self.table.cohorts.regrant(&mut self.table.topics, slot);
        }
        // One that is another from now on is as well as it was.
        self.health.entry(source.id).or_insert_with(|| SourceHealth::up(&source.name));
        self.walk.pushed.open(source.id, &source.name, &self.metrics.feeds);
        self.note_slowest_tier();
    }

    /// A source went: those subscribed in it are told, also when they catch up later.
    fn close_source(&mut self, id: SourceId) {
        let reason = "it was taken out of the configuration".to_owned();
        self.tell_health(id, &Health { state: FeedState::Closed, since: now_unix_ms(), reason });
        self.table.topics.close(id);
        self.walk.pushed.close(id, &self.metrics.feeds);
        self.note_slowest_tier();
        let gone = self.health.keys().filter(|id| self.table.topics.sources().get(**id).is_none());
        let gone: Vec<SourceId> = gone.copied().collect();
        for old in gone.iter().rev().skip(CLOSED_MAX) {
            self.health.remove(old);
        }
    }

    /// Makes due to those subscribed in a source that its topics have other numbers from now on.
    fn tell_epochs(&mut self, epochs: EpochNotices) {
        let Shard { table, pos, health, .. } = self;
        let (notices, sources) = epochs.announce(table, || {
            *pos += 1;
            *pos
        });
        for id in &sources {
            health.get_mut(id).into_iter().for_each(|told| told.epoch_pos = *pos);
        }
        notices.into_iter().for_each(|notice| self.announce(notice));
    }

    fn note_slowest_tier(&mut self) {
        let tiers =
            self.table.topics.sources().all().filter_map(|source| source.tiers.all().iter().skip(1).max());
        self.slowest_tier_s = tiers.max().map_or(0, |tier| tier.as_secs() as u32 + 1);
    }

    /// Keeps a source's health and makes its notice due to those subscribed in it.
    fn tell_health(&mut self, id: SourceId, health: &Health) {
        let Some(known) = self.health.get_mut(&id) else { return };
        self.pos += 1;
        let told = known.announce(health, &self.table.topics, &self.table.cohorts, self.pos);
        self.announce(told);
    }

    /// Makes due to who is in a declared topic who came and went.
    fn tell_turnover(&mut self, topic: TopicId, turnover: &Turnover) {
        let Some(slot) = self.table.topics.of_board(topic) else { return };
        if let Some(notice) = presence::announce(&self.table.topics, slot, turnover, self.pos + 1) {
            self.pos += 1;
            self.announce(notice);
        }
    }

    /// Keeps what is due of a topic and makes it due to those who want it.
    fn push(&mut self, due: &Due) {
        let Shard { table: Table { topics, cohorts }, walk, pos, .. } = self;
        let Some(id) = topics.of_board(due.topic) else { return };
        let Some(slot) = topics.held_mut(id) else { return };
        *pos += due.ticks() as u64;
        slot.push(due, *pos);
        walk.push(due, *pos, (id, slot), cohorts);
    }
}
