//! Commands that the pulse answers: they wait for it, and whatever their client says meanwhile waits behind them.

use crate::exchange::ConnId;
use crate::exchange::question::{About, Client, Found, NotAsked, Question};
use crate::fanout::connection::phase::WaitsFor;
use crate::fanout::connection::request::Then;
use crate::fanout::shard::Shard;
use crate::fanout::shard::turns::{Costly, Seen};
use crate::fanout::table::ids::CohortId;
use tickerd_model::protocol::error::{Code, ProtocolError};

impl Shard {
    /// Asks the pulse. Until it answers, the client is not listened to: what it says later may depend on it.
    pub fn ask_pulse(&mut self, id: ConnId, about: About, then: Then) {
        let uplink = self.uplink.clone();
        let Some(conn) = self.connection(id) else { return };
        let from = Client { conn: id, generation: conn.generation };
        let refused = match uplink.ask(Question { from, about }) {
            Ok(()) => {
                conn.phase.ask(WaitsFor::Pulse);
                if let Some(asking) = conn.phase.asking_mut() {
                    asking.then = Some(then);
                }
                return;
            }
            Err(refused) => refused,
        };
        let request = then.request().cloned();
        let mut error = match refused {
            NotAsked::Full => ProtocolError::new(
                Code::RateLimited,
                "too many clients publish or ask for the past at once; try again",
            ),
            NotAsked::Ended => ProtocolError::new(Code::Internal, "the server is about to stop; come back"),
        };
        error.retry_after_ms = Some(1000);
        self.tell_error(id, request, &error);
    }

    /// Tells a client what the pulse found. `held` is the cohort that was built for it.
    pub fn answer(&mut self, id: ConnId, (then, held): (Option<Then>, Option<CohortId>), found: Found) {
        match (then, found) {
            (Some(Then::TellHistory { request, topic }), Found::History(past)) => {
                self.tell_history(id, request, &topic, past);
            }
            (Some(Then::TellBars { request }), Found::Bars(found)) => self.tell_bars(id, request, *found),
            // Topics came with beats that waited here when it was asked: nobody has asked what was missed of them.
            (Some(Then::Resume { wanted, last, appeared, tries: tries @ 1.. }), Found::Missed(_))
                if appeared != self.table.topics.appeared() =>
            {
                self.undertake_paid(id, Costly::Resume(wanted, Seen::UpTo(last, tries - 1)), held);
            }
            (Some(Then::Subscribe { wanted } | Then::Resume { wanted, .. }), Found::Missed(missed)) => {
                self.subscribe_to_missed(id, *wanted, held, missed);
            }
            (Some(Then::TellPublished { request }), Found::Published(result)) => {
                self.tell_published(id, request, result);
            }
            (Some(Then::TellMembers { request, topic }), Found::Members(result)) => {
                self.tell_members(id, request, &topic, result);
            }
            (then, found) => debug_assert!(false, "{then:?} is not what {found:?} answers"),
        }
    }
}
