//! What follows a life of a feed: how long until the next one, and what people are told. Pure.

use std::time::Duration;

use crate::feed::policy::Policy;
use crate::log::figures::seconds;
use crate::report::{Failure, Fault};
use crate::supervise::backoff::Backoff;

/// Threads that one feed may leave hanging in this process; each costs its stack, for ever.
const LEFT_BEHIND_MAX: u32 = 8;

/// How a life went.
#[derive(Debug, Clone, Copy)]
pub struct LifeRecord {
    /// A sample was accepted.
    pub has_accepted: bool,
    /// It ran, and was heard of, for so long that earlier failures no longer count.
    pub is_healthy: bool,
    /// Its thread did not end, and hangs in this process.
    pub is_left_behind: bool,
}

/// What is remembered of the lives so far.
#[derive(Debug)]
pub struct Recovery {
    policy: Policy,
    backoff: Backoff,
    /// Failures since the last life of which a sample was accepted.
    failures: u32,
    /// Threads left hanging so far.
    left_behind: u32,
}

impl Recovery {
    /// Nothing has failed yet.
    pub fn new(policy: &Policy) -> Recovery {
        let backoff = Backoff::new(policy.restart_first, policy.restart_max);
        Recovery { policy: *policy, backoff, failures: 0, left_behind: 0 }
    }

    /// After a life that ended with `failure`: the wait before the next one, and the whole reason, for people. No wait means
    /// that there will be no other life. `jitter` is in 0..=1.
    pub fn after(
        &mut self,
        failure: &Failure,
        record: LifeRecord,
        jitter: f64,
    ) -> (Option<Duration>, String) {
        if record.is_healthy {
            self.backoff.reset();
        }
        if record.has_accepted || record.is_healthy {
            self.failures = 0;
        }
        self.left_behind += u32::from(record.is_left_behind);
        let message = &failure.message;
        if self.left_behind >= LEFT_BEHIND_MAX {
            let text = format!(
                "{message}; {} of its threads hang in this process, so it is not started again; restart tickerd, and use \
                 isolation = \"process\"",
                self.left_behind
            );
            return (None, text);
        }
        if failure.fault == Fault::Config {
            let wait = self.policy.config_retry;
            let in_time = seconds(wait);
            let text = format!(
                "{message}; waits for a changed configuration, and tries again in {in_time} or at SIGHUP"
            );
            return (Some(wait), text);
        }
        self.failures += 1;
        if self.failures >= self.policy.failures {
            let (times, wait) = (self.failures, self.policy.failed_retry);
            let in_time = seconds(wait);
            let text =
                format!("failed {times} times in a row: {message}; tries again in {in_time} or at SIGHUP");
            return (Some(wait), text);
        }
        let wait = self.backoff.wait(jitter);
        (Some(wait), format!("{message}; starts again in {}", seconds(wait)))
    }

    /// Forgets earlier failures: someone believes that it will go better now.
    pub fn forgive(&mut self) {
        self.backoff.reset();
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: LifeRecord = LifeRecord { has_accepted: false, is_healthy: false, is_left_behind: false };

    fn waits(recovery: &mut Recovery, record: LifeRecord, count: usize) -> Vec<u128> {
        let failure = Failure::transient("no network");
        let waits = (0..count).map(|_| recovery.after(&failure, record, 1.0).0.unwrap().as_millis());
        waits.collect()
    }

    #[test]
    fn five_fruitless_lives_are_a_failure_that_is_still_retried() {
        let mut recovery = Recovery::new(&Policy::default());
        let failed = 600_000;
        assert_eq!(waits(&mut recovery, BAD, 6), [500, 1000, 2000, 4000, failed, failed]);
        let (_, text) = recovery.after(&Failure::fatal("no network"), BAD, 1.0);
        assert_eq!(text, "failed 7 times in a row: no network; tries again in 10 min or at SIGHUP");
        recovery.forgive();
        assert_eq!(waits(&mut recovery, BAD, 2), [500, 1000]);
    }

    #[test]
    fn a_sample_keeps_it_from_failing_and_a_healthy_life_starts_anew() {
        let mut recovery = Recovery::new(&Policy::default());
        let fruitful = LifeRecord { has_accepted: true, ..BAD };
        assert_eq!(
            waits(&mut recovery, fruitful, 9),
            [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
        );
        assert_eq!(waits(&mut recovery, LifeRecord { is_healthy: true, ..fruitful }, 2), [500, 500]);
    }

    #[test]
    fn a_wrong_configuration_waits_and_counts_as_no_failure() {
        let mut recovery = Recovery::new(&Policy::default());
        for _ in 0..9 {
            let (wait, text) = recovery.after(&Failure::config("set symbols"), BAD, 0.0);
            assert_eq!(wait, Some(Duration::from_secs(600)));
            assert!(text.starts_with("set symbols; waits for a changed configuration"), "{text}");
        }
        assert_eq!(waits(&mut recovery, BAD, 1), [500]);
    }

    #[test]
    fn threads_left_behind_are_bounded() {
        let mut recovery = Recovery::new(&Policy::default());
        let hung = LifeRecord { has_accepted: true, is_left_behind: true, ..BAD };
        let failure = Failure::fatal("destroy hangs");
        let lives = (1..).find(|_| recovery.after(&failure, hung, 0.0).0.is_none());
        assert_eq!(lives, Some(LEFT_BEHIND_MAX));
    }
}
