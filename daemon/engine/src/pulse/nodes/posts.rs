//! What clients publish on a node that does not hold the room: it goes to the node that does, and the answer comes back.
//!
//! A message that is not answered goes out once more, with the same number. The holder knows the numbers that it has answered, so
//! a message is not said twice.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;

use super::super::Pulse;
use super::{Cluster, Role};
use crate::exchange::enquiry;
use crate::exchange::nodes::{Outcome, PulseSays};
use crate::exchange::question::{Answer, Client, Found, Message, Published};
use tickerd_cluster::Node as Name;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::source::SourceId;
use tickerd_process::clock::now_unix_ms;

/// Messages of this node's clients that wait for an answer.
const POSTS_MAX: usize = 1_024;
/// Answers that are known of each node, and nodes of which some are.
const KNOWN_MAX: usize = 1_024;
const NODES_MAX: usize = 256;
/// A message goes out once more after this long, and is given up after that, in microseconds.
const AGAIN_US: u64 = 1_000_000;
const PATIENCE_US: u64 = 4_000_000;
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
    waiting: BTreeMap<u64, Waiting>,
    /// What this node has answered others.
    known: BTreeMap<Name, VecDeque<(u64, Outcome)>>,
}

struct Waiting {
    source: SourceId,
    message: Message,
    who: Who,
    since: u64,
    /// It went out twice.
    is_again: bool,
}

impl Posts {
    /// When one of them is to be looked at, on the pulse's clock.
    pub fn deadline(&self) -> Option<u64> {
        let due = |post: &Waiting| post.since + if post.is_again { PATIENCE_US } else { AGAIN_US };
        self.waiting.values().map(due).min()
    }

    fn take(&mut self, is_wanted: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let wanted: Vec<u64> =
            self.waiting.iter().filter(|(_, post)| is_wanted(post)).map(|(id, _)| *id).collect();
        wanted.iter().filter_map(|id| self.waiting.remove(id)).collect()
    }

    fn known(&self, node: &Name, id: u64) -> Option<&Outcome> {
        self.known.get(node)?.iter().find(|(known, _)| *known == id).map(|(_, outcome)| outcome)
    }

    fn remember(&mut self, node: &Name, id: u64, outcome: &Outcome) {
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
        let is_heard = self.parts.get(&source).is_some_and(
            |part| matches!(&part.role, Role::Follower(follower) if follower.is_heard && !follower.is_absent),
        );
        if !is_heard {
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

    /// Sends once more what is wanted of those that wait.
    fn post_again(&mut self, is_wanted: impl Fn(&Waiting) -> bool) {
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

impl Pulse {
    /// Messages that wait go out once more, or are given up.
    pub(in super::super) fn look_at_posts(&mut self) {
        let now = self.mono_us();
        let Some(nodes) = self.nodes.as_mut().filter(|nodes| !nodes.posts.waiting.is_empty()) else { return };
        nodes.post_again(|post| !post.is_again && now >= post.since + AGAIN_US);
        let late = nodes.posts.take(|post| now >= post.since + PATIENCE_US);
        self.refuse(late, "the node that holds the room does not answer; the message may have been taken");
    }

    fn refuse(&mut self, posts: Vec<Waiting>, why: &'static str) {
        for post in posts {
            self.tell_posted(post.who, Err(refusal(why)));
        }
    }

    /// Another node holds the room from now on.
    pub(super) fn renew_posts(&mut self, id: SourceId) {
        self.nodes.iter_mut().for_each(|nodes| nodes.post_again(|post| post.source == id));
    }

    /// This node holds the room from now on: what waits for that is said here.
    pub(super) fn keep_posts(&mut self, id: SourceId) {
        let posts = self.nodes.as_mut().map(|nodes| nodes.posts.take(|post| post.source == id));
        for Waiting { message, who, .. } in posts.unwrap_or_default() {
            let result = self.take_post(message);
            self.tell_posted(who, result);
        }
    }

    fn take_post(&mut self, message: Message) -> Outcome {
        let Pulse { rooms, board, pending, .. } = self;
        rooms.publish(message, now_unix_ms(), board, pending)
    }

    /// A client of another node publishes.
    pub(super) fn hear_post(&mut self, source: SourceId, node: Name, id: u64, message: Message) {
        let is_of = self.directory.of(&message.topic).is_some_and(|found| found.id == source);
        let Some(nodes) = self.nodes.as_mut().filter(|nodes| is_of && !nodes.is_follower(source)) else {
            // Whoever holds it now is asked again.
            return;
        };
        let known = nodes.posts.known(&node, id).cloned();
        let outcome = known.unwrap_or_else(|| {
            let outcome = self.take_post(message);
            self.nodes.iter_mut().for_each(|nodes| nodes.posts.remember(&node, id, &outcome));
            outcome
        });
        // Without room there is no answer, and it is sent once more.
        self.nodes.iter().for_each(|nodes| {
            _ = nodes.say(PulseSays::Published { node: node.clone(), id, outcome: outcome.clone() })
        });
    }

    /// The holder has answered.
    pub(super) fn hear_posted(&mut self, id: u64, outcome: Outcome) {
        let post = self.nodes.as_mut().and_then(|nodes| nodes.posts.waiting.remove(&id));
        let Some(Waiting { message, who, .. }) = post else { return };
        self.tell_posted(who, outcome.map(|published| Published { topic: message.topic, ..published }));
    }

    fn tell_posted(&mut self, who: Who, outcome: Outcome) {
        match who {
            Who::Shard { port, client } => {
                self.outlet.later(port, Answer { to: client, found: Found::Published(outcome) });
            }
            Who::Http(answer) => drop(answer.send(enquiry::Answer::of(outcome))),
        }
    }
}

fn refusal(why: &'static str) -> ProtocolError {
    ProtocolError { retry_after_ms: Some(RETRY_AFTER_MS), ..ProtocolError::new(Code::FeedUnavailable, why) }
}
