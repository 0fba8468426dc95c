//! What the lane promises, with examples and by chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::sample::Class;

fn tick(topic: &Topic, value: &str) -> Tick {
    Tick {
        topic: topic.clone(),
        seq: 0,
        n: 0,
        ts: 0,
        src_ts: 0,
        from: None,
        value: value.as_bytes().into(),
        merged: 0,
    }
}

fn lane(capacity: usize) -> (Lane, Arc<AtomicUsize>) {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = woken.clone();
    (
        Lane::new(
            capacity,
            Box::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
            }),
        ),
        woken,
    )
}

/// As if the feed flooded: no more events than others have room.
fn narrow(capacity: usize) -> Lane {
    let (lane, _) = lane(capacity);
    lane.set_flooded(true);
    lane
}

fn seen(lane: &Lane) -> Vec<(String, String, u64)> {
    lane.drain()
        .entries
        .into_iter()
        .map(|entry| match entry {
            Entry::Tick(t) => (t.topic.name().into(), String::from_utf8(t.value.into()).unwrap(), t.merged),
            Entry::Retire(t) => (t.name().into(), "retired".into(), 0),
        })
        .collect()
}

#[test]
fn under_its_capacity_everything_is_kept_in_order() {
    let (lane, woken) = lane(4);
    let a = Topic::new("f.a", "q", Class::State);
    for value in ["1", "2", "3"] {
        assert_eq!(lane.push(tick(&a, value)), Taken::Queued);
    }
    assert_eq!(woken.load(Ordering::Relaxed), 1, "woken once, when half full");
    let got: Vec<_> = seen(&lane).into_iter().map(|(_, v, m)| (v, m)).collect();
    assert_eq!(got, [("1".into(), 0), ("2".into(), 0), ("3".into(), 0)]);
    assert!(seen(&lane).is_empty());
}

#[test]
fn an_eager_lane_wakes_at_the_first_tick_and_again_once_it_was_found_empty() {
    let (lane, woken) = lane(64);
    let a = Topic::new("f.a", "q", Class::State);
    let wakes = || woken.swap(0, Ordering::Relaxed);
    lane.push(tick(&a, "1"));
    assert_eq!(wakes(), 0);
    lane.set_eager(true);
    assert_eq!(wakes(), 1, "what waits already has to be looked at");
    assert_eq!((seen(&lane).len(), seen(&lane).len()), (1, 0));
    lane.push(tick(&a, "2"));
    lane.push(tick(&a, "3"));
    assert_eq!((wakes(), seen(&lane).len()), (1, 2));
    lane.push(tick(&a, "4"));
    assert_eq!((wakes(), seen(&lane).len()), (0, 1), "it is looked at again in any case");
    assert_eq!(seen(&lane).len(), 0);
    lane.push(tick(&a, "5"));
    assert_eq!(wakes(), 1);
    lane.set_eager(false);
    seen(&lane);
    seen(&lane);
    lane.push(tick(&a, "6"));
    assert_eq!(wakes(), 0);
}

#[test]
fn a_flood_is_merged_in_the_lane_and_wakes_nobody() {
    let (lane, woken) = lane(LANE_TICKS_MAX);
    let wakes = || woken.swap(0, Ordering::Relaxed);
    let topics: Vec<Topic> = (0..10).map(|n| Topic::new(&format!("f.{n}"), "q", Class::State)).collect();
    let say = |samples: usize| {
        let taken = (0..samples).map(|n| lane.push(tick(&topics[n % 10], &n.to_string())));
        taken.filter(|taken| *taken == Taken::Coalesced).count() as u64
    };
    let said = |entry: &Entry| match entry {
        Entry::Tick(tick) => std::str::from_utf8(&tick.value).unwrap().parse().unwrap(),
        Entry::Retire(_) => 0,
    };
    lane.set_flooded(true);
    wakes();
    let lost = say(100_000);
    assert_eq!((wakes(), lost), (0, 100_000 - FLOOD_TICKS_MAX as u64));
    let drained = lane.drain();
    assert_eq!((drained.entries.len(), drained.lost), (FLOOD_TICKS_MAX, lost));
    let merged = drained.entries.iter().map(|entry| match entry {
        Entry::Tick(tick) => tick.merged,
        Entry::Retire(_) => 0,
    });
    assert_eq!(merged.sum::<u64>(), lost, "all are counted");
    let mut newest: Vec<u64> = drained.entries.iter().rev().take(10).map(said).collect();
    newest.sort_unstable();
    assert!(newest.into_iter().eq(99_990..100_000), "the newest of each topic is there");
    lane.set_flooded(false);
    assert_eq!(wakes(), 1);
    assert_eq!(say(LANE_TICKS_MAX), 0);
    assert_eq!(wakes(), 1, "half full again");
}

/// Goal: a burst of events that is no flood loses none, and however many states wait, they push out no event.
#[test]
fn events_have_room_of_their_own() {
    let (lane, _) = lane(4);
    let (state, event) = (Topic::new("f.s", "q", Class::State), Topic::new("f.e", "t", Class::Event));
    let most = 4 * EVENTS_PER_TICK;
    for n in 1..=most {
        assert_eq!(lane.push(tick(&event, &n.to_string())), Taken::Queued);
        lane.push(tick(&state, &n.to_string()));
    }
    assert_eq!(lane.push(tick(&event, "last")), Taken::Coalesced, "it is bounded");
    let came: Vec<_> = seen(&lane).into_iter().filter(|(topic, ..)| topic == "f.e").collect();
    assert_eq!(came.len(), most);
    assert_eq!((came[0].1.as_str(), came[0].2), ("2", 1));
    // Large ones: 16 MiB in all, and a few in any case.
    let large = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    let queued = (0..20).take_while(|_| lane.push(tick(&event, &large)) == Taken::Queued).count();
    assert_eq!(queued, 16);
    assert_eq!(seen(&lane).len(), 16);
    assert_eq!(lane.push(tick(&event, &large)), Taken::Queued, "what was taken out counts no more");
    let larger = format!("\"{}\"", "x".repeat(10 << 20));
    assert_eq!((0..3).filter(|_| lane.push(tick(&event, &larger)) == Taken::Queued).count(), 3);
    assert_eq!(lane.push(tick(&event, &larger)), Taken::Coalesced);
}

#[test]
fn in_a_flood_of_states_the_newest_events_stay() {
    let (lane, _) = lane(LANE_TICKS_MAX);
    let states: Vec<Topic> = (0..2_000).map(|n| Topic::new(&format!("f.{n}"), "q", Class::State)).collect();
    let event = Topic::new("f.e", "t", Class::Event);
    lane.set_flooded(true);
    for n in 0..FLOOD_TICKS_MAX {
        for state in &states {
            lane.push(tick(state, &n.to_string()));
        }
        assert_eq!(lane.push(tick(&event, &n.to_string())), Taken::Queued);
    }
    assert_eq!(lane.push(tick(&event, "last")), Taken::Coalesced);
    let came: Vec<_> = seen(&lane).into_iter().filter(|(topic, ..)| topic == "f.e").collect();
    assert_eq!((came.len(), came[0].1.as_str()), (FLOOD_TICKS_MAX, "1"));
}

#[test]
fn a_lane_that_its_feed_has_is_not_waited_for() {
    let (lane, _) = lane(4);
    lane.push(tick(&Topic::new("f.a", "q", Class::State), "1"));
    let had = lane.lock();
    assert!(lane.try_drain().is_none());
    drop(had);
    assert_eq!(lane.try_drain().map(|drained| drained.entries.len()), Some(1));
}

#[test]
fn over_it_state_coalesces_and_counts() {
    let (lane, _) = lane(2);
    let (a, b) = (Topic::new("f.a", "q", Class::State), Topic::new("f.b", "q", Class::State));
    lane.push(tick(&a, "1"));
    lane.push(tick(&a, "2"));
    assert_eq!(lane.push(tick(&a, "3")), Taken::Coalesced);
    assert_eq!(lane.push(tick(&a, "4")), Taken::Coalesced);
    assert_eq!(lane.push(tick(&b, "1")), Taken::Queued, "a state topic never loses its newest");
    assert_eq!(lane.push(tick(&b, "2")), Taken::Coalesced);
    assert_eq!(
        seen(&lane),
        [("f.a".into(), "1".into(), 0), ("f.a".into(), "4".into(), 2), ("f.b".into(), "2".into(), 1)]
    );
    assert_eq!(lane.drain().lost, 0, "told once");
}

#[test]
fn over_it_events_drop_their_oldest_and_owe_it_to_the_next() {
    let lane = narrow(2);
    let (a, b) = (Topic::new("f.a", "t", Class::Event), Topic::new("f.b", "t", Class::Event));
    for value in ["1", "2", "3"] {
        lane.push(tick(&a, value));
    }
    lane.push(tick(&b, "1"));
    assert_eq!(seen(&lane), [("f.a".into(), "3".into(), 2), ("f.b".into(), "1".into(), 0)]);
    for value in ["4", "5"] {
        lane.push(tick(&a, value));
    }
    lane.push(tick(&b, "2"));
    lane.push(tick(&b, "3"));
    assert_eq!(seen(&lane), [("f.b".into(), "2".into(), 0), ("f.b".into(), "3".into(), 0)]);
    lane.push(tick(&a, "6"));
    assert_eq!(seen(&lane), [("f.a".into(), "6".into(), 2)], "the debt outlives a drain");
}

#[test]
fn states_and_events_come_out_in_the_order_they_came() {
    let (lane, _) = lane(8);
    let (s, e) = (Topic::new("f.s", "q", Class::State), Topic::new("f.e", "t", Class::Event));
    for (topic, value) in [(&e, "1"), (&s, "2"), (&s, "3"), (&e, "4")] {
        lane.push(tick(topic, value));
    }
    lane.retire(s.clone());
    lane.push(tick(&e, "5"));
    let got: Vec<_> = seen(&lane).into_iter().map(|(_, value, _)| value).collect();
    assert_eq!(got, ["1", "2", "3", "4", "retired", "5"]);
}

#[test]
fn over_it_a_retired_topic_takes_what_waits_of_it_along() {
    let (lane, _) = lane(4);
    let known = Topic::new("f.known", "t", Class::Event);
    lane.push(tick(&known, "1"));
    assert_eq!(seen(&lane).len(), 1);
    let (fresh, other) = (Topic::new("f.fresh", "q", Class::State), Topic::new("f.other", "q", Class::State));
    for value in ["2", "3", "4"] {
        lane.push(tick(&known, value));
        lane.push(tick(&other, value));
    }
    lane.push(tick(&fresh, "1"));
    assert_eq!(lane.retire(fresh), 1, "what waits of it is given up");
    assert_eq!(lane.retire(known), 3);
    let drained = lane.drain();
    assert_eq!(drained.lost, 4);
    let ends: Vec<_> = drained.entries.iter().map(|entry| matches!(entry, Entry::Retire(_))).collect();
    assert_eq!(ends, [false, false, false, true], "nobody saw the fresh one: nothing of it stays");
}

#[test]
fn a_topic_known_downstream_ends_once_however_full_the_lane_is() {
    let (lane, _) = lane(4);
    let known = Topic::new("f.known", "q", Class::State);
    lane.push(tick(&known, "1"));
    lane.drain();
    let other = Topic::new("f.other", "t", Class::Event);
    for value in ["1", "2", "3", "4", "5"] {
        lane.push(tick(&other, value));
    }
    lane.retire(known);
    let got: Vec<_> = seen(&lane).into_iter().map(|(topic, value, _)| (topic, value)).collect();
    assert_eq!(got.last().unwrap(), &("f.known".to_owned(), "retired".to_owned()));
}

/// Goal: no feed can make the lane grow. Method: topics that appear, speak and end, for ever, while nobody drains.
#[test]
fn topics_that_come_and_go_do_not_fill_it() {
    for class in [Class::State, Class::Event] {
        let lane = narrow(64);
        for round in 0..10_000 {
            let topic = Topic::new(&format!("f.{round}"), "q", class);
            lane.push(tick(&topic, "1"));
            lane.push(tick(&topic, "2"));
            lane.retire(topic);
            assert!(lane.lock().waiting.len() <= 2 * (2 * 64 + 2), "{class:?}, round {round}");
        }
        assert!(lane.drain().entries.len() <= 2 * 64 + 2);
    }
}

proptest::proptest! {
    /// For any sequence of ticks, each topic's ticks and losses add up to what was pushed, and its newest tick is
    /// never older than the ones before.
    #[test]
    fn nothing_is_lost_uncounted(pushes in proptest::collection::vec((0usize..5, proptest::bool::ANY), 1..200)) {
        let lane = narrow(8);
        let topics: Vec<Topic> = (0..5)
            .map(|i| Topic::new(&format!("f.{i}"), "q", if i < 3 { Class::State } else { Class::Event }))
            .collect();
        let (mut pushed, mut counted, mut last) = ([0u64; 5], [0u64; 5], [0u64; 5]);
        let mut collect = |lane: &Lane| {
            let drained = lane.drain();
            assert!(drained.entries.len() <= 8 + 3 + 8);
            for entry in drained.entries {
                let Entry::Tick(t) = entry else { continue };
                let at = topics.iter().position(|x| *x == t.topic).unwrap();
                let value: u64 = std::str::from_utf8(&t.value).unwrap().parse().unwrap();
                assert!(value > last[at]);
                last[at] = value;
                counted[at] += 1 + t.merged;
                assert_eq!(counted[at], value, "seq tells the gap exactly");
            }
        };
        for (at, drain) in pushes {
            pushed[at] += 1;
            lane.push(tick(&topics[at], &pushed[at].to_string()));
            if drain {
                collect(&lane);
            }
        }
        collect(&lane);
        for i in 0..3 {
            proptest::prop_assert_eq!(counted[i], pushed[i]);
        }
    }

    /// For any sequence of ticks and ends, drained at any time: the lane stays within its bound, a reader of its
    /// entries knows exactly which topics there are, each end is told once, and every tick is delivered or counted.
    #[test]
    fn ends_are_told_and_nothing_grows(ops in proptest::collection::vec((0usize..6, 0u8..8), 1..400)) {
        const CAPACITY: usize = 8;
        let lane = narrow(CAPACITY);
        let class = |at: usize| if at < 3 { Class::State } else { Class::Event };
        let mut live: [Option<(Topic, u64)>; 6] = Default::default();
        let (mut names, mut pushed, mut arrived, mut lost) = (0u64, 0u64, 0u64, 0u64);
        let mut downstream: Vec<(Topic, u64)> = Vec::new();
        let mut look = |live: &[Option<(Topic, u64)>; 6], pushed: u64, lane: &Lane| {
            let known = downstream.len();
            let drained = lane.drain();
            assert!(drained.entries.len() <= 2 * CAPACITY + 3 + known, "{} entries", drained.entries.len());
            lost += drained.lost;
            for entry in drained.entries {
                match entry {
                    Entry::Tick(t) => {
                        let value: u64 = std::str::from_utf8(&t.value).unwrap().parse().unwrap();
                        arrived += 1;
                        match downstream.iter_mut().find(|(topic, _)| *topic == t.topic) {
                            Some((_, seq)) => {
                                *seq += 1 + t.merged;
                                assert_eq!(*seq, value, "seq tells the gap exactly");
                            }
                            None => {
                                assert_eq!(1 + t.merged, value);
                                downstream.push((t.topic, value));
                            }
                        }
                    }
                    Entry::Retire(topic) => {
                        let at = downstream.iter().position(|(known, _)| *known == topic);
                        // Below the capacity, the last event of a topic may have been pushed out before the topic's
                        // end.
                        assert!(at.is_some() || topic.class() == Class::Event);
                        at.map(|at| downstream.remove(at));
                    }
                }
            }
            for (topic, _) in &downstream {
                assert!(live.iter().flatten().any(|(known, _)| known == topic), "one lives on downstream");
            }
            for (topic, _) in live.iter().flatten().filter(|(topic, _)| topic.class() == Class::State) {
                assert!(downstream.iter().any(|(known, _)| known == topic), "one is missing downstream");
            }
            assert_eq!(arrived + lost, pushed, "each tick is delivered or counted");
        };
        for (at, what) in ops {
            match what {
                0 => look(&live, pushed, &lane),
                1 | 2 => {
                    if let Some((topic, _)) = live[at].take() {
                        lane.retire(topic);
                    }
                }
                _ => {
                    let (topic, count) = live[at].get_or_insert_with(|| {
                        names += 1;
                        (Topic::new(&format!("f.{names}"), "q", class(at)), 0)
                    });
                    *count += 1;
                    pushed += 1;
                    lane.push(tick(topic, &count.to_string()));
                }
            }
            let waiting = lane.lock().waiting.len();
            assert!(waiting <= 2 * (2 * CAPACITY + 3 + 6) + 1, "{waiting} wait");
        }
        look(&live, pushed, &lane);
    }
}

#[test]
fn fields_are_of_the_newest_hello_and_the_same_again_is_no_change() {
    let lane = Lane::new(4, Box::new(|| {}));
    let kinds = |main: &str| {
        let fields = Fields { main: Some(main.into()), ..Fields::default() };
        FieldsByKind::from([("quote".into(), Arc::new(fields))])
    };
    assert_eq!((lane.fields("quote"), lane.fields_generation()), (None, 0));
    lane.set_fields(kinds("price"));
    lane.set_fields(kinds("price"));
    assert_eq!(lane.fields_generation(), 1);
    assert_eq!(lane.fields("quote").unwrap().main.as_deref(), Some("price"));
    lane.set_fields(FieldsByKind::new());
    assert_eq!((lane.fields("quote"), lane.fields_generation()), (None, 2));
}
