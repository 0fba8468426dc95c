//! How long to wait before a failed feed is started again: waits that grow, with some chance in them. Pure.

use std::time::Duration;

/// Waits that double from `first` to `max`.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins with `first`.
    pub fn new(first: Duration, max: Duration) -> Backoff {
        Backoff { first, max, next: first.min(max) }
    }

    /// The next wait: between half of the step and the whole of it, by `jitter` in 0..=1. It is never less than half, so that a
    /// feed which fails at once is not started again and again without a pause.
    pub fn wait(&mut self, jitter: f64) -> Duration {
        let step = self.next;
        self.next = step.saturating_mul(2).min(self.max);
        step.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }

    /// Begins with `first` again.
    pub fn reset(&mut self) {
        self.next = self.first.min(self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_its_maximum_and_resets() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
        let waits: Vec<u128> = (0..9).map(|_| backoff.wait(1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(backoff.wait(0.0), Duration::from_secs(30));
        backoff.reset();
        assert_eq!(backoff.wait(0.0), Duration::from_millis(250));
    }
}
