//! `compression` in `[server]`: false, true, or how.

use tickerd_model::deflate::{Settings, WINDOW_BITS_MAX, WINDOW_BITS_MIN};

use crate::document::Value;
use crate::reader::{boolean, integer, size};
use crate::section::Section;

const KEY: &str = "compression";

/// Reads the key of `[server]`, whichever form it has; none is off.
pub(super) fn compression(server: &mut Section<'_>) -> Option<Settings> {
    let default = Settings::default();
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
    let read = Settings {
        // A tick is compressed once for all who get it, so that trying harder costs little.
        level: section.take("level", default.level, integer(1..=9)),
        // A smaller window saves clients memory; nobody gains from one that is longer than a message.
        window_bits: section.take(
            "window_bits",
            default.window_bits,
            integer(WINDOW_BITS_MIN..=WINDOW_BITS_MAX),
        ),
        // What is shorter than 128 bytes hardly shrinks.
        threshold: section.take("threshold", default.threshold, size(0, 64 << 10)),
    };
    node.map(|_| read)
}
