//! What the pulse counts.

mod bars;

use std::time::Duration;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

pub(super) use self::bars::BarsMetrics;
use tickerd_model::history::History;
use tickerd_model::protocol::rate;

/// The pulse's metrics.
#[derive(Debug)]
pub struct Metrics {
    merged: IntCounterVec,
    /// Topics that have spoken, by source.
    pub topics: IntGaugeVec,
    stale: IntGaugeVec,
    late: IntCounterVec,
    history_ticks: IntGauge,
    history_bytes: IntGauge,
    letters_lost: IntCounter,
    pub(super) bars: BarsMetrics,
}

impl Metrics {
    /// Makes and registers them; the sources' names are the labels.
    pub fn new(registry: &Registry) -> prometheus::Result<Metrics> {
        let merged = IntCounterVec::new(
            Opts::new(
                "tickerd_ticks_merged_total",
                "Ticks replaced by newer ones of their topic before a push.",
            ),
            &["feed"],
        )?;
        let topics = IntGaugeVec::new(Opts::new("tickerd_topics", "Topics that have spoken."), &["feed"])?;
        let stale = IntGaugeVec::new(
            Opts::new(
                "tickerd_topics_stale",
                "State topics without news for longer than their feed's max_age.",
            ),
            &["feed"],
        )?;
        let late = IntCounterVec::new(
            Opts::new("tickerd_beats_late_total", "Beats skipped because the one before ran late."),
            &["tier"],
        )?;
        let history_ticks = IntGauge::new("tickerd_history_ticks", "Ticks kept for history and recovery.")?;
        let history_bytes = IntGauge::new(
            "tickerd_history_bytes",
            "Memory of the ticks kept for history and recovery, about.",
        )?;
        let letters_lost = IntCounter::new(
            "tickerd_letters_lost_total",
            "Letters to absent users that were given up to the limits of history.",
        )?;
        registry.register(Box::new(letters_lost.clone()))?;
        registry.register(Box::new(history_ticks.clone()))?;
        registry.register(Box::new(history_bytes.clone()))?;
        registry.register(Box::new(merged.clone()))?;
        registry.register(Box::new(topics.clone()))?;
        registry.register(Box::new(stale.clone()))?;
        registry.register(Box::new(late.clone()))?;
        let bars = BarsMetrics::new(registry)?;
        Ok(Metrics { merged, topics, stale, late, history_ticks, history_bytes, letters_lost, bars })
    }

    /// A source came. Its series are there from the start: what appears with its first increase looks like no increase.
    pub(super) fn open(&self, feed: &str) {
        self.merged.with_label_values(&[feed]);
        self.topics.with_label_values(&[feed]);
        self.stale.with_label_values(&[feed]);
        self.bars.open(feed);
    }

    /// A source went.
    pub(super) fn close(&self, feed: &str) {
        // An error says that there was no such series.
        let _ = self.merged.remove_label_values(&[feed]);
        let _ = self.topics.remove_label_values(&[feed]);
        let _ = self.stale.remove_label_values(&[feed]);
        self.bars.close(feed);
    }

    pub(super) fn watch_interval(&self, interval: Duration) {
        self.late.with_label_values(&[rate::format(interval).as_str()]);
    }

    pub(super) fn count_late(&self, interval: Duration, beats: u64) {
        self.late.with_label_values(&[rate::format(interval).as_str()]).inc_by(beats);
    }

    pub(super) fn count_letters_lost(&self, letters: u64) {
        self.letters_lost.inc_by(letters);
    }

    pub(super) fn count_merged(&self, feed: &str, ticks: u64) {
        if ticks > 0 {
            self.merged.with_label_values(&[feed]).inc_by(ticks);
        }
    }

    pub(super) fn set_history(&self, history: &History) {
        self.history_ticks.set(history.ticks() as i64);
        self.history_bytes.set(history.bytes() as i64);
    }

    pub(super) fn set_topics(&self, feed: &str, topics: usize) {
        self.topics.with_label_values(&[feed]).set(topics as i64);
    }

    pub(super) fn set_stale(&self, feed: &str, topics: usize) {
        self.stale.with_label_values(&[feed]).set(topics as i64);
    }
}
