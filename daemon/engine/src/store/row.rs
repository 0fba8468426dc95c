//! How topics and ticks lie on disk: fixed numbers, little-endian, and then what has no fixed length.
//!
//! What is read is judged as strictly as what a feed says: nobody knows who wrote the file.

use std::path::Path;

use tickerd_model::normalise::{VALUE_BYTES_MAX, VALUE_DEPTH_MAX, check_kind, usable_source_time};
use tickerd_model::rooms::KIND;
use tickerd_model::sample::Class;
use tickerd_model::tick::Tick;
use tickerd_model::topic::{self, Topic};
use tickerd_model::wire::json;

/// Stands in a tick's first number where the publisher's name has more than 255 bytes, so that its length has two bytes.
const LONG_FROM: u64 = 1 << 63;
/// Whole numbers above this are no JSON numbers to many clients; a real one is far below.
const NUMBER_MAX: u64 = 1 << 53;

/// A topic, its newest tick, and up to which number its ticks are gone.
#[derive(Debug, Clone)]
pub struct TopicRow {
    pub newest: Tick,
    pub floor: u64,
}

/// Rows that nobody could have written. What else is in the file is used.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// How many there are.
    pub rows: u64,
    /// What the first one is of.
    pub first: String,
}

impl LeftOut {
    /// One more.
    pub fn note(&mut self, what: impl FnOnce() -> String) {
        if self.rows == 0 {
            self.first = what();
        }
        self.rows += 1;
    }

    /// Says it in the log.
    pub fn tell(&self, path: &Path) {
        if self.rows > 0 {
            tracing::warn!(
                path = %path.display(), rows = self.rows, first = self.first,
                "rows of the file of the past are not usable: they were left out, and all else in it is used"
            );
        }
    }
}

/// A topic's row; its name is the key.
pub fn write_topic(newest: &Tick, floor: u64) -> Vec<u8> {
    let kind = newest.topic.kind().as_bytes();
    let mut row = vec![
        match newest.topic.class() {
            Class::State => 1,
            Class::Event => 2,
        },
        kind.len() as u8,
    ];
    row.extend_from_slice(kind);
    row.extend_from_slice(&floor.to_le_bytes());
    row.extend_from_slice(&newest.seq.to_le_bytes());
    row.extend_from_slice(&write_tick(newest));
    row
}

/// A tick's row; its topic's name and its number are the key.
pub fn write_tick(tick: &Tick) -> Vec<u8> {
    let mut row = Vec::with_capacity(24 + tick.value.len());
    // A publisher's name is far shorter than 64 KiB; one that is not is not kept.
    let from = tick.from.as_deref().unwrap_or_default();
    let (from, length) = u16::try_from(from.len()).map_or(("", 0), |length| (from, length));
    let mark = if length > 255 { LONG_FROM } else { 0 };
    for number in [tick.n | mark, tick.ts, usable_source_time(tick.src_ts)] {
        row.extend_from_slice(&number.to_le_bytes());
    }
    let [low, high] = length.to_le_bytes();
    row.push(low);
    row.extend((mark > 0).then_some(high));
    row.extend_from_slice(from.as_bytes());
    row.extend_from_slice(&tick.value);
    row
}

/// Reads what [`write_topic`] wrote; `None` if nobody could have.
pub fn read_topic(name: &str, mut row: &[u8]) -> Option<TopicRow> {
    topic::check(name.as_bytes()).ok()?;
    let class = match take(&mut row, 1)? {
        [1] => Class::State,
        [2] => Class::Event,
        _ => return None,
    };
    let kind_bytes = usize::from(*take(&mut row, 1)?.first()?);
    let kind = take(&mut row, kind_bytes)?;
    // What clients publish is of a kind that no feed may have.
    let kind = if kind == KIND.as_bytes() { KIND } else { check_kind(kind).ok()? };
    let topic = Topic::new(name, kind, class);
    let (floor, seq) = (number(&mut row)?, number(&mut row)?);
    let newest = read_tick(&topic, seq, row)?;
    (floor <= seq).then_some(TopicRow { newest, floor })
}

/// Reads what [`write_tick`] wrote; `None` if nobody could have.
pub fn read_tick(topic: &Topic, seq: u64, mut row: &[u8]) -> Option<Tick> {
    let marked = any_number(&mut row)?;
    let (n, is_long) = (usable(marked & !LONG_FROM)?, marked & LONG_FROM != 0);
    let ts = number(&mut row)?;
    // An earlier version wrote what the feed said.
    let src_ts = usable_source_time(any_number(&mut row)?);
    let from_bytes = match (take(&mut row, 1)?, is_long) {
        ([low], true) => u16::from_le_bytes([*low, *take(&mut row, 1)?.first()?]),
        (length, _) => u16::from(*length.first()?),
    };
    let from = std::str::from_utf8(take(&mut row, usize::from(from_bytes))?).ok()?;
    if !from.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'-' | b'%')) {
        return None;
    }
    let from = (!from.is_empty()).then(|| from.into());
    let value = Some(row).filter(|value| value.len() <= VALUE_BYTES_MAX);
    let value = json::compact(value?, VALUE_DEPTH_MAX).ok()?;
    let is_numbered = seq > 0 && seq <= NUMBER_MAX && seq <= n;
    is_numbered.then(|| Tick { topic: topic.clone(), seq, n, ts, src_ts, from, value, merged: 0 })
}

fn number(row: &mut &[u8]) -> Option<u64> {
    usable(any_number(row)?)
}

fn any_number(row: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(take(row, 8)?.try_into().ok()?))
}

fn usable(number: u64) -> Option<u64> {
    (number <= NUMBER_MAX).then_some(number)
}

fn take<'a>(row: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, rest) = row.split_at_checked(bytes)?;
    *row = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(value: &str) -> Tick {
        let topic = Topic::new("f.a", "quote", Class::Event);
        Tick {
            topic,
            seq: 5,
            n: 9,
            ts: 3,
            src_ts: 2,
            from: Some("user:ann".into()),
            value: value.as_bytes().into(),
            merged: 0,
        }
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let said = tick(r#"{"p":"1.10"}"#);
        let TopicRow { newest, floor } = read_topic("f.a", &write_topic(&said, 4)).unwrap();
        assert_eq!((newest.topic.kind(), newest.topic.class(), floor), ("quote", Class::Event, 4));
        assert_eq!((newest.seq, newest.n, newest.ts, newest.src_ts), (5, 9, 3, 2));
        assert_eq!((newest.value, newest.from), (said.value, said.from));
    }

    /// Names are written with %, and may be long in letters that take nine bytes so.
    #[test]
    fn a_publishers_name_is_kept_whatever_letters_it_has() {
        for from in [
            "user:ann%40example%2Eorg",
            "user:%E5%BC%A0%7C",
            "conn:a-0-1f",
            &format!("user:{}", "a".repeat(250)),
            &format!("user:{}", "a".repeat(251)),
            // The longest: 128 bytes.
            &format!("user:{}", "%40".repeat(128)),
        ] {
            let said = Tick { from: Some(from.into()), ..tick(r#"{"text":"hi"}"#) };
            let read = read_tick(&said.topic, said.seq, &write_tick(&said)).unwrap();
            assert_eq!(read.from, said.from);
        }
    }

    /// As an earlier version wrote them: a feed had said nanoseconds.
    #[test]
    fn a_source_time_that_is_no_time_is_read_as_unknown() {
        let said = Tick { src_ts: 1_800_000_000_000_000_000, ..tick("1") };
        let mut row = write_tick(&said);
        assert_eq!(row[16..24], [0; 8]);
        row[16..24].copy_from_slice(&said.src_ts.to_le_bytes());
        let read = read_tick(&said.topic, said.seq, &row).unwrap();
        assert_eq!((read.src_ts, read.ts, read.from), (0, said.ts, said.from));
    }

    /// A row as an earlier version wrote it is the same today.
    #[test]
    fn rows_of_an_earlier_version_are_read() {
        let row = b"\x09\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x08user:ann\"hi\"";
        assert_eq!(write_tick(&tick("\"hi\"")), row);
        assert_eq!(read_tick(&tick("1").topic, 5, row).unwrap().from.as_deref(), Some("user:ann"));
    }

    #[test]
    fn what_nobody_wrote_is_not_read() {
        let good = write_topic(&tick("1"), 4);
        assert!(read_topic("f..a", &good).is_none(), "no name");
        assert!(read_topic("f.a", &write_topic(&tick("1"), 6)).is_none(), "more is gone than there was");
        for value in ["", "{", "\"\u{1}\"", "1 2", &"1".repeat(50_000)] {
            assert!(read_topic("f.a", &write_topic(&tick(value), 4)).is_none(), "{value:.20}");
        }
        let by_many = Tick { from: Some(format!("user:{}", "%40".repeat(128)).into()), ..tick("1") };
        for good in [good, write_topic(&by_many, 4)] {
            for bytes in 0..good.len() {
                assert!(read_topic("f.a", &good[..bytes]).is_none(), "cut at {bytes}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_judged(row in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = read_topic("f.a", &row);
        }
    }
}
