//! What each version has written is still read, and what this one writes is noted.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wire/tests/golden")
}

/// A version that writes other bytes gets a folder of its own, and those before it stay.
#[test]
fn each_message_is_written_as_noted() {
    let mut files = 0;
    for (number, message) in each().into_iter().enumerate() {
        let path = folder().join(format!("{VERSION}/{number}-{}.bin", message.kind()));
        let written = packets(&message).concat();
        if std::env::var_os("GOLDEN").is_some_and(|word| word == "write") && !path.exists() {
            fs::write(&path, &written).unwrap();
        }
        let noted = fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; GOLDEN=write notes it", path.display()));
        assert_eq!(written, noted, "{}", path.display());
        assert_eq!(take(&noted), Ok(message), "{}", path.display());
        files += 1;
    }
    assert_eq!(fs::read_dir(folder().join(VERSION.to_string())).unwrap().count(), files, "one of each");
}

#[test]
fn what_any_version_has_written_is_read() {
    let versions = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    for version in versions.filter(|path| path.is_dir()) {
        for file in fs::read_dir(version).unwrap() {
            let path = file.unwrap().path();
            assert!(take(&fs::read(&path).unwrap()).is_ok(), "{}", path.display());
        }
    }
}

/// Made by hand in Python, as version 1.9 may write it: fields that nobody knows yet, in the packet and in all that is in it,
/// and in another order.
#[test]
fn what_a_newer_node_adds_is_skipped() {
    let sent = fs::read(folder().join("future.bin")).unwrap();
    let load = Load { about: None, health: None, changes: vec![Change::Added(topic("sim.AAPL"))], ..load() };
    let said = Said { feed: "sim".into(), beat: Beat { head: begins(), load: load.into() } };
    assert_eq!(take(&sent), Ok(Message::Beat(said)));
}
