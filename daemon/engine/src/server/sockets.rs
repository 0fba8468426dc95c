//! WebSocket handshakes: what is right is upgraded, and what is wrong is told so that its author can read it.
//!
//! A program reads the status and the body of a refusal. A page cannot: to it every refused handshake is an end without a
//! word (WHATWG websockets, "fail the WebSocket connection"). So a page that may come in gets its WebSocket, and on it
//! nothing but a close that says why.

use std::sync::Arc;

use fastwebsockets::upgrade;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{self, HeaderValue};

use crate::exchange::arrival::Kind;
use tickerd_model::access::identity::Identity;
use tickerd_model::protocol::SUBPROTOCOL_MSGPACK;
use tickerd_model::wire::encoding::Encoding;

use super::answer::Answer;
use super::metrics::Outcome;
use super::rest::reply::Reply;
use super::routes::{ECHO_SHARED, Routes};
use super::upgrade::extensions::{self, Agreed, Keeps, Terms};
use super::upgrade::handshake::{self, Refusal};

impl Routes {
    /// Answers a handshake whose host and page were admitted; `kind` says what else is wrong, or what it is for.
    pub(super) fn upgrade<B>(
        &self,
        request: &mut Request<B>,
        is_page: bool,
        kind: impl FnOnce(&Request<B>) -> Result<(Kind, Arc<Identity>), Refusal>,
    ) -> Answer {
        let judged = handshake::check(request).and_then(|()| {
            let kind = kind(request).and_then(|kind| Ok((kind, handshake::subprotocol(request.headers())?)));
            let (response, _) = upgrade::upgrade(&mut *request)
                .map_err(|error| Refusal::bad_request(format!("not a WebSocket handshake: {error}")))?;
            Ok((kind, response.map(|_| Full::default())))
        });
        let refusal = match judged {
            Ok((Ok((kind, protocol)), response)) => return self.accept(request, response, kind, protocol),
            Ok((Err(refusal), response)) if is_page => return self.close(request, response, &refusal),
            Ok((Err(refusal), _)) | Err(refusal) => refusal,
        };
        refusal.log();
        self.metrics.handshake(refusal.outcome);
        refusal.into_response().into()
    }

    fn accept<B>(
        &self,
        request: &Request<B>,
        mut response: Reply,
        (kind, who): (Kind, Arc<Identity>),
        protocol: Option<&'static str>,
    ) -> Answer {
        let mut encoding = match protocol {
            Some(SUBPROTOCOL_MSGPACK) => Encoding::Msgpack,
            _ => Encoding::Json,
        };
        // What comes back from /echo is nobody else's. What comes back from the other shows how it is to share.
        let is_shared = request.uri().path() == ECHO_SHARED;
        let terms = self.settings.deflate.map(|terms| match kind {
            Kind::Echo => Terms { is_shared: terms.is_shared && is_shared, ..terms },
            Kind::Ticker { .. } => terms,
        });
        let agreed = terms.and_then(|terms| extensions::negotiate(request.headers(), terms));
        if let Some(Agreed { keeps, answer }) = agreed
            && let Ok(value) = HeaderValue::try_from(answer)
        {
            response.headers_mut().insert(header::SEC_WEBSOCKET_EXTENSIONS, value);
            encoding = match keeps {
                Keeps::Nothing(window) => encoding.deflated(window),
                Keeps::Window(bits) => encoding.shared(bits),
            };
        }
        if let Some(protocol) = protocol {
            let value = HeaderValue::from_static(protocol);
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        self.metrics.handshake(Outcome::Ok);
        Answer::Upgrade(response, kind, who, encoding)
    }

    fn close<B>(&self, request: &Request<B>, mut response: Reply, refusal: &Refusal) -> Answer {
        refusal.log();
        self.metrics.handshake(refusal.outcome);
        if let Some(protocol) = handshake::first_offered(request.headers()) {
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        Answer::Close(response, refusal.close(), refusal.detail.clone())
    }
}
