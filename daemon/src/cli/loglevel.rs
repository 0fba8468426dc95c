//! `tickerd loglevel`: says what a daemon that runs logs, and changes it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::feed::{ask, find};
use tickerd_engine::control::{Answer, Command};
use tickerd_host::printable;

#[derive(Debug, Args)]
pub struct LoglevelArgs {
    /// What to log from now on, as in TICKERD_LOG: off, error, warn, info, debug or trace, or such as warn,tickerd::feed=debug.
    /// Until the daemon ends. Without it, what is logged now is printed.
    #[arg(value_name = "LEVEL")]
    level: Option<String>,
    /// The daemon's admin socket; by default the first that is there of those where it usually is
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Asks the daemon, and prints what it logs now.
pub fn run(args: LoglevelArgs) -> ExitCode {
    let command = Command::Loglevel { level: args.level };
    match find(args.socket.as_deref()).and_then(|path| ask(&path, &command)) {
        Ok(Answer { error: None, level, .. }) => {
            println!("{}", printable(&level.unwrap_or_default()));
            ExitCode::SUCCESS
        }
        Ok(Answer { error: Some(why), .. }) | Err(why) => {
            eprintln!("tickerd loglevel: {}", printable(&why));
            ExitCode::FAILURE
        }
    }
}
