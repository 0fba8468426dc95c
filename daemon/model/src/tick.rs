//! What a sample became: checked, stamped, and, once the board has it, numbered.

use std::sync::Arc;

use super::topic::Topic;

/// One accepted value of one topic.
#[derive(Debug, Clone)]
pub struct Tick {
    /// Whose value it is.
    pub topic: Topic,
    /// Counts the topic's samples from 1, merged ones included; 0 until the board numbered it.
    pub seq: u64,
    /// Counts all samples of the process, merged ones included; 0 until the board numbered it. Never less than `seq`.
    pub n: u64,
    /// When normalise accepted the sample, Unix milliseconds.
    pub ts: u64,
    /// The source's own time, Unix milliseconds; 0 means unknown.
    pub src_ts: u64,
    /// The client that published it, as others address it; a feed's ticks have none.
    pub from: Option<Arc<str>>,
    /// One JSON value without whitespace outside its strings.
    pub value: Box<[u8]>,
    /// How many earlier samples of this topic it stands for besides itself: they were merged or dropped before the
    /// board saw them, and `seq` advances over them.
    pub merged: u64,
}

/// The year 2001 in Unix milliseconds. A source's time before it is none: seconds that were taken for milliseconds, mostly.
const SOURCE_TIME_MIN: u64 = 978_307_200_000;

impl Tick {
    /// How old the value was by its source's own time when it was accepted, in milliseconds; 0 where that is not known, or in
    /// the future.
    pub fn source_age_ms(&self) -> u64 {
        if self.src_ts < SOURCE_TIME_MIN { 0 } else { self.ts.saturating_sub(self.src_ts) }
    }
}
