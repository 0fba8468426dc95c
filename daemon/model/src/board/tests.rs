//! Numbering, merging, tiers, and topics that come and go.

use super::*;
use crate::tier::Tier;

const STATE: Group = Group { tiers: 3, always: false };

fn tick(topic: &Topic, value: &str, merged: u64) -> Tick {
    Tick {
        topic: topic.clone(),
        seq: 0,
        n: 0,
        ts: 0,
        src_ts: 0,
        from: None,
        value: value.as_bytes().into(),
        merged,
    }
}

fn topic(name: &str) -> Topic {
    Topic::new(name, "q", Class::State)
}

fn pushed(board: &mut Board, tier: u8) -> Vec<Due> {
    let mut due = Vec::new();
    board.take_due(0, tier, &mut due);
    board.remember(&due);
    due
}

/// What is due at a tier; with the own beat, what the stream alone carries is left out.
fn due(board: &mut Board, tier: u8) -> Vec<(u64, u64)> {
    let due = pushed(board, tier);
    let due = due.iter().filter(|due| due.tier == Tier::Newest(tier) || tier == 0 && due.is_newest);
    due.map(|due| (due.frame.tick().seq, due.frame.tick().n)).collect()
}

/// What the stream carries at the own beat.
fn streamed(board: &mut Board) -> Vec<(u64, u64)> {
    let due = pushed(board, 0);
    let due = due.iter().filter(|due| due.tier == Tier::Every);
    due.flat_map(Due::frames).map(|frame| (frame.tick().seq, frame.tick().n)).collect()
}

#[test]
fn newest_wins_and_is_pushed_once_per_tier() {
    let mut board = Board::new(&[STATE], Limits::NONE);
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
    let mut board = Board::new(&[STATE], Limits::NONE);
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
    let mut board = Board::new(&[STATE], Limits::NONE);
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
    let mut board = Board::new(&[Group { tiers: 1, always: true }], Limits::NONE);
    board.offer(0, tick(&topic("f.a"), "1", 0));
    assert_eq!(due(&mut board, 0), [(1, 1)]);
    assert_eq!(due(&mut board, 0), [(1, 1)]);
}

#[test]
fn all_go_in_order_within_their_bound() {
    let mut board = Board::new(&[STATE], Limits::NONE);
    let a = Topic::new("f.a", "t", Class::Event);
    for i in 0..3 {
        board.offer(0, tick(&a, &i.to_string(), 0));
    }
    assert_eq!(streamed(&mut board), [(1, 1), (2, 2), (3, 3)]);
    assert_eq!((due(&mut board, 0), due(&mut board, 1)), (vec![], vec![]), "and nowhere else");
    for i in 0..TICKS_PER_BEAT_MAX + 2 {
        board.offer(0, tick(&a, &i.to_string(), 0));
    }
    let got = streamed(&mut board);
    assert_eq!((got.len(), got[0].0), (TICKS_PER_BEAT_MAX, 6));
    assert_eq!(board.take_merged(0), 2);
    for (is_wanted, most) in [(true, TICKS_PER_BEAT_MAX), (false, UNASKED_PER_BEAT_MAX)] {
        let b = topic(&format!("f.{is_wanted}"));
        board.want_every(is_wanted);
        for i in 0..most + 2 {
            board.offer(0, tick(&b, &i.to_string(), 0));
        }
        let got = streamed(&mut board);
        assert_eq!((got.len(), got[0].0), (most, 3));
        assert_eq!(board.take_merged(0), most as u64 + 1, "all but one, for who takes the newest");
    }
}

/// The same value again is news to those who want every tick, and to nobody else.
#[test]
fn the_stream_carries_every_tick_and_the_others_the_newest() {
    for always in [false, true] {
        let mut board = Board::new(&[Group { always, ..STATE }], Limits::NONE);
        let a = topic("f.a");
        for value in ["1", "2", "2"] {
            board.offer(0, tick(&a, value, 0));
        }
        let mut got = Vec::new();
        board.take_due(0, 0, &mut got);
        let [got] = got.as_slice() else { panic!("one topic is due once: {got:?}") };
        let seqs: Vec<_> = got.frames().map(|frame| frame.tick().seq).collect();
        assert_eq!((got.tier, seqs, got.is_newest), (Tier::Every, vec![1, 2, 3], true));
        board.offer(0, tick(&a, "2", 4));
        assert_eq!(streamed(&mut board), [(8, 8)], "what was merged before shows in its number");
        assert_eq!(streamed(&mut board), []);
        assert_eq!(due(&mut board, 1), [if always { (8, 8) } else { (3, 3) }]);
    }
}

#[test]
fn what_was_pushed_is_the_past_and_goes_with_its_topic() {
    let limits = Limits { count: 2, age: std::time::Duration::from_secs(1), bytes: usize::MAX };
    let mut board = Board::new(&[STATE], limits);
    let a = topic("f.a");
    let past = |board: &Board| -> Vec<u64> {
        let id = board.find("f.a");
        id.iter().flat_map(|id| board.history().newest(*id, 9)).map(|f| f.tick().seq).collect()
    };
    for value in ["1", "2", "3"] {
        board.offer(0, tick(&a, value, 0));
    }
    assert!(past(&board).is_empty(), "not pushed yet");
    due(&mut board, 0);
    assert_eq!(past(&board), [2, 3]);
    board.set_clock(1_000_001);
    board.forget();
    assert!(past(&board).is_empty());
    board.retire(0, &a);
    assert_eq!(board.find("f.a"), None);
}

#[test]
fn topics_that_come_and_go_leave_short_lists() {
    let mut board = Board::new(&[STATE], Limits::NONE);
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
    let mut board = Board::new(&[STATE], Limits::NONE);
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
    let mut board = Board::new(&[STATE], Limits::NONE);
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

fn names(changes: &[Change]) -> Vec<String> {
    let name = |change: &Change| match change {
        Change::Added(_, topic) => topic.name().to_owned(),
        Change::Removed(_) => "-".to_owned(),
    };
    changes.iter().map(name).collect()
}

fn restored(group: usize, topic: &Topic, seqs: std::ops::RangeInclusive<u64>, now_ms: u64) -> Restored {
    numbered(group, topic, seqs, now_ms, 100)
}

fn numbered(
    group: usize,
    topic: &Topic,
    seqs: std::ops::RangeInclusive<u64>,
    ts: u64,
    base: u64,
) -> Restored {
    let numbered = |seq: u64| Tick { seq, n: base + seq, ts, ..tick(topic, &seq.to_string(), 0) };
    let (floor, last) = (seqs.start() - 1, *seqs.end());
    Restored { group, newest: numbered(last), floor, past: seqs.map(numbered).collect() }
}

const NOW_MS: u64 = 1_700_000_000_000;
const MINUTE: Limits = Limits { count: 9, age: std::time::Duration::from_secs(60), bytes: usize::MAX };

#[test]
fn a_topic_of_an_earlier_run_counts_on_and_is_stale_until_it_is_heard_of() {
    let mut board = Board::new(&[STATE], MINUTE);
    let (a, e) = (topic("f.a"), Topic::new("f.e", "t", Class::Event));
    let mut now = Vec::new();
    board.restore(
        vec![restored(0, &a, 3..=5, NOW_MS), restored(0, &e, 7..=7, NOW_MS)],
        200,
        NOW_MS,
        &mut now,
    );
    let now: Vec<_> =
        now.iter().map(|d| (d.frame.tick().topic.name(), d.frame.tick().seq, d.is_newest)).collect();
    assert_eq!(now, [("f.a", 5, true), ("f.e", 7, false)]);
    assert_eq!(names(&board.take_changes()), ["f.a", "f.e"]);
    assert_eq!(board.take_aged().iter().map(|aged| aged.is_stale).collect::<Vec<_>>(), [true]);
    assert!(!board.is_silent(0), "nothing is known of its feed yet");
    assert_eq!(due(&mut board, 1), [(5, 105)], "the slower tiers learn of it too");
    let since = |board: &Board, seq| -> Option<Vec<u64>> {
        board.since("f.a", seq).map(|frames| frames.iter().map(|f| f.tick().seq).collect())
    };
    assert_eq!((since(&board, 1), since(&board, 2)), (None, Some(vec![3, 4, 5])));
    // The feed's own topic is another object of the same name.
    let again = topic("f.a");
    board.offer(0, tick(&again, "6", 0));
    assert_eq!(board.take_aged().iter().map(|aged| aged.is_stale).collect::<Vec<_>>(), [false]);
    assert_eq!(streamed(&mut board), [(6, 201)]);
    assert_eq!(since(&board, 4), Some(vec![5, 6]));
    assert!(board.take_changes().is_empty(), "it is the same topic");
    board.offer(0, tick(&topic("f.new"), "1", 0));
    assert_eq!(streamed(&mut board), [(202, 202)], "whoever may have been there before has lower numbers");
    board.retire(0, &again);
    assert_eq!(board.find("f.a"), None);
    assert_eq!((board.topics(0), board.stale(0)), (2, 0));
}

#[test]
fn a_topic_that_changed_its_kind_is_another() {
    let mut board = Board::new(&[STATE], MINUTE);
    board.restore(vec![restored(0, &topic("f.a"), 1..=2, NOW_MS)], 2, NOW_MS, &mut Vec::new());
    board.take_changes();
    board.offer(0, tick(&Topic::new("f.a", "other", Class::State), "1", 0));
    assert_eq!(names(&board.take_changes()), ["-", "f.a"]);
    assert_eq!(streamed(&mut board), [(3, 3)]);
    assert_eq!((board.topics(0), board.stale(0)), (1, 0));
    assert!(board.since("f.a", 1).is_none());
}

#[test]
fn the_past_of_an_earlier_run_ages_on() {
    let mut board = Board::new(&[STATE], MINUTE);
    let (old, new) = (topic("f.old"), topic("f.new"));
    let restored =
        vec![restored(0, &old, 1..=2, NOW_MS - 61_000), numbered(0, &new, 1..=2, NOW_MS - 59_000, 150)];
    board.restore(restored, 200, NOW_MS, &mut Vec::new());
    assert_eq!((board.history().ticks(), board.topics(0)), (2, 2), "the newest stays, however old");
    assert!(board.since("f.old", 1).is_none() && board.since("f.old", 2).is_some());
    board.set_clock(1_100_000);
    board.forget();
    assert_eq!(board.history().ticks(), 0);
}

/// All of what an event topic said meanwhile, or the word that some of it is gone; never a part.
#[test]
fn who_was_there_learns_what_each_event_topic_said() {
    let limits = Limits { count: 2, ..MINUTE };
    let event = |name| Topic::new(name, "t", Class::Event);
    let missed = |board: &Board, n| -> Vec<(String, Option<Vec<u64>>)> {
        let seqs = |frames: &[Arc<Frame>]| frames.iter().map(|frame| frame.tick().seq).collect();
        let wanted = ["f.a", "f.b", "f.state", "f.gone"].into_iter();
        let missed = board.missed_after(n, wanted).into_iter();
        missed.map(|(name, frames)| (name.to_owned(), frames.as_deref().map(seqs))).collect()
    };
    let said = |name: &str, seqs: Option<&[u64]>| (name.to_owned(), seqs.map(<[u64]>::to_vec));

    let mut board = Board::new(&[STATE], limits);
    let (a, b) = (event("f.a"), event("f.b"));
    for (topic, value) in [(&a, "1"), (&b, "1"), (&b, "2"), (&b, "3"), (&event("f.unwanted"), "1")] {
        board.offer(0, tick(topic, value, 0));
        pushed(&mut board, 0);
    }
    board.offer(0, tick(&topic("f.state"), "1", 0));
    assert_eq!(missed(&board, 1), [said("f.a", Some(&[])), said("f.b", None)]);
    assert_eq!(missed(&board, 2), [said("f.a", Some(&[])), said("f.b", Some(&[2, 3]))]);
    assert_eq!(missed(&board, 9), [said("f.a", None), said("f.b", None)], "nobody knows when that was");

    let mut board = Board::new(&[STATE], MINUTE);
    let earlier = vec![restored(0, &a, 1..=1, NOW_MS), restored(0, &b, 3..=5, NOW_MS)];
    board.restore(earlier, 200, NOW_MS, &mut Vec::new());
    assert_eq!(missed(&board, 101), [said("f.a", Some(&[])), said("f.b", None)], "1 and 2 may be of later");
    assert_eq!(missed(&board, 103), [said("f.a", Some(&[])), said("f.b", Some(&[4, 5]))]);
}
