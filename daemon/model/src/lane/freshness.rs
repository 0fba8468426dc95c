//! How old a feed's news may get and how old they are: what the feed's supervisor, the pulse and whoever asks tell each
//! other beside the ticks.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::health::Silence;

/// Times a poll or a push may fail to bring news before that means something.
const PACES: u32 = 3;

/// One feed's; from any thread. The pulse finds out what is stale, and the supervisor makes the feed's state of it.
#[derive(Default)]
pub struct Freshness {
    /// Microseconds, 0 for none: as configured, and as the feed's own pace suggests.
    configured: AtomicU64,
    suggested: AtomicU64,
    stale: AtomicUsize,
    topics: AtomicUsize,
    silence: Mutex<Option<Silence>>,
    on_silence: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Freshness {
    /// As configured: a state topic without news for so long is stale.
    pub fn set_max_age(&self, max_age: Duration) {
        self.configured.store(micros(max_age), Ordering::Relaxed);
    }

    /// The feed has news every `pace`, as it says itself: then three times that is the greatest age, unless one is
    /// configured.
    pub fn set_pace(&self, pace: Duration) {
        self.suggested.store(micros(pace.saturating_mul(PACES)), Ordering::Relaxed);
    }

    /// A state topic without news for so long is stale; none: never.
    pub fn max_age(&self) -> Option<Duration> {
        let ages = [&self.configured, &self.suggested].map(|age| age.load(Ordering::Relaxed));
        ages.into_iter().find(|age| *age > 0).map(Duration::from_micros)
    }

    /// The age by the source's own time at which a value is stale though it has just come; none: the source's time is not
    /// looked at. As configured alone: a feed's pace says nothing about how old its source's values are by nature.
    pub fn source_max_age(&self) -> Option<Duration> {
        Some(self.configured.load(Ordering::Relaxed)).filter(|age| *age > 0).map(Duration::from_micros)
    }

    /// How many topics there are, and how many of them are stale.
    pub fn set_counts(&self, stale: usize, topics: usize) {
        self.stale.store(stale, Ordering::Relaxed);
        self.topics.store(topics, Ordering::Relaxed);
    }

    /// (stale, all): the two may be of different moments.
    pub fn counts(&self) -> (usize, usize) {
        (self.stale.load(Ordering::Relaxed), self.topics.load(Ordering::Relaxed))
    }

    /// No state topic has news any more; none: one has again.
    pub fn set_silence(&self, silence: Option<Silence>) {
        *self.silence.lock().unwrap_or_else(PoisonError::into_inner) = silence;
        if let Some(tell) = self.on_silence.get() {
            tell();
        }
    }

    /// Whether the feed is silent, as the pulse said last.
    pub fn silence(&self) -> Option<Silence> {
        *self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `tell` at each [`Freshness::set_silence`] from now on, on the pulse's thread; it must not block. The first
    /// one that is given stays.
    pub fn on_silence(&self, tell: impl Fn() + Send + Sync + 'static) {
        // Each feed has one supervisor, for ever.
        let _ = self.on_silence.set(Box::new(tell));
    }
}

fn micros(age: Duration) -> u64 {
    u64::try_from(age.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_configured_wins_over_the_feeds_pace() {
        let ms = Duration::from_millis;
        let freshness = Freshness::default();
        assert_eq!(freshness.max_age(), None, "a feed without a pace never gets stale");
        freshness.set_pace(ms(100));
        assert_eq!(freshness.max_age(), Some(ms(300)));
        assert_eq!(
            freshness.source_max_age(),
            None,
            "hourly observations that are asked for each second are right"
        );
        freshness.set_max_age(ms(250));
        freshness.set_pace(ms(200));
        assert_eq!(freshness.max_age(), Some(ms(250)));
        assert_eq!(freshness.source_max_age(), Some(ms(250)));
    }

    #[test]
    fn the_supervisor_looks_again_each_time_that_silence_begins_or_ends() {
        let freshness = Freshness::default();
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        freshness.on_silence(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let silence = Some(Silence::NoNews { max_age: Duration::from_secs(3) });
        freshness.set_silence(silence);
        assert_eq!(freshness.silence(), silence);
        freshness.set_silence(None);
        assert_eq!((freshness.silence(), told.load(Ordering::Relaxed)), (None, 2));
    }
}
