//! Brings sockets in: listens, answers HTTP, checks WebSocket handshakes and requests for event streams, and hands their
//! sockets to the fan-out.
//!
//! Runs on one thread of its own, so that neither a handshake storm nor a slow page load takes time from a shard.

mod access;
mod answer;
mod asked;
mod connection;
mod listener;
mod metrics;
mod peers;
mod rest;
mod routes;
mod sockets;
mod spare;
mod stop;
mod tls;
mod transport;
mod upgrade;

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::exchange::access::Judge;
use crate::exchange::arrival::Arrival;
use crate::exchange::enquiry::Asker;
use crate::exchange::limit::Tally;
use tickerd_config as config;
use tickerd_model::wire::close::CloseCode;

pub use crate::listen::error::Error;
use crate::listen::passed::Passed;
pub use answer::{Document, Documents};
use connection::Gate;
use listener::Listener;
pub use metrics::Metrics;
use peers::budgets::{Budgets, PATTERNS_SHARE, Shared};
use peers::introduction::Introductions;
use peers::peer::Trust;
use rest::page::{Page, folder, folder::Folder};
use routes::Routes;
pub use routes::{FEEDS, KEYS};
use stop::Stop;
pub use tls::Renewal;
use tls::Tls;
pub use upgrade::credentials::Ways;

/// How long connections that are still speaking HTTP may take to finish after a stop.
const GRACE: Duration = Duration::from_secs(1);

/// Whether a folder can be served in place of the page that is built in.
///
/// # Errors
/// What is wrong with it, and behind `; ` what to change.
pub fn check_page(folder: &Path) -> Result<(), String> {
    Folder::open(folder).map(drop)
}

/// Takes upgraded connections. Called on the server's thread; must not block.
pub type Place = Arc<dyn Fn(Arrival) + Send + Sync>;

/// Counts a close that the server itself has sent.
pub type CountClose = Arc<dyn Fn(CloseCode) + Send + Sync>;

/// A server that has its addresses and does not serve yet: clients that connect now wait in the backlog.
pub struct Server {
    listeners: Vec<Listener>,
    addresses: Vec<config::Listener>,
    tls: Option<Arc<Renewal>>,
    config: config::Server,
    metrics: Arc<Metrics>,
    tally: Arc<Tally>,
    page: Page,
}

impl Server {
    /// Binds all addresses, or none. Sockets that were passed are taken in place of binding their addresses.
    pub fn bind(
        config: config::Server,
        mut passed: Passed,
        metrics: Arc<Metrics>,
        tally: Arc<Tally>,
    ) -> Result<Server, Error> {
        let folder = config.page.as_deref().map(Folder::open).transpose().map_err(Error::Page)?;
        let page = Page { folder: folder.map(Arc::new), chat: config.chat };
        let listeners = config.listen.iter().map(|listen| Listener::bind(listen, &mut passed));
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        passed.finish()?;
        let tls =
            config.tls.as_ref().filter(|tls| tls.admin || config.listen.iter().any(|listen| listen.tls));
        let tls = tls.map(|tls| Renewal::load(tls, metrics.clone())).transpose();
        let tls = tls.map_err(|unusable| Error::Tls(unusable.to_string()))?;
        let tls = tls.map(Arc::new);
        let addresses = listeners.iter().map(|listener| listener.address().clone()).collect();
        Ok(Server { listeners, addresses, tls, config, metrics, tally, page })
    }

    /// The actual addresses, in the order of the settings.
    pub fn addresses(&self) -> &[config::Listener] {
        &self.addresses
    }

    /// The certificate, if a listener speaks TLS.
    pub fn renewal(&self) -> Option<Arc<Renewal>> {
        self.tls.clone()
    }

    /// Serves on a thread of its own until [`Running::stop`].
    pub fn start(
        self,
        place: Place,
        count_close: CountClose,
        asker: Asker,
        ways: Ways,
        judge: Option<Arc<dyn Judge>>,
        documents: Documents,
    ) -> Result<Running, Error> {
        let limits = &self.config.limits;
        if !limits.dry_run.is_empty() {
            let dry = limits.dry_run.join(", ");
            tracing::warn!("these limits are counted and not enforced, since they stand in dry_run: {dry}");
        }
        let connections = descriptors().saturating_sub(descriptors() / 10);
        let [per_s, burst] = [limits.commands_per_s, limits.commands_burst];
        let shared = |each: u32| each.saturating_mul(PATTERNS_SHARE);
        let patterns = Budgets::new(shared(per_s), shared(burst));
        let shares = Shared::new(patterns, limits.history_bytes_per_s);
        let trust = Arc::new(Trust::new(self.config.trusted));
        let renewal = self.tls;
        let gate = Arc::new(Gate {
            introductions: Introductions::new(trust.clone(), self.metrics.clone()),
            trust,
            tls: renewal.as_ref().map(|renewal| Tls::new(renewal.certificates(), self.metrics.clone())),
            shared: shares.clone(),
            limits: peers::limits::Limits::new(connections, limits, self.tally.clone()),
            refusals: Semaphore::new(connection::REFUSALS_MAX),
            handshake: limits.handshake,
            routes: Routes::new(
                routes::Settings {
                    hosts: self.config.hosts,
                    origins: self.config.origins,
                    dev: self.config.dev,
                    echo: self.config.echo.is_some(),
                    page: self.page,
                    ways,
                    deflate: self.config.compression.map(|how| how.window_bits),
                    tally: self.tally,
                },
                asker,
                Budgets::new(per_s, burst),
                shares.past,
                access::Access::new(judge),
                self.metrics,
                documents,
            ),
            place,
            count_close,
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("handshake")
            .max_blocking_threads(tls::THREADS + folder::THREADS)
            .build()
            .map_err(Error::Start)?;
        let (stop, stopped) = watch::channel(false);
        let stopped = Stop::new(stopped);
        let memory =
            limits.memory.map(|percent| peers::memory::watch(percent, gate.limits.clone(), stopped.clone()));
        let listeners = self.listeners;
        let thread = thread::Builder::new()
            .name("server".into())
            .spawn(move || {
                runtime.block_on(async {
                    memory.map(tokio::spawn);
                    serve(listeners, gate, renewal, stopped).await;
                });
            })
            .map_err(Error::Start)?;
        Ok(Running { addresses: self.addresses, stop, thread: Some(thread) })
    }
}

/// A server that serves. Dropping it stops it.
pub struct Running {
    addresses: Vec<config::Listener>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The actual addresses, in the order of the settings.
    pub fn addresses(&self) -> &[config::Listener] {
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

async fn serve(listeners: Vec<Listener>, gate: Arc<Gate>, renewal: Option<Arc<Renewal>>, mut stop: Stop) {
    if let Some(renewal) = renewal {
        tokio::spawn(tls::look_again(renewal, stop.clone()));
    }
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
