//! How many new connections there may be in a second. Those over it wait: a crowd that comes back at once is served in order,
//! and costs nothing before its turn.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::exchange::limit::{Limit, Tally};
use tickerd_model::basics::bucket::Bucket;

/// Gives turns to new connections.
pub struct Pace {
    per_s: u32,
    bucket: Mutex<Bucket>,
    started: Instant,
}

impl Pace {
    /// So many in a second, and as many at once after a quiet second.
    pub fn new(per_s: u32) -> Pace {
        Pace { per_s, bucket: Mutex::new(Bucket::new(per_s, 0)), started: Instant::now() }
    }

    /// Done when a new connection may be served. One connection waits here, and those behind it in the kernel's queue.
    pub async fn turn(&self, tally: &Tally) {
        let mut is_counted = false;
        while let Err(wait_ms) = self.take(self.started.elapsed().as_millis() as u32) {
            if !is_counted && !tally.enforce(Limit::HandshakesPerS) {
                return;
            }
            is_counted = true;
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
    }

    fn take(&self, now_ms: u32) -> Result<(), u64> {
        let mut bucket = self.bucket.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        bucket.take(self.per_s, self.per_s, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    #[test]
    fn a_crowd_takes_turns_and_waits_no_longer_than_it_must() {
        let pace = Pace::new(100);
        let (mut now_ms, mut turns) = (0, 0);
        while turns < 1_000 {
            match pace.take(now_ms) {
                Ok(()) => turns += 1,
                Err(wait_ms) => now_ms += wait_ms as u32,
            }
        }
        assert!((9_000..9_100).contains(&now_ms), "100 at once, then 100 a second: {now_ms} ms");
    }

    #[tokio::test]
    async fn nobody_waits_in_a_dry_run() {
        let tally = Tally::new(&Registry::new(), &["handshakes_per_s"]).unwrap();
        let pace = Pace::new(1);
        // They would take a day.
        for _ in 0..86_400 {
            pace.turn(&tally).await;
        }
    }
}
