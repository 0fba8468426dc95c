//! `tickerd feed`: asks a daemon that runs how its feeds are, and has them reloaded.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use tickerd_engine::control::{Answer, CONFIGURE_MAX, Command, FeedRow, ReloadRow, line, usual_places};
use tickerd_host::printable;
use tickerd_process::clock::utc;
use tickerd_process::exit::EXIT_FAILED;

/// Longest answer: 256 feeds, each with a reason of some KiB at the worst.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Beyond what the daemon itself waits for its feeds.
const ANSWER_MARGIN: Duration = Duration::from_secs(15);

/// `tickerd feed …`
#[derive(Debug, Clone, Args)]
pub struct FeedArgs {
    #[command(subcommand)]
    command: FeedCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum FeedCommand {
    /// Have a feed's plugin file read again, and a new process of it take over without a gap.
    ///
    /// With a name that feed is reloaded, whether its file has changed or not; without one, every feed whose file has.
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

#[derive(Debug, Clone, Args)]
struct How {
    /// The daemon's admin socket, as server.admin_socket has it (without `unix:`).
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print the answer as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Does what was asked. Only root and the daemon's own user are obeyed.
pub fn run(args: &FeedArgs) -> ExitCode {
    let (command, how) = match &args.command {
        FeedCommand::Reload { name, how } => (Command::FeedReload { feed: name.clone() }, how),
        FeedCommand::List { how } => (Command::FeedList {}, how),
    };
    let answer = match find(how.socket.as_deref()).and_then(|path| ask(&path, &command)) {
        Ok(answer) => answer,
        Err(why) => return failed(&why),
    };
    if let Some(why) = &answer.error {
        return failed(why);
    }
    let text = match how.json {
        true => String::from_utf8_lossy(&line(&answer)).into_owned(),
        false => shown(&answer),
    };
    // A closed stdout must not change the verdict.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    let done = answer.reloads.unwrap_or_default().iter().all(|reload| reload.done);
    if done { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("tickerd feed: {}", printable(why));
    ExitCode::from(EXIT_FAILED)
}

/// The socket that was named, or the first that is there.
pub fn find(named: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(named) = named {
        return Ok(named.strip_prefix("unix:").unwrap_or(named).to_owned());
    }
    let places = usual_places();
    places.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
        let places: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
        format!(
            "no tickerd has its admin socket in {}; start one as this user, or as root, or name the socket of one that runs with \
             --socket: its server.admin_socket says where, and one that has none said so when it started",
            places.join(" or ")
        )
    })
}

pub fn ask(path: &Path, command: &Command) -> Result<Answer, String> {
    let at = path.display();
    let connected = UnixStream::connect(path).map_err(|error| {
        let change = match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                "only root and tickerd's own user may command it; use sudo"
            }
            _ => "start tickerd, or name the socket of one that runs with --socket: its server.admin_socket says where",
        };
        format!("cannot reach tickerd at {at}: {error}; {change}")
    });
    let mut stream = connected?;
    let broken = |error: std::io::Error| format!("tickerd at {at} does not answer: {error}");
    stream.set_read_timeout(Some(CONFIGURE_MAX + ANSWER_MARGIN)).map_err(broken)?;
    stream.write_all(&line(command)).map_err(broken)?;
    let mut text = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut text).map_err(broken)?;
    serde_json::from_str(&text)
        .map_err(|error| format!("what answers at {at} is no tickerd of this version ({error})"))
}

fn shown(answer: &Answer) -> String {
    let reloads = answer.reloads.iter().flatten().map(|row| cells(reload_cells(row)));
    let feeds = answer.feeds.as_ref().map(|feeds| {
        let head = ["FEED", "STATE", "SINCE", "REFUSED", "VERSION", "PLUGIN", "REASON"].map(str::to_owned);
        std::iter::once(head.to_vec()).chain(feeds.iter().map(|row| cells(feed_cells(row))))
    });
    table(&feeds.into_iter().flatten().chain(reloads).collect::<Vec<_>>())
}

fn reload_cells(row: &ReloadRow) -> Vec<String> {
    vec![row.feed.clone(), row.result.replace('_', " "), row.detail.clone()]
}

fn feed_cells(row: &FeedRow) -> Vec<String> {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let row = row.clone();
    let refused = match row.refused {
        0 => "-".to_owned(),
        refused => format!("{refused} of {}", refused + row.samples),
    };
    vec![row.feed, row.state, utc(row.since), refused, or_dash(&row.version), row.plugin, row.reason]
}

/// What plugins say is shown on a terminal.
fn cells(cells: Vec<String>) -> Vec<String> {
    cells.iter().map(|cell| printable(cell)).collect()
}

/// Columns as wide as their widest cell, two spaces apart; the last one as it comes.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or_default()).collect();
    rows.iter()
        .map(|row| {
            let padded: Vec<String> =
                row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
            format!("{}\n", padded.join("  ").trim_end())
        })
        .collect()
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
            sha256: None,
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

    #[test]
    fn a_socket_that_is_not_there_is_told_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = find(Some(Path::new("unix:"))).unwrap();
        assert_eq!(path, Path::new(""));
        let error = ask(&dir.path().join("none.sock"), &Command::FeedList {}).unwrap_err();
        assert!(error.contains("none.sock") && error.contains("--socket"), "{error}");
    }
}
