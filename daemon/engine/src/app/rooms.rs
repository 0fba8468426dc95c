//! What beats besides feeds: declared topics, by their first segment, and the server's own.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::exchange::source::FeedFacts;
use crate::pulse::STATS;
use crate::pulse::rooms::Room;
use tickerd_config::Config;
use tickerd_model::protocol::rate::Tiers;
use tickerd_model::rooms::Declared;
use tickerd_model::topic::{SERVER_SEGMENT, first_segment};

/// Time between two pushes of what clients publish: short enough to talk, long enough for one write to take many.
const ROOM_BEAT: Duration = Duration::from_millis(50);
/// Time between two pushes of the server's own topics.
const OWN_BEAT: Duration = Duration::from_secs(1);

/// The configured feeds, in order; then each first segment of declared topics, by name; the server's own last.
pub fn facts(config: &Config) -> Vec<FeedFacts> {
    let facts = |name: &str, interval, only: Option<Vec<Box<str>>>| FeedFacts {
        name: name.into(),
        tiers: Tiers::new(interval, &config.server.tiers),
        only: only.map(Into::into),
    };
    let feeds = config.feeds.iter().map(|feed| facts(&feed.name, feed.interval, None));
    let mut rooms: BTreeMap<&str, Vec<Box<str>>> = BTreeMap::new();
    for topic in &config.topics {
        rooms.entry(first_segment(&topic.name)).or_default().push(topic.name.as_str().into());
    }
    let rooms = rooms.into_iter().map(|(first, mut only)| {
        only.sort_unstable();
        facts(first, ROOM_BEAT, Some(only))
    });
    let own = facts(SERVER_SEGMENT, OWN_BEAT, Some(vec![STATS.into()]));
    feeds.chain(rooms).chain([own]).collect()
}

/// The declared topics, in order, each with the place of its first segment in `facts`.
pub fn rooms(config: &Config, facts: &[FeedFacts]) -> Vec<Room> {
    let room = |topic: &tickerd_config::Topic| Room {
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
