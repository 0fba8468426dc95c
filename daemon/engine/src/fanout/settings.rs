//! What all shards know.

use std::sync::Arc;
use std::time::Duration;

use crate::exchange::access::Judge;
use crate::exchange::limit::Tally;
use tickerd_model::wire::decoder::Limits;
use tickerd_model::wire::deflate;

/// The same for all shards, from the configuration.
#[derive(Debug)]
pub struct Settings {
    /// `tickerd/0.1.0`, for `connected`.
    pub server: String,
    /// New whenever history is.
    pub epoch: String,
    /// How messages are compressed for those who negotiated it.
    pub deflate: deflate::Settings,
    /// What a client may say at once.
    pub limits: Limits,
    /// What a client of `/echo` may say at once.
    pub echo_limits: Limits,
    /// Exact topics per connection.
    pub topics_max: usize,
    /// Patterns per connection.
    pub patterns_max: usize,
    /// Commands per second and connection, in the long run.
    pub commands_per_s: u32,
    /// Commands at once.
    pub commands_burst: u32,
    /// Bytes that may wait for a client which does not read: of answers, and of ticks that it gets every one of.
    pub pending: usize,
    /// Counts who meets a limit.
    pub tally: Arc<Tally>,
    /// A heartbeat comes when nothing else did for so long.
    pub heartbeat: Duration,
    /// A ping goes out when nothing was heard for so long.
    pub ping: Duration,
    /// A connection is closed when nothing was heard for so long.
    pub pong_timeout: Duration,
    /// Who judges tokens; none without `[auth]`.
    pub access: Option<Arc<dyn Judge>>,
    /// From `closing` to the end.
    pub drain: Duration,
}
