//! How the operator's commands reach a daemon that runs, and how they show what it answers.

mod http;
pub mod reach;
pub mod table;

use std::process::ExitCode;

use tickerd_engine::control::{Answer, line};
use tickerd_host::printable;
use tickerd_process::exit::EXIT_FAILED;

use crate::cli::stdout;
pub use reach::{How, Local, LocalHow, Reach, Unreached};

/// No daemon is reached.
pub const EXIT_AWAY: u8 = 3;

/// What the operator's commands exit with, for their help.
pub const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 refused or failed, 3 no tickerd is reached, 64 wrong usage.";

/// Tells why `command` came to nothing.
pub fn failed(command: &str, why: &Unreached) -> ExitCode {
    eprintln!("tickerd {command}: {}", printable(&why.to_string()));
    ExitCode::from(why.exit_code())
}

/// Prints an answer, as JSON or as `shown` has it. An error of it is told, and is the exit code.
pub fn print(command: &str, answer: &Answer, json: bool, shown: impl FnOnce(&Answer) -> String) -> ExitCode {
    if let Some(why) = &answer.error {
        eprintln!("tickerd {command}: {}", printable(why));
        return ExitCode::from(EXIT_FAILED);
    }
    let text = match json {
        true => String::from_utf8_lossy(&line(answer)).into_owned(),
        false => shown(answer),
    };
    stdout::print(command, &text)
}
