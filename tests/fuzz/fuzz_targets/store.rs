//! A file of the past that anyone may have written: it is read, or moved aside, and what is read of it is right.
//!
//! The input is rows, each behind a byte for its table, its key's length, and its value's in two bytes.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use redb::{Database, Durability, TableDefinition};
use tickerd_engine::store::{Saved, Store};
use tickerd_model::topic;

const TEXTS: TableDefinition<&str, &str> = TableDefinition::new("texts");
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
const TOPICS: TableDefinition<&str, &[u8]> = TableDefinition::new("topics");
const TICKS: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("ticks");
const NAMES: TableDefinition<u32, &[u8]> = TableDefinition::new("bar_topics");
const BARS: TableDefinition<(u32, u64, u32), &[u8]> = TableDefinition::new("bars");
const TIMES: TableDefinition<&str, u64> = TableDefinition::new("bar_times");
const UNKNOWN: TableDefinition<u64, u64> = TableDefinition::new("bar_unknown");
/// Rows of one input; more only take longer.
const ROWS_MAX: usize = 64;

/// In memory, where there is such a folder.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = folder.join(format!("tickerd-fuzz-store-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder of temporary files can be written");
    folder
});

/// The first eight bytes as a number, and the rest.
fn number(bytes: &[u8]) -> (u64, &[u8]) {
    match bytes.split_first_chunk() {
        Some((number, rest)) => (u64::from_le_bytes(*number), rest),
        None => (bytes.len() as u64, &[]),
    }
}

fn write(path: &Path, mut input: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let database = Database::create(path)?;
    let mut write = database.begin_write()?;
    // The file is in memory, and read at once.
    write.set_durability(Durability::None)?;
    {
        let (mut texts, mut numbers) = (write.open_table(TEXTS)?, write.open_table(NUMBERS)?);
        let (mut topics, mut ticks) = (write.open_table(TOPICS)?, write.open_table(TICKS)?);
        let (mut names, mut bars) = (write.open_table(NAMES)?, write.open_table(BARS)?);
        let (mut times, mut unknown) = (write.open_table(TIMES)?, write.open_table(UNKNOWN)?);
        numbers.insert("format", 1)?;
        // Else any tick would be newer than the newest.
        numbers.insert("n", 1 << 52)?;
        for _ in 0..ROWS_MAX {
            let Some((&[table, length, high, low], rest)) = input.split_first_chunk() else { break };
            let (key, rest) = rest.split_at(usize::from(length).min(rest.len()));
            let (value, rest) = rest.split_at(usize::from(u16::from_be_bytes([high, low])).min(rest.len()));
            input = rest;
            let (text, (of_value, _)) = (String::from_utf8_lossy(key), number(value));
            match table % 8 {
                0 => drop(texts.insert(&*text, &*String::from_utf8_lossy(value))?),
                1 => drop(numbers.insert(&*text, of_value)?),
                2 => drop(topics.insert(&*text, value)?),
                3 => {
                    let (seq, name) = number(key);
                    drop(ticks.insert((&*String::from_utf8_lossy(name), seq), value)?);
                }
                4 => drop(names.insert(number(key).0 as u32, value)?),
                5 => {
                    let (slot, rest) = number(key);
                    let (period_and_topic, _) = number(rest);
                    let key = ((period_and_topic >> 32) as u32, slot, period_and_topic as u32);
                    drop(bars.insert(key, value)?);
                }
                6 => drop(times.insert(&*text, of_value)?),
                _ => drop(unknown.insert(number(key).0, of_value)?),
            }
        }
    }
    write.commit()?;
    Ok(())
}

fn is_right(saved: &Saved) {
    for topic in &saved.topics {
        let (newest, past) = (&topic.newest, &topic.past);
        assert!(topic::check(newest.topic.name().as_bytes()).is_ok());
        assert!(topic.floor <= newest.seq && newest.n <= saved.n);
        assert!(past.iter().all(|tick| tick.seq > topic.floor && tick.seq <= newest.seq));
        assert!(past.is_sorted_by(|one, next| one.seq < next.seq && one.n < next.n));
        for tick in past.iter().chain([newest]) {
            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&tick.value).is_ok());
        }
    }
    for named in &saved.bars.names {
        assert!(topic::check(named.topic.as_bytes()).is_ok());
    }
}

fuzz_target!(|input: &[u8]| {
    let (path, aside) = (FOLDER.join("past"), FOLDER.join("past.damaged"));
    for left in [&path, &aside] {
        let _ = std::fs::remove_file(left);
    }
    write(&path, input).expect("a new file can be written");
    let (_, saved) = Store::open(&path).expect("it keeps nobody from starting");
    is_right(&saved);
    assert!(!aside.exists() || saved.topics.is_empty() && saved.bars.names.is_empty());
});
