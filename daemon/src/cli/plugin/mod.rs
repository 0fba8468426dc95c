//! `tickerd plugin`: what a feed's author needs, without a daemon.

pub mod describe;
pub mod new;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::feed::{FindError, Plugin, find_plugin};
use new::NewArgs;

/// `tickerd plugin …`
#[derive(Debug, Clone, Args)]
pub struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum PluginCommand {
    /// Begin a feed: a project that builds, is tested and checked, and serves a moving value.
    New(NewArgs),
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
        PluginCommand::New(args) => new::run(args),
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
