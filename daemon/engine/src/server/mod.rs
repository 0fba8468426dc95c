//! Brings sockets in: listens, answers HTTP, checks WebSocket handshakes and requests for event streams, and hands their
//! sockets to the fan-out.
//!
//! Runs on one thread of its own, so that neither a handshake storm nor a slow page load takes time from a shard.

mod access;
mod answer;
mod asked;
mod connection;
mod gates;
mod listener;
mod metrics;
mod open;
mod peers;
mod rest;
mod routes;
mod sockets;
mod spare;
mod stop;
mod tls;
mod transport;
mod upgrade;

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::exchange::access::Judge;
use crate::exchange::enquiry::Asker;
use crate::exchange::limit::Tally;
use tickerd_config as config;

pub use crate::listen::error::Error;
use crate::listen::passed::Passed;
pub use answer::{Document, Documents};
pub use connection::{CountClose, Place};
use gates::Gates;
use listener::Listener;
pub use metrics::Metrics;
pub use open::Open;
pub use rest::page::Page;
use rest::page::{folder, folder::Folder};
pub use routes::{FEEDS, KEYS};
use stop::Stop;
pub use tls::Renewal;
pub use upgrade::credentials::Ways;

/// How long connections that are still speaking HTTP may take to finish after a stop.
const GRACE: Duration = Duration::from_secs(1);
/// Addresses that wait to be opened or closed.
const LISTENERS_MAX: usize = 32;

/// Whether a folder can be served in place of the page that is built in.
///
/// # Errors
/// What is wrong with it, and behind `; ` what to change.
pub fn check_page(folder: &Path) -> Result<(), String> {
    Folder::open(folder).map(drop)
}

/// Whether the files of `[server.tls]` can be used.
///
/// # Errors
/// What is wrong with them.
pub fn check_tls(tls: &config::Tls) -> Result<(), String> {
    tickerd_tls::Certificates::load(tls).map(drop).map_err(|unusable| unusable.to_string())
}

/// The page that is to be served.
///
/// # Errors
/// What is wrong with its folder, and what to change.
pub fn open_page(config: &config::Server) -> Result<Page, String> {
    let folder = config.page.as_deref().map(Folder::open).transpose()?;
    Ok(Page { folder: folder.map(Arc::new), chat: config.chat })
}

/// A server that has its addresses and does not serve yet: clients that connect now wait in the backlog.
pub struct Server {
    listeners: Vec<Listener>,
    open: Open,
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
        let page = open_page(&config).map_err(Error::Page)?;
        let sockets: Vec<_> = config.listen.iter().map(|listen| passed.take(&listen.address)).collect();
        // Before any is bound: one that is left may be why an address is taken.
        passed.finish()?;
        let listeners = config.listen.iter().zip(sockets).map(|(listen, socket)| match socket {
            Some(socket) => Ok(Listener::passed(listen, socket)),
            None => Listener::bind(listen),
        });
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        let tls =
            config.tls.as_ref().filter(|tls| tls.admin || config.listen.iter().any(|listen| listen.tls));
        let tls = tls.map(|tls| Renewal::load(tls, metrics.clone())).transpose();
        let tls = tls.map_err(|unusable| Error::Tls(unusable.to_string()))?;
        let tls = tls.map(Arc::new);
        let open = Open::default();
        for (wanted, listener) in config.listen.iter().zip(&listeners) {
            open.add(wanted.clone(), listener.address().clone(), listener.is_passed());
        }
        Ok(Server { listeners, open, tls, config, metrics, tally, page })
    }

    /// Where it listens, also when that has changed.
    pub fn open(&self) -> Open {
        self.open.clone()
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
        let renewal = self.tls;
        let parts = gates::Parts {
            place,
            count_close,
            asker,
            judge,
            documents,
            certificates: renewal.as_ref().map(|renewal| renewal.certificates()),
            metrics: self.metrics,
            tally: self.tally,
        };
        let gates = Arc::new(Gates::new(parts, &self.config, self.page, ways));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("handshake")
            .max_blocking_threads(tls::THREADS + folder::THREADS)
            .build()
            .map_err(Error::Start)?;
        let (stop, stopped) = watch::channel(false);
        let stopped = Stop::new(stopped);
        let limits = gates.limits();
        let memory = self.config.limits.memory;
        let memory = memory.map(|percent| peers::memory::watch(percent, limits, stopped.clone()));
        let passable = Arc::downgrade(&gates);
        let listeners = self.config.listen.iter().cloned().zip(self.listeners).collect();
        let (orders, ordered) = mpsc::channel(LISTENERS_MAX);
        let thread = thread::Builder::new()
            .name("server".into())
            .spawn(move || {
                runtime.block_on(async {
                    memory.map(tokio::spawn);
                    serve(listeners, ordered, gates, renewal, stopped).await;
                });
            })
            .map_err(Error::Start)?;
        Ok(Running { open: self.open, gates: passable, orders, stop, thread: Some(thread) })
    }
}

/// A server that serves. Dropping it stops it.
pub struct Running {
    open: Open,
    gates: Weak<Gates>,
    orders: mpsc::Sender<Order>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The actual addresses.
    pub fn addresses(&self) -> Vec<config::Listener> {
        self.open.addresses()
    }

    /// What connections pass, to be replaced.
    pub fn handle(&self) -> Handle {
        Handle { gates: self.gates.clone(), orders: self.orders.clone(), open: self.open.clone() }
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

/// Replaces what new connections pass. It does not keep the server alive.
#[derive(Clone)]
pub struct Handle {
    gates: Weak<Gates>,
    orders: mpsc::Sender<Order>,
    open: Open,
}

/// An address that comes, as it is configured, or goes.
enum Order {
    Open(config::Listener, Listener),
    Close(config::Listener),
}

/// Addresses that are bound, and do not serve yet.
pub struct Fresh(Vec<(config::Listener, Listener)>);

impl Handle {
    /// From now on new connections are served as this says. Those that are there stay. `page` is that of the configuration.
    pub fn change(&self, config: &config::Server, page: Page, ways: Ways) {
        if let Some(gates) = self.gates.upgrade() {
            gates.change(config, page, ways);
        }
    }

    /// Binds these addresses: all of them, or none.
    pub fn bind<'a>(&self, wanted: impl Iterator<Item = &'a config::Listener>) -> Result<Fresh, Error> {
        let bind = |wanted: &config::Listener| Ok((wanted.clone(), Listener::bind(wanted)?));
        wanted.map(bind).collect::<Result<_, _>>().map(Fresh)
    }

    /// Whether the service manager holds the socket of this address, and goes on to listen there when it is closed.
    pub fn is_passed(&self, wanted: &config::Listener) -> bool {
        self.open.is_passed(wanted)
    }

    /// Serves at addresses that were bound, and at others no more. Connections that came in there stay. Not for a thread that
    /// serves: it waits for the server's.
    pub fn listen<'a>(&self, fresh: Fresh, gone: impl Iterator<Item = &'a config::Listener>) {
        let opened = fresh.0.into_iter().map(|(wanted, listener)| Order::Open(wanted, listener));
        for order in opened.chain(gone.map(|gone| Order::Close(gone.clone()))) {
            match &order {
                Order::Open(wanted, listener) => {
                    tracing::info!("listening on {}", listener.address());
                    self.open.add(wanted.clone(), listener.address().clone(), listener.is_passed());
                }
                Order::Close(gone) => {
                    tracing::info!("listening on {gone} no more");
                    self.open.remove(gone);
                }
            }
            // A server that stops listens nowhere.
            let _ = self.orders.blocking_send(order);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

async fn serve(
    listeners: Vec<(config::Listener, Listener)>,
    mut ordered: mpsc::Receiver<Order>,
    gates: Arc<Gates>,
    renewal: Option<Arc<Renewal>>,
    mut stop: Stop,
) {
    if let Some(renewal) = renewal {
        tokio::spawn(tls::look_again(renewal, stop.clone()));
    }
    // Every task holds a sender and nobody sends: the channel ends when the last task has.
    let (alive, mut tasks) = mpsc::channel::<()>(1);
    // Each ends when its sender is dropped.
    let mut open: Vec<(config::Listener, oneshot::Sender<Infallible>)> = Vec::new();
    let begin = |wanted, listener: Listener| {
        let (end, ended) = oneshot::channel();
        let accepting = listener.accept(gates.clone(), stop.clone(), alive.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = accepting => {}
                _ = ended => {}
            }
        });
        (wanted, end)
    };
    open.extend(listeners.into_iter().map(|(wanted, listener)| begin(wanted, listener)));
    let mut waiting = stop.clone();
    while let Some(Some(order)) = waiting.until(ordered.recv()).await {
        match order {
            Order::Open(wanted, listener) => open.push(begin(wanted, listener)),
            Order::Close(gone) => open.retain(|(wanted, _)| *wanted != gone),
        }
    }
    // Those that wait to be opened hold addresses.
    drop(ordered);
    drop(alive);
    stop.requested().await;
    if tokio::time::timeout(GRACE, tasks.recv()).await.is_err() {
        tracing::debug!("some HTTP connections did not finish in time");
    }
}
