//! The tickerd executable as the supervisor starts it: the code is the real one, in the program of these tests.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;

use nix::unistd::{close, dup2_stdout};

use crate::cli::{Cli, Command, feed_exec, feed_host, feed_warden};

/// What [`crate::feed::Spec::program`] is here.
pub fn program() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/src/feed/tests/tickerd.sh").into()
}

/// Not a test of its own: what `tickerd.sh` runs, with the command line behind `--`.
#[test]
fn child() {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").collect();
    if words.is_empty() {
        return;
    }
    // As the script left it. Opened anew, so that what is started does not inherit it.
    let out: i32 = std::env::var("STAND_IN_OUT").unwrap().parse().unwrap();
    dup2_stdout(File::options().write(true).open(format!("/proc/self/fd/{out}")).unwrap()).unwrap();
    close(out).unwrap();
    match Cli::from_words(words).unwrap() {
        Command::FeedHost(args) => feed_host::run(&args.feed, &args.path, args.daemon, args.sealed),
        Command::FeedExec(args) => feed_exec::run(args.daemon, &args.argv),
        Command::FeedWarden => feed_warden::run(),
        other => panic!("the supervisor does not start {other:?}"),
    };
}
