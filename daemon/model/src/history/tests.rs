//! Rings against a naive model: one list of everything that was pushed.

use proptest::prelude::*;

use super::*;
use crate::sample::Class;
use crate::tick::Tick;
use crate::topic::Topic;

fn frame(topic: u32, seq: u64, n: u64, bytes: usize) -> Arc<Frame> {
    let topic = Topic::new(&format!("f.{topic}"), "q", Class::State);
    let value = vec![b'1'; bytes].into();
    Arc::new(Frame::new(Tick { topic, seq, n, ts: 0, src_ts: 0, from: None, value, merged: 0 }))
}

fn seqs<'a>(frames: impl Iterator<Item = &'a Arc<Frame>>) -> Vec<u64> {
    frames.map(|frame| frame.tick().seq).collect()
}

const LIMITS: Limits = Limits { count: 3, age: Duration::from_micros(100), bytes: usize::MAX };
const A: TopicId = TopicId(0);

#[test]
fn what_was_missed_is_whole_or_nothing() {
    let mut history = History::new(LIMITS);
    history.open(A, 0, None);
    let since = |history: &History, seq| history.since(A, seq).map(seqs);
    assert_eq!(since(&history, 0), Some(vec![]), "nothing was said, so nothing was missed");
    assert_eq!(since(&history, 1), None, "from the future");
    // Two ticks were merged before they were pushed. A client that was connected did not get them either.
    for (seq, at) in [(1, 0), (4, 10), (5, 20)] {
        history.push(A, &[], &frame(0, seq, seq, 1), at);
    }
    assert_eq!(since(&history, 0), Some(vec![1, 4, 5]));
    assert_eq!(since(&history, 2), Some(vec![4, 5]));
    assert_eq!(since(&history, 5), Some(vec![]));
    history.push(A, &[], &frame(0, 6, 6, 1), 30);
    assert_eq!(since(&history, 0), None, "the first is gone");
    assert_eq!(since(&history, 1), Some(vec![4, 5, 6]));
    history.expire(111);
    assert_eq!((since(&history, 3), since(&history, 4)), (None, Some(vec![5, 6])));
    history.expire(1_000);
    assert_eq!((since(&history, 5), since(&history, 6)), (None, Some(vec![])));
    assert_eq!((history.ticks(), history.bytes()), (0, 0));
    assert_eq!(since(&history, 7), None);
}

#[test]
fn a_topic_that_came_back_has_no_past() {
    let mut history = History::new(LIMITS);
    history.open(A, 0, None);
    history.push(A, &[], &frame(0, 1, 1, 1), 0);
    history.close(A);
    assert!(history.since(A, 0).is_none());
    history.open(A, 7, None);
    history.push(A, &[], &frame(0, 8, 8, 1), 1);
    assert!(history.since(A, 1).is_none(), "its number is of another life");
    assert_eq!(history.since(A, 7).map(seqs), Some(vec![8]));
    assert_eq!(seqs(history.newest(A, 9)), [8]);
}

#[test]
fn nothing_is_kept_of_nothing() {
    let mut history = History::new(Limits { count: 0, ..LIMITS });
    history.open(A, 0, None);
    for seq in 1..100 {
        history.push(A, &[], &frame(0, seq, seq, 1), 0);
    }
    assert_eq!((history.ticks(), history.order.len()), (0, 0));
    assert!(history.since(A, 98).is_none());
    assert_eq!(history.since(A, 99).map(seqs), Some(vec![]), "who has the newest has missed nothing");
}

#[test]
fn a_busy_topic_leaves_a_short_order_behind_a_quiet_one() {
    let mut history = History::new(Limits { count: 4, age: Duration::from_secs(1), bytes: usize::MAX });
    history.open(A, 0, None);
    history.open(TopicId(1), 0, None);
    history.push(A, &[], &frame(0, 1, 1, 1), 0);
    for seq in 1..50_000 {
        history.push(TopicId(1), &[], &frame(1, seq, seq + 1, 1), 0);
        assert!(history.order.len() <= order::LEFT_OVER_MAX + 2 * history.ticks());
    }
    assert_eq!(seqs(history.newest(A, 1)), [1]);
    assert_eq!(seqs(history.newest(TopicId(1), 2)), [49_998, 49_999]);
}

#[test]
fn each_topic_has_its_own_depth() {
    let mut history = History::new(LIMITS);
    let [short, long, b] = [TopicId(1), TopicId(2), TopicId(3)];
    history.open(A, 0, None);
    history.open(b, 0, None);
    history.open(short, 0, Some(Depth { count: 1, age: Duration::from_micros(10) }));
    history.open(long, 0, Some(Depth { count: 9, age: Duration::from_micros(1_000) }));
    for seq in 1..=5 {
        for topic in [long, A, short, b] {
            history.push(topic, &[], &frame(topic.0, seq, 10 * seq + u64::from(topic.0), 1), 0);
        }
    }
    let kept = |history: &History| [A, short, long].map(|topic| seqs(history.newest(topic, usize::MAX)));
    assert_eq!(kept(&history), [vec![3, 4, 5], vec![5], vec![1, 2, 3, 4, 5]]);
    history.expire(50);
    assert_eq!(kept(&history), [vec![3, 4, 5], vec![], vec![1, 2, 3, 4, 5]]);
    history.expire(500);
    assert_eq!(
        kept(&history),
        [vec![], vec![], vec![1, 2, 3, 4, 5]],
        "the oldest of all keeps nobody's alive"
    );
    assert!(history.place(12).is_some() && history.place(50).is_none());
    history.expire(1_001);
    assert_eq!((kept(&history), history.order.len()), ([vec![], vec![], vec![]], 0));
}

/// Whatever their ages, the bytes of all are one limit, and the oldest of all go first.
#[test]
fn the_oldest_of_all_make_room() {
    let weight = frame(0, 1, 1, 1).weight();
    let mut history = History::new(Limits { bytes: 3 * weight, ..LIMITS });
    let long = TopicId(1);
    history.open(A, 0, None);
    history.open(long, 0, Some(Depth { count: 9, age: Duration::from_secs(9) }));
    for seq in 1..=2 {
        history.push(long, &[], &frame(1, seq, seq, 1), 0);
        history.push(A, &[], &frame(0, seq, 10 + seq, 1), 0);
    }
    assert_eq!([A, long].map(|topic| seqs(history.newest(topic, 9))), [vec![1, 2], vec![2]]);
    history.push(long, &[], &frame(1, 3, 3, 1), 0);
    assert_eq!([A, long].map(|topic| seqs(history.newest(topic, 9))), [vec![2], vec![2, 3]]);
}

/// What a store would hold after these batches: by name, the floor, the newest and the ticks above the floor.
type Disk = std::collections::BTreeMap<String, (u64, u64, Vec<u64>)>;

fn write(disk: &mut Disk, batch: &Batch) {
    if batch.all {
        disk.clear();
    }
    for name in &batch.gone {
        disk.remove(&**name);
    }
    for topic in &batch.topics {
        let row = disk.entry(topic.newest.tick().topic.name().to_owned()).or_default();
        (row.0, row.1) = (topic.floor, topic.newest.tick().seq);
        row.2.retain(|seq| *seq > topic.floor);
        row.2.extend(topic.frames.iter().map(|frame| frame.tick().seq));
    }
}

#[derive(Debug, Clone)]
enum Op {
    Save(bool),
    Push { topic: u32, ticks: usize, skip: u64, bytes: usize, later: i64 },
    Close(u32),
    Expire(i64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0u32..4, 1usize..9, 0u64..3, 0usize..400, 0i64..30)
            .prop_map(|(topic, ticks, skip, bytes, later)| Op::Push { topic, ticks, skip, bytes, later }),
        1 => (0u32..4).prop_map(Op::Close),
        1 => (0i64..200).prop_map(Op::Expire),
        1 => prop::bool::weighted(0.1).prop_map(Op::Save),
    ]
}

/// Some topics have limits of their own. Two ages are the same for several.
fn depth() -> impl Strategy<Value = Depth> {
    (0usize..9, prop::sample::select(vec![30, 100, 250, 250, 1_000_000]))
        .prop_map(|(count, age)| Depth { count, age: Duration::from_micros(age) })
}

/// One tick as the model keeps it.
#[derive(Debug, Clone)]
struct Told {
    topic: u32,
    seq: u64,
    n: u64,
    at: i64,
    weight: usize,
}

/// What `history` says was pushed after the tick `n` must be what `pushed` says, of topics as they are.
fn check_after(history: &History, n: u64, pushed: &[Told], is_kept: bool) -> Result<(), TestCaseError> {
    let Some(place) = history.place(n) else {
        prop_assert!(!is_kept, "the place of a tick that is kept is known");
        return Ok(());
    };
    let from = pushed.iter().position(|told| told.n == n).map_or(0, |at| at + 1);
    for topic in 0..4 {
        let after = pushed[from..].iter().filter(|told| told.topic == topic);
        let after: Vec<u64> = after.map(|told| told.seq).collect();
        let is_whole = seqs(history.newest(TopicId(topic), usize::MAX)).ends_with(&after);
        // A retired topic has no ticks to give.
        let got = history.after(TopicId(topic), place).map(seqs).or((after.is_empty()).then(Vec::new));
        prop_assert_eq!(got, is_whole.then_some(after), "{} after {}", topic, n);
    }
    Ok(())
}

proptest! {
    #[test]
    fn rings_are_what_the_limits_leave(
        ops in prop::collection::vec(op(), 1..120),
        count in 0usize..6,
        kib in 1usize..5,
        depths in prop::array::uniform4(prop::option::of(depth())),
    ) {
        let of = |topic: u32| depths[topic as usize].unwrap_or(Depth { count, age: Duration::from_micros(100) });
        let limits = Limits { count, age: Duration::from_micros(100), bytes: kib * 1024 };
        let mut history = History::new(limits);
        let mut told: Vec<Told> = Vec::new();
        // The same, with all that is gone, of topics as they are.
        let mut pushed: Vec<Told> = Vec::new();
        // Per topic: every number since it began, and the number after which it began.
        let mut said: [Option<(u64, Vec<u64>)>; 4] = Default::default();
        let (mut now, mut n) = (0, 0);
        history.keep_ledger();
        let mut disk = Disk::new();
        for op in &ops {
            match op {
                Op::Push { topic, ticks, skip, bytes, later } => {
                    now += later;
                    let mut frames = Vec::new();
                    for _ in 0..*ticks {
                        n += skip + 1;
                        let (floor, numbers) = said[*topic as usize].get_or_insert_with(|| {
                            history.open(TopicId(*topic), n - 1, depths[*topic as usize]);
                            (n - 1, Vec::new())
                        });
                        let seq = numbers.last().copied().unwrap_or(*floor) + skip + 1;
                        numbers.push(seq);
                        // Feeds beat at different times, so ticks are not pushed in the order of their numbers.
                        let frame = frame(*topic, seq, n ^ 3, *bytes);
                        let weight = frame.weight();
                        told.push(Told { topic: *topic, seq, n: n ^ 3, at: now, weight });
                        frames.push(frame);
                    }
                    pushed.extend_from_slice(&told[told.len() - ticks..]);
                    let (newest, earlier) = frames.split_last().unwrap();
                    history.push(TopicId(*topic), earlier, newest, now);
                    while told.iter().filter(|t| t.topic == *topic).count() > of(*topic).count {
                        told.remove(told.iter().position(|t| t.topic == *topic).unwrap());
                    }
                    while told.iter().map(|t| t.weight).sum::<usize>() > limits.bytes {
                        told.remove(0);
                    }
                }
                Op::Close(topic) => {
                    history.close(TopicId(*topic));
                    said[*topic as usize] = None;
                    told.retain(|t| t.topic != *topic);
                    pushed.retain(|t| t.topic != *topic);
                }
                Op::Save(all) => {
                    write(&mut disk, &history.take_unsaved(*all));
                    let kept = said.iter().zip(0..).filter_map(|(said, topic)| {
                        let (floor, numbers) = said.as_ref()?;
                        let kept = seqs(history.newest(TopicId(topic), usize::MAX));
                        let last = *numbers.last()?;
                        let gone = numbers.iter().copied().filter(|seq| !kept.contains(seq)).max();
                        Some((format!("f.{topic}"), (gone.unwrap_or(*floor), last, kept)))
                    });
                    prop_assert_eq!(&disk, &kept.collect::<Disk>(), "what is written down is what is kept");
                }
                Op::Expire(later) => {
                    now += later;
                    history.expire(now);
                    told.retain(|t| now - t.at <= of(t.topic).age.as_micros() as i64);
                }
            }
            for Told { n, .. } in &pushed {
                check_after(&history, *n, &pushed, told.iter().any(|kept| kept.n == *n))?;
            }
            prop_assert_eq!(history.ticks(), told.len());
            prop_assert_eq!(history.bytes(), told.iter().map(|t| t.weight).sum::<usize>());
            for topic in 0..4 {
                let kept: Vec<u64> = told.iter().filter(|t| t.topic == topic).map(|t| t.seq).collect();
                prop_assert_eq!(seqs(history.newest(TopicId(topic), usize::MAX)), kept.clone());
                let Some((floor, numbers)) = &said[topic as usize] else {
                    prop_assert!(history.since(TopicId(topic), 0).is_none());
                    continue;
                };
                let last = numbers.last().copied().unwrap_or(*floor);
                for seq in floor.saturating_sub(1)..=last + 1 {
                    let missed: Vec<u64> = numbers.iter().copied().filter(|s| *s > seq).collect();
                    let whole = *floor <= seq && seq <= last && kept.ends_with(&missed);
                    let got = history.since(TopicId(topic), seq).map(seqs);
                    prop_assert_eq!(got, whole.then_some(missed), "since {}", seq);
                }
            }
        }
    }
}
