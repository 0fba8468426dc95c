//! What beats besides feeds: declared topics, by their first segment, and the server's own.

use std::time::Duration;

use crate::config::Config;
use crate::fanout::topics::FeedFacts;
use crate::model::protocol::rate::Tiers;
use crate::model::rooms::Declared;
use crate::model::topic::{SERVER_SEGMENT, first_segment};
use crate::pulse::rooms::Room;

/// Time between two pushes of what clients publish: short enough to talk, long enough for one write to take many.
const ROOM_BEAT: Duration = Duration::from_millis(50);
/// Time between two pushes of the server's own topics.
const OWN_BEAT: Duration = Duration::from_secs(1);

/// The configured feeds, in order; then each first segment of declared topics; the server's own last.
pub fn facts(config: &Config) -> Vec<FeedFacts> {
    let facts = |name: &str, interval| FeedFacts {
        name: name.into(),
        tiers: Tiers::new(interval, &config.server.tiers),
    };
    let mut all: Vec<FeedFacts> = config.feeds.iter().map(|feed| facts(&feed.name, feed.interval)).collect();
    for topic in &config.topics {
        let first = first_segment(&topic.name);
        if all.iter().all(|known| known.name != first) {
            all.push(facts(first, ROOM_BEAT));
        }
    }
    all.push(facts(SERVER_SEGMENT, OWN_BEAT));
    all
}

/// The declared topics, in order, each with the place of its first segment in `facts`.
pub fn rooms(config: &Config, facts: &[FeedFacts]) -> Vec<Room> {
    let room = |topic: &crate::config::Topic| Room {
        source: facts.iter().position(|known| known.name == first_segment(&topic.name)).unwrap_or(usize::MAX),
        declared: Declared {
            name: topic.name.as_str().into(),
            publish: topic.publish,
            presence: topic.presence,
            letters_max: topic.history.unwrap_or(config.history.count),
        },
    };
    config.topics.iter().map(room).collect()
}
