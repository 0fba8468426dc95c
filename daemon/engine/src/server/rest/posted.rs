//! The number of the last message that was posted to each topic: it is pushed with its room's next beat, and whoever asks over
//! HTTP before that waits for it, so that what was posted can be read at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// See the module. No longer than the list of declared topics: nothing else is taken.
#[derive(Debug, Default)]
pub struct Posted(Mutex<HashMap<String, u64>>);

impl Posted {
    /// Notes a message that was taken.
    pub fn note(&self, topic: String, seq: u64) {
        let mut posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = posted.entry(topic).or_default();
        *last = seq.max(*last);
    }

    /// The number of a topic's last; 0 if there is none.
    pub fn last(&self, topic: &str) -> u64 {
        let posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        posted.get(topic).copied().unwrap_or_default()
    }
}
