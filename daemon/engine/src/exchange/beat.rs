//! One beat: everything due at one instant, shared by all shards.

use std::collections::HashSet;
use std::sync::Arc;

use tickerd_model::board::{Change, Due, TopicId};
use tickerd_model::health::Health;
use tickerd_model::rooms::{Letter, Seat, Turnover};
use tickerd_model::source::SourceId;
use tickerd_model::tier::Tier;

/// Ticks of the stream that are kept for a shard that is behind, in all; over that only each topic's newest is.
const TICKS_KEPT_MAX: usize = 16_384;
/// The same in bytes of values.
const BYTES_KEPT_MAX: usize = 16 << 20;

/// Turnovers that are kept for such a shard; each tells how many are there, and who is not named can be asked for.
const TURNOVERS_KEPT_MAX: usize = 1024;

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
    /// Topics of which ticks of the stream were passed over because the shard was behind; the next one due is the newest.
    pub resets: Vec<TopicId>,
    /// Frames due; those of the stream in order, of the other tiers at most one per topic.
    pub due: Vec<Due>,
    /// Sources whose health changed.
    pub health: Vec<(SourceId, Health)>,
    /// Who came to declared topics and left them.
    pub turnovers: Vec<(TopicId, Arc<Turnover>)>,
    /// Messages to some connections alone.
    pub letters: Vec<(Seat, Letter)>,
    /// Frames that were passed over because the shard was behind when they were due.
    pub skipped: u64,
}

impl Beat {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.aged.is_empty()
            && self.due.is_empty()
            && self.health.is_empty()
            && self.turnovers.is_empty()
            && self.letters.is_empty()
    }

    /// Takes out what is said of topics that these changes remove: when it is read, another topic may have the number.
    pub fn leave_out(&mut self, changes: &[Change]) {
        let removed: HashSet<TopicId> = changes.iter().filter_map(Change::removed).collect();
        if !removed.is_empty() {
            self.due.retain(|due| !removed.contains(&due.topic));
            self.aged.retain(|aged| !removed.contains(&aged.topic));
            self.resets.retain(|topic| !removed.contains(topic));
            self.turnovers.retain(|(topic, _)| !removed.contains(topic));
        }
    }

    /// Adds a later beat, for a shard that could not take it. Of each topic and slower tier only the newest frame stays. Of
    /// those who get every tick all stay, if they are not too many.
    pub fn absorb(&mut self, later: &Beat) {
        let before = ticks(&self.due) + ticks(&later.due);
        self.leave_out(&later.changes);
        let closed = |source| {
            let mut changes = later.changes.iter();
            changes.any(|change| matches!(change, Change::Closed(id) if *id == source))
        };
        self.health.retain(|(source, _)| !closed(*source));
        let again: HashSet<TopicId> = later.aged.iter().map(|aged| aged.topic).collect();
        self.aged.retain(|aged| !again.contains(&aged.topic));
        self.aged.extend(&later.aged);
        self.resets.extend(&later.resets);
        let mut seen: HashSet<(TopicId, Tier)> = HashSet::with_capacity(self.due.len() + later.due.len());
        let mut due = std::mem::take(&mut self.due);
        due.extend(later.due.iter().cloned());
        due.reverse();
        due.retain_mut(|due| {
            if due.tier != Tier::Every {
                return seen.insert((due.topic, due.tier));
            }
            due.is_newest = due.is_newest && seen.insert((due.topic, Tier::OWN));
            true
        });
        due.reverse();
        self.due = due;
        self.thin();
        self.skipped += later.skipped + (before - ticks(&self.due)) as u64;
        self.changes.extend(later.changes.iter().cloned());
        self.health.retain(|(feed, _)| later.health.iter().all(|(other, _)| other != feed));
        self.health.extend(later.health.iter().cloned());
        self.turnovers.extend(later.turnovers.iter().cloned());
        self.letters.extend(later.letters.iter().cloned());
        // Each room gives one per beat, and a shard that is behind for long is restarted by its watchdog.
        let over = self.turnovers.len().saturating_sub(TURNOVERS_KEPT_MAX);
        self.turnovers.drain(..over);
        let over = self.letters.len().saturating_sub(TICKS_KEPT_MAX);
        self.letters.drain(..over);
        self.skipped += over as u64;
    }

    /// Where too many ticks wait for those who get every one, keeps the newest of each topic.
    fn thin(&mut self) {
        let stream = || self.due.iter().filter(|due| due.tier == Tier::Every);
        let bytes: usize = stream().flat_map(Due::frames).map(|frame| frame.tick().value.len()).sum();
        if stream().map(Due::ticks).sum::<usize>() <= TICKS_KEPT_MAX && bytes <= BYTES_KEPT_MAX {
            return;
        }
        let (mut seen, mut resets) = (HashSet::new(), HashSet::new());
        let mut due = std::mem::take(&mut self.due);
        due.reverse();
        due.retain_mut(|due| {
            if due.tier != Tier::Every {
                return true;
            }
            let is_last = seen.insert(due.topic);
            if !is_last || due.earlier.take().is_some() {
                resets.insert(due.topic);
            }
            if !is_last {
                // Those who take the newest still need this one: the last may hold the same value, which is not sent again.
                due.tier = Tier::OWN;
            }
            is_last || due.is_newest
        });
        due.reverse();
        self.due = due;
        resets.extend(&self.resets);
        self.resets = resets.into_iter().collect();
    }
}

/// How many ticks are due to someone at some tier.
fn ticks(due: &[Due]) -> usize {
    due.iter().map(|due| due.ticks() + usize::from(due.is_newest)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::source::tests::{F, board_of_f};
    use tickerd_model::board::Board;
    use tickerd_model::health::FeedState;
    use tickerd_model::history::Limits;
    use tickerd_model::sample::Class;
    use tickerd_model::tick::Tick;
    use tickerd_model::topic::Topic;

    fn beat(board: &mut Board, topics: &[&Topic], value: &str) -> Beat {
        for topic in topics {
            let value = value.as_bytes().into();
            board.offer(
                F,
                Tick {
                    topic: (*topic).clone(),
                    seq: 0,
                    n: 0,
                    ts: 0,
                    src_ts: 0,
                    from: None,
                    value,
                    merged: 0,
                },
            );
        }
        let mut beat = Beat { changes: board.take_changes(), ..Beat::default() };
        board.take_due(F, 0, &mut beat.due);
        beat
    }

    #[test]
    fn a_shard_that_was_behind_gets_the_newest_of_all() {
        let mut board = board_of_f(Limits::NONE);
        let (a, b) = (Topic::new("f.a", "q", Class::State), Topic::new("f.b", "q", Class::State));
        let mut missed = beat(&mut board, &[&a, &b], "1");
        missed.absorb(&beat(&mut board, &[&a], "2"));
        let said =
            |due: &Due| (due.frame.tick().topic.name().to_owned(), due.frame.tick().seq, due.is_newest);
        let (a1, b1, a2) = (("f.a".into(), 1, false), ("f.b".into(), 1, true), ("f.a".into(), 2, true));
        assert_eq!(missed.due.iter().map(said).collect::<Vec<_>>(), [a1, b1, a2]);
        assert_eq!((missed.skipped, missed.changes.len()), (1, 2));
        board.retire(F, &b);
        missed.absorb(&beat(&mut board, &[], "3"));
        assert_eq!(missed.due.len(), 2, "what was retired is not due any more");
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
        let up = Health { state: FeedState::Up, since: 0, reason: String::new() };
        missed.health = [0, 1].map(|id| (SourceId(id), up.clone())).into();
        missed.turnovers = [0, 1].map(|id| (TopicId(id), Arc::default())).into();
        let gone = vec![Change::Removed(TopicId(1)), Change::Closed(SourceId(1))];
        missed.absorb(&Beat { changes: gone, ..Beat::default() });
        assert_eq!(missed.health.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [0], "the other has gone");
        assert_eq!(missed.turnovers.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [0]);
        let got: Vec<_> = missed.aged.iter().map(|aged| (aged.topic.0, aged.stale.is_some())).collect();
        assert_eq!(got, [(0, false), (3, true)]);
    }

    #[test]
    fn a_shard_that_was_behind_gets_every_tick_it_missed_or_a_reset() {
        let mut board = board_of_f(Limits::NONE);
        let (state, event) = (Topic::new("f.s", "q", Class::State), Topic::new("f.e", "t", Class::Event));
        let mut missed = beat(&mut board, &[&state, &event, &event], "1");
        missed.absorb(&beat(&mut board, &[&event, &state], "2"));
        let seqs = |beat: &Beat, topic: &Topic, tier: Tier| -> Vec<u64> {
            let due = beat.due.iter().filter(|due| due.frame.tick().topic == *topic);
            let at = due.flat_map(|due| match due.tier == tier {
                true => due.frames().collect::<Vec<_>>(),
                false if tier == Tier::OWN && due.is_newest => vec![&due.frame],
                false => Vec::new(),
            });
            at.map(|frame| frame.tick().seq).collect()
        };
        assert_eq!(seqs(&missed, &event, Tier::Every), [1, 2, 3], "each, and in order");
        assert_eq!(
            (seqs(&missed, &state, Tier::Every), seqs(&missed, &state, Tier::OWN)),
            (vec![1, 2], vec![2])
        );
        assert_eq!((missed.skipped, missed.resets.len()), (1, 0));
        let quiet = Topic::new("f.q", "q", Class::State);
        missed.absorb(&beat(&mut board, &[&quiet], "3"));
        while missed.resets.is_empty() {
            missed.absorb(&beat(&mut board, &[&event, &event, &event, &state], &"4".repeat(40_000)));
        }
        let newest = |topic: &Topic| seqs(&missed, topic, Tier::Every);
        assert_eq!((newest(&event).len(), newest(&state).len(), newest(&quiet)), (1, 1, vec![1]));
        assert_eq!(seqs(&missed, &state, Tier::OWN), [3], "who takes the newest has the last that differed");
        let mut resets: Vec<_> = missed.resets.iter().map(|id| id.0).collect();
        resets.sort_unstable();
        assert_eq!(resets, [0, 1], "nothing was missed of the quiet one");
        board.retire(F, &event);
        missed.absorb(&beat(&mut board, &[], "5"));
        assert_eq!((missed.resets.len(), newest_of(&missed, &event)), (1, None));
    }

    fn newest_of(beat: &Beat, topic: &Topic) -> Option<u64> {
        beat.due.iter().filter(|due| due.frame.tick().topic == *topic).map(|due| due.frame.tick().seq).max()
    }
}
