//! What wakes a thread before its time.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rung from any thread; any number of rings before a wait are one.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    /// Ends the current wait, or the next.
    pub fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_one();
    }

    /// Waits for a ring, at most so long.
    pub fn wait(&self, most: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.heard.wait_timeout_while(rung, most, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }

    /// Waits until `done`, which is asked now and after each ring, or until the deadline. For one who waits alone.
    pub fn wait_until(&self, deadline: Option<Instant>, done: impl Fn() -> bool) {
        while !done() {
            let left = deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return;
            }
            self.wait(left.min(LONG));
        }
    }
}

/// A wait without a deadline is looked at again after this long; the clock has no room for one without end.
const LONG: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_ring_before_the_wait_ends_it_and_a_deadline_does() {
        let bell = Arc::new(Bell::default());
        bell.ring();
        bell.wait(LONG);
        bell.wait_until(Some(Instant::now()), || false);
        let (rung, count) = (bell.clone(), Arc::new(AtomicU32::new(0)));
        let counted = count.clone();
        let ringer = std::thread::Builder::new().name("ringer".into()).spawn(move || {
            for _ in 0..3 {
                counted.fetch_add(1, Ordering::Release);
                rung.ring();
            }
        });
        bell.wait_until(None, || count.load(Ordering::Acquire) == 3);
        ringer.expect("a thread").join().expect("it ends");
    }
}
