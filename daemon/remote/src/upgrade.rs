//! The WebSocket's handshake, on any stream: one that blocks, and one that does not.

use std::io::{Read, Write};

use serde::Deserialize;
use tungstenite::client::client_with_config;
use tungstenite::handshake::client::{ClientHandshake, Request, Response, generate_key};
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::http::{StatusCode, Uri};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, WebSocket};

use crate::failure::Failure;
use crate::stream::unreachable;
use crate::target::Target;

/// Longest message of a daemon. One answer holds 4 MiB of values at most, and a list of topics 10 MiB at worst.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A handshake, as far as it is.
pub(crate) enum Upgrade<S: Read + Write> {
    Done(Box<WebSocket<S>>),
    Waits(Box<MidHandshake<ClientHandshake<S>>>),
}

impl<S: Read + Write> Upgrade<S> {
    /// Begins it, and goes as far as the stream lets it. `query` is the first subscription, or empty.
    pub(crate) fn begin(stream: S, target: &Target, query: &str, read_bytes: usize) -> Result<Self, Failure> {
        let config = WebSocketConfig::default()
            .read_buffer_size(read_bytes)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        Self::outcome(client_with_config(request(target, query)?, stream, Some(config)), target)
    }

    /// Goes on where the stream had no more.
    pub(crate) fn go_on(waiting: MidHandshake<ClientHandshake<S>>, target: &Target) -> Result<Self, Failure> {
        Self::outcome(waiting.handshake(), target)
    }

    fn outcome(
        result: Result<(WebSocket<S>, Response), HandshakeError<ClientHandshake<S>>>,
        target: &Target,
    ) -> Result<Self, Failure> {
        match result {
            Ok((socket, _)) => Ok(Upgrade::Done(Box::new(socket))),
            Err(HandshakeError::Interrupted(waiting)) => Ok(Upgrade::Waits(Box::new(waiting))),
            Err(HandshakeError::Failure(error)) => Err(failure(error, target)),
        }
    }
}

fn request(target: &Target, query: &str) -> Result<Request, Failure> {
    let path = &target.address.path;
    let path = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    let wrong = |error: String| Failure::Usage(format!("the address cannot be asked for: {error}"));
    // Only the path is sent.
    let uri: Uri =
        format!("ws://localhost{path}").parse().map_err(|_| wrong("its path is wrong".to_owned()))?;
    let mut request = Request::builder()
        .uri(uri)
        .header("Host", target.address.host())
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key())
        .header("Sec-WebSocket-Protocol", "tickerd.v1.json");
    if let Some(token) = &target.token {
        request = request.header("Authorization", token.header());
    }
    request.body(()).map_err(|_| wrong("its host is wrong".to_owned()))
}

fn failure(error: Error, target: &Target) -> Failure {
    match error {
        Error::Io(error) => unreachable(target, &error),
        Error::Http(response) => refusal(&response, target),
        error => {
            let address = &target.address;
            Failure::Failed(format!("what answers at {address} is no tickerd: {error}"))
        }
    }
}

/// What the body of a refusal says (`application/problem+json`).
#[derive(Deserialize)]
struct Problem {
    detail: Option<String>,
    title: Option<String>,
}

fn refusal(response: &Response, target: &Target) -> Failure {
    let status = response.status();
    let body = response.body().as_deref().unwrap_or_default();
    let said =
        serde_json::from_slice(body).ok().and_then(|problem: Problem| problem.detail.or(problem.title));
    let after = response.headers().get("Retry-After").and_then(|value| value.to_str().ok()?.parse().ok());
    let address = &target.address;
    let why = match said {
        Some(said) => said,
        None => {
            let hint = "; is it a tickerd, and not its admin address?";
            return Failure::Failed(format!("what answers at {address} says HTTP {status}{hint}"));
        }
    };
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Failure::Away {
            why: format!("{why} ({})", status.as_u16()),
            after: after.map(std::time::Duration::from_secs),
        },
        // No topic is meant: an address has no such page.
        StatusCode::NOT_FOUND => Failure::Failed(format!("what answers at {address} says HTTP 404: {why}")),
        status => Failure::Refused { code: status.as_u16(), why },
    }
}
