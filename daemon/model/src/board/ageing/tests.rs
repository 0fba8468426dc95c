//! Ages of a few topics, by hand and at random.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::board::Kept;
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
    board.take_changes();
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
    assert_eq!(look(&mut board, 25_000_000), [(1, true)], "ten seconds after it came, and a part of the age");
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

/// Goal: a value that was nearly too old when it came is told in time. Method: another topic was fresh at the look before, so
/// that the next one was a whole age away.
#[test]
fn a_topic_that_was_nearly_too_old_when_it_came_is_told_in_time() {
    let (mut board, s) = (board(), 1_000_000);
    let look = |board: &mut Board, now: u64| -> Vec<(u32, bool)> {
        board.set_clock(now);
        board.look(F, 20 * s);
        board.take_aged().iter().map(|aged| (aged.topic.0, aged.is_stale)).collect()
    };
    board.heed_source(F, Some(20 * s));
    say_old(&mut board, &topic("f.a"), s, 0);
    assert_eq!(look(&mut board, s), []);
    say_old(&mut board, &topic("f.b"), 2 * s, 18 * s);
    assert_eq!(look(&mut board, 2 * s), []);
    assert_eq!(board.next_look(F), Some(7 * s), "a quarter of the age later");
    assert_eq!(look(&mut board, 7 * s), [(1, true)]);
    assert_eq!(look(&mut board, 21 * s), [(0, true)]);
}

/// Goal: a topic that is fresh again with the age it had is told in time. Method: another was fresh at the look before, so that
/// the next one was a whole age away.
#[test]
fn a_topic_that_is_fresh_again_with_its_old_age_is_told_in_time() {
    let mut board = board();
    say(&mut board, &topic("f.a"), 0);
    board.desert(F);
    say(&mut board, &topic("f.b"), 900);
    assert_eq!(look(&mut board, 900), [(0, true)]);
    board.undesert(F);
    assert_eq!(look(&mut board, 901), [(0, false)]);
    assert_eq!(look(&mut board, 1_200), [(0, true)], "a quarter late at most");

    // The board of another node has the first topic fresh, and not quite as old.
    let like = |age, is_stale| Kept {
        topic: topic("f.a"),
        seq: 1,
        age,
        is_stale,
        floor: 0,
        past: Vec::new(),
        newest: None,
    };
    board.retire(F, &topic("f.b"));
    board.replace(F, vec![like(100, false)], 2, &mut Vec::new()).unwrap();
    assert_eq!(look(&mut board, 1_200), [(0, false)]);
    board.replace(F, vec![like(900, false)], 2, &mut Vec::new()).unwrap();
    assert_eq!(look(&mut board, 1_200), []);
    assert_eq!(look(&mut board, 1_450), [(0, true)], "a quarter late at most");
}

/// As after a reload.
#[test]
fn another_age_holds_at_once() {
    let mut board = board();
    say(&mut board, &topic("f.a"), 0);
    board.look(F, 60 * MAX_AGE);
    assert_eq!(look(&mut board, MAX_AGE - 1), []);
    board.look(F, 60 * MAX_AGE);
    assert_eq!(board.next_look(F), Some(60 * MAX_AGE));
    assert_eq!(look(&mut board, 2 * MAX_AGE), [(0, true)]);
}

/// As while a feed is closed: its ticks go on to come.
#[test]
fn while_nobody_looks_old_topics_are_noted_and_no_more_than_there_are() {
    const MAX: u64 = 60_000_000;
    let mut board = board();
    board.heed_source(F, Some(MAX));
    let topics = [topic("f.a"), topic("f.b"), topic("f.c")];
    topics.iter().for_each(|topic| say_old(&mut board, topic, 1, 0));
    board.look(F, MAX);
    for now in 2..1_000 {
        topics[..2].iter().for_each(|topic| say_old(&mut board, topic, now, 2 * MAX));
        let noted = board.sources[&F].ages.old.len();
        assert!(noted <= topics.len(), "{noted} after {now}");
    }
    board.look(F, MAX);
    let mut told: Vec<_> = board.take_aged().iter().map(|aged| (aged.topic.0, aged.is_stale)).collect();
    told.sort_unstable();
    assert_eq!(told, [(0, true), (1, true)]);
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

const MAX_MS: u64 = 1_000;

#[derive(Debug, Clone)]
enum Op {
    /// A topic, and how old its value is by the source's time.
    Say(u8, u64),
    Retire(u8),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let age = prop_oneof![2 => Just(0), 1 => 0..2 * MAX_MS];
    prop_oneof![
        (0u8..5, age).prop_map(|(at, age_ms)| Op::Say(at, age_ms * 1_000)),
        (0u8..5).prop_map(Op::Retire),
        (0..MAX_MS * 700).prop_map(Op::Pass),
    ]
}

proptest! {
    /// A client that follows the notices knows which topics are stale. No topic is told too early, and none later
    /// than a quarter of the age if the board is looked at when it says.
    #[test]
    fn what_is_told_is_how_it_is(ops in prop::collection::vec(op(), 1..200)) {
        const MAX_AGE: u64 = MAX_MS * 1_000;
        let look = |board: &mut Board, now: u64| {
            board.set_clock(now);
            board.look(F, MAX_AGE);
            board.take_aged()
        };
        let mut board = board();
        board.heed_source(F, Some(MAX_AGE));
        let topics: Vec<Topic> = (0..5).map(|at| topic(&format!("f.{at}"))).collect();
        let mut heard: BTreeMap<u8, i64> = BTreeMap::new();
        let mut told: BTreeMap<u32, bool> = BTreeMap::new();
        let (mut now, mut looks, mut began) = (0u64, 0u64, 0u64);
        for op in ops {
            match op {
                Op::Say(at, age) => {
                    say_old(&mut board, &topics[usize::from(at)], now, age);
                    heard.insert(at, now as i64 - age as i64);
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
                        for aged in look(&mut board, now) {
                            told.insert(aged.topic.0, aged.is_stale);
                        }
                        looks += 1;
                    }
                    now = until;
                }
            }
            // As the pulse does whenever it woke.
            for aged in look(&mut board, now) {
                told.insert(aged.topic.0, aged.is_stale);
            }
            for (at, heard) in &heard {
                let id = board.by_topic[&topics[usize::from(*at)]];
                let is_told = told.get(&id.0).copied().unwrap_or_default();
                let age = (now as i64 - heard) as u64;
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
