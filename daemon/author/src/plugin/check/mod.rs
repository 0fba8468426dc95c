//! `tickerd plugin check`: holds a plugin to its contract, one test per process.
//!
//! A test is a value ([`test::Test`]) with an id that is kept for ever. The suite starts this executable anew for each test,
//! with a time limit, so that a crash or a hang is the verdict of one test and ends no other. In that process a plugin meets
//! the daemon's own host and runner, with another [`HostProfile`](tickerd_host::HostProfile) where a test wants one.
//!
//! `options` says what to run, [`suite`] runs it. The tests are in [`library`], [`program`] and [`trusted`], and `catalogue`
//! lists them all. They work with the [`instruments`]: a session with a plugin, a recorder of what it says, and so on.

mod catalogue;
mod instruments;
mod library;
mod options;
mod program;
mod subject;
mod suite;
mod test;
mod trusted;
mod verdict;

use std::process::ExitCode;

use crate::plugin::find::find;
use crate::stdout;
use tickerd_process::exit::{EXIT_FAILED, EXIT_USAGE};

pub use options::CheckArgs;
pub use suite::one::run as run_one;

/// Checks a plugin, or lists the tests. The exit code is 0 only if nothing failed.
pub fn run(args: &CheckArgs) -> ExitCode {
    if args.list {
        return list();
    }
    let work = args.plugin.as_deref().map_or_else(
        || Err("name a plugin: a file, or a name in the plugin folders".to_owned()),
        |plugin| args.work(find(plugin).map_err(|e| e.to_string())?),
    );
    let work = match work {
        Ok(work) => work,
        Err(why) => {
            eprintln!("tickerd plugin check: {why}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match suite::run(&work, args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FAILED),
        Err(e) => {
            eprintln!("tickerd plugin check: {e}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn list() -> ExitCode {
    let mut text = String::new();
    for (program, kind) in [(false, "libraries"), (true, "programs")] {
        text.push_str(&format!("For {kind}:\n"));
        for test in catalogue::all(program) {
            text.push_str(&format!("  {:<16} {}\n", test.id, test.holds));
        }
    }
    stdout::print("plugin check", &text, ExitCode::SUCCESS)
}
