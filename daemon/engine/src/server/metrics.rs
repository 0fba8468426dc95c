//! What the server counts.

use hyper::StatusCode;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

/// The labels of `tickerd_http_requests_total`: what clients write in a path is never one.
pub const ROUTES: [&str; 11] = [
    "/ws",
    "/echo",
    "/v1/sse",
    "/v1/topics",
    "/v1/bars",
    "/v1/values",
    "/v1/feeds",
    "/v1/keys",
    "/v1/ticket",
    "/v1/contract",
    "other",
];

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
    UserLimit,
    Stopping,
    /// Its token is refused, or it has none and needs one.
    Unauthenticated,
    /// Its token does not grant it.
    Forbidden,
}

impl Outcome {
    const ALL: [Outcome; 15] = [
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
        Outcome::UserLimit,
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
            Outcome::UserLimit => "user_limit",
            Outcome::Stopping => "stopping",
            Outcome::Unauthenticated => "unauthenticated",
            Outcome::Forbidden => "forbidden",
        }
    }
}

/// How a TLS handshake ended; the label of `tickerd_tls_handshakes_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    Ok,
    Resumed,
    PlainHttp,
    NotTls,
    Failed,
    Timeout,
    Gone,
}

impl Handshake {
    const ALL: [(Handshake, &'static str); 7] = [
        (Handshake::Ok, "ok"),
        (Handshake::Resumed, "resumed"),
        (Handshake::PlainHttp, "plain_http"),
        (Handshake::NotTls, "not_tls"),
        (Handshake::Failed, "failed"),
        (Handshake::Timeout, "timeout"),
        (Handshake::Gone, "gone"),
    ];

    fn as_str(self) -> &'static str {
        Handshake::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, name)| name)
    }
}

/// How the PROXY header of a connection was; the label of `tickerd_proxy_headers_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introduced {
    /// It names a client.
    Ok,
    /// It names none: the proxy connects for itself.
    Local,
    Missing,
    Malformed,
    TooLong,
    Untrusted,
    Timeout,
    Gone,
}

impl Introduced {
    const ALL: [(Introduced, &'static str); 8] = [
        (Introduced::Ok, "ok"),
        (Introduced::Local, "local"),
        (Introduced::Missing, "missing"),
        (Introduced::Malformed, "malformed"),
        (Introduced::TooLong, "too_long"),
        (Introduced::Untrusted, "untrusted"),
        (Introduced::Timeout, "timeout"),
        (Introduced::Gone, "gone"),
    ];

    pub(super) fn as_str(self) -> &'static str {
        Introduced::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, name)| name)
    }
}

pub struct Metrics {
    proxy_headers: IntCounterVec,
    tls_handshakes: IntCounterVec,
    tls_reloads: IntCounterVec,
    tls_not_after: IntGaugeVec,
    handshakes: IntCounterVec,
    requests_refused: IntCounter,
    requests: IntCounterVec,
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
        let counted = |name: &str, help: &str, results: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), &["result"])?;
            registry.register(Box::new(counter.clone()))?;
            results.iter().for_each(|result| drop(counter.with_label_values(&[result])));
            Ok::<_, prometheus::Error>(counter)
        };
        let ends = Handshake::ALL.map(|(_, name)| name);
        let tls_handshakes =
            counted("tickerd_tls_handshakes_total", "TLS handshakes, by how they ended.", &ends)?;
        let tls_reloads = counted(
            "tickerd_tls_reload_total",
            "Times that the files of the TLS certificate had changed, by whether the new one is used.",
            &["ok", "refused"],
        )?;
        let headers = Introduced::ALL.map(|(_, name)| name);
        let proxy_headers = counted(
            "tickerd_proxy_headers_total",
            "Connections on listeners with proxy = true, by how their PROXY header was.",
            &headers,
        )?;
        let opts = Opts::new(
            "tickerd_http_requests_total",
            "HTTP requests on the clients' listeners, by route and status code; 101 is a WebSocket's handshake.",
        );
        let requests = IntCounterVec::new(opts, &["route", "code"])?;
        registry.register(Box::new(requests.clone()))?;
        for route in ROUTES {
            let well = if matches!(route, "/ws" | "/echo") { "101" } else { "200" };
            requests.with_label_values(&[route, well]);
        }
        // Without TLS it has no value, since 0 would mean a certificate that expired long ago.
        let tls_not_after = IntGaugeVec::new(
            Opts::new("tickerd_tls_not_after_seconds", "When the TLS certificate expires, in Unix seconds."),
            &[],
        )?;
        registry.register(Box::new(tls_not_after.clone()))?;
        Ok(Metrics {
            proxy_headers,
            tls_handshakes,
            tls_reloads,
            tls_not_after,
            handshakes,
            requests_refused,
            requests,
        })
    }

    pub(super) fn tls_handshake(&self, ended: Handshake) {
        self.tls_handshakes.with_label_values(&[ended.as_str()]).inc();
    }

    pub(super) fn introduced(&self, how: Introduced) {
        self.proxy_headers.with_label_values(&[how.as_str()]).inc();
    }

    pub(super) fn tls_reload(&self, is_used: bool) {
        self.tls_reloads.with_label_values(&[if is_used { "ok" } else { "refused" }]).inc();
    }

    pub(super) fn tls_expires(&self, unix_s: u64) {
        self.tls_not_after.with_label_values::<&str>(&[]).set(i64::try_from(unix_s).unwrap_or(i64::MAX));
    }

    /// A request was answered; `route` is one of [`ROUTES`].
    pub(super) fn answered(&self, route: &'static str, code: StatusCode) {
        self.requests.with_label_values(&[route, code.as_str()]).inc();
    }

    pub(super) fn refuse_request(&self) {
        self.requests_refused.inc();
    }

    pub(super) fn handshake(&self, outcome: Outcome) {
        self.handshakes.with_label_values(&[outcome.as_str()]).inc();
    }
}
