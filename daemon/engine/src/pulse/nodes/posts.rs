//! What clients publish on a node that does not hold the room: it goes to the node that does, and the answer comes back.
//!
//! A message that is not answered goes out once more, with the same number. The holder knows the numbers that it has answered, so
//! a message is not said twice.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;

use super::{Cluster, Role};
use crate::exchange::enquiry;
use crate::exchange::nodes::{Outcome, PulseSays};
use crate::exchange::question::{Client, Message};
use tickerd_cluster::Node as Name;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::source::SourceId;

/// Messages of this node's clients that wait for an answer.
const POSTS_MAX: usize = 1_024;
/// Answers that are known of each node, and nodes of which some are.
const KNOWN_MAX: usize = 1_024;
const NODES_MAX: usize = 256;
/// A message goes out once more after this long, and is given up after that, in microseconds.
pub(super) const AGAIN_US: u64 = 1_000_000;
pub(super) const PATIENCE_US: u64 = 4_000_000;
const RETRY_AFTER_MS: u64 = 1_000;

/// Who gets the answer.
pub enum Who {
    /// A client of the shard behind this port of the outlet.
    Shard {
        port: usize,
        client: Client,
    },
    Http(oneshot::Sender<enquiry::Answer>),
}

#[derive(Default)]
pub(super) struct Posts {
    count: u64,
    pub(super) waiting: BTreeMap<u64, Waiting>,
    /// What this node has answered others.
    known: BTreeMap<Name, VecDeque<(u64, Outcome)>>,
}

pub(super) struct Waiting {
    pub source: SourceId,
    pub message: Message,
    pub who: Who,
    pub since: u64,
    /// It went out twice.
    pub is_again: bool,
}

impl Posts {
    /// When one of them is to be looked at, on the pulse's clock.
    pub fn deadline(&self) -> Option<u64> {
        let due = |post: &Waiting| post.since + if post.is_again { PATIENCE_US } else { AGAIN_US };
        self.waiting.values().map(due).min()
    }

    pub(super) fn take(&mut self, is_wanted: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let wanted: Vec<u64> =
            self.waiting.iter().filter(|(_, post)| is_wanted(post)).map(|(id, _)| *id).collect();
        wanted.iter().filter_map(|id| self.waiting.remove(id)).collect()
    }

    pub(super) fn known(&self, node: &Name, id: u64) -> Option<&Outcome> {
        self.known.get(node)?.iter().find(|(known, _)| *known == id).map(|(_, outcome)| outcome)
    }

    pub(super) fn remember(&mut self, node: &Name, id: u64, outcome: &Outcome) {
        if !self.known.contains_key(node) {
            self.known.retain(|known, _| known.name != node.name);
            if self.known.len() >= NODES_MAX {
                self.known.pop_first();
            }
        }
        let known = self.known.entry(node.clone()).or_default();
        if known.len() >= KNOWN_MAX {
            known.pop_front();
        }
        known.push_back((id, outcome.clone()));
    }
}

impl Cluster {
    /// Sends a message to who holds the room. Without one, or if too many wait, it is refused at once.
    pub fn post(
        &mut self,
        source: SourceId,
        message: Message,
        who: Who,
        now: u64,
    ) -> Result<(), (Who, ProtocolError)> {
        if !self.has_holder(source) {
            return Err((who, refusal("no node of the cluster holds this room now; try again")));
        }
        if self.posts.waiting.len() >= POSTS_MAX {
            return Err((who, refusal("too many messages wait for the node that holds the room; try again")));
        }
        self.posts.count += 1;
        let id = self.posts.count;
        self.say(PulseSays::Publish { source, id, message: message.clone() });
        self.posts.waiting.insert(id, Waiting { source, message, who, since: now, is_again: false });
        Ok(())
    }

    /// Whether another node is heard that holds it.
    pub(super) fn has_holder(&self, source: SourceId) -> bool {
        let part = self.parts.get(&source).map(|part| &part.role);
        matches!(part, Some(Role::Follower(follower)) if follower.is_heard && !follower.is_absent)
    }

    /// Sends once more what is wanted of those that wait.
    pub(super) fn post_again(&mut self, is_wanted: impl Fn(&Waiting) -> bool) {
        let mut again = Vec::new();
        for (id, post) in &mut self.posts.waiting {
            if is_wanted(post) {
                post.is_again = true;
                again.push(PulseSays::Publish {
                    source: post.source,
                    id: *id,
                    message: post.message.clone(),
                });
            }
        }
        again.into_iter().for_each(|says| _ = self.say(says));
    }
}

pub(super) fn refusal(why: &'static str) -> ProtocolError {
    ProtocolError { retry_after_ms: Some(RETRY_AFTER_MS), ..ProtocolError::new(Code::FeedUnavailable, why) }
}
