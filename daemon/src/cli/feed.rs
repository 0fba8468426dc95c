//! `tickerd feed`: asks a daemon that runs how its feeds are, and has them reloaded.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::operator::table::{Row, head, or_dash, table};
use super::operator::{EXIT_CODES, How, failed, print};
use tickerd_engine::control::{Answer, Command, FeedRow, ReloadRow};
use tickerd_process::clock::utc;
use tickerd_process::exit::EXIT_FAILED;

/// `tickerd feed …`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXIT_CODES)]
pub struct FeedArgs {
    #[command(subcommand)]
    command: FeedCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum FeedCommand {
    /// Have a feed's plugin file read again, and a new process of it take over without a gap.
    ///
    /// With a name that feed is reloaded, whether its file has changed or not; without one, every feed whose file has, which the
    /// admin socket alone takes.
    /// Fails when the old one goes on, and says why.
    Reload {
        /// The feed's configured name.
        #[arg(value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Show each feed: its state and since when, its plugin's file and version, and why it is so.
    List {
        #[command(flatten)]
        how: How,
    },
}

/// Does what was asked. Only root, the daemon's own user and who has the token are obeyed.
pub fn run(args: &FeedArgs) -> ExitCode {
    let (command, how) = match &args.command {
        FeedCommand::Reload { name, how } => (Command::FeedReload { feed: name.clone() }, how),
        FeedCommand::List { how } => (Command::FeedList {}, how),
    };
    let answer = match how.reach.ask(&command) {
        Ok(answer) => answer,
        Err(why) => return failed("feed", &why),
    };
    let code = print("feed", &answer, how.json, shown);
    let done = answer.reloads.unwrap_or_default().iter().all(|reload| reload.done);
    if done { code } else { ExitCode::from(EXIT_FAILED) }
}

fn shown(answer: &Answer) -> String {
    let reloads = answer.reloads.iter().flatten().map(reload_cells);
    table(&answer.feeds.as_deref().map(feed_rows).into_iter().flatten().chain(reloads).collect::<Vec<_>>())
}

fn reload_cells(row: &ReloadRow) -> Row {
    vec![row.feed.clone(), row.result.replace('_', " "), row.detail.clone()]
}

/// The feeds as rows of a table, with its head.
pub fn feed_rows(feeds: &[FeedRow]) -> Vec<Row> {
    let names = head(["FEED", "STATE", "SINCE", "REFUSED", "VERSION", "PLUGIN", "REASON"]);
    std::iter::once(names).chain(feeds.iter().map(feed_cells)).collect()
}

fn feed_cells(row: &FeedRow) -> Row {
    let row = row.clone();
    let codes: Vec<&str> = row.refusals.keys().map(String::as_str).collect();
    let refused = match row.refused {
        0 => "-".to_owned(),
        refused if codes.is_empty() => format!("{refused} of {}", refused + row.samples),
        refused => format!("{refused} of {} ({})", refused + row.samples, codes.join(" ")),
    };
    vec![row.feed, row.state, utc(row.since), refused, or_dash(&row.version), row.plugin, row.reason]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_shown_in_columns() {
        let row = |feed: &str, version: &str, reason: &str| FeedRow {
            feed: feed.into(),
            state: "up".into(),
            since: 1_767_225_600_000,
            reason: reason.into(),
            isolation: "process".into(),
            plugin: "/p/x.so".into(),
            version: version.into(),
            samples: 90,
            refused: version.len() as u64 * 2,
            ..FeedRow::default()
        };
        let feeds = vec![row("sim", "", ""), row("a-longer-one", "1.2.3", "\x1b[2Jwhy")];
        let text = shown(&Answer { feeds: Some(feeds), ..Answer::default() });
        assert_eq!(
            text,
            "FEED          STATE  SINCE                 REFUSED    VERSION  PLUGIN   REASON\n\
             sim           up     2026-01-01T00:00:00Z  -          -        /p/x.so\n\
             a-longer-one  up     2026-01-01T00:00:00Z  10 of 100  1.2.3    /p/x.so  \u{fffd}[2Jwhy\n"
        );
    }
}
