//! The handshake that turns a byte stream into a WebSocket, with the provider's own words when it refuses.
//!
//! tungstenite could do this too, but it drops the connection on a refusal before the body has come. RFC 6455,
//! section 4.1.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant, SystemTime};

use tickerd_sdk::Host;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{Response, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::http::header::{HeaderMap, HeaderValue, USER_AGENT};
use tungstenite::http::{StatusCode, Uri};

use crate::Fault;
use crate::http::{Failure, Stage, excerpt, retry_after};

use super::wire::{SLICE, Whom, Wire};

/// The User-Agent, which providers ask clients to send.
const AGENT: &str = concat!("tickerd/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")");
/// The longest head of an answer; those of real providers have about 1 KiB.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How much of a refusal's body is read for its words.
const BODY_BYTES_MAX: usize = 4 * 1024;
/// How long reading it may take.
const BODY_WAIT: Duration = Duration::from_secs(2);

/// Asks for the upgrade and waits for the answer until `until`. Returns the bytes behind the answer, which are the
/// socket's first.
pub(crate) fn upgrade(
    wire: &mut Wire,
    uri: &Uri,
    whom: &Whom,
    until: Instant,
    host: &Host,
) -> Result<Vec<u8>, Fault> {
    let mut asking = Asking { wire, whom, until, host };
    // The error's own text is left out, since it may hold the URL.
    let unusable =
        |_| Fault::Refused { status: 0, message: "base_url: no handshake can be made of it".into() };
    let mut request = uri.clone().into_client_request().map_err(unusable)?;
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
    let (head, key) = generate_request(request).map_err(unusable)?;
    asking.say(&head)?;
    let (response, tail) = asking.head()?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(asking.refusal(&response, tail));
    }
    let accept = response.headers().get("sec-websocket-accept");
    let accepted = accept.is_some_and(|a| a.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes());
    let upgraded = text(response.headers(), "upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
    if !accepted || !upgraded {
        let message = format!("{whom} answered 101 but not as a WebSocket does (RFC 6455, 4.1)");
        return Err(Fault::Nonsense { message });
    }
    Ok(tail)
}

struct Asking<'a> {
    wire: &'a mut Wire,
    whom: &'a Whom,
    until: Instant,
    host: &'a Host,
}

impl Asking<'_> {
    /// Repeats `step` until it does not block any more, or it is time to give up or to stop.
    fn patiently<T>(
        &mut self,
        until: Instant,
        mut step: impl FnMut(&mut Wire) -> io::Result<T>,
    ) -> Result<T, Fault> {
        loop {
            if self.host.should_stop() {
                return Err(Fault::Stopping);
            }
            self.host.heartbeat();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.whom.unavailable(&"did not answer the handshake in time"));
            }
            match self.wire.allow(SLICE.min(left)).and_then(|()| step(self.wire)) {
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                done => return done.map_err(|e| self.whom.lost(&e, Stage::Asking)),
            }
        }
    }

    fn say(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let n = self.patiently(self.until, |wire| wire.write(bytes))?;
            bytes = bytes.get(n..).unwrap_or_default();
        }
        self.patiently(self.until, Wire::flush)
    }

    /// Appends what comes to `bytes`. Returns false at the end.
    fn read(&mut self, until: Instant, bytes: &mut Vec<u8>) -> Result<bool, Fault> {
        let mut buf = [0; 2048];
        let n = self.patiently(until, |wire| wire.read(&mut buf))?;
        bytes.extend_from_slice(buf.get(..n).unwrap_or_default());
        Ok(n > 0)
    }

    fn head(&mut self) -> Result<(Response, Vec<u8>), Fault> {
        let mut bytes = Vec::new();
        loop {
            let nonsense = |why: &str, bytes: &[u8]| Fault::Nonsense {
                message: format!("{} answered no HTTP ({why}): {}", self.whom, words(bytes)),
            };
            match Response::try_parse(&bytes) {
                Ok(Some((len, response))) => return Ok((response, bytes.split_off(len))),
                Ok(None) if bytes.len() > HEAD_BYTES_MAX => {
                    return Err(nonsense("a head without end", &bytes));
                }
                Ok(None) => {}
                Err(e) => return Err(nonsense(&e.to_string(), &bytes)),
            }
            if !self.read(self.until, &mut bytes)? {
                return Err(self.whom.unavailable(&"hung up during the handshake"));
            }
        }
    }

    /// The fault for an answer other than 101, with as much of its body as comes soon.
    fn refusal(&mut self, response: &Response, mut body: Vec<u8>) -> Fault {
        let headers = response.headers();
        let length = text(headers, "content-length").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
        let until = self.until.min(Instant::now() + BODY_WAIT);
        while body.len() < length.min(BODY_BYTES_MAX) {
            match self.read(until, &mut body) {
                Ok(true) => {}
                Err(Fault::Stopping) => return Fault::Stopping,
                Ok(false) | Err(_) => break,
            }
        }
        let fault = Failure {
            status: response.status(),
            wait: retry_after(headers, SystemTime::now()),
            content_type: text(headers, "content-type").unwrap_or(""),
            body: &body,
            subject: &format!("{} answered the handshake", self.whom),
        };
        match fault.fault() {
            Fault::Unknown { message } => Fault::Nonsense {
                message: match text(headers, "location") {
                    Some(to) => {
                        format!("{message} and sends on to {}; is base_url right?", words(to.as_bytes()))
                    }
                    None => format!("{message}; is base_url right, and a WebSocket?"),
                },
            },
            fault => fault,
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// The beginning of `bytes` for people.
fn words(bytes: &[u8]) -> String {
    excerpt(&String::from_utf8_lossy(bytes.get(..HEAD_BYTES_MAX).unwrap_or(bytes)))
}
