//! `tickerd feed-exec`: sets the limits of a feed's process, and becomes the feed's program.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Args;

use crate::child::confinement;
use crate::process::exit::EX_CONFIG;
use crate::process::plan::not_started;
use crate::report::Fault;

/// `tickerd feed-exec …`, as the daemon writes it.
#[derive(Debug, Clone, Args)]
pub struct FeedExecArgs {
    /// The daemon's process number: this ends with that.
    #[arg(long, value_name = "PID")]
    pub daemon: u32,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub argv: Vec<OsString>,
}

/// Becomes the feed's program.
///
/// Returns only when that fails. The reason is then on standard output, as a line of a feed, and the exit code is 78 if only
/// a changed configuration can help.
pub fn run(args: &FeedExecArgs) -> ExitCode {
    let Some((program, arguments)) = args.argv.split_first() else { return ExitCode::FAILURE };
    if let Err(e) = confinement::enter(args.daemon) {
        eprintln!("tickerd feed-exec: {e}");
        return ExitCode::FAILURE;
    }
    // `exec` of the standard library also empties the signal mask and resets SIGPIPE.
    let error = Command::new(program).args(arguments).exec();
    let failure = not_started(&error, Path::new(program));
    let code = if failure.fault == Fault::Config { ExitCode::from(EX_CONFIG) } else { ExitCode::FAILURE };
    // If nobody reads, the daemon is gone, and this process ends too.
    let _ = std::io::stdout().write_all(&failure.line());
    code
}
