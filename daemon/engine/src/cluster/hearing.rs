//! What other nodes say, and what this one says to them.

use std::sync::Arc;

use super::asks::{BEATS, BOARD};
use super::feed::Held;
use super::node::{BOARDS_MAX, BOARDS_OF_NODE_MAX, Node, Waits};
use super::said::Heard;
use crate::exchange::nodes::NodeOrder;
use tickerd_cluster::load::Load;
use tickerd_cluster::wire::{Ask, Heartbeat, Message, Packets, Reply, Said, Seen, Tell, TooBig, Wrong};
use tickerd_cluster::{Answer, Millis, Node as Name};
use tickerd_nats::Event;
use tickerd_process::clock::now_unix_ms;

/// Feeds that a heartbeat may tell of.
const SEEN_MAX: usize = 4_096;

impl Node {
    /// The way to the others came, went, or was too narrow.
    pub(super) fn happened(&mut self, event: &Event) {
        let now = self.now();
        match event {
            // It may have been lost since.
            Event::Connected if !self.link.is_connected() => {}
            Event::Connected => {
                tracing::info!(
                    cluster = self.settings.cluster,
                    node = self.settings.node,
                    "connected to NATS"
                );
                self.feeds.values_mut().for_each(|held| held.part.was_deaf(now));
                let names: Vec<_> = self.feeds.keys().cloned().collect();
                names.iter().for_each(|name| self.read_record(name));
            }
            Event::Disconnected => {
                tracing::warn!("the connection to NATS is lost: this node serves what it has")
            }
            Event::SlowConsumer => self.standing.count_overrun(),
            Event::Refused(what) => tracing::error!("{what}"),
        }
    }

    pub(super) fn hear(&mut self, subject: &str, packet: &[u8]) {
        let now = self.now();
        let Heard { from, message, is_of_edge } = match self.mouth.hear(subject, packet, now) {
            Ok(Some(heard)) => heard,
            Ok(None) => return,
            Err(wrong) => return self.misheard(subject, &wrong),
        };
        if from == self.me {
            return;
        }
        self.meet(&from, now);
        match message {
            Message::Heartbeat(says) if is_of_edge => self.heard_heartbeat(&from, of_edge(says), now),
            Message::Heartbeat(says) => {
                self.compare_revoked(&from, &says, now);
                self.heard_heartbeat(&from, says, now);
            }
            Message::Beat(Said { feed, beat }) => self.with(&feed.into(), |held| {
                held.lag_ms = now_unix_ms().saturating_sub(beat.load.ts);
                held.part.hear(beat, now);
            }),
            Message::Tell(Tell { feed, era, holder }) => {
                self.with(&feed.into(), |held| held.part.told(era, holder.as_ref(), now));
            }
            Message::Ask(Ask { feed, after, root }) => {
                let feed: Arc<str> = feed.into();
                // Who asks gets nothing by halves.
                let Some(held) = self.feeds.get(&feed) else { return };
                if !self.out.has_room() {
                    return self.standing.count_overrun();
                }
                match held.part.after(after.as_ref(), root.as_ref()) {
                    Some(beats) if self.asks.may_have(&from.name, &feed, BEATS, now) => {
                        self.answer(&feed, &from, Answer::Beats(beats));
                    }
                    Some(_) => {}
                    None => self.ask_board(feed, from),
                }
            }
            Message::Answer(Reply { feed, answer }) => {
                self.with(&feed.into(), |held| held.part.answered(&from, answer, now));
            }
            Message::Move(wanted) => self.heard_move(&wanted.feed.into(), &wanted.to),
            Message::Publish(publish) => self.heard_publish(from, publish),
            Message::Published(answer) => self.heard_published(answer),
            Message::Presence(presence) => self.heard_presence(&from, presence),
            Message::Revoked(revoked) => self.heard_revoked(&from, revoked),
            Message::AskRevoked(ask) => self.heard_ask_revoked(&from, &ask),
            Message::Redeem(redeem) => self.heard_redeem(&from, &redeem),
            Message::Redeemed(redeemed) => self.heard_redeemed(&from, redeemed),
        }
    }

    /// What cannot be read is counted. A feed whose beats are of a newer version is not followed by guesses. Other messages say
    /// nothing of a feed: each node may say them, in each other's name too.
    fn misheard(&mut self, subject: &str, wrong: &Wrong) {
        self.standing.count_refused(wrong);
        let now = self.now();
        let (Wrong::Newer { node, .. }, Some(feed)) = (wrong, self.mouth.feed_of_beats(subject)) else {
            return;
        };
        if let Some(held) = self.feeds.get_mut(feed)
            && held.part.holder(now).is_some_and(|holder| holder.name == *node)
        {
            held.broken = Some(wrong.to_string());
        }
    }

    pub(super) fn heard_heartbeat(&mut self, from: &Name, says: Heartbeat, now: Millis) {
        if from.name == self.me.name {
            self.standing.count_twin(!self.nodes.contains_key(from));
        }
        if says.feeds.len() > SEEN_MAX {
            return self.standing.count_overrun();
        }
        for seen in says.feeds.clone() {
            let feed: Arc<str> = seen.feed.clone().into();
            if seen.claim.is_some() {
                self.heard_of(&feed);
            }
            let heartbeat = seen.heartbeat(from.clone(), says.is_edge);
            self.with(&feed, |held| held.part.heard(&heartbeat, now));
        }
        self.note_node(from, says);
    }

    pub(super) fn say_heartbeat(&mut self, now: Millis) {
        let seen = |(name, held): (&Arc<str>, &Held)| {
            Seen::new(name, held.part.heartbeat(now), held.feed.section == 0)
        };
        let feeds = self.feeds.iter().map(seen).collect();
        let heartbeat = Heartbeat {
            version: self.settings.version.as_str().into(),
            is_edge: self.settings.is_edge,
            ts: now_unix_ms(),
            config: self.config(),
            epoch: self.epoch.as_deref().unwrap_or_default().into(),
            feeds,
            revoked: self.revoked_digest(),
        };
        let me = self.me.name.clone();
        // The servers let an edge say it there alone.
        let what = if self.settings.is_edge { "edge" } else { "node" };
        self.send(what, &me, &Message::Heartbeat(heartbeat));
    }

    /// The whole board of a feed, as the pulse has it, for another node.
    fn ask_board(&mut self, feed: Arc<str>, node: Name) {
        let now = self.now();
        let of_node = || self.boards.values().filter(|waits| waits.node.name == node.name);
        let is_free = self.boards.len() < BOARDS_MAX
            && of_node().count() < BOARDS_OF_NODE_MAX
            && of_node().all(|waits| waits.feed != feed);
        let held = self.feeds.get(&feed).filter(|held| is_free && held.may_make_board(now));
        let Some(held) = held.filter(|_| self.asks.may_have(&node.name, &feed, BOARD, now)) else { return };
        self.boards_made += 1;
        let (source, ask) = (held.source.id, self.boards_made);
        self.boards.insert(ask, Waits { feed, node, since: now });
        (self.order)(NodeOrder::Whole { source, ask });
    }

    pub(super) fn answer(&mut self, feed: &str, to: &Name, answer: Answer<Arc<Load>>) {
        // Boards that were asked for at once come one after the other.
        if !self.out.has_room() {
            return self.standing.count_overrun();
        }
        let is_whole = matches!(answer, Answer::Whole(_));
        let reply = Message::Answer(Reply { feed: feed.into(), answer });
        let (subject, packets) = self.mouth.say("answer", &to.name, &reply);
        let too_big = packets.as_ref().err().copied();
        self.put("answer", &subject, packets);
        match too_big {
            // It may be shorter than the beats that led to it.
            Some(_) if !is_whole => self.ask_board(feed.into(), to.clone()),
            _ if is_whole => {
                let now = self.now();
                let held = self.feeds.get_mut(feed);
                held.into_iter().for_each(|held| held.too_big = too_big.map(|bytes| (now, bytes)));
            }
            _ => {}
        }
    }

    fn put(&mut self, what: &str, subject: &str, packets: Result<Packets, TooBig>) {
        if !packets.is_ok_and(|packets| self.out.send(what, subject, packets)) {
            self.standing.count_overrun();
        }
    }

    pub(super) fn send(&mut self, what: &str, of: &str, message: &Message) {
        let (subject, packets) = self.mouth.say(what, of, message);
        self.put(what, &subject, packets);
    }

    /// As [`Node::send`], after what others wait for all the time.
    pub(super) fn send_later(&mut self, what: &str, of: &str, message: &Message) {
        let (subject, packets) = self.mouth.say(what, of, message);
        // As an answer.
        self.put("answer", &subject, packets);
    }
}

/// An edge holds nothing, whatever it says.
fn of_edge(mut says: Heartbeat) -> Heartbeat {
    says.is_edge = true;
    // Nor can it say that the nodes are two clusters.
    says.epoch = "".into();
    for seen in &mut says.feeds {
        (seen.claim, seen.may_hold) = (None, false);
    }
    says
}
