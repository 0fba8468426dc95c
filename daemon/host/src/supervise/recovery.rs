//! What follows a life of a feed: how long until the next, and what people are told of it. Pure.

use std::time::Duration;

use crate::feed::policy::Limits;
use crate::log::figures::seconds;
use crate::report::{Failure, Fault};
use crate::supervise::backoff::Backoff;

/// Threads of this process that a feed may leave hanging behind it; each costs its stack, for ever.
const LEFT_BEHIND_MAX: u32 = 8;

/// How a life went.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// A sample of it was accepted.
    pub is_fruitful: bool,
    /// It ran, and was heard, for long enough to start anew in the counts.
    pub is_healthy: bool,
    /// Its thread did not end, and hangs in this process.
    pub is_left_behind: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Recovery {
    limits: Limits,
    backoff: Backoff,
    /// Failures since the last life that was of any use.
    fruitless: u32,
    left_behind: u32,
}

impl Recovery {
    /// Nothing has failed yet.
    pub fn new(limits: &Limits) -> Recovery {
        let backoff = Backoff::new(limits.restart_first, limits.restart_max);
        Recovery { limits: *limits, backoff, fruitless: 0, left_behind: 0 }
    }

    /// The wait before the next life, and the whole reason for people. No wait: there will be none.
    pub fn after(&mut self, failure: &Failure, record: Record, jitter: f64) -> (Option<Duration>, String) {
        if record.is_healthy {
            self.backoff.reset();
        }
        if record.is_fruitful || record.is_healthy {
            self.fruitless = 0;
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
            let wait = self.limits.config_retry;
            let in_time = seconds(wait);
            let text = format!(
                "{message}; waits for a changed configuration, and tries again in {in_time} or at SIGHUP"
            );
            return (Some(wait), text);
        }
        self.fruitless += 1;
        if self.fruitless >= self.limits.failures {
            let (times, wait) = (self.fruitless, self.limits.failed_retry);
            let in_time = seconds(wait);
            let text =
                format!("failed {times} times in a row: {message}; tries again in {in_time} or at SIGHUP");
            return (Some(wait), text);
        }
        let wait = self.backoff.wait(jitter);
        (Some(wait), format!("{message}; starts again in {}", seconds(wait)))
    }

    /// Someone believes that it will go better now.
    pub fn forgive(&mut self) {
        self.backoff.reset();
        self.fruitless = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Record = Record { is_fruitful: false, is_healthy: false, is_left_behind: false };

    fn waits(recovery: &mut Recovery, record: Record, count: usize) -> Vec<u128> {
        let failure = Failure::transient("no network");
        let waits = (0..count).map(|_| recovery.after(&failure, record, 1.0).0.unwrap().as_millis());
        waits.collect()
    }

    #[test]
    fn five_fruitless_lives_are_a_failure_that_is_still_retried() {
        let mut recovery = Recovery::new(&Limits::default());
        let failed = 600_000;
        assert_eq!(waits(&mut recovery, BAD, 6), [500, 1000, 2000, 4000, failed, failed]);
        let (_, text) = recovery.after(&Failure::fatal("no network"), BAD, 1.0);
        assert_eq!(text, "failed 7 times in a row: no network; tries again in 10 min or at SIGHUP");
        recovery.forgive();
        assert_eq!(waits(&mut recovery, BAD, 2), [500, 1000]);
    }

    #[test]
    fn a_sample_keeps_it_from_failing_and_a_healthy_life_starts_anew() {
        let mut recovery = Recovery::new(&Limits::default());
        let fruitful = Record { is_fruitful: true, ..BAD };
        assert_eq!(
            waits(&mut recovery, fruitful, 9),
            [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
        );
        assert_eq!(waits(&mut recovery, Record { is_healthy: true, ..fruitful }, 2), [500, 500]);
    }

    #[test]
    fn a_wrong_configuration_waits_and_counts_as_no_failure() {
        let mut recovery = Recovery::new(&Limits::default());
        for _ in 0..9 {
            let (wait, text) = recovery.after(&Failure::config("set symbols"), BAD, 0.0);
            assert_eq!(wait, Some(Duration::from_secs(600)));
            assert!(text.starts_with("set symbols; waits for a changed configuration"), "{text}");
        }
        assert_eq!(waits(&mut recovery, BAD, 1), [500]);
    }

    #[test]
    fn threads_left_behind_are_bounded() {
        let mut recovery = Recovery::new(&Limits::default());
        let hung = Record { is_fruitful: true, is_left_behind: true, ..BAD };
        let failure = Failure::fatal("destroy hangs");
        let lives = (1..).find(|_| recovery.after(&failure, hung, 0.0).0.is_none());
        assert_eq!(lives, Some(LEFT_BEHIND_MAX));
    }
}
