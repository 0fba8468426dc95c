//! One test: its id, what it holds a plugin to, and how.

use std::time::Duration;

use crate::plugin::check::subject::Subject;
use crate::plugin::check::verdict::Tested;

/// Longest a test may take; most take milliseconds on a good plugin.
pub const LIMIT: Duration = Duration::from_secs(45);

/// Id of the test that loads the plugin; all others need it.
pub const LOAD: &str = "load";
/// Id of the test that makes an instance; all that need one need it.
pub const CREATE: &str = "create";
/// Id of the test that takes as long as it is told to.
pub const FUZZED: &str = "fuzzed-config";

/// A test. Its id is kept for ever: `plugin-check.toml` files name it.
pub struct Test {
    /// Its id, in kebab-case.
    pub id: &'static str,
    /// A sentence about a good plugin.
    pub holds: &'static str,
    /// The test that must have passed for this one to make sense.
    pub needs: Option<&'static str>,
    /// Longest time that it may take; then its process is killed.
    pub limit: Duration,
    /// Runs the test; called in a process of its own.
    pub run: fn(&Subject) -> Tested,
}

impl Test {
    /// A test with this id.
    pub const fn new(id: &'static str, holds: &'static str, run: fn(&Subject) -> Tested) -> Test {
        Test { id, holds, needs: None, limit: LIMIT, run }
    }

    /// The same test, which needs another to pass.
    pub const fn needs(mut self, id: &'static str) -> Test {
        self.needs = Some(id);
        self
    }

    /// Longest time that it may take with this subject.
    pub fn limit_for(&self, subject: &Subject) -> Duration {
        let more = if self.id == FUZZED { subject.fuzz.time() } else { Duration::ZERO };
        self.limit + more
    }

    /// The same test, with another limit.
    pub const fn within_s(mut self, seconds: u64) -> Test {
        self.limit = Duration::from_secs(seconds);
        self
    }
}
