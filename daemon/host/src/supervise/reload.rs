//! Requests to read a feed's file again, or to run it as it is configured now, and what became of them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::feed::spec::Spec;

/// Most requests that wait for one feed. Others are refused at once: each does the same.
const WAITING_MAX: usize = 16;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloaded {
    /// A new process, of this plugin file, does the work.
    Swapped { plugin: String },
    /// The file still has the bytes that run, so that nothing was done.
    Unchanged,
    /// The feed did not run, and is started now.
    Started,
    /// The feed runs inside tickerd: it was asked to end, and is started as it is configured now.
    Restarted,
    /// The feed cannot be swapped while tickerd runs; says why.
    RestartNeeded(String),
    /// The old process goes on; says why.
    Failed(String),
}

impl Reloaded {
    /// One word for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Reloaded::Swapped { .. } => "swapped",
            Reloaded::Unchanged => "unchanged",
            Reloaded::Started => "started",
            Reloaded::Restarted => "restarted",
            Reloaded::RestartNeeded(_) => "restart_needed",
            Reloaded::Failed(_) => "failed",
        }
    }

    /// Whether the feed runs now what its file holds.
    pub fn is_done(&self) -> bool {
        !matches!(self, Reloaded::RestartNeeded(_) | Reloaded::Failed(_))
    }
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reloaded::Swapped { plugin } => write!(f, "{plugin} runs in a new process"),
            Reloaded::Unchanged => f.write_str("its file has not changed"),
            Reloaded::Started => f.write_str("it did not run, and is started now"),
            Reloaded::Restarted => f.write_str("it ended, and is started as it is configured now"),
            Reloaded::RestartNeeded(why) | Reloaded::Failed(why) => f.write_str(why),
        }
    }
}

/// Gets the answer, on the supervisor's thread, where it must not block. It is dropped without an answer when the feed is
/// stopped.
pub type OnReloaded = Box<dyn FnOnce(Reloaded) + Send>;

/// One request.
pub struct Request {
    /// Swap the process even if the file's bytes are those that run.
    pub always: bool,
    /// What is to run from then on; none: what runs now.
    pub spec: Option<Arc<Spec>>,
    answer: OnReloaded,
}

impl Request {
    /// Tells what became of the request.
    pub fn answer(self, reloaded: Reloaded) {
        (self.answer)(reloaded);
    }
}

/// The requests that wait for one feed.
#[derive(Default)]
pub struct Requests(Mutex<VecDeque<Request>>);

impl Requests {
    /// Adds a request, or refuses it when there are too many.
    pub fn push(&self, always: bool, spec: Option<Arc<Spec>>, answer: OnReloaded) {
        let request = Request { always, spec, answer };
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            return waiting.push_back(request);
        }
        drop(waiting);
        let why = format!("{WAITING_MAX} reloads of it wait already; try again when they are over");
        request.answer(Reloaded::Failed(why));
    }

    /// Takes the oldest request.
    pub fn pop(&self) -> Option<Request> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
