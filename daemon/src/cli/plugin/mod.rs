//! `tickerd plugin`: what a feed's author needs, without a daemon.

mod check;
pub mod describe;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::feed::{FindError, Plugin, find_plugin};

/// `tickerd plugin …`
#[derive(Debug, Clone, Args)]
pub struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum PluginCommand {
    /// Hold a plugin to its contract: the conformance suite, one test per process.
    Check(check::CheckArgs),
    /// Do one test of the suite; `tickerd plugin check` starts this itself.
    #[command(hide = true)]
    CheckOne {
        /// Who started it, and with whom it ends.
        #[arg(long, value_name = "PID")]
        parent: u32,
    },
    /// Print what a library's code says about itself, as JSON; other commands start this as a child.
    #[command(hide = true)]
    Describe(DescribeArgs),
}

#[derive(Debug, Clone, Args)]
struct DescribeArgs {
    /// The plugin's shared library.
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

/// Does what was asked.
pub fn run(args: &PluginArgs) -> ExitCode {
    match &args.command {
        PluginCommand::Check(args) => check::run(args),
        PluginCommand::CheckOne { parent } => check::run_one(*parent),
        PluginCommand::Describe(args) => describe::run(&args.path),
    }
}

/// The plugin that a person named: an existing file, else a name in the plugin folders.
///
/// # Errors
/// Where it was looked for, and what was near.
pub fn find(name: &str) -> Result<Plugin, FindError> {
    find_plugin(name, Path::new("."))
}
