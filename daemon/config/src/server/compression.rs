//! `compression` in `[server]`: false, true, or how.

use std::time::Duration;

use tickerd_model::wire::deflate::{Settings, Sharing, WINDOW_BITS_MAX, WINDOW_BITS_MIN};

use crate::document::Value;
use crate::reader::{boolean, duration, integer, size};
use crate::section::Section;

const KEY: &str = "compression";

/// Reads the key of `[server]` in any of its forms. `None` is off.
pub(super) fn compression(server: &mut Section<'_>) -> Option<Settings> {
    let default = Settings::default();
    let node = server.ask(KEY);
    if let Some(node) = node.filter(|node| !matches!(node.value, Value::Table(_))) {
        let on = boolean(node).unwrap_or_else(|refusals| {
            for mut refusal in refusals {
                refusal.allowed += ", or { level = 6, window_bits = 13, threshold = \"128B\" }";
                server.refuse(KEY, refusal);
            }
            false
        });
        return on.then_some(default);
    }
    let mut section = server.section(KEY);
    // A message that refers to those before it has a fifth of its bytes; one that is compressed alone has three quarters.
    let is_shared = section.take("shared", true, boolean);
    let sharing = Sharing::default();
    let shared = Sharing {
        // A context compresses for its clients alone: fewer do not pay for that.
        members: section.take("members", sharing.members, integer(1..=1_000_000)),
        // Each takes some 200 KiB and its share of a core.
        contexts: section.take("contexts", sharing.contexts, integer(1..=4096)),
        // Who comes or has skipped waits for a start; each start sends what was known once more.
        every: section.take(
            "every",
            sharing.every,
            duration(Duration::from_secs(1), Duration::from_secs(3600)),
        ),
    };
    let read = Settings {
        shared: is_shared.then_some(shared),
        // A tick is compressed once for all clients that get it, so a higher level costs little.
        level: section.take("level", default.level, integer(1..=9)),
        // What is shared costs each client its window. 13 bits hold some 40 quotes.
        window_bits: section.take(
            "window_bits",
            default.window_bits,
            integer(WINDOW_BITS_MIN..=WINDOW_BITS_MAX),
        ),
        // A message shorter than 128 bytes hardly shrinks.
        threshold: section.take("threshold", default.threshold, size(0, 64 << 10)),
    };
    node.map(|_| read)
}
