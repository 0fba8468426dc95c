//! One test: what it is called, what it holds a plugin to, and how.

use std::time::Duration;

use super::subject::Subject;
use super::verdict::Tested;

/// Longest a test may take; most take milliseconds on a good plugin.
pub const LIMIT: Duration = Duration::from_secs(45);

/// The test that takes as long as it is told to.
pub const FUZZED: &str = "fuzzed-config";

/// See the module. Ids are kept for ever: `plugin-check.toml` files name them.
pub struct Test {
    /// kebab-case.
    pub id: &'static str,
    /// A sentence about a good plugin.
    pub holds: &'static str,
    /// The test that must have passed, or this one makes no sense.
    pub needs: Option<&'static str>,
    /// When it is ended.
    pub limit: Duration,
    /// What it does. Runs in a process of its own.
    pub run: fn(&Subject) -> Tested,
}

impl Test {
    /// Of this id.
    pub const fn new(id: &'static str, holds: &'static str, run: fn(&Subject) -> Tested) -> Test {
        Test { id, holds, needs: None, limit: LIMIT, run }
    }

    /// After another one.
    pub const fn needs(mut self, id: &'static str) -> Test {
        self.needs = Some(id);
        self
    }

    /// When it is ended, of this subject.
    pub fn limit_for(&self, subject: &Subject) -> Duration {
        let more = if self.id == FUZZED { subject.fuzz.time() } else { Duration::ZERO };
        self.limit + more
    }

    /// With less time.
    pub const fn within_s(mut self, seconds: u64) -> Test {
        self.limit = Duration::from_secs(seconds);
        self
    }
}

/// All tests for a kind of plugin, in the order in which they are told.
pub fn all(program: bool) -> Vec<&'static Test> {
    let groups = if program { super::program::GROUPS } else { super::library::GROUPS };
    groups.iter().flat_map(|group| group.iter()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kebab_case_told_once_and_need_what_comes_before() {
        for program in [false, true] {
            let tests = all(program);
            for (at, test) in tests.iter().enumerate() {
                assert!(
                    test.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                    "{}",
                    test.id
                );
                let before: Vec<&str> = tests.iter().take(at).map(|test| test.id).collect();
                assert!(!before.contains(&test.id), "{} twice", test.id);
                assert!(test.needs.is_none_or(|needs| before.contains(&needs)), "{}", test.id);
                assert!(test.limit <= LIMIT && test.holds.ends_with('.'), "{}", test.id);
            }
        }
    }
}
