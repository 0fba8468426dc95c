//! What a feed has been through, for who looks at it alone: why samples of it were refused, and how its state changed.

use std::collections::{BTreeMap, VecDeque};

use crate::health::Health;

/// Changes of state that are kept.
const CHANGES_MAX: usize = 8;

/// What a feed has been through since the process began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    refusals: BTreeMap<&'static str, u64>,
    changes: VecDeque<Health>,
}

impl Ledger {
    /// Samples that were refused, by reason. Reasons are words of the program, so there are few.
    pub fn refusals(&self) -> &BTreeMap<&'static str, u64> {
        &self.refusals
    }

    /// The last changes of state that were told, newest first. The reason is the newest one in that state.
    pub fn changes(&self) -> impl Iterator<Item = &Health> {
        self.changes.iter()
    }

    pub(super) fn refuse(&mut self, code: &'static str, count: u64) {
        *self.refusals.entry(code).or_default() += count;
    }

    pub(super) fn report(&mut self, health: Health) {
        match self.changes.front_mut() {
            Some(newest) if newest.state == health.state => *newest = health,
            _ => {
                self.changes.truncate(CHANGES_MAX - 1);
                self.changes.push_front(health);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::FeedState;

    fn health(state: FeedState, since: u64, reason: &str) -> Health {
        Health { state, since, reason: reason.to_owned() }
    }

    #[test]
    fn the_last_changes_are_kept_and_a_new_reason_is_none() {
        let mut ledger = Ledger::default();
        for since in 0..20 {
            let state = if since % 2 == 0 { FeedState::Up } else { FeedState::Down };
            ledger.report(health(state, since, "first"));
            ledger.report(health(state, since, "then"));
        }
        let kept: Vec<u64> = ledger.changes().map(|change| change.since).collect();
        assert_eq!(kept, [19, 18, 17, 16, 15, 14, 13, 12]);
        assert!(ledger.changes().all(|change| change.reason == "then"));
    }

    #[test]
    fn refusals_are_counted_by_reason() {
        let mut ledger = Ledger::default();
        for (code, count) in [("bad_json", 2), ("bad_topic", 1), ("bad_json", 40)] {
            ledger.refuse(code, count);
        }
        assert_eq!(ledger.refusals(), &BTreeMap::from([("bad_json", 42), ("bad_topic", 1)]));
    }
}
