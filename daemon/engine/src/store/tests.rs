//! Files that are written, read again, cut, scratched and shared.

use std::sync::Arc;

use prometheus::Registry;
use redb::ReadableTable;

use super::writer::Keeping;
use super::*;
use tickerd_model::history::{Batch, Unsaved};
use tickerd_model::sample::Class;
use tickerd_model::topic::Topic;
use tickerd_model::wire::frame::Frame;

fn frames(topic: &Topic, seqs: std::ops::RangeInclusive<u64>) -> Vec<Arc<Frame>> {
    let tick = |seq: u64| {
        let value = format!("{{\"said\":{seq}}}").as_bytes().into();
        Tick { topic: topic.clone(), seq, n: seq, ts: seq, src_ts: 0, from: None, value, merged: 0 }
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

impl Store {
    /// Goes on under `epoch`.
    fn begin(self, epoch: &str) -> Writer {
        let (epoch_now, writer) = self.start(epoch.into(), || "another".into(), metrics()).unwrap();
        assert_eq!((epoch_now.as_str(), writer.standing().trouble()), (epoch, None));
        writer
    }
}

/// Waits for what another thread does.
fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        std::thread::yield_now();
    }
}

#[test]
fn what_was_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past");
    let (store, saved) = Store::open(&path).unwrap();
    assert!(saved.epoch.is_none() && saved.topics.is_empty());
    let writer = store.begin("e1");
    for part in [batch("f.a", 0, 1..=3), batch("f.a", 2, 4..=5), batch("f.b", 0, 6..=6)] {
        writer.write(part);
        until(|| writer.is_idle());
    }
    assert!(matches!(Store::open(&path), Err(StoreError::Taken(_))), "one process at a time");
    writer.write_last(Batch { gone: vec!["f.b".into()], n: 7, ..batch("f.c", 0, 7..=7) });
    writer.join();
    let (store, saved) = Store::open(&path).unwrap();
    assert_eq!((saved.epoch.as_deref(), saved.is_whole, saved.n), (Some("e1"), true, 7));
    assert_eq!(told(&saved), [("f.a", 2, vec![3, 4, 5]), ("f.c", 0, vec![7])]);
    assert_eq!(&*saved.topics[0].past[0].value, br#"{"said":3}"#);
    // The next run ends without a last batch.
    let writer = store.begin("e1");
    writer.write(Batch { all: true, ..batch("f.d", 0, 8..=8) });
    writer.join();
    let (_, saved) = Store::open(&path).unwrap();
    assert_eq!((saved.is_whole, told(&saved)), (false, vec![("f.d", 0, vec![8])]));
}

#[test]
fn a_run_that_writes_nothing_is_not_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past");
    let writer = Store::open(&path).unwrap().0.begin("e1");
    writer.write_last(batch("f.a", 0, 1..=1));
    writer.join();
    Store::open(&path).unwrap().0.begin("e1").join();
    let (_, saved) = Store::open(&path).unwrap();
    assert_eq!((saved.is_whole, told(&saved)), (false, vec![("f.a", 0, vec![1])]));
}

/// Whatever is wrong with it, it is moved aside and the past begins anew; nothing panics and nothing wrong is read.
#[test]
fn a_damaged_file_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past");
    let writer = Store::open(&path).unwrap().0.begin("e1");
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
        if beside(&path, "damaged").exists() {
            assert!(saved.epoch.is_none() && saved.topics.is_empty(), "{what}");
            std::fs::remove_file(beside(&path, "damaged")).unwrap();
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

/// Rows of topics and ticks are overwritten in a good file. What is left out is counted, and all else is used.
#[test]
fn rows_that_nobody_could_have_written_are_left_out() {
    const TOPICS: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("topics");
    const TICKS: redb::TableDefinition<(&str, u64), &[u8]> = redb::TableDefinition::new("ticks");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past");
    let writer = Store::open(&path).unwrap().0.begin("e1");
    for part in [batch("f.a", 0, 1..=5), batch("f.b", 0, 6..=8), batch("f.c", 0, 9..=9)] {
        writer.write(part);
        until(|| writer.is_idle());
    }
    writer.write_last(batch("f.d", 0, 10..=11));
    writer.join();
    let database = redb::Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    {
        let (mut topics, mut ticks) = (write.open_table(TOPICS).unwrap(), write.open_table(TICKS).unwrap());
        ticks.insert(("f.a", 3), &b"no tick"[..]).unwrap();
        topics.insert("f.c", &b"no topic"[..]).unwrap();
        // In nanoseconds, as an earlier version wrote what a feed said.
        for seq in [10, 11] {
            let mut row = ticks.get(("f.d", seq)).unwrap().unwrap().value().to_vec();
            row[16..24].copy_from_slice(&1_800_000_000_000_000_000u64.to_le_bytes());
            ticks.insert(("f.d", seq), row.as_slice()).unwrap();
        }
    }
    write.commit().unwrap();
    drop(database);
    let (_, saved) = Store::open(&path).unwrap();
    assert_eq!((saved.epoch.as_deref(), saved.is_whole, saved.n), (Some("e1"), true, 11));
    let expected = [("f.a", 3, vec![4, 5]), ("f.b", 0, vec![6, 7, 8]), ("f.d", 0, vec![10, 11])];
    assert_eq!(told(&saved), expected, "a past has no hole");
    assert_eq!((saved.left_out.rows, &*saved.left_out.first), (2, "tick 3 of \"f.a\""));
    assert!(saved.topics[2].past.iter().all(|tick| tick.src_ts == 0));
    assert!(!beside(&path, "damaged").exists());
}

#[test]
fn a_damaged_file_does_not_write_over_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past");
    for number in 1..=ASIDE_MAX + 1 {
        std::fs::write(&path, format!("damaged {number}\n").repeat(500)).unwrap();
        Store::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
    let read = |name: PathBuf| std::fs::read_to_string(name).unwrap();
    assert!(read(beside(&path, "damaged")).starts_with("damaged 1\n"));
    assert!(read(beside(&path, "damaged.2")).starts_with("damaged 2\n"));
    assert!(read(beside(&path, "damaged.9")).starts_with("damaged 10\n"), "the newest one is kept");
    assert_eq!(folder.path().read_dir().unwrap().count(), ASIDE_MAX);
}

/// Goal: a place that cannot be written keeps nobody from starting, and is written once it can be.
#[test]
fn a_folder_that_is_not_there_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later").join("past");
    let (store, saved) = Store::open(&path).unwrap();
    assert!(saved.epoch.is_none());
    let (epoch, writer) = store.start("e1".into(), || "e2".into(), metrics()).unwrap();
    assert_eq!(epoch, "e2", "what is told now may never be written under any epoch");
    let trouble = writer.standing().trouble().unwrap();
    assert!(
        trouble.why.contains("No such file") && trouble.why.contains("the folder must exist"),
        "{trouble:?}"
    );
    assert!(!writer.is_idle() && writer.take_failure());
    // Another run wrote there, which this one has not read.
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let other = folder.path().join("other");
    let earlier = Store::open(&other).unwrap().0.begin("e0");
    earlier.write_last(batch("f.old", 0, 1..=1));
    earlier.join();
    std::fs::rename(&other, &path).unwrap();
    until(|| writer.is_idle());
    assert!(writer.take_failure(), "all of it is wanted");
    writer.write(Batch { all: true, ..batch("f.a", 0, 1..=2) });
    until(|| writer.is_idle());
    assert_eq!(writer.standing().trouble(), None);
    writer.write_last(batch("f.a", 0, 3..=3));
    writer.join();
    let saved = Store::open(&path).unwrap().1;
    assert_eq!((saved.epoch.as_deref(), saved.is_whole), (Some("e2"), true));
    assert_eq!(told(&saved), [("f.a", 0, vec![1, 2, 3])]);
    let unread = Store::open(&beside(&path, "unread")).unwrap().1;
    assert_eq!(told(&unread), [("f.old", 0, vec![1])], "nothing is written over");
}

/// A file that cannot be opened for writing is read, mended in memory if need be, and left as it is.
#[test]
fn a_file_that_cannot_be_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past");
    let writer = Store::open(&path).unwrap().0.begin("e1");
    writer.write(batch("f.a", 0, 1..=3));
    until(|| writer.is_idle());
    // As a crash leaves it.
    let copy = folder.path().join("copy");
    std::fs::copy(&path, &copy).unwrap();
    let bytes = std::fs::read(&copy).unwrap();
    writer.join();
    let saved = read_only(&copy).unwrap();
    assert_eq!((saved.epoch.as_deref(), saved.is_whole), (Some("e1"), false));
    assert_eq!(told(&saved), [("f.a", 0, vec![1, 2, 3])]);
    assert!(std::fs::read(&copy).unwrap() == bytes);
    assert!(read_only(&folder.path().join("none")).is_err());
}

/// After a batch that failed, what is on disk must have no hole: nothing is written until everything is.
#[test]
fn after_a_failure_everything_is_asked_for_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("past");
    let (Store { file, .. }, _) = Store::open(&path).unwrap();
    let file = file.unwrap();
    file.begin("e1").unwrap();
    let standing = Arc::new(Standing::new(path.clone(), metrics()));
    let keeper = Keeper {
        path: path.clone(),
        epoch: "e1".into(),
        file: Some(file),
        is_read: true,
        standing: standing.clone(),
    };
    let mut keeping = Keeping::new(keeper);
    keeping.fail("the disk is full".into());
    keeping.write(&batch("f.a", 0, 1..=2), false);
    assert!(standing.trouble().is_some_and(|trouble| trouble.why == "the disk is full"));
    keeping.open();
    keeping.write(&batch("f.a", 0, 3..=4), false);
    assert!(standing.trouble().is_some(), "3 and 4 without 1 and 2 would be a lie");
    keeping.write(&Batch { all: true, ..batch("f.a", 0, 1..=5) }, true);
    assert_eq!(standing.trouble(), None);
    drop(keeping);
    let saved = Store::open(&path).unwrap().1;
    assert_eq!((saved.is_whole, told(&saved)), (true, vec![("f.a", 0, vec![1, 2, 3, 4, 5])]));
}

/// What redb cannot cope with is a reason like any other.
#[test]
fn a_panic_of_the_writer_is_a_failure() {
    let failed = writer::told(caught(|| -> Result<(), FileError> { panic!("assertion failed: {}", 1) }));
    assert!(failed.unwrap_err().contains("assertion failed: 1"));
}
