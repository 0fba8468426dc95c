//! The thread `identity`: looks at one token after the other. A token whose keys have to be fetched is put aside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;

use crate::judge::{Verdict, judge};
use crate::keys::Pace;
use crate::revocations::Revocations;
use crate::rights::Kept;
use crate::settled::Settled;
use crate::tickets::Tickets;

/// Most tokens that are put aside.
const PARKED_MAX: usize = 256;

/// What is told about a token.
pub(crate) type Then = Box<dyn FnOnce(Result<Arc<Identity>, Refusal>) + Send>;

/// What the thread is asked.
pub(crate) enum Message {
    /// To look at a token.
    Judge(Secret, Then),
    /// To look again at those that were put aside: keys were fetched.
    Fetched,
    /// To end.
    Stop,
}

/// What the thread and the front share.
pub(crate) struct Shared {
    pub settled: RwLock<Arc<Settled>>,
    pub kept: Kept,
    pub tickets: Tickets,
    pub revocations: Revocations,
    pub pace: Pace,
    pub wall: fn() -> u64,
    /// Whether the thread should end.
    pub is_over: AtomicBool,
}

struct Parked {
    token: Secret,
    then: Then,
    since: Instant,
}

impl Shared {
    /// What tokens are judged by now.
    pub fn settled(&self) -> Arc<Settled> {
        self.settled.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The work of the thread, until it is told to stop.
    pub fn work(&self, received: &Receiver<Message>) {
        let mut parked: Vec<Parked> = Vec::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let message = match parked.iter().map(|job| job.since).min() {
                None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(oldest) => {
                    let left = (oldest + self.pace.patience).saturating_duration_since(Instant::now());
                    // A bell that did not fit into the queue is made up for within a second.
                    received.recv_timeout(left.min(Duration::from_secs(1)))
                }
            };
            match message {
                Ok(Message::Judge(token, then)) => {
                    let job = Parked { token, then, since: Instant::now() };
                    if let Some(job) = self.look(job) {
                        match parked.len() < PARKED_MAX {
                            true => parked.push(job),
                            false => (job.then)(Err(Refusal::Busy)),
                        }
                    }
                }
                Ok(Message::Fetched) | Err(RecvTimeoutError::Timeout) => {
                    parked = parked.into_iter().filter_map(|job| self.look(job)).collect();
                    let now = Instant::now();
                    let late =
                        parked.extract_if(.., |job| now.duration_since(job.since) >= self.pace.patience);
                    late.for_each(|job| (job.then)(Err(Refusal::Busy)));
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Whoever still waits is told.
        let queued = received.try_iter().filter_map(|message| match message {
            Message::Judge(_, then) => Some(then),
            _ => None,
        });
        parked.into_iter().map(|job| job.then).chain(queued).for_each(|then| then(Err(Refusal::Busy)));
    }

    /// Looks at a token, and gives it back if it has to wait.
    fn look(&self, job: Parked) -> Option<Parked> {
        let settled = self.settled();
        match judge(&settled, &self.kept, job.token.expose(), (self.wall)(), job.since) {
            Verdict::Wait => return Some(job),
            Verdict::Done(Ok(who)) if self.revocations.has(&who) => (job.then)(Err(Refusal::Revoked)),
            Verdict::Done(result) => (job.then)(result),
        }
        None
    }
}
