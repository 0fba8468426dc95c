//! The number of the last message that was posted to each topic.
//!
//! A message is pushed with its room's next beat. Someone who posts and reads at once would not find it before. So a reader
//! over HTTP waits until the message with this number has been pushed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Per topic the last number. It holds no more topics than are declared, since no other takes messages.
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
