//! The examples of the SDK, which are part of the executable. Their files are listed by name, so that a file that is in their
//! folders by accident does not get into projects.

use super::language::Language;
use tickerd_host::Mode;

/// A file: its path in the project, and its text.
#[derive(Debug, Clone, Copy)]
pub struct TemplateFile {
    pub path: &'static str,
    pub text: &'static str,
}

/// An example that a project is made from. Its name is `example-<its folder>`.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    pub language: Language,
    pub mode: Mode,
    /// Its folder below `plugins-sdk/examples`.
    pub folder: &'static str,
    pub files: &'static [TemplateFile],
    /// Files that replace some of `files`, or are added.
    pub instead: &'static [TemplateFile],
}

macro_rules! files {
    ($folder:literal: $($path:literal)*) => {
        &[$(TemplateFile {
            path: $path,
            text: include_str!(concat!("../../../../../plugins-sdk/", $folder, "/", $path)),
        }),*]
    };
}

/// Files that every project has.
pub const COMMON: &[TemplateFile] =
    files!("examples/common": ".github/workflows/ci.yml" ".gitignore" "LICENSE");

/// The header for feeds in C and C++.
pub const HEADER: TemplateFile = TemplateFile {
    path: "include/tickerd.h",
    text: include_str!("../../../../../plugins-sdk/include/tickerd.h"),
};

/// The guide, which describes the contract and the line protocol.
pub const GUIDE: TemplateFile =
    TemplateFile { path: "README.md", text: include_str!("../../../../../plugins-sdk/README.md") };

/// The SDK's source.
pub const SDK: &[TemplateFile] = files!("src":
    "abi.rs" "error.rs" "export.rs" "feed.rs" "host.rs" "info.rs" "lib.rs" "sample.rs" "secrets.rs" "testing/checks.rs"
    "testing/loaded.rs" "testing/mod.rs");

const RUST_POLL: &[TemplateFile] = files!("examples/rust-poll":
    "Cargo.toml" "Makefile" "README.md" "src/lib.rs" "tests/feed.rs" "tickerd.toml");
const RUST_PUSH: &[TemplateFile] = files!("examples/rust-push":
    "Cargo.toml" "Makefile" "README.md" "src/lib.rs" "tests/feed.rs" "tickerd.toml");
const C: &[TemplateFile] =
    files!("examples/c": "Makefile" "README.md" "src/feed.c" "tests/feed.c" "tickerd.toml");
const CPP: &[TemplateFile] = files!("examples/cpp":
    "Makefile" "README.md" "exports.map" "src/feed.cpp" "tests/feed.cpp" "tickerd.toml");
const GO: &[TemplateFile] =
    files!("examples/go": "Makefile" "README.md" "go.mod" "main.go" "main_test.go" "tickerd.toml");
const PYTHON: &[TemplateFile] =
    files!("examples/python": "Makefile" "README.md" "example-python.py" "tests/test_feed.py" "tickerd.toml");
const NODE: &[TemplateFile] =
    files!("examples/node": "Makefile" "README.md" "example-node.mjs" "tests/feed.test.mjs" "tickerd.toml");
const SH: &[TemplateFile] =
    files!("examples/sh": "Makefile" "README.md" "example-sh.sh" "tests/feed.sh" "tickerd.toml");

// The files that differ in the other mode of each example.
const C_PUSH: &[TemplateFile] = files!("examples/c/push": "src/feed.c" "tests/feed.c");
const CPP_POLL: &[TemplateFile] = files!("examples/cpp/poll": "src/feed.cpp" "tests/feed.cpp");
const GO_POLL: &[TemplateFile] = files!("examples/go/poll": "main.go" "main_test.go");
const PYTHON_PUSH: &[TemplateFile] = files!("examples/python/push": "example-python.py" "tests/test_feed.py");
const NODE_POLL: &[TemplateFile] = files!("examples/node/poll": "example-node.mjs" "tests/feed.test.mjs");
const SH_PUSH: &[TemplateFile] = files!("examples/sh/push": "example-sh.sh" "tests/feed.sh");

impl Template {
    /// The template for this language. Without a mode, it is of the mode that suits the language best.
    pub fn of(language: Language, mode: Option<Mode>) -> Template {
        let (folder, usual, files, other) = match (language, mode) {
            (Language::Rust, Some(Mode::Push)) => ("rust-push", Mode::Push, RUST_PUSH, NONE),
            (Language::Rust, _) => ("rust-poll", Mode::Poll, RUST_POLL, NONE),
            (Language::C, _) => ("c", Mode::Poll, C, C_PUSH),
            (Language::Cpp, _) => ("cpp", Mode::Push, CPP, CPP_POLL),
            (Language::Go, _) => ("go", Mode::Push, GO, GO_POLL),
            (Language::Python, _) => ("python", Mode::Poll, PYTHON, PYTHON_PUSH),
            (Language::Node, _) => ("node", Mode::Push, NODE, NODE_POLL),
            (Language::Sh, _) => ("sh", Mode::Poll, SH, SH_PUSH),
        };
        let mode = mode.unwrap_or(usual);
        Template { language, mode, folder, files, instead: if mode == usual { NONE } else { other } }
    }
}

const NONE: &[TemplateFile] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    /// Files below a folder, without what builds and editors leave.
    fn files_in(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["build", "target", "__pycache__"].contains(&name.as_str()) {
                    files_in(&path, found);
                }
            } else if !name.ends_with(".so") && name != "Cargo.lock" && name != "example-go" {
                found.insert(path);
            }
        }
    }

    /// Goal: a file that is added to an example or to the SDK is not forgotten here.
    #[test]
    fn every_file_of_the_sdk_and_its_examples_is_carried() {
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins-sdk");
        let mut carried = BTreeSet::from([sdk.join("README.md"), sdk.join("include/tickerd.h")]);
        let mut carry = |folder: &str, files: &[TemplateFile]| {
            carried.extend(files.iter().map(|file| sdk.join(folder).join(file.path)));
        };
        carry("src", SDK);
        carry("examples/common", COMMON);
        for (folder, files) in [
            ("rust-poll", RUST_POLL),
            ("rust-push", RUST_PUSH),
            ("c", C),
            ("cpp", CPP),
            ("go", GO),
            ("python", PYTHON),
            ("node", NODE),
            ("sh", SH),
            ("c/push", C_PUSH),
            ("cpp/poll", CPP_POLL),
            ("go/poll", GO_POLL),
            ("python/push", PYTHON_PUSH),
            ("node/poll", NODE_POLL),
            ("sh/push", SH_PUSH),
        ] {
            carry(&format!("examples/{folder}"), files);
        }
        let mut there = BTreeSet::from([sdk.join("README.md"), sdk.join("include/tickerd.h")]);
        files_in(&sdk.join("src"), &mut there);
        files_in(&sdk.join("examples"), &mut there);
        // Examples that are to be read, and no projects of `new`.
        there.retain(|path| {
            !path.starts_with(sdk.join("examples/rust-async")) && *path != sdk.join("examples/README.md")
        });
        assert_eq!(there.symmetric_difference(&carried).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
    }
}
