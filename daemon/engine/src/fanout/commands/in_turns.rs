//! Commands about patterns, which may cost more than a shard does between two looks at its beats: they are done piece by
//! piece, in turns, and whatever their client says meanwhile waits behind them.
//!
//! What a command costs is known before it is paid, and is charged before: to the connection, and to the address that it comes
//! from, so that whoever connects anew brings the debt along.

use crate::exchange::ConnId;
use crate::exchange::limit::Limit;
use crate::exchange::question::About;
use crate::fanout::connection::phase::WaitsFor;
use crate::fanout::connection::request::{SubscribeRequest, Then};
use crate::fanout::shard::Shard;
use crate::fanout::shard::turns::{Costly, QueuedCommand, Seen};
use crate::fanout::table::Table;
use crate::fanout::table::asks::{Edit, Member};
use crate::fanout::table::effort::Effort;
use crate::fanout::table::ids::CohortId;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::topic::Pattern;

impl Shard {
    /// The shard looks at its beats: from now on so much may be done again.
    pub fn begin_turn(&mut self) {
        let steps = self.turns.begin();
        if steps > 0 {
            self.metrics.pattern_steps.inc_by(steps as u64);
        }
    }

    /// Whether something is to be done piece by piece.
    pub fn has_work(&self) -> bool {
        !self.turns.is_empty() || self.table.cohorts.has_dead()
    }

    /// Goes on with the commands in the queue. Returns the connection whose command is done, or `None` at the end of the turn.
    pub fn work_on(&mut self) -> Option<(ConnId, u32)> {
        while !self.turns.effort.is_spent()
            && let Some(mut queued) = self.turns.pop()
        {
            if !self.is_waited_for(&queued) {
                self.end(queued);
                continue;
            }
            let (id, generation, names) = (queued.conn, queued.generation, queued.command.names());
            let had_all = self.turns.effort.spent() == 0;
            let is_done = self.go_on(&mut queued, None);
            // What it names was read once more. Counted behind it, so that the first of a turn has all of it.
            self.turns.effort.spend(names);
            if !is_done {
                match queued.command {
                    // It may need more than is ever left by others.
                    _ if !had_all => self.turns.push_whole(queued),
                    // What it found so far is kept meanwhile. Only one at a time may have begun.
                    Costly::Get(_) => self.turns.push_first(queued),
                    // The next turn begins with the others. To ask each of them now whether it needs less would be work as well.
                    _ => self.turns.push(queued),
                }
                return None;
            }
            self.end(queued);
            return Some((id, generation));
        }
        None
    }

    /// Does a command, at once if that is little and others do not wait, else in turns.
    pub fn undertake(&mut self, id: ConnId, command: Costly) {
        if let Err(error) = self.pay(id, &command) {
            return self.tell_error(id, command.request().cloned(), &error);
        }
        self.undertake_paid(id, command, None);
    }

    /// Does a command that was paid for before. `held` is what was built for it so far.
    pub fn undertake_paid(&mut self, id: ConnId, command: Costly, held: Option<CohortId>) {
        let Some(conn) = self.connection(id) else { return self.release(held) };
        let mut queued = QueuedCommand { conn: id, generation: conn.generation, command, cohort: held };
        if !self.is_about_patterns(id, &queued.command) {
            // As much as it names, and no more: it needs no turn.
            self.go_on(&mut queued, Some(Effort::unlimited()));
            return self.end(queued);
        }
        if self.turns.is_empty() && self.go_on(&mut queued, None) {
            return self.end(queued);
        }
        if let Some(conn) = self.connection(id) {
            conn.phase.ask(WaitsFor::Turn);
            self.turns.push(queued);
        }
    }

    /// Charges what a command will cost.
    ///
    /// # Errors
    /// Its address owes too much already.
    fn pay(&mut self, id: ConnId, command: &Costly) -> Result<(), ProtocolError> {
        if !self.is_about_patterns(id, command) {
            return Ok(());
        }
        let edits = self.edits_of(id, command);
        let cost = match command {
            Costly::List { pattern, .. } => self.table.topics.cost(pattern),
            Costly::Get(get) => get.patterns.iter().map(|pattern| self.table.topics.cost(pattern)).sum(),
            Costly::Subscribe(_) | Costly::Resume(..) | Costly::Unsubscribe { .. } => {
                let (member, from) = self.member(id);
                self.table.cohorts.cost(&self.table.topics, member, from, &edits)
            }
        };
        self.table.forget_all(&edits);
        // Whoever asks for less may always have it.
        let may_owe = matches!(command, Costly::Unsubscribe { .. });
        let owed_ms = self.connection(id).and_then(|conn| conn.share.as_ref()?.owed_ms());
        let is_refused = |_: &u64| !may_owe && self.settings.tally.enforce(Limit::CommandsPerS);
        if let Some(wait_ms) = owed_ms.filter(is_refused) {
            let mut error = ProtocolError::new(
                Code::RateLimited,
                "your address has asked for more than its share of work with patterns; wait, name the topics, or keep one \
                 connection open instead of opening new ones",
            );
            error.retry_after_ms = Some(wait_ms);
            return Err(error);
        }
        self.charge_looks(id, cost);
        if let Some(share) = self.connection(id).and_then(|conn| conn.share.as_ref()) {
            share.charge(cost);
        }
        Ok(())
    }

    /// Whether it has to do with patterns; what has not costs no more than the topics that it names.
    fn is_about_patterns(&mut self, id: ConnId, command: &Costly) -> bool {
        let names = match command {
            Costly::List { .. } => return true,
            Costly::Get(get) => return !get.patterns.is_empty(),
            Costly::Subscribe(wanted) | Costly::Resume(wanted, ..) => &wanted.names,
            Costly::Unsubscribe { names, .. } => names,
        };
        let (_, from) = self.member(id);
        let has_patterns =
            from.and_then(|id| self.table.cohorts.held(id)).is_some_and(|cohort| cohort.has_patterns());
        has_patterns || names.iter().any(|name| Pattern::is_pattern(name))
    }

    fn is_waited_for(&mut self, queued: &QueuedCommand) -> bool {
        let conn = self.same_connection(queued.conn, queued.generation);
        conn.is_some_and(|conn| !conn.phase.is_closing())
    }

    /// Goes on with a command as far as the turn allows, or `own` effort; whether it is done.
    fn go_on(&mut self, queued: &mut QueuedCommand, mut own: Option<Effort>) -> bool {
        let id = queued.conn;
        let done = Costly::Unsubscribe { request: None, names: Vec::new() };
        match &mut queued.command {
            Costly::List { request, pattern } => {
                if !self.turns.effort.take(self.table.topics.cost(pattern)) {
                    return false;
                }
                let (request, pattern) = (request.clone(), pattern.clone());
                self.serve_early(id);
                self.tell_topics(id, request, &pattern);
                return true;
            }
            Costly::Get(get) => {
                if !self.gather(id, get) {
                    return false;
                }
                self.serve_early(id);
                if let Costly::Get(get) = std::mem::replace(&mut queued.command, done) {
                    self.tell_values(id, *get);
                }
                return true;
            }
            Costly::Subscribe(_) | Costly::Resume(..) | Costly::Unsubscribe { .. } => {}
        }
        // With all the effort there is, the change itself builds what it needs. Who resumes is asked about before the change.
        let is_prepared = own.is_none() || matches!(queued.command, Costly::Resume(..));
        if is_prepared && !self.prepare(queued, &mut own) {
            return false;
        }
        // What is said now must come after the beat that is on its way.
        self.serve_early(id);
        match std::mem::replace(&mut queued.command, done) {
            Costly::Subscribe(wanted) => self.subscribe(id, *wanted),
            Costly::Resume(wanted, seen) => {
                let (about, then) = match seen {
                    Seen::Numbers(seqs) => (About::Since { seqs }, Then::Subscribe { wanted }),
                    Seen::UpTo(last, tries) => {
                        let events = self.table.events_of(queued.cohort);
                        let wanted = Box::new(SubscribeRequest { was_there: true, ..*wanted });
                        let appeared = self.table.topics.appeared();
                        let then = Then::Resume { wanted, last, appeared, tries };
                        (About::Resume { topics: events, last }, then)
                    }
                };
                self.ask_pulse(id, about, then);
                let asking = self.connection(id).and_then(|conn| conn.phase.asking_mut());
                if let Some(asking) = asking.filter(|asking| asking.then.is_some()) {
                    asking.held = queued.cohort.take();
                }
            }
            Costly::Unsubscribe { request, names } => self.unsubscribe(id, request, &names),
            Costly::List { .. } | Costly::Get(_) => {}
        }
        true
    }

    /// Builds the cohort that a command brings its client to, as far as the turn allows, or `own` effort; whether it is whole.
    fn prepare(&mut self, queued: &mut QueuedCommand, own: &mut Option<Effort>) -> bool {
        let id = queued.conn;
        let edits = self.edits_of(id, &queued.command);
        let (member, from) = self.member(id);
        let Shard { table: Table { cohorts, topics }, turns, .. } = self;
        let effort = own.as_mut().unwrap_or(&mut turns.effort);
        let is_whole = cohorts.prepare(topics, member, from, &edits, &mut queued.cohort, effort);
        let is_prepared = is_whole && effort.take(cohorts.cost_of_move(from, queued.cohort));
        // The change finds what it names again. Its client may be gone by then, and nobody would free it.
        self.table.forget_all(&edits);
        is_prepared
    }

    fn end(&mut self, queued: QueuedCommand) {
        self.release(queued.cohort);
    }

    /// A cohort that was built for a command is not held for it any more.
    pub fn release(&mut self, held: Option<CohortId>) {
        if let Some(held) = held {
            self.table.cohorts.let_go(&mut self.table.topics, held);
            self.report_wants();
        }
    }

    fn member(&mut self, id: ConnId) -> (Member, Option<CohortId>) {
        (Member { id, encoding: self.encoding(id) }, self.cohort_of(id))
    }

    /// The edits that a command makes.
    fn edits_of(&mut self, id: ConnId, command: &Costly) -> Vec<Edit> {
        match command {
            Costly::Subscribe(wanted) | Costly::Resume(wanted, ..) => {
                let (edits, _) = self.edits_for(id, &wanted.names, wanted.terms, false);
                edits
            }
            Costly::Unsubscribe { names, .. } => self.table.edits_against(self.cohort_of(id), names),
            Costly::List { .. } | Costly::Get(_) => Vec::new(),
        }
    }
}
