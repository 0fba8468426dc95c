//! A command of the daemon's executable that speaks with a daemon as a client.

use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::daemon::{Daemon, command};
use crate::within;

/// The address of this daemon, as `--url` takes it.
pub fn url(daemon: &Daemon) -> String {
    format!("ws://{}", daemon.address())
}

/// Begins a command; [`Daemon::printed`] waits for its lines, [`Daemon::logged`] for those on its standard error.
pub fn begin(url: &str, arguments: &[&str]) -> Daemon {
    let mut command = command();
    command.args(arguments).env("TICKERD_URL", url);
    Daemon::start(command, TempDir::new().unwrap())
}

/// What a command said until it ended.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a command to its end.
pub async fn say(url: &str, arguments: &[&str]) -> Said {
    let mut command = command();
    command.args(arguments).env("TICKERD_URL", url).stdin(Stdio::null());
    said(within("a command to end", command.output()).await.unwrap())
}

pub fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}
