//! A bound address, and the loop that accepts on it for as long as the server lives.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::sync::mpsc;

use super::Error;
use super::connection::Before;
use super::gates::Gates;
use super::spare::{self, Spare};
use super::stop::Stop;
use super::transport::Transport;
use crate::listen::hosts::Door;
use crate::listen::log_limit::LogLimit;
use crate::listen::passed;
use crate::listen::socket_file::{self, SocketFile};
use tickerd_config::{self as config, Listen};

/// Connections the kernel completes while the loop is busy: a reconnect storm fits. `net.core.somaxconn` caps it.
const BACKLOG: i32 = 4096;
/// Between failing accepts (no descriptors left, mostly): doubling, so that the loop neither spins nor sleeps through
/// the recovery.
const NAP_MIN: Duration = Duration::from_millis(10);
const NAP_MAX: Duration = Duration::from_secs(1);
/// Who may connect to a unix socket: its owner and group.
const SOCKET_MODE: u32 = 0o660;

/// A bound address.
pub struct Listener {
    address: config::Listener,
    socket: Bound,
    is_passed: bool,
}

enum Bound {
    Tcp(TcpListener),
    /// The file of one that was passed stays.
    Unix(UnixListener, Option<SocketFile>),
}

impl Listener {
    /// Takes a socket of the address that the service manager has passed.
    pub fn passed(wanted: &config::Listener, socket: passed::Socket) -> Listener {
        let socket = match socket {
            passed::Socket::Tcp(socket) => Bound::Tcp(socket),
            passed::Socket::Unix(socket) => Bound::Unix(socket, None),
        };
        Listener { address: wanted.clone(), socket, is_passed: true }
    }

    /// Binds the address.
    pub fn bind(wanted: &config::Listener) -> Result<Listener, Error> {
        let listen = &wanted.address;
        let bound = match listen {
            Listen::Tcp(address) => bind_tcp(*address),
            Listen::Unix(path) => {
                socket_file::clear_stale(path)?;
                bind_unix(path)
            }
        };
        let (address, socket) = bound.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => Error::Taken { listen: listen.clone() },
            _ => Error::Bind { listen: listen.clone(), source },
        })?;
        Ok(Listener { address: config::Listener { address, ..wanted.clone() }, socket, is_passed: false })
    }

    /// The actual address, and what is spoken there.
    pub fn address(&self) -> &config::Listener {
        &self.address
    }

    /// Whether the service manager holds the socket too.
    pub fn is_passed(&self) -> bool {
        self.is_passed
    }

    /// Accepts until told to stop, then closes the socket and removes its file.
    pub async fn accept(self, gates: Arc<Gates>, mut stop: Stop, alive: mpsc::Sender<()>) {
        let before = Before { proxy: self.address.proxy, tls: self.address.tls };
        let failed = |error: io::Error| tracing::error!(%error, listen = %self.address, "cannot serve");
        match self.socket {
            Bound::Tcp(socket) => match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => accept_all(socket, before, gates, &mut stop, alive).await,
                Err(error) => failed(error),
            },
            Bound::Unix(socket, _file) => match tokio::net::UnixListener::from_std(socket) {
                Ok(socket) => accept_all(socket, before, gates, &mut stop, alive).await,
                Err(error) => failed(error),
            },
        }
    }
}

/// What the loop needs of a listening socket.
trait Accept {
    type Io: Transport;

    /// The next connection, its peer's address where it has one, and where it came in.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Io, Option<IpAddr>, Door)>> + Send;
}

impl Accept for tokio::net::TcpListener {
    type Io = tokio::net::TcpStream;

    async fn next(&self) -> io::Result<(Self::Io, Option<IpAddr>, Door)> {
        let (stream, peer) = self.accept().await?;
        // A tick is worth nothing late. A client that is gone already says so when it is read.
        let _ = stream.set_nodelay(true);
        let bound = self.local_addr()?.ip();
        let local = stream.local_addr().map_or(bound, |local| local.ip());
        Ok((stream, Some(peer.ip()), Door::Tcp { bound, local }))
    }
}

impl Accept for tokio::net::UnixListener {
    type Io = tokio::net::UnixStream;

    async fn next(&self) -> io::Result<(Self::Io, Option<IpAddr>, Door)> {
        self.accept().await.map(|(stream, _)| (stream, None, Door::Unix))
    }
}

async fn accept_all(
    socket: impl Accept,
    before: Before,
    gates: Arc<Gates>,
    stop: &mut Stop,
    alive: mpsc::Sender<()>,
) {
    let mut nap = NAP_MIN;
    let log = LogLimit::default();
    let mut spare = Spare::new();
    while let Some(accepted) = stop.until(socket.next()).await {
        match accepted {
            Ok((io, peer, door)) => {
                nap = NAP_MIN;
                spare.take();
                let (gate, stop, alive) = (gates.now(), stop.clone(), alive.clone());
                tokio::spawn(async move {
                    let _alive = alive;
                    gate.pass(io, (peer, door), before, stop).await;
                });
            }
            Err(error) if is_one_connections(&error) => {}
            Err(error) => {
                if let Some(suppressed) = log.pass(Instant::now()) {
                    tracing::warn!(%error, suppressed, "cannot accept; raise the descriptor limit (LimitNOFILE=)");
                }
                // Who waits first is told, if that can be; then the next is tried at once.
                if spare.give(&error) {
                    if let Some(Ok((io, ..))) = spare::once(socket.next()).await {
                        gates.now().limits.count_no_descriptors();
                        spare::say_full(io, before.tls || before.proxy).await;
                    }
                    spare.take();
                    continue;
                }
                if stop.until(tokio::time::sleep(nap)).await.is_none() {
                    return;
                }
                nap = (nap * 2).min(NAP_MAX);
                spare.take();
            }
        }
    }
}

/// Whether an accept error concerns one connection alone, so that the next accept may be tried at once.
fn is_one_connections(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn bind_tcp(address: SocketAddr) -> io::Result<(Listen, Bound)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // So that a restart is not kept waiting by connections of the last run that are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from(socket);
    Ok((Listen::Tcp(socket.local_addr()?), Bound::Tcp(socket)))
}

fn bind_unix(path: &Path) -> io::Result<(Listen, Bound)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::of(path)?;
    // Before listening, so that nobody connects under the umask's mode.
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    socket.listen(BACKLOG)?;
    Ok((Listen::Unix(path.into()), Bound::Unix(UnixListener::from(socket), Some(file))))
}
