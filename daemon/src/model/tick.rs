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
