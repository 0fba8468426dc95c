//! The page itself: its examples and its tables.

const TEXT: &str = include_str!("../../../daemon/PROTOCOL.md");

/// What other blocks are in: `tests/clients/signed.py` runs those.
const ELSEWHERE: &str = "python";

/// The examples of the page, with the line on which each begins.
pub fn blocks() -> Vec<(usize, Vec<&'static str>)> {
    let (mut blocks, mut open): (Vec<(usize, &str, Vec<&str>)>, bool) = (Vec::new(), false);
    for (at, line) in TEXT.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(mark) if !open => {
                let known = mark == "session" || mark == ELSEWHERE;
                assert!(known, "line {}: an example that is not run may be untrue", at + 1);
                blocks.push((at + 1, mark, Vec::new()));
                open = true;
            }
            Some(_) => open = false,
            None if open => blocks.last_mut().unwrap().2.push(line),
            None => {}
        }
    }
    assert!(!open, "the last block has no end");
    blocks.into_iter().filter(|(_, mark, _)| *mark == "session").map(|(at, _, lines)| (at, lines)).collect()
}

/// The rows of the first table behind a line that contains this, if one begins before the next heading.
pub fn table_after(mark: &str) -> Vec<Vec<String>> {
    let mut lines = TEXT.lines().skip_while(|line| !line.contains(mark)).skip(1);
    let table =
        lines.by_ref().take_while(|line| !line.starts_with("## ")).skip_while(|line| !line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    table.take_while(|line| line.starts_with('|')).skip(2).map(cells).collect()
}

/// A cell without the marks of code.
pub fn plain(cell: &str) -> &str {
    cell.trim().trim_matches('`')
}
