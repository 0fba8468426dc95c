//! Where the server listens now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tickerd_config::Listener;

/// The addresses that are open, in the order in which they were opened.
#[derive(Clone, Default)]
pub struct Open(Arc<Mutex<Vec<Entry>>>);

struct Entry {
    wanted: Listener,
    actual: Listener,
    is_passed: bool,
}

impl Open {
    /// One is open that was configured as `wanted`. `is_passed`: the service manager holds its socket too.
    pub(super) fn add(&self, wanted: Listener, actual: Listener, is_passed: bool) {
        self.entries().push(Entry { wanted, actual, is_passed });
    }

    /// The one that was configured so is open no longer.
    pub(super) fn remove(&self, wanted: &Listener) {
        self.entries().retain(|entry| entry.wanted != *wanted);
    }

    /// The actual addresses.
    pub fn addresses(&self) -> Vec<Listener> {
        self.entries().iter().map(|entry| entry.actual.clone()).collect()
    }

    /// Whether the service manager goes on to listen there when the server does not.
    pub(super) fn is_passed(&self, wanted: &Listener) -> bool {
        self.entries().iter().any(|entry| entry.is_passed && entry.wanted == *wanted)
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
