//! The table of bad input in `tests/README.md` names tests, and these are there.

use std::collections::BTreeSet;
use std::fs;

use super::{root, sources};

const HEADING: &str = "## Bad input: which test shows which row";

#[test]
fn tests_that_the_table_of_bad_input_names_are_there() {
    let page = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let section = page.split(HEADING).nth(1).expect("the table's heading").split("\n## ").next().unwrap();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect())
        .collect();
    let ids: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    for (letter, most) in [('H', 15), ('F', 18), ('R', 14)] {
        for number in 1..=most {
            assert!(ids.contains(&*format!("{letter}{number}")), "the table has no row {letter}{number}");
        }
    }
    let mut faults = Vec::new();
    for row in rows.iter().filter(|row| row.len() == 4 && row[0] != "row") {
        // `file`: `test`, `test`; `file`: …
        for part in row[3].split(';').map(str::trim) {
            let Some((files, tests)) = part.split_once("`: `") else { continue };
            let path = root().join(files.trim_start_matches('`'));
            let text = match path.is_dir() {
                true => {
                    sources(&path).iter().map(|file| fs::read_to_string(path.join(file)).unwrap()).collect()
                }
                false => fs::read_to_string(&path).unwrap_or_default(),
            };
            if text.is_empty() {
                faults.push(format!("{}: there is no {files}", row[0]));
            }
            for test in tests.split(", ").map(|test| test.trim_matches('`')) {
                if !text.contains(&format!("fn {test}(")) {
                    faults.push(format!("{}: {files} has no test {test}", row[0]));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
