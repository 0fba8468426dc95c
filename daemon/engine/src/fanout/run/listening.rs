//! What follows when an answer has come, or is out: the client is listened to again, and what it said meanwhile is done.
//!
//! Nothing below calls back to here. A command sends what it has to say and returns; its caller looks at the connection
//! afterwards, and decides.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::exchange::ConnId;
use crate::exchange::question::Answer;
use crate::fanout::connection::phase::WaitsFor;
use crate::fanout::shard::Shard;
use crate::fanout::table::Table;
use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::protocol::command::Id;

impl Shard {
    /// The socket takes bytes again: sends what is owed, and listens to the client once it has got level. Returns false when
    /// the waiting task should end.
    pub(super) fn resume(&mut self, id: ConnId, generation: u32) -> bool {
        self.look_at_clock();
        let is_taking = self.is_taking;
        let Some(conn) = self.same_connection(id, generation) else { return false };
        if is_taking && conn.outbox.as_ref().is_some_and(|outbox| outbox.is_replaying()) {
            self.has_held_back = true;
            return true;
        }
        // The share of a beat that is on its way is owed like the rest: the walk must not bring it once more.
        self.serve_early(id);
        if self.send_owed(id) {
            let asking = self.connection(id).and_then(|conn| conn.phase.asking());
            match asking.is_some_and(|asking| asking.waits_for == WaitsFor::WayOut) {
                true => self.listen_again(id),
                false => self.start_reading(id),
            }
        }
        let Some(conn) = self.connection(id) else { return false };
        conn.is_awaited = conn.outbox.is_some();
        conn.is_awaited
    }

    /// Takes the pulse's answer, and listens to the client again once it is out.
    pub(super) fn take_answer(&mut self, answer: Answer) {
        let (id, generation) = (answer.to.conn, answer.to.generation);
        let Some(conn) = self.same_connection(id, generation) else { return };
        if conn.phase.is_closing() {
            return self.start_reading(id);
        }
        let asking = conn.phase.asking_mut();
        let next = asking.map_or((None, None), |asking| (asking.then.take(), asking.held.take()));
        self.answer(id, next, answer.found);
        self.answered(id, generation, WaitsFor::Pulse);
    }

    /// Takes the judgement of a client's token, and listens to the client again once it is told.
    pub(super) fn take_judgement(
        &mut self,
        id: ConnId,
        generation: u32,
        request: Option<Id>,
        judgement: Result<Arc<Identity>, Refusal>,
    ) {
        self.look_at_clock();
        let Some(conn) = self.same_connection(id, generation) else { return };
        if conn.phase.is_closing() {
            return self.start_reading(id);
        }
        self.serve_early(id);
        self.tell_judgement(id, request, judgement);
        self.answered(id, generation, WaitsFor::Judgement);
    }

    /// Does some of what is to be done piece by piece. What is no longer needed is cleared away first, so that it cannot pile
    /// up, unless a command was promised the whole turn.
    pub(super) fn work(&mut self) {
        self.look_at_clock();
        let began = self.now;
        let Shard { table: Table { cohorts, topics }, turns, .. } = self;
        if turns.may_clear() {
            cohorts.bury(topics, &mut turns.effort);
        }
        while let Some((id, generation)) = self.work_on() {
            self.answered(id, generation, WaitsFor::Turn);
        }
        self.metrics.pattern_turn_seconds.observe(began.elapsed().as_secs_f64());
    }

    /// A command that waited for `waited_for` is done: its client is listened to again, unless the command waits for something
    /// else now.
    fn answered(&mut self, id: ConnId, generation: u32, waited_for: WaitsFor) {
        let Some(conn) = self.same_connection(id, generation) else { return };
        let Some(asking) = conn.phase.asking_mut() else { return };
        // It may wait for another answer of the same.
        if asking.waits_for != waited_for || asking.then.is_some() {
            return;
        }
        asking.waits_for = WaitsFor::WayOut;
        if conn.outbox.is_none() {
            self.listen_again(id);
        }
    }

    /// Does what a client said while it was not listened to, and goes on reading.
    fn listen_again(&mut self, id: ConnId) {
        let Some(asking) = self.connection(id).and_then(|conn| conn.phase.end_asking()) else { return };
        let mut said = asking.said.into_iter();
        while let Some(next) = said.next() {
            if self.connection(id).is_none_or(|conn| conn.phase.is_closing()) {
                break;
            }
            if let ControlFlow::Break(code) = self.obey(id, next.as_deref().map_err(Clone::clone)) {
                self.close(id, code);
            }
            let Some(conn) = self.connection(id) else { return };
            if conn.phase.is_open() && conn.outbox.is_some() {
                conn.phase.ask(WaitsFor::WayOut);
            }
            if let Some(asking) = conn.phase.asking_mut() {
                // The rest waits for the answer to this command.
                asking.said.extend(said);
                break;
            }
        }
        self.start_reading(id);
    }
}
