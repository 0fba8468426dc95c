//! Who is in the rooms: each node tells the holder who of its clients came and left, and the holder's beats tell all.
//!
//! What was lost on the way is mended by the list of all, which goes out now and then, and whenever the holder is another.

use std::sync::Arc;

use super::super::Pulse;
use crate::exchange::nodes::PulseSays;
use tickerd_cluster::load::{Load, Turnover};
use tickerd_model::source::{Kind, SourceId};
use tickerd_process::clock::now_unix_ms;

/// Between two lists of all, in microseconds.
pub(super) const LIST_US: u64 = 10_000_000;

impl Pulse {
    /// Tells who of this node came and left.
    pub(super) fn tell_presence(&mut self) {
        let now = self.mono_us();
        let moved = self.rooms.take_moved();
        let Some(nodes) = &mut self.nodes else { return };
        for (source, turnovers) in moved {
            if nodes.is_follower(source)
                && !nodes.say(PulseSays::Presence { source, whole: false, turnovers })
            {
                nodes.next_list = now;
            }
        }
        if now < nodes.next_list {
            return;
        }
        nodes.next_list = now + LIST_US;
        let rooms = self.sources.iter().filter(|(_, followed)| followed.source.kind == Kind::Room);
        for id in rooms.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.introduce(id);
        }
    }

    /// Tells who holds a room all who are there of this node.
    pub(super) fn introduce(&mut self, source: SourceId) {
        let Some(nodes) = self.nodes.as_ref().filter(|nodes| nodes.has_holder(source)) else { return };
        let turnovers = self.rooms.everyone(source, true);
        nodes.say(PulseSays::Presence { source, whole: true, turnovers });
    }

    /// Another node tells this one, which holds the room.
    pub(super) fn hear_presence(&mut self, id: SourceId, node: &str, whole: bool, turnovers: &[Turnover]) {
        if self.nodes.as_ref().is_some_and(|nodes| !nodes.is_follower(id)) {
            let beat = (now_unix_ms(), &mut self.pending);
            self.rooms.move_others(id, Some(node), whole, turnovers, beat);
        }
    }

    /// The holder tells who is there, and has letters for some.
    pub(super) fn apply_presence(&mut self, id: SourceId, load: &Load) {
        let whole = load.whole.is_some();
        if whole || !load.turnovers.is_empty() {
            self.rooms.move_others(id, None, whole, &load.turnovers, (now_unix_ms(), &mut self.pending));
            self.tell_turnovers(id);
        }
        self.rooms.deliver(&load.letters, &mut self.pending);
    }

    /// A node is not heard any more. Each node drops its clients by itself.
    pub(super) fn forget_node(&mut self, node: &Arc<str>) {
        self.rooms.forget_node(node);
        for id in self.sources.keys().copied().collect::<Vec<_>>() {
            if self.nodes.as_ref().is_some_and(|nodes| nodes.is_follower(id)) {
                self.tell_turnovers(id);
            }
        }
    }

    /// Clients here are told who came and left in rooms that another node holds.
    fn tell_turnovers(&mut self, id: SourceId) {
        self.rooms.beat(id, &mut self.pending);
        drop(self.rooms.take_told(id));
    }
}
