//! What a provider allows.

use std::time::Duration;

/// A limit of requests in any stretch of time of a given length.
///
/// A tenth of the requests may come at once. The rest are spread over the window, so that the total stays below the
/// quota wherever a window begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    quota: u32,
    per: Duration,
    burst: u32,
}

impl Limit {
    /// At most `quota` (at least 1) in any `per` (1 ms to a day).
    pub fn new(quota: u32, per: Duration) -> Limit {
        let per = per.clamp(Duration::from_millis(1), Duration::from_secs(24 * 60 * 60));
        let quota = quota.max(1);
        Limit { quota, per, burst: (quota / 10).max(1) }
    }

    /// At most `quota` in any second.
    pub fn per_second(quota: u32) -> Limit {
        Limit::new(quota, Duration::from_secs(1))
    }

    /// At most `quota` in any minute.
    pub fn per_minute(quota: u32) -> Limit {
        Limit::new(quota, Duration::from_secs(60))
    }

    /// At most `quota` in any hour.
    pub fn per_hour(quota: u32) -> Limit {
        Limit::new(quota, Duration::from_secs(60 * 60))
    }

    /// At most `quota` in any 24 hours.
    pub fn per_day(quota: u32) -> Limit {
        Limit::new(quota, Duration::from_secs(24 * 60 * 60))
    }

    /// Sets how many requests may come at once, 1 to half of the quota. The larger the burst, the fewer are left for
    /// the rest of the window.
    #[must_use]
    pub fn burst(self, burst: u32) -> Limit {
        Limit { burst: burst.clamp(1, (self.quota / 2).max(1)), ..self }
    }

    /// The window's length, which names the limit in the shared count.
    pub(super) fn window_ms(&self) -> u64 {
        u64::try_from(self.per.as_millis()).unwrap_or(u64::MAX)
    }

    /// The time that one unit takes. After a full burst, `quota - burst` more units fit into the rest of the window.
    pub(super) fn interval(&self) -> Duration {
        let fit = u128::from(self.quota - self.burst) + 1;
        Duration::from_nanos(u64::try_from(self.per.as_nanos().div_ceil(fit)).unwrap_or(u64::MAX))
    }

    /// The time that a request of `cost` takes. It is at most two windows, since no request may cost more than the
    /// quota.
    pub(super) fn price(&self, cost: u32) -> Duration {
        self.interval().saturating_mul(cost.min(self.quota))
    }

    /// How far ahead of time units may be taken for a request of `cost`. A request that costs more than the burst
    /// waits until all before it are paid for.
    pub(super) fn ahead(&self, cost: u32) -> Duration {
        self.interval().saturating_mul(self.burst - cost.min(self.burst))
    }
}
