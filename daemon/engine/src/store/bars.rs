//! Bars on disk: rows by period, time and topic, so that new ones come at one end and old ones go at the other.

use std::collections::HashMap;

use redb::{Error, ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction};

use super::row::LeftOut;
use tickerd_model::bars::LAPSED;
use tickerd_model::bars::clock::Unknown;
use tickerd_model::bars::saving::{Batch, Key, Named, Saved, Sizes, Times, read_row};
use tickerd_model::normalise::check_kind;
use tickerd_model::topic;

/// By the topic's number: its name, kind and field, each after its length, and since when its ticks are in bars.
const NAMES: TableDefinition<u32, &[u8]> = TableDefinition::new("bar_topics");
/// By the topic's name: what is known of its field of sizes. It is a table of its own, which an earlier version passes over.
const SIZES: TableDefinition<&str, &[u8]> = TableDefinition::new("bar_sizes");
/// By period in seconds, slot, and the topic's number.
const BARS: TableDefinition<(u32, u64, u32), &[u8]> = TableDefinition::new("bars");
/// What is known of the time. A time of which nothing is known has its end under its start.
const TIMES: TableDefinition<&str, u64> = TableDefinition::new("bar_times");
/// In [`TIMES`] before a period in seconds: bars of it before this time may be gone.
const LOST: &str = "lost/";
/// See [`TIMES`].
const UNKNOWN: TableDefinition<u64, u64> = TableDefinition::new("bar_unknown");

/// A topic's row begins with it if lengths have two bytes, since the field's name needs that. Otherwise the length of the topic's
/// name stands there, which is never 0.
const LONG: u8 = 0;
/// Marks of what is known of the field of sizes.
const UNSAID: u8 = 0;
const NOTHING: u8 = 1;
const OF: u8 = 2;
/// Unix milliseconds above this are of no clock.
const TIME_MAX: u64 = LAPSED;

/// Everything there is. Rows that nobody could have written are left out.
pub fn load(read: &ReadTransaction, left_out: &mut LeftOut) -> Result<Saved, Error> {
    let names = match read.open_table(NAMES) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Saved::default()),
        names => names?,
    };
    let sizes = match read.open_table(SIZES) {
        Err(TableError::TableDoesNotExist(_)) => None,
        sizes => Some(sizes?),
    };
    let mut saved = Saved::default();
    let mut by_number = HashMap::new();
    for found in names.iter()? {
        let (number, bytes) = found?;
        let Some(mut named) = read_name(number.value(), bytes.value()) else {
            left_out.note(|| format!("what it says of the topic {} of bars", number.value()));
            continue;
        };
        let row = sizes.as_ref().map(|sizes| sizes.get(&*named.topic)).transpose()?.flatten();
        named.sizes = row.map_or(Sizes::Unsaid, |row| read_sizes(row.value()));
        by_number.insert(named.number, saved.names.len());
        saved.names.push(named);
    }
    let bars = read.open_table(BARS)?;
    for found in bars.iter()? {
        let (key, row) = found?;
        let (period_s, slot, topic) = key.value();
        // What a topic that went has left gets too old by itself.
        let Some(named) = by_number.get(&topic).and_then(|at| saved.names.get_mut(*at)) else { continue };
        let end = slot.checked_add(1).and_then(|next| next.checked_mul(u64::from(period_s) * 1_000));
        let end = end.filter(|end| *end <= TIME_MAX);
        match read_row(slot, row.value()).filter(|_| end.is_some()) {
            Some(bar) => saved.rows.push((Key { period_s, slot, topic }, bar)),
            None => {
                left_out.note(|| format!("the bar {slot} of {period_s} s of {:?}", named.topic));
                // Else it would be a time without ticks.
                named.since = named.since.max(end.unwrap_or(0));
            }
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
    Ok(saved)
}

/// Writes what changed.
pub fn put(write: &WriteTransaction, batch: &Batch) -> Result<(), Error> {
    if batch.times.began == 0 {
        return Ok(());
    }
    if batch.all {
        write.delete_table(NAMES)?;
        write.delete_table(SIZES)?;
        write.delete_table(BARS)?;
    }
    let mut names = write.open_table(NAMES)?;
    let mut sizes = write.open_table(SIZES)?;
    let mut bars = write.open_table(BARS)?;
    for (period_s, topics) in cuts_of(&batch.cuts) {
        let first = topics.values().copied().min().unwrap_or(u64::MAX);
        let is_kept = |slot: u64, topic: &u32| topics.get(topic).is_none_or(|from| slot < *from);
        bars.retain_in((period_s, first, 0)..=(period_s, u64::MAX, u32::MAX), |key, _| {
            is_kept(key.1, &key.2)
        })?;
    }
    for number in &batch.gone {
        let gone = names.remove(number)?.and_then(|row| read_name(*number, row.value()));
        if let Some(gone) = gone {
            sizes.remove(&*gone.topic)?;
        }
    }
    for named in &batch.names {
        // A name that is too long for that is longer than any value, so that no bar is of it.
        if let Some(row) = write_name(named) {
            names.insert(named.number, row.as_slice())?;
            sizes.insert(&*named.topic, write_sizes(&named.sizes).as_slice())?;
        }
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

/// `None`: it does not fit.
fn write_name(named: &Named) -> Option<Vec<u8>> {
    let texts = [&*named.topic, &*named.kind, &*named.field];
    let is_long = texts.iter().any(|text| text.len() > usize::from(u8::MAX));
    let mut row = if is_long { vec![LONG] } else { Vec::new() };
    for text in texts {
        match is_long {
            true => row.extend_from_slice(&u16::try_from(text.len()).ok()?.to_be_bytes()),
            false => row.push(u8::try_from(text.len()).ok()?),
        }
        row.extend_from_slice(text.as_bytes());
    }
    row.extend_from_slice(&named.since.to_be_bytes());
    Some(row)
}

/// Reads what [`write_name`] wrote; `None` if nobody could have.
fn read_name(number: u32, row: &[u8]) -> Option<Named> {
    let long = row.strip_prefix(&[LONG]);
    let mut row = long.unwrap_or(row);
    let mut text = || {
        let length = match long {
            Some(_) => u16::from_be_bytes(*take(&mut row)?),
            None => u16::from(u8::from_be_bytes(*take(&mut row)?)),
        };
        let (text, rest) = row.split_at_checked(usize::from(length))?;
        row = rest;
        std::str::from_utf8(text).ok()
    };
    let (topic, kind, field) = (text()?, text()?, text()?);
    topic::check(topic.as_bytes()).ok()?;
    check_kind(kind.as_bytes()).ok()?;
    let since = u64::from_be_bytes(row.try_into().ok()?).min(TIME_MAX);
    let (topic, kind, field) = (topic.into(), kind.into(), field.into());
    Some(Named { number, topic, kind, field, sizes: Sizes::Unsaid, since })
}

fn write_sizes(sizes: &Sizes) -> Vec<u8> {
    match sizes {
        Sizes::Unsaid => vec![UNSAID],
        Sizes::Nothing => vec![NOTHING],
        Sizes::Of(field) => [&[OF], field.as_bytes()].concat(),
    }
}

/// What nobody could have written says nothing.
fn read_sizes(row: &[u8]) -> Sizes {
    match row.split_first() {
        Some((&NOTHING, [])) => Sizes::Nothing,
        Some((&OF, field)) => {
            std::str::from_utf8(field).map_or(Sizes::Unsaid, |field| Sizes::Of(field.into()))
        }
        _ => Sizes::Unsaid,
    }
}

fn take<'a, const N: usize>(row: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = row.split_first_chunk()?;
    *row = rest;
    Some(taken)
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
            sizes: Sizes::Nothing,
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
        let saved = load(&database.begin_read().unwrap(), &mut LeftOut::default()).unwrap();
        let slots_of = |number| {
            let rows = saved.rows.iter().filter(move |(key, _)| key.topic == number);
            rows.map(|(key, _)| key.slot).collect::<Vec<_>>()
        };
        assert_eq!(slots_of(0), [1, 2, 3, 4, 5, 6]);
        assert_eq!(slots_of(1), [1, 2, 3, 4, 5, 6, 8]);
        assert_eq!(slots_of(topics - 1).len(), 20);
        assert_eq!(saved.rows.len(), 6 * (topics as usize - 1) + 1 + 20);
    }

    fn named() -> Named {
        Named {
            number: 7,
            topic: "f.a".into(),
            kind: "quote".into(),
            field: "price".into(),
            sizes: Sizes::Of("size".into()),
            since: 4,
        }
    }

    #[test]
    fn names_are_read_as_they_were_written() {
        let named = || Named { sizes: Sizes::Unsaid, ..named() };
        let long = "ä".repeat(20_000);
        for field in ["", "price", &"x".repeat(255), &format!("{}ä", "x".repeat(254)), &long] {
            let named = Named { field: field.into(), ..named() };
            let row = write_name(&named).unwrap();
            for bytes in (0..row.len()).step_by(1 + row.len() / 1_000) {
                assert_eq!(read_name(7, &row[..bytes]), None, "cut at {bytes}");
            }
            assert_eq!(read_name(7, &row), Some(named));
        }
        let read = |named: &Named| read_name(7, &write_name(named).unwrap());
        assert_eq!(read(&Named { topic: "f..a".into(), ..named() }), None);
        assert_eq!(read(&Named { kind: "Q".into(), ..named() }), None);
        assert_eq!(write_name(&Named { field: "x".repeat(65_536).into(), ..named() }), None);
        for sizes in [Sizes::Unsaid, Sizes::Nothing, Sizes::Of("".into()), Sizes::Of(long.into())] {
            assert_eq!(read_sizes(&write_sizes(&sizes)), sizes);
        }
        assert_eq!([&b""[..], b"\x01x", b"\x02\xff", b"\x07"].map(read_sizes), [const { Sizes::Unsaid }; 4]);
    }

    /// An earlier version reads what this one writes, and the other way round: an upgrade can be undone.
    #[test]
    fn names_are_those_of_an_earlier_version() {
        let row = b"\x03f.a\x05quote\x05price\0\0\0\0\0\0\0\x04";
        assert_eq!(write_name(&named()).unwrap(), row);
        assert_eq!(read_name(7, row), Some(Named { sizes: Sizes::Unsaid, ..named() }));
    }

    /// What is known of sizes goes with its topic, also if the topic comes back in the same breath.
    #[test]
    fn sizes_go_with_their_topics() {
        let base = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let times = Times { began: 1, until: 2, ..Times::default() };
        let other = Named { number: 8, topic: "f.b".into(), ..named() };
        write(
            &base,
            &Batch { names: vec![named(), other.clone()], times: times.clone(), ..Batch::default() },
        );
        let again = Named { number: 9, sizes: Sizes::Nothing, ..named() };
        write(&base, &Batch { gone: vec![7, 8], names: vec![again.clone()], times, ..Batch::default() });
        let read = base.begin_read().unwrap();
        assert_eq!(load(&read, &mut LeftOut::default()).unwrap().names, [again]);
        assert!(read.open_table(SIZES).unwrap().get("f.b").unwrap().is_none());
    }

    /// Rows that nobody could have written are counted, and no bar is made of them. All others are there.
    #[test]
    fn rows_that_are_none_are_left_out() {
        let figure = Decimal::read(b"\"0.10\"").unwrap();
        let bar = Bar::of(29_000_000, &Mark { figure, size: Volume::None, merged: 0 });
        let good = write_row(&bar, false);
        let stored = |slot: u64, row: &[u8]| {
            let base = redb::Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
            let key = |slot, topic| Key { period_s: 60, slot, topic };
            let times =
                Times { began: 1, until: 2, unknown: vec![Unknown { from: 1, to: 2 }], lost: vec![(60, 1)] };
            let rows =
                vec![(key(slot, 7), row.to_vec()), (key(9, 7), good.clone()), (key(9, 8), good.clone())];
            let names = vec![named(), Named { number: 8, kind: "Q".into(), ..named() }];
            write(&base, &Batch { names, rows, times, ..Batch::default() });
            let mut left_out = LeftOut::default();
            (load(&base.begin_read().unwrap(), &mut left_out).unwrap(), left_out)
        };
        let (saved, left_out) = stored(bar.slot, &good);
        assert_eq!(saved.rows.iter().map(|(key, _)| key.slot).collect::<Vec<_>>(), [9, bar.slot]);
        assert_eq!(saved.rows.last().map(|(_, saved)| &saved.bar), Some(&bar));
        assert_eq!((saved.names.as_slice(), saved.times.unknown.len()), (&[named()][..], 1));
        assert_eq!(saved.times.lost, [(60, 1)]);
        assert_eq!((left_out.rows, &*left_out.first), (1, "what it says of the topic 8 of bars"));
        for row in [&b""[..], b"\x07", &good[..good.len() - 1], &[&good[..], b"x"].concat()] {
            let (saved, left_out) = stored(bar.slot, row);
            assert_eq!((saved.rows.len(), left_out.rows), (1, 2), "{row:?}");
            assert_eq!(saved.names[0].since, (bar.slot + 1) * 60_000, "it is no time without ticks");
        }
        // Of no clock.
        let (saved, left_out) = stored(u64::MAX / 2, &good);
        assert_eq!((saved.rows.len(), left_out.rows, saved.names[0].since), (1, 2, 4));
    }
}
