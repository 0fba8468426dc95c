//! `compression` in `[server]`: false, true, or how.

use tickerd_model::wire::deflate::{Settings, WINDOW_BITS_MAX, WINDOW_BITS_MIN};

use crate::document::Value;
use crate::reader::{boolean, integer, size};
use crate::section::Section;

const KEY: &str = "compression";

/// Reads the key of `[server]` in any of its forms. `None` is off.
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
        // A tick is compressed once for all clients that get it, so a higher level costs little.
        level: section.take("level", default.level, integer(1..=9)),
        // A smaller window saves memory in clients. A window longer than a message has no use.
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
