//! What a supervisor's handle and its thread share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::feed::admission::Admitted;
use crate::intake::activity::Activity;
use crate::report::{Failure, Report};
use crate::supervise::life::End;
use crate::supervise::reload::Requests;
use tickerd_model::basics::digest::Digest;
use tickerd_model::health::Health;

/// The state of one feed that both look at.
pub struct Shared {
    /// The feed's configured name.
    pub name: String,
    /// How the feed is now.
    pub health: Mutex<Health>,
    pub activity: Arc<Activity>,
    /// True once the feed has failed in any way; never false again.
    pub failed: AtomicBool,
    /// How the last life ended; none: none has ended yet.
    pub last_end: Mutex<Option<End>>,
    /// The feed is to end, and not to start again.
    pub stopping: AtomicBool,
    /// The feed is to be killed now.
    pub hurrying: AtomicBool,
    /// What waits to be tried again is to be tried now.
    pub retrying: AtomicBool,
    pub reloads: Requests,
    /// What runs, or ran last: its file, and the SHA-256 of that.
    pub runs: Mutex<Option<(PathBuf, Option<Digest>)>>,
    /// What the thread waits for.
    pub events: SyncSender<Event>,
    /// True once the thread is over.
    pub ended: Mutex<bool>,
    pub on_end: Condvar,
}

/// What wakes the thread.
pub enum Event {
    /// Look at the flags, and at what the feed says about itself.
    Wake,
    /// A report of the life with this number. Reports of lives that are over mean nothing.
    Report { life: u64, report: Report },
    /// The file for the life with this number was looked at.
    Looked { life: u64, looked: Result<Admitted, Failure> },
}

impl Shared {
    /// Whether the feed is to end, and not to start again.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The feed has failed in some way.
    pub fn note_failure(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// This runs from now on.
    pub fn note_running(&self, admitted: &Admitted) {
        let runs = (admitted.plugin.clone(), admitted.digest);
        *self.runs.lock().unwrap_or_else(PoisonError::into_inner) = Some(runs);
    }

    /// The thread is over.
    pub fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.on_end.notify_all();
    }

    /// Waits for the end of the thread; false: it has not ended by `deadline`.
    pub fn await_end(&self, deadline: Instant) -> bool {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            ended = self.on_end.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
