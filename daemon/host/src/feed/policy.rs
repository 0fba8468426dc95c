//! How a feed is supervised.

use std::time::Duration;

/// How long a feed may take for what, and how long it waits after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
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

impl Default for Policy {
    fn default() -> Policy {
        Policy {
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
