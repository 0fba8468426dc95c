//! `tickerd completions` and `tickerd man`: what packages install beside the program, made from the flags.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::remote::screen::{Screen, tell};
use tickerd_process::exit::EXIT_FAILED;

const NAME: &str = "tickerd";

#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell to complete in. For bash: source <(tickerd completions bash)
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// A folder to write the page of each command to, such as tickerd-tail.1. Without it the page of tickerd is printed.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub fn completions(args: &CompletionsArgs) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut visible(&Cli::command()), NAME, &mut script);
    print(&script)
}

pub fn man(args: &ManArgs) -> ExitCode {
    match &args.folder {
        None => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(Cli::command()).render(&mut page) {
                Ok(()) => print(&page),
                Err(error) => failed(&error),
            }
        }
        Some(folder) => {
            let written = std::fs::create_dir_all(folder)
                .and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
            written.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
        }
    }
}

/// The command without those below it that are hidden, which completions would offer.
fn visible(command: &Command) -> Command {
    // Names have to last as long as the process, which ends soon.
    let name: &'static str = command.get_name().to_owned().leak();
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(visible);
    let new = Command::new(name).args(command.get_arguments().cloned()).subcommands(shown);
    match command.get_about() {
        Some(about) => new.about(about.clone()),
        None => new,
    }
}

fn print(text: &[u8]) -> ExitCode {
    let mut screen = Screen::new();
    match screen.print(&String::from_utf8_lossy(text)).and_then(|()| screen.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => failed(&error),
        _ => ExitCode::SUCCESS,
    }
}

fn failed(error: &io::Error) -> ExitCode {
    tell(&format!("it cannot be written: {error}"));
    ExitCode::from(EXIT_FAILED)
}
