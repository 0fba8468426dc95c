//! `compression` in `[server]`: false, true, or how.

use super::document::Value;
use super::reader::{boolean, integer, size};
use super::section::Section;

const KEY: &str = "compression";

/// How frames are compressed for clients that offer permessage-deflate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    /// How hard is tried.
    ///
    /// Range 1..=9; default 6. A tick is compressed once for all who get it, so this costs little.
    pub level: usize,
    /// How far back a repetition may be, as a power of two of bytes.
    ///
    /// Range 9..=15; default 15. Smaller saves clients memory; nobody gains from more than a message is long.
    pub window_bits: usize,
    /// Messages shorter than this are sent as they are.
    ///
    /// Range 0B..=64KiB; default 128B: what is shorter hardly shrinks.
    pub threshold: usize,
}

impl Default for Compression {
    fn default() -> Self {
        Compression { level: 6, window_bits: 15, threshold: 128 }
    }
}

impl Compression {
    /// Reads the key of `[server]`, whichever form it has; none is off.
    pub(super) fn read(server: &mut Section<'_>) -> Option<Compression> {
        let default = Compression::default();
        let node = server.ask(KEY);
        if let Some(node) = node.filter(|node| !matches!(node.value, Value::Table(_))) {
            let on = boolean(node).unwrap_or_else(|refusals| {
                for mut refusal in refusals {
                    refusal.allowed += ", or { level = 6, window_bits = 15, threshold = \"128B\" }";
                    server.refuse(KEY, refusal);
                }
                false
            });
            return on.then_some(default);
        }
        let mut section = server.section(KEY);
        let read = Compression {
            level: section.take("level", default.level, integer(1..=9)),
            window_bits: section.take("window_bits", default.window_bits, integer(9..=15)),
            threshold: section.take("threshold", default.threshold, size(0, 64 << 10)),
        };
        node.map(|_| read)
    }
}
