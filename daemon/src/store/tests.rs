//! Files that are written, read again, cut, scratched and shared.

use super::*;
use crate::model::frame::Frame;
use crate::model::history::Unsaved;
use crate::model::sample::Class;
use crate::model::topic::Topic;

fn frames(topic: &Topic, seqs: std::ops::RangeInclusive<u64>) -> Vec<Arc<Frame>> {
    let tick = |seq: u64| {
        let value = format!("{{\"said\":{seq}}}").as_bytes().into();
        Tick { topic: topic.clone(), seq, n: seq, ts: seq, src_ts: 0, value, merged: 0 }
    };
    seqs.map(|seq| Arc::new(Frame::new(tick(seq)))).collect()
}

fn batch(name: &str, floor: u64, seqs: std::ops::RangeInclusive<u64>) -> Batch {
    let topic = Topic::new(name, "quote", Class::State);
    let (n, frames) = (*seqs.end(), frames(&topic, seqs));
    let newest = frames.last().cloned().expect("some");
    Batch { topics: vec![Unsaved { newest, floor, frames }], n, ..Batch::default() }
}

/// (name, floor, numbers) of each topic.
fn told(saved: &Saved) -> Vec<(&str, u64, Vec<u64>)> {
    let seqs = |topic: &SavedTopic| topic.past.iter().map(|tick| tick.seq).collect();
    saved.topics.iter().map(|topic| (topic.newest.topic.name(), topic.floor, seqs(topic))).collect()
}

fn metrics() -> Metrics {
    Metrics::new(&Registry::new()).expect("fresh")
}

#[test]
fn what_was_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past");
    let (store, saved) = Store::open(&path).unwrap();
    assert!(saved.epoch.is_none() && saved.topics.is_empty());
    let writer = store.start("e1", metrics()).unwrap();
    for part in [batch("f.a", 0, 1..=3), batch("f.a", 2, 4..=5), batch("f.b", 0, 6..=6)] {
        writer.write(part);
        while !writer.is_idle() {
            std::thread::yield_now();
        }
    }
    assert!(matches!(Store::open(&path), Err(StoreError::Taken(_))), "one process at a time");
    writer.write_last(Batch { gone: vec!["f.b".into()], n: 7, ..batch("f.c", 0, 7..=7) });
    writer.join();
    let (store, saved) = Store::open(&path).unwrap();
    assert_eq!((saved.epoch.as_deref(), saved.is_whole, saved.n), (Some("e1"), true, 7));
    assert_eq!(told(&saved), [("f.a", 2, vec![3, 4, 5]), ("f.c", 0, vec![7])]);
    assert_eq!(&*saved.topics[0].past[0].value, br#"{"said":3}"#);
    // The next run ends without a last batch.
    let writer = store.start("e1", metrics()).unwrap();
    writer.write(Batch { all: true, ..batch("f.d", 0, 8..=8) });
    writer.join();
    let (_, saved) = Store::open(&path).unwrap();
    assert_eq!((saved.is_whole, told(&saved)), (false, vec![("f.d", 0, vec![8])]));
}

#[test]
fn a_run_that_writes_nothing_is_not_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past");
    let writer = Store::open(&path).unwrap().0.start("e1", metrics()).unwrap();
    writer.write_last(batch("f.a", 0, 1..=1));
    writer.join();
    Store::open(&path).unwrap().0.start("e1", metrics()).unwrap().join();
    let (_, saved) = Store::open(&path).unwrap();
    assert_eq!((saved.is_whole, told(&saved)), (false, vec![("f.a", 0, vec![1])]));
}

/// Whatever is wrong with it, it is moved aside and the past begins anew; nothing panics and nothing wrong is read.
#[test]
fn a_damaged_file_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past");
    let writer = Store::open(&path).unwrap().0.start("e1", metrics()).unwrap();
    writer.write_last(batch("f.a", 0, 1..=2_000));
    writer.join();
    let good = std::fs::read(&path).unwrap();
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty space", vec![0; good.len()]),
        ("other words", b"# a text that someone put here\n".repeat(500)),
        ("cut", good[..good.len() / 2].to_vec()),
    ];
    for at in (0..good.len()).step_by(good.len() / 12) {
        let mut scratched = good.clone();
        scratched[at..(at + 200).min(good.len())].fill(0xa5);
        cases.push(("scratched", scratched));
    }
    let mut moved = 0;
    for (what, bytes) in cases {
        std::fs::write(&path, &bytes).unwrap();
        let (_, saved) = Store::open(&path).unwrap();
        if aside(&path).exists() {
            assert!(saved.epoch.is_none() && saved.topics.is_empty(), "{what}");
            std::fs::remove_file(aside(&path)).unwrap();
            moved += 1;
        } else {
            // A scratch where nothing lay.
            assert!(what == "scratched" || what == "empty space", "{what}");
            for topic in &saved.topics {
                for tick in &topic.past {
                    assert_eq!(*tick.value, *format!("{{\"said\":{}}}", tick.seq).as_bytes());
                }
            }
        }
        std::fs::remove_file(&path).unwrap();
    }
    assert!(moved >= 6, "{moved} were found to be damaged");
}

#[test]
fn a_place_that_cannot_be_written_is_told_with_its_name() {
    let error = Store::open(Path::new("/nowhere/at/all")).unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all") && error.contains("folder"), "{error}");
}

/// After a batch that failed, what is on disk must have no hole: nothing is written until everything is.
#[test]
fn after_a_failure_everything_is_asked_for_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past");
    let (Store { file, .. }, _) = Store::open(&path).unwrap();
    file.begin("e1").unwrap();
    let state = State { is_idle: AtomicBool::new(false), has_failed: AtomicBool::new(false) };
    let mut disk_is_full = true;
    let mut run = |jobs_of: Vec<Job>| {
        let (jobs, waiting) = sync_channel(9);
        jobs_of.into_iter().for_each(|job| jobs.send(job).unwrap());
        drop(jobs);
        let write = |batch: &Batch, is_last| match std::mem::take(&mut disk_is_full) {
            true => Err(redb::Error::Io(io::ErrorKind::StorageFull.into())),
            false => file.write(batch, is_last),
        };
        write_all(write, &waiting, &state, &metrics(), &path);
        state.has_failed.swap(false, Ordering::AcqRel)
    };
    assert!(run(vec![Job::Write(batch("f.a", 0, 1..=2)), Job::Write(batch("f.a", 0, 3..=4))]));
    assert!(file.load().unwrap().topics.is_empty(), "3 and 4 without 1 and 2 would be a lie");
    assert!(!run(vec![Job::Last(Batch { all: true, ..batch("f.a", 0, 1..=5) })]));
    let saved = file.load().unwrap();
    assert_eq!((saved.is_whole, told(&saved)), (true, vec![("f.a", 0, vec![1, 2, 3, 4, 5])]));
}
