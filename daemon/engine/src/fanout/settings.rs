//! What all shards know, and how it is replaced while they run.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::exchange::access::Judge;
use crate::exchange::limit::Tally;
use tickerd_model::wire::decoder::Limits;
use tickerd_model::wire::deflate;
use tickerd_model::wire::encoding::Encoder;

/// The same for all shards, from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `tickerd/0.1.0`, for `connected`.
    pub server: String,
    /// New whenever history is. Among several nodes all have the same.
    pub epoch: String,
    /// This node's name, where there are several. Then it is in the names of its connections, and ids of server-sent events are
    /// times, which mean the same on each node.
    pub node: Option<Box<str>>,
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
    /// How many clients come in within a second.
    pub handshakes_per_s: u32,
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

/// The settings as they are now. A shard looks at them when a client says something or comes, and once a second; never for a
/// beat.
#[derive(Debug, Clone)]
pub struct Newest(Arc<ArcSwap<Settings>>);

impl Settings {
    /// Puts messages into bytes as these settings say.
    pub fn encoder(&self) -> Encoder {
        let encoder = Encoder::new(&self.epoch, self.deflate);
        if self.node.is_some() { encoder.among_nodes() } else { encoder }
    }
}

impl Newest {
    pub fn new(settings: Settings) -> Newest {
        Newest(Arc::new(ArcSwap::from_pointee(settings)))
    }

    /// As they are now.
    pub fn get(&self) -> Arc<Settings> {
        self.0.load_full()
    }

    /// As they are now, unless they are these.
    pub fn other_than(&self, known: &Arc<Settings>) -> Option<Arc<Settings>> {
        let newest = self.0.load();
        (!Arc::ptr_eq(&newest, known)).then(|| Arc::clone(&newest))
    }

    /// Replaces them by what `change` makes of them. It is asked again if another thread was faster.
    pub fn change(&self, change: impl Fn(&Settings) -> Settings) {
        self.0.rcu(|now| change(now));
    }
}
