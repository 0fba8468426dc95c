//! What several feeds say of one instant becomes one beat, and so one write per client.
//!
//! Beats fall on multiples of their intervals, so those of one instant come within a moment of each other. A window opens with
//! the first of them. It closes when all feeds that are due at that instant were heard, or when it has been open for too long.

use std::collections::BTreeSet;

use super::super::Pulse;
use super::{Cluster, Role};
use crate::exchange::nodes::{Join, NodeOrder};
use tickerd_model::source::SourceId;

/// The instant that is waited for.
pub(super) struct Window {
    /// In Unix milliseconds, by the holders' schedules.
    ts: u64,
    /// On the pulse's clock, in microseconds.
    pub until: u64,
    heard: BTreeSet<SourceId>,
    /// What was heard, in order.
    loads: Vec<NodeOrder>,
}

impl Cluster {
    /// Keeps a load until the other feeds of its instant were heard. It comes back if it must not wait.
    pub(super) fn park(&mut self, now: u64, order: NodeOrder) -> Option<NodeOrder> {
        let NodeOrder::Accept { id, load, join: Join::Next, .. } = &order else { return Some(order) };
        let (id, ts) = (*id, load.ts);
        if self.port.join.is_zero() || load.ticks.is_empty() || self.follower(id).is_none() {
            return Some(order);
        }
        let is_other = |window: &Window| window.ts != ts || window.heard.contains(&id);
        if self.window.as_ref().is_some_and(is_other) {
            return Some(order);
        }
        let until = now + self.port.join.as_micros() as u64;
        let window = self.window.get_or_insert_with(|| Window::new(ts, until));
        window.heard.insert(id);
        window.loads.push(order);
        None
    }

    /// A held source's beat was taken, and waits for others of its instant.
    pub(super) fn join_own(&mut self, now: u64, id: SourceId, ts: u64) {
        if self.port.join.is_zero() {
            return;
        }
        let until = now + self.port.join.as_micros() as u64;
        let window = self.window.get_or_insert_with(|| Window::new(ts, until));
        if window.ts == ts {
            window.heard.insert(id);
        }
    }

    pub(super) fn take_loads(&mut self) -> Vec<NodeOrder> {
        self.window.take().map(|window| window.loads).unwrap_or_default()
    }
}

impl Window {
    fn new(ts: u64, until: u64) -> Window {
        Window { ts, until, heard: BTreeSet::new(), loads: Vec::new() }
    }
}

impl Pulse {
    /// Whether a window is open for which some feed is still to come.
    pub(super) fn is_joining(&self) -> bool {
        let Some((nodes, window)) =
            self.nodes.as_ref().and_then(|nodes| Some((nodes, nodes.window.as_ref()?)))
        else {
            return false;
        };
        let is_due = |id: &SourceId| {
            let interval = self.sources.get(id).and_then(|followed| followed.source.tiers.all().first());
            let interval = interval.map_or(0, |interval| interval.as_millis() as u64);
            interval > 0 && window.ts % interval == 0
        };
        let is_awaited = |(id, part): (&SourceId, &super::Part)| {
            let speaks = match &part.role {
                Role::Holder(_) => true,
                Role::Follower(follower) => follower.is_heard && !follower.is_absent,
            };
            speaks && !window.heard.contains(id) && is_due(id)
        };
        self.mono_us() < window.until && nodes.parts.iter().any(is_awaited)
    }
}
