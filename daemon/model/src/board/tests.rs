//! Numbering, merging, tiers, and topics that come and go.

use super::retiring::LEFT_OVER_MAX;
use super::*;
use crate::protocol::rate::Tiers;
use crate::source::Group;
use crate::tier::Tier;
use std::time::Duration;

mod arrivals;
mod nodes;
mod restoring;

pub const F: SourceId = SourceId(0);

/// A board of the feed `f` with so many tiers.
pub fn feed(tiers: u64, always: bool, limits: Limits) -> Board {
    let slower: Vec<Duration> = (1..tiers).map(Duration::from_secs).collect();
    let tiers = Tiers::new(Duration::from_millis(100), &slower);
    let group = Arc::new(Group { epoch: "e".into() });
    let mut board = Board::new(limits);
    board.open(&Arc::new(Source { always, ..Source::feed(F, "f", tiers, &group) }));
    board.take_changes();
    board
}

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
    board.take_due(F, tier, &mut due);
    board.remember(&due);
    due
}

/// What is due at a tier, without what only clients of every tick get.
fn due(board: &mut Board, tier: u8) -> Vec<(u64, u64)> {
    let due = pushed(board, tier);
    let due = due.iter().filter(|due| due.tier == Tier::Newest(tier) || tier == 0 && due.is_newest);
    due.map(|due| (due.frame.tick().seq, due.frame.tick().n)).collect()
}

/// What clients of every tick get at the own beat.
fn streamed(board: &mut Board) -> Vec<(u64, u64)> {
    let due = pushed(board, 0);
    let due = due.iter().filter(|due| due.tier == Tier::Every);
    due.flat_map(Due::frames).map(|frame| (frame.tick().seq, frame.tick().n)).collect()
}

#[test]
fn newest_wins_and_is_pushed_once_per_tier() {
    let mut board = feed(3, false, Limits::NONE);
    let a = topic("f.a");
    board.offer(F, tick(&a, "1", 0));
    board.offer(F, tick(&a, "2", 3));
    assert_eq!(due(&mut board, 0), [(5, 5)]);
    assert_eq!(due(&mut board, 0), []);
    assert_eq!(due(&mut board, 2), [(5, 5)], "a slower tier has its own mark");
    assert_eq!(board.take_merged(F), 4, "one on the board and three in the lane");
    assert_eq!(board.take_merged(F), 0);
}

#[test]
fn on_change_compares_with_the_last_push() {
    let mut board = feed(3, false, Limits::NONE);
    let a = topic("f.a");
    board.offer(F, tick(&a, "1", 0));
    assert_eq!(due(&mut board, 0), [(1, 1)]);
    board.offer(F, tick(&a, "1", 0));
    assert_eq!(due(&mut board, 0), []);
    board.offer(F, tick(&a, "2", 0));
    assert_eq!(due(&mut board, 0), [(3, 3)]);
}

#[test]
fn slower_tiers_pass_on_what_the_own_beat_pushed() {
    let mut board = feed(3, false, Limits::NONE);
    let a = topic("f.a");
    board.offer(F, tick(&a, "1", 0));
    assert_eq!(due(&mut board, 1), [], "not pushed yet");
    assert_eq!(due(&mut board, 0), [(1, 1)]);
    assert_eq!(due(&mut board, 1), [(1, 1)]);
    // The value goes to "2" and back between two beats of the tier. A snapshot taken in between had "2", so "1" must
    // be sent again.
    for value in ["2", "1"] {
        board.offer(F, tick(&a, value, 0));
        due(&mut board, 0);
    }
    board.offer(F, tick(&a, "9", 0));
    assert_eq!(due(&mut board, 1), [(3, 3)]);
    assert_eq!(due(&mut board, 1), []);
    assert_eq!(due(&mut board, 0), [(4, 4)]);
    assert_eq!(due(&mut board, 1), [(4, 4)]);
}

#[test]
fn always_repeats_the_newest() {
    let mut board = feed(1, true, Limits::NONE);
    board.offer(F, tick(&topic("f.a"), "1", 0));
    assert_eq!(due(&mut board, 0), [(1, 1)]);
    assert_eq!(due(&mut board, 0), [(1, 1)]);
}

/// A client that was away is not told that it missed nothing while ticks were dropped that it would have had.
#[test]
fn what_was_dropped_because_nobody_asked_is_told_as_gone() {
    for (is_wanted, of_all) in [(true, Some(300)), (false, None)] {
        let mut board = feed(1, false, Limits { count: 1_000, age: Duration::from_secs(60), bytes: 1 << 20 });
        let a = topic("f.a");
        board.want_every(is_wanted);
        board.offer(F, tick(&a, "0", 0));
        pushed(&mut board, 0);
        for n in 1..=300 {
            board.offer(F, tick(&a, &n.to_string(), 0));
        }
        pushed(&mut board, 0);
        let missed = |seq| board.since("f.a", seq).map(|frames| frames.len());
        assert_eq!((missed(1), missed(45), missed(300)), (of_all, Some(256), Some(1)));
        assert_eq!(missed(44), is_wanted.then_some(257));
    }
}

#[test]
fn all_go_in_order_within_their_bound() {
    let mut board = feed(3, false, Limits::NONE);
    let a = Topic::new("f.a", "t", Class::Event);
    for i in 0..3 {
        board.offer(F, tick(&a, &i.to_string(), 0));
    }
    assert_eq!(streamed(&mut board), [(1, 1), (2, 2), (3, 3)]);
    assert_eq!((due(&mut board, 0), due(&mut board, 1)), (vec![], vec![]), "and nowhere else");
    for i in 0..TICKS_PER_BEAT_MAX + 2 {
        board.offer(F, tick(&a, &i.to_string(), 0));
    }
    let got = streamed(&mut board);
    assert_eq!((got.len(), got[0].0), (TICKS_PER_BEAT_MAX, 6));
    assert_eq!(board.take_merged(F), 2);
    for (is_wanted, most) in [(true, TICKS_PER_BEAT_MAX), (false, UNASKED_PER_BEAT_MAX)] {
        let b = topic(&format!("f.{is_wanted}"));
        board.want_every(is_wanted);
        for i in 0..most + 2 {
            board.offer(F, tick(&b, &i.to_string(), 0));
        }
        let got = streamed(&mut board);
        assert_eq!((got.len(), got[0].0), (most, 3));
        assert_eq!(board.take_merged(F), most as u64 + 1, "all but one, for who takes the newest");
    }
}

/// A repeated value is sent to clients that want every tick, and to no other.
#[test]
fn the_stream_carries_every_tick_and_the_others_the_newest() {
    for always in [false, true] {
        let mut board = feed(3, always, Limits::NONE);
        let a = topic("f.a");
        for value in ["1", "2", "2"] {
            board.offer(F, tick(&a, value, 0));
        }
        let mut got = Vec::new();
        board.take_due(F, 0, &mut got);
        let [got] = got.as_slice() else { panic!("one topic is due once: {got:?}") };
        let seqs: Vec<_> = got.frames().map(|frame| frame.tick().seq).collect();
        assert_eq!((got.tier, seqs, got.is_newest), (Tier::Every, vec![1, 2, 3], true));
        board.offer(F, tick(&a, "2", 4));
        assert_eq!(streamed(&mut board), [(8, 8)], "what was merged before shows in its number");
        assert_eq!(streamed(&mut board), []);
        assert_eq!(due(&mut board, 1), [if always { (8, 8) } else { (3, 3) }]);
    }
}

#[test]
fn what_was_pushed_is_the_past_and_goes_with_its_topic() {
    let limits = Limits { count: 2, age: std::time::Duration::from_secs(1), bytes: usize::MAX };
    let mut board = feed(3, false, limits);
    let a = topic("f.a");
    let past = |board: &Board| -> Vec<u64> {
        let id = board.find("f.a");
        id.iter().flat_map(|id| board.history().newest(*id, 9)).map(|f| f.tick().seq).collect()
    };
    for value in ["1", "2", "3"] {
        board.offer(F, tick(&a, value, 0));
    }
    assert!(past(&board).is_empty(), "not pushed yet");
    due(&mut board, 0);
    assert_eq!(past(&board), [2, 3]);
    board.set_clock(1_000_001);
    board.forget();
    assert!(past(&board).is_empty());
    board.retire(F, &a);
    assert_eq!(board.find("f.a"), None);
}

#[test]
fn topics_that_come_and_go_leave_short_lists() {
    let mut board = feed(3, false, Limits::NONE);
    for _ in 0..5 * LEFT_OVER_MAX {
        let a = topic("f.a");
        board.offer(F, tick(&a, "1", 0));
        due(&mut board, 0);
        board.retire(F, &a);
    }
    assert!(board.sources[&F].dirty.iter().all(|list| list.len() <= LEFT_OVER_MAX + 1));
}

/// A topic was due when it was retired. Its number is given to another topic, which is then due once.
#[test]
fn a_number_given_again_is_due_once() {
    let mut board = feed(3, false, Limits::NONE);
    let (a, b, c) = (topic("f.a"), topic("f.b"), topic("f.c"));
    for name in [&a, &b, &c] {
        board.offer(F, tick(name, "1", 0));
    }
    due(&mut board, 0);
    board.offer(F, tick(&a, "2", 0));
    board.retire(F, &a);
    board.retire(F, &c);
    assert_eq!(board.topics(F), 1);
    board.offer(F, tick(&b, "2", 0));
    for name in ["f.a", "f.c"] {
        board.offer(F, tick(&topic(name), "3", 0));
    }
    assert_eq!(board.topics(F), 3);
    let names = |board: &mut Board, tier| {
        let mut due = Vec::new();
        board.take_due(F, tier, &mut due);
        let mut names: Vec<_> = due.iter().map(|d| d.frame.tick().topic.name().to_owned()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(&mut board, 0), ["f.a", "f.b", "f.c"]);
    assert_eq!(names(&mut board, 1), ["f.a", "f.b", "f.c"]);
}

#[test]
fn a_topic_that_comes_back_counts_on() {
    let mut board = feed(3, false, Limits::NONE);
    let a = topic("f.a");
    for i in 0..5 {
        board.offer(F, tick(&a, &i.to_string(), 0));
    }
    board.retire(F, &a);
    assert_eq!(due(&mut board, 0), [], "a retired topic is not due");
    let again = topic("f.a");
    board.offer(F, tick(&again, "9", 0));
    let got = due(&mut board, 0);
    assert_eq!(got.len(), 1);
    assert!(got[0].0 > 5, "{got:?}");
    let changes = board.take_changes();
    assert!(matches!(
        changes.as_slice(),
        [Change::Added(x, _), Change::Removed(y), Change::Added(z, _)] if x == y && y != z
    ));
}

fn names(changes: &[Change]) -> Vec<String> {
    let name = |change: &Change| match change {
        Change::Opened(source) => format!("{}", source.id),
        Change::Closed(id) => format!("{id}"),
        Change::Added(_, topic) => topic.name().to_owned(),
        Change::Removed(_) => "-".to_owned(),
    };
    changes.iter().map(name).collect()
}

const MINUTE: Limits = Limits { count: 9, age: std::time::Duration::from_secs(60), bytes: usize::MAX };

#[test]
fn sources_come_and_go_and_the_others_go_on() {
    let mut board = feed(1, false, MINUTE);
    let (a, b) = (topic("f.a"), topic("g.b"));
    let tiers = Tiers::new(Duration::from_secs(1), &[]);
    let group = Arc::new(Group { epoch: "e".into() });
    let g = |id| Arc::new(Source::feed(SourceId(id), "g", tiers.clone(), &group));
    board.offer(F, tick(&a, "1", 0));
    board.offer(SourceId(1), tick(&b, "1", 0));
    assert_eq!(names(&board.take_changes()), ["f.a"], "nobody knows whose the other is");
    board.open(&g(1));
    board.offer(SourceId(1), tick(&b, "2", 0));
    pushed_of(&mut board, SourceId(1));
    assert_eq!(names(&board.take_changes()), ["source 1", "g.b"]);
    assert_eq!(board.since("g.b", 0).map(|past| past.len()), Some(1));
    board.close(SourceId(1));
    board.close(SourceId(1));
    assert_eq!(names(&board.take_changes()), ["-", "source 1"]);
    assert_eq!((board.count(), board.topics(F), board.find("g.b")), (1, 1, None));
    board.offer(F, tick(&a, "2", 0));
    assert_eq!(pushed(&mut board, 0).iter().map(|due| due.frame.tick().seq).collect::<Vec<_>>(), [2]);

    // A new source of the same name begins above every number that the first may have given.
    board.open(&g(2));
    assert!(board.since("g.b", 0).is_none(), "what the first said is gone");
    let seq = board.offer(SourceId(2), tick(&b, "3", 0));
    assert!(seq > 1, "{seq}");
    assert_eq!(board.since("f.other", 0).map(|past| past.len()), Some(0), "of others nothing is gone");
}

fn pushed_of(board: &mut Board, source: SourceId) {
    let mut due = Vec::new();
    board.take_due(source, 0, &mut due);
    board.remember(&due);
}

#[test]
fn a_source_that_is_another_keeps_its_topics_and_their_numbers() {
    let mut board = feed(3, false, Limits::NONE);
    let a = topic("f.a");
    board.offer(F, tick(&a, "1", 0));
    assert_eq!(due(&mut board, 0), [(1, 1)]);
    let tiers = Tiers::new(Duration::from_secs(1), &[Duration::from_secs(2)]);
    let group = Arc::new(Group { epoch: "e".into() });
    board.take_changes();
    board.reopen(&Arc::new(Source { always: true, ..Source::feed(F, "f", tiers, &group) }));
    assert!(matches!(&board.take_changes()[..], [Change::Opened(source)] if source.always));
    assert_eq!(due(&mut board, 1), [], "what was due before its change was to be taken before");
    assert_eq!(due(&mut board, 0), [(1, 1)], "its newest comes again at each beat");
    board.offer(F, tick(&a, "2", 0));
    assert_eq!(due(&mut board, 0), [(2, 2)]);
    assert_eq!(due(&mut board, 1), [(2, 2)]);
    assert_eq!(due(&mut board, 2), [], "there is no such beat any more");
    assert_eq!(board.topics(F), 1);
}

/// Ticks that were taken and not handed over yet are told by the number of their topic.
#[test]
fn a_number_goes_to_another_topic_once_the_end_of_the_first_was_told() {
    let mut board = feed(1, false, Limits::NONE);
    let number = |board: &Board, name: &str| board.find(name).unwrap();
    let a = topic("f.a");
    board.offer(F, tick(&a, "1", 0));
    let first = number(&board, "f.a");
    board.take_changes();
    board.retire(F, &a);
    board.offer(F, tick(&topic("f.b"), "1", 0));
    assert_ne!(number(&board, "f.b"), first);
    board.take_changes();
    board.offer(F, tick(&topic("f.c"), "1", 0));
    assert_eq!(number(&board, "f.c"), first);
}
