//! What of the bars has to be saved, and what an earlier run left.

use std::sync::Arc;

use super::bar::Bar;
use super::clock::Unknown;
use super::packed;

/// The field that is added up as volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sizes {
    /// An earlier version did not save it.
    #[default]
    Unsaid,
    /// There is no volume.
    Nothing,
    Of(Box<str>),
}

/// A topic, as rows name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// No other topic of this file ever gets this number.
    pub number: u32,
    pub topic: Arc<str>,
    pub kind: Box<str>,
    pub field: Box<str>,
    pub sizes: Sizes,
    /// Its ticks before this time may be in no bar. [`LAPSED`](super::LAPSED): none are now.
    pub since: u64,
}

/// Where a bar lies on disk. Rows are in the order of time, so that new ones come at one end and old ones go at the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The length of the period in seconds.
    pub period_s: u32,
    pub slot: u64,
    /// The number of the topic.
    pub topic: u32,
}

/// What has to be saved. It is written in this order.
#[derive(Debug, Default)]
pub struct Batch {
    /// Whether everything that was saved earlier is to be deleted first.
    pub all: bool,
    /// Bars that went: all of this topic and period from this slot on.
    pub cuts: Vec<Key>,
    /// Topics that went, by their numbers. Their bars need not be deleted: without a name nobody reads them, and they get old.
    pub gone: Vec<u32>,
    pub names: Vec<Named>,
    pub rows: Vec<(Key, Vec<u8>)>,
    /// By period, in seconds: bars before this slot are too old.
    pub floors: Vec<(u32, u64)>,
    /// What is known of the time.
    pub times: Times,
}

/// Since when and until when something is known, and when nothing is. Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    pub began: u64,
    pub until: u64,
    pub unknown: Vec<Unknown>,
    /// By period that is kept, in seconds: bars before this time may be gone.
    pub lost: Vec<(u32, u64)>,
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub struct Saved {
    pub times: Times,
    pub names: Vec<Named>,
    /// In the order of their keys.
    pub rows: Vec<(Key, SavedBar)>,
}

/// A bar of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedBar {
    pub bar: Bar,
    pub is_open: bool,
}

const CLOSED: u8 = 0;
const OPEN: u8 = 1;

/// A row's bytes.
pub fn write_row(bar: &Bar, is_open: bool) -> Vec<u8> {
    let mut row = Vec::with_capacity(32);
    row.push(if is_open { OPEN } else { CLOSED });
    packed::write(&Bar { slot: 1, ..bar.clone() }, &mut packed::Before::default(), &mut row);
    row
}

/// Reads what [`write_row`] wrote; `None` if nobody could have.
pub fn read_row(slot: u64, row: &[u8]) -> Option<SavedBar> {
    let (mark, bytes) = row.split_first()?;
    let is_open = match *mark {
        CLOSED => false,
        OPEN => true,
        _ => return None,
    };
    let mut reader = packed::Reader::new(bytes);
    let bar = reader.next()?;
    reader.is_done().then_some(SavedBar { bar: Bar { slot, ..bar }, is_open })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bars::packed::tests::bar_at;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        for (slot, is_open) in [(0, false), (1_800_000_000, true)] {
            let bar = bar_at(slot);
            let row = write_row(&bar, is_open);
            assert!(row.len() < 20, "{}", row.len());
            assert_eq!(read_row(slot, &row), Some(SavedBar { bar, is_open }));
            for bytes in 0..row.len() {
                assert_eq!(read_row(slot, &row[..bytes]), None, "cut at {bytes}");
            }
            assert_eq!(read_row(slot, &[&row[..], b"x"].concat()), None);
        }
        assert_eq!(read_row(1, &[7]), None);
    }
}
