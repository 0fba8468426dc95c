//! A token bucket: so many a second in the long run, and so many at once. What it counts, and against whom, is its owner's.

/// Topics, or ticks, that may be looked at for one token. That many take about half a millisecond.
const LOOKS_PER_TOKEN: f32 = 5_000.0;
/// A debt is forgiven beyond what comes in in so many seconds.
const DEBT_S: f32 = 60.0;

/// See the module. Its milliseconds are the owner's; they may wrap, since only differences are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bucket {
    tokens: f32,
    at_ms: u32,
}

impl Bucket {
    /// A full one.
    pub fn new(burst: u32, now_ms: u32) -> Bucket {
        Bucket { tokens: burst as f32, at_ms: now_ms }
    }

    /// Takes one out; if there is none, the milliseconds until there is.
    ///
    /// # Errors
    /// There is none.
    pub fn take(&mut self, per_s: u32, burst: u32, now_ms: u32) -> Result<(), u64> {
        let passed = now_ms.wrapping_sub(self.at_ms) as f32;
        self.tokens = (self.tokens + passed * per_s as f32 / 1000.0).min(burst as f32);
        self.at_ms = now_ms;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(((1.0 - self.tokens) * 1000.0 / per_s.max(1) as f32).ceil() as u64)
    }

    /// Takes out what looking at so much costs, whether it is there or not. A debt is at most what comes in in a minute at
    /// `per_s` a second.
    pub fn charge_looks(&mut self, looks: usize, per_s: u32) {
        let debt_max = DEBT_S * per_s as f32;
        self.tokens = (self.tokens - looks as f32 / LOOKS_PER_TOKEN).max(-debt_max);
    }

    /// If nothing is left, in how many milliseconds there is something again.
    pub fn owed_ms(&mut self, per_s: u32, burst: u32, now_ms: u32) -> Option<u64> {
        let mut looked_at = *self;
        let waits = looked_at.take(per_s, burst, now_ms).err();
        if waits.is_some() {
            *self = looked_at;
        }
        waits
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
}
