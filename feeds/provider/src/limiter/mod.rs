//! Keeps requests within a provider's limits. There is one count per host and key, shared by every process of this
//! user.
//!
//! Each feed is a process of its own, so the counts are in small files; [`Share`] says where. The clock is the
//! machine's time since boot. Setting the wall clock does not change it, and time in which the machine is suspended
//! counts.

mod count;
mod limit;
mod shelf;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::{Secret, Share};

pub use limit::Limit;

use count::Count;
use shelf::Shelf;

/// Longest wait that is followed if a provider asks for it. A longer one counts as a refusal.
pub(crate) const BLOCK_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Counts what is asked of one host with one set of keys.
#[derive(Debug)]
pub struct Limiter {
    limits: Vec<Limit>,
    shelf: Option<Shelf>,
    own: Mutex<Own>,
}

/// What this process counted. It holds even if the shared file is out of reach.
#[derive(Debug, Default)]
struct Own {
    count: Count,
    warning: Option<String>,
    warned: bool,
}

impl Own {
    fn warn(&mut self, warning: String) {
        if !std::mem::replace(&mut self.warned, true) {
            self.warning = Some(warning);
        }
    }
}

impl Limiter {
    /// A limiter for `host` (`name:port`) and these keys. If sharing is impossible it counts alone, and
    /// [`Limiter::warning`] says why.
    pub fn open(share: &Share, host: &str, keys: &[Secret], limits: Vec<Limit>) -> Limiter {
        let mut own = Own::default();
        let shelf = match share {
            Share::Alone => None,
            Share::User => Some(Shelf::of_user(host, keys)),
            Share::Folder(folder) => Some(Shelf::open(folder, host, keys)),
        };
        let shelf = shelf.and_then(|shelf| shelf.map_err(|e| own.warn(alone(&e))).ok());
        Limiter { limits, shelf, own: Mutex::new(own) }
    }

    /// Takes `cost` units of every limit, or none of any.
    ///
    /// # Errors
    /// How long until it would succeed if no other feed asks.
    pub fn try_take(&self, cost: u32, now: Duration) -> Result<(), Duration> {
        self.counted(now, |count| count.try_take(&self.limits, cost, now))
    }

    /// Lets nothing through for `time`, at most a day: the provider asked for it.
    pub fn block(&self, time: Duration, now: Duration) {
        self.counted(now, |count| count.block(now + time.min(BLOCK_MAX)));
    }

    /// Takes the text that the operator should see once: that the count is not shared, and why.
    pub fn warning(&self) -> Option<String> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).warning.take()
    }

    fn counted<R>(&self, now: Duration, step: impl FnOnce(&mut Count) -> R) -> R {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = self.shelf.as_ref().map(|shelf| shelf.lock(now));
        let mut book = match opened {
            Some(Ok(book)) => Some(book),
            Some(Err(e)) => {
                own.warn(alone(&e));
                None
            }
            None => None,
        };
        if let Some(book) = &book {
            own.count.merge(book.count());
        }
        let result = step(&mut own.count);
        if let Some(Err(e)) = book.as_mut().map(|book| book.write(&own.count)) {
            own.warn(alone(&e));
        }
        result
    }
}

fn alone(reason: &dyn std::fmt::Display) -> String {
    format!(
        "requests are counted in this feed alone, not together with other feeds of the same provider: {reason}"
    )
}

/// The machine's time since boot, including suspended time. Setting the wall clock does not change it.
pub fn boot_time() -> Duration {
    use nix::time::{ClockId, clock_gettime};

    let read = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has had this clock since 2.6.39");
    Duration::from(read)
}
