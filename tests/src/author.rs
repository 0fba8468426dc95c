//! What a feed's author does: compiles a plugin of a few lines, and asks `tickerd plugin` about it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::daemon::command;
use crate::within;

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Answer {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Answer {
    /// Its standard output as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Its standard output as envelopes: event and data.
    pub fn envelopes(&self) -> Vec<(String, Value)> {
        self.out.lines().map(envelope).collect()
    }
}

/// One line of `tickerd plugin run --json`: event and data.
pub fn envelope(line: &str) -> (String, Value) {
    let mut value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    assert_eq!(value.as_object().unwrap().len(), 2, "{line}");
    (value["event"].as_str().unwrap().to_owned(), value["data"].take())
}

/// Runs `tickerd plugin …` to its end.
pub async fn plugin(arguments: &[&str]) -> Answer {
    plugin_with(arguments, &[]).await
}

/// As [`plugin`], with these variables in its environment.
pub async fn plugin_with(arguments: &[&str], environment: &[(&str, &str)]) -> Answer {
    let mut command = command();
    command.arg("plugin").args(arguments).envs(environment.iter().copied());
    let output = within("the command to end", command.output()).await.unwrap();
    Answer {
        code: output.status.code().unwrap_or_else(|| panic!("{arguments:?} was killed: {output:?}")),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Compiles a plugin in C, which may include the counter of `feeds/raw-c`, to `library`.
pub fn compile(library: &Path, source: &str, flags: &[&str]) {
    let file = library.with_extension("c");
    std::fs::write(&file, source).unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let compiler = std::process::Command::new("cc")
        .args(["-std=c11", "-Wall", "-Werror", "-Wno-unused", "-fPIC", "-shared"])
        .arg("-I")
        .arg(tests.join("../plugins-sdk/include"))
        .arg("-I")
        .arg(tests.join("feeds/raw-c"))
        .arg(&file)
        .arg("-o")
        .arg(library)
        .args(flags)
        .status()
        .expect("these tests need a C compiler called cc (Debian: gcc)");
    assert!(compiler.success(), "{} did not compile; see above", library.display());
}

/// Writes a program of this text into the folder.
pub fn program(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
