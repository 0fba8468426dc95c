//! How this node stands among the others: for the operator, readiness and metrics.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::feed::{Held, epoch_of, is_epoch};
use super::node::Node;
use crate::exchange::standing::{ClusterRows, HeldRow, NodeRow};
use tickerd_cluster::wire::{Heartbeat, Wrong};
use tickerd_cluster::{Joint, Millis, Node as Name};
use tickerd_model::source::Kind;
use tickerd_process::clock::now_unix_ms;

/// A node that was not heard for this long is not listed.
const FORGET: Millis = 60_000;
/// Nodes of one cluster have the same epoch within this time: they look at its record every 5 s.
const AGREED: Millis = 12_000;
/// A node that has been heard within this time is there.
pub(super) const HERE: Millis = 3_000;
/// Nodes that are known at most.
const NODES_MAX: usize = 1_024;

/// What a node said of itself last.
#[derive(Debug, Clone)]
pub struct NodeSeen {
    pub since: Millis,
    pub heard: Millis,
    pub says: Heartbeat,
    /// How far its clock is ahead of this node's.
    pub clock_ms: i64,
    /// It was not heard for so long that its clients are gone.
    pub is_gone: bool,
    /// Since when its cluster has another epoch than this node's.
    pub strange: Option<Millis>,
    /// That was said in the log.
    pub is_told: bool,
}

impl NodeSeen {
    /// Whether it goes by other records. Nodes that share them agree sooner.
    fn is_stranger(&self, now: Millis) -> bool {
        self.strange.is_some_and(|since| now.saturating_sub(since) > AGREED)
    }
}

#[derive(Debug)]
pub struct Standing {
    rows: Mutex<ClusterRows>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Metrics {
    sent: IntCounter,
    received: IntCounterVec,
    asks: IntCounter,
    refused: IntCounterVec,
    connected: IntGauge,
    nodes: IntGauge,
    holder: IntGaugeVec,
    era: IntGaugeVec,
    holes: IntGaugeVec,
    fenced: IntGaugeVec,
    lag: Histogram,
}

impl Standing {
    /// # Errors
    /// A metric of that name is registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Standing> {
        let opts = |name: &str, help: &str| Opts::new(format!("tickerd_cluster_{name}"), help);
        let by = |name: &str, help: &str, label: &str| IntCounterVec::new(opts(name, help), &[label]);
        let of_feed = |name: &str, help: &str| IntGaugeVec::new(opts(name, help), &["feed"]);
        let lag = HistogramOpts::from(opts(
            "lag_seconds",
            "From a holder's beat, by its clock, to here, by this one's.",
        ))
        .buckets(vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0, 10.0]);
        let metrics = Metrics {
            sent: IntCounter::with_opts(opts("beats_sent_total", "Beats of feeds that this node holds."))?,
            received: by(
                "beats_received_total",
                "Beats of other nodes that were applied, by how they joined.",
                "join",
            )?,
            asks: IntCounter::with_opts(opts(
                "asks_total",
                "Times that this node asked a holder for beats it missed.",
            ))?,
            refused: by("messages_refused_total", "What other nodes sent and this one did not use.", "why")?,
            connected: IntGauge::with_opts(opts("connected", "Whether there is a connection to NATS."))?,
            nodes: IntGauge::with_opts(opts("nodes", "Nodes that are heard, this one included."))?,
            holder: of_feed("holder", "Whether this node holds the feed.")?,
            era: of_feed("era", "The era of the feed's last beat.")?,
            holes: of_feed("holes_total", "Beats that were missing when a later one came.")?,
            fenced: of_feed("fenced_total", "Beats of a holder that is not followed any more.")?,
            lag: Histogram::with_opts(lag)?,
        };
        for join in ["next", "begins", "whole"] {
            metrics.received.with_label_values(&[join]);
        }
        for why in ["garbage", "newer", "overrun", "twin"] {
            metrics.refused.with_label_values(&[why]);
        }
        let Metrics { sent, received, asks, refused, connected, nodes, holder, era, holes, fenced, lag } =
            &metrics;
        registry.register(Box::new(sent.clone()))?;
        registry.register(Box::new(received.clone()))?;
        registry.register(Box::new(asks.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        registry.register(Box::new(connected.clone()))?;
        registry.register(Box::new(nodes.clone()))?;
        registry.register(Box::new(lag.clone()))?;
        for gauge in [holder, era, holes, fenced] {
            registry.register(Box::new(gauge.clone()))?;
        }
        Ok(Standing { rows: Mutex::default(), metrics })
    }

    /// As of the last half second.
    pub fn rows(&self) -> ClusterRows {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, ClusterRows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count_sent(&self) {
        self.metrics.sent.inc();
    }

    pub(super) fn count_received(&self, joint: Joint, lag_ms: u64) {
        let join = match joint {
            Joint::Next => "next",
            Joint::Begins => "begins",
            Joint::Whole => "whole",
        };
        self.metrics.received.with_label_values(&[join]).inc();
        if joint == Joint::Next {
            self.metrics.lag.observe(lag_ms as f64 / 1_000.0);
        }
    }

    pub(super) fn count_asked(&self) {
        self.metrics.asks.inc();
    }

    pub(super) fn count_refused(&self, wrong: &Wrong) {
        let why = match wrong {
            Wrong::Broken { .. } => "garbage",
            Wrong::Newer { .. } => "newer",
        };
        self.metrics.refused.with_label_values(&[why]).inc();
        tracing::warn!("{wrong}");
    }

    pub(super) fn count_overrun(&self) {
        self.metrics.refused.with_label_values(&["overrun"]).inc();
    }

    /// Another process has this node's name.
    pub(super) fn count_twin(&self, is_new: bool) {
        self.metrics.refused.with_label_values(&["twin"]).inc();
        if is_new {
            tracing::error!(
                "another process of this cluster has the same node name; give each node its own ([cluster] node)"
            );
        }
    }

    /// A feed is gone, and nothing is told of it any more.
    pub(super) fn forget(&self, feed: &str) {
        let Metrics { holder, era, holes, fenced, .. } = &self.metrics;
        for gauge in [holder, era, holes, fenced] {
            // It may have gone before anything was told of it.
            let _ = gauge.remove_label_values(&[feed]);
        }
    }

    fn set(&self, rows: ClusterRows) {
        let Metrics { connected, nodes, holder, era, holes, fenced, .. } = &self.metrics;
        connected.set(i64::from(rows.connected));
        nodes.set(whole(heard(&rows) as u64));
        for row in &rows.feeds {
            let feed = &[row.feed.as_str()];
            holder.with_label_values(feed).set(i64::from(row.state == HOLDS));
            era.with_label_values(feed).set(whole(row.era));
            holes.with_label_values(feed).set(whole(row.holes));
            fenced.with_label_values(feed).set(whole(row.fenced));
        }
        *self.lock() = rows;
    }
}

/// How many nodes are there, this one included. Others are listed for a while after they were heard last.
pub fn heard(rows: &ClusterRows) -> usize {
    rows.nodes.iter().filter(|node| node.heard_ms.is_none_or(|ago| ago < HERE)).count()
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Node {
    pub(super) fn note_node(&mut self, from: &Name, says: Heartbeat) {
        let now = self.now();
        // What was told of rooms while it was not heard may be missing here.
        if self.nodes.get(from).is_some_and(|seen| seen.is_gone) {
            self.lose_rooms(now);
        }
        // Who is gone stays known, so that it can be seen that it is back.
        self.nodes.retain(|name, _| name.name != from.name || name == from);
        self.make_room_for(from, now);
        if self.nodes.len() < NODES_MAX || self.nodes.contains_key(from) {
            let clock_ms = whole(says.ts) - whole(now_unix_ms());
            let before = self.nodes.get(from);
            let since = before.map_or(now, |seen| seen.since);
            let is_other =
                is_epoch(&says.epoch) && self.epoch.as_ref().is_some_and(|mine| *says.epoch != **mine);
            let strange = is_other.then(|| before.and_then(|seen| seen.strange).unwrap_or(now));
            let is_told = is_other && before.is_some_and(|seen| seen.is_told);
            let seen = NodeSeen { since, heard: now, says, clock_ms, is_gone: false, strange, is_told };
            self.nodes.insert(from.clone(), seen);
        }
    }

    /// Of nodes that are not listed any more, the one that has been away longest goes if there are too many.
    fn make_room_for(&mut self, from: &Name, now: Millis) {
        if self.nodes.len() < NODES_MAX || self.nodes.contains_key(from) {
            return;
        }
        let away = self.nodes.iter().filter(|(_, seen)| now.saturating_sub(seen.heard) >= FORGET);
        if let Some(name) = away.min_by_key(|(_, seen)| seen.heard).map(|(name, _)| name.clone()) {
            self.nodes.remove(&name);
        }
    }

    /// The hash of what all nodes should have alike: the sections of feeds, as they are now.
    pub(super) fn config(&self) -> u64 {
        let feeds = self.feeds.values().filter(|held| held.feed.source.kind == Kind::Feed);
        feeds.map(|held| held.feed.section).fold(0, u64::wrapping_add)
    }

    /// What of the nodes that are heard should not be, and what to change.
    fn trouble(&self, now: Millis) -> Option<String> {
        let here = || self.nodes.iter().filter(|(_, seen)| now.saturating_sub(seen.heard) < HERE);
        if here().any(|(name, _)| name.name == self.me.name) {
            return Some(format!(
                "another process has the name of this node, {:?}; give each node its own ([cluster] node)",
                &*self.me.name
            ));
        }
        let (name, seen) = here().find(|(_, seen)| seen.is_stranger(now))?;
        Some(format!(
            "the node {:?} is of another cluster that has the name {:?} too: the epoch of its records is {}; give one of \
             the two another name ([cluster] name), or have all nodes reach the same JetStream",
            &*name.name, self.settings.cluster, seen.says.epoch
        ))
    }

    /// Says once of each node of another cluster that it is one.
    fn log_strangers(&mut self, now: Millis) {
        let (cluster, mine) = (&self.settings.cluster, self.epoch.as_deref().unwrap_or_default());
        for (name, seen) in self.nodes.iter_mut().filter(|(_, seen)| !seen.is_told && seen.is_stranger(now)) {
            seen.is_told = true;
            tracing::error!(
                node = &*name.name,
                epoch = &*seen.says.epoch,
                mine,
                "two clusters have the name {cluster:?}, and hear each other; give one of them another ([cluster] name)"
            );
        }
    }

    /// For the operator, readiness and metrics.
    pub(super) fn tell_standing(&mut self, now: Millis) {
        self.log_strangers(now);
        let config = self.config();
        let is_live = |seen: &&NodeSeen| now.saturating_sub(seen.heard) < FORGET;
        let others = self.nodes.iter().filter(|(_, seen)| is_live(seen)).map(|(name, seen)| NodeRow {
            node: name.name.to_string(),
            life: format!("{:x}", name.life),
            version: seen.says.version.to_string(),
            role: role(seen.says.is_edge),
            heard_ms: Some(now.saturating_sub(seen.heard)),
            clock_ms: Some(seen.clock_ms),
            config_differs: seen.says.config != config && !seen.says.is_edge && !self.settings.is_edge,
            strange: seen.is_stranger(now),
        });
        let me = NodeRow {
            node: self.settings.node.clone(),
            life: format!("{:x}", self.me.life),
            version: self.settings.version.clone(),
            role: role(self.settings.is_edge),
            ..NodeRow::default()
        };
        let mut nodes: Vec<NodeRow> = others.chain([me]).collect();
        nodes.sort_by(|one, two| one.node.cmp(&two.node));
        self.standing.set(ClusterRows {
            cluster: self.settings.cluster.clone(),
            node: self.settings.node.clone(),
            role: role(self.settings.is_edge),
            epoch: self.epoch.clone().unwrap_or_default(),
            draining: self.is_draining,
            connected: self.link.is_connected(),
            trouble: self.link.trouble().or_else(|| self.trouble(now)),
            behind: self.sharing.is_behind(now),
            nodes,
            feeds: self.feeds.values().map(|held| self.row(held, now)).collect(),
        });
    }

    fn row(&self, held: &Held, now: Millis) -> HeldRow {
        let counts = held.part.counts();
        let at = held.part.at();
        let is_mine = held.part.holds().is_some();
        let holder = if is_mine { Some(&self.me) } else { held.part.holder(now) };
        let trouble = held.trouble(now);
        let state = match (is_mine, holder, &trouble) {
            (true, ..) => HOLDS,
            (_, _, Some(_)) => "broken",
            (_, None, _) => "stale",
            (_, Some(_), None) => "follows",
        };
        HeldRow {
            feed: held.name().to_owned(),
            holder: holder.map(|holder| holder.name.to_string()),
            state: state.into(),
            trouble,
            era: held.part.holds().or(at.map(|(at, _)| at.era)).map_or(0, |era| era.number()),
            root: held.root.as_ref().map(epoch_of).unwrap_or_default(),
            beats: at.map_or(0, |(at, _)| at.number),
            lag_ms: (!is_mine && at.is_some()).then_some(held.lag_ms),
            holes: counts.holes,
            fenced: counts.fenced,
        }
    }
}

const HOLDS: &str = "holds";

fn role(is_edge: bool) -> String {
    if is_edge { "edge" } else { "node" }.into()
}
