//! One accepted connection: HTTP until it is upgraded and handed over, refused, or done.

pub mod wire;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Either;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{HeaderValue, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::ReadBuf;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::exchange::arrival::{Arrival, Caller, Kind, Permit, Share};
use tickerd_model::access::identity::Identity;
use tickerd_model::wire::close::CloseCode;
use tickerd_model::wire::encoding::Encoding;

use super::answer::{Answer, Visit, end_with};
use super::peers::budgets::Shared;
use super::peers::introduction::Introductions;
use super::peers::limits::{self, Limits};
use super::peers::peer::{Trust, outside};
use super::rest::api::WAIT_MAX;
use super::routes::Routes;
use super::stop::Stop;
use super::tls::{PLAIN_HTTP, Tls};
use super::transport::Transport;
use crate::listen::hosts::Door;
use wire::Wire;

/// Connections over the limit that are told so at the same time; further ones are closed without a word. They take
/// descriptors beyond the limit, so they are few.
pub const REFUSALS_MAX: usize = 64;
/// The request line and all headers. Eight full tokens or some 300 topics fit.
const HEADER_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// The longest that a connection may speak HTTP, which ends a client that asks and never reads the answer. One that takes so
/// many bytes of it meanwhile gets as long again for the rest, and may ask nothing more.
const HTTP_MAX: Duration = Duration::from_secs(60);
const TAKEN_MIN: u64 = 256 << 10;
/// From then on a response is a connection's last, so that none is cut while it waits for its answer.
const HTTP_LAST: Duration = HTTP_MAX.saturating_sub(WAIT_MAX).saturating_sub(Duration::from_secs(5));
/// After the last response: how long, and for how many bytes, what the client still sends is read and thrown away.
/// Closing with unread bytes would reset the connection, and the client could lose the response that says why.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 2 << 20;

/// Takes upgraded connections. Called on the server's thread; must not block.
pub type Place = Arc<dyn Fn(Arrival) + Send + Sync>;

/// Counts a close that the server itself has sent.
pub type CountClose = Arc<dyn Fn(CloseCode) + Send + Sync>;

/// What every connection passes.
pub struct Gate {
    /// Who may say for whom it asks.
    pub trust: Arc<Trust>,
    pub introductions: Introductions,
    pub limits: Arc<Limits>,
    /// What the connections of each address may ask together.
    pub shared: Shared,
    pub refusals: Arc<Semaphore>,
    pub handshake: Duration,
    pub routes: Routes,
    /// There if a listener speaks TLS.
    pub tls: Option<Arc<Tls>>,
    pub place: Place,
    pub count_close: CountClose,
}

/// What is spoken on a listener's connections before HTTP: first the header of the PROXY protocol, then TLS.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    pub proxy: bool,
    pub tls: bool,
}

/// What a connection becomes when it has spoken HTTP.
enum Becomes {
    /// A client of the fan-out's.
    Client(Kind, Arc<Identity>, Encoding, Caller),
    /// One that is told why it is none.
    Closed(CloseCode, String),
}

impl Gate {
    /// Serves one connection; `peer` is `None` for unix peers.
    pub async fn pass<T: Transport>(
        &self,
        mut io: T,
        (mut peer, door): (Option<IpAddr>, Door),
        before: Before,
        stop: Stop,
    ) {
        let mut admitted = self.admit(if before.proxy { None } else { peer });
        let Some(mut refusal) = self.may_refuse(&admitted) else { return };
        if before.proxy {
            let said = self.introductions.hear(&mut io, peer, self.handshake, stop.clone()).await;
            let Some(client) = said else { return };
            peer = client;
            if let Ok(place) = &admitted
                && let Err(full) = self.count(place, peer)
            {
                admitted = Err(full);
                refusal = match self.may_refuse(&admitted) {
                    Some(refusal) => refusal,
                    None => return,
                };
            }
        }
        // Whoever speaks for others says in its request for whom, and takes its turn then.
        let speaks = self.trust.speaks_for_others(peer);
        let client = peer.filter(|_| !speaks);
        let has_turn = before.tls || !speaks;
        if admitted.is_ok() && has_turn {
            match self.turn(&mut io, client, before.tls, stop.clone()).await {
                Some(Ok(())) => {}
                Some(Err(full)) => {
                    admitted = Err(full);
                    refusal = match self.may_refuse(&admitted) {
                        Some(refusal) => refusal,
                        None => return,
                    };
                }
                None => return,
            }
        } else if admitted.is_err() && !self.limits.may_be_told(client) {
            return;
        }
        let _refusal = refusal;
        if !before.tls {
            return self.serve(io, (peer, door), admitted, has_turn, stop).await;
        }
        let Some(tls) = &self.tls else { return };
        match tls.shake_hands(io, self.handshake, stop.clone()).await {
            Ok(stream) => self.serve(stream, (peer, door), admitted, has_turn, stop).await,
            Err(Some(plain)) => self.say_last(plain, PLAIN_HTTP, stop).await,
            Err(None) => {}
        }
    }

    /// Waits for a connection's turn, once it has sent something: who sends nothing takes no turn. Nothing if it never does.
    async fn turn<T: Transport>(
        &self,
        io: &mut T,
        client: Option<IpAddr>,
        is_tls: bool,
        mut stop: Stop,
    ) -> Option<Result<(), limits::Full>> {
        stop.until(async {
            let spoken = timeout(self.handshake, io.has_spoken()).await.map_err(drop);
            if spoken == Ok(true) {
                return Some(self.limits.turn(client).await);
            }
            if let Some(tls) = self.tls.as_ref().filter(|_| is_tls) {
                tls.count_silent(spoken.is_err());
            }
            None
        })
        .await
        .flatten()
    }

    /// A place for a connection, counted for its peer unless a request is to say for whom it is.
    fn admit(&self, peer: Option<IpAddr>) -> Result<limits::Place, limits::Full> {
        self.limits.admit(peer.filter(|_| !self.trust.speaks_for_others(peer)))
    }

    /// The same for a place that is there already.
    fn count(&self, place: &limits::Place, peer: Option<IpAddr>) -> Result<(), limits::Full> {
        match self.trust.speaks_for_others(peer) {
            true => Ok(()),
            false => place.count_for(peer.and_then(outside)),
        }
    }

    /// Those without a place are told so, few at a time. Nothing if this one is not.
    fn may_refuse(
        &self,
        admitted: &Result<limits::Place, limits::Full>,
    ) -> Option<Option<SemaphorePermit<'_>>> {
        match admitted {
            Ok(_) => Some(None),
            Err(_) => self.refusals.try_acquire().ok().map(Some),
        }
    }

    async fn serve<T: Transport>(
        &self,
        io: T,
        (peer, door): (Option<IpAddr>, Door),
        admitted: Result<limits::Place, limits::Full>,
        has_turn: bool,
        stop: Stop,
    ) {
        let asked = stop.clone();
        let share = Mutex::new(None);
        let shown = io.shown();
        let wire = Wire::new(io);
        let gone = wire.gone();
        let spoken = {
            let place = admitted.as_ref().map_err(|full| *full);
            let visit = Visit { client: peer, door, shown: &shown, place, stop: &asked, gone: &gone };
            self.speak_http(wire, &visit, &share, has_turn, stop.clone()).await
        };
        match (spoken, admitted) {
            (Some((io, read_buf, Becomes::Client(kind, who, encoding, caller))), Ok(place)) => {
                match io.into_socket(read_buf) {
                    Ok((socket, read_buf)) => {
                        let permit: Permit = Box::new(place);
                        let share = share.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
                        (self.place)(Arrival {
                            socket,
                            read_buf,
                            kind,
                            who,
                            caller,
                            encoding,
                            permit,
                            share,
                        });
                    }
                    Err(error) => tracing::warn!(%error, "could not hand an upgraded connection over"),
                }
            }
            (Some((io, _, Becomes::Closed(code, detail))), _) => {
                (self.count_close)(code);
                self.say_last(io, &code.frame_saying(&detail), stop).await;
            }
            // Without a place nothing is upgraded.
            (Some(_), Err(_)) | (None, _) => {}
        }
    }

    /// Sends the last bytes of a connection, and waits for its client to end it too.
    async fn say_last<T: Transport>(&self, mut io: T, bytes: &[u8], mut stop: Stop) {
        let said = async {
            let mut sent = 0;
            while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
                match poll_fn(|cx| Pin::new(&mut io).poll_write(cx, rest)).await? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    count => sent += count,
                }
            }
            linger(io).await
        };
        // A client that does not read, one that stays and a stop are no errors here.
        let _ = stop.until(timeout(LINGER, said)).await;
    }

    /// Answers requests; what the connection was upgraded to, if it was.
    async fn speak_http<T: Transport>(
        &self,
        wire: Wire<T>,
        visit: &Visit<'_>,
        share: &Mutex<Option<Share>>,
        has_turn: bool,
        mut stop: Stop,
    ) -> Option<(T, Bytes, Becomes)> {
        let upgrade = Mutex::new(None);
        let born = Instant::now();
        let upgrade_into = &upgrade;
        let had_turn = AtomicBool::new(has_turn);
        let mut sent = wire.sent();
        let service = service_fn(|request: Request<Incoming>| {
            let client = self.trust.client(visit.client, request.headers());
            let mut visit = Visit { client, ..*visit };
            let is_due = !had_turn.swap(true, Ordering::Relaxed) && visit.place.is_ok();
            let its = self.shared.part(client);
            *share.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = its;
            let agent = request.headers().get(USER_AGENT).cloned();
            Box::pin(async move {
                if is_due && let Some(Err(full)) = visit.stop.clone().until(self.limits.turn(client)).await {
                    visit.place = Err(full);
                }
                let route = self.routes.route(request.uri().path());
                let mut is_stream = false;
                let (mut response, becomes) = match self.routes.answer(request, &visit).await {
                    Answer::Upgrade(response, kind, who, encoding) => {
                        is_stream = encoding == Encoding::Sse;
                        let caller = Caller::new(client, agent.as_ref().map(HeaderValue::as_bytes));
                        (response, Some(Becomes::Client(kind, who, encoding, caller)))
                    }
                    Answer::Close(response, code, detail) => (response, Some(Becomes::Closed(code, detail))),
                    Answer::Now(response) => (response, None),
                    Answer::Later(response) => (response.await, None),
                };
                self.routes.metrics.answered(route, response.status());
                if becomes.is_some() {
                    *upgrade_into.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = becomes;
                }
                if born.elapsed() > HTTP_LAST {
                    end_with(&mut response);
                }
                Ok::<_, Infallible>(response.map(|full| match is_stream {
                    true => Either::Right(Unsized),
                    false => Either::Left(full),
                }))
            })
        });
        let mut http = http1::Builder::new()
            .timer(TokioTimer::new())
            // Who has said all that it wants to say may shut its side, and still be answered.
            .half_close(true)
            .header_read_timeout(self.handshake)
            .max_buf_size(HEADER_BYTES_MAX)
            .max_header_size(HEADER_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(wire), service);

        // hyper's own upgrade would box the stream and pass it through a channel; taking the parts is the same.
        let result = {
            let mut stopped = pin!(stop.requested());
            let mut stopping = false;
            loop {
                let speaking = poll_fn(|cx| {
                    if !stopping && stopped.as_mut().poll(cx).is_ready() {
                        stopping = true;
                        Pin::new(&mut http).graceful_shutdown();
                    }
                    http.poll_without_shutdown(cx)
                });
                match timeout(HTTP_MAX, speaking).await {
                    Err(_) if sent.is_at_least(TAKEN_MIN) => Pin::new(&mut http).graceful_shutdown(),
                    result => break result,
                }
            }
        };
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection ended badly"),
            Err(_) => {
                tracing::debug!("an HTTP connection took too long");
                return None;
            }
        }
        let parts = http.into_parts();
        let io = parts.io.into_inner().into_inner()?;
        let becomes = upgrade.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if becomes.is_none() {
            self.say_last(io, &[], stop).await;
            return None;
        }
        becomes.map(|becomes| (io, parts.read_buf, becomes))
    }
}

/// A body of a length that nobody knows, with nothing in it: others write what follows.
struct Unsized;

impl Body for Unsized {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

/// Says that nothing more comes, then reads until the client says so too.
async fn linger<T: Transport>(mut io: T) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)).await?;
    let mut scratch = vec![0; 4096];
    let mut read = 0;
    while read < LINGER_BYTES {
        let mut buf = ReadBuf::new(&mut scratch);
        poll_fn(|cx| Pin::new(&mut io).poll_read(cx, &mut buf)).await?;
        match buf.filled().len() {
            0 => break,
            some => read += some,
        }
    }
    Ok(())
}
