//! Standard output of the commands that print texts and end.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use tickerd_process::exit::EXIT_FAILED;

/// Prints a text, and answers `verdict`; or 1 if the text could not be written, as on a full disk. A reader that has gone
/// has what it wanted, and changes no verdict.
pub fn print(command: &str, text: &str, verdict: ExitCode) -> ExitCode {
    let mut stdout = io::stdout().lock();
    ended(command, stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()), verdict)
}

fn ended(command: &str, printed: io::Result<()>, verdict: ExitCode) -> ExitCode {
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            // Nobody has to read it.
            let _ = writeln!(io::stderr(), "tickerd {command}: standard output cannot be written: {error}");
            ExitCode::from(EXIT_FAILED)
        }
        _ => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_a_failure_and_a_reader_that_has_gone_is_none() {
        let code = |kind: ErrorKind, verdict| ended("test", Err(kind.into()), verdict);
        assert_eq!(code(ErrorKind::StorageFull, ExitCode::SUCCESS), ExitCode::from(EXIT_FAILED));
        assert_eq!(code(ErrorKind::BrokenPipe, ExitCode::from(3)), ExitCode::from(3));
        assert_eq!(ended("test", Ok(()), ExitCode::from(3)), ExitCode::from(3));
    }
}
