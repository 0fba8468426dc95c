//! How much of something is allowed: so much at once, so much per second for ever.

use std::time::Instant;

/// A token bucket that counts what it refused.
#[derive(Debug)]
pub struct Allowance {
    burst: f64,
    per_s: f64,
    left: f64,
    at: Instant,
    refused: u64,
}

impl Allowance {
    /// Full.
    pub fn new(burst: f64, per_s: f64, now: Instant) -> Allowance {
        Allowance { burst, per_s, left: burst, at: now, refused: 0 }
    }

    /// `Some` with the number refused since the last one, when one more may pass.
    pub fn take(&mut self, now: Instant) -> Option<u64> {
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * self.per_s;
        self.left = (self.left + earned).min(self.burst);
        self.at = now;
        if self.left < 1.0 {
            self.refused += 1;
            return None;
        }
        self.left -= 1.0;
        Some(std::mem::take(&mut self.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let start = Instant::now();
        let mut allowance = Allowance::new(100.0, 20.0, start);
        let passed = (0..1000).filter(|_| allowance.take(start).is_some()).count();
        assert_eq!(passed, 100);
        assert_eq!(allowance.take(start + Duration::from_secs(1)), Some(900));
        assert_eq!(allowance.take(start + Duration::from_secs(1)), Some(0));
    }
}
