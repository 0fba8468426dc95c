//! Pushes on arrival, against a naive model, by a clock that the test sets.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::source::Pace;

const MS: u64 = 1_000;
/// As [`feed`] has it.
const INTERVAL: u64 = 100 * MS;

fn source(pace: Pace, interval: u64) -> Arc<Source> {
    let tiers = Tiers::new(Duration::from_micros(interval), &[Duration::from_secs(1)]);
    Arc::new(Source { pace, ..Source::feed(F, "f", tiers, &Arc::new(Group { epoch: "e".into() })) })
}

fn board() -> Board {
    let mut board = Board::new(Limits { count: 100, age: Duration::from_secs(60), bytes: 1 << 20 });
    board.open(&source(Pace::Arrival, INTERVAL));
    board
}

fn say(board: &mut Board, now: u64, topic: &Topic, value: &str) {
    board.set_clock(now);
    board.offer(F, tick(topic, value, 0));
}

/// What is pushed now: the topic, whether it goes to those who take the newest, and all its values.
fn arrived(board: &mut Board, now: u64) -> Vec<(String, bool, Vec<String>)> {
    board.set_clock(now);
    let mut due = Vec::new();
    if board.next_arrival(F).is_none_or(|at| at > now) {
        return Vec::new();
    }
    board.take_arrived(F, now, &mut due);
    board.remember(&due);
    due.iter().map(told).collect()
}

fn told(due: &Due) -> (String, bool, Vec<String>) {
    let value = |frame: &Arc<Frame>| String::from_utf8(frame.tick().value.to_vec()).unwrap();
    (due.frame.tick().topic.name().to_owned(), due.is_newest, due.frames().map(value).collect())
}

fn row(topic: &str, is_newest: bool, values: &[&str]) -> (String, bool, Vec<String>) {
    (topic.to_owned(), is_newest, values.iter().map(|value| (*value).to_owned()).collect())
}

#[test]
fn the_first_value_goes_at_once_and_later_ones_when_the_interval_is_over() {
    let (mut board, a) = (board(), topic("f.a"));
    say(&mut board, 5 * MS, &a, "1");
    assert_eq!(board.next_arrival(F), Some(5 * MS + JOIN_US));
    assert_eq!(arrived(&mut board, 6 * MS), [row("f.a", true, &["1"])]);
    assert_eq!(board.next_arrival(F), None);
    say(&mut board, 7 * MS, &a, "2");
    say(&mut board, 90 * MS, &a, "3");
    assert_eq!(board.next_arrival(F), Some(106 * MS));
    assert_eq!(arrived(&mut board, 106 * MS - 1), []);
    assert_eq!(arrived(&mut board, 106 * MS), [row("f.a", true, &["2", "3"])]);
    say(&mut board, 500 * MS, &a, "4");
    assert_eq!(board.next_arrival(F), Some(501 * MS), "after a quiet interval it is the first again");
    assert_eq!(due(&mut board, 1).len(), 1, "the slower beat has what was pushed");
}

/// A feed that speaks once in an interval is late once, and every value after that is pushed at once all the same.
#[test]
fn one_late_value_delays_none_of_those_after_it() {
    let (mut board, a) = (board(), topic("f.a"));
    for n in 0..20 {
        let late = if n == 5 || n == 6 { 40 * MS } else { 0 };
        let now = 1_000 * MS + n * INTERVAL + late;
        say(&mut board, now, &a, &n.to_string());
        assert_eq!(arrived(&mut board, now + JOIN_US), [row("f.a", true, &[&n.to_string()])]);
    }
}

#[test]
fn a_feed_that_speaks_all_the_time_is_pushed_once_in_an_interval() {
    let (mut board, a, mut pushes) = (board(), topic("f.a"), Vec::new());
    for now in (0..10 * INTERVAL).step_by(500) {
        say(&mut board, now, &a, &now.to_string());
        if board.next_arrival(F).is_some_and(|at| at <= now) && !arrived(&mut board, now).is_empty() {
            pushes.push(now);
        }
    }
    assert_eq!(pushes, (0..10).map(|n| JOIN_US + n * INTERVAL).collect::<Vec<_>>());
}

/// Who takes every tick has had both values, so the topic rests, though the newest is what it was.
#[test]
fn a_value_that_goes_and_comes_back_rests_its_topic() {
    let (mut board, a) = (board(), topic("f.a"));
    say(&mut board, 0, &a, "1");
    assert_eq!(arrived(&mut board, MS).len(), 1);
    let mut pushes = Vec::new();
    for n in 0..50 {
        let now = 500 * MS + n * 2 * MS;
        say(&mut board, now, &a, "2");
        say(&mut board, now + 500, &a, "1");
        if !arrived(&mut board, now + MS).is_empty() {
            pushes.push(n);
        }
    }
    assert_eq!(pushes, [0], "once in an interval");
}

#[test]
fn topics_that_move_together_are_pushed_together() {
    let (mut board, a, b) = (board(), topic("f.a"), topic("f.b"));
    say(&mut board, 0, &a, "1");
    say(&mut board, 900, &b, "1");
    assert_eq!(arrived(&mut board, MS), [row("f.a", true, &["1"]), row("f.b", true, &["1"])]);
    say(&mut board, 2 * MS, &a, "2");
    say(&mut board, MS + INTERVAL - 500, &b, "2");
    assert_eq!(arrived(&mut board, MS + INTERVAL - 400), [], "neither before its interval is over");
    assert_eq!(board.next_arrival(F), Some(MS + INTERVAL));
}

#[test]
fn topics_that_were_once_apart_come_together_again() {
    let (mut board, a, b) = (board(), topic("f.a"), topic("f.b"));
    say(&mut board, 0, &a, "0");
    assert_eq!(arrived(&mut board, MS).len(), 1);
    say(&mut board, 2 * MS, &b, "0");
    assert_eq!(arrived(&mut board, 3 * MS).len(), 1);
    for n in 1..20 {
        let now = n * INTERVAL;
        say(&mut board, now, &a, &n.to_string());
        say(&mut board, now, &b, &n.to_string());
        assert_eq!(arrived(&mut board, now + JOIN_US).len(), 2, "{n}");
    }
}

#[test]
fn every_event_comes_and_each_rests_the_topic() {
    let (mut board, e) = (board(), Topic::new("f.e", "t", Class::Event));
    say(&mut board, 0, &e, "1");
    assert_eq!(arrived(&mut board, MS), [row("f.e", false, &["1"])]);
    for value in ["1", "1", "2"] {
        say(&mut board, 50 * MS, &e, value);
    }
    assert_eq!(arrived(&mut board, 100 * MS), []);
    assert_eq!(arrived(&mut board, 101 * MS), [row("f.e", false, &["1", "1", "2"])]);
    assert_eq!(board.since("f.e", 0).unwrap().len(), 4);
}

#[test]
fn the_same_value_again_delays_no_other() {
    let (mut board, a) = (board(), topic("f.a"));
    say(&mut board, 0, &a, "1");
    arrived(&mut board, MS);
    say(&mut board, 500 * MS, &a, "1");
    assert_eq!(board.next_arrival(F), Some(600 * MS), "there is time for it");
    say(&mut board, 520 * MS, &a, "2");
    assert_eq!(arrived(&mut board, 521 * MS), [row("f.a", true, &["1", "2"])]);
    say(&mut board, 700 * MS, &a, "2");
    assert_eq!(arrived(&mut board, 800 * MS), [row("f.a", false, &["2"])], "for those who take every tick");
    say(&mut board, 801 * MS, &a, "3");
    assert_eq!(arrived(&mut board, 802 * MS), [row("f.a", true, &["3"])]);
}

#[test]
fn a_topic_that_ends_and_comes_back_is_not_pushed_sooner() {
    let (mut board, a) = (board(), topic("f.a"));
    say(&mut board, 0, &a, "1");
    arrived(&mut board, MS);
    board.retire(F, &a);
    let again = topic("f.a");
    say(&mut board, 3 * MS, &again, "2");
    assert_eq!(arrived(&mut board, 100 * MS), []);
    assert_eq!(arrived(&mut board, 101 * MS), [row("f.a", true, &["2"])]);
    for n in 0..10 * LEFT_OVER_MAX as u64 {
        let passing = topic(&format!("f.p{n}"));
        say(&mut board, 102 * MS, &passing, "1");
        board.retire(F, &passing);
    }
    let waiting = board.sources[&F].arrivals.as_ref().map_or(0, |arrivals| arrivals.waiting());
    assert!(waiting <= 2 * LEFT_OVER_MAX, "{waiting} entries of topics that are gone");
}

#[test]
fn a_source_whose_pace_changes_loses_nothing_and_rests_no_longer_than_it_should() {
    let (mut board, a, b) = (board(), topic("f.a"), topic("f.b"));
    board.reopen(&source(Pace::Arrival, 3_600_000 * MS));
    say(&mut board, 0, &a, "1");
    arrived(&mut board, MS);
    say(&mut board, 2 * MS, &a, "2");
    board.reopen(&source(Pace::Arrival, 20 * MS));
    assert_eq!(board.next_arrival(F), Some(22 * MS));
    say(&mut board, 3 * MS, &b, "1");
    board.reopen(&source(Pace::Beat, 20 * MS));
    assert_eq!((board.next_arrival(F), arrived(&mut board, 60 * MS)), (None, vec![]));
    let waiting = pushed(&mut board, 0);
    assert_eq!(
        waiting.iter().map(told).collect::<Vec<_>>(),
        [row("f.a", true, &["2"]), row("f.b", true, &["1"])]
    );
    say(&mut board, 70 * MS, &a, "3");
    board.reopen(&source(Pace::Arrival, 20 * MS));
    assert_eq!(arrived(&mut board, 70 * MS), [row("f.a", true, &["3"])]);
}

#[test]
fn a_beat_that_takes_all_takes_what_rests_too() {
    let (mut board, a) = (board(), topic("f.a"));
    say(&mut board, 0, &a, "1");
    arrived(&mut board, MS);
    say(&mut board, 2 * MS, &a, "2");
    assert_eq!(pushed(&mut board, 0).iter().map(told).collect::<Vec<_>>(), [row("f.a", true, &["2"])]);
    assert_eq!(board.next_arrival(F), None);
    say(&mut board, 3 * MS, &a, "3");
    assert_eq!(board.next_arrival(F), Some(2 * MS + INTERVAL), "and it rests from then on");
}

/// What happens at one moment: how long after the one before, which topic says what, and whether it ends.
#[derive(Debug, Clone)]
struct Step {
    after: u64,
    topic: usize,
    value: u8,
    ends: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after =
        prop_oneof![0..2 * MS, 0..INTERVAL / 4, INTERVAL - 2 * MS..INTERVAL + 2 * MS, 0..3 * INTERVAL];
    let step = (after, 0usize..4, 0u8..3, prop::bool::weighted(0.05));
    prop::collection::vec(
        step.prop_map(|(after, topic, value, ends)| Step { after, topic, value, ends }),
        1..200,
    )
}

/// One topic, as the naive model has it.
#[derive(Debug, Default)]
struct Naive {
    said: Vec<(u64, String)>,
    told: usize,
    /// When a value was pushed to those who take the newest; of events, when any was.
    pushes: Vec<u64>,
    newest: Option<String>,
}

proptest! {
    /// Goal: whatever a feed says and when, two pushes of a topic are an interval apart at least, every tick comes once and in
    /// order, what is due is pushed by its time, and the last value comes in the end. Method: the board is asked at exactly
    /// the times that it names, and after each sample.
    #[test]
    fn whatever_comes_the_rate_holds_and_nothing_is_lost(steps in steps()) {
        let mut board = board();
        let named = |at: usize| match at {
            3 => Topic::new("f.3", "t", Class::Event),
            at => topic(&format!("f.{at}")),
        };
        let mut topics: Vec<Topic> = (0..4).map(named).collect();
        let mut naive: BTreeMap<String, Naive> = BTreeMap::new();
        // New topics may have to wait after one ended, so their promptness is not judged then.
        let ends = steps.iter().any(|step| step.ends);
        let take = |board: &mut Board, now: u64, naive: &mut BTreeMap<String, Naive>| {
            for (name, is_newest, values) in arrived(board, now) {
                let topic = naive.get_mut(&name).expect("it spoke");
                let is_event = name == "f.3";
                for value in &values {
                    assert_eq!(*value, topic.said[topic.told].1, "each, and in order");
                    topic.told += 1;
                }
                let first = topic.said[topic.told - values.len()].0;
                let before = topic.pushes.last().copied();
                // Who went along early rests so much longer.
                let latest = before.map_or(0, |at| at + INTERVAL + INTERVAL / 8).max(first + INTERVAL);
                assert!(ends || now <= latest, "in time");
                let last = values.last().cloned();
                // A value that goes and comes back is a push to who takes every tick, and none to who takes the newest.
                let has_moved = values.iter().any(|value| Some(value) != last.as_ref());
                if is_newest || is_event || has_moved {
                    assert!(before.is_none_or(|at| now >= at + INTERVAL * 3 / 8), "{name}: {before:?}, {now}");
                    for (at, nth) in topic.pushes.iter().rev().zip(1..) {
                        assert!(now - at >= nth * INTERVAL - INTERVAL * 5 / 8, "{name}: {nth} since {at}, at {now}");
                    }
                    topic.pushes.push(now);
                }
                if is_newest || is_event {
                    assert!(is_event || topic.newest != last, "only what differs is pushed");
                    topic.newest = last;
                } else {
                    assert_eq!(&topic.newest, &last, "what differs is pushed");
                }
            }
            // Whoever waits for its first value after a quiet interval waits for no longer than it takes to be joined.
            for (name, topic) in naive.iter() {
                let Some((at, value)) = topic.said.get(topic.told) else { continue };
                let is_quiet = topic.pushes.last().is_none_or(|last| last + INTERVAL + INTERVAL / 8 <= now);
                let is_news = name == "f.3" || topic.newest.as_ref() != Some(value);
                assert!(ends || !(is_quiet && is_news && at + JOIN_US <= now), "{name}: {at} waits at {now}");
            }
        };
        let mut now = 0;
        for Step { after, topic, value, ends: is_end } in steps {
            let until = now + after;
            while let Some(next) = board.next_arrival(F).filter(|next| *next <= until) {
                now = next.max(now);
                take(&mut board, now, &mut naive);
            }
            now = until;
            if is_end {
                board.retire(F, &topics[topic]);
                // What waited of it is not pushed, and its next value differs from none.
                if let Some(naive) = naive.get_mut(topics[topic].name()) {
                    naive.said.truncate(naive.told);
                    naive.newest = None;
                }
                topics[topic] = named(topic);
                continue;
            }
            let value = value.to_string();
            say(&mut board, now, &topics[topic], &value);
            naive.entry(topics[topic].name().to_owned()).or_default().said.push((now, value));
        }
        let mut turns = 0;
        while let Some(next) = board.next_arrival(F) {
            now = next.max(now);
            take(&mut board, now, &mut naive);
            turns += 1;
            assert!(turns < 1_000, "it comes to rest");
        }
        for (name, topic) in naive {
            assert_eq!(topic.told, topic.said.len(), "{name}: nothing is left");
        }
    }
}
