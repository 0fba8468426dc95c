//! The command line, and the hidden parts the bench plays in its own child processes.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::scenario::Id;

/// Measures what one delivery costs tickerd, beside a floor: one thread, one ready buffer, one send per socket.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    #[command(subcommand)]
    pub part: Option<Part>,

    /// Scenarios to run, of a to z; all when not given.
    #[arg(long, value_delimiter = ',')]
    scenario: Vec<Id>,

    /// Length of each measured window, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,

    /// How often each scenario is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    repeats: u16,

    /// A smoke run: few clients, one second, once. Its figures mean nothing.
    #[arg(long)]
    pub quick: bool,

    /// Also write the figures to this file, as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,

    /// The daemon to measure; `tickerd` beside this program when not given.
    #[arg(long)]
    pub daemon: Option<PathBuf>,

    /// Exit with 2 when a target is missed.
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Subcommand)]
pub enum Part {
    #[command(hide = true)]
    Floor(Floor),
    #[command(hide = true)]
    Feed(Feed),
    #[command(hide = true)]
    Become(Become),
}

/// The floor: what it writes, how often, to how many.
#[derive(Debug, Args)]
pub struct Floor {
    #[arg(long)]
    pub clients: usize,
    /// Frames in the ready buffer.
    #[arg(long)]
    pub frames: usize,
    /// Size of the ready buffer, frame headers included.
    #[arg(long)]
    pub bytes: usize,
    /// Each client's frames are copied together out of so many, from a place of its own on, in place of the ready buffer.
    #[arg(long)]
    pub of: Option<usize>,
    #[arg(long)]
    pub interval_ms: u64,
    /// Quotes that change, compressed for each client in a context of its own, in place of the ready buffer.
    #[arg(long)]
    pub contexts: bool,
    /// The folder of its certificate; it speaks TLS if there is one.
    #[arg(long)]
    pub tls: Option<PathBuf>,
}

/// The feed: one line per topic and interval, printed in the middle between two beats; as many as the reader takes for
/// an interval of 0.
#[derive(Debug, Args)]
pub struct Feed {
    #[arg(long)]
    pub topics: usize,
    #[arg(long)]
    pub interval_ms: u64,
}

/// A command that must not outlive the bench.
#[derive(Debug, Args)]
pub struct Become {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub command: Vec<String>,
}

impl Options {
    pub fn scenarios(&self) -> Vec<Id> {
        if self.scenario.is_empty() { Id::ALL.to_vec() } else { self.scenario.clone() }
    }

    pub fn window(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { self.seconds })
    }

    pub fn repeats(&self) -> u16 {
        if self.quick { 1 } else { self.repeats }
    }

    /// How long a server runs with all its subscribers before it is measured.
    pub fn warm_up(&self) -> Duration {
        Duration::from_millis(if self.quick { 300 } else { 2_000 })
    }
}
