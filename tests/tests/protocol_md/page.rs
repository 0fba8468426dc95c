//! The page itself: its examples and its tables.

const TEXT: &str = include_str!("../../../daemon/PROTOCOL.md");

/// What examples are in that are run.
const RUN: &str = "session";
/// What messages are in that one daemon alone does not send or need. They are held to the contract.
const MESSAGES: &str = "json";
/// What other blocks are in: `tests/clients/signed.py` runs those.
const ELSEWHERE: &str = "python";

/// The examples of the page, with the line on which each begins.
pub fn blocks() -> Vec<(usize, Vec<&'static str>)> {
    blocks_of(RUN)
}

/// The messages of the page that stand in no example.
pub fn messages() -> Vec<&'static str> {
    blocks_of(MESSAGES).into_iter().flat_map(|(_, lines)| lines).collect()
}

fn blocks_of(wanted: &str) -> Vec<(usize, Vec<&'static str>)> {
    // `None` outside of blocks, `Some(false)` within one that is not wanted.
    let (mut blocks, mut open): (Vec<(usize, Vec<&str>)>, Option<bool>) = (Vec::new(), None);
    for (at, line) in TEXT.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(mark), None) => {
                assert!(
                    [RUN, MESSAGES, ELSEWHERE].contains(&mark),
                    "line {}: an example that is not run may be untrue",
                    at + 1
                );
                if mark == wanted {
                    blocks.push((at + 1, Vec::new()));
                }
                open = Some(mark == wanted);
            }
            (Some(_), Some(_)) => open = None,
            (None, Some(true)) => blocks.last_mut().unwrap().1.push(line),
            (None, _) => {}
        }
    }
    assert!(open.is_none(), "the last block has no end");
    blocks
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
