//! `tickerd loglevel`: says what a daemon that runs logs, and changes it.

use std::process::ExitCode;

use clap::Args;

use super::operator::{EXIT_CODES, Local, failed, print};
use tickerd_engine::control::Command;
use tickerd_host::printable;

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct LoglevelArgs {
    /// What to log from now on, as in TICKERD_LOG: off, error, warn, info, debug or trace, or such as warn,tickerd::feed=debug.
    /// Until the daemon ends. Without it, what is logged now is printed.
    #[arg(value_name = "LEVEL")]
    level: Option<String>,
    #[command(flatten)]
    local: Local,
}

/// Asks the daemon, and prints what it logs now.
pub fn run(args: LoglevelArgs) -> ExitCode {
    match args.local.ask(&Command::Loglevel { level: args.level }) {
        Ok(answer) => print("loglevel", &answer, false, |answer| {
            format!("{}\n", printable(answer.level.as_deref().unwrap_or_default()))
        }),
        Err(why) => failed("loglevel", &why),
    }
}
