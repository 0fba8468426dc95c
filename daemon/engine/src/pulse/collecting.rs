//! Takes what waits in the lanes, for the board and the bars.
//!
//! A feed that floods gets less of the pulse's time: its lane is emptied before the feed's own beat, and otherwise now and
//! then, and not whenever something wakes the pulse. Meanwhile the lane merges.

use super::Pulse;
use super::sources::Followed;
use tickerd_model::lane::Entry;
use tickerd_process::clock::now_unix_ms;

/// Longest time that a flooded lane is left alone, in microseconds. Topics have news in it, so it is well below the least age
/// at which one is stale.
const FLOODED_US: u64 = 50_000;

/// When it is tried again, if the feed had it.
const AGAIN_US: u64 = 1_000;

impl Pulse {
    /// Leaves out lanes that are flooded and may wait.
    pub(super) fn collect(&mut self) {
        self.collect_from(false);
    }

    pub(super) fn collect_all(&mut self) {
        self.collect_from(true);
    }

    fn collect_from(&mut self, all: bool) {
        let now = self.mono_us();
        self.board.set_clock(now);
        self.board.want_every(self.nodes.is_some() || self.outlet.wants_every());
        self.bars.look(now / 1_000, now_unix_ms());
        self.wants.take_in(self.outlet.wants());
        let moves = self.outlet.moves();
        self.rooms.settle(moves, now_unix_ms(), &mut self.pending);
        self.arrivals.begin();
        self.flooded_until = None;
        for (id, Followed { lane, watch, emptied, fields, .. }) in &mut self.sources {
            let Some(lane) = lane else { continue };
            let is_flooded = !all && lane.is_flooded();
            let drained = if is_flooded {
                let beats = self.due.iter().filter_map(|due| self.beats.get(&due.interval));
                let is_due = beats.flatten().any(|beat| *beat == (*id, 0))
                    || self.board.next_arrival(*id).is_some_and(|at| at <= now)
                    || now >= *emptied + FLOODED_US;
                // If the feed has its lane just now, that is tried again later, and the others go on.
                let again = if is_due { now + AGAIN_US } else { *emptied + FLOODED_US };
                let Some(drained) = is_due.then(|| lane.try_drain()).flatten() else {
                    self.flooded_until = self.flooded_until.into_iter().chain([again]).min();
                    continue;
                };
                self.flooded_until = self.flooded_until.into_iter().chain([now + FLOODED_US]).min();
                drained
            } else {
                lane.drain()
            };
            // A feed says what its fields mean before its first tick: whose tick is here, that is here as well.
            fields.look(lane).into_iter().for_each(|specs| self.bars.specify(*id, specs));
            *emptied = now;
            if self.nodes.as_ref().is_some_and(|nodes| nodes.is_follower(*id)) {
                continue;
            }
            if !drained.entries.is_empty() && !is_flooded {
                self.arrivals.note(*id);
            }
            for entry in drained.entries {
                match entry {
                    Entry::Tick(tick) => {
                        self.bars.take(*id, &tick);
                        self.board.offer(*id, tick);
                    }
                    Entry::Retire(topic) => {
                        self.bars.retire(&topic);
                        self.board.retire(*id, &topic);
                    }
                }
            }
            if let Some(health) = drained.health {
                watch.hear(health.state, *id, &mut self.board);
                self.nodes.iter_mut().for_each(|nodes| nodes.note(*id, &health));
                self.pending.health.push((*id, health));
            }
        }
    }
}
