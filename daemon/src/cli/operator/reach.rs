//! Finds the daemon: its admin socket, named or where it usually is, or its admin listener with the token.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::{EXIT_AWAY, http};
use tickerd_engine::control::{Answer, CONFIGURE_MAX, Command, check_place, line, usual_places};
use tickerd_process::exit::{EXIT_FAILED, EXIT_USAGE};

/// How long an answer takes at most, beyond what the daemon itself waits for its feeds.
const ANSWER_MARGIN: Duration = Duration::from_secs(15);

/// Which daemon is asked.
#[derive(Debug, Clone, Default, Args)]
pub struct Reach {
    /// The daemon's admin socket; by default the first that is there of those where it usually is
    #[arg(long, value_name = "PATH", conflicts_with = "admin")]
    pub socket: Option<PathBuf>,
    /// The daemon's admin listener in place of the socket, such as http://127.0.0.1:8426; needs --admin-token
    #[arg(long, value_name = "URL")]
    pub admin: Option<String>,
    /// A file with the token that server.admin_token names
    #[arg(long, value_name = "FILE", env = "TICKERD_ADMIN_TOKEN_FILE")]
    pub admin_token: Option<PathBuf>,
}

/// Which daemon is asked, and how its answer is printed.
#[derive(Debug, Clone, Args)]
pub struct How {
    #[command(flatten)]
    pub reach: Reach,
    /// Print the answer as one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which daemon is asked, where its admin listener does not take the command.
#[derive(Debug, Clone, Default, Args)]
pub struct Local {
    /// The daemon's admin socket; by default the first that is there of those where it usually is
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// The same, and how its answer is printed.
#[derive(Debug, Clone, Args)]
pub struct LocalHow {
    #[command(flatten)]
    pub local: Local,
    /// Print the answer as one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// Why a daemon was not asked, or did not answer. The text says what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreached {
    /// What was said on the command line cannot be.
    Usage(String),
    /// Nobody is there.
    Away(String),
    /// Somebody is, and does not do it.
    Refused(String),
}

impl Unreached {
    pub fn exit_code(&self) -> u8 {
        match self {
            Unreached::Usage(_) => EXIT_USAGE,
            Unreached::Away(_) => EXIT_AWAY,
            Unreached::Refused(_) => EXIT_FAILED,
        }
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreached::Usage(why) | Unreached::Away(why) | Unreached::Refused(why) => f.write_str(why),
        }
    }
}

/// How long the answer to a command may take.
fn patience(command: &Command) -> Duration {
    match command {
        Command::Reload {}
        | Command::FeedReload { .. }
        | Command::ClusterMove { .. }
        | Command::ClusterDrain {} => CONFIGURE_MAX + ANSWER_MARGIN,
        _ => ANSWER_MARGIN,
    }
}

impl Local {
    /// Asks the daemon.
    ///
    /// # Errors
    /// It is not there, or does not answer.
    pub fn ask(&self, command: &Command) -> Result<Answer, Unreached> {
        Reach { socket: self.socket.clone(), ..Reach::default() }.ask(command)
    }
}

impl Reach {
    /// Asks the daemon.
    ///
    /// # Errors
    /// It is not there, or does not answer, or its answer is to something else.
    pub fn ask(&self, command: &Command) -> Result<Answer, Unreached> {
        let answer = self.answer(command)?;
        match answer.error.is_some() || is_answered(command, &answer) {
            true => Ok(answer),
            false => {
                Err(Unreached::Away("what answers is no tickerd of this version; restart it".to_owned()))
            }
        }
    }

    fn answer(&self, command: &Command) -> Result<Answer, Unreached> {
        let http = |url: &str| http::ask(url, self.admin_token.as_deref(), command, patience(command));
        if let Some(url) = &self.admin {
            return http(url);
        }
        if let Some(named) = &self.socket {
            // Not of the path's parts: what follows may begin with a slash.
            let path = named.as_os_str().as_bytes().strip_prefix(b"unix:");
            let path = path.map_or(named.as_path(), |path| Path::new(OsStr::from_bytes(path)));
            return say(path, connect(path)?, command);
        }
        let mut refused = None;
        for path in usual_places().iter().filter(|path| path.exists() && check_place(path).is_ok()) {
            match connect(path) {
                Ok(stream) => return say(path, stream, command),
                Err(why @ Unreached::Refused(_)) => refused = Some(why),
                // It was left behind.
                Err(_) => {}
            }
        }
        let by_http = http::takes(command);
        match (refused, &self.admin_token) {
            (_, Some(_)) if by_http => http(http::USUAL),
            (Some(why), _) => Err(why),
            (None, _) => Err(not_found(by_http)),
        }
    }
}

/// Whether the answer has what belongs to the command.
fn is_answered(command: &Command, answer: &Answer) -> bool {
    match command {
        Command::Status {} => answer.status.is_some(),
        Command::FeedList {} => answer.feeds.is_some(),
        Command::Topics { .. } => answer.topics.is_some(),
        Command::Connections { .. } => answer.connections.is_some(),
        Command::FeedReload { .. } => answer.reloads.is_some(),
        Command::Reload {} => answer.reload.is_some(),
        Command::Disconnect { .. } => answer.disconnected.is_some(),
        Command::ClusterStatus {} => answer.cluster.is_some(),
        Command::ClusterMove { .. } | Command::ClusterDrain {} => answer.moved.is_some(),
        Command::Loglevel { .. } => answer.level.is_some(),
    }
}

/// No socket is there. A daemon may be all the same. `by_http`: whether its listener would take the command.
fn not_found(by_http: bool) -> Unreached {
    let (or_token, or_listener) = match by_http {
        true => (
            ", or ask the listener with --admin-token FILE",
            ", or the listener with --admin URL and --admin-token FILE",
        ),
        false => ("", ""),
    };
    let places: Vec<String> = usual_places().iter().map(|path| path.display().to_string()).collect();
    let places = places.join(" or ");
    match http::probe() {
        Some(says) => Unreached::Refused(format!(
            "a tickerd runs, with its admin listener at {}/, and its admin socket is not in {places}; name it with --socket PATH \
             (the daemon's log says where it is, and server.admin_socket puts it elsewhere), use sudo if it runs as another \
             user{or_token}. It says to everyone: {}",
            http::USUAL,
            says.trim_end().replace('\n', "; ")
        )),
        None => Unreached::Away(format!(
            "no tickerd is found: no admin socket is in {places}, and no admin listener answers at {}; name the socket with \
             --socket PATH{or_listener}; where none runs, `tickerd` starts one",
            http::USUAL
        )),
    }
}

fn connect(path: &Path) -> Result<UnixStream, Unreached> {
    let at = path.display();
    UnixStream::connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Unreached::Refused(format!(
            "tickerd at {at} may not be asked: {error}; only root and tickerd's own user may command it; use sudo"
        )),
        _ => Unreached::Away(format!(
            "no tickerd answers at {at}: {error}; start it, or name the socket of one that runs with --socket: its log and \
             server.admin_socket say where"
        )),
    })
}

fn say(path: &Path, mut stream: UnixStream, command: &Command) -> Result<Answer, Unreached> {
    let at = path.display();
    let within = patience(command);
    let broken = |error: io::Error| {
        let why = match error.kind() {
            io::ErrorKind::WouldBlock => format!("it said nothing for {} s", within.as_secs()),
            _ => error.to_string(),
        };
        Unreached::Away(format!("tickerd at {at} does not answer: {why}"))
    };
    stream.set_read_timeout(Some(within)).map_err(broken)?;
    stream.write_all(&line(command)).map_err(broken)?;
    let mut text = String::new();
    BufReader::new(stream.take(http::ANSWER_BYTES_MAX)).read_line(&mut text).map_err(broken)?;
    serde_json::from_str(&text).map_err(|error| {
        Unreached::Away(format!("what answers at {at} is no tickerd of this version ({error})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_is_not_there_is_told_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let socket = Some(dir.path().join("none.sock"));
        let error = Reach { socket, ..Reach::default() }.ask(&Command::FeedList {}).unwrap_err();
        assert_eq!(error.exit_code(), EXIT_AWAY);
        let error = error.to_string();
        assert!(error.contains("none.sock") && error.contains("--socket"), "{error}");
    }

    /// Goal: a daemon that hangs is told in seconds, and one that waits for its feeds is waited for.
    #[test]
    fn what_the_daemon_answers_at_once_is_not_waited_for() {
        for command in [Command::Status {}, Command::FeedList {}, Command::Loglevel { level: None }] {
            assert!(patience(&command) <= Duration::from_secs(15), "{command:?}");
        }
        for command in [Command::Reload {}, Command::FeedReload { feed: None }, Command::ClusterDrain {}] {
            assert!(patience(&command) > CONFIGURE_MAX, "{command:?}");
        }
    }

    #[test]
    fn a_listener_is_asked_with_a_token_alone() {
        let admin = Some("http://127.0.0.1:1".to_owned());
        let error = Reach { admin, ..Reach::default() }.ask(&Command::Status {}).unwrap_err();
        assert!(error.to_string().contains("--admin-token FILE"), "{error}");
        assert_eq!(error.exit_code(), EXIT_USAGE);
    }
}
