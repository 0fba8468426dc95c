//! Standard output of the commands that print one text and end.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use tickerd_process::exit::EXIT_FAILED;

/// Prints a text, and answers the exit code.
pub fn print(command: &str, text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    ended(command, stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// How printing ended, as an exit code. A reader that has gone has what it wanted; a full disk is told.
pub fn ended(command: &str, printed: io::Result<()>) -> ExitCode {
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            // Nobody has to read it.
            let _ = writeln!(io::stderr(), "tickerd {command}: standard output cannot be written: {error}");
            ExitCode::from(EXIT_FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}
