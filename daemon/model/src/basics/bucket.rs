//! A token bucket: a rate in tokens per second, and a burst that may be taken at once. The owner decides what a token
//! stands for.

/// Topics or ticks that may be looked at for one token. Looking at that many takes about half a millisecond.
const LOOKS_PER_TOKEN: f32 = 5_000.0;
/// A debt is at most the tokens that come in within this many seconds.
const DEBT_S: f32 = 60.0;

/// The tokens of one peer. The owner passes the time in milliseconds; it may wrap, since only differences are used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bucket {
    tokens: f32,
    at_ms: u32,
}

impl Bucket {
    /// A full bucket: `burst` tokens at `now_ms`.
    pub fn new(burst: u32, now_ms: u32) -> Bucket {
        Bucket { tokens: burst as f32, at_ms: now_ms }
    }

    /// Takes one token out.
    ///
    /// # Errors
    /// The milliseconds until there is a token, if there is none.
    pub fn take(&mut self, per_s: u32, burst: u32, now_ms: u32) -> Result<(), u64> {
        match self.owed_ms(per_s, burst, now_ms) {
            Some(wait_ms) => Err(wait_ms),
            None => {
                self.tokens -= 1.0;
                Ok(())
            }
        }
    }

    /// Takes out the tokens that looking at `looks` topics or ticks costs, also if there are not enough. The debt is
    /// at most what comes in within a minute at `per_s` tokens a second.
    pub fn charge_looks(&mut self, looks: usize, per_s: u32) {
        self.charge(looks as f32 / LOOKS_PER_TOKEN, per_s);
    }

    /// Takes out so many tokens, also if there are not enough. The debt has the same bound.
    pub fn charge(&mut self, tokens: f32, per_s: u32) {
        let debt_max = DEBT_S * per_s as f32;
        self.tokens = (self.tokens - tokens).max(-debt_max);
    }

    /// If the bucket is empty, the milliseconds until there is a token again.
    pub fn owed_ms(&mut self, per_s: u32, burst: u32, now_ms: u32) -> Option<u64> {
        let passed = now_ms.wrapping_sub(self.at_ms) as f32;
        self.tokens = (self.tokens + passed * per_s as f32 / 1000.0).min(burst as f32);
        self.at_ms = now_ms;
        (self.tokens < 1.0).then(|| ((1.0 - self.tokens) * 1000.0 / per_s.max(1) as f32).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_refills_up_to_its_burst_and_a_debt_has_its_bound() {
        let mut bucket = Bucket::new(2, u32::MAX - 50);
        let mut take = |now_ms| bucket.take(10, 2, now_ms);
        assert_eq!(
            (take(u32::MAX - 50), take(u32::MAX - 50), take(u32::MAX - 50)),
            (Ok(()), Ok(()), Err(100))
        );
        assert_eq!(take(49), Ok(()), "the clock wrapped");
        assert_eq!((take(10_000), take(10_000), take(10_000)), (Ok(()), Ok(()), Err(100)));
        bucket.charge_looks(2_500, 10);
        assert_eq!(bucket.take(10, 2, 10_000), Err(150), "nothing is for nothing");
        bucket.charge_looks(1 << 40, 10);
        assert_eq!(bucket.owed_ms(10, 2, 10_000), Some(60_100), "a debt has its bound");
        assert_eq!(bucket.owed_ms(10, 2, 70_050), Some(50));
        assert_eq!(bucket.owed_ms(10, 2, 70_100), None);
        assert_eq!(bucket.take(10, 2, 70_100), Ok(()), "looking takes nothing out");
    }

    /// What came in while nothing was taken counts once, and at most the burst.
    #[test]
    fn time_that_passed_pays_for_no_more_than_the_burst() {
        let mut bucket = Bucket::new(2, 0);
        for now_ms in [100_000, 200_000] {
            assert_eq!(bucket.owed_ms(10, 2, now_ms), None);
            bucket.charge(1e9, 10);
            assert_eq!(bucket.owed_ms(10, 2, now_ms), Some(60_100));
            assert_eq!(bucket.owed_ms(10, 2, now_ms + 60_000), Some(100));
        }
    }
}
