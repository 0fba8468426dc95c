//! The sections of the configuration as the engine's `cluster` takes them, with a number each by which nodes compare them.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use crate::cluster;
use crate::pulse::Opening;
use tickerd_cluster::Era;
use tickerd_config::{self as config, Config};

/// The feeds and rooms of the configuration, as the engine's `cluster` takes them.
pub(super) fn feeds_of(
    config: &Config,
    openings: &[Opening],
    eras: &HashMap<String, Era>,
) -> Vec<cluster::Feed> {
    let of = |opening: &Opening| {
        let name = &*opening.source.name;
        let era = eras.get(name).copied().unwrap_or(Era::NONE);
        match config.feeds.iter().find(|feed| feed.name == name) {
            Some(feed) => feed_of(feed, opening, era),
            None => room_of(opening, era),
        }
    };
    openings.iter().map(of).collect()
}

/// Every node that has the same declared topics may hold them.
pub(super) fn room_of(opening: &Opening, stored: Era) -> cluster::Feed {
    let mut hasher = Fnv::default();
    for declared in &opening.rooms {
        declared.name.hash(&mut hasher);
        (declared.publish, declared.presence).hash(&mut hasher);
    }
    let section = hasher.finish();
    cluster::Feed { source: opening.source.clone(), nodes: None, may_hold: true, stored, section }
}

pub(super) fn feed_of(feed: &config::Feed, opening: &Opening, stored: Era) -> cluster::Feed {
    let nodes = feed.nodes.as_ref().map(|nodes| nodes.iter().map(|node| node.as_str().into()).collect());
    let section = section_of(feed);
    cluster::Feed { source: opening.source.clone(), nodes, may_hold: true, stored, section }
}

/// What of a feed's section all nodes should have alike. Who may see it sees no value of it.
fn section_of(feed: &config::Feed) -> u64 {
    let mut hasher = Fnv::default();
    feed.name.hash(&mut hasher);
    feed.interval.hash(&mut hasher);
    feed.max_age.hash(&mut hasher);
    feed.topics_max.hash(&mut hasher);
    hasher.finish()
}

/// The same on all nodes, whatever they were built with.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
