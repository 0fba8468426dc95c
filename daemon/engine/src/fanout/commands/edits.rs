//! What a connection asks for, as `subscribe` and `unsubscribe` change it: each name is granted or refused by itself.

use std::collections::HashSet;

use super::grants::HINTS_MAX;
use crate::exchange::ConnId;
use crate::fanout::outbox::Snapshot;
use crate::fanout::shard::Shard;
use crate::fanout::table::asks::{Ask, Edit, Member, TierChange, What};
use crate::fanout::table::ids::CohortId;
use tickerd_model::protocol::command::Terms;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event::Failed;
use tickerd_model::topic::{self, Pattern, first_segment};

impl Shard {
    /// What it takes to subscribe to these names, and which of them cannot be had; `hinted`: says what may have been meant.
    /// What it names is kept only by an edit: do one at once, or forget it.
    pub fn edits_for(
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
    pub fn edits_against(&mut self, id: ConnId, names: &[String]) -> Vec<Edit> {
        let from = self.connection(id).and_then(|c| c.cohort);
        let mut named = HashSet::new();
        let what = |name: &String| match Pattern::is_pattern(name) {
            true => Some(What::Pattern(self.cohorts.patterns.find(&Pattern::parse(name).ok()?)?)),
            false => self.topics.find(name).map(What::Exact),
        };
        let whats = names.iter().filter_map(what);
        whats.filter(|what| self.has_ask(from, *what) && named.insert(*what)).map(Edit::Clear).collect()
    }

    /// Changes what a connection asks for.
    pub fn edit(&mut self, id: ConnId, edits: &[Edit]) -> Vec<TierChange> {
        let from = self.connection(id).and_then(|conn| conn.cohort);
        let member = Member { id, encoding: self.encoding(id) };
        let (cohort, changes) = self.cohorts.edit(&mut self.topics, member, from, edits);
        if let Some(conn) = self.connection(id) {
            conn.cohort = cohort;
        }
        self.note_moves(id, &changes);
        changes
    }

    /// Which snapshots are owed after a change. A tick that was had at another rate is not sent again.
    pub fn snapshots_after(&mut self, id: ConnId, changes: &[TierChange], wanted: bool) -> Vec<Snapshot> {
        let (mut snapshots, mut had) = (Vec::new(), Vec::new());
        let Some(conn) = self.connections.get_mut(id) else {
            return snapshots;
        };
        if let Some(outbox) = &mut conn.outbox {
            outbox.forget(&changes.iter().map(|change| change.slot).collect());
        }
        for TierChange { slot: at, before, now } in changes {
            let (Some(slot), Some(now)) = (self.topics.slot(*at), *now) else { continue };
            let (Some(topic), Some(newest)) = (&slot.topic, slot.newest_at(now)) else { continue };
            let n = newest.tick().n;
            let had_at = before.and_then(|tier| slot.frame(tier)).map_or(0, |f| f.tick().n);
            // Who is behind has not had what was pushed.
            let known = conn.outbox.is_none()
                && (had_at >= n
                    || conn.ahead.as_ref().is_some_and(|ahead| before.is_some() && ahead.has(*at, n)));
            if !known && (wanted || before.is_some()) {
                snapshots.push(Snapshot { slot: *at, topic: topic.clone(), tier: now });
                // Who had a topic, left it and comes back gets its snapshot again.
                if let Some(ahead) = &mut conn.ahead {
                    ahead.sent.remove(at);
                }
            } else if now.is_slow() {
                // A slower tier would bring it at its next beat.
                had.push((*at, n.max(had_at)));
            }
        }
        self.mark_ahead(id, had);
        snapshots
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
            self.topics.sources().of(feed).ok_or_else(|| self.topics.sources().unknown(feed, hinted))?;
        }
        Ok(Ask { what: What::Pattern(self.cohorts.patterns.intern(&pattern)), terms })
    }

    /// Frees what edits name and nobody asks for after all.
    pub fn forget_all(&mut self, edits: &[Edit]) {
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
}
