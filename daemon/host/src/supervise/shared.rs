//! What a supervisor's handle and its thread share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::feed::admission::Admitted;
use crate::intake::activity::Voice;
use crate::report::{Failure, Report};
use crate::supervise::life::End;
use crate::supervise::reload::Requests;
use tickerd_model::digest::Digest;
use tickerd_model::lane::Health;

/// What both know of one feed.
pub struct Shared {
    pub name: String,
    pub health: Mutex<Health>,
    pub voice: Arc<Voice>,
    pub failed: AtomicBool,
    pub last_end: Mutex<Option<End>>,
    pub stopping: AtomicBool,
    pub hurrying: AtomicBool,
    pub retrying: AtomicBool,
    pub reloads: Requests,
    /// What runs, or ran last: its file, and the SHA-256 of that.
    pub runs: Mutex<Option<(PathBuf, Option<Digest>)>>,
    pub events: SyncSender<Event>,
    pub ended: Mutex<bool>,
    pub on_end: Condvar,
}

/// What wakes the thread.
pub enum Event {
    /// Look at the flags and at what the feed says about itself.
    Wake,
    /// Of the life with this number; those of earlier ones mean nothing any more.
    Report { life: u64, report: Report },
    /// The file for the life with this number was looked at.
    Looked { life: u64, looked: Result<Admitted, Failure> },
}

impl Shared {
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub fn note(&self, admitted: &Admitted) {
        let runs = (admitted.plugin.clone(), admitted.digest);
        *self.runs.lock().unwrap_or_else(PoisonError::into_inner) = Some(runs);
    }

    pub fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.on_end.notify_all();
    }

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
