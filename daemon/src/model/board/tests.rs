//! Numbering, merging, tiers, and topics that come and go.

use super::*;

const STATE: Group = Group { tiers: 3, always: false };

fn tick(topic: &Topic, value: &str, merged: u64) -> Tick {
    Tick { topic: topic.clone(), seq: 0, n: 0, ts: 0, src_ts: 0, from: None, value: value.as_bytes().into(), merged }
}

fn topic(name: &str) -> Topic {
    Topic::new(name, "q", Class::State)
}

fn due(board: &mut Board, tier: u8) -> Vec<(u64, u64)> {
    let mut due = Vec::new();
    board.take_due(0, tier, &mut due);
    due.iter().map(|d| (d.frame.tick().seq, d.frame.tick().n)).collect()
}

#[test]
fn newest_wins_and_is_pushed_once_per_tier() {
    let mut board = Board::new(&[STATE]);
    let a = topic("f.a");
    board.offer(0, tick(&a, "1", 0));
    board.offer(0, tick(&a, "2", 3));
    assert_eq!(due(&mut board, 0), [(5, 5)]);
    assert_eq!(due(&mut board, 0), []);
    assert_eq!(due(&mut board, 2), [(5, 5)], "a slower tier has its own mark");
    assert_eq!(board.take_merged(0), 4, "one on the board and three in the lane");
    assert_eq!(board.take_merged(0), 0);
}

#[test]
fn on_change_compares_with_the_last_push() {
    let mut board = Board::new(&[STATE]);
    let a = topic("f.a");
    board.offer(0, tick(&a, "1", 0));
    assert_eq!(due(&mut board, 0), [(1, 1)]);
    board.offer(0, tick(&a, "1", 0));
    assert_eq!(due(&mut board, 0), []);
    board.offer(0, tick(&a, "2", 0));
    assert_eq!(due(&mut board, 0), [(3, 3)]);
}

#[test]
fn slower_tiers_pass_on_what_the_own_beat_pushed() {
    let mut board = Board::new(&[STATE]);
    let a = topic("f.a");
    board.offer(0, tick(&a, "1", 0));
    assert_eq!(due(&mut board, 1), [], "not pushed yet");
    assert_eq!(due(&mut board, 0), [(1, 1)]);
    assert_eq!(due(&mut board, 1), [(1, 1)]);
    // There and back between two beats of the tier: a snapshot in between was "2", so "1" must come again.
    for value in ["2", "1"] {
        board.offer(0, tick(&a, value, 0));
        due(&mut board, 0);
    }
    board.offer(0, tick(&a, "9", 0));
    assert_eq!(due(&mut board, 1), [(3, 3)]);
    assert_eq!(due(&mut board, 1), []);
    assert_eq!(due(&mut board, 0), [(4, 4)]);
    assert_eq!(due(&mut board, 1), [(4, 4)]);
}

#[test]
fn always_repeats_the_newest() {
    let mut board = Board::new(&[Group { tiers: 1, always: true }]);
    board.offer(0, tick(&topic("f.a"), "1", 0));
    assert_eq!(due(&mut board, 0), [(1, 1)]);
    assert_eq!(due(&mut board, 0), [(1, 1)]);
}

#[test]
fn events_all_go_in_order_within_their_bound() {
    let mut board = Board::new(&[STATE]);
    let a = Topic::new("f.a", "t", Class::Event);
    for i in 0..3 {
        board.offer(0, tick(&a, &i.to_string(), 0));
    }
    assert_eq!(due(&mut board, 0), [(1, 1), (2, 2), (3, 3)]);
    assert_eq!(due(&mut board, 1), []);
    for i in 0..EVENTS_PER_BEAT_MAX + 2 {
        board.offer(0, tick(&a, &i.to_string(), 0));
    }
    let got = due(&mut board, 0);
    assert_eq!((got.len(), got[0].0), (EVENTS_PER_BEAT_MAX, 6));
    assert_eq!(board.take_merged(0), 2);
}

#[test]
fn topics_that_come_and_go_leave_short_lists() {
    let mut board = Board::new(&[STATE]);
    for _ in 0..5 * LEFT_OVER_MAX {
        let a = topic("f.a");
        board.offer(0, tick(&a, "1", 0));
        due(&mut board, 0);
        board.retire(0, &a);
    }
    assert!(board.groups[0].dirty.iter().all(|list| list.len() <= LEFT_OVER_MAX + 1));
}

/// A number that was due when it was retired, given again and due again, is due once.
#[test]
fn a_number_given_again_is_due_once() {
    let mut board = Board::new(&[STATE]);
    let (a, b, c) = (topic("f.a"), topic("f.b"), topic("f.c"));
    for name in [&a, &b, &c] {
        board.offer(0, tick(name, "1", 0));
    }
    due(&mut board, 0);
    board.offer(0, tick(&a, "2", 0));
    board.retire(0, &a);
    board.retire(0, &c);
    assert_eq!(board.topics(0), 1);
    board.offer(0, tick(&b, "2", 0));
    for name in ["f.a", "f.c"] {
        board.offer(0, tick(&topic(name), "3", 0));
    }
    assert_eq!(board.topics(0), 3);
    let names = |board: &mut Board, tier| {
        let mut due = Vec::new();
        board.take_due(0, tier, &mut due);
        let mut names: Vec<_> = due.iter().map(|d| d.frame.tick().topic.name().to_owned()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(&mut board, 0), ["f.a", "f.b", "f.c"]);
    assert_eq!(names(&mut board, 1), ["f.a", "f.b", "f.c"]);
}

#[test]
fn a_topic_that_comes_back_counts_on() {
    let mut board = Board::new(&[STATE]);
    let a = topic("f.a");
    for i in 0..5 {
        board.offer(0, tick(&a, &i.to_string(), 0));
    }
    board.retire(0, &a);
    assert_eq!(due(&mut board, 0), [], "a retired topic is not due");
    let again = topic("f.a");
    board.offer(0, tick(&again, "9", 0));
    let got = due(&mut board, 0);
    assert_eq!(got.len(), 1);
    assert!(got[0].0 > 5, "{got:?}");
    let changes = board.take_changes();
    assert!(matches!(
        changes.as_slice(),
        [Change::Added(x, _), Change::Removed(y), Change::Added(z, _)] if x == y && y == z
    ));
}
