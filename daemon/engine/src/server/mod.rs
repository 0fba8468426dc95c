//! Brings sockets in: listens, answers HTTP, checks WebSocket handshakes and requests for event streams, and hands their
//! sockets to the fan-out.
//!
//! Runs on one thread of its own, so that neither a handshake storm nor a slow page load takes time from a shard.

mod api;
mod budgets;
mod connection;
mod cors;
mod error;
mod extensions;
mod handshake;
pub(crate) mod hosts;
mod kept;
mod limits;
mod listener;
mod log_limit;
mod metrics;
mod opening;
mod origin;
pub mod page;
mod peer;
mod posted;
mod problem;
mod reply;
mod routes;
pub(crate) mod socket_file;
mod sockets;
mod stop;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::exchange::arrival::Arrival;
use crate::exchange::enquiry::Asker;
use tickerd_model::close::CloseCode;
use tickerd_model::host::Host;
use tickerd_model::web_origin::Listed;

use budgets::{Budgets, PATTERNS_SHARE};
use connection::Gate;
pub use error::Error;
use listener::Listener;
pub use metrics::Metrics;
use routes::Routes;
pub use routes::{Document, Documents, FEEDS};
use stop::Stop;

/// How long connections that are still speaking HTTP may take to finish after a stop.
const GRACE: Duration = Duration::from_secs(1);

/// Takes upgraded connections. Called on the server's thread; must not block.
pub type Place = Arc<dyn Fn(Arrival) + Send + Sync>;

/// Counts a close that the server itself has sent.
pub type CountClose = Arc<dyn Fn(CloseCode) + Send + Sync>;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// Port 0 takes any free port; see [`Server::addresses`].
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => write!(f, "{address}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What the server is told by the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: Vec<Listen>,
    /// Browsers' Origins that may connect besides the page's own host, such as `https://dash.example.com`.
    pub origins: Vec<Listed>,
    /// Names by which the server is reached, besides its own addresses; see `hosts`.
    pub hosts: Vec<Host>,
    /// How long a client may take to send its request's header, and how long an idle HTTP connection is kept.
    pub handshake: Duration,
    /// Connections at once, upgraded or not. 0: the descriptor limit less a tenth, which is left for feeds and files.
    pub connections: usize,
    /// Connections at once from one IPv4 address or IPv6 /64. 0: no limit. Loopback and unix peers are exempt, unless a proxy
    /// there says for whom it speaks; see `peer`.
    pub connections_per_address: usize,
    /// Messages and lists per second that one address may ask for over HTTP, in the long run; see `budgets`.
    pub commands_per_s: u32,
    /// The same at once.
    pub commands_burst: u32,
    /// Serves `/echo`.
    pub echo: bool,
    /// permessage-deflate's window in bits, if it is agreed on with clients that offer it.
    pub deflate: Option<u8>,
}

/// A server that has its addresses and does not serve yet: clients that connect now wait in the backlog.
pub struct Server {
    listeners: Vec<Listener>,
    addresses: Vec<Listen>,
    settings: Settings,
    metrics: Arc<Metrics>,
}

impl Server {
    /// Binds all addresses, or none.
    pub fn bind(settings: Settings, metrics: Arc<Metrics>) -> Result<Server, Error> {
        let listeners = settings.listen.iter().map(Listener::bind).collect::<Result<Vec<_>, _>>()?;
        let addresses = listeners.iter().map(|listener| listener.address().clone()).collect();
        Ok(Server { listeners, addresses, settings, metrics })
    }

    /// The actual addresses, in the order of the settings.
    pub fn addresses(&self) -> &[Listen] {
        &self.addresses
    }

    /// Serves on a thread of its own until [`Running::stop`].
    pub fn start(
        self,
        place: Place,
        count_close: CountClose,
        asker: Asker,
        documents: Documents,
    ) -> Result<Running, Error> {
        let connections = match self.settings.connections {
            0 => descriptors().saturating_sub(descriptors() / 10),
            connections => connections,
        };
        let [per_s, burst] = [self.settings.commands_per_s, self.settings.commands_burst];
        let shared = |each: u32| each.saturating_mul(PATTERNS_SHARE);
        let gate = Arc::new(Gate {
            patterns: Arc::new(Budgets::new(shared(per_s), shared(burst))),
            limits: limits::Limits::new(connections, self.settings.connections_per_address),
            refusals: Semaphore::new(connection::REFUSALS_MAX),
            handshake: self.settings.handshake,
            routes: Routes::new(
                routes::Settings {
                    hosts: self.settings.hosts,
                    origins: self.settings.origins,
                    echo: self.settings.echo,
                    deflate: self.settings.deflate,
                },
                asker,
                Budgets::new(per_s, burst),
                self.metrics,
                documents,
            ),
            place,
            count_close,
        });
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
        let (stop, stopped) = watch::channel(false);
        let listeners = self.listeners;
        let thread = thread::Builder::new()
            .name("server".into())
            .spawn(move || runtime.block_on(serve(listeners, gate, Stop::new(stopped))))
            .map_err(Error::Start)?;
        Ok(Running { addresses: self.addresses, stop, thread: Some(thread) })
    }
}

/// A server that serves. Dropping it stops it.
pub struct Running {
    addresses: Vec<Listen>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The actual addresses, in the order of the settings.
    pub fn addresses(&self) -> &[Listen] {
        &self.addresses
    }

    /// Closes the listeners and lets HTTP connections finish. Returns at once; upgraded connections are not the
    /// server's any more and stay.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Stops, and waits for the thread: a second at most.
    pub fn join(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the server thread panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

async fn serve(listeners: Vec<Listener>, gate: Arc<Gate>, mut stop: Stop) {
    // Every task holds a sender and nobody sends: the channel ends when the last task has.
    let (alive, mut tasks) = mpsc::channel::<()>(1);
    for listener in listeners {
        tokio::spawn(listener.accept(gate.clone(), stop.clone(), alive.clone()));
    }
    drop(alive);
    stop.requested().await;
    if tokio::time::timeout(GRACE, tasks.recv()).await.is_err() {
        tracing::debug!("some HTTP connections did not finish in time");
    }
}

/// The soft descriptor limit, which the daemon raised to the hard one at start.
fn descriptors() -> usize {
    // An unlimited or unreadable limit is taken as the kernel's default ceiling (fs.nr_open).
    const CEILING: u64 = 1 << 20;
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(CEILING, |(soft, _)| soft.min(CEILING));
    usize::try_from(soft).unwrap_or(usize::MAX)
}
