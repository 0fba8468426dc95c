//! What a client has asked for and waits for.

use std::collections::HashMap;
use std::sync::Arc;

use tickerd_model::board::missed::Last;
use tickerd_model::protocol::command::{Epochs, Id, Terms};
use tickerd_model::wire::frame::Frame;

/// A subscription that is asked for.
#[derive(Debug)]
pub struct SubscribeRequest {
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
    /// Whose numbers the client's positions are, if it told any.
    pub since: Option<Epochs>,
    /// The client was there before, and of event topics that are not in `missed` nothing can be told.
    pub was_there: bool,
}

impl SubscribeRequest {
    /// One of a command, of a client that was not there before.
    pub fn of_command(
        request: Option<Id>,
        names: Vec<String>,
        terms: Terms,
        snapshot: bool,
    ) -> SubscribeRequest {
        SubscribeRequest {
            request,
            always_told: false,
            names,
            terms,
            snapshot,
            missed: HashMap::new(),
            since: None,
            was_there: false,
        }
    }

    /// One of an address, which is answered without an id.
    pub fn of_address(names: Vec<String>, terms: Terms) -> SubscribeRequest {
        SubscribeRequest { always_told: true, ..SubscribeRequest::of_command(None, names, terms, true) }
    }
}

/// What a shard does with the pulse's answer.
#[derive(Debug)]
pub enum Then {
    /// Tells a topic's past.
    TellHistory { request: Option<Id>, topic: String },
    /// Tells a topic's bars.
    TellBars { request: Option<Id> },
    /// Subscribes, and brings what was missed.
    Subscribe { wanted: Box<SubscribeRequest> },
    /// The same for who was there for the ticks up to the `last` one. `appeared` topics were known when it was
    /// asked what was missed, and it may be asked so many times more.
    Resume { wanted: Box<SubscribeRequest>, last: Last, appeared: u64, tries: u8 },
    /// Tells what became of a message.
    TellPublished { request: Option<Id> },
    /// Tells who is in a topic.
    TellMembers { request: Option<Id>, topic: String },
}

impl Then {
    /// The id of the command that it answers.
    pub fn request(&self) -> Option<&Id> {
        match self {
            Then::Subscribe { wanted } | Then::Resume { wanted, .. } => wanted.request.as_ref(),
            Then::TellHistory { request, .. }
            | Then::TellBars { request }
            | Then::TellPublished { request }
            | Then::TellMembers { request, .. } => request.as_ref(),
        }
    }
}
