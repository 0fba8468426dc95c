//! What is counted of bars.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use tickerd_model::bars::decimal::NoFigure;
use tickerd_model::bars::{Bars, Counts};

/// Why a bar is dropped before it is too old.
const REASONS: [&str; 3] = ["room", "clock", "replaced"];

/// The metrics of bars.
#[derive(Debug)]
pub struct BarsMetrics {
    kept: IntGauge,
    bytes: IntGauge,
    topics: IntGauge,
    unusable: IntCounterVec,
    dropped: IntCounterVec,
    refused: IntCounter,
}

impl BarsMetrics {
    pub fn new(registry: &Registry) -> prometheus::Result<BarsMetrics> {
        let kept = IntGauge::new("tickerd_bars", "Closed bars that are kept.")?;
        let bytes = IntGauge::new("tickerd_bars_bytes", "Memory of the bars that are kept, about.")?;
        let topics = IntGauge::new("tickerd_bars_topics", "Topics of which bars are kept.")?;
        let unusable = IntCounterVec::new(
            Opts::new(
                "tickerd_bars_unusable_total",
                "Ticks without a figure that a bar could be made of, by feed and reason.",
            ),
            &["feed", "reason"],
        )?;
        let dropped = IntCounterVec::new(
            Opts::new(
                "tickerd_bars_dropped_total",
                "Bars that were dropped before they were too old, by reason.",
            ),
            &["reason"],
        )?;
        let refused = IntCounter::new(
            "tickerd_bars_topics_refused_total",
            "Topics that got no bars because bars.bytes had no room for one more.",
        )?;
        REASONS.iter().for_each(|reason| drop(dropped.with_label_values(&[*reason])));
        registry.register(Box::new(kept.clone()))?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(topics.clone()))?;
        registry.register(Box::new(unusable.clone()))?;
        registry.register(Box::new(dropped.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        Ok(BarsMetrics { kept, bytes, topics, unusable, dropped, refused })
    }

    /// A feed came.
    pub fn open(&self, feed: &str) {
        NoFigure::ALL.iter().for_each(|why| drop(self.unusable.with_label_values(&[feed, why.word()])));
    }

    /// A feed went.
    pub fn close(&self, feed: &str) {
        // An error says that there was no such series.
        NoFigure::ALL.iter().for_each(|why| drop(self.unusable.remove_label_values(&[feed, why.word()])));
    }

    pub fn set(&self, bars: &Bars) {
        self.kept.set(bars.count() as i64);
        self.bytes.set(bars.bytes() as i64);
        self.topics.set(bars.topics() as i64);
    }

    pub fn count_unusable(&self, feed: &str, why: NoFigure, ticks: u64) {
        self.unusable.with_label_values(&[feed, why.word()]).inc_by(ticks);
    }

    pub fn count(&self, counts: &Counts) {
        let Counts { crowded, ahead, replaced, refused, unusable: _ } = counts;
        for (reason, bars) in REASONS.iter().zip([crowded, ahead, replaced]) {
            if *bars > 0 {
                self.dropped.with_label_values(&[*reason]).inc_by(*bars);
            }
        }
        self.refused.inc_by(*refused);
    }
}
