//! Bars on disk: rows by period, time and topic, so that new ones come at one end and old ones go at the other.

use std::collections::HashMap;

use redb::{Error, ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction};

use tickerd_model::bars::clock::Unknown;
use tickerd_model::bars::saving::{Batch, Key, Named, Saved, Times, read_row};
use tickerd_model::normalise::check_kind;
use tickerd_model::topic;

/// By the topic's number: its name, kind and field, each after its length, and since when its ticks are in bars.
const NAMES: TableDefinition<u32, &[u8]> = TableDefinition::new("bar_topics");
/// By period in seconds, slot, and the topic's number.
const BARS: TableDefinition<(u32, u64, u32), &[u8]> = TableDefinition::new("bars");
/// What is known of the time. A time of which nothing is known has its end under its start.
const TIMES: TableDefinition<&str, u64> = TableDefinition::new("bar_times");
/// In [`TIMES`] before a period in seconds: bars of it before this time may be gone.
const LOST: &str = "lost/";
/// See [`TIMES`].
const UNKNOWN: TableDefinition<u64, u64> = TableDefinition::new("bar_unknown");

/// Longest name of a field.
const FIELD_BYTES_MAX: usize = 255;
/// Unix milliseconds above this are of no clock.
const TIME_MAX: u64 = 1 << 53;

/// Everything there is; rows that nobody could have written are an error that says so.
pub fn load(read: &ReadTransaction) -> Result<Result<Saved, String>, Error> {
    let names = match read.open_table(NAMES) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Ok(Saved::default())),
        names => names?,
    };
    let mut saved = Saved::default();
    let mut by_number = HashMap::new();
    for found in names.iter()? {
        let (number, bytes) = found?;
        let Some(named) = read_name(number.value(), bytes.value()) else {
            return Ok(Err(format!("what it says of the topic {} of bars is not usable", number.value())));
        };
        by_number.insert(named.number, saved.names.len());
        saved.names.push(named);
    }
    let bars = read.open_table(BARS)?;
    for found in bars.iter()? {
        let (key, row) = found?;
        let (period_s, slot, topic) = key.value();
        // What a topic that went has left gets too old by itself.
        if !by_number.contains_key(&topic) {
            continue;
        }
        let is_time = u64::from(period_s).checked_mul(1_000).and_then(|ms| slot.checked_mul(ms));
        match read_row(slot, row.value()).filter(|_| is_time.is_some_and(|ms| ms <= TIME_MAX)) {
            Some(bar) => saved.rows.push((Key { period_s, slot, topic }, bar)),
            None => return Ok(Err(format!("its bar {slot} of {period_s} s is not usable"))),
        }
    }
    let times = read.open_table(TIMES)?;
    let time = |key| times.get(key).map(|found| found.map_or(0, |time| time.value()).min(TIME_MAX));
    saved.times = Times { began: time("began")?, until: time("until")?, ..Times::default() };
    for found in times.iter()? {
        let (key, time) = found?;
        if let Some(period_s) = key.value().strip_prefix(LOST).and_then(|period| period.parse().ok()) {
            saved.times.lost.push((period_s, time.value().min(TIME_MAX)));
        }
    }
    for found in read.open_table(UNKNOWN)?.iter()? {
        let (from, to) = found?;
        saved.times.unknown.push(Unknown { from: from.value().min(TIME_MAX), to: to.value().min(TIME_MAX) });
    }
    Ok(Ok(saved))
}

/// Writes what changed.
pub fn put(write: &WriteTransaction, batch: &Batch) -> Result<(), Error> {
    if batch.times.began == 0 {
        return Ok(());
    }
    if batch.all {
        write.delete_table(NAMES)?;
        write.delete_table(BARS)?;
    }
    let mut names = write.open_table(NAMES)?;
    let mut bars = write.open_table(BARS)?;
    for (period_s, topics) in cuts_of(&batch.cuts) {
        let first = topics.values().copied().min().unwrap_or(u64::MAX);
        let is_kept = |slot: u64, topic: &u32| topics.get(topic).is_none_or(|from| slot < *from);
        bars.retain_in((period_s, first, 0)..=(period_s, u64::MAX, u32::MAX), |key, _| {
            is_kept(key.1, &key.2)
        })?;
    }
    for number in &batch.gone {
        names.remove(number)?;
    }
    for named in &batch.names {
        names.insert(named.number, write_name(named).as_slice())?;
    }
    for (Key { period_s, slot, topic }, row) in &batch.rows {
        bars.insert((*period_s, *slot, *topic), row.as_slice())?;
    }
    for (period_s, slot) in batch.floors.iter().filter(|(_, slot)| *slot > 0) {
        bars.retain_in((*period_s, 0, 0)..(*period_s, *slot, 0), |_, _| false)?;
    }
    write.delete_table(TIMES)?;
    let mut times = write.open_table(TIMES)?;
    for (period_s, lost) in &batch.times.lost {
        times.insert(format!("{LOST}{period_s}").as_str(), *lost)?;
    }
    times.insert("began", batch.times.began)?;
    times.insert("until", batch.times.until)?;
    write.delete_table(UNKNOWN)?;
    let mut unknown = write.open_table(UNKNOWN)?;
    for time in &batch.times.unknown {
        unknown.insert(time.from, time.to)?;
    }
    Ok(())
}

/// By period and topic, from which slot on rows go. If the clock is set back, that is so for every topic: one pass over the rows of a
/// period does for all.
fn cuts_of(cuts: &[Key]) -> HashMap<u32, HashMap<u32, u64>> {
    let mut all: HashMap<u32, HashMap<u32, u64>> = HashMap::new();
    for Key { period_s, slot, topic } in cuts {
        let from = all.entry(*period_s).or_default().entry(*topic).or_insert(*slot);
        *from = (*slot).min(*from);
    }
    all
}

fn write_name(named: &Named) -> Vec<u8> {
    let field = named.field.get(..FIELD_BYTES_MAX).unwrap_or(&named.field);
    let mut row = Vec::new();
    for text in [&*named.topic, &*named.kind, field] {
        row.push(text.len() as u8);
        row.extend_from_slice(text.as_bytes());
    }
    row.extend_from_slice(&named.since.to_be_bytes());
    row
}

/// Reads what [`write_name`] wrote; `None` if nobody could have.
fn read_name(number: u32, row: &[u8]) -> Option<Named> {
    let mut left = row;
    let mut text = || {
        let (length, rest) = left.split_first()?;
        let (text, rest) = rest.split_at_checked(usize::from(*length))?;
        left = rest;
        std::str::from_utf8(text).ok()
    };
    let (topic, kind, field) = (text()?, text()?, text()?);
    topic::check(topic.as_bytes()).ok()?;
    check_kind(kind.as_bytes()).ok()?;
    let since = u64::from_be_bytes(left.try_into().ok()?).min(TIME_MAX);
    Some(Named { number, topic: topic.into(), kind: kind.into(), field: field.into(), since })
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;
    use redb::{Database, ReadableDatabase};

    use super::*;
    use tickerd_model::bars::bar::{Bar, Mark, Volume};
    use tickerd_model::bars::decimal::Decimal;
    use tickerd_model::bars::saving::write_row;

    fn write(database: &Database, batch: &Batch) {
        let write = database.begin_write().unwrap();
        put(&write, batch).unwrap();
        write.commit().unwrap();
    }

    /// Goal: a clock that is set back with very many topics keeps the disk busy for a moment, not for hours. Method: as many cuts
    /// as there are topics; one pass for each would take minutes.
    #[test]
    fn bars_that_lie_ahead_go_for_all_topics_at_once() {
        let (topics, slots) = (2_000, 20);
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let mark = Mark { figure: Decimal::read(b"1.5").unwrap(), size: Volume::None, merged: 0 };
        let row = |slot| write_row(&Bar::of(slot, &mark), false);
        let key = |slot, topic| Key { period_s: 60, slot, topic };
        let named = |number| Named {
            number,
            topic: format!("f.t{number}").into(),
            kind: "quote".into(),
            field: "price".into(),
            since: 3,
        };
        let times = Times { began: 1, until: 2, ..Times::default() };
        let rows = (1..=slots).flat_map(|slot| (0..topics).map(move |topic| (slot, topic)));
        let rows = rows.map(|(slot, topic)| (key(slot, topic), row(slot))).collect();
        let names = (0..topics).map(named).collect();
        write(&database, &Batch { names, rows, times: times.clone(), ..Batch::default() });
        // The first topic was cut twice, and the last one not at all.
        let cuts = (0..topics - 1).map(|topic| key(7, topic)).chain([key(9, 0)]).collect();
        write(&database, &Batch { cuts, rows: vec![(key(8, 1), row(8))], times, ..Batch::default() });
        let saved = load(&database.begin_read().unwrap()).unwrap().unwrap();
        let slots_of = |number| {
            let rows = saved.rows.iter().filter(move |(key, _)| key.topic == number);
            rows.map(|(key, _)| key.slot).collect::<Vec<_>>()
        };
        assert_eq!(slots_of(0), [1, 2, 3, 4, 5, 6]);
        assert_eq!(slots_of(1), [1, 2, 3, 4, 5, 6, 8]);
        assert_eq!(slots_of(topics - 1).len(), 20);
        assert_eq!(saved.rows.len(), 6 * (topics as usize - 1) + 1 + 20);
    }

    #[test]
    fn names_are_read_as_they_were_written() {
        let named =
            Named { number: 7, topic: "f.a".into(), kind: "quote".into(), field: "price".into(), since: 4 };
        let row = write_name(&named);
        assert_eq!(read_name(7, &row), Some(named.clone()));
        for bytes in 0..row.len() {
            assert_eq!(read_name(7, &row[..bytes]), None, "cut at {bytes}");
        }
        assert_eq!(read_name(7, &write_name(&Named { topic: "f..a".into(), ..named.clone() })), None);
        assert_eq!(read_name(7, &write_name(&Named { kind: "Q".into(), ..named })), None);
    }

    /// Rows that nobody could have written are told, and no bar is made of them.
    #[test]
    fn rows_that_are_none_are_damage() {
        let named =
            Named { number: 7, topic: "f.a".into(), kind: "quote".into(), field: "price".into(), since: 4 };
        let zero = Decimal::read(b"\"0.10\"").unwrap();
        let bar = Bar::of(29_000_000, &Mark { figure: zero, size: Volume::None, merged: 0 });
        let good = write_row(&bar, false);
        let stored = |slot: u64, row: &[u8]| {
            let base = redb::Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
            let write = base.begin_write().unwrap();
            let key = Key { period_s: 60, slot, topic: 7 };
            let times =
                Times { began: 1, until: 2, unknown: vec![Unknown { from: 1, to: 2 }], lost: vec![(60, 1)] };
            let rows = vec![(key, row.to_vec())];
            put(&write, &Batch { names: vec![named.clone()], rows, times, ..Batch::default() }).unwrap();
            write.commit().unwrap();
            load(&base.begin_read().unwrap()).unwrap()
        };
        let saved = stored(bar.slot, &good).unwrap();
        assert_eq!(saved.rows.first().map(|(_, saved)| &saved.bar), Some(&bar));
        assert_eq!((saved.names.as_slice(), saved.times.unknown.len()), (&[named.clone()][..], 1));
        assert_eq!(saved.times.lost, [(60, 1)]);
        for row in [&b""[..], b"\x07", &good[..good.len() - 1], &[&good[..], b"x"].concat()] {
            assert!(stored(bar.slot, row).unwrap_err().contains("is not usable"), "{row:?}");
        }
        // Of no clock.
        assert!(stored(u64::MAX / 2, &good).is_err());
    }
}
