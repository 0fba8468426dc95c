//! Commands about patterns, which may cost more than a shard does between two looks at its beats: they are done piece by
//! piece, in turns, and whatever their client says meanwhile waits behind them.
//!
//! What a command costs is known before it is paid, and is charged before: to the connection, and to the address that it comes
//! from, so that whoever connects anew brings the debt along.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Poll, Waker};

use super::connection::{Then, WaitsFor};
use super::shard::Shard;
use super::wish::Wish;
use crate::exchange::ConnId;
use crate::exchange::question::About;
use crate::fanout::table::cohorts::{Edit, Member};
use crate::fanout::table::effort::{Effort, STEPS_PER_LOOK};
use crate::fanout::table::ids::CohortId;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::topic::Pattern;

/// What is to be done.
#[derive(Debug)]
pub enum Work {
    Subscribe(Box<Wish>),
    /// The same for an event stream that has had all up to the tick with this process-wide number: first the pulse is asked for
    /// what it missed.
    Resume(Box<Wish>, u64),
    Unsubscribe {
        request: Option<Id>,
        names: Vec<String>,
    },
    List {
        request: Option<Id>,
        pattern: Pattern,
    },
}

impl Work {
    /// How many topics and patterns it names.
    fn names(&self) -> usize {
        match self {
            Work::Subscribe(wish) | Work::Resume(wish, _) => wish.names.len(),
            Work::Unsubscribe { names, .. } => names.len(),
            Work::List { .. } => 1,
        }
    }
}

/// One command on its way.
#[derive(Debug)]
struct Job {
    conn: ConnId,
    generation: u32,
    work: Work,
    /// The cohort that is built for it.
    held: Option<CohortId>,
}

/// The commands on their way: one per connection at most.
#[derive(Debug)]
pub struct Jobs {
    queue: VecDeque<Job>,
    /// What may be done before the next look at the beats.
    pub effort: Effort,
    /// The shard, while it has nothing of this kind to do.
    waiting: Option<Waker>,
    /// Most steps between two looks.
    #[cfg(test)]
    pub most: usize,
}

impl Default for Jobs {
    fn default() -> Jobs {
        Jobs {
            queue: VecDeque::new(),
            effort: Effort::of(STEPS_PER_LOOK),
            waiting: None,
            #[cfg(test)]
            most: 0,
        }
    }
}

/// Never done: each time the shard looks at its beats, it looks here first.
pub async fn begin_turns(shard: &RefCell<Shard>) -> Infallible {
    std::future::poll_fn(|_| {
        shard.borrow_mut().begin_turn();
        Poll::Pending
    })
    .await
}

/// Done as soon as something is to be done piece by piece.
pub async fn work_to_do(shard: &RefCell<Shard>) {
    std::future::poll_fn(|context| {
        let mut shard = shard.borrow_mut();
        if shard.has_work() {
            return Poll::Ready(());
        }
        shard.jobs.waiting = Some(context.waker().clone());
        Poll::Pending
    })
    .await
}

impl Shard {
    /// The shard looks at its beats: from now on so much may be done again.
    pub fn begin_turn(&mut self) {
        #[cfg(test)]
        (self.jobs.most = self.jobs.most.max(self.jobs.effort.spent()));
        if self.jobs.effort.spent() > 0 {
            self.metrics.pattern_steps.inc_by(self.jobs.effort.spent() as u64);
            self.jobs.effort = Effort::of(STEPS_PER_LOOK);
        }
    }

    /// Whether something is to be done piece by piece.
    pub fn has_work(&self) -> bool {
        !self.jobs.queue.is_empty() || self.cohorts.has_dead()
    }

    /// Does some of it. What is no longer needed is cleared away first, so that it cannot pile up.
    pub fn work(&mut self) {
        self.look_at_clock();
        let began = self.now;
        let Shard { cohorts, topics, jobs, .. } = self;
        cohorts.bury(topics, &mut jobs.effort);
        while !self.jobs.effort.is_spent()
            && let Some(mut job) = self.jobs.queue.pop_front()
        {
            if !self.is_waited_for(&job) {
                self.end(job);
                continue;
            }
            let (id, generation, names) = (job.conn, job.generation, job.work.names());
            let is_done = self.go_on(&mut job, None);
            // What it names was read once more. Counted behind it, so that the first of a turn has all of it.
            self.jobs.effort.spend(names);
            if !is_done {
                // The next turn begins with the others. To ask each of them now whether it needs less would be work as well.
                self.jobs.queue.push_back(job);
                break;
            }
            self.end(job);
            self.answered(id, generation);
        }
        self.metrics.pattern_turn_seconds.observe(began.elapsed().as_secs_f64());
    }

    /// Does a command, at once if that is little and others do not wait, else in turns.
    pub(super) fn undertake(&mut self, id: ConnId, work: Work) {
        if let Err(error) = self.pay(id, &work) {
            let request = match work {
                Work::Subscribe(wish) | Work::Resume(wish, _) => wish.request,
                Work::Unsubscribe { request, .. } | Work::List { request, .. } => request,
            };
            return self.tell_error(id, request, &error);
        }
        self.undertake_paid(id, work);
    }

    /// The same for what was paid for before.
    pub(super) fn undertake_paid(&mut self, id: ConnId, work: Work) {
        let Some(conn) = self.connection(id) else { return };
        let mut job = Job { conn: id, generation: conn.generation, work, held: None };
        if !self.is_about_patterns(id, &job.work) {
            // As much as it names, and no more: it needs no turn.
            self.go_on(&mut job, Some(Effort::unlimited()));
            return self.end(job);
        }
        if self.jobs.queue.is_empty() && self.go_on(&mut job, None) {
            return self.end(job);
        }
        if let Some(conn) = self.connection(id) {
            conn.asking.get_or_insert_default().waits_for = WaitsFor::Turn;
            self.jobs.queue.push_back(job);
            if let Some(waiting) = self.jobs.waiting.take() {
                waiting.wake();
            }
        }
    }

    /// Charges what a command will cost.
    ///
    /// # Errors
    /// Its address owes too much already.
    fn pay(&mut self, id: ConnId, work: &Work) -> Result<(), ProtocolError> {
        if !self.is_about_patterns(id, work) {
            return Ok(());
        }
        let edits = self.edits_of(id, work);
        let cost = match work {
            Work::List { pattern, .. } => self.topics.cost(pattern),
            Work::Subscribe(_) | Work::Resume(..) | Work::Unsubscribe { .. } => {
                let (member, from) = self.member(id);
                self.cohorts.cost(&self.topics, member, from, &edits)
            }
        };
        self.forget_all(&edits);
        // Whoever asks for less may always have it.
        let may_owe = matches!(work, Work::Unsubscribe { .. });
        let owed_ms = self.connection(id).and_then(|conn| conn.share.as_ref()?.owed_ms());
        if let Some(wait_ms) = owed_ms.filter(|_| !may_owe) {
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
    fn is_about_patterns(&mut self, id: ConnId, work: &Work) -> bool {
        let names = match work {
            Work::List { .. } => return true,
            Work::Subscribe(wish) | Work::Resume(wish, _) => &wish.names,
            Work::Unsubscribe { names, .. } => names,
        };
        let (_, from) = self.member(id);
        let has_patterns =
            from.and_then(|id| self.cohorts.held(id)).is_some_and(|cohort| cohort.has_patterns());
        has_patterns || names.iter().any(|name| Pattern::is_pattern(name))
    }

    fn is_waited_for(&mut self, job: &Job) -> bool {
        let generation = job.generation;
        self.connection(job.conn)
            .is_some_and(|conn| conn.generation == generation && conn.closing_until_s.is_none())
    }

    /// Goes on with a command as far as the turn allows, or `own` effort; whether it is done.
    fn go_on(&mut self, job: &mut Job, mut own: Option<Effort>) -> bool {
        let id = job.conn;
        match &job.work {
            Work::List { request, pattern } => {
                if !self.jobs.effort.take(self.topics.cost(pattern)) {
                    return false;
                }
                let (request, pattern) = (request.clone(), pattern.clone());
                self.serve_early(id);
                self.tell_topics(id, request, &pattern);
                return true;
            }
            Work::Subscribe(_) | Work::Resume(..) | Work::Unsubscribe { .. } => {}
        }
        let edits = self.edits_of(id, &job.work);
        let (member, from) = self.member(id);
        let Shard { cohorts, topics, jobs, .. } = self;
        let effort = own.as_mut().unwrap_or(&mut jobs.effort);
        let is_whole = cohorts.prepare(topics, member, from, &edits, &mut job.held, effort);
        if !is_whole || !effort.take(cohorts.cost_of_move(from, job.held)) {
            return false;
        }
        // What is said now must come after the beat that is on its way.
        self.serve_early(id);
        let done = Work::Unsubscribe { request: None, names: Vec::new() };
        match std::mem::replace(&mut job.work, done) {
            Work::Subscribe(wish) => self.subscribe(id, *wish),
            Work::Resume(wish, n) => {
                let events = self.events_of(job.held);
                let wish = Box::new(Wish { was_there: true, ..*wish });
                self.ask_pulse(
                    id,
                    About::Resume { topics: events, n },
                    Then::Subscribe { wish, is_paid: true },
                );
            }
            Work::Unsubscribe { request, names } => self.unsubscribe(id, request, &names),
            Work::List { .. } => {}
        }
        true
    }

    fn end(&mut self, job: Job) {
        if let Some(held) = job.held {
            self.cohorts.let_go(&mut self.topics, held);
        }
    }

    /// A command was done in turns: its client is listened to again, unless it waits for something else now.
    fn answered(&mut self, id: ConnId, generation: u32) {
        let Some(conn) = self.connection(id).filter(|conn| conn.generation == generation) else { return };
        let Some(asking) = &mut conn.asking else { return };
        if asking.waits_for != WaitsFor::Turn {
            return;
        }
        asking.waits_for = WaitsFor::WayOut;
        if conn.stall.is_none() {
            self.listen_again(id);
        }
    }

    fn member(&mut self, id: ConnId) -> (Member, Option<CohortId>) {
        (Member { id, encoding: self.encoding(id) }, self.connection(id).and_then(|conn| conn.cohort))
    }

    /// What it changes.
    fn edits_of(&mut self, id: ConnId, work: &Work) -> Vec<Edit> {
        match work {
            Work::Subscribe(wish) | Work::Resume(wish, _) => {
                let (edits, _) = self.edits_for(id, &wish.names, wish.terms, false);
                edits
            }
            Work::Unsubscribe { names, .. } => self.edits_against(id, names),
            Work::List { .. } => Vec::new(),
        }
    }

    /// The event topics of a cohort.
    fn events_of(&self, cohort: Option<CohortId>) -> Vec<Box<str>> {
        let wires = cohort.and_then(|id| self.cohorts.held(id)).map(|c| &*c.wires).unwrap_or_default();
        let slots = wires.iter().filter_map(|wire| self.topics.slot(wire.slot));
        slots.filter(|slot| slot.is_event()).map(|slot| slot.name.clone()).collect()
    }
}
