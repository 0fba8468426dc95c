//! How often keys are fetched, and how long things are kept.

use std::time::Duration;

/// The times of fetching. Tests have shorter ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Time between two fetches when nothing is missing.
    pub refresh: Duration,
    /// Least time between two fetches, whatever is asked for and however they end.
    pub apart: Duration,
    /// How long a key that the issuer does not have is not asked for again.
    pub missing: Duration,
    /// How long the last good set is used while no other can be fetched.
    pub stale: Duration,
    /// How long a token waits for keys.
    pub patience: Duration,
    /// Longest time of one fetch.
    pub timeout: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Pace {
            refresh: seconds(3_600),
            apart: seconds(10),
            missing: seconds(60),
            stale: seconds(86_400),
            patience: seconds(8),
            timeout: seconds(5),
        }
    }
}
