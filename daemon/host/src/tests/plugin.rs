//! C plugins built on the spot, and the two ways to run one.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::spec;
use crate::{Isolation, Source, Spec};

/// Builds a C plugin whose body is `code`, after the header.
pub fn plugin(dir: &Path, code: &str) -> PathBuf {
    let header = include_str!("plugin.h");
    let (source, library) = (dir.join("plugin.c"), dir.join("libplugin.so"));
    std::fs::write(&source, format!("{header}\n{code}")).unwrap();
    let out = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wno-initializer-overrides", "-o"])
        .args([&library, &source])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    library
}

pub fn in_process(path: PathBuf) -> Spec {
    spec(Source::Plugin { path, isolation: Isolation::InProcess })
}

/// A library in a child.
pub fn in_child(path: PathBuf) -> Spec {
    spec(Source::Plugin { path, isolation: Isolation::Process })
}
