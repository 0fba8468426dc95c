//! How often each node gets an answer to what it asks of a feed: the rules alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use tickerd_cluster::Millis;

/// What an answer costs the node that asks: beats that are kept, or the whole board, which the pulse makes. A follower asks again
/// at once for more beats, and every 300 ms for what does not come.
pub const BEATS: Millis = 50;
pub const BOARD: Millis = 500;
/// So much may be had at once.
const AHEAD: Millis = 800;
/// Nodes and their feeds that are counted at once. More have to wait.
const ASKERS_MAX: usize = 16_384;

/// When each node has paid for what it got of each feed. A node is known by its name: its life is what it likes.
#[derive(Debug, Default)]
pub struct Asks(BTreeMap<(Arc<str>, Arc<str>), Millis>);

impl Asks {
    /// Whether the node gets an answer of that cost now.
    pub fn may_have(&mut self, node: &Arc<str>, feed: &Arc<str>, cost: Millis, now: Millis) -> bool {
        let key = (node.clone(), feed.clone());
        let paid = self.0.get(&key).map_or(now, |paid| now.max(*paid));
        let is_known = self.0.contains_key(&key) || self.0.len() < ASKERS_MAX;
        if !is_known || paid.saturating_sub(now) > AHEAD {
            return false;
        }
        self.0.insert(key, paid.saturating_add(cost));
        true
    }

    /// Forgets who has paid for all.
    pub fn look(&mut self, now: Millis) {
        self.0.retain(|_, paid| *paid > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_gets_so_much_of_each_feed_and_no_more() {
        let mut asks = Asks::default();
        let [a, b, f, g]: [Arc<str>; 4] = ["a", "b", "f", "g"].map(Arc::from);
        let boards = |asks: &mut Asks, node, feed, now| {
            (0..100).filter(|_| asks.may_have(node, feed, BOARD, now)).count()
        };
        assert_eq!(boards(&mut asks, &a, &f, 0), 2);
        assert_eq!(
            (boards(&mut asks, &b, &f, 0), boards(&mut asks, &a, &g, 0)),
            (2, 2),
            "others have their own"
        );
        assert_eq!(boards(&mut asks, &a, &f, 10_000), 2);
        let over = (10_000..20_000).step_by(10).map(|now| boards(&mut asks, &a, &f, now)).sum::<usize>();
        assert!((19..=21).contains(&over), "{over}");
        let beats = (0..1_000).filter(|_| asks.may_have(&b, &g, BEATS, 20_000)).count();
        assert_eq!(beats, 17, "64 beats each");
        asks.look(60_000);
        assert!(asks.0.is_empty());
        let full = (0..20_000).filter(|n| asks.may_have(&n.to_string().into(), &f, BEATS, 60_000)).count();
        assert_eq!(full, ASKERS_MAX);
    }
}
