//! One beat: everything due at one instant, shared by all shards.

use std::collections::{HashMap, HashSet};

use crate::model::board::{Change, Due, EVENTS_PER_BEAT_MAX, TopicId};
use crate::model::lane::Health;
use crate::model::sample::Class;

/// Since when and for how long a topic has had no news.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stale {
    /// When it was found to be stale, Unix milliseconds.
    pub since: u64,
    /// The age that is the greatest for its news, in milliseconds.
    pub max_age_ms: u64,
}

/// A topic that went stale, or had news again.
#[derive(Debug, Clone, Copy)]
pub struct Aged {
    /// Which. One that came and went meanwhile means nothing.
    pub topic: TopicId,
    /// None: it had news.
    pub stale: Option<Stale>,
}

/// What the pulse sends to each shard. Changes apply before what is due.
#[derive(Debug, Default)]
pub struct Beat {
    /// Topics that came and went, in order.
    pub changes: Vec<Change>,
    /// Topics that went stale or had news, in order. They apply before what is due, so that news are told before they come.
    pub aged: Vec<Aged>,
    /// Frames due; those of an event topic in order, those of a state topic at most one per tier.
    pub due: Vec<Due>,
    /// Feeds whose health changed, by their place in the configuration.
    pub health: Vec<(usize, Health)>,
    /// Frames that were passed over because the shard was behind when they were due.
    pub skipped: u64,
}

impl Beat {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.aged.is_empty() && self.due.is_empty() && self.health.is_empty()
    }

    /// Adds a later beat that found the shard behind: of each state topic and tier only the newest frame stays. Events
    /// each matter, so as many of them stay as the board would put into one beat.
    pub fn absorb(&mut self, later: &Beat) {
        let before = self.due.len() + later.due.len();
        for change in &later.changes {
            if let Change::Removed(id) = change {
                self.due.retain(|due| due.topic != *id);
                self.aged.retain(|aged| aged.topic != *id);
            }
        }
        let again: HashSet<TopicId> = later.aged.iter().map(|aged| aged.topic).collect();
        self.aged.retain(|aged| !again.contains(&aged.topic));
        self.aged.extend(&later.aged);
        let mut seen: HashMap<(TopicId, u8), usize> = HashMap::with_capacity(before);
        let newest_first = self.due.iter().chain(&later.due).rev();
        let kept = newest_first.filter(|due| {
            let room = match due.frame.tick().topic.class() {
                Class::State => 1,
                Class::Event => EVENTS_PER_BEAT_MAX,
            };
            let seen = seen.entry((due.topic, due.tier)).or_default();
            *seen += 1;
            *seen <= room
        });
        let mut due: Vec<Due> = kept.cloned().collect();
        due.reverse();
        self.skipped += later.skipped + (before - due.len()) as u64;
        self.due = due;
        self.changes.extend(later.changes.iter().cloned());
        self.health.retain(|(feed, _)| later.health.iter().all(|(other, _)| other != feed));
        self.health.extend(later.health.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::board::{Board, Group};
    use crate::model::tick::Tick;
    use crate::model::topic::Topic;

    fn beat(board: &mut Board, topics: &[&Topic], value: &str) -> Beat {
        for topic in topics {
            let value = value.as_bytes().into();
            board
                .offer(0, Tick { topic: (*topic).clone(), seq: 0, n: 0, ts: 0, src_ts: 0, from: None, value, merged: 0 });
        }
        let mut beat = Beat { changes: board.take_changes(), ..Beat::default() };
        board.take_due(0, 0, &mut beat.due);
        beat
    }

    #[test]
    fn a_shard_that_was_behind_gets_the_newest_of_all() {
        let mut board = Board::new(&[Group { tiers: 1, always: false }]);
        let (a, b) = (Topic::new("f.a", "q", Class::State), Topic::new("f.b", "q", Class::State));
        let mut missed = beat(&mut board, &[&a, &b], "1");
        missed.absorb(&beat(&mut board, &[&a], "2"));
        let got: Vec<_> =
            missed.due.iter().map(|d| (d.frame.tick().topic.name(), d.frame.tick().seq)).collect();
        assert_eq!(got, [("f.b", 1), ("f.a", 2)]);
        assert_eq!((missed.skipped, missed.changes.len()), (1, 2));
        board.retire(0, &b);
        missed.absorb(&beat(&mut board, &[], "3"));
        assert_eq!(missed.due.len(), 1, "what was retired is not due any more");
        assert_eq!(missed.changes.len(), 3);
    }

    #[test]
    fn a_shard_that_was_behind_gets_how_old_topics_are_in_the_end() {
        let aged = |topics: &[(u32, bool)]| {
            let stale = |is_stale: bool| is_stale.then_some(Stale { since: 1, max_age_ms: 2 });
            let aged = topics.iter().map(|(id, is)| Aged { topic: TopicId(*id), stale: stale(*is) });
            Beat { aged: aged.collect(), ..Beat::default() }
        };
        let mut missed = aged(&[(0, true), (1, true), (2, true)]);
        assert!(!missed.is_empty());
        missed.absorb(&Beat { changes: vec![Change::Removed(TopicId(2))], ..aged(&[(0, false), (3, true)]) });
        let got: Vec<_> = missed.aged.iter().map(|aged| (aged.topic.0, aged.stale.is_some())).collect();
        assert_eq!(got, [(1, true), (0, false), (3, true)]);
    }

    #[test]
    fn a_shard_that_was_behind_gets_the_events_it_missed() {
        let mut board = Board::new(&[Group { tiers: 1, always: false }]);
        let (state, event) = (Topic::new("f.s", "q", Class::State), Topic::new("f.e", "t", Class::Event));
        let mut missed = beat(&mut board, &[&state, &event, &event], "1");
        missed.absorb(&beat(&mut board, &[&event, &state], "2"));
        let seqs = |beat: &Beat, topic: &Topic| -> Vec<u64> {
            let of_topic = beat.due.iter().filter(|due| due.frame.tick().topic == *topic);
            of_topic.map(|due| due.frame.tick().seq).collect()
        };
        assert_eq!(seqs(&missed, &event), [1, 2, 3], "each, and in order");
        assert_eq!((seqs(&missed, &state), missed.skipped), (vec![2], 1));
        for _ in 0..EVENTS_PER_BEAT_MAX {
            missed.absorb(&beat(&mut board, &[&event], "3"));
        }
        let kept = seqs(&missed, &event);
        assert_eq!(
            (kept.len(), kept[0], missed.skipped),
            (EVENTS_PER_BEAT_MAX, 4, 4),
            "but not without a bound"
        );
    }
}
