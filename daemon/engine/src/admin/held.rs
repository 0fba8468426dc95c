//! The admin listener's connections, and which of them goes when there is one too many.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// Scrapers and probes at once. One more ends the one that has asked nothing for longest: idle connections never shut out
/// who has a question.
pub const CONNECTIONS_MAX: usize = 32;

/// The connections there are, by number; the one that has asked nothing for longest comes first.
#[derive(Default)]
pub struct Held(Mutex<VecDeque<(u64, AbortHandle)>>);

impl Held {
    /// Takes one in, and ends the first if there are too many.
    pub fn add(&self, number: u64, task: AbortHandle) {
        let mut held = self.list();
        held.push_back((number, task));
        if held.len() > CONNECTIONS_MAX
            && let Some((_, longest)) = held.pop_front()
        {
            longest.abort();
        }
    }

    /// It asks something: it goes to the end.
    pub fn asks(&self, number: u64) {
        let mut held = self.list();
        let at = held.iter().position(|(other, _)| *other == number);
        if let Some(one) = at.and_then(|at| held.remove(at)) {
            held.push_back(one);
        }
    }

    /// It has ended.
    pub fn remove(&self, number: u64) {
        self.list().retain(|(other, _)| *other != number);
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<(u64, AbortHandle)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
