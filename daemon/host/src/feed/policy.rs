//! How a feed is supervised: what it may take, and how long it waits after a failure.

use std::time::Duration;

/// The limits of one feed, and the waits between its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Longest time from the start of a plugin until it is ready; default 10 s.
    pub hello: Duration,
    /// After so long without a line from a program that has written none, its author is asked why; default 10 s.
    pub silence: Duration,
    /// Every poll may take this long, however short its period; default 5 s, so that a feed's own timeouts come first.
    pub poll_deadline_min: Duration,
    /// No poll may take longer, however long its period; default 10 s. At its deadline a poll is interrupted; at twice the
    /// deadline the process is killed.
    pub poll_deadline_max: Duration,
    /// A push feed that promises signs of life is interrupted after so long without one, and after twice as long its process is
    /// killed; none: never. Default 30 s.
    pub heartbeat: Option<Duration>,
    /// Most resident memory of a feed's process, in bytes; none: as much as the machine has. Default 1 GiB.
    pub memory: Option<u64>,
    /// First wait before a restart; default 0.5 s, doubling.
    pub restart_first: Duration,
    /// Longest wait before a restart; default 60 s.
    pub restart_max: Duration,
    /// After a life this long, earlier failures no longer count; default 60 s.
    pub healthy_after: Duration,
    /// Lives in a row without a sample after which the feed has failed; default 5.
    pub failures: u32,
    /// Wait before a feed that has failed is tried again; default 10 min.
    pub failed_retry: Duration,
    /// Wait after a failure that only a changed configuration can mend; default 10 min. It is not for ever, because a file that
    /// the configuration names, such as a key or an interpreter, may have appeared.
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
            silence: Duration::from_secs(10),
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
