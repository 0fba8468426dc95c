//! What the server counts.

use prometheus::{IntCounterVec, Opts, Registry};

/// How a handshake ended; the label of `tickerd_handshakes_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    BadRequest,
    Method,
    HttpVersion,
    NotWebsocket,
    WebsocketVersion,
    Origin,
    Subprotocol,
    OverCapacity,
    AddressLimit,
    Stopping,
}

impl Outcome {
    const ALL: [Outcome; 11] = [
        Outcome::Ok,
        Outcome::BadRequest,
        Outcome::Method,
        Outcome::HttpVersion,
        Outcome::NotWebsocket,
        Outcome::WebsocketVersion,
        Outcome::Origin,
        Outcome::Subprotocol,
        Outcome::OverCapacity,
        Outcome::AddressLimit,
        Outcome::Stopping,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::BadRequest => "bad_request",
            Outcome::Method => "method",
            Outcome::HttpVersion => "http_version",
            Outcome::NotWebsocket => "not_websocket",
            Outcome::WebsocketVersion => "websocket_version",
            Outcome::Origin => "origin",
            Outcome::Subprotocol => "subprotocol",
            Outcome::OverCapacity => "over_capacity",
            Outcome::AddressLimit => "address_limit",
            Outcome::Stopping => "stopping",
        }
    }
}

pub struct Metrics {
    handshakes: IntCounterVec,
}

impl Metrics {
    /// Registers `tickerd_handshakes_total{result}` with every result at 0.
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
        Ok(Metrics { handshakes })
    }

    pub(super) fn handshake(&self, outcome: Outcome) {
        self.handshakes.with_label_values(&[outcome.as_str()]).inc();
    }
}
