//! How old a feed's news may get, and how old they are. The feed's supervisor, the pulse and the admin interface
//! share this beside the ticks.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::health::Silence;

/// How many polls or pushes may fail to bring news before the feed's topics are stale.
const PACES: u32 = 3;

/// The ages of one feed, for any thread. The pulse finds out which topics are stale; the supervisor reads whether the
/// feed is silent.
#[derive(Default)]
pub struct Freshness {
    /// The greatest ages in microseconds, 0 for none: one as configured, one as the feed's own pace suggests.
    configured: AtomicU64,
    suggested: AtomicU64,
    stale: AtomicUsize,
    topics: AtomicUsize,
    silence: Mutex<Option<Silence>>,
    on_silence: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Freshness {
    /// Sets the configured greatest age: a state topic without news for this long is stale.
    pub fn set_max_age(&self, max_age: Duration) {
        self.configured.store(micros(max_age), Ordering::Relaxed);
    }

    /// The same, where it may be configured no longer.
    pub fn configure(&self, max_age: Option<Duration>) {
        self.configured.store(max_age.map_or(0, micros), Ordering::Relaxed);
    }

    /// The greatest age as another node has it, which runs the feed. `source`: the same by the source's own time.
    pub fn follow(&self, max_age: Option<Duration>, source: Option<Duration>) {
        self.configure(source);
        self.suggested.store(max_age.map_or(0, micros), Ordering::Relaxed);
    }

    /// Says that the feed has news every `pace`. Three times that is the greatest age, unless one is configured. `None`:
    /// it has news when there are any, as a push feed does.
    pub fn set_pace(&self, pace: Option<Duration>) {
        let age = pace.map_or(0, |pace| micros(pace.saturating_mul(PACES)));
        self.suggested.store(age, Ordering::Relaxed);
    }

    /// The age at which a state topic without news is stale. `None`: never.
    pub fn max_age(&self) -> Option<Duration> {
        let ages = [&self.configured, &self.suggested].map(|age| age.load(Ordering::Relaxed));
        ages.into_iter().find(|age| *age > 0).map(Duration::from_micros)
    }

    /// The age by the source's own time at which a value is stale although it has just come. `None`: the source's
    /// time is not looked at. Only the configured age counts: a feed's pace says nothing about how old its source's
    /// values usually are.
    pub fn source_max_age(&self) -> Option<Duration> {
        Some(self.configured.load(Ordering::Relaxed)).filter(|age| *age > 0).map(Duration::from_micros)
    }

    /// Sets how many topics there are, and how many of them are stale.
    pub fn set_counts(&self, stale: usize, topics: usize) {
        self.stale.store(stale, Ordering::Relaxed);
        self.topics.store(topics, Ordering::Relaxed);
    }

    /// How many topics are stale, and how many there are. The two numbers may be of different moments.
    pub fn counts(&self) -> (usize, usize) {
        (self.stale.load(Ordering::Relaxed), self.topics.load(Ordering::Relaxed))
    }

    /// Sets how the feed is silent while no state topic has news. `None`: a topic has news again.
    pub fn set_silence(&self, silence: Option<Silence>) {
        *self.silence.lock().unwrap_or_else(PoisonError::into_inner) = silence;
        if let Some(tell) = &*self.on_silence.lock().unwrap_or_else(PoisonError::into_inner) {
            tell();
        }
    }

    /// Whether the feed is silent, as the pulse said last.
    pub fn silence(&self) -> Option<Silence> {
        *self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `tell` at each [`Freshness::set_silence`] from now on, on the pulse's thread, so it must not block. It
    /// takes the place of the one before: a feed that comes back to this node has another supervisor.
    pub fn on_silence(&self, tell: impl Fn() + Send + 'static) {
        *self.on_silence.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(tell));
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
        freshness.set_pace(Some(ms(100)));
        assert_eq!(freshness.max_age(), Some(ms(300)));
        assert_eq!(
            freshness.source_max_age(),
            None,
            "hourly observations that are asked for each second are right"
        );
        freshness.set_max_age(ms(250));
        freshness.set_pace(Some(ms(200)));
        assert_eq!(freshness.max_age(), Some(ms(250)));
        assert_eq!(freshness.source_max_age(), Some(ms(250)));
    }

    #[test]
    fn a_feed_that_is_polled_no_more_has_no_pace() {
        let freshness = Freshness::default();
        freshness.set_pace(Some(Duration::from_secs(1)));
        freshness.set_pace(None);
        assert_eq!(freshness.max_age(), None);
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
