//! C plugins built on the spot, and the two ways to run one.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::spec;
use crate::feed::{Isolation, Source, Spec};

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
    spec(Source::Library { path, isolation: Isolation::InProcess })
}

/// A library in a child: a script stands in for `tickerd`, and turns into this test binary's [`feed_host_child`].
pub fn in_child(dir: &Path, path: PathBuf) -> Spec {
    let program = dir.join("tickerd");
    let me = std::env::current_exe().unwrap();
    let script = format!(
        "#!/bin/sh\nTICKERD_TEST_FEED=\"$3\" TICKERD_TEST_PLUGIN=\"$4\" exec {} --exact feed::tests::plugin::feed_host_child \
         --nocapture -q\n",
        me.display()
    );
    std::fs::write(&program, script).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&program).status().unwrap().success());
    Spec { program, ..spec(Source::Library { path, isolation: Isolation::Process }) }
}

/// Not a test of its own: what [`in_child`] runs.
#[test]
fn feed_host_child() {
    if let (Ok(feed), Some(path)) =
        (std::env::var("TICKERD_TEST_FEED"), std::env::var_os("TICKERD_TEST_PLUGIN"))
    {
        crate::cli::feed_host::run(&feed, Path::new(&path));
    }
}
