//! The handshake that turns a byte stream into a WebSocket, with the provider's own words when it refuses.
//!
//! Done here rather than by tungstenite, which drops the connection on a refusal before its body is there.
//! RFC 6455, section 4.1.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant, SystemTime};

use tickerd_sdk::Host;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{Response, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use tungstenite::http::{StatusCode, Uri};

use crate::wire::{SLICE, Wire, unavailable};
use crate::{Fault, tls};

/// Who we are, as providers ask clients to say.
const AGENT: &str = concat!("tickerd/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")");
/// The longest head of an answer; those of real providers have about 1 KiB.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How much of a refusal's body is read for its words.
const BODY_BYTES_MAX: usize = 4 * 1024;
/// How long that may take.
const BODY_WAIT: Duration = Duration::from_secs(2);
/// How much of it is shown.
const WORDS_CHARS_MAX: usize = 200;

/// Asks for the upgrade and waits for the answer until `until`. What came behind it is the socket's first bytes.
pub(crate) fn upgrade(
    wire: &mut Wire,
    uri: &Uri,
    name: &str,
    until: Instant,
    host: &Host,
) -> Result<Vec<u8>, Fault> {
    let mut asking = Asking { wire, name, until, host };
    let unusable = |e: &dyn std::fmt::Display| Fault::Refused { status: 0, message: format!("{name}: {e}") };
    let mut request = uri.clone().into_client_request().map_err(|e| unusable(&e))?;
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
    let (head, key) = generate_request(request).map_err(|e| unusable(&e))?;
    asking.say(&head)?;
    let (response, tail) = asking.head()?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(asking.refusal(&response, tail));
    }
    let accept = response.headers().get("sec-websocket-accept");
    let accepted = accept.is_some_and(|a| a.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes());
    if !accepted || !names(response.headers(), "upgrade", "websocket") {
        let message = format!("{name} answered 101 but not as a WebSocket does (RFC 6455, 4.1)");
        return Err(Fault::Nonsense { message });
    }
    Ok(tail)
}

struct Asking<'a> {
    wire: &'a mut Wire,
    name: &'a str,
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
                return Err(unavailable(format!("{} did not answer the handshake in time", self.name)));
            }
            match self.wire.allow(SLICE.min(left)).and_then(|()| step(self.wire)) {
                Ok(done) => return Ok(done),
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(e) => {
                    let why = tls::words(&e).unwrap_or_else(|| e.to_string());
                    return Err(unavailable(format!("no handshake with {}: {why}", self.name)));
                }
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

    /// Adds what comes to `bytes`; false at the end.
    fn read(&mut self, until: Instant, bytes: &mut Vec<u8>) -> Result<bool, Fault> {
        let mut buf = [0; 2048];
        let n = self.patiently(until, |wire| wire.read(&mut buf))?;
        bytes.extend_from_slice(buf.get(..n).unwrap_or_default());
        Ok(n > 0)
    }

    fn head(&mut self) -> Result<(Response, Vec<u8>), Fault> {
        let mut bytes = Vec::new();
        loop {
            let nonsense = |why: &dyn std::fmt::Display, bytes: &[u8]| Fault::Nonsense {
                message: format!("{} answered no HTTP ({why}): {}", self.name, words(bytes)),
            };
            match Response::try_parse(&bytes) {
                Ok(Some((len, response))) => return Ok((response, bytes.split_off(len))),
                Ok(None) if bytes.len() > HEAD_BYTES_MAX => {
                    return Err(nonsense(&"a head without end", &bytes));
                }
                Ok(None) => {}
                Err(e) => return Err(nonsense(&e, &bytes)),
            }
            if !self.read(self.until, &mut bytes)? {
                return Err(unavailable(format!("{} hung up during the handshake", self.name)));
            }
        }
    }

    /// What an answer other than 101 means, with as much of its body as comes soon.
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
        let status = response.status();
        let said = match words(&body) {
            said if said.is_empty() => format!("{} answered the handshake with {status}", self.name),
            said => format!("{} answered the handshake with {status}: {said}", self.name),
        };
        match status.as_u16() {
            401 | 403 => Fault::Refused {
                status: status.as_u16(),
                message: format!("{said}; check the key and what the account may use"),
            },
            451 => Fault::Refused {
                status: 451,
                message: format!("{said}; it does not serve this region, so choose another provider"),
            },
            429 => Fault::Limited {
                wait: text(headers, "retry-after").and_then(|t| retry_after(t, SystemTime::now())),
                message: said,
            },
            500.. => unavailable(said),
            300..=399 => Fault::Nonsense {
                message: match text(headers, "location") {
                    Some(to) => format!("{said} (to {}); set base_url", words(to.as_bytes())),
                    None => said,
                },
            },
            _ => Fault::Nonsense { message: format!("{said}; is base_url a WebSocket?") },
        }
    }
}

/// Whether `token` is in the comma-separated list that header `name` holds.
fn names(headers: &HeaderMap, name: &'static str, token: &str) -> bool {
    let name = HeaderName::from_static(name);
    let mut values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
    values.any(|v| v.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// The time a `Retry-After` asks for: seconds, or until a date. RFC 9110, 10.2.3.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let seconds = || text.trim().parse().ok().map(Duration::from_secs);
    seconds().or_else(|| {
        let date = httpdate::parse_http_date(text.trim()).ok()?;
        Some(date.duration_since(now).unwrap_or_default())
    })
}

/// The beginning of `bytes` as one line for people.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace(|c: char| c.is_control(), " ");
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(WORDS_CHARS_MAX) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Thu, 01 Jan 2026 00:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Wed, 31 Dec 2025 00:00:30 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn words_are_one_short_line() {
        assert_eq!(words(b"<html>\r\n  <h1>No\x07</h1>\n"), "<html> <h1>No </h1>");
        assert_eq!(words("é".repeat(300).as_bytes()).chars().count(), WORDS_CHARS_MAX + 1);
        assert_eq!(words(b"\xff"), "\u{fffd}");
    }
}
