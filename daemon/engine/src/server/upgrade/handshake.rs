//! Checks a WebSocket handshake before fastwebsockets answers it: its `upgrade` looks at the version and at a key being
//! there, and RFC 6455 4.2.1 asks for more.

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};

use tickerd_model::protocol::{SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK};

use super::credentials::BEARER;
use super::origin::Origins;
use crate::exchange::arrival::USER_FULL;
use crate::listen::hosts::{Target, Wrong};
use crate::server::metrics::Outcome;
use crate::server::peers::limits::Full;
use crate::server::rest::problem::problem;
use tickerd_model::access;
use tickerd_model::web::origin::WebOrigin;
use tickerd_model::wire::close::CloseCode;

/// Why a request is refused, and how that is answered.
#[derive(Debug)]
pub struct Refusal {
    pub outcome: Outcome,
    pub status: StatusCode,
    pub detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

/// What a client is told whose token is refused, or that has none where one is needed (RFC 6750 3).
impl From<access::refusal::Refusal> for Refusal {
    fn from(refusal: access::refusal::Refusal) -> Refusal {
        use access::refusal::Refusal as Why;
        let detail = format!("{}: {refusal}", refusal.code());
        match refusal {
            Why::Busy => Refusal::new(Outcome::Stopping, StatusCode::SERVICE_UNAVAILABLE, detail)
                .with(header::RETRY_AFTER, "2"),
            Why::Missing => Refusal::new(Outcome::Unauthenticated, StatusCode::UNAUTHORIZED, detail)
                .with(header::WWW_AUTHENTICATE, "Bearer"),
            _ => {
                let mut refused = Refusal::new(Outcome::Unauthenticated, StatusCode::UNAUTHORIZED, detail);
                let challenge =
                    format!("Bearer error=\"invalid_token\", error_description=\"{}\"", refusal.code());
                refused.header =
                    HeaderValue::try_from(challenge).ok().map(|value| (header::WWW_AUTHENTICATE, value));
                refused
            }
        }
    }
}

impl Refusal {
    pub fn bad_request(detail: impl Into<String>) -> Refusal {
        Refusal::new(Outcome::BadRequest, StatusCode::BAD_REQUEST, detail)
    }

    pub fn new(outcome: Outcome, status: StatusCode, detail: impl Into<String>) -> Refusal {
        Refusal { outcome, status, detail: detail.into(), header: None }
    }

    pub fn with(mut self, name: HeaderName, value: &'static str) -> Refusal {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// Writes it to the log. What a bad request's detail quotes may be a token in the wrong place, so it is left out.
    pub fn log(&self) {
        let detail = if self.outcome == Outcome::BadRequest { "" } else { &self.detail };
        tracing::debug!(outcome = ?self.outcome, status = self.status.as_u16(), detail, "refused a handshake");
    }

    /// What a page is told, which cannot read the status of a handshake.
    pub fn close(&self) -> CloseCode {
        match self.outcome {
            Outcome::OverCapacity => CloseCode::OverCapacity,
            Outcome::AddressLimit | Outcome::UserLimit => CloseCode::ConnectionLimit,
            Outcome::Stopping => CloseCode::ServiceRestart,
            Outcome::Unauthenticated => CloseCode::Unauthenticated,
            Outcome::Forbidden => CloseCode::Forbidden,
            _ => CloseCode::BadRequest,
        }
    }

    pub fn into_response(self) -> Response<http_body_util::Full<Bytes>> {
        let mut response = problem(self.status, &self.detail);
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        if self.status == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110 15.5.22 and 7.8: the protocol is named, and Connection names the header.
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade, close"));
        }
        headers.extend(self.header.map(|(name, value)| (Some(name), value)));
        response
    }
}

impl Refusal {
    /// What a server answers that is about to stop: most often to start again.
    pub fn stopping() -> Refusal {
        let detail = "the server is about to stop; connect again";
        Refusal::new(Outcome::Stopping, StatusCode::SERVICE_UNAVAILABLE, detail)
            .with(header::RETRY_AFTER, "1")
    }
}

/// What a connection is answered that has no place.
impl From<Full> for Refusal {
    fn from(full: Full) -> Refusal {
        let (outcome, status) = match full {
            Full::Server | Full::Memory | Full::Unidentified | Full::Pace => {
                (Outcome::OverCapacity, StatusCode::SERVICE_UNAVAILABLE)
            }
            Full::Address => (Outcome::AddressLimit, StatusCode::TOO_MANY_REQUESTS),
            Full::User => (Outcome::UserLimit, StatusCode::TOO_MANY_REQUESTS),
        };
        let detail = match full {
            Full::Server => "the server is full; try again later",
            Full::Memory => "the server is short of memory; try again later",
            Full::Address => "too many connections from this address; close some",
            Full::User => USER_FULL,
            Full::Pace => "too many new connections at once; try again in some seconds",
            Full::Unidentified => {
                "too many clients are still to say who they are; send the token with the handshake, or try again later"
            }
        };
        Refusal::new(outcome, status, detail).with(header::RETRY_AFTER, "5")
    }
}

impl From<Wrong> for Refusal {
    fn from(wrong: Wrong) -> Refusal {
        let detail = wrong.detail();
        match wrong {
            Wrong::Malformed => Refusal::bad_request(detail),
            Wrong::Foreign(_) => Refusal::new(Outcome::Host, StatusCode::FORBIDDEN, detail),
        }
    }
}

/// Passes a handshake that may be answered with 101.
pub fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    let headers = request.headers();
    if request.method() != Method::GET {
        let detail = "a WebSocket handshake is a GET";
        return Err(
            Refusal::new(Outcome::Method, StatusCode::METHOD_NOT_ALLOWED, detail).with(header::ALLOW, "GET")
        );
    }
    if request.version() != Version::HTTP_11 {
        let detail = "a WebSocket handshake needs HTTP/1.1; a proxy in between may have to be told (nginx: \
                      proxy_http_version 1.1)";
        return Err(Refusal::new(Outcome::HttpVersion, StatusCode::HTTP_VERSION_NOT_SUPPORTED, detail));
    }
    if !lists(headers, header::UPGRADE, "websocket") || !lists(headers, header::CONNECTION, "upgrade") {
        let detail = "this is a WebSocket endpoint: connect with ws:// or wss://; a proxy in between must pass the \
                      Upgrade and Connection headers on";
        return Err(Refusal::new(Outcome::NotWebsocket, StatusCode::UPGRADE_REQUIRED, detail));
    }
    if only(headers, header::SEC_WEBSOCKET_VERSION) != Some(b"13") {
        let detail = "Sec-WebSocket-Version must be 13";
        return Err(Refusal::new(Outcome::WebsocketVersion, StatusCode::UPGRADE_REQUIRED, detail)
            .with(header::SEC_WEBSOCKET_VERSION, "13"));
    }
    if !only(headers, header::SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        return Err(Refusal::bad_request("Sec-WebSocket-Key must be there once: 16 bytes in base64"));
    }
    let length = headers.get(header::CONTENT_LENGTH).map(HeaderValue::as_bytes);
    if headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != b"0") {
        return Err(Refusal::bad_request("a WebSocket handshake has no body"));
    }
    Ok(())
}

/// Whether a page may come in: no Origin, the same host's, or a listed one. Its Origin, if it has one.
pub fn check_origin(
    headers: &HeaderMap,
    origins: &Origins,
    target: &Target,
) -> Result<Option<WebOrigin>, Refusal> {
    if !headers.contains_key(header::ORIGIN) {
        return Ok(None);
    }
    let text = only(headers, header::ORIGIN).and_then(|value| std::str::from_utf8(value).ok());
    let Some(origin) = text.and_then(WebOrigin::parse) else {
        return Err(Refusal::bad_request(
            "the Origin header must be there once, as scheme://host:port or null",
        ));
    };
    if origins.admit(&origin, target) {
        return Ok(Some(origin));
    }
    let detail = format!(
        "pages of {origin} may not connect; the server's operator can add it to origins in [server]: origins = [\"{origin}\"]"
    );
    Err(Refusal::new(Outcome::Origin, StatusCode::FORBIDDEN, detail))
}

/// The first subprotocol that a client offers. A browser takes no answer that names none of those it offered.
pub fn first_offered(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut offered = items(headers, header::SEC_WEBSOCKET_PROTOCOL);
    // One that holds a token is not sent back.
    HeaderValue::from_bytes(offered.find(|name| !name.starts_with(BEARER))?).ok()
}

/// The subprotocol to name in the answer, if the client offers any.
pub fn subprotocol(headers: &HeaderMap) -> Result<Option<&'static str>, Refusal> {
    let offered = items(headers, header::SEC_WEBSOCKET_PROTOCOL);
    let mut offered = offered.filter(|name| !name.starts_with(BEARER)).peekable();
    if offered.peek().is_none() {
        return Ok(None);
    }
    let known = [SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK];
    // The client names first what it likes best (RFC 6455 4.1).
    if let Some(name) = offered.find_map(|name| known.into_iter().find(|known| name == known.as_bytes())) {
        return Ok(Some(name));
    }
    let detail = format!("none of the offered subprotocols is known; offer {}, or none", known.join(" or "));
    Err(Refusal::new(Outcome::Subprotocol, StatusCode::BAD_REQUEST, detail))
}

/// The value of a header that is there exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}

/// The items of a comma-separated header, over all its lines; empty ones are left out (RFC 9110 5.6.1).
pub fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter();
    let items = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    items.map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

fn lists(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    items(headers, name).any(|item| item.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// 16 bytes in base64 are 22 digits and two paddings.
fn is_key(value: &[u8]) -> bool {
    value.strip_suffix(b"==").is_some_and(|digits| {
        digits.len() == 22
            && digits.iter().all(|digit| digit.is_ascii_alphanumeric() || matches!(digit, b'+' | b'/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_model::web::host::Host;

    fn handshake() -> hyper::http::request::Builder {
        Request::get("/ws")
            .header("Host", "localhost")
            .header("Upgrade", "h2c, WebSocket")
            .header("Connection", "keep-alive")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    fn outcome(request: hyper::http::request::Builder) -> Result<Option<&'static str>, Outcome> {
        let request = request.body(()).unwrap();
        check(&request).and_then(|()| subprotocol(request.headers())).map_err(|r| r.outcome)
    }

    #[test]
    fn an_origin_is_there_once_and_is_one() {
        let judge = |values: &[&str]| {
            let headers = values.iter().map(|value| (header::ORIGIN, value.parse().unwrap()));
            let origins = Origins::new(vec![], false);
            check_origin(&headers.collect(), &origins, &Host::with_port("localhost:80")).map_err(|r| r.status)
        };
        assert_eq!(judge(&[]), Ok(None));
        assert_eq!(judge(&["http://localhost"]), Ok(WebOrigin::parse("http://localhost")));
        for foreign in ["null", "http://evil.example", "https://localhost:81"] {
            assert_eq!(judge(&[foreign]), Err(StatusCode::FORBIDDEN), "{foreign}");
        }
        for malformed in [
            "",
            "http://localhost:80:81",
            "http://a http://b",
            "http://a/",
            "localhost",
            "http://u@localhost",
        ] {
            assert_eq!(judge(&[malformed]), Err(StatusCode::BAD_REQUEST), "{malformed}");
        }
        assert_eq!(judge(&["http://localhost", "http://localhost"]), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn a_known_subprotocol_is_picked_from_any_line() {
        assert_eq!(outcome(handshake()), Ok(None));
        let name = "Sec-WebSocket-Protocol";
        assert_eq!(outcome(handshake().header(name, "")), Ok(None));
        assert_eq!(outcome(handshake().header(name, "x , tickerd.v1.json")), Ok(Some(SUBPROTOCOL_JSON)));
        let both = handshake().header(name, SUBPROTOCOL_MSGPACK).header(name, SUBPROTOCOL_JSON);
        assert_eq!(outcome(both), Ok(Some(SUBPROTOCOL_MSGPACK)), "the first of the client's");
        assert_eq!(outcome(handshake().header(name, "tickerd.v2.json")), Err(Outcome::Subprotocol));
        assert_eq!(outcome(handshake().header(name, "TICKERD.V1.JSON")), Err(Outcome::Subprotocol));
    }

    #[test]
    fn keys_are_sixteen_bytes() {
        assert!(is_key(b"AAAAAAAAAAAAAAAAAAAAAA=="));
        assert!(is_key(b"+/+/+/+/+/+/+/+/+/+/+w=="));
        let bad: [&[u8]; 6] = [
            b"",
            b"==",
            b"AAAAAAAAAAAAAAAAAAAAA===",
            b"AAAAAAAAAAAAAAAAAAAAA==",
            b"AAAAAAAAAAAAAAAAAAAAAAA=",
            b"AAAAAAAAAA AAAAAAAAAAA==",
        ];
        for key in bad {
            assert!(!is_key(key), "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn a_handshake_has_no_body() {
        assert_eq!(outcome(handshake().header("Content-Length", "0")), Ok(None));
        assert_eq!(outcome(handshake().header("Content-Length", "5")), Err(Outcome::BadRequest));
        assert_eq!(outcome(handshake().header("Transfer-Encoding", "chunked")), Err(Outcome::BadRequest));
    }
}
