//! A wish to have a feed's file read again, and what became of it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Wishes that wait for one feed. More are answered at once: each does the same.
const WAITING_MAX: usize = 16;

/// What became of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloaded {
    /// A new process does the work, of this plugin file.
    Swapped { plugin: String },
    /// The file has the bytes that run, and that was reason enough to leave it.
    Unchanged,
    /// It did not run, and is started now.
    Started,
    /// It cannot be swapped while tickerd runs, and why.
    RestartNeeded(String),
    /// The old one goes on, and why.
    Failed(String),
}

impl Reloaded {
    /// One word for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Reloaded::Swapped { .. } => "swapped",
            Reloaded::Unchanged => "unchanged",
            Reloaded::Started => "started",
            Reloaded::RestartNeeded(_) => "restart_needed",
            Reloaded::Failed(_) => "failed",
        }
    }

    /// Whether what was wished for is so now.
    pub fn is_done(&self) -> bool {
        matches!(self, Reloaded::Swapped { .. } | Reloaded::Unchanged | Reloaded::Started)
    }
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reloaded::Swapped { plugin } => write!(f, "{plugin} runs in a new process"),
            Reloaded::Unchanged => f.write_str("its file has not changed"),
            Reloaded::Started => f.write_str("it did not run, and is started now"),
            Reloaded::RestartNeeded(why) | Reloaded::Failed(why) => f.write_str(why),
        }
    }
}

/// Gets the answer, on the feed's supervising thread: it must not block. Dropped without one when the feed is stopped.
pub type OnReloaded = Box<dyn FnOnce(Reloaded) + Send>;

/// One wish.
pub struct Request {
    /// Also when the file's bytes are those that run.
    pub always: bool,
    answer: OnReloaded,
}

impl Request {
    /// Tells what became of it.
    pub fn answer(self, reloaded: Reloaded) {
        (self.answer)(reloaded);
    }
}

/// The wishes of one feed that wait.
#[derive(Default)]
pub struct Requests(Mutex<VecDeque<Request>>);

impl Requests {
    /// Adds one, or answers it when there are too many.
    pub fn push(&self, always: bool, answer: OnReloaded) {
        let request = Request { always, answer };
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            return waiting.push_back(request);
        }
        drop(waiting);
        let why = format!("{WAITING_MAX} reloads of it wait already; try again when they are over");
        request.answer(Reloaded::Failed(why));
    }

    /// The oldest one.
    pub fn pop(&self) -> Option<Request> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
