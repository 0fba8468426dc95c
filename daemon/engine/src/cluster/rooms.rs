//! What clients of one node do in a room that another holds: what they publish, and who comes and leaves.

use std::sync::Arc;

use super::node::Node;
use crate::exchange::nodes::{NodeOrder, Outcome};
use crate::exchange::question::{Message as Said, Published};
use tickerd_cluster::load::Turnover;
use tickerd_cluster::wire::{Bytes, Message, Presence, Publish, Published as Answered, Refused};
use tickerd_cluster::{Millis, Node as Name, Position};
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::rooms::{Publisher, Seat, To};
use tickerd_model::source::{Kind, SourceId};

/// A node that was not heard for so long has no clients any more.
const GONE: Millis = 3_000;
/// A process that was there for so long may have had clients. Two that have one name take turns faster.
const SETTLED: Millis = 2_000;

impl Node {
    /// A client of this node publishes. Without a holder it is sent later, or given up.
    pub(super) fn publish(&mut self, source: SourceId, id: u64, message: Said) {
        let now = self.now();
        let Some(feed) = self.ids.get(&source).cloned() else { return };
        let holder = self.feeds.get(&feed).and_then(|held| held.part.holder(now)).cloned();
        let Some(holder) = holder else { return };
        let Said { topic, publisher, origin, to, value } = message;
        let publish = Publish {
            feed: (*feed).into(),
            id,
            topic: topic.into(),
            from: Some((*publisher).into()),
            to: to.map(|to| to.to_string().into()),
            address: origin.address.map(|address| address.to_string().into()),
            seat: origin.seat.map(|Seat { shard, conn, generation }| (shard, conn, generation)),
            value: Bytes(value),
        };
        self.send("ask", &holder.name, &Message::Publish(publish));
    }

    pub(super) fn heard_publish(&mut self, node: Name, publish: Publish) {
        let Publish { feed, id, topic, from, to, address, seat, value } = publish;
        let feed: Arc<str> = feed.into();
        let Some(held) = self.feeds.get(&feed).filter(|held| held.part.holds().is_some()) else { return };
        let source = held.source.id;
        // To whom this version cannot read is nobody's: it must not go to all.
        let to = match to.map(|to| To::parse(&to)).transpose() {
            Ok(to) => to,
            Err(error) => return self.published(&node, id, Err(error)),
        };
        let seat = seat.map(|(shard, conn, generation)| Seat { shard, conn, generation });
        let address = address.and_then(|address| address.parse().ok());
        let message = Said {
            topic: (*topic).to_owned(),
            publisher: from.as_deref().unwrap_or_default().into(),
            origin: Publisher { address, seat },
            to,
            value: value.0,
        };
        (self.order)(NodeOrder::Publish { source, node, id, message });
    }

    pub(super) fn published(&mut self, node: &Name, id: u64, outcome: Outcome) {
        let none = Answered { id, seq: 0, to: None, delivered: 0, refused: None };
        let answer = match outcome {
            Ok(Published { seq, letter, .. }) => {
                let (to, delivered) = letter.map_or((None, 0), |(to, count)| (Some((*to).into()), count));
                Answered { seq, to, delivered: delivered as u64, ..none }
            }
            Err(ProtocolError { code, message, retry_after_ms }) => {
                let reason = message.into();
                Answered { refused: Some(Refused { code: code.number(), reason, retry_after_ms }), ..none }
            }
        };
        self.send("answer", &node.name, &Message::Published(answer));
    }

    pub(super) fn heard_published(&mut self, answer: Answered) {
        let Answered { id, seq, to, delivered, refused } = answer;
        let outcome = match refused {
            None => {
                let delivered = usize::try_from(delivered).unwrap_or(usize::MAX);
                let letter = to.map(|to| ((*to).into(), delivered));
                Ok(Published { topic: String::new(), seq, letter })
            }
            Some(Refused { code, reason, retry_after_ms }) => {
                let code = Code::ALL.into_iter().find(|known| known.number() == code);
                let error = ProtocolError::new(code.unwrap_or(Code::Internal), String::from(reason));
                Err(ProtocolError { retry_after_ms, ..error })
            }
        };
        (self.order)(NodeOrder::Published { id, outcome });
    }

    /// Clients of this node came to a room that another one holds, or left it.
    pub(super) fn tell_presence(&mut self, source: SourceId, whole: bool, turnovers: Vec<Turnover>) {
        let now = self.now();
        let Some(feed) = self.ids.get(&source).cloned() else { return };
        let holder = self.feeds.get(&feed).and_then(|held| held.part.holder(now)).cloned();
        // A new holder is told of all.
        let Some(holder) = holder else { return };
        let presence = Presence { feed: (*feed).into(), whole, turnovers };
        self.send("ask", &holder.name, &Message::Presence(presence));
    }

    pub(super) fn heard_presence(&mut self, from: &Name, presence: Presence) {
        let Presence { feed, whole, turnovers } = presence;
        let feed: Arc<str> = feed.into();
        let Some(held) = self.feeds.get(&feed).filter(|held| held.part.holds().is_some()) else { return };
        let (source, node) = (held.source.id, from.name.clone());
        (self.order)(NodeOrder::Presence { source, node, whole, turnovers });
    }

    /// Something of a room was applied. If its holder is another, it is told who of this node is there.
    pub(super) fn introduce(&mut self, feed: &Arc<str>, at: &Position) {
        let Some(held) = self.feeds.get_mut(feed).filter(|held| held.source.kind == Kind::Room) else {
            return;
        };
        let heard = Some((at.era, at.node.clone()));
        if held.heard != heard {
            held.heard = heard;
            (self.order)(NodeOrder::Introduce { source: held.source.id });
        }
    }

    /// Clients of a node that is not heard any more are gone.
    pub(super) fn look_for_gone(&mut self, now: Millis) {
        for (name, seen) in &mut self.nodes {
            if !seen.is_gone && now.saturating_sub(seen.heard) >= GONE {
                seen.is_gone = true;
                // Its row may stay for long.
                seen.says.feeds = Vec::new();
                (self.order)(NodeOrder::Gone { node: name.name.clone() });
            }
        }
    }

    /// A node speaks. If its process is another than before, the clients of that one are gone, before any of the new one comes.
    pub(super) fn meet(&mut self, from: &Name, now: Millis) {
        let all = |life| Name { name: from.name.clone(), life };
        let mut same = self.nodes.range_mut(all(0)..=all(u64::MAX));
        let before = same.find(|(name, seen)| *name != from && !seen.is_gone);
        let Some((_, seen)) = before.filter(|(_, seen)| now.saturating_sub(seen.since) >= SETTLED) else {
            return;
        };
        seen.is_gone = true;
        (self.order)(NodeOrder::Gone { node: from.name.clone() });
        // Some may be there already, as the holder of a room knows.
        self.lose_rooms(now);
    }

    /// Who is in rooms that others hold is asked of them.
    pub(super) fn lose_rooms(&mut self, now: Millis) {
        let rooms = self.feeds.values_mut().filter(|held| held.source.kind == Kind::Room);
        rooms.for_each(|held| held.part.lose(now));
    }
}
