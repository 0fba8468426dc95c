//! The admin socket: a unix socket over which root and the daemon's own user ask how the daemon, its feeds, topics and
//! connections are, and have feeds reloaded, moved to other nodes, and clients disconnected.
//!
//! One line of JSON in, one line out, and the connection ends. On a thread of its own, with few connections and a deadline
//! for each, so that whoever connects can hold nobody up; what takes its time is waited for and not done here. It knows
//! nothing of what it commands: it is given closures, and a way to ask the shards. The admin listener obeys the same commands.

mod cluster;
mod commands;
mod lists;
mod place;
mod words;

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::unistd::geteuid;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, oneshot};

use crate::listen::socket_file::{self, SocketFile};
use crate::server::Error as ListenError;
use tickerd_config::AdminSocket;

pub use crate::exchange::rows::{ConnectionRow, TopicRow};
pub use crate::exchange::standing::{ClusterRows, HeldRow, NodeRow};
pub use cluster::{Cluster, HandOver, MOVE_MAX, Moving};
pub use commands::{
    CONFIGURE_MAX, Commands, Configure, Disconnect, Disconnected, RELOAD_MAX, Reload, Reloading,
};
pub use lists::Lists;
pub use place::{check as check_place, usual_path, usual_places};
pub use words::{
    Answer, ChangeRow, CheckRow, Command, ConfigReload, FeedRow, LogLine, ReloadRow, Status, line,
};

/// Commands at once; further ones wait in the backlog.
const CONNECTIONS_MAX: usize = 8;
const BACKLOG: i32 = 64;
/// Longest command, in bytes.
const COMMAND_BYTES_MAX: u64 = 4096;
/// For a whole command to arrive, and for its answer to be taken.
const PEER_MAX: Duration = Duration::from_secs(5);
/// After a failing accept, which is mostly a lack of descriptors.
const NAP: Duration = Duration::from_millis(100);
/// Its file is its owner's alone; root needs no permission.
const SOCKET_MODE: u32 = 0o600;

/// Why the admin socket does not serve.
#[derive(Debug)]
pub enum Error {
    /// Another process listens there.
    Taken(PathBuf),
    /// A file that is no socket has its path.
    NotASocket(PathBuf),
    /// It cannot be bound for another reason.
    Bind { path: PathBuf, source: io::Error },
    /// The system gave no thread or no event queue.
    Start(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = "change server.admin_socket";
        match self {
            Error::Taken(path) => {
                write!(
                    f,
                    "the admin socket cannot have {}: another tickerd listens there; {change}",
                    path.display()
                )
            }
            Error::NotASocket(path) => write!(
                f,
                "the admin socket cannot have {}: a file that is not a socket is there; remove it, or {change}",
                path.display()
            ),
            Error::Bind { path, source } => {
                let remedy = match source.kind() {
                    io::ErrorKind::NotFound => "its folder must exist",
                    io::ErrorKind::PermissionDenied => "its folder must be one that may be written",
                    _ => "see the reason given",
                };
                write!(f, "the admin socket cannot have {}: {source}; {remedy}; {change}", path.display())
            }
            Error::Start(source) => {
                write!(f, "cannot start the admin socket: {source}; see the limits of this process")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Bind { source, .. } | Error::Start(source) => Some(source),
            Error::Taken(_) | Error::NotASocket(_) => None,
        }
    }
}

/// A bound admin socket that does not serve yet.
pub struct Control {
    listener: UnixListener,
    file: SocketFile,
    path: PathBuf,
}

impl Control {
    /// Binds. A socket that a killed daemon left there is replaced.
    pub fn bind(path: &Path) -> Result<Control, Error> {
        socket_file::clear_stale(path).map_err(|error| match error {
            ListenError::NotASocket { path } => Error::NotASocket(path),
            ListenError::Bind { source, .. } => Error::Bind { path: path.to_owned(), source },
            _ => Error::Taken(path.to_owned()),
        })?;
        let bound = || -> io::Result<Control> {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            socket.bind(&SockAddr::unix(path)?)?;
            let file = SocketFile::of(path)?;
            // Before listening, so that nobody connects under the umask's mode.
            fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
            socket.listen(BACKLOG)?;
            Ok(Control { listener: socket.into(), file, path: path.to_owned() })
        };
        bound().map_err(|source| Error::Bind { path: path.to_owned(), source })
    }

    /// Binds what is configured, and says where that is, or that there is none.
    ///
    /// # Errors
    /// A configured path cannot be had.
    pub fn open(configured: &AdminSocket) -> Result<Option<Control>, Error> {
        let control = match configured {
            AdminSocket::Off => {
                tracing::info!(
                    "there is no admin socket, since server.admin_socket is \"off\"; `tickerd status` and `tickerd feed` reach \
                     this daemon only with --admin and server.admin_token"
                );
                return Ok(None);
            }
            AdminSocket::Auto => Control::bind_usual(),
            AdminSocket::At(path) => Some(Control::bind(path)?),
        };
        if let Some(Control { path, .. }) = &control {
            tracing::info!("the admin socket is {}; `tickerd status` asks there", path.display());
        }
        Ok(control)
    }

    /// As [`Control::bind`], of [`usual_path`], whose last folder is made if need be. Another daemon that was there first,
    /// and whatever else is in the way, is a reason to go without: nobody asked for it.
    fn bind_usual() -> Option<Control> {
        let path = usual_path();
        if let Some(folder) = path.parent() {
            // An error is told where the socket is bound.
            let _ = fs::DirBuilder::new().mode(0o700).create(folder);
        }
        let bound = match place::check(&path) {
            Ok(()) => Control::bind(&path).map_err(|error| error.to_string()),
            Err(why) => Err(format!("{} cannot have the admin socket: {why}", path.display())),
        };
        let say = |why: String| {
            tracing::warn!(
                "there is no admin socket, so `tickerd status` and `tickerd feed` do not find this daemon: {why}; set \
                 server.admin_socket = \"unix:/a/folder/of/its/own/admin.sock\""
            );
        };
        bound.map_err(say).ok()
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves on a thread of its own until the answer is dropped.
    pub fn start(self, commands: Commands) -> Result<Running, Error> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let Control { listener, file, .. } = self;
        let thread = thread::Builder::new()
            .name("admin-socket".into())
            .spawn(move || {
                let _file = file;
                runtime.block_on(async {
                    tokio::spawn(accept(listener, commands));
                    // Ends when the sender is dropped, and the runtime ends all tasks.
                    let _ = stopped.await;
                });
            })
            .map_err(Error::Start)?;
        Ok(Running { stop: Some(stop), thread: Some(thread) })
    }
}

/// An admin socket that serves. Dropping it ends it.
pub struct Running {
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the admin socket's thread panicked");
        }
    }
}

async fn accept(listener: UnixListener, commands: Commands) {
    let listener = match tokio::net::UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the admin socket cannot serve"),
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let commands = commands.clone();
                tokio::spawn(async move {
                    let _place = place;
                    if let Err(error) = serve(stream, commands).await {
                        tracing::debug!(%error, "a connection to the admin socket ended badly");
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "the admin socket cannot accept");
                tokio::time::sleep(NAP).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, commands: Commands) -> io::Result<()> {
    // Read first, also from a stranger: who has not been heard does not listen either.
    let answer = match tokio::time::timeout(PEER_MAX, command(&mut stream)).await {
        Ok(command) => match (trust(&stream)?, command) {
            (Some(refused), _) | (None, Err(refused)) => refused,
            (None, Ok(command)) => commands.obey(command).await,
        },
        Err(_) => Answer::refused(format!("no whole line came within {} s", PEER_MAX.as_secs())),
    };
    let answer = line(&answer);
    let written = tokio::time::timeout(PEER_MAX, stream.write_all(&answer)).await;
    written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// What is said to someone who may not command; nothing to who may.
fn trust(stream: &UnixStream) -> io::Result<Option<Answer>> {
    let (peer, user) = (stream.peer_cred()?.uid(), geteuid().as_raw());
    if peer == 0 || peer == user {
        return Ok(None);
    }
    tracing::debug!(peer, "a stranger wanted to command this tickerd");
    Ok(Some(Answer::refused(format!(
        "only root and tickerd's own user (uid {user}) may command it, and you are uid {peer}; use sudo"
    ))))
}

async fn command(stream: &mut UnixStream) -> Result<Command, Answer> {
    let mut text = Vec::new();
    let mut limited = BufReader::new(stream.take(COMMAND_BYTES_MAX));
    let read = limited.read_until(b'\n', &mut text).await;
    read.map_err(|error| Answer::refused(format!("the command cannot be read: {error}")))?;
    if text.last() != Some(&b'\n') {
        return Err(Answer::refused(format!("a command is one line of at most {COMMAND_BYTES_MAX} bytes")));
    }
    serde_json::from_slice(&text).map_err(|error| Answer::refused(format!("this is no command: {error}")))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn start(dir: &Path) -> (Running, PathBuf) {
        let path = dir.join("admin.sock");
        let row = FeedRow {
            feed: "sim".into(),
            state: "up".into(),
            since: 7,
            reason: String::new(),
            isolation: "process".into(),
            plugin: "/p/sim.so".into(),
            version: "1.0".into(),
            samples: 90,
            refused: 10,
            ..FeedRow::default()
        };
        let reload = |feed: Option<&str>| {
            if feed == Some("nope") {
                return Err("there is no feed nope".to_owned());
            }
            let (tell, told) = oneshot::channel();
            let (_, never) = oneshot::channel();
            let (result, detail) = ("swapped".to_owned(), "in a new process".to_owned());
            drop(tell.send(ReloadRow { feed: "sim".into(), result, done: true, detail }));
            Ok(vec![("sim".to_owned(), told), ("gone".to_owned(), never)])
        };
        let list = Arc::new(move || vec![row.clone()]);
        let configure = Arc::new(|| {
            let (tell, told) = oneshot::channel();
            drop(tell.send(ConfigReload { outcome: "unchanged".into(), ..ConfigReload::default() }));
            Ok(told)
        });
        let commands = Commands { list, reload: Arc::new(reload), configure, ..Commands::none() };
        (Control::bind(&path).unwrap().start(commands).unwrap(), path)
    }

    fn ask(path: &Path, text: &str) -> Answer {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        std::io::BufReader::new(stream).read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    #[test]
    fn commands_are_answered_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let (_running, path) = start(dir.path());
        let list = ask(&path, "{\"command\":\"feed_list\"}\n").feeds.unwrap();
        assert_eq!((list.len(), list[0].plugin.as_str()), (1, "/p/sim.so"));
        let reloads = ask(&path, "{\"command\":\"feed_reload\"}\n").reloads.unwrap();
        let done: Vec<(&str, bool)> = reloads.iter().map(|row| (row.feed.as_str(), row.done)).collect();
        assert_eq!(done, [("sim", true), ("gone", false)]);
        let reload = ask(&path, "{\"command\":\"reload\"}\n").reload.unwrap();
        assert_eq!(reload.outcome, "unchanged");
        let refused = ask(&path, "{\"command\":\"feed_reload\",\"feed\":\"nope\"}\n").error.unwrap();
        assert_eq!(refused, "there is no feed nope");
    }

    #[test]
    fn what_is_no_command_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (_running, path) = start(dir.path());
        for text in ["\n", "reload\n", "{\"command\":\"stop\"}\n", "{\"command\":\"feed_list\",\"x\":1}\n"] {
            assert!(ask(&path, text).error.unwrap().contains("this is no command"), "{text}");
        }
        for text in ["", "{\"command\":\"feed_list\"}", &"x".repeat(5000)] {
            assert!(ask(&path, text).error.unwrap().contains("one line of at most 4096 bytes"), "{text}");
        }
    }

    #[test]
    fn its_file_is_its_owners_alone_and_goes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let (running, path) = start(dir.path());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        let taken = Control::bind(&path).err().unwrap().to_string();
        assert!(taken.contains("another tickerd listens there"), "{taken}");
        drop(running);
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        assert!(Control::bind(&path).err().unwrap().to_string().contains("not a socket"));
        let nowhere = Control::bind(&dir.path().join("none/admin.sock")).err().unwrap().to_string();
        assert!(nowhere.contains("its folder must exist"), "{nowhere}");
    }

    #[test]
    fn a_socket_that_was_left_behind_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(dir.path().join("admin.sock")).unwrap());
        let (_running, path) = start(dir.path());
        assert!(ask(&path, "{\"command\":\"feed_list\"}\n").feeds.is_some());
    }
}
