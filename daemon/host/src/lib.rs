//! The plugin host: runs feeds and brings what they say into their lanes.
//!
//! One code path for three kinds. A library runs on a thread of its own ([`runner`]), in this process or inside
//! `tickerd feed-host`, where the same thread's words become lines. Any executable that prints such lines is a feed as well.
//! What a feed says reaches a [`sink`], which normalises it on the feed's own thread; what becomes of the feed reaches its
//! [`Supervisor`], which starts it again, or kills it. Blocking code and plain threads; nothing here knows a socket.
//!
//! Invariants: a feed can cost its own thread, its process and a bounded lane, never more; nothing here waits for a feed
//! without a deadline; a library is never unloaded, and its file may be replaced or written at any time. Only
//! `library`, `raw_descriptor`, `host`, `instance` and `cstate` hold unsafe code, and one function of `sealed`.

mod allowance;
mod backoff;
mod bad_line;
pub mod cage;
mod child;
pub mod cstate;
mod descriptor;
mod door;
pub mod elf;
mod event_doc;
mod face;
pub mod feed_exec;
pub mod feed_host;
mod feed_type;
mod figures;
mod find;
mod harvest;
mod host;
mod instance;
mod journal;
mod library;
mod life;
mod line_sink;
mod lines;
mod load_error;
mod meta;
mod metrics;
mod orders;
mod pacer;
mod plan;
mod polling;
mod raw_descriptor;
mod recovery;
mod rehearsal;
mod rejects;
mod reload;
mod report;
mod runner;
mod running;
mod sample_line;
mod schema;
mod sealed;
mod sink;
mod splitter;
mod supervisor;
mod swap;
pub mod trace;
pub mod trust;
pub mod warden;
mod watchdog;

#[cfg(test)]
mod line_sink_tests;
#[cfg(test)]
mod lines_tests;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tickerd_config::Feed;
pub use tickerd_config::{Isolation, Source};
use tickerd_model::digest::Digest;

pub use child::EX_CONFIG;
pub use descriptor::{EventTypeInfo, FeedTypeInfo, PluginInfo};
pub use event_doc::{EventDoc, EventDocs};
pub use face::{Answer, Beyond, Clock, Face};
pub use find::{FindError, Plugin, classify, find_plugin, known_as, plugin_folders};
pub use journal::{prefix, printable};
pub use library::describe;
pub use line_sink::LineSink;
pub use lines::{LINE_BYTES_MAX, Said, said, write_tick};
pub use load_error::LoadError;
pub use meta::Meta;
pub use metrics::Metrics;
pub use orders::{Order, Setup};
pub use plan::{Guest, Plan, not_started};
pub use rehearsal::{Rehearsed, rehearse};
pub use reload::{OnReloaded, Reloaded};
pub use report::{Failure, Fault, Hello, Mode, Report};
pub use runner::{Job, Runner};
pub use schema::{Schema, Violation, in_a_line};
pub use sealed::{SealError, Sealed, check_pin};
pub use sink::{LINE_FOLLOWS, Sink};
pub use splitter::{Item, Splitter};
pub use supervisor::{Supervisor, start};
pub use trust::{Distrust, judge};
pub use warden::Warden;

/// Called on the supervisor's thread when a feed's state changes, and at its first sample and first failure.
pub type OnChange = Box<dyn Fn() + Send + Sync>;

/// Called when a feed has said who it is, on the thread that brings its samples and before any of them. Answers remarks for
/// its author, which go into its log.
pub type OnHello = Box<dyn Fn(&Hello) -> Vec<String> + Send + Sync>;

/// One feed to run.
#[derive(Debug, Clone)]
pub struct Spec {
    /// First segment of its topics.
    pub name: String,
    /// What to run: a plugin, which is looked up at each start and may turn out to be a program, or a program.
    pub source: Source,
    /// The SHA-256 that a library must have; none: any.
    pub sha256: Option<Digest>,
    /// Time between two pushes.
    pub interval: Duration,
    /// Time between two polls; none: as the plugin wishes. Never below the plugin's minimum.
    pub poll: Option<Duration>,
    /// The plugin's own configuration.
    pub config: serde_json::Value,
    /// Most topics it may have.
    pub topics_max: usize,
    /// Where its process runs; relative executables are relative to it.
    pub working_dir: PathBuf,
    /// This executable, for `feed-host` and `feed-exec`.
    pub program: PathBuf,
    /// Ends what the feed's process started when this process is killed.
    pub warden: Arc<Warden>,
    /// How patient to be.
    pub limits: Limits,
}

impl Spec {
    /// A configured feed; `program` is this executable.
    ///
    /// Its plugin is looked for at each start, and one that is missing is the feed's failure: the daemon serves the others.
    pub fn new(feed: &Feed, program: &Path, warden: &Arc<Warden>) -> Spec {
        Spec {
            name: feed.name.clone(),
            source: feed.source.clone(),
            sha256: feed.sha256,
            interval: feed.interval,
            poll: feed.poll,
            config: feed.config.clone(),
            topics_max: feed.topics_max,
            working_dir: feed.base_dir.clone(),
            program: program.to_owned(),
            warden: warden.clone(),
            limits: Limits { heartbeat: feed.heartbeat, memory: feed.memory_max, ..Limits::default() },
        }
    }
}

/// How long a feed may take for what, and how long it waits after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From its start until a plugin is ready; default 10 s.
    pub hello: Duration,
    /// A poll may always take this long, however short its period; default 5 s, so that a feed's own timeouts come first.
    pub poll_deadline_min: Duration,
    /// No poll may take longer; default 10 s. At the deadline it is interrupted, at twice that its process is killed.
    pub poll_deadline_max: Duration,
    /// A push feed that beats is taken for hung without a sign of life for this long; none: it never is. Default 30 s. It
    /// is interrupted then, and after as long again its process is killed.
    pub heartbeat: Option<Duration>,
    /// Most resident memory of a feed's process, in bytes; none: as much as the machine has. Default 1 GiB.
    pub memory: Option<u64>,
    /// First wait before a restart; default 0.5 s, doubling.
    pub restart_first: Duration,
    /// Longest wait before a restart; default 60 s.
    pub restart_max: Duration,
    /// A life this long starts the waits anew; default 60 s.
    pub healthy_after: Duration,
    /// Lives in a row without one sample after which the feed has failed; default 5.
    pub failures: u32,
    /// Wait before a feed that has failed is tried again; default 10 min.
    pub failed_retry: Duration,
    /// Wait after a failure that only a changed configuration can cure; default 10 min. Not for ever: what it names,
    /// such as a key file or an interpreter, may have appeared.
    pub config_retry: Duration,
    /// From the request to stop until SIGTERM; default 2 s.
    pub stop_grace: Duration,
    /// From SIGTERM until SIGKILL; default 2 s.
    pub term_grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            hello: Duration::from_secs(10),
            poll_deadline_min: Duration::from_secs(5),
            poll_deadline_max: Duration::from_secs(10),
            heartbeat: Some(Duration::from_secs(30)),
            memory: Some(1024 * 1024 * 1024),
            restart_first: Duration::from_millis(500),
            restart_max: Duration::from_secs(60),
            healthy_after: Duration::from_secs(60),
            failures: 5,
            failed_retry: Duration::from_secs(600),
            config_retry: Duration::from_secs(600),
            stop_grace: Duration::from_secs(2),
            term_grace: Duration::from_secs(2),
        }
    }
}
