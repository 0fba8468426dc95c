//! What the server counts.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// How a handshake ended; the label of `tickerd_handshakes_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    BadRequest,
    Method,
    HttpVersion,
    NotWebsocket,
    WebsocketVersion,
    Host,
    Origin,
    Subprotocol,
    OverCapacity,
    AddressLimit,
    Stopping,
    /// Its token is refused, or it has none and needs one.
    Unauthenticated,
    /// Its token does not grant it.
    Forbidden,
}

impl Outcome {
    const ALL: [Outcome; 14] = [
        Outcome::Ok,
        Outcome::BadRequest,
        Outcome::Method,
        Outcome::HttpVersion,
        Outcome::NotWebsocket,
        Outcome::WebsocketVersion,
        Outcome::Host,
        Outcome::Origin,
        Outcome::Subprotocol,
        Outcome::OverCapacity,
        Outcome::AddressLimit,
        Outcome::Stopping,
        Outcome::Unauthenticated,
        Outcome::Forbidden,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::BadRequest => "bad_request",
            Outcome::Method => "method",
            Outcome::HttpVersion => "http_version",
            Outcome::NotWebsocket => "not_websocket",
            Outcome::WebsocketVersion => "websocket_version",
            Outcome::Host => "host",
            Outcome::Origin => "origin",
            Outcome::Subprotocol => "subprotocol",
            Outcome::OverCapacity => "over_capacity",
            Outcome::AddressLimit => "address_limit",
            Outcome::Stopping => "stopping",
            Outcome::Unauthenticated => "unauthenticated",
            Outcome::Forbidden => "forbidden",
        }
    }
}

pub struct Metrics {
    handshakes: IntCounterVec,
    requests_refused: IntCounter,
}

impl Metrics {
    /// Registers `tickerd_handshakes_total{result}` with every result at 0, and `tickerd_requests_refused_total`.
    pub fn new(registry: &Registry) -> Result<Metrics, prometheus::Error> {
        let opts = Opts::new(
            "tickerd_handshakes_total",
            "WebSocket handshakes and requests for event streams, by how they ended.",
        );
        let handshakes = IntCounterVec::new(opts, &["result"])?;
        registry.register(Box::new(handshakes.clone()))?;
        for outcome in Outcome::ALL {
            handshakes.with_label_values(&[outcome.as_str()]);
        }
        let requests_refused = IntCounter::new(
            "tickerd_requests_refused_total",
            "HTTP requests to publish or to list topics that were over the limit of their address.",
        )?;
        registry.register(Box::new(requests_refused.clone()))?;
        Ok(Metrics { handshakes, requests_refused })
    }

    pub(super) fn refuse_request(&self) {
        self.requests_refused.inc();
    }

    pub(super) fn handshake(&self, outcome: Outcome) {
        self.handshakes.with_label_values(&[outcome.as_str()]).inc();
    }
}
