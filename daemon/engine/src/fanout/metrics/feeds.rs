//! What goes out of each source. A shard counts for each cohort and not for each client, and adds here once a beat.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use tickerd_model::source::SourceId;

/// The counters of all sources.
#[derive(Debug)]
pub struct Feeds {
    ticks: IntCounterVec,
    bytes: IntCounterVec,
    /// How often each source's series are held: the series of one that went may be those of one that came.
    held: Mutex<HashMap<Box<str>, usize>>,
}

/// One source's.
#[derive(Debug)]
struct Feed {
    name: Box<str>,
    ticks: IntCounter,
    bytes: IntCounter,
    /// Counted since they were told.
    untold: (u64, u64),
}

impl Feeds {
    /// Makes and registers them.
    pub fn new(registry: &Registry) -> prometheus::Result<Feeds> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounterVec::new(Opts::new(name, help), &["feed"])?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        Ok(Feeds {
            ticks: counter(
                "tickerd_feed_pushed_ticks_total",
                "Ticks that were due to clients, once for each of them; those that a client was too slow for are in it.",
            )?,
            bytes: counter(
                "tickerd_feed_pushed_bytes_total",
                "Bytes of the ticks that were due to clients, as they are written, before TLS; where clients share a compressed stream, as in that stream for each of them.",
            )?,
            held: Mutex::default(),
        })
    }

    fn open(&self, name: &str) -> Feed {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner).entry(name.into()).or_default() += 1;
        let (ticks, bytes) = (self.ticks.with_label_values(&[name]), self.bytes.with_label_values(&[name]));
        Feed { name: name.into(), ticks, bytes, untold: (0, 0) }
    }

    /// The series end with the last shard that lets them go.
    fn close(&self, name: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = held.get_mut(name) else { return };
        *count -= 1;
        if *count == 0 {
            held.remove(name);
            // An error says that there was no such series.
            let _ = self.ticks.remove_label_values(&[name]);
            let _ = self.bytes.remove_label_values(&[name]);
        }
    }
}

/// What one shard counts.
#[derive(Debug, Default)]
pub struct Pushed(BTreeMap<SourceId, Feed>);

impl Pushed {
    /// A source came.
    pub fn open(&mut self, id: SourceId, name: &str, feeds: &Feeds) {
        if let Some(before) = self.0.insert(id, feeds.open(name)) {
            before.tell();
            feeds.close(&before.name);
        }
    }

    /// A source went.
    pub fn close(&mut self, id: SourceId, feeds: &Feeds) {
        if let Some(feed) = self.0.remove(&id) {
            feed.tell();
            feeds.close(&feed.name);
        }
    }

    /// So many ticks of a source, and their bytes, are due to clients.
    pub fn count(&mut self, id: SourceId, ticks: u64, bytes: u64) {
        if let Some(feed) = self.0.get_mut(&id) {
            feed.untold.0 += ticks;
            feed.untold.1 += bytes;
        }
    }

    /// Adds what was counted to the metrics.
    pub fn tell(&mut self) {
        for feed in self.0.values_mut().filter(|feed| feed.untold != (0, 0)) {
            feed.tell();
            feed.untold = (0, 0);
        }
    }
}

impl Feed {
    fn tell(&self) {
        self.ticks.inc_by(self.untold.0);
        self.bytes.inc_by(self.untold.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_end_with_the_last_shard_that_has_them() {
        let registry = Registry::new();
        let feeds = Feeds::new(&registry).unwrap();
        let (mut one, mut two) = (Pushed::default(), Pushed::default());
        let (old, new) = (SourceId(1), SourceId(2));
        one.open(old, "f", &feeds);
        two.open(old, "f", &feeds);
        one.count(old, 2, 30);
        one.tell();
        // The feed is another one now: one shard knows it, the other not yet.
        one.close(old, &feeds);
        one.open(new, "f", &feeds);
        two.count(old, 1, 10);
        two.close(old, &feeds);
        two.open(new, "f", &feeds);
        one.count(new, 1, 10);
        one.tell();
        let text = || prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert!(text().contains("tickerd_feed_pushed_ticks_total{feed=\"f\"} 4\n"), "{}", text());
        assert!(text().contains("tickerd_feed_pushed_bytes_total{feed=\"f\"} 50\n"), "{}", text());
        one.close(new, &feeds);
        two.close(new, &feeds);
        assert!(!text().contains("feed=\"f\""), "{}", text());
    }
}
