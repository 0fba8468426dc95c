//! `tickerd plugin`: what a feed's author needs, without a daemon.
//!
//! Each subcommand has a file or folder: [`check`], [`describe`], [`doctor`], [`inspect`], [`list`], [`new`], [`run`]. They
//! share [`facts`] (what a file says without being run, with [`loader`]), [`find`], [`config_file`] and [`log_listener`].

mod check;
mod config_file;
pub mod describe;
pub mod doctor;
mod facts;
mod find;
mod inspect;
mod list;
mod loader;
mod log_listener;
mod new;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::on_signal::OnSignal;

/// `tickerd plugin …`
#[derive(Debug, Clone, Args)]
pub struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum PluginCommand {
    /// Begin a feed: a project that builds, is tested and checked, and serves a moving value.
    New(new::NewArgs),
    /// Hold a plugin to its contract: the conformance suite, one test per process.
    Check(check::CheckArgs),
    /// Do one test of the suite; `tickerd plugin check` starts this itself.
    #[command(hide = true)]
    CheckOne {
        /// Who started it, and with whom it ends.
        #[arg(long, value_name = "PID")]
        parent: u32,
    },
    /// Run a plugin and print what it says, with timings, logs and refusals.
    Run(run::RunArgs),
    /// Say what a plugin file is, without running its code.
    Inspect(inspect::InspectArgs),
    /// Say why a plugin is not loaded, or says nothing, and what to change.
    Doctor(doctor::DoctorArgs),
    /// List what is in the plugin folders.
    List(list::ListArgs),
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

/// Runs the subcommand. `on_signal` lets one that runs until told to stop learn of signals.
pub fn run(args: &PluginArgs, on_signal: OnSignal<'_>) -> ExitCode {
    match &args.command {
        PluginCommand::New(args) => new::run(args),
        PluginCommand::Check(args) => check::run(args),
        PluginCommand::CheckOne { parent } => check::run_one(*parent),
        PluginCommand::Run(args) => run::run(args, on_signal),
        PluginCommand::Inspect(args) => inspect::run(args),
        PluginCommand::Doctor(args) => doctor::run(args, on_signal),
        PluginCommand::List(args) => list::run(args),
        PluginCommand::Describe(args) => describe::run(&args.path),
    }
}
