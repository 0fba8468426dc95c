//! What each path of the public listeners answers. Metrics and health are on the admin listener alone.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use fastwebsockets::upgrade;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};

use crate::fanout::arrival::{Kind, Opening, TickId};
use crate::fanout::enquiry::Asker;
use crate::model::encoding::Encoding;
use crate::model::protocol::{SUBPROTOCOL_MSGPACK, command};

use super::api::{Api, Wanted, check_method};
use super::budgets::Budgets;
use super::cors;
use super::extensions::{self, Agreed};
use super::handshake::{self, Refusal};
use super::limits;
use super::metrics::{Metrics, Outcome};
use super::opening;
use super::origin::Origins;
use super::page;
use super::problem::problem;
use super::reply::{self, Looks, Reply};
use super::stop::Stop;

/// `connect-src` names the schemes because not every browser counts ws: of the same host as 'self'.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'";
/// Where the feeds are listed.
pub const FEEDS: &str = "/v1/feeds";
/// The type of documents.
const JSON: &str = "application/json";
/// What a full server asks clients to wait, in seconds.
const RETRY_AFTER: &str = "5";
/// The same of one that stops: most often to start again.
const RETRY_AFTER_STOP: &str = "1";

pub struct Routes {
    origins: Origins,
    echo: bool,
    deflate: Option<u8>,
    api: Api,
    budgets: Arc<Budgets>,
    metrics: Arc<Metrics>,
    documents: Documents,
}

/// Finds what is made while the server runs: the document at a path. Called on the server's thread; must not block.
pub type Documents = Arc<dyn Fn(&str) -> Option<Document> + Send + Sync>;

/// JSON that is served as it is.
#[derive(Debug, Clone)]
pub struct Document {
    pub bytes: Bytes,
    /// Quotes included; new whenever the bytes are.
    pub etag: HeaderValue,
}

/// What a request gets.
pub enum Answer {
    /// A response.
    Now(Reply),
    /// A response's head, and what the connection becomes once it is sent.
    Upgrade(Reply, Kind, Encoding),
    /// A response, once a shard has been asked.
    Later(Pin<Box<dyn Future<Output = Reply> + Send>>),
}

impl From<Reply> for Answer {
    fn from(response: Reply) -> Answer {
        Answer::Now(response)
    }
}

/// The head of an event stream, what it is to bring, and by what name.
type Stream = (Reply, Opening, Option<Box<str>>);

impl Routes {
    /// `deflate` is permessage-deflate's window in bits, if it is to be had.
    pub fn new(
        origins: Vec<String>,
        echo: bool,
        deflate: Option<u8>,
        asker: Asker,
        budgets: Budgets,
        metrics: Arc<Metrics>,
        documents: Documents,
    ) -> Routes {
        Routes {
            origins: Origins::new(origins),
            echo,
            deflate,
            api: Api::new(asker),
            budgets: Arc::new(budgets),
            metrics,
            documents,
        }
    }

    /// Answers one request. The path is compared as it stands: nothing is decoded or normalised, so nothing traverses.
    /// `peer` is `None` for unix peers.
    pub fn answer(&self, mut request: Request<Incoming>, peer: Option<IpAddr>, stop: &Stop) -> Answer {
        if *request.method() == Method::POST && request.uri().path().starts_with("/v1/topics") {
            return self.secured(self.post(request, peer));
        }
        let request = &mut request;
        let brings = matches!(request.uri().path(), "/ws" | "/v1/sse")
            || (self.echo && request.uri().path() == "/echo");
        if brings && stop.is_requested() {
            // The shards see off those whom they have; who comes now is better off elsewhere at once.
            return self.secured(self.stopping());
        }
        let answer = match (handshake::check_host(request), request.uri().path()) {
            (Err(refusal), _) => refusal.into_response().into(),
            (Ok(()), "/ws") => self.upgrade(request, |query| {
                let opening::Query { opening, name } = opening::parse(query).map_err(Refusal::bad_request)?;
                Ok(Kind::Ticker { opening, name })
            }),
            (Ok(()), "/echo") if self.echo => self.upgrade(request, |_| Ok(Kind::Echo)),
            (Ok(()), path) if path.starts_with("/v1/topics") || matches!(path, "/v1/sse" | FEEDS) => {
                self.api(request, peer, stop)
            }
            (Ok(()), path) => match (page::asset(path), (self.documents)(path)) {
                (Some(asset), _) => {
                    let (etag, bytes) =
                        (HeaderValue::from_static(asset.etag), Bytes::from_static(asset.bytes));
                    serve(bytes, asset.content_type, etag, request).into()
                }
                (None, Some(Document { bytes, etag })) => serve(bytes, JSON, etag, request).into(),
                (None, None) => problem(StatusCode::NOT_FOUND, "nothing is served at this path").into(),
            },
        };
        self.secured(answer)
    }

    /// Answers who would stay with a server that is about to stop.
    fn stopping(&self) -> Answer {
        self.metrics.handshake(Outcome::Stopping);
        let detail = "the server is about to stop; connect again";
        let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, detail);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_STOP));
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response.into()
    }

    fn secured(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Now(mut response) => {
                secure(&mut response);
                Answer::Now(response)
            }
            Answer::Upgrade(mut response, kind, encoding) => {
                secure(&mut response);
                Answer::Upgrade(response, kind, encoding)
            }
            Answer::Later(response) => Answer::Later(Box::pin(async {
                let mut response = response.await;
                secure(&mut response);
                response
            })),
        }
    }

    /// Publishes a body, for pages that may come in.
    fn post(&self, request: Request<Incoming>, peer: Option<IpAddr>) -> Answer {
        let refused = handshake::check_host(&request)
            .and_then(|()| handshake::check_origin(request.headers(), &self.origins));
        if let Err(refusal) = refused {
            return refusal.into_response().into();
        }
        let asked = request.headers().clone();
        let allowed = move |mut response| {
            cors::allow(&asked, &mut response);
            response
        };
        let paid = self.afford(peer, &request);
        match paid.and_then(|whose| Ok((whose, Api::read_post(&request)?))) {
            Ok((whose, to)) => {
                let published = self.api.publish(to, whose, request.into_body());
                Answer::Later(Box::pin(async move { allowed(published.await) }))
            }
            Err(response) => allowed(*response).into(),
        }
    }

    /// Answers a request below `/v1`, for pages that may come in.
    fn api<B>(&self, request: &Request<B>, peer: Option<IpAddr>, stop: &Stop) -> Answer {
        let is_stream = request.uri().path() == "/v1/sse";
        if let Err(refusal) = handshake::check_origin(request.headers(), &self.origins) {
            if is_stream {
                self.metrics.handshake(refusal.outcome);
            }
            return refusal.into_response().into();
        }
        let asked = request.headers().clone();
        let allowed = |mut response| {
            cors::allow(&asked, &mut response);
            response
        };
        if *request.method() == Method::OPTIONS {
            return allowed(cors::preflight()).into();
        }
        if request.uri().path() == FEEDS {
            let listed = check_method(request.method()).and_then(|()| {
                let list = (self.documents)(FEEDS).ok_or_else(|| {
                    Box::new(problem(StatusCode::NOT_FOUND, "nothing is served at this path"))
                })?;
                Ok(serve(list.bytes, JSON, list.etag, request))
            });
            return allowed(listed.unwrap_or_else(|response| *response)).into();
        }
        if is_stream {
            return match self.events(request) {
                Ok((response, opening, name)) => {
                    self.metrics.handshake(Outcome::Ok);
                    let kind = Kind::Ticker { opening: Some(opening), name };
                    Answer::Upgrade(allowed(response), kind, Encoding::Sse)
                }
                Err(response) => {
                    self.metrics.handshake(Outcome::BadRequest);
                    allowed(*response).into()
                }
            };
        }
        let wanted = Api::read(request).and_then(|wanted| {
            // A list is a look at all topics; all else is answered from what is at hand.
            let is_list = matches!(wanted, Wanted::Topics { .. });
            let whose = if is_list { self.afford(peer, request)? } else { None };
            Ok((wanted, whose))
        });
        match wanted {
            Ok((wanted, whose)) => {
                let answered = self.api.answer(wanted, stop.clone());
                let budgets = self.budgets.clone();
                Answer::Later(Box::pin(async move {
                    let mut response = answered.await;
                    if let (Some(address), Some(Looks(looks))) = (whose, response.extensions_mut().remove()) {
                        budgets.charge_looks(address, looks);
                    }
                    cors::allow(&asked, &mut response);
                    response
                }))
            }
            Err(response) => allowed(*response).into(),
        }
    }

    /// Takes a request out of its address's share. Whose that is, if anyone's.
    fn afford<B>(&self, peer: Option<IpAddr>, request: &Request<B>) -> Result<Option<IpAddr>, Box<Reply>> {
        self.budgets.take(peer, request.headers()).map_err(|(wait_ms, why)| {
            self.metrics.refuse_request();
            Box::new(reply::limited(&why, wait_ms))
        })
    }

    /// The head of an event stream, and what it is to bring.
    fn events<B>(&self, request: &Request<B>) -> Result<Stream, Box<Reply>> {
        if *request.method() != Method::GET {
            let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "an event stream is had with GET");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, OPTIONS"));
            return Err(Box::new(response));
        }
        let bad = |detail: &str| Box::new(problem(StatusCode::BAD_REQUEST, detail));
        let opening::Query { opening, name } = opening::parse(request.uri().query()).map_err(bad)?;
        let opening = opening.ok_or_else(|| bad("name the topics: /v1/sse?topics=feed.name,feed.*"))?;
        command::terms(opening.rate.as_deref(), None).map_err(|error| bad(&error.message))?;
        // What is no id of this server's is an id of another, whose past is not had here either.
        let last = request.headers().get("last-event-id").filter(|id| !id.is_empty());
        let last = last.map(|id| id.to_str().ok().and_then(TickId::parse).unwrap_or_default());
        let opening = Opening { last, ..opening };
        let mut response = Response::new(Full::default());
        for (name, value) in [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-store"),
            // nginx would gather events before it passes them on.
            (HeaderName::from_static("x-accel-buffering"), "no"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        // It ends with the connection. hyper says so in a response of HTTP/1.0 alone; in one of 1.1 it would cut what
        // shards write into chunks.
        *response.version_mut() = Version::HTTP_10;
        Ok((response, opening, name))
    }

    /// Answers any request on a connection that has no place.
    pub fn refuse(&self, full: limits::Full) -> Answer {
        let (outcome, status, detail) = match full {
            limits::Full::Server => (
                Outcome::OverCapacity,
                StatusCode::SERVICE_UNAVAILABLE,
                "the server is full; try again later",
            ),
            limits::Full::Address => (
                Outcome::AddressLimit,
                StatusCode::TOO_MANY_REQUESTS,
                "too many connections from this address; close some",
            ),
        };
        self.metrics.handshake(outcome);
        let mut response = problem(status, detail);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        secure(&mut response);
        response.into()
    }

    fn upgrade<B>(
        &self,
        request: &mut Request<B>,
        kind: impl FnOnce(Option<&str>) -> Result<Kind, Refusal>,
    ) -> Answer {
        let accepted = handshake::check(request, &self.origins).and_then(|protocol| {
            let kind = kind(request.uri().query())?;
            let agreed = self.deflate.and_then(|bits| extensions::negotiate(request.headers(), bits));
            let (response, _) = upgrade::upgrade(request)
                .map_err(|error| Refusal::bad_request(format!("not a WebSocket handshake: {error}")))?;
            let mut response = response.map(|_| Full::default());
            let mut encoding = match protocol {
                Some(SUBPROTOCOL_MSGPACK) => Encoding::Msgpack,
                _ => Encoding::Json,
            };
            if let Some(Agreed { window, answer }) = agreed
                && let Ok(value) = HeaderValue::try_from(answer)
            {
                response.headers_mut().insert(header::SEC_WEBSOCKET_EXTENSIONS, value);
                encoding = encoding.deflated(window);
            }
            if let Some(protocol) = protocol {
                let value = HeaderValue::from_static(protocol);
                response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, value);
            }
            Ok(Answer::Upgrade(response, kind, encoding))
        });
        match accepted {
            Ok(answer) => {
                self.metrics.handshake(Outcome::Ok);
                answer
            }
            Err(refusal) => {
                tracing::debug!(?refusal, "refused a handshake");
                self.metrics.handshake(refusal.outcome);
                refusal.into_response().into()
            }
        }
    }
}

fn serve<B>(bytes: Bytes, content_type: &'static str, etag: HeaderValue, request: &Request<B>) -> Reply {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "this path answers GET and HEAD");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let mut response = Response::new(Full::default());
    if request.headers().get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &etag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Full::new(bytes);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag);
    // Kept, and asked for again each time: what is new is seen at once.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// RFC 9110 13.1.2: weak comparison with each listed tag; `*` is any.
fn names(value: &HeaderValue, etag: &HeaderValue) -> bool {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|tag| {
        let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
        tag == b"*" || tag == etag.as_bytes()
    })
}

/// Headers of every response but the 101, which browsers read none of.
fn secure(response: &mut Reply) {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}
