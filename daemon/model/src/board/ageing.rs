//! How old the newest ticks are. A state topic without news for too long is stale until the next news.
//!
//! Every tick is news, also one with the same value. Event topics never age, since it is normal that nothing happens.
//! Ages are measured on the monotonic clock that the board is given, so a step of the wall clock neither ages a topic
//! nor hides its age. If the source's own time is heeded, a tick that was old when it came counts as old: such a
//! topic is stale although ticks keep coming.

use super::Board;
use super::ages::{Aged, Ages};
use super::place::Place;
use crate::sample::Class;
use crate::source::SourceId;
use crate::tick::Tick;

/// How often a source's ages are looked at within its greatest age. With 4, a stale topic is told at most a quarter
/// of that age too late.
const LOOKS: u64 = 4;

impl Board {
    /// Sets the time, in microseconds on the monotonic clock. Ticks offered after this call came at this time.
    pub fn set_clock(&mut self, now: u64) {
        self.now = now;
    }

    /// Marks as stale each state topic that had no news for `max_age` microseconds. Cheap while no topic can be that
    /// old: the topics are looked at only when the oldest one of the last look may have become stale, and at most
    /// [`LOOKS`] times within `max_age`.
    pub fn look(&mut self, source: SourceId, max_age: u64) {
        let Some(state) = self.sources.get_mut(&source) else { return };
        for id in std::mem::take(&mut state.ages.old) {
            let Some(Some(place)) = self.places.get_mut(id.0 as usize) else { continue };
            // The topic may have ended or had news since.
            if !place.is_stale
                && place.topic.class() == Class::State
                && place.age(self.now, &state.ages) >= max_age
            {
                place.is_stale = true;
                state.ages.stale += 1;
                self.aged.push(Aged { topic: id, is_stale: true });
            }
        }
        let now = self.now;
        if now < state.ages.next_look {
            return;
        }
        let mut oldest = 0;
        for id in &state.topics {
            let Some(Some(place)) = self.places.get_mut(id.0 as usize) else { continue };
            if place.is_stale || place.topic.class() == Class::Event {
                continue;
            }
            let age = place.age(now, &state.ages);
            if age >= max_age {
                place.is_stale = true;
                state.ages.stale += 1;
                self.aged.push(Aged { topic: *id, is_stale: true });
            } else {
                oldest = oldest.max(age);
            }
        }
        state.ages.next_look = now + (max_age - oldest).max(max_age / LOOKS);
    }

    /// When [`Board::look`] has something to do for a source, in microseconds on the monotonic clock. `None` while
    /// every topic that can be stale is stale.
    pub fn next_look(&self, source: SourceId) -> Option<u64> {
        let ages = &self.sources.get(&source)?.ages;
        (ages.stale < ages.states).then_some(ages.next_look)
    }

    /// Counts all topics of the source as heard now, for example after a market was closed. A topic that is stale
    /// stays stale until its next tick.
    pub fn forgive(&mut self, source: SourceId) {
        if let Some(state) = self.sources.get_mut(&source) {
            state.ages.floor = Some(self.now);
        }
    }

    /// From now on, a tick that was at least `max_age` microseconds old by its source's own time when it came is no
    /// news. `None`: the source's time is not heeded.
    pub fn heed_source(&mut self, source: SourceId, max_age: Option<u64>) {
        if let Some(state) = self.sources.get_mut(&source) {
            state.ages.source_max_age = max_age;
        }
    }

    /// How old the newest value of a source is by its own time, in microseconds. `None` if no tick came within the
    /// last `max_age` microseconds, or if the source's time is not heeded.
    pub fn old_news(&self, source: SourceId, max_age: u64) -> Option<u64> {
        let ages = &self.sources.get(&source)?.ages;
        let comes = ages.source_max_age.is_some() && self.now.saturating_sub(ages.came) < max_age;
        comes.then(|| since(ages.newest, self.now))
    }

    /// The topics that became stale or had news since the last call. Topics that have ended since may be among them.
    pub fn take_aged(&mut self) -> Vec<Aged> {
        std::mem::take(&mut self.aged)
    }

    /// How many topics of a source are stale.
    pub fn stale(&self, source: SourceId) -> usize {
        self.sources.get(&source).map_or(0, |g| g.ages.stale)
    }

    /// Whether a source has state topics that were heard in this run, and all its state topics are stale.
    pub fn is_silent(&self, source: SourceId) -> bool {
        self.sources.get(&source).is_some_and(|g| {
            let Ages { states, stale, restored, .. } = g.ages;
            states > restored && stale == states
        })
    }
}

impl Place {
    /// Notes that a tick came. Returns whether the tick was too old by its source's time to be news.
    pub(super) fn hear(&mut self, tick: &Tick, now: u64, ages: &mut Ages) -> bool {
        let age = match ages.source_max_age {
            Some(_) => tick.source_age_ms().saturating_mul(1_000),
            None => 0,
        };
        self.heard = signed(now).saturating_sub(signed(age));
        if self.topic.class() == Class::Event {
            return false;
        }
        ages.newest = if ages.came == 0 { self.heard } else { ages.newest.max(self.heard) };
        ages.came = now.max(1);
        ages.source_max_age.is_some_and(|max_age| age >= max_age)
    }

    /// How long the topic had no news, in microseconds.
    pub(super) fn age(&self, now: u64, ages: &Ages) -> u64 {
        let heard = ages.floor.map_or(self.heard, |floor| self.heard.max(signed(floor)));
        since(heard, now)
    }
}

fn signed(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

fn since(then: i64, now: u64) -> u64 {
    u64::try_from(signed(now).saturating_sub(then)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::board::tests::{F, feed};
    use crate::history::Limits;
    use crate::tick::Tick;
    use crate::topic::Topic;

    const MAX_AGE: u64 = 1_000;

    fn board() -> Board {
        feed(1, false, Limits::NONE)
    }

    fn topic(name: &str) -> Topic {
        Topic::new(name, "q", Class::State)
    }

    fn say(board: &mut Board, topic: &Topic, now: u64) {
        board.set_clock(now);
        let value = b"1".as_slice().into();
        board.offer(
            F,
            Tick { topic: topic.clone(), seq: 0, n: 0, ts: 0, src_ts: 0, from: None, value, merged: 0 },
        );
    }

    fn look(board: &mut Board, now: u64) -> Vec<(u32, bool)> {
        board.set_clock(now);
        board.look(F, MAX_AGE);
        board.take_aged().iter().map(|aged| (aged.topic.0, aged.is_stale)).collect()
    }

    #[test]
    fn a_topic_without_news_is_told_once_and_the_same_value_is_news() {
        let mut board = board();
        let (a, b) = (topic("f.a"), topic("f.b"));
        say(&mut board, &a, 0);
        say(&mut board, &b, 0);
        assert_eq!(look(&mut board, 999), []);
        say(&mut board, &b, 999);
        assert_eq!(look(&mut board, 1_249), [(0, true)], "a quarter late at most");
        assert_eq!((board.stale(F), board.is_silent(F)), (1, false));
        assert_eq!(look(&mut board, 1_900), []);
        assert_eq!(look(&mut board, 2_000), [(1, true)]);
        assert!(board.is_silent(F));
        assert_eq!(board.next_look(F), None, "nothing is left to go stale");
        say(&mut board, &a, 5_000);
        assert_eq!(look(&mut board, 5_000), [(0, false)]);
        assert_eq!((board.stale(F), board.is_silent(F)), (1, false));
    }

    #[test]
    fn events_never_age_and_are_no_news_of_others() {
        let mut board = board();
        let (event, state) = (Topic::new("f.e", "t", Class::Event), topic("f.s"));
        say(&mut board, &event, 0);
        assert_eq!(look(&mut board, 9_000), []);
        assert!(!board.is_silent(F), "a feed of events alone is never silent");
        say(&mut board, &state, 10_000);
        say(&mut board, &event, 11_000);
        assert_eq!(look(&mut board, 11_000), [(1, true)]);
        assert!(board.is_silent(F));
    }

    #[test]
    fn a_topic_that_ends_is_not_stale_any_more() {
        let mut board = board();
        let a = topic("f.a");
        say(&mut board, &a, 0);
        assert_eq!(look(&mut board, 1_000), [(0, true)]);
        board.retire(F, &a);
        assert_eq!((board.stale(F), board.is_silent(F)), (0, false));
        say(&mut board, &a, 2_000);
        assert_eq!(look(&mut board, 2_000), [], "it begins anew");
        assert_eq!(look(&mut board, 3_000), [(0, true)]);
    }

    /// A tick at `now` that was `age` old by its source's time.
    fn say_old(board: &mut Board, topic: &Topic, now: u64, age: u64) {
        board.set_clock(now);
        let ts = 1_800_000_000_000;
        let (src_ts, value) = (ts - age / 1_000, b"1".as_slice().into());
        board.offer(F, Tick { topic: topic.clone(), seq: 0, n: 0, ts, src_ts, from: None, value, merged: 0 });
    }

    #[test]
    fn news_that_are_old_by_their_sources_time_are_none() {
        const MAX: u64 = 60_000_000;
        let (mut heedless, mut board) = (board(), board());
        let (a, b) = (topic("f.a"), topic("f.b"));
        let look = |board: &mut Board, now: u64| -> Vec<(u32, bool)> {
            board.set_clock(now);
            board.look(F, MAX);
            board.take_aged().iter().map(|aged| (aged.topic.0, aged.is_stale)).collect()
        };
        say_old(&mut heedless, &a, 1, 3_600_000_000);
        assert_eq!(look(&mut heedless, 1), [], "nobody wants to know");
        board.heed_source(F, Some(MAX));
        say_old(&mut board, &a, 2, 3_600_000_000);
        say_old(&mut board, &b, 2, 50_000_000);
        assert_eq!(look(&mut board, 2), [(0, true)], "at once, though the clock has just begun");
        assert_eq!(board.old_news(F, MAX), Some(50_000_000));
        say_old(&mut board, &a, 3, 3_600_000_000);
        assert_eq!(look(&mut board, 3), [], "it stays so");
        let due = board.next_look(F).unwrap();
        assert!(due <= 25_000_000, "{due}");
        assert_eq!(
            look(&mut board, 25_000_000),
            [(1, true)],
            "ten seconds after it came, and a part of the age"
        );
        assert!(board.is_silent(F));
        say_old(&mut board, &a, 26_000_000, 0);
        assert_eq!(look(&mut board, 26_000_000), [(0, false)]);
        // A source time that is in the future, is written in seconds, or is absent says nothing.
        for src_ts in [1_900_000_000_000, 1_800_000_000, 0] {
            let (ts, value) = (1_800_000_000_000, b"1".as_slice().into());
            board.offer(F, Tick { topic: b.clone(), seq: 0, n: 0, ts, src_ts, from: None, value, merged: 0 });
            assert_eq!(board.stale(F), 0, "{src_ts}");
        }
        assert_eq!(board.old_news(F, 1), Some(0));
        board.set_clock(26_000_000 + MAX);
        assert_eq!(board.old_news(F, MAX), None, "now nothing comes at all");
    }

    #[test]
    fn what_was_forgiven_ages_from_then_on() {
        let mut board = board();
        let (a, b) = (topic("f.a"), topic("f.b"));
        say(&mut board, &a, 0);
        assert_eq!(look(&mut board, 1_000), [(0, true)]);
        say(&mut board, &b, 1_500);
        board.set_clock(50_000);
        board.forgive(F);
        assert_eq!(look(&mut board, 50_999), [], "nor is what was stale before fresh");
        assert_eq!(look(&mut board, 51_250), [(1, true)]);
        assert_eq!(board.stale(F), 2);
    }

    #[derive(Debug, Clone)]
    enum Op {
        Say(u8),
        Retire(u8),
        Pass(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![(0u8..5).prop_map(Op::Say), (0u8..5).prop_map(Op::Retire), (0u64..700).prop_map(Op::Pass),]
    }

    proptest! {
        /// A client that follows the notices knows which topics are stale. No topic is told too early, and none later
        /// than a quarter of the age if the board is looked at when it says.
        #[test]
        fn what_is_told_is_how_it_is(ops in prop::collection::vec(op(), 1..200)) {
            let mut board = board();
            let topics: Vec<Topic> = (0..5).map(|at| topic(&format!("f.{at}"))).collect();
            let mut heard: BTreeMap<u8, u64> = BTreeMap::new();
            let mut told: BTreeMap<u32, bool> = BTreeMap::new();
            let (mut now, mut looks, mut began) = (0u64, 0u64, 0u64);
            for op in ops {
                match op {
                    Op::Say(at) => {
                        say(&mut board, &topics[usize::from(at)], now);
                        heard.insert(at, now);
                    }
                    Op::Retire(at) => {
                        if let Some(id) = board.by_topic.get(&topics[usize::from(at)]) {
                            told.remove(&id.0);
                        }
                        board.retire(F, &topics[usize::from(at)]);
                        heard.remove(&at);
                    }
                    Op::Pass(time) => {
                        let until = now + time;
                        // The pulse wakes at each look that is due, and no earlier look does anything.
                        while let Some(due) = board.next_look(F).filter(|due| *due <= until) {
                            now = due.max(now);
                            for (id, is_stale) in look(&mut board, now) {
                                told.insert(id, is_stale);
                            }
                            looks += 1;
                        }
                        now = until;
                    }
                }
                for (id, is_stale) in board.take_aged().iter().map(|aged| (aged.topic.0, aged.is_stale)) {
                    told.insert(id, is_stale);
                }
                for (at, heard) in &heard {
                    let id = board.by_topic[&topics[usize::from(*at)]];
                    let is_told = told.get(&id.0).copied().unwrap_or_default();
                    let age = now - heard;
                    prop_assert!(!is_told || age >= MAX_AGE, "{at} is told to be stale at {age}");
                    prop_assert!(is_told || age <= MAX_AGE + MAX_AGE / LOOKS, "{at} is not told at {age}");
                }
                let stale = heard.keys().filter(|at| {
                    let id = board.by_topic[&topics[usize::from(**at)]];
                    told.get(&id.0) == Some(&true)
                });
                prop_assert_eq!(stale.count(), board.stale(F));
                began = began.min(now);
            }
            prop_assert!(looks <= (now - began) / (MAX_AGE / LOOKS) + 2, "{looks} looks in {now}");
        }
    }
}
