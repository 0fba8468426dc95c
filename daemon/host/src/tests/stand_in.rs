//! The tickerd executable as the supervisor starts it: the code is the real one, in the program of these tests.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;

use nix::unistd::{close, dup2_stdout};

use clap::Parser;

use crate::child::feed_exec::{self, FeedExecArgs};
use crate::child::feed_host::{self, FeedHostArgs};
use crate::process::warden;

/// The commands that the supervisor starts.
#[derive(Parser)]
enum Command {
    #[command(name = "feed-host")]
    Host(FeedHostArgs),
    #[command(name = "feed-exec")]
    Exec(FeedExecArgs),
    #[command(name = "feed-warden")]
    Warden,
}

/// The [`crate::Spec::program`] of these tests: a script that runs this test program.
pub fn program() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/tickerd.sh").into()
}

/// Not a test: `tickerd.sh` runs this, with the command line after `--`.
#[test]
fn child() {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").collect();
    if words.is_empty() {
        return;
    }
    // The script left standard output open as this descriptor. Opened anew, so that processes started here do not inherit it.
    let out: i32 = std::env::var("STAND_IN_OUT").unwrap().parse().unwrap();
    dup2_stdout(File::options().write(true).open(format!("/proc/self/fd/{out}")).unwrap()).unwrap();
    close(out).unwrap();
    match Command::parse_from(words) {
        Command::Host(args) => feed_host::run(&args),
        Command::Exec(args) => feed_exec::run(&args),
        Command::Warden => warden::run(),
    };
}
