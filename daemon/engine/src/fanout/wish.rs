//! A subscription on its way.

use std::collections::HashMap;
use std::sync::Arc;

use tickerd_model::frame::Frame;
use tickerd_model::protocol::command::{Id, Terms};

/// A subscription that is asked for.
#[derive(Debug)]
pub struct Wish {
    /// The command's id.
    pub request: Option<Id>,
    /// The answer comes even without an id.
    pub always_told: bool,
    /// Topics and patterns.
    pub names: Vec<String>,
    pub terms: Terms,
    /// Whether snapshots are wanted.
    pub snapshot: bool,
    /// Of topics that the client had before: every tick since, or `None` if that cannot be told.
    pub missed: HashMap<String, Option<Vec<Arc<Frame>>>>,
    /// The client was there before, and of event topics that are not in `missed` nothing can be told.
    pub was_there: bool,
}

impl Wish {
    /// One of a client that was not there before.
    pub fn new(
        request: Option<Id>,
        always_told: bool,
        names: Vec<String>,
        terms: Terms,
        snapshot: bool,
    ) -> Wish {
        Wish { request, always_told, names, terms, snapshot, missed: HashMap::new(), was_there: false }
    }
}
