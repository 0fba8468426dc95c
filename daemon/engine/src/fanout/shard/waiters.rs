//! HTTP requests that wait for a topic's next value.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::exchange::enquiry::{Answer, Enquiry};

/// Who waits for a topic's next value, by its name.
pub type Waiters = HashMap<String, Vec<Waiter>>;

/// One of them.
#[derive(Debug)]
pub enum Waiter {
    /// For another value than the one with this number.
    Next { seq: u64, answer: oneshot::Sender<Answer> },
    /// For the value with this number, and then for an answer.
    Least { seq: u64, enquiry: Enquiry },
}

impl Waiter {
    /// Whether it lost patience.
    pub fn is_closed(&self) -> bool {
        match self {
            Waiter::Next { answer, .. } | Waiter::Least { enquiry: Enquiry { answer, .. }, .. } => {
                answer.is_closed()
            }
        }
    }
}
