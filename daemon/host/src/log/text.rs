//! Text that a stranger wrote: made safe to show, cut to a length, and its log level read.

use tracing::Level;

/// Longest text that [`printable`] keeps, in bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// Text of a stranger, made safe for a terminal: control characters are replaced, and it is cut to 8 KiB.
pub fn printable(text: &str) -> String {
    let shown = prefix(text, TEXT_BYTES_MAX);
    let mut clean: String = shown
        .chars()
        .map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if shown.len() < text.len() {
        clean.push('…');
    }
    clean
}

/// The longest prefix of at most `bytes_max` bytes that cuts no character.
pub fn prefix(text: &str, bytes_max: usize) -> &str {
    // A character has at most four bytes, so one of four places is a boundary.
    (0..4).find_map(|back| text.get(..bytes_max.min(text.len()).saturating_sub(back))).unwrap_or_default()
}

/// Splits a line on standard error into its level and the rest. A line may begin with `<3>` to `<7>`, as systemd reads them,
/// or with `E!`, `W!`, `I!` or `D!`, as Telegraf does; any other is at level info.
pub fn leveled(line: &str) -> (Level, &str) {
    let marks = [
        ("<0>", Level::ERROR),
        ("<1>", Level::ERROR),
        ("<2>", Level::ERROR),
        ("<3>", Level::ERROR),
        ("<4>", Level::WARN),
        ("<5>", Level::INFO),
        ("<6>", Level::INFO),
        ("<7>", Level::DEBUG),
        ("E!", Level::ERROR),
        ("W!", Level::WARN),
        ("I!", Level::INFO),
        ("D!", Level::DEBUG),
    ];
    for (mark, level) in marks {
        if let Some(rest) = line.strip_prefix(mark) {
            return (level, rest.trim_start());
        }
    }
    (Level::INFO, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_escapes() {
        assert_eq!(leveled("<3>broken"), (Level::ERROR, "broken"));
        assert_eq!(leveled("W! slow"), (Level::WARN, "slow"));
        assert_eq!(leveled("plain"), (Level::INFO, "plain"));
        assert_eq!(printable("a\x1b[31mb\tc"), "a\u{fffd}[31mb\tc");
        assert!(printable(&"é".repeat(9000)).len() < TEXT_BYTES_MAX + 4);
    }
}
