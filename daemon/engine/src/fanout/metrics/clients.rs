//! How clients are connected, and what they are subscribed to.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use tickerd_model::wire::encoding::Encoding;

/// Open connections by how they are spoken to.
#[derive(Debug)]
pub struct Clients(IntGaugeVec);

impl Clients {
    /// Makes and registers it, with all its series.
    pub fn new(registry: &Registry) -> prometheus::Result<Clients> {
        let opts = Opts::new(
            "tickerd_client_connections",
            "Open connections, by transport (websocket, or sse for event streams), encoding, and whether TLS is spoken.",
        );
        let clients = Clients(IntGaugeVec::new(opts, &["transport", "encoding", "tls"])?);
        registry.register(Box::new(clients.0.clone()))?;
        use Encoding::{Json, JsonDeflated, Msgpack, MsgpackDeflated, Sse};
        for encoding in [Json, JsonDeflated, Msgpack, MsgpackDeflated, Sse] {
            [true, false].iter().for_each(|is_tls| drop(clients.of(encoding, *is_tls)));
        }
        Ok(clients)
    }

    /// Those that are spoken to so.
    pub fn of(&self, encoding: Encoding, is_tls: bool) -> IntGauge {
        let (transport, encoding) = match encoding {
            Encoding::Json => ("websocket", "json"),
            Encoding::JsonDeflated | Encoding::JsonNarrow | Encoding::JsonShared(_) => {
                ("websocket", "json_deflate")
            }
            Encoding::Msgpack => ("websocket", "msgpack"),
            Encoding::MsgpackDeflated | Encoding::MsgpackNarrow | Encoding::MsgpackShared(_) => {
                ("websocket", "msgpack_deflate")
            }
            Encoding::Sse => ("sse", "json"),
        };
        self.0.with_label_values(&[transport, encoding, if is_tls { "true" } else { "false" }])
    }
}

/// The kinds of subscriptions that are told apart: what is named, and its mode. `rate` is `latest` at a slower rate.
pub const KINDS: [(&str, &str); 6] = [
    ("topic", "latest"),
    ("topic", "rate"),
    ("topic", "all"),
    ("pattern", "latest"),
    ("pattern", "rate"),
    ("pattern", "all"),
];

/// Subscriptions by kind, in the order of [`KINDS`].
#[derive(Debug)]
pub struct Subscriptions([IntGauge; KINDS.len()]);

impl Subscriptions {
    /// Makes and registers them.
    pub fn new(registry: &Registry) -> prometheus::Result<Subscriptions> {
        let opts = Opts::new(
            "tickerd_subscriptions",
            "Subscriptions of all clients, by what they name (a topic or a pattern) and their mode; rate is latest at a slower rate.",
        );
        let gauges = IntGaugeVec::new(opts, &["kind", "mode"])?;
        registry.register(Box::new(gauges.clone()))?;
        Ok(Subscriptions(KINDS.map(|(kind, mode)| gauges.with_label_values(&[kind, mode]))))
    }

    /// A shard that told `before` has `now`.
    pub fn change(&self, before: &[i64; KINDS.len()], now: &[i64; KINDS.len()]) {
        for ((gauge, before), now) in self.0.iter().zip(before).zip(now) {
            gauge.add(now - before);
        }
    }
}
