//! What was released is kept for ever, byte for byte: ledgers, headers, drivers, golden plugins.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use tickerd_sdk::abi::TKR_ABI_MINOR;

fn abi() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("abi")
}

/// The minor versions that are released: those whose ledger says so.
fn released() -> Vec<u32> {
    let is_released = |minor: &u32| {
        let ledger = std::fs::read_to_string(abi().join(format!("1.{minor}.layout"))).unwrap_or_default();
        ledger.lines().any(|line| line == "status released")
    };
    (0..=TKR_ABI_MINOR).filter(is_released).collect()
}

fn files_below(folder: &Path, within: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{within}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            files_below(&path, &format!("{name}/"), found);
        } else if name != "SHA256SUMS" {
            found.insert(name);
        }
    }
}

#[test]
fn released_files_are_as_they_were() {
    assert!(released().contains(&0), "ABI 1.0 is released");
    for minor in released() {
        let folder = abi().join(format!("1.{minor}"));
        let output = Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
            .current_dir(&folder)
            .output()
            .expect("sha256sum, of coreutils");
        let why = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "ABI 1.{minor} is released, so its files never change; take the old ones back with git:\n{}",
            String::from_utf8_lossy(&why)
        );
        let sums = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
        let listed: BTreeSet<String> =
            sums.lines().map(|line| line.split_once("  ").unwrap().1.to_owned()).collect();
        let mut there = BTreeSet::from([format!("../1.{minor}.layout")]);
        files_below(&folder, "", &mut there);
        assert_eq!(listed, there, "every file of a release is in its SHA256SUMS, and is there");
    }
}

/// Goal: a plugin's author who stays with an old header is as well off as one who does not. Method: everything that today's
/// header declares for that version is what the old one declares; comments aside.
#[test]
fn todays_header_begins_with_what_was_released() {
    let today = declarations(&abi().join("../include/tickerd.h"));
    for minor in released() {
        let then = declarations(&abi().join(format!("1.{minor}/tickerd.h")));
        let gone: Vec<&String> = then.iter().filter(|line| !today.contains(line)).collect();
        assert!(gone.is_empty(), "the header of ABI 1.{minor} has these, and today's has not: {gone:#?}");
    }
}

/// Goal: what was written for an old header is as good with today's, and the old one for today's compilers.
#[test]
fn sources_of_then_compile_with_the_headers_of_then_and_today() {
    let folder = tempfile::tempdir().unwrap();
    for minor in released() {
        let then = abi().join(format!("1.{minor}"));
        for source in ["golden.c", "driver.c"] {
            // Away from the header beside it.
            let copy = folder.path().join(source);
            std::fs::copy(then.join(source), &copy).unwrap();
            for include in [&then, &abi().join("../include")] {
                compile("cc", &["-std=c11"], include, &copy);
            }
        }
        let cpp = folder.path().join("empty.cpp");
        std::fs::write(&cpp, "#include <tickerd.h>\nTKR_META(\"1.0.0\", \"org.example\");\n").unwrap();
        compile("c++", &["-std=c++17"], &then, &cpp);
        std::fs::copy(&cpp, folder.path().join("empty.c")).unwrap();
        compile("cc", &["-std=c99"], &then, &folder.path().join("empty.c"));
    }
}

fn compile(compiler: &str, flags: &[&str], include: &Path, source: &Path) {
    let output = Command::new(compiler)
        .args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-fPIC", "-c", "-o", "/dev/null"])
        .args(flags)
        .arg("-I")
        .args([include, source])
        .output()
        .unwrap_or_else(|e| panic!("{compiler}: {e}; install a C and C++ compiler"));
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} with {}:\n{why}", source.display(), include.display());
}

/// The lines that declare something a plugin is compiled with. What a macro expands to may become better, and the asserts
/// say what the ledger says.
fn declarations(header: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(header).unwrap();
    let lines = text.lines().map(str::trim);
    let declares = |line: &&str| {
        let constant = line.starts_with("#define TKR_") && !line.starts_with("#define TKR_ABI_MINOR");
        constant && !line.contains('(') || line.ends_with(';') && !line.starts_with("TKR_ASSERT")
    };
    lines
        .filter(|line| !line.starts_with("/*") && !line.starts_with('*'))
        .filter(declares)
        .map(str::to_owned)
        .collect()
}
