//! `[history]`: how much of the past is kept for `history` and `since`.

use std::time::Duration;

use super::reader::{duration, integer, size};
use super::section::Section;

/// `[history]`. A topic keeps ticks until any of the three limits is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Ticks kept per topic.
    ///
    /// Range 0..=65_536; default 256. 0 keeps none: `history` answers empty and `since` never recovers.
    pub count: usize,
    /// Age up to which ticks are kept.
    ///
    /// Range 1s..=168h; default 60s: a reconnect after a network change.
    pub age: Duration,
    /// Bytes of all rings together; over it the oldest go first.
    ///
    /// Range 64KiB..=64GiB; default 64MiB.
    pub bytes: usize,
}

impl Default for History {
    fn default() -> Self {
        History { count: 256, age: Duration::from_secs(60), bytes: 64 << 20 }
    }
}

impl History {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = History::default();
        let week = Duration::from_secs(168 * 3_600);
        History {
            count: section.take("count", default.count, integer(0..=65_536)),
            age: section.take("age", default.age, duration(Duration::from_secs(1), week)),
            bytes: section.take("bytes", default.bytes, size(64 << 10, 64 << 30)),
        }
    }
}
