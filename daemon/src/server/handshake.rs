//! Checks a WebSocket handshake before fastwebsockets answers it: its `upgrade` looks at the version and at a key being
//! there, and RFC 6455 4.2.1 asks for more.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};

use crate::model::protocol::SUBPROTOCOL_JSON;

use super::metrics::Outcome;
use super::origin::Origins;
use super::problem::problem;

/// The one subprotocol. A client may also name none.
pub const PROTOCOL: &str = SUBPROTOCOL_JSON;

/// Why a handshake is refused, and how that is answered.
#[derive(Debug)]
pub struct Refusal {
    pub outcome: Outcome,
    status: StatusCode,
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub fn bad_request(detail: impl Into<String>) -> Refusal {
        Refusal::new(Outcome::BadRequest, StatusCode::BAD_REQUEST, detail)
    }

    fn new(outcome: Outcome, status: StatusCode, detail: impl Into<String>) -> Refusal {
        Refusal { outcome, status, detail: detail.into(), header: None }
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Refusal {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    pub fn into_response(self) -> Response<Full<Bytes>> {
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

/// Passes a handshake that may be answered with 101: the subprotocol to name in it, if the client offered any.
pub fn check<B>(request: &Request<B>, origins: &Origins) -> Result<Option<&'static str>, Refusal> {
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
    check_origin(headers, origins)?;
    subprotocol(headers)
}

/// RFC 9112 3.2: HTTP/1.1 has exactly one Host, and no request has two.
pub fn check_host<B>(request: &Request<B>) -> Result<(), Refusal> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let valid = match only(request.headers(), header::HOST) {
        Some(host) => hyper::http::uri::Authority::try_from(host).is_ok(),
        None => hosts == 0 && request.version() < Version::HTTP_11,
    };
    if valid {
        Ok(())
    } else {
        Err(Refusal::bad_request("the Host header must be there once, as host or host:port"))
    }
}

fn check_origin(headers: &HeaderMap, origins: &Origins) -> Result<(), Refusal> {
    if !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let text = |name| only(headers, name).and_then(|value| std::str::from_utf8(value).ok());
    let Some(origin) =
        text(header::ORIGIN).filter(|origin| origin.bytes().all(|byte| byte.is_ascii_graphic()))
    else {
        return Err(Refusal::bad_request("the Origin header must be there once, in visible ASCII"));
    };
    if origins.admit(origin, text(header::HOST).unwrap_or_default()) {
        return Ok(());
    }
    let detail =
        format!("pages of {origin} may not connect; the server's operator can add it to server.origins");
    Err(Refusal::new(Outcome::Origin, StatusCode::FORBIDDEN, detail))
}

fn subprotocol(headers: &HeaderMap) -> Result<Option<&'static str>, Refusal> {
    let mut offered = items(headers, header::SEC_WEBSOCKET_PROTOCOL).peekable();
    if offered.peek().is_none() {
        return Ok(None);
    }
    if offered.any(|name| name == PROTOCOL.as_bytes()) {
        return Ok(Some(PROTOCOL));
    }
    let detail = format!("none of the offered subprotocols is known; offer {PROTOCOL}, or none");
    Err(Refusal::new(Outcome::Subprotocol, StatusCode::BAD_REQUEST, detail))
}

/// The value of a header that is there exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}

/// The items of a comma-separated header, over all its lines; empty ones are left out (RFC 9110 5.6.1).
fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
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
        check_host(&request).and_then(|()| check(&request, &Origins::new(vec![]))).map_err(|r| r.outcome)
    }

    #[test]
    fn a_known_subprotocol_is_picked_from_any_line() {
        assert_eq!(outcome(handshake()), Ok(None));
        let name = "Sec-WebSocket-Protocol";
        assert_eq!(outcome(handshake().header(name, "")), Ok(None));
        assert_eq!(outcome(handshake().header(name, "x , tickerd.v1.json")), Ok(Some(PROTOCOL)));
        assert_eq!(outcome(handshake().header(name, "x").header(name, PROTOCOL)), Ok(Some(PROTOCOL)));
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
