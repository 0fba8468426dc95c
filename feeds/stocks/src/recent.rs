//! Remembers what came lately, so that it is not emitted twice.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

/// The newest things, by their hashes. Two different things with the same 64-bit hash do not occur in a feed's life.
#[derive(Debug)]
pub(crate) struct Recent {
    hasher: RandomState,
    order: VecDeque<u64>,
    known: HashSet<u64>,
    max: usize,
}

impl Recent {
    /// Remembers the newest `max` things.
    pub(crate) fn new(max: usize) -> Recent {
        Recent { hasher: RandomState::new(), order: VecDeque::new(), known: HashSet::new(), max }
    }

    /// Whether the thing did not come lately. It is remembered from now on.
    pub(crate) fn is_new(&mut self, thing: impl Hash) -> bool {
        let hash = self.hasher.hash_one(thing);
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > self.max {
            self.order.pop_front().map(|oldest| self.known.remove(&oldest));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_lately_is_not_new_and_what_is_long_ago_is() {
        let mut recent = Recent::new(2);
        let new: Vec<_> = [1, 1, 2, 1, 3, 2, 1, 3].into_iter().map(|n| recent.is_new(n)).collect();
        assert_eq!(new, [true, false, true, false, true, false, true, false]);
        assert_eq!((recent.order.len(), recent.known.len()), (2, 2));
    }
}
