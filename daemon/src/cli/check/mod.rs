//! `tickerd check FILE`: whether a daemon would run with this file, here, and each of its feeds too.
//!
//! One pass over everything: what is written in the file, what it needs of this machine, and its feeds, which are found,
//! loaded and made ready in processes of their own, but do none of their work. Nothing is listened on and no source asked.

mod feeds;
mod identities;
mod past;
mod process;
mod report;
mod surroundings;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use report::{Format, Report};
use tickerd_config::{Code, Config, Listener, Overrides, Reading, environment};

/// `tickerd check …`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Everything is told in one run: what is written in the file and in conf.d/*.toml beside it, what it needs
of this machine, and its feeds, which are loaded and created in processes of their own and do none of their work. Run it as
the user that runs tickerd. `tickerd explain CODE` tells more of a code that stands in [ ].

Exit codes: 0 a daemon would run with this file here (warnings may be told); 2 it would, and there are warnings, which
--deny-warnings denies; 78 something is wrong; 64 wrong usage.

Examples:
  tickerd check /etc/tickerd/tickerd.toml
  tickerd check --no-environment --format github tickerd.toml    # in a repository's CI, without plugins and keys"
)]
pub struct CheckArgs {
    /// Configuration file (TOML).
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Look at what is written alone: at no address, folder, certificate, key or plugin of this machine.
    #[arg(long)]
    no_environment: bool,
    /// End with 2 if there is a warning.
    #[arg(long)]
    deny_warnings: bool,
    /// How to tell it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Checks as `run` would, environment included, and prints the verdict.
pub fn run(args: &CheckArgs) -> ExitCode {
    examine(args).tell(&args.file, args.format, args.deny_warnings)
}

fn examine(args: &CheckArgs) -> Report {
    let Reading { problems, found } = Config::read(&args.file, environment(), &Overrides::default());
    let mut report = Report { problems, ..Report::default() };
    // What stands in a broken line is not known, and neither is what it would need.
    let is_broken = report.problems.iter().any(|problem| problem.code == Code::NotToml);
    process::log(&mut report);
    if is_broken {
        let note = "addresses, folders and feeds were not looked at: correct what is not TOML first";
        report.notes.push(note.into());
    }
    let Some((config, places)) = found.filter(|_| !is_broken) else { return report };
    report.warnings.clone_from(&config.warnings);
    report.summary = summary(&config);
    past::look(&mut report, &config, &places);
    if args.no_environment {
        let note = "no address, folder, certificate, key or feed was looked at: --no-environment";
        report.notes.push(note.into());
        return report;
    }
    process::look(&mut report, &config, &places);
    surroundings::look(&mut report, &config, &places);
    identities::look(&mut report, &config, &places);
    feeds::look(&mut report, &config, &places);
    report
}

fn summary(config: &Config) -> String {
    let feeds = match config.feeds.len() {
        0 => "no feed".to_owned(),
        1 => "1 feed".to_owned(),
        count => format!("{count} feeds"),
    };
    let shown = |listener: &Listener| match (listener.proxy, listener.tls) {
        (true, true) => format!("{} (PROXY protocol, TLS)", listener.address),
        (true, false) => format!("{} (PROXY protocol)", listener.address),
        (false, true) => format!("{} (TLS)", listener.address),
        (false, false) => listener.address.to_string(),
    };
    let listen: Vec<String> = config.server.listen.iter().map(shown).collect();
    format!("{feeds}, listens on {}, admin on {}", listen.join(", "), config.server.admin)
}
