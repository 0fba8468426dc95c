//! What the pulse does with messages that clients publish on other nodes than the room's holder.

use super::super::Pulse;
use super::posts::{AGAIN_US, PATIENCE_US, Waiting, Who, refusal};
use crate::exchange::enquiry;
use crate::exchange::nodes::{Outcome, PulseSays};
use crate::exchange::question::{Answer, Found, Message, Published};
use tickerd_cluster::Node as Name;
use tickerd_model::source::SourceId;
use tickerd_process::clock::now_unix_ms;

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
