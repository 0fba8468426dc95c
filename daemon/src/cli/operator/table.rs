//! Tables, figures and times for a terminal. What others say is made printable first.

use tickerd_host::printable;

/// Cells of one row.
pub type Row = Vec<String>;

/// Columns as wide as their widest cell, two spaces apart; the last one as it comes.
pub fn table(rows: &[Row]) -> String {
    let rows: Vec<Row> = rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or_default()).collect();
    rows.iter()
        .map(|row| {
            let padded: Vec<String> =
                row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
            format!("{}\n", padded.join("  ").trim_end())
        })
        .collect()
}

/// The head of a table.
pub fn head<const N: usize>(names: [&str; N]) -> Row {
    names.map(str::to_owned).to_vec()
}

/// A text, or a dash in its place.
pub fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// A time span in its largest unit: `0.4s`, `12s`, `3m`, `5h`, `9d`.
pub fn span(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{}s", ms / 1_000, ms % 1_000 / 100),
        10_000..120_000 => format!("{}s", ms / 1_000),
        120_000..7_200_000 => format!("{}m", ms / 60_000),
        7_200_000..172_800_000 => format!("{}h", ms / 3_600_000),
        _ => format!("{}d", ms / 86_400_000),
    }
}

/// A number of bytes: `512B`, `65kB`, `12MB`, `3GB`.
pub fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count}B"),
        10_000..10_000_000 => format!("{}kB", count / 1_000),
        10_000_000..10_000_000_000 => format!("{}MB", count / 1_000_000),
        _ => format!("{}GB", count / 1_000_000_000),
    }
}

/// Ticks per second, if known.
pub fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(
            [0, 950, 59_999, 180_000, 7_200_000, 400_000_000].map(span),
            ["0.0s", "0.9s", "59s", "3m", "2h", "4d"]
        );
        assert_eq!([999, 65_000, 12_000_000, 70_000_000_000].map(bytes), ["999B", "65kB", "12MB", "70GB"]);
        assert_eq!([rate(None), rate(Some(2.0))], ["-", "2.0"]);
    }

    #[test]
    fn no_control_character_reaches_a_terminal() {
        let shown = table(&[head(["A", "B"]), vec!["\u{1b}]0;x\u{7}".into(), "\u{9b}2J\r".into()]]);
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }
}
