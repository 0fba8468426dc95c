//! `tickerd config …`: the configuration as it counts, a first one to begin with, and its JSON Schema.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::stdout::print;
use tickerd_config::{Config, Overrides, Problems, Reading, SCHEMA, environment};
use tickerd_process::exit::{EXIT_CONFIG, EXIT_FAILED};

/// A configuration to begin with.
const STARTER: &str = include_str!("starter.toml");

/// `tickerd config …`
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Show the configuration as it counts: FILE, conf.d/*.toml beside it, environment and defaults together.
    ///
    /// It is TOML. What may be a secret is shown as "…": the values of [feed.config], the arguments of programs, and the
    /// places of keys and tokens.
    Show(ShowArgs),
    /// Write a configuration to begin with. It runs as it is, and comments say what may be changed.
    Init {
        /// The file to make, with mode 0640; without it the text is printed. A file that exists stays as it is.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema of a configuration file, with which editors complete and check it.
    ///
    /// For Even Better TOML and taplo: tickerd config schema > tickerd.schema.json, and in the first line of the
    /// configuration: #:schema ./tickerd.schema.json
    Schema,
}

#[derive(Debug, Clone, Args)]
struct ShowArgs {
    /// Configuration file (TOML); without one, what runs without a file.
    #[arg(value_name = "FILE", env = "TICKERD_CONFIG")]
    file: Option<PathBuf>,
    /// Say behind each value where it is from: file and line, variable or default, and what it replaced.
    #[arg(long)]
    origin: bool,
}

/// Does what the arguments say.
pub fn run(args: &ConfigArgs) -> ExitCode {
    match &args.command {
        Command::Show(args) => show(args),
        Command::Init { file: None } => print("config init", STARTER),
        Command::Init { file: Some(file) } => init(file),
        Command::Schema => print("config schema", SCHEMA),
    }
}

fn show(args: &ShowArgs) -> ExitCode {
    let reading = match &args.file {
        Some(file) => Config::read(file, environment(), &Overrides::default()),
        None => Config::built_in(environment()),
    };
    match reading {
        Reading { problems, found: Some((_, places)) } if problems.is_empty() => {
            print("config show", &places.shown(args.origin))
        }
        Reading { problems, .. } => {
            eprintln!("{}", Problems::sorted(problems));
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

fn init(file: &Path) -> ExitCode {
    // [feed.config] of a plugin may come to hold what not everyone should read.
    let made = OpenOptions::new().write(true).create_new(true).mode(0o640).open(file);
    let shown = file.display();
    match made.and_then(|mut made| made.write_all(STARTER.as_bytes())) {
        Ok(()) => {
            let command =
                |words: &str, what: &str| format!("  {:<40}  {what}\n", format!("tickerd {words}{shown}"));
            let check = command("check ", "says whether it runs here");
            print("config init", &format!("made {shown}\n\n{check}{}", command("--config ", "runs it")))
        }
        Err(error) => {
            let why = match error.kind() {
                ErrorKind::AlreadyExists => "it exists; name another, or move it away".to_owned(),
                _ => error.to_string(),
            };
            eprintln!("tickerd config init: {shown} cannot be made: {why}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}
