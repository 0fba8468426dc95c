//! `subscriptions`: what a client has asked for.

use crate::exchange::ConnId;
use crate::fanout::shard::Shard;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::event;

impl Shard {
    /// Tells a client what it has asked for.
    pub fn tell_subscriptions(&mut self, id: ConnId, request: Option<Id>) {
        let cohort = self.cohort_of(id);
        let asks =
            cohort.and_then(|c| self.table.cohorts.held(c)).map(|c| c.asks().to_vec()).unwrap_or_default();
        let (topics, patterns) = self.grants(cohort, asks.iter().map(|ask| ask.what));
        self.tell(id, &event::Subscriptions { id: request, topics, patterns });
    }
}
