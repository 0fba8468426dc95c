//! What an operator is shown of connections and topics. A shard answers with them, and they go over the admin socket as they are.

use serde::{Deserialize, Serialize};
use tickerd_model::topic::Pattern;

/// Connections or topics that one answer holds at most.
pub const ROWS_MAX: usize = 10_000;
/// Subscriptions that a connection's row names at most, and their bytes.
pub const NAMES_MAX: usize = 8;
pub const NAMES_BYTES_MAX: usize = 256;
/// Bytes of a value that a topic's row shows at most.
pub const HEAD_BYTES_MAX: usize = 160;

/// One connection as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// Names it for as long as it lives: `SHARD-NUMBER`.
    pub conn: String,
    /// `tcp`, `tls`, `unix` or `unix+tls`.
    pub transport: String,
    /// `json`, `msgpack` or `sse`; with `+deflate` where it is compressed.
    pub encoding: String,
    /// Whence it comes, or for whom a trusted proxy asks. None over a unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What its client says of itself, cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Whom its token or certificate speaks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What it calls itself in rooms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `token NAME`, `jwt`, `certificate NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// `open`, `arriving`, `half-closed` or `closing`.
    pub state: String,
    /// For how long it has been here, in seconds.
    pub age_s: u64,
    /// For how long its socket has not taken all there is, in milliseconds. 0: it is level.
    pub lag_ms: u64,
    /// Bytes that wait for it in this process.
    pub waiting_bytes: u64,
    /// Bytes that were sent to it, before TLS.
    pub sent_bytes: u64,
    /// Ticks it did not get since it was behind.
    pub skipped: u64,
    /// How many topics and patterns it has asked for.
    pub subscriptions: u64,
    /// The first of them.
    pub subscribed: Vec<String>,
}

/// One topic as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopicRow {
    pub topic: String,
    /// The event of its ticks.
    pub kind: String,
    pub seq: u64,
    /// When its newest tick was taken in, in Unix milliseconds; 0 if it has none.
    pub ts: u64,
    /// Whether it has had no news for too long.
    pub stale: bool,
    /// Ticks per second since it was last looked at this way; not known the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Connections that get it, by name or by a pattern.
    pub subscribers: u64,
    /// The beginning of its newest value, as JSON text.
    pub value: String,
    /// Whether the value goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// Which connections are meant. Without any, all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which {
    /// Those of this user, or that call themselves so.
    pub user: Option<String>,
    /// Those that get this topic.
    pub topic: Option<String>,
}

/// A part of a list, from a place in a shard on. Short enough that the shard's beats do not wait for it.
#[derive(Debug)]
pub enum Page {
    Connections { from: u32, which: Which },
    Topics { from: u32, pattern: Option<Pattern> },
}

/// What is in that part.
#[derive(Debug, Default)]
pub struct Rows {
    pub connections: Vec<ConnectionRow>,
    pub topics: Vec<TopicRow>,
    /// Where the next part begins; none: this was the last.
    pub next: Option<u32>,
}
