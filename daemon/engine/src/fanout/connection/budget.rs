//! What a client may still ask of its connection.

use tickerd_model::basics::bucket::Bucket;
use tickerd_model::wire::close::CloseCode;

/// A token bucket for commands and a window for mistakes, in the shard's milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Budget {
    commands: Bucket,
    errors_since_s: u32,
    errors: u16,
    refused: u16,
}

/// Mistakes in [`ERRORS_WINDOW_S`] after which a connection is closed.
const ERRORS_MAX: u16 = 10;
const ERRORS_WINDOW_S: u32 = 10;

impl Budget {
    /// A full one.
    pub fn new(burst: u32, now_ms: u32) -> Budget {
        Budget { commands: Bucket::new(burst, now_ms), ..Budget::default() }
    }

    /// Takes one command out; if there is none, the milliseconds until there is.
    pub fn take(&mut self, per_s: u32, burst: u32, now_ms: u32) -> Result<(), u64> {
        self.commands.take(per_s, burst, now_ms)
    }

    /// Takes out what a command costs beyond its token: it looks at so many topics.
    pub fn charge(&mut self, topics: usize, per_s: u32) {
        self.commands.charge_looks(topics, per_s);
    }

    /// Counts a mistake; the code to close with when there were too many.
    pub fn mistake(&mut self, rate_limited: bool, now_s: u32) -> Option<CloseCode> {
        if now_s.saturating_sub(self.errors_since_s) >= ERRORS_WINDOW_S {
            (self.errors_since_s, self.errors, self.refused) = (now_s, 0, 0);
        }
        self.errors += 1;
        self.refused += u16::from(rate_limited);
        let most_were_refused = self.refused > ERRORS_MAX / 2;
        (self.errors >= ERRORS_MAX).then_some(match most_were_refused {
            true => CloseCode::RateLimited,
            false => CloseCode::TooManyErrors,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_refill_and_mistakes_add_up() {
        let mut budget = Budget::new(2, 0);
        assert_eq!(budget.take(10, 2, 0), Ok(()));
        assert_eq!(budget.take(10, 2, 0), Ok(()));
        assert_eq!(budget.take(10, 2, 0), Err(100));
        assert_eq!(budget.take(10, 2, 100), Ok(()));
        budget.charge(5_000, 10);
        assert_eq!(budget.take(10, 2, 200), Err(100), "what looks at many topics costs more");
        budget.charge(1 << 40, 10);
        assert_eq!(budget.take(10, 2, 200), Err(60_100), "a debt has its bound");
        for _ in 0..9 {
            assert_eq!(budget.mistake(false, 1), None);
        }
        assert_eq!(budget.mistake(false, 12), None, "a new window");
        for _ in 0..8 {
            assert_eq!(budget.mistake(true, 13), None);
        }
        assert_eq!(budget.mistake(true, 13), Some(CloseCode::RateLimited));
    }
}
