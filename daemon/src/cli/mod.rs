//! The command line: what can be said, and the exit codes it is answered with.

pub mod check;
pub mod cluster;
pub mod config;
pub mod connections;
pub mod demo;
pub mod disconnect;
pub mod explain;
pub mod feed;
pub mod loglevel;
pub mod manual;
mod operator;
pub mod reload;
pub mod remote;
pub mod status;
mod stdout;
pub mod top;
mod unknown;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::builder::{OsStr, Resettable};
use clap::error::ErrorKind;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::version::{COMMIT, VERSION};
use check::CheckArgs;
use cluster::ClusterArgs;
use config::ConfigArgs;
use connections::ConnectionsArgs;
use demo::DemoArgs;
use disconnect::DisconnectArgs;
use explain::ExplainArgs;
use feed::FeedArgs;
use loglevel::LoglevelArgs;
use manual::{CompletionsArgs, ManArgs};
use reload::ReloadArgs;
use remote::EXIT_CODES;
use remote::ask::{BarsArgs, GetArgs, HistoryArgs, PublishArgs, TopicsArgs};
use remote::bench::BenchArgs;
use remote::tail::TailArgs;
use status::StatusArgs;
use tickerd_author::plugin::PluginArgs;
use tickerd_author::record::RecordArgs;
use tickerd_config::{Listen, Overrides};
use tickerd_host::feed_exec::FeedExecArgs;
use tickerd_host::feed_host::FeedHostArgs;
use tickerd_process::exit::EXIT_USAGE;
use tickerd_process::log::Format;
use top::TopArgs;

static LONG_VERSION: LazyLock<String> = LazyLock::new(|| format!("{VERSION} (commit {COMMIT})"));

/// Broadcasts live data: feed plugins in, WebSocket ticks out.
///
/// Without a command it runs. Without a configuration it serves simulated data and this machine's figures on
/// 127.0.0.1:8425.
#[derive(Debug, Parser)]
#[command(name = "tickerd", version = LONG_VERSION.as_str(), args_conflicts_with_subcommands = true)]
#[command(after_help = "Environment:
  TICKERD_SERVER__LISTEN, …  any key of [server], [history], [bars] and [cluster]; lists by comma
  TICKERD_LOG                log level, such as info, or warn,tickerd=debug
  TICKERD_LOG_FORMAT         json: each line of the log is an object of JSON
  TICKERD_PLUGIN_PATH        folders to look for plugins in, first, separated by colons

Exit codes: 0 done, 1 failed, 2 warnings that check was told to deny, 3 no daemon can be reached,
4 no such topic or no value yet, 64 wrong usage, 78 wrong configuration.")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until told to stop (SIGTERM, SIGINT).
    Run(RunArgs),
    /// Serve simulated data, and with --live real data: no configuration, one URL.
    Demo(DemoArgs),
    /// Run one feed without a server, and write what it says to a file; the replay feed plays it back.
    Record(RecordArgs),
    /// Say how a daemon that runs is: ready or not, its clients, topics and feeds.
    Status(StatusArgs),
    /// Show ticks as they come, one a line: when, which topic, and what changed. Times are UTC.
    ///
    /// It survives restarts of the daemon and goes on where it was. Gaps and notices are told on standard error.
    #[command(after_help = EXIT_CODES)]
    Tail(TailArgs),
    /// Show the newest value of each of these topics, once.
    #[command(after_help = EXIT_CODES)]
    Get(GetArgs),
    /// List topics: kind, class, seq, age, and the shortest time between two pushes.
    #[command(after_help = EXIT_CODES)]
    Topics(TopicsArgs),
    /// Show the newest ticks of a topic that the daemon keeps, oldest first.
    #[command(after_help = EXIT_CODES)]
    History(HistoryArgs),
    /// Show the newest bars of a topic (open, high, low, close), oldest first; the last one is still open.
    #[command(after_help = EXIT_CODES)]
    Bars(BarsArgs),
    /// Send a message to a room.
    #[command(after_help = EXIT_CODES)]
    Publish(PublishArgs),
    /// Connect many clients, and say how old ticks are when they come: percentiles, ticks a second, what was skipped.
    ///
    /// Only a daemon on this machine, unless --yes-i-own-it is written. One thread drives all clients; where that is the limit, a
    /// warning says so.
    #[command(after_help = EXIT_CODES)]
    Bench(BenchArgs),
    /// See and reload the feeds of a daemon that runs.
    Feed(FeedArgs),
    /// Have a daemon that runs read its configuration again and apply what changed; clients stay.
    ///
    /// It waits, and prints what changed and what became of it. Nothing is applied if the file is wrong, or if a key changed
    /// for which a restart is needed. Exit codes: 0 done or nothing to do, 1 refused or failed, 78 wrong configuration.
    Reload(ReloadArgs),
    /// See a node's cluster, and have feeds held by other nodes.
    Cluster(ClusterArgs),
    /// Say who is connected to a daemon that runs: whence, as whom, to what, and how far behind.
    Connections(ConnectionsArgs),
    /// Watch a daemon that runs: its feeds, its busiest topics, and the clients that lag.
    Top(TopArgs),
    /// Disconnect someone from a daemon that runs, and keep them out: a user, a token, or all older tokens. Or close one
    /// connection.
    Disconnect(DisconnectArgs),
    /// Change what a daemon that runs writes to its log.
    Loglevel(LoglevelArgs),
    /// Write, run and check feed plugins, without a daemon.
    Plugin(PluginArgs),
    /// Say whether a daemon would run with this configuration file here, and each of its feeds too.
    Check(CheckArgs),
    /// Tell more of a code that `check` names, such as unknown-key.
    Explain(ExplainArgs),
    /// Show the configuration as it counts, write a first one, or print its JSON Schema for editors.
    Config(ConfigArgs),
    /// Print the completions for a shell.
    Completions(CompletionsArgs),
    /// Write the manual pages.
    Man(ManArgs),
    /// Run one feed plugin as a supervised child; the daemon starts this itself.
    #[command(hide = true)]
    FeedHost(FeedHostArgs),
    /// Run one feed program as a supervised child; the daemon starts this itself.
    #[command(hide = true)]
    FeedExec(FeedExecArgs),
    /// End what feeds started once the daemon is gone; the daemon starts this itself.
    #[command(hide = true)]
    FeedWarden,
}

#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE", env = "TICKERD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address clients connect to, in place of server.listen; repeat it for more. Port 0 lets the system choose.
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<Listen>,
    /// Address of metrics and administration, in place of server.admin.
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<Listen>,
    /// Let pages of every loopback origin connect, such as http://localhost:5173. They get no cookies and no credentials.
    #[arg(long)]
    pub dev: bool,
    /// How the log is written, text or json, in place of TICKERD_LOG_FORMAT.
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<Format>,
}

impl Cli {
    /// Reads the process's arguments. `Err`: the answer has been printed (help, version, or what is wrong) and this is
    /// the exit code.
    pub fn from_args() -> Result<Command, ExitCode> {
        Self::from_words(std::env::args_os())
    }

    /// As [`Cli::from_args`], of these words, of which the first is the program's name.
    pub fn from_words(args: impl IntoIterator<Item = OsString>) -> Result<Command, ExitCode> {
        let words: Vec<OsString> = args.into_iter().collect();
        let mut command = without_empty(Self::command());
        let parsed = match command.try_get_matches_from_mut(&words) {
            Ok(matches) => Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command)),
            Err(error) => Err(error),
        };
        match parsed {
            Ok(cli) => Ok(cli.command.unwrap_or(Command::Run(cli.run))),
            Err(error) if error.kind() == ErrorKind::InvalidSubcommand => {
                eprint!("{}", unknown::told(&words));
                Err(ExitCode::from(EXIT_USAGE))
            }
            Err(error) => {
                let printed = error.print();
                // A closed stderr must not change the exit code.
                Err(match error.use_stderr() {
                    true => ExitCode::from(EXIT_USAGE),
                    false if error.kind() == ErrorKind::DisplayVersion => stdout::ended("--version", printed),
                    false => stdout::ended("--help", printed),
                })
            }
        }
    }
}

/// Without the variables that are set and empty: they count as not set, since deployment templates write them so.
fn without_empty(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let none = Resettable::<OsStr>::Reset;
    let command = command.mut_args(|arg| if is_empty(&arg) { arg.env(none.clone()) } else { arg });
    command.mut_subcommands(without_empty)
}

impl RunArgs {
    /// What the flags set over environment and file.
    pub fn overrides(&self) -> Overrides {
        Overrides { listen: self.listen.clone(), admin: self.admin.clone(), dev: self.dev }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, ExitCode> {
        Cli::from_words(line.split_whitespace().map(OsString::from))
    }

    fn run(line: &str) -> RunArgs {
        match parse(line) {
            Ok(Command::Run(args)) => args,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bare_command_runs() {
        for line in ["tickerd", "tickerd run"] {
            let args = run(&format!(
                "{line} --config a.toml --listen 127.0.0.1:0 --listen unix:/run/t --admin [::1]:0"
            ));
            assert_eq!(args.config, Some(PathBuf::from("a.toml")));
            assert_eq!(args.overrides().listen.len(), 2);
            assert_eq!(args.overrides().admin, "[::1]:0".parse().ok());
        }
        assert_eq!(run("tickerd").overrides(), Overrides::default());
        assert!(run("tickerd --dev").overrides().dev && run("tickerd run --dev").overrides().dev);
    }

    #[test]
    fn the_other_commands_are_told_apart() {
        assert!(
            matches!(parse("tickerd check a.toml"), Ok(Command::Check(args)) if args.file.ends_with("a.toml"))
        );
        let host = parse("tickerd feed-host --feed sim /lib/libsim.so --daemon 7");
        assert!(
            matches!(host, Ok(Command::FeedHost(args)) if args.feed == "sim" && args.path.ends_with("libsim.so"))
        );
        let exec = parse("tickerd feed-exec --daemon 7 -- /bin/sh -c --daemon");
        assert!(
            matches!(exec, Ok(Command::FeedExec(args)) if args.daemon == 7 && args.argv == ["/bin/sh", "-c", "--daemon"])
        );
    }

    #[test]
    fn wrong_usage_is_64_and_help_is_0() {
        assert!(matches!(parse("tickerd feed reload sim --socket /run/t.sock"), Ok(Command::Feed(_))));
        for line in [
            "tickerd feed",
            "tickerd feed relod",
            "tickerd --port 80",
            "tickerd check",
            "tickerd rnu",
            "tickerd --listen localhost",
            "tickerd x y",
        ] {
            assert_eq!(parse(line).expect_err(line), ExitCode::from(EXIT_USAGE), "{line}");
        }
        for line in ["tickerd --help", "tickerd --version", "tickerd check --help"] {
            assert_eq!(parse(line).expect_err(line), ExitCode::SUCCESS, "{line}");
        }
    }

    /// Goal: a command that the page's console copies is one that there is.
    #[test]
    fn what_the_console_copies_is_understood() {
        let test = include_str!("../../../tests/browser/console_pure.test.js");
        let texts = test.split('"').filter_map(|text| text.rsplit("\\n").next());
        let copied: Vec<&str> =
            texts.filter(|text| text.starts_with("tickerd ") && !text.contains("$")).collect();
        assert!(copied.len() >= 7, "{copied:?}");
        for command in copied {
            assert!(parse(&command.replace('\'', "")).is_ok(), "{command}");
        }
    }

    /// Goal: a command that the author's guide shows is one that there is.
    #[test]
    fn what_the_sdk_shows_is_understood() {
        let guide = include_str!("../../../plugins-sdk/README.md");
        let blocks = guide.split("\n```sh").skip(1).map(|rest| rest.split("\n```").next().unwrap());
        let shown = blocks.flat_map(str::lines).filter(|line| line.starts_with("tickerd "));
        let commands: Vec<&str> = shown.map(|line| line.split(" #").next().unwrap().trim_end()).collect();
        assert!(commands.len() >= 5, "{commands:?}");
        for command in commands {
            assert!(parse(command).is_ok(), "{command}");
        }
    }
}
