//! `unsubscribe`: what a client asked for and does not want any more.

use crate::exchange::ConnId;
use crate::fanout::outbox::Reply;
use crate::fanout::shard::Shard;
use crate::fanout::table::asks::{Edit, What};
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::event;

impl Shard {
    /// Ends what the names ask for, and says what ended.
    pub fn unsubscribe(&mut self, id: ConnId, request: Option<Id>, names: &[String]) {
        let edits = self.table.edits_against(self.cohort_of(id), names);
        let mut ended = event::Unsubscribed { id: request, ..Default::default() };
        for what in edits.iter().filter_map(|edit| match edit {
            Edit::Clear(what) => Some(*what),
            Edit::Set(_) => None,
        }) {
            match what {
                What::Exact(slot) => {
                    ended.topics.extend(self.table.topics.slot(slot).map(|slot| String::from(&*slot.name)));
                }
                What::Pattern(id) => {
                    ended
                        .patterns
                        .extend(self.table.cohorts.patterns.get(id).map(|scope| scope.pattern().to_string()));
                }
            }
        }
        let changes = self.edit(id, &edits);
        // An exact ask that goes may leave the topic to a pattern with another rate.
        let snapshots = self.snapshots_after(id, &changes, true);
        let mut bytes = Vec::new();
        if ended.id.is_some() {
            self.write(id, &ended, &mut bytes);
        }
        self.send_reply(id, Reply { bytes, snapshots, ..Reply::default() });
    }
}
