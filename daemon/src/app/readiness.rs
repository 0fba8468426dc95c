//! Whether the daemon is ready, and what each feed has to do with it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::admin::{Check, Readiness};
use crate::feed::Supervisor;
use crate::model::lane::FeedState;

/// Rung whenever a feed's state changes.
#[derive(Debug, Default)]
pub struct FeedsReady {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl FeedsReady {
    /// Something changed.
    pub fn ring(&self) {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.rung.notify_all();
    }

    /// Waits until `done`, which is asked after each ring.
    pub fn wait(&self, done: impl Fn() -> bool) {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        while !done() {
            rings = self.rung.wait(rings).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until `done`, which is asked after each ring, or until the deadline.
    pub fn wait_until(&self, deadline: Instant, done: impl Fn() -> bool) {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        while !done() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            (rings, _) = self.rung.wait_timeout(rings, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Serving what there is beats refusing all: a feed that is down is told, and does not make the daemon unready unless
/// none of them has ever spoken.
pub fn judge(feeds: &[Supervisor]) -> Readiness {
    let spoken = feeds.is_empty() || feeds.iter().any(Supervisor::has_spoken);
    let mut checks = vec![Check { name: "listeners".into(), ok: true, detail: "bound".into() }];
    for feed in feeds {
        let health = feed.health();
        let ok = !matches!(health.state, FeedState::Down | FeedState::Stale);
        let detail = match health.reason.as_str() {
            "" => health.state.as_str().to_owned(),
            reason => format!("{}: {reason}", health.state.as_str()),
        };
        checks.push(Check { name: format!("feed {}", feed.name()), ok, detail });
    }
    Readiness { ready: spoken, checks }
}
