//! How often something may happen: so many times at once, and so many times a second in the long run.

use std::time::Instant;

use tickerd_model::basics::bucket::Bucket;

/// A token bucket on the monotonic clock that counts what it refused.
#[derive(Debug)]
pub struct RateLimit {
    bucket: Bucket,
    burst: u32,
    per_s: u32,
    /// The bucket counts milliseconds from here.
    since: Instant,
    refused: u64,
}

impl RateLimit {
    /// Allows `burst` at once from now on, and `per_s` a second in the long run.
    pub fn new(burst: u32, per_s: u32, now: Instant) -> RateLimit {
        RateLimit { bucket: Bucket::new(burst, 0), burst, per_s, since: now, refused: 0 }
    }

    /// Allows one more, and answers how many were refused since the last one that was allowed. None: refused.
    pub fn take(&mut self, now: Instant) -> Option<u64> {
        // Cut to 32 bits on purpose: the bucket takes differences alone, and bears that they wrap.
        let now_ms = now.saturating_duration_since(self.since).as_millis() as u32;
        match self.bucket.take(self.per_s, self.burst, now_ms) {
            Ok(()) => Some(std::mem::take(&mut self.refused)),
            Err(_) => {
                self.refused += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let start = Instant::now();
        let mut limit = RateLimit::new(100, 20, start);
        let passed = (0..1000).filter(|_| limit.take(start).is_some()).count();
        assert_eq!(passed, 100);
        assert_eq!(limit.take(start + Duration::from_secs(1)), Some(900));
        assert_eq!(limit.take(start + Duration::from_secs(1)), Some(0));
    }

    #[test]
    fn takes_at_short_intervals_lose_nothing() {
        let start = Instant::now();
        let mut limit = RateLimit::new(10, 20, start);
        let passed = (0..40_000).filter(|n| limit.take(start + Duration::from_micros(250 * n)).is_some());
        assert_eq!(passed.count(), 10 + 20 * 10 - 1, "ten seconds, in steps of a quarter of a millisecond");
    }
}
