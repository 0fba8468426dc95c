//! When to try again.

use std::time::Duration;

use crate::Fault;

/// First of a row of waits after the provider said "too much" without saying for how long.
const LIMITED_FIRST: Duration = Duration::from_secs(10);
/// First wait after nonsense. A web page in place of data does not go away within seconds, and a provider that
/// suspects abuse becomes more suspicious with each request.
const NONSENSE_FIRST: Duration = Duration::from_secs(60);
/// Longest wait after nonsense or an unexplained "too much".
const LONG_MAX: Duration = Duration::from_secs(15 * 60);
/// Shortest wait after any failure.
const WAIT_MIN: Duration = Duration::from_millis(100);
/// A Retry-After is prolonged by up to this, so that clients that were told the same time do not come back at once.
const LATE_MAX: Duration = Duration::from_secs(5);

/// Waits between tries: exponential with full jitter, longer if the fault asks for it. Pure: the random number is
/// passed in.
#[derive(Debug, Clone)]
pub struct Retry {
    first: Duration,
    max: Duration,
    failures: u32,
}

impl Retry {
    /// Waits of up to `first` after the first failure, twice that after each further one, never above `max`.
    pub fn new(first: Duration, max: Duration) -> Retry {
        Retry { first, max: max.max(first), failures: 0 }
    }

    /// How long to wait after `fault`. `None` if trying again does not help: after a refusal, or at the feed's end.
    ///
    /// `jitter` is a random number, 0 to 1.
    pub fn next(&mut self, fault: &Fault, jitter: f64) -> Option<Duration> {
        let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 1.0 };
        let step = self.failures;
        if !matches!(fault, Fault::Held { .. }) {
            self.failures = self.failures.saturating_add(1);
        }
        match fault {
            Fault::Refused { .. } | Fault::Stopping => None,
            Fault::Held { wait } => Some(*wait),
            Fault::Limited { wait: Some(wait), .. } => {
                Some(*wait + WAIT_MIN + (*wait / 10).min(LATE_MAX).mul_f64(jitter))
            }
            // At least half of the wait is fixed. With full jitter the next try could come at once, which the
            // provider complained about.
            Fault::Limited { wait: None, .. } => {
                Some(upper_half(grown(LIMITED_FIRST, step, LONG_MAX), jitter))
            }
            Fault::Nonsense { .. } => {
                let wait = grown(NONSENSE_FIRST, step, LONG_MAX);
                Some(wait + (wait / 4).mul_f64(jitter))
            }
            Fault::Unknown { .. } | Fault::Unavailable { .. } => {
                Some(grown(self.first, step, self.max).mul_f64(jitter).max(WAIT_MIN))
            }
        }
    }

    /// Notes a success: the next failure is a first one.
    pub fn success(&mut self) {
        self.failures = 0;
    }
}

/// `first`, doubled `step` times, at most `max`.
fn grown(first: Duration, step: u32, max: Duration) -> Duration {
    let factor = 1u32.checked_shl(step).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(max)
}

fn upper_half(wait: Duration, jitter: f64) -> Duration {
    wait / 2 + (wait / 2).mul_f64(jitter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn retry() -> Retry {
        Retry::new(Duration::from_secs(1), Duration::from_secs(60))
    }

    fn unavailable() -> Fault {
        Fault::Unavailable { message: String::new() }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_start_anew_after_success() {
        let mut retry = retry();
        let waits: Vec<_> = (0..8).map(|_| retry.next(&unavailable(), 1.0).unwrap().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        retry.success();
        assert_eq!(retry.next(&unavailable(), 1.0), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_refusal_is_never_tried_again() {
        for status in [401, 403, 451] {
            assert_eq!(retry().next(&Fault::Refused { status, message: String::new() }, 0.5), None);
        }
        assert_eq!(retry().next(&Fault::Stopping, 0.5), None);
    }

    #[test]
    fn what_the_provider_asks_for_is_honoured_and_a_little_more() {
        let fault = Fault::Limited { wait: Some(Duration::from_secs(30)), message: String::new() };
        for jitter in [0.0, 0.5, 1.0] {
            let wait = retry().next(&fault, jitter).unwrap();
            assert!(wait > Duration::from_secs(30) && wait <= Duration::from_millis(33_100), "{wait:?}");
        }
    }

    #[test]
    fn our_own_limiter_is_waited_for_exactly_and_is_no_failure() {
        let mut retry = retry();
        let wait = Duration::from_millis(1234);
        for jitter in [0.0, 1.0] {
            assert_eq!(retry.next(&Fault::Held { wait }, jitter), Some(wait));
        }
        assert_eq!(retry.next(&unavailable(), 1.0), Some(Duration::from_secs(1)));
    }

    #[test]
    fn nonsense_opens_the_circuit_for_a_minute_and_then_longer() {
        let (mut retry, nonsense) = (retry(), Fault::Nonsense { message: String::new() });
        let waits: Vec<_> = (0..6).map(|_| retry.next(&nonsense, 0.0).unwrap().as_secs()).collect();
        assert_eq!(waits, [60, 120, 240, 480, 900, 900]);
    }

    proptest! {
        /// After any number of failures and for any random number there is a wait; it is above zero and bounded.
        #[test]
        fn waits_are_bounded(failures in 0u32..200, jitter in any::<f64>(), kind in 0..4) {
            let message = String::new();
            let fault = match kind {
                0 => Fault::Unavailable { message },
                1 => Fault::Unknown { message },
                2 => Fault::Nonsense { message },
                _ => Fault::Limited { wait: None, message },
            };
            let mut retry = retry();
            for _ in 0..failures {
                retry.next(&fault, jitter);
            }
            let wait = retry.next(&fault, jitter).unwrap();
            let max = if kind < 2 { Duration::from_secs(60) } else { LONG_MAX + LONG_MAX / 4 };
            prop_assert!((WAIT_MIN..=max).contains(&wait), "{:?}", wait);
        }
    }
}
