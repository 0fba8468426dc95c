//! Which topics moved while a client was behind, first pushed first.

use std::cmp::Reverse;

use crate::fanout::table::cohorts::Cohort;
use crate::fanout::table::ids::SlotId;
use crate::fanout::table::topics::Topics;
use tickerd_model::tier::Tier;

/// Topics that the first look finds: about as many as fill one write.
const FIRST_LOOK: usize = 256;

/// For one turn of one client, in which nothing moves. A look passes over all its topics, and each finds four times as many
/// as the one before: who takes little is not looked through for much, who takes all not for each write anew.
#[derive(Debug)]
pub struct PushedSince {
    /// When each was pushed, where it is and at which tier; the next one last.
    found: Vec<(u64, SlotId, Tier)>,
    /// Found at the next look, at most.
    most: usize,
    /// The last look found all.
    is_all: bool,
}

impl Default for PushedSince {
    fn default() -> PushedSince {
        PushedSince { found: Vec::new(), most: FIRST_LOOK, is_all: false }
    }
}

impl PushedSince {
    /// The next one, which was pushed after `pos`. What was given before must not be after it.
    pub fn next(&mut self, topics: &Topics, cohort: &Cohort, pos: u64) -> Option<(u64, SlotId, Tier)> {
        if self.found.is_empty() && !self.is_all {
            self.look(topics, cohort, pos);
        }
        self.found.pop()
    }

    fn look(&mut self, topics: &Topics, cohort: &Cohort, pos: u64) {
        for wire in cohort.wires.iter().filter(|wire| wire.tier != Tier::Every) {
            let Some(slot) = topics.held(wire.slot) else { continue };
            let pushed = slot.tier(wire.tier).map_or(0, |tier| tier.pos);
            if pushed > pos && slot.frame(wire.tier).is_some() {
                self.found.push((pushed, wire.slot, wire.tier));
            }
        }
        self.is_all = self.found.len() <= self.most;
        if !self.is_all {
            self.found.select_nth_unstable_by_key(self.most, |(pushed, ..)| *pushed);
            self.found.truncate(self.most);
        }
        self.found.sort_unstable_by_key(|(pushed, ..)| Reverse(*pushed));
        self.most *= 4;
    }
}
