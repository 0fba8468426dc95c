//! What a request comes with, what it gets, and what every response carries.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use super::connection::wire::Gone;
use super::peers::limits::{self, Place};
use super::rest::reply::Reply;
use super::stop::Stop;
use crate::exchange::access::Shown;
use crate::exchange::arrival::Kind;
use crate::listen::hosts::Door;
use tickerd_model::access::identity::Identity;
use tickerd_model::access::rights::Rights;
use tickerd_model::wire::close::CloseCode;
use tickerd_model::wire::encoding::Encoding;

/// `connect-src` names the schemes because not every browser counts ws: of the same host as 'self'. No other page may show
/// this one in a frame, where a reader could be led to type a token; and no form is sent, so no token gets into an address.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
/// What a request comes with, besides itself.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// Who asks: the peer, or whom it speaks for. `None` for unix peers.
    pub client: Option<IpAddr>,
    pub door: Door,
    /// The client's certificate, if it has shown one.
    pub shown: &'a Shown,
    /// The connection's place, or why it has none.
    pub place: Result<&'a Place, limits::Full>,
    pub stop: &'a Stop,
    pub gone: &'a Gone,
}

/// Finds what is made while the server runs: the document at a path, as far as these rights show it. Called on the server's thread; must not block.
pub type Documents = Arc<dyn Fn(&str, &Rights) -> Option<Document> + Send + Sync>;

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
    Upgrade(Reply, Kind, Arc<Identity>, Encoding),
    /// The head of an upgrade after which nothing comes but this close, with what there is to say.
    Close(Reply, CloseCode, String),
    /// A response, once a shard has been asked.
    Later(Pin<Box<dyn Future<Output = Reply> + Send>>),
}

impl From<Reply> for Answer {
    fn from(response: Reply) -> Answer {
        Answer::Now(response)
    }
}

/// Completes whatever is answered.
pub fn finished(answer: Answer, finish: impl FnOnce(&mut Reply) + Send + 'static) -> Answer {
    match answer {
        Answer::Now(mut response) => {
            finish(&mut response);
            Answer::Now(response)
        }
        Answer::Upgrade(mut response, kind, who, encoding) => {
            finish(&mut response);
            Answer::Upgrade(response, kind, who, encoding)
        }
        Answer::Close(mut response, code, detail) => {
            finish(&mut response);
            Answer::Close(response, code, detail)
        }
        Answer::Later(response) => Answer::Later(Box::pin(async {
            let mut response = response.await;
            finish(&mut response);
            response
        })),
    }
}

/// Says that a response is its connection's last. Not where it becomes a WebSocket, which goes on; and a 426 says both
/// that and `upgrade` (RFC 9110 7.8).
pub fn end_with(response: &mut Reply) {
    let ends = match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => return,
        StatusCode::UPGRADE_REQUIRED => "upgrade, close",
        _ => "close",
    };
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static(ends));
}

/// Headers of every response but the 101, which browsers read none of.
pub fn secure(response: &mut Reply) {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_upgrade_stays_one() {
        for (status, said, says) in [(101, "upgrade", "upgrade"), (426, "upgrade, close", "upgrade, close")]
            .into_iter()
            .chain([(200, "keep-alive", "close"), (404, "close", "close")])
        {
            let mut response = Reply::default();
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static(said));
            end_with(&mut response);
            assert_eq!(response.headers()[header::CONNECTION], says, "{status}");
        }
    }
}
