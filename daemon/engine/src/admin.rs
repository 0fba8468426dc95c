//! The operator's listener: metrics, liveness, readiness, and for who brings a token the administration and a status page. On a
//! thread of its own, so it answers while shards are hot.
//!
//! It never serves ticks, and knows nothing of what it shows: the registry, closures and the commands of the admin socket are all
//! it is given.

mod api;
mod gate;
mod held;
mod page;

use std::convert::Infallible;
use std::fmt::{self, Write};
use std::future::ready;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Registry, TextEncoder};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use crate::control::Commands;
use crate::listen::hosts::{Door, Hosts, Wrong};
pub use gate::{Gate, Judge};
use held::Held;
use tickerd_model::web::host::Host;
use tickerd_tls::{Certificates, Stream};

/// For a request's header, and between two requests of one connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// One connection in all, so that a client that never reads cannot keep its place.
const CONNECTION_MAX: Duration = Duration::from_secs(300);
/// After a failing accept, which is mostly a lack of descriptors.
const NAP: Duration = Duration::from_millis(100);

/// Whether the daemon should be sent traffic, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    pub ready: bool,
    pub checks: Vec<Check>,
}

impl Readiness {
    /// With one thing more that is merely reported, if it is there: behind the first.
    pub fn with(mut self, check: Option<Check>) -> Readiness {
        let at = self.checks.len().min(1);
        check.into_iter().for_each(|check| self.checks.insert(at, check));
        self
    }
}

/// One thing readiness depends on, or merely reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    pub ok: bool,
    /// Why it is not ok, or how it is; may be empty.
    pub detail: String,
}

/// What the admin listener shows.
#[derive(Clone)]
pub struct Sources {
    pub registry: Arc<Registry>,
    /// Called before each scrape, to set gauges that are cheaper to read than to keep.
    pub refresh: Arc<dyn Fn() + Send + Sync>,
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
    /// Who may use the administration, and what that is.
    pub gate: Arc<Gate>,
    pub commands: Commands,
    /// Called once a second.
    pub each_second: Arc<dyn Fn() + Send + Sync>,
}

/// Why the admin listener does not serve.
#[derive(Debug)]
pub enum Error {
    Bind { address: SocketAddr, source: io::Error },
    Start(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Bind { address, source } if source.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "the admin listener cannot have {address}: another process listens there; stop it, or change \
                 server.admin (--admin), where port 0 takes any free port"
            ),
            Error::Bind { address, source } => {
                write!(f, "the admin listener cannot have {address}: {source}; change server.admin (--admin)")
            }
            Error::Start(source) => {
                write!(f, "cannot start the admin listener: {source}; see the limits of this process")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Bind { source, .. } | Error::Start(source) => Some(source),
        }
    }
}

/// A bound admin listener that does not serve yet.
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
    hosts: Hosts,
    /// There if it speaks TLS.
    certificates: Option<Arc<Certificates>>,
}

impl Admin {
    /// Binds; port 0 takes any free port. It answers to the same names as the public listeners, and speaks TLS if there are
    /// `certificates`.
    pub fn bind(
        address: SocketAddr,
        hosts: Vec<Host>,
        certificates: Option<Arc<Certificates>>,
    ) -> Result<Admin, Error> {
        let failed = |source| Error::Bind { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Admin { listener, address, hosts: Hosts::new(hosts), certificates })
    }

    /// The actual address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same for people.
    pub fn url(&self) -> String {
        format!("http{}://{}/", if self.certificates.is_some() { "s" } else { "" }, self.address)
    }

    /// Serves on a thread of its own until the answer is dropped.
    pub fn start(self, sources: Sources) -> Result<Running, Error> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let (address, url) = (self.address, self.url());
        let thread = thread::Builder::new()
            .name("admin".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::spawn(each_second(sources.each_second.clone()));
                    tokio::spawn(self.accept(sources));
                    // Ends when the sender is dropped, and the runtime ends all tasks.
                    let _ = stopped.await;
                });
            })
            .map_err(Error::Start)?;
        Ok(Running { address, url, stop: Some(stop), thread: Some(thread) })
    }

    async fn accept(self, sources: Sources) {
        let Admin { listener, address, hosts, certificates } = self;
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "the admin listener cannot serve"),
        };
        let (held, hosts) = (Arc::new(Held::default()), Arc::new(hosts));
        for number in 0.. {
            let (stream, peer) = loop {
                match listener.accept().await {
                    Ok(accepted) => break accepted,
                    Err(error) => {
                        tracing::debug!(%error, "the admin listener cannot accept");
                        tokio::time::sleep(NAP).await;
                    }
                }
            };
            let local = stream.local_addr().map_or(address, |local| local).ip();
            let door = Door::Tcp { bound: address.ip(), local };
            let (place, hosts, sources) = (held.clone(), hosts.clone(), sources.clone());
            let visit = Visit { number, peer: peer.ip(), door, place, hosts, sources };
            let certificates = certificates.clone();
            let task = tokio::spawn(async move {
                let served = async {
                    match certificates {
                        None => visit.serve(stream).await,
                        Some(certificates) => match shake_hands(&certificates, stream).await {
                            Some(stream) => visit.serve(stream).await,
                            None => tracing::debug!("a TLS handshake with the admin listener failed"),
                        },
                    }
                };
                if tokio::time::timeout(CONNECTION_MAX, served).await.is_err() {
                    tracing::debug!("an admin connection took too long");
                }
                visit.place.remove(number);
            });
            held.add(number, task.abort_handle());
        }
    }
}

/// An admin listener that serves. Dropping it ends it.
pub struct Running {
    address: SocketAddr,
    url: String,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The actual address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same for people.
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the admin thread panicked");
        }
    }
}

async fn each_second(call: Arc<dyn Fn() + Send + Sync>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        call();
    }
}

/// Shakes hands. Few come here, so that this thread does the computing itself.
async fn shake_hands(certificates: &Certificates, stream: TcpStream) -> Option<Stream<TcpStream>> {
    let session = certificates.begin().ok()?;
    let shaken = Stream::new(stream, session).shake_hands(|flight| ready(Some(flight.answer())));
    tokio::time::timeout(HEADER_TIMEOUT, shaken).await.ok()?.ok()
}

/// One connection.
struct Visit {
    number: u64,
    peer: IpAddr,
    door: Door,
    place: Arc<Held>,
    hosts: Arc<Hosts>,
    sources: Sources,
}

impl Visit {
    async fn serve(&self, io: impl AsyncRead + AsyncWrite + Unpin) {
        let asks = |request: Request<Incoming>| async move {
            self.place.asks(self.number);
            let answer = match self.hosts.check(&request, self.door) {
                Ok(_) => self.sources.answer(request, self.peer).await,
                Err(wrong) => {
                    let status = match wrong {
                        Wrong::Malformed => StatusCode::BAD_REQUEST,
                        Wrong::Foreign(_) => StatusCode::FORBIDDEN,
                    };
                    text(status, format!("{}\n", wrong.detail()))
                }
            };
            Ok::<_, Infallible>(answer)
        };
        let http = http1::Builder::new()
            .timer(TokioTimer::new())
            .half_close(true)
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(16 * 1024)
            .serve_connection(TokioIo::new(io), service_fn(asks));
        if let Err(error) = http.await {
            tracing::debug!(%error, "an admin connection ended badly");
        }
    }
}

impl Sources {
    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if path.starts_with(api::PREFIX) {
            return api::answer(self, request, peer).await;
        }
        if !matches!(path, "/" | "/metrics" | "/livez" | "/readyz") {
            return text(
                StatusCode::NOT_FOUND,
                "there are /, /metrics, /livez, /readyz and /admin/v1/status\n",
            );
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "this path answers GET and HEAD\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/" => page::answer(self, request.headers(), request.uri().query(), peer).await,
            "/metrics" => self.metrics(),
            "/readyz" => {
                let query = request.uri().query().unwrap_or_default();
                let verbose = query.split('&').any(|pair| pair.split('=').next() == Some("verbose"));
                (self.readiness)().into_response(verbose)
            }
            // That this thread answers is what liveness says; what else may be wrong, a restart would not mend.
            _ => text(StatusCode::OK, "ok"),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        (self.refresh)();
        match TextEncoder::new().encode_to_string(&self.registry.gather()) {
            Ok(body) => {
                let mut response = text(StatusCode::OK, body);
                let kind = HeaderValue::from_static(prometheus::TEXT_FORMAT);
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }
}

impl Readiness {
    /// As the Kubernetes API server answers `/readyz`: one line per check when asked, and always on failure.
    fn into_response(self, verbose: bool) -> Response<Full<Bytes>> {
        if self.ready && !verbose {
            return text(StatusCode::OK, "ok");
        }
        let mut body = String::new();
        for Check { name, ok, detail } in &self.checks {
            // Writing to a String cannot fail.
            let _ = match ok {
                true if detail.is_empty() => writeln!(body, "[+]{name} ok"),
                true => writeln!(body, "[+]{name} ok: {detail}"),
                false => writeln!(body, "[-]{name} failed: {detail}"),
            };
        }
        let (status, verdict) = match self.ready {
            true => (StatusCode::OK, "passed"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
        };
        let _ = writeln!(body, "readyz check {verdict}");
        text(status, body)
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
