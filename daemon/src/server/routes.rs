//! What each path of the public listeners answers. Metrics and health are on the admin listener alone.

use std::sync::Arc;

use bytes::Bytes;
use fastwebsockets::upgrade;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::fanout::arrival::Kind;

use super::handshake::{self, Refusal};
use super::limits;
use super::metrics::{Metrics, Outcome};
use super::opening;
use super::origin::Origins;
use super::page;
use super::problem::problem;

/// `connect-src` names the schemes because not every browser counts ws: of the same host as 'self'.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'";
/// The type of documents.
const JSON: &str = "application/json";
/// What a full server asks clients to wait, in seconds.
const RETRY_AFTER: &str = "5";

pub struct Routes {
    origins: Origins,
    echo: bool,
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

/// A response, and what the connection becomes once it is sent.
pub struct Answer {
    pub response: Response<Full<Bytes>>,
    pub upgrade: Option<Kind>,
}

impl From<Response<Full<Bytes>>> for Answer {
    fn from(response: Response<Full<Bytes>>) -> Answer {
        Answer { response, upgrade: None }
    }
}

impl Routes {
    pub fn new(origins: Vec<String>, echo: bool, metrics: Arc<Metrics>, documents: Documents) -> Routes {
        Routes { origins: Origins::new(origins), echo, metrics, documents }
    }

    /// Answers one request. The path is compared as it stands: nothing is decoded or normalised, so nothing traverses.
    pub fn answer<B>(&self, request: &mut Request<B>) -> Answer {
        let mut answer = match (handshake::check_host(request), request.uri().path()) {
            (Err(refusal), _) => refusal.into_response().into(),
            (Ok(()), "/ws") => self.upgrade(request, |query| {
                let opening = opening::parse(query).map_err(Refusal::bad_request)?;
                Ok(Kind::Ticker { opening })
            }),
            (Ok(()), "/echo") if self.echo => self.upgrade(request, |_| Ok(Kind::Echo)),
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
        secure(&mut answer.response);
        answer
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
            let (response, _) = upgrade::upgrade(request)
                .map_err(|error| Refusal::bad_request(format!("not a WebSocket handshake: {error}")))?;
            let mut response = response.map(|_| Full::default());
            if let Some(protocol) = protocol {
                let value = HeaderValue::from_static(protocol);
                response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, value);
            }
            Ok(Answer { response, upgrade: Some(kind) })
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

fn serve<B>(
    bytes: Bytes,
    content_type: &'static str,
    etag: HeaderValue,
    request: &Request<B>,
) -> Response<Full<Bytes>> {
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
fn secure(response: &mut Response<Full<Bytes>>) {
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
