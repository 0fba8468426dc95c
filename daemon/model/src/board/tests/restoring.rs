//! Topics of an earlier run, and what was missed of event topics.

use super::*;
use crate::board::missed::Last;
use crate::history::Depth;

fn restored(source: SourceId, topic: &Topic, seqs: std::ops::RangeInclusive<u64>, now_ms: u64) -> Restored {
    numbered(source, topic, seqs, now_ms, 100)
}

fn numbered(
    source: SourceId,
    topic: &Topic,
    seqs: std::ops::RangeInclusive<u64>,
    ts: u64,
    base: u64,
) -> Restored {
    let numbered = |seq: u64| Tick { seq, n: base + seq, ts, ..tick(topic, &seq.to_string(), 0) };
    let (floor, last) = (seqs.start() - 1, *seqs.end());
    Restored { source, newest: numbered(last), floor, past: seqs.map(numbered).collect() }
}

const NOW_MS: u64 = 1_700_000_000_000;
#[test]
fn a_topic_of_an_earlier_run_counts_on_and_is_stale_until_it_is_heard_of() {
    let mut board = feed(3, false, MINUTE);
    let (a, e) = (topic("f.a"), Topic::new("f.e", "t", Class::Event));
    let mut now = Vec::new();
    board.restore(
        vec![restored(F, &a, 3..=5, NOW_MS), restored(F, &e, 7..=7, NOW_MS)],
        200,
        NOW_MS,
        &mut now,
    );
    let now: Vec<_> =
        now.iter().map(|d| (d.frame.tick().topic.name(), d.frame.tick().seq, d.is_newest)).collect();
    assert_eq!(now, [("f.a", 5, true), ("f.e", 7, false)]);
    assert_eq!(names(&board.take_changes()), ["f.a", "f.e"]);
    assert_eq!(board.take_aged().iter().map(|aged| aged.is_stale).collect::<Vec<_>>(), [true]);
    assert!(!board.is_silent(F), "nothing is known of its feed yet");
    assert_eq!(due(&mut board, 1), [(5, 105)], "the slower tiers learn of it too");
    let since = |board: &Board, seq| -> Option<Vec<u64>> {
        board.since("f.a", seq).map(|frames| frames.iter().map(|f| f.tick().seq).collect())
    };
    assert_eq!((since(&board, 1), since(&board, 2)), (None, Some(vec![3, 4, 5])));
    // The feed's own topic is another object of the same name.
    let again = topic("f.a");
    board.offer(F, tick(&again, "6", 0));
    assert_eq!(board.take_aged().iter().map(|aged| aged.is_stale).collect::<Vec<_>>(), [false]);
    assert_eq!(streamed(&mut board), [(6, 201)]);
    assert_eq!(since(&board, 4), Some(vec![5, 6]));
    assert!(board.take_changes().is_empty(), "it is the same topic");
    board.offer(F, tick(&topic("f.new"), "1", 0));
    assert_eq!(streamed(&mut board), [(202, 202)], "whoever may have been there before has lower numbers");
    board.retire(F, &again);
    assert_eq!(board.find("f.a"), None);
    assert_eq!((board.topics(F), board.stale(F)), (2, 0));
}

#[test]
fn a_topic_that_changed_its_kind_is_another() {
    let mut board = feed(3, false, MINUTE);
    board.restore(vec![restored(F, &topic("f.a"), 1..=2, NOW_MS)], 2, NOW_MS, &mut Vec::new());
    board.take_changes();
    board.offer(F, tick(&Topic::new("f.a", "other", Class::State), "1", 0));
    assert_eq!(names(&board.take_changes()), ["-", "f.a"]);
    assert_eq!(streamed(&mut board), [(3, 3)]);
    assert_eq!((board.topics(F), board.stale(F)), (1, 0));
    assert!(board.since("f.a", 1).is_none());
}

#[test]
fn the_past_of_an_earlier_run_ages_on() {
    let mut board = feed(3, false, MINUTE);
    let (old, new) = (topic("f.old"), topic("f.new"));
    let restored =
        vec![restored(F, &old, 1..=2, NOW_MS - 61_000), numbered(F, &new, 1..=2, NOW_MS - 59_000, 150)];
    board.restore(restored, 200, NOW_MS, &mut Vec::new());
    assert_eq!((board.history().ticks(), board.topics(F)), (2, 2), "the newest stays, however old");
    assert!(board.since("f.old", 1).is_none() && board.since("f.old", 2).is_some());
    board.set_clock(1_100_000);
    board.forget();
    assert_eq!(board.history().ticks(), 0);
}

#[test]
fn a_topic_of_an_earlier_run_keeps_what_its_own_limits_say() {
    let mut board = feed(3, false, MINUTE);
    board.limit("f.long", Depth { count: 9, age: Duration::from_secs(3_600) });
    board.limit("f.short", Depth { count: 1, age: Duration::from_secs(1) });
    let topics = ["f.long", "f.short", "f.a"].map(topic);
    let restored: Vec<Restored> =
        (0..).zip(&topics).map(|(nth, topic)| numbered(F, topic, 1..=3, NOW_MS - 500, nth * 10)).collect();
    board.restore(restored, 200, NOW_MS, &mut Vec::new());
    let kept = |board: &Board, name| board.since(name, 0).map(|frames| frames.len());
    assert_eq!(["f.long", "f.short", "f.a"].map(|name| kept(&board, name)), [Some(3), None, Some(3)]);
    assert_eq!(board.since("f.short", 2).map(|frames| frames.len()), Some(1));
    board.set_clock(61_000_000);
    board.forget();
    assert_eq!(["f.long", "f.a"].map(|name| kept(&board, name)), [Some(3), None]);
    assert!(board.since("f.short", 2).is_none());
}

/// A client gets every tick of an event topic that it missed, or is told that some are gone. It never gets a part.
#[test]
fn who_was_there_learns_what_each_event_topic_said() {
    let limits = Limits { count: 2, ..MINUTE };
    let event = |name| Topic::new(name, "t", Class::Event);
    let missed = |board: &Board, n| -> Vec<(String, Option<Vec<u64>>)> {
        let seqs = |frames: &[Arc<Frame>]| frames.iter().map(|frame| frame.tick().seq).collect();
        let wanted = ["f.a", "f.b", "f.state", "f.gone"].into_iter();
        let missed = board.missed_after(Last::Number(n), wanted).into_iter();
        missed.map(|(name, frames)| (name.to_owned(), frames.as_deref().map(seqs))).collect()
    };
    let said = |name: &str, seqs: Option<&[u64]>| (name.to_owned(), seqs.map(<[u64]>::to_vec));

    let mut board = feed(3, false, limits);
    let (a, b) = (event("f.a"), event("f.b"));
    for (topic, value) in [(&a, "1"), (&b, "1"), (&b, "2"), (&b, "3"), (&event("f.unwanted"), "1")] {
        board.offer(F, tick(topic, value, 0));
        pushed(&mut board, 0);
    }
    board.offer(F, tick(&topic("f.state"), "1", 0));
    assert_eq!(missed(&board, 1), [said("f.a", Some(&[])), said("f.b", None)]);
    assert_eq!(missed(&board, 2), [said("f.a", Some(&[])), said("f.b", Some(&[2, 3]))]);
    assert_eq!(missed(&board, 9), [said("f.a", None), said("f.b", None)], "nobody knows when that was");

    let mut board = feed(3, false, MINUTE);
    let earlier = vec![restored(F, &a, 1..=1, NOW_MS), restored(F, &b, 3..=5, NOW_MS)];
    board.restore(earlier, 200, NOW_MS, &mut Vec::new());
    assert_eq!(missed(&board, 101), [said("f.a", Some(&[])), said("f.b", None)], "1 and 2 may be of later");
    assert_eq!(missed(&board, 103), [said("f.a", Some(&[])), said("f.b", Some(&[4, 5]))]);
}
