//! A sample that was checked and got a time; the board then numbers it.

use std::sync::Arc;

use crate::topic::Topic;

/// One accepted value of one topic.
#[derive(Debug, Clone)]
pub struct Tick {
    /// The topic whose value it is.
    pub topic: Topic,
    /// Counts the topic's samples from 1, merged ones included; 0 until the board numbered it.
    pub seq: u64,
    /// Counts all samples of the process, merged ones included; 0 until the board numbered it. Never less than `seq`.
    pub n: u64,
    /// When the normaliser accepted the sample, in Unix milliseconds.
    pub ts: u64,
    /// The source's own time, Unix milliseconds; 0 means unknown.
    pub src_ts: u64,
    /// The address of the client that published it. `None` for a feed's ticks.
    pub from: Option<Arc<str>>,
    /// One JSON value without whitespace outside its strings.
    pub value: Box<[u8]>,
    /// How many earlier samples of this topic it replaces. They were merged or dropped before the board saw them, and
    /// `seq` counts them.
    pub merged: u64,
}

/// The year 2001 in Unix milliseconds. A source time before it is not used: most often it is in seconds instead of
/// milliseconds.
const SOURCE_TIME_MIN: u64 = 978_307_200_000;

impl Tick {
    /// How old the value was by its source's own time when it was accepted, in milliseconds. 0 if that time is not
    /// known or is in the future.
    pub fn source_age_ms(&self) -> u64 {
        if self.src_ts < SOURCE_TIME_MIN { 0 } else { self.ts.saturating_sub(self.src_ts) }
    }
}
