//! The layout ledgers of `abi/`: what was released is true of today's code, in Rust and in C.
//!
//! A ledger is one line per thing a plugin was compiled with. One that says `status released` never changes. While the
//! newest is open, `TICKERD_BLESS=1 cargo test -p tickerd-sdk --test ledger` appends to it what is new; it never changes
//! a line. `abi/README.md` has the policy.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

mod c;
mod compare;
mod today;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tickerd_sdk::abi::TKR_ABI_MINOR;

use compare::{Ledger, broken};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("abi")
}

fn file(minor: u32) -> PathBuf {
    folder().join(format!("1.{minor}.layout"))
}

/// Every ledger there is, by minor version.
fn ledgers() -> Vec<(u32, Ledger)> {
    let mut ledgers: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name()?.to_str()?.strip_prefix("1.")?.strip_suffix(".layout")?.to_owned();
            let minor = name.parse().unwrap_or_else(|_| panic!("{}: not a minor version", path.display()));
            let ledger = Ledger::read(&std::fs::read_to_string(&path).unwrap());
            Some((minor, ledger.unwrap_or_else(|e| panic!("{}: {e}", path.display()))))
        })
        .collect();
    ledgers.sort_by_key(|(minor, _)| *minor);
    ledgers
}

#[test]
fn what_was_released_is_true_today() {
    let today = today::lines();
    let ledgers = ledgers();
    let minors: Vec<u32> = ledgers.iter().map(|(minor, _)| *minor).collect();
    let wanted: Vec<u32> = (0..=TKR_ABI_MINOR).collect();
    // The newest is looked for below, where it can be begun.
    let but_the_newest = &wanted[..wanted.len() - 1];
    assert!(minors == wanted || minors == but_the_newest, "{minors:?}: one for each up to {TKR_ABI_MINOR}");
    for (minor, ledger) in ledgers {
        let broken = broken(&ledger, &today);
        assert!(broken.is_empty(), "the promise of ABI 1.{minor} is broken:\n{}", broken.join("\n"));
    }
}

/// Goal: nothing new goes unrecorded, and nothing new goes into a minor version that was released without it.
#[test]
fn the_newest_ledger_names_everything() {
    let path = file(TKR_ABI_MINOR);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| compare::opening(TKR_ABI_MINOR));
    let ledger = Ledger::read(&text).unwrap();
    let missing: Vec<String> = today::lines().into_iter().filter(|line| !ledger.has(line)).collect();
    if missing.is_empty() {
        return;
    }
    assert!(
        !ledger.is_released(),
        "ABI 1.{TKR_ABI_MINOR} is released and does not have these; raise TKR_ABI_MINOR, then bless:\n{}",
        missing.join("\n")
    );
    assert!(
        std::env::var_os("TICKERD_BLESS").is_some(),
        "{} lacks lines; run: TICKERD_BLESS=1 cargo test -p tickerd-sdk --test ledger\n{}",
        path.display(),
        missing.join("\n")
    );
    std::fs::write(path, text + &missing.join("\n") + "\n").unwrap();
}

#[test]
fn c_sees_what_rust_sees() {
    let today = today::lines();
    let printed = c::printed(&today, &folder().join("../include")).unwrap();
    assert_eq!(printed, today);
}

/// Goal: a ledger's line about a function's type can fail. Method: one parameter is another one.
#[test]
fn a_changed_parameter_does_not_compile() {
    let include = folder().join("../include");
    for (was, is) in [("int32_t, const char *", "uint64_t, const char *"), ("size_t", "uint32_t")] {
        let mut lines = today::lines();
        let line = lines.iter_mut().find(|line| line.starts_with("field tkr_host log ")).unwrap();
        assert!(line.contains(was), "{line}");
        *line = line.replace(was, is);
        let refused = c::printed(&lines, &include).unwrap_err();
        assert!(refused.contains("the type of tkr_host.log"), "{refused}");
    }
}

/// Goal: the list in `today` cannot forget a constant or a struct. Method: what the header has, and nothing else.
#[test]
fn the_list_is_whole() {
    let header = std::fs::read_to_string(folder().join("../include/tickerd.h")).unwrap();
    let in_header: BTreeSet<String> = header
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            match (words.next()?, words.next()?, words.next()?) {
                ("#define", name, value) => {
                    let number = value.trim_matches(['(', ')']).parse::<i64>().is_ok();
                    (number && name != "TKR_ABI_MINOR").then(|| format!("const {name}"))
                }
                ("typedef", "struct", name) if line.ends_with('{') => Some(format!("struct {name}")),
                _ => None,
            }
        })
        .collect();
    let listed: BTreeSet<String> = today::lines()
        .iter()
        .filter(|line| line.starts_with("const ") || line.starts_with("struct "))
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(listed, in_header);
}
