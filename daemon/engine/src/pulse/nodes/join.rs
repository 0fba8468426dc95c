//! What several feeds say of one instant becomes one beat, and so one write per client.
//!
//! Beats fall on multiples of their intervals, so those of one instant come within a moment of each other. A window opens with
//! the first of them. It closes when all feeds that are due at that instant were heard, or when it has been open for too long.

use std::collections::BTreeSet;

use super::Cluster;
use crate::exchange::nodes::{Join, NodeOrder};
use tickerd_model::source::SourceId;

/// The instant that is waited for.
pub(super) struct Window {
    /// In Unix milliseconds, by the holders' schedules.
    pub ts: u64,
    /// On the pulse's clock, in microseconds.
    pub until: u64,
    pub heard: BTreeSet<SourceId>,
    /// What was heard, in order.
    loads: Vec<NodeOrder>,
}

impl Cluster {
    /// Keeps a load until the other feeds of its instant were heard. It comes back if it must not wait. One that `opens` no window
    /// goes with what waits in the one that is open, if there is one.
    pub(super) fn park(&mut self, now: u64, order: NodeOrder, opens: bool) -> Option<NodeOrder> {
        let NodeOrder::Accept { id, load, join: Join::Next, .. } = &order else { return Some(order) };
        let (id, ts) = (*id, load.ts);
        if self.port.join.is_zero() || load.ticks.is_empty() || self.follower(id).is_none() {
            return Some(order);
        }
        let is_other = |window: &Window| opens && window.ts != ts || window.heard.contains(&id);
        if self.window.as_ref().map_or(!opens, is_other) {
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
