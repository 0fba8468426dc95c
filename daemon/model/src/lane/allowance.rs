//! How much a feed may say before it counts as a flood.
//!
//! A burst is no flood: a feed that has 10,000 topics may say all of them at once. What counts is what it goes on saying.

/// Samples that a feed may say in a millisecond, for as long as it likes: those of 10,000 topics with 20 values a second.
const SAMPLES_PER_MS: u64 = 200;
/// Samples that it may say at once beside these.
const BURST: u64 = 65_536;

/// What one feed may still say.
#[derive(Debug)]
pub struct Allowance {
    left: u64,
    /// When that was, on a clock in milliseconds.
    at: u64,
    is_spent: bool,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance { left: BURST, at: 0, is_spent: false }
    }
}

impl Allowance {
    /// The feed says so many samples at this time. When this begins a flood or ends one: whether there is one now. It ends
    /// once half of the burst is there again.
    pub fn spend(&mut self, samples: u64, now: u64) -> Option<bool> {
        let since = now.saturating_sub(std::mem::replace(&mut self.at, now));
        let left = self.left.saturating_add(since.saturating_mul(SAMPLES_PER_MS)).min(BURST);
        self.left = left.saturating_sub(samples);
        let is_spent = if self.is_spent { self.left < BURST / 2 } else { self.left == 0 };
        (std::mem::replace(&mut self.is_spent, is_spent) != is_spent).then_some(is_spent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many samples in each of these milliseconds; when there was a change, and to what.
    fn run(allowance: &mut Allowance, ms: std::ops::Range<u64>, samples: u64) -> Vec<(u64, bool)> {
        ms.filter_map(|now| Some((now, allowance.spend(samples, now)?))).collect()
    }

    #[test]
    fn a_flood_begins_when_the_burst_is_spent_and_ends_when_half_of_it_is_there() {
        let mut allowance = Allowance::default();
        assert_eq!(run(&mut allowance, 1..10_000, 200), [], "as much as it may");
        assert_eq!(run(&mut allowance, 10_000..20_000, 1_000), [(10_081, true)], "800 too many for 82 ms");
        assert_eq!(run(&mut allowance, 20_000..30_000, 201), [], "it goes on");
        assert_eq!(run(&mut allowance, 30_000..40_000, 100), [(30_327, false)]);
    }

    #[test]
    fn bursts_are_no_flood_and_a_clock_that_is_set_makes_none() {
        let mut allowance = Allowance::default();
        for round in 1..100 {
            assert_eq!(allowance.spend(10_000, round * 100), None);
        }
        assert_eq!(allowance.spend(10_000, 5), None);
        assert_eq!(allowance.spend(10_000, u64::MAX), None);
    }
}
