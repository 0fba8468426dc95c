//! Plugins that start and end, and feeds that go from one node to another.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::feed::{Handing, Held, Plugin, epoch_of};
use super::node::{Back, Node};
use super::standing::{HERE, NodeSeen};
use super::{Command, Feed};
use crate::exchange::nodes::{Join, NodeOrder, Reign};
use tickerd_cluster::load::Load;
use tickerd_cluster::wire::{Message, Move};
use tickerd_cluster::{Millis, Node as Name};
use tickerd_model::source::{Kind, SourceId};

/// A feed that goes to another node is there within this time, or the command failed.
pub const MOVE_MAX: Millis = 40_000;
/// A holder is not missed before this node has listened for so long.
const LISTENED_MIN: Millis = 2_500;

/// A feed that no node may hold any more goes after this time without a holder.
const GIVEN_UP: Millis = 10_000;

type Done = oneshot::Sender<Result<String, String>>;

/// A command that waits for feeds to be elsewhere.
pub struct Moving {
    /// Of all that this node holds, if none is named.
    feed: Option<Arc<str>>,
    to: Option<String>,
    since: Millis,
    /// It may take so long.
    max: Millis,
    done: Done,
}

impl Node {
    /// This node holds the feed from now on.
    pub(super) fn begin(&mut self, feed: &Arc<str>, floor: u64) {
        let Some(held) = self.feeds.get_mut(feed) else { return };
        let (Some(era), Some((root, whole))) = (held.part.holds(), held.part.numbers()) else { return };
        tracing::info!(
            feed = &**feed,
            era = era.number(),
            numbers = epoch_of(&root),
            "this node holds the feed"
        );
        // It is as this node's configuration has it from now on.
        held.with_root(&root, Some((*held.feed.source).clone()));
        held.is_absent = false;
        // What could not be applied was another's.
        (held.about, held.told_hello, held.broken, held.too_big) = (None, None, None, None);
        let (source, reign) = (held.source.clone(), Reign { era: era.number(), floor, whole });
        (self.order)(NodeOrder::Hold { source, reign });
        self.start_plugin(feed);
        self.tell_standing(self.now());
    }

    /// This node holds it no more.
    pub(super) fn end(&mut self, feed: &Arc<str>) {
        let Some(held) = self.feeds.get_mut(feed) else { return };
        tracing::info!(feed = &**feed, "this node does not hold the feed any more");
        held.handing = None;
        (self.order)(NodeOrder::Yield { source: held.source.id });
        self.end_plugin(feed);
        self.tell_standing(self.now());
    }

    pub(super) fn start_plugin(&mut self, feed: &Arc<str>) {
        let Some(held) = self.feeds.get_mut(feed) else { return };
        // What is in a room comes from clients.
        if held.source.kind != Kind::Room && held.plugin.begin() {
            self.plugins.begin(feed);
        }
    }

    pub(super) fn end_plugin(&mut self, feed: &Arc<str>) {
        let now = self.now();
        if self.feeds.get_mut(feed).is_some_and(|held| held.plugin.end(now)) {
            self.await_end(feed);
        }
    }

    /// Ends once more a plugin of which nobody told that it has ended.
    pub(super) fn look_at_plugin(&mut self, feed: &Arc<str>, now: Millis) {
        if self.feeds.get_mut(feed).is_some_and(|held| held.plugin.is_overdue(now)) {
            tracing::error!(
                feed = &**feed,
                "the feed's plugin is still not said to have ended; it is ended once more"
            );
            self.await_end(feed);
        }
    }

    fn await_end(&self, feed: &Arc<str>) {
        let (back, of) = (self.back.clone(), feed.clone());
        // It may come from another thread, or at once from this one, which must not wait for itself. Where there is no room it is
        // asked for again.
        self.plugins.end(feed, Box::new(move || drop(back.try_send(Back::Ended { feed: of }))));
    }

    pub(super) fn plugin_ended(&mut self, feed: &Arc<str>) {
        let Some(held) = self.feeds.get_mut(feed) else { return };
        let Some(again) = held.plugin.ended() else { return };
        if held.handing.is_some() {
            let source = held.source.id;
            (self.order)(NodeOrder::Last { source });
        } else if again && held.part.holds().is_some() {
            self.start_plugin(feed);
        }
    }

    /// Begins to hand a feed over that this node holds. Its plugin ends first, then its last beat names the other.
    fn hand_over(&mut self, feed: &Arc<str>, to: Name) {
        let Some(held) = self.feeds.get_mut(feed).filter(|held| held.handing.is_none()) else { return };
        tracing::info!(feed = &**feed, to = &*to.name, "this node hands the feed over");
        held.handing = Some(Handing { to });
        match held.plugin {
            Plugin::Off => self.plugin_ended(feed),
            Plugin::Runs | Plugin::Ends { .. } => self.end_plugin(feed),
        }
    }

    /// Hands over what this node holds and may not, as soon as somebody is heard who may.
    pub(super) fn look_for_heir(&mut self, feed: &Arc<str>, now: Millis) {
        let held = self.feeds.get(feed).filter(|held| held.handing.is_none() && !held.part.may_hold());
        let held = held.filter(|held| held.part.holds().is_some());
        if let Some(heir) = held.and_then(|held| held.part.heir(None, now)) {
            self.hand_over(feed, heir);
        }
    }

    pub(super) fn heard_move(&mut self, feed: &Arc<str>, to: &str) {
        let now = self.now();
        let Some(held) = self.feeds.get(feed).filter(|held| held.part.holds().is_some()) else { return };
        match held.part.heir(Some(to), now) {
            Some(heir) => self.hand_over(feed, heir),
            None => tracing::warn!(
                feed = &**feed,
                to,
                "the feed is to be held by a node that is not heard, or may not hold it"
            ),
        }
    }

    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Move { feed, to, done } => self.obey_move(feed.into(), to, done),
            Command::Drain { max, done } => self.drain(max, done),
            Command::Open(feed) => self.open(feed),
            Command::Close(source) => self.close(source),
            Command::Revoked(list) => self.tell_revoked(list),
            Command::Redeem { node, ticket, key, done } => self.redeem(&node, [ticket, key], done),
        }
    }

    fn obey_move(&mut self, feed: Arc<str>, to: Option<String>, done: Done) {
        let now = self.now();
        let begun = self.begin_move(&feed, to.as_deref(), now);
        match begun {
            Ok(to) => {
                self.moves.push(Moving { feed: Some(feed), to: Some(to), since: now, max: MOVE_MAX, done });
            }
            Err(why) => drop(done.send(Err(why))),
        }
    }

    fn begin_move(&mut self, feed: &Arc<str>, to: Option<&str>, now: Millis) -> Result<String, String> {
        let Some(held) = self.feeds.get(feed) else {
            let known: Vec<&str> = self.feeds.keys().map(|name| &**name).collect();
            return Err(format!("there is no feed {feed:?}; the feeds are: {}", known.join(", ")));
        };
        let is_here = held.part.holds().is_some();
        let to_me = to == Some(&*self.me.name);
        if is_here && to_me {
            return Err("this node holds it already".into());
        }
        if is_here {
            let Some(heir) = held.part.heir(to, now) else {
                return Err(match to {
                    Some(to) => format!("the node {to:?} is not heard, or may not hold this feed"),
                    None => "no other node is heard that may hold this feed".into(),
                });
            };
            let name = heir.name.to_string();
            self.hand_over(feed, heir);
            return Ok(name);
        }
        let Some(holder) = held.part.holder(now).cloned() else {
            return Err("no node holds it now; it is taken as soon as one may".into());
        };
        let Some(to) = to else {
            return Err(format!("the node {:?} holds it; name the node that is to hold it", &*holder.name));
        };
        if *holder.name == *to {
            return Err(format!("the node {to:?} holds it already"));
        }
        self.send("move", feed, &Message::Move(Move { feed: (**feed).into(), to: to.into() }));
        Ok(to.to_owned())
    }

    fn drain(&mut self, max: Millis, done: Done) {
        let now = self.now();
        self.is_draining = true;
        let mut held = Vec::new();
        for (name, feed) in &mut self.feeds {
            feed.part.set_may_hold(false);
            if feed.part.holds().is_some() {
                held.push((name.clone(), feed.part.heir(None, now)));
            }
        }
        for (feed, heir) in held {
            match heir {
                Some(heir) => self.hand_over(&feed, heir),
                None => tracing::warn!(feed = &*feed, "no other node is heard that may hold the feed"),
            }
        }
        self.moves.push(Moving { feed: None, to: None, since: now, max, done });
        self.look_at_moves(now);
    }

    /// Answers commands whose feeds are where they are wanted, or are not in time.
    pub(super) fn look_at_moves(&mut self, now: Millis) {
        for at in (0..self.moves.len()).rev() {
            let Some(moving) = self.moves.get(at) else { continue };
            let outcome = match &moving.feed {
                Some(feed) => self.outcome_of_move(feed, moving, now),
                None => self.outcome_of_drain(moving, now),
            };
            if let Some(outcome) = outcome {
                drop(self.moves.swap_remove(at).done.send(outcome));
            }
        }
    }

    fn outcome_of_move(
        &self,
        feed: &Arc<str>,
        moving: &Moving,
        now: Millis,
    ) -> Option<Result<String, String>> {
        let Some(held) = self.feeds.get(feed) else {
            return Some(Err(format!("the feed {feed} was removed meanwhile")));
        };
        let holder = match held.part.holds() {
            Some(_) => Some(&self.me),
            None => held.part.holder(now),
        };
        let to = moving.to.as_deref();
        match holder.filter(|holder| to == Some(&*holder.name)) {
            Some(holder) => Some(Ok(format!("the node {} holds {feed} now", holder.name))),
            None if now.saturating_sub(moving.since) > moving.max => {
                let who = holder.map_or("no node".to_owned(), |holder| format!("the node {}", holder.name));
                Some(Err(format!(
                    "{who} holds it after {} s; the logs of the nodes say why",
                    moving.max / 1_000
                )))
            }
            None => None,
        }
    }

    fn outcome_of_drain(&self, moving: &Moving, now: Millis) -> Option<Result<String, String>> {
        let held = || self.feeds.values().filter(|held| held.part.holds().is_some());
        let waits = held().any(|held| held.handing.is_some());
        let is_late = now.saturating_sub(moving.since) > moving.max;
        if waits && !is_late {
            return None;
        }
        let left: Vec<&str> = held().map(|held| held.name()).collect();
        Some(match (left.is_empty(), waits) {
            (true, _) => Ok("this node holds no feed, and takes none until it is started anew".into()),
            (_, true) => Err(format!(
                "still held here after {} s: {}; `tickerd cluster status` tells how it goes on",
                moving.max / 1_000,
                left.join(", ")
            )),
            (_, false) => Err(format!("nobody has taken: {}; this node still holds them", left.join(", "))),
        })
    }

    fn close(&mut self, source: SourceId) {
        let Some(name) = self.ids.remove(&source) else { return };
        self.feeds.remove(&name);
        self.standing.forget(&name);
    }

    /// A feed that this node has no section of goes once no node has one any more.
    pub(super) fn look_for_end(&mut self, feed: &Arc<str>, now: Millis) {
        let Some(held) = self.feeds.get(feed).filter(|held| self.is_given_up(held, now)) else { return };
        let source = held.feed.source.clone();
        if self.plugins.close(&source) {
            tracing::info!(
                feed = &**feed,
                "no node has a section of the feed any more, so it is gone here too"
            );
            self.close(source.id);
        }
    }

    /// Who held it last is there and has no section of it, nor has anybody else who is heard. While that node is away, it may come
    /// back.
    fn is_given_up(&self, held: &Held, now: Millis) -> bool {
        let Some((last, at)) = held.part.last_holder() else { return false };
        if held.feed.section != 0 || now.saturating_sub(at) < GIVEN_UP {
            return false;
        }
        let heard = || self.nodes.iter().filter(|(_, seen)| now.saturating_sub(seen.heard) < HERE);
        let has_section =
            |seen: &NodeSeen| seen.says.feeds.iter().any(|said| !said.is_bare && *said.feed == *held.name());
        heard().any(|(node, _)| node.name == last.name) && !heard().any(|(_, seen)| has_section(seen))
    }

    /// Tells the pulse when nobody holds a feed, and when somebody does again.
    pub(super) fn look_for_holder(&mut self, feed: &Arc<str>, now: Millis) {
        let is_connected = self.link.is_connected();
        let Some(held) = self.feeds.get_mut(feed) else { return };
        let is_absent = held.part.holds().is_none() && held.part.holder(now).is_none();
        if is_absent == held.is_absent || now < LISTENED_MIN {
            return;
        }
        held.is_absent = is_absent;
        let source = held.source.id;
        if is_absent {
            let reason = match is_connected {
                true => "no node of the cluster holds it",
                false => "there is no connection to the cluster's NATS",
            };
            return (self.order)(NodeOrder::Absent { source, reason: reason.into() });
        }
        if let Some(health) = held.health.clone().filter(|_| held.part.holds().is_none()) {
            let load = Arc::new(Load { health: Some(health), ..Load::default() });
            (self.order)(NodeOrder::Accept { id: source, source: None, load, join: Join::Next });
        }
    }

    /// A feed of another node that this one has no section of.
    pub(super) fn heard_of(&mut self, feed: &Arc<str>) {
        let is_followed = self.settings.feeds.as_ref().is_none_or(|feeds| feeds.contains(&**feed));
        if self.feeds.contains_key(feed) || !is_followed || self.feeds.len() >= FEEDS_MAX {
            return;
        }
        let opened: Option<Feed> = self.plugins.open(feed);
        opened.into_iter().for_each(|opened| self.open(opened));
    }
}

/// Feeds that this node follows at most.
const FEEDS_MAX: usize = 1_024;
