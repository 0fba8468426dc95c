//! What a connection asks for, as `subscribe` and `unsubscribe` change it.

use crate::exchange::ConnId;
use crate::fanout::outbox::Snapshot;
use crate::fanout::shard::Shard;
use crate::fanout::table::asks::{Edit, Member, TierChange};
use crate::fanout::table::edits::AsksMax;
use crate::fanout::table::ids::CohortId;
use tickerd_model::access::identity::Identity;
use tickerd_model::protocol::command::Terms;
use tickerd_model::protocol::event::Failed;
use tickerd_model::wire::encoding::Encoding;
use tickerd_model::wire::shared::Step;

impl Shard {
    /// The cohort of a connection.
    pub fn cohort_of(&self, id: ConnId) -> Option<CohortId> {
        self.connections.get(id).and_then(|conn| conn.cohort)
    }

    /// What it takes to subscribe to these names, and which of them cannot be had; `hinted`: says what may have been meant.
    /// What it names is kept only by an edit: do one at once, or forget it.
    pub fn edits_for(
        &mut self,
        id: ConnId,
        names: &[String],
        terms: Terms,
        hinted: bool,
    ) -> (Vec<Edit>, Vec<Failed>) {
        let most = AsksMax { topics: self.settings.topics_max, patterns: self.settings.patterns_max };
        let (who, from) = (self.who(id), self.cohort_of(id));
        let (edits, mut failed) = self.table.edits_for((&who, from), (names, terms), most, hinted);
        if self.encoding(id) == Encoding::Sse {
            failed.iter_mut().for_each(|one| one.message = Identity::over_http(&one.message));
        }
        (edits, failed)
    }

    /// Changes what a connection asks for.
    pub fn edit(&mut self, id: ConnId, edits: &[Edit]) -> Vec<TierChange> {
        let from = self.cohort_of(id);
        let member = Member { id, encoding: self.encoding(id) };
        let (cohort, changes) = self.table.cohorts.edit(&mut self.table.topics, member, from, edits);
        if let Some(conn) = self.connection(id) {
            if conn.cohort != cohort {
                conn.step = Step::OUT;
            }
            conn.cohort = cohort;
        }
        self.note_moves(id, &changes);
        self.report_wants();
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
            let (Some(slot), Some(now)) = (self.table.topics.slot(*at), *now) else { continue };
            let (Some(topic), Some(newest)) = (&slot.topic, slot.newest_at(now)) else { continue };
            let n = newest.tick().n;
            let had_at = before.and_then(|tier| slot.frame(tier)).map_or(0, |f| f.tick().n);
            // A client with an outbox has not got what was pushed.
            let known = conn.outbox.is_none()
                && (had_at >= n
                    || conn.ahead.as_ref().is_some_and(|ahead| before.is_some() && ahead.has(*at, n)));
            if !known && (wanted || before.is_some()) {
                snapshots.push(Snapshot { slot: *at, topic: topic.clone(), tier: now });
                // A client that left a topic and comes back gets its snapshot again.
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
}
