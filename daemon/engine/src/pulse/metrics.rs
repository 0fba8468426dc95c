//! What the pulse counts.

mod bars;

use std::time::Duration;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

pub(super) use self::bars::BarsMetrics;
use super::rooms::{PublishCounts, Rooms};
use tickerd_model::history::{Evicted, History};
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
    history_evicted: [IntCounter; 3],
    letters_lost: IntCounter,
    rooms: IntGauge,
    room_subscriptions: IntGauge,
    publishes: [IntCounter; 3],
    pub(super) bars: BarsMetrics,
}

impl Metrics {
    /// Makes and registers them; the sources' names are the labels.
    pub fn new(registry: &Registry) -> prometheus::Result<Metrics> {
        let merged = IntCounterVec::new(
            Opts::new(
                "tickerd_ticks_merged_total",
                "Ticks merged or dropped before a push, by the lane or on the board.",
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
        let evicted = IntCounterVec::new(
            Opts::new(
                "tickerd_history_evicted_total",
                "Ticks that were dropped from history and recovery, by the limit of [history] that they met.",
            ),
            &["limit"],
        )?;
        let publishes = IntCounterVec::new(
            Opts::new(
                "tickerd_publishes_total",
                "Messages of clients to rooms: to all, direct to one user or connection, or refused by the room.",
            ),
            &["result"],
        )?;
        let rooms = IntGauge::new("tickerd_rooms", "Declared topics, which clients may publish to.")?;
        let room_subscriptions =
            IntGauge::new("tickerd_room_subscriptions", "Subscriptions to declared topics.")?;
        registry.register(Box::new(evicted.clone()))?;
        registry.register(Box::new(publishes.clone()))?;
        registry.register(Box::new(rooms.clone()))?;
        registry.register(Box::new(room_subscriptions.clone()))?;
        registry.register(Box::new(letters_lost.clone()))?;
        registry.register(Box::new(history_ticks.clone()))?;
        registry.register(Box::new(history_bytes.clone()))?;
        registry.register(Box::new(merged.clone()))?;
        registry.register(Box::new(topics.clone()))?;
        registry.register(Box::new(stale.clone()))?;
        registry.register(Box::new(late.clone()))?;
        let bars = BarsMetrics::new(registry)?;
        Ok(Metrics {
            merged,
            topics,
            stale,
            late,
            history_ticks,
            history_bytes,
            history_evicted: ["count", "age", "bytes"].map(|limit| evicted.with_label_values(&[limit])),
            letters_lost,
            rooms,
            room_subscriptions,
            publishes: ["all", "direct", "refused"].map(|result| publishes.with_label_values(&[result])),
            bars,
        })
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

    pub(super) fn set_rooms(&self, rooms: &mut Rooms) {
        self.letters_lost.inc_by(rooms.take_letters_lost());
        let PublishCounts { all, direct, refused } = rooms.take_published();
        self.publishes.iter().zip([all, direct, refused]).for_each(|(counter, count)| counter.inc_by(count));
        let (count, subscriptions) = rooms.size();
        self.rooms.set(count as i64);
        self.room_subscriptions.set(subscriptions as i64);
    }

    pub(super) fn count_merged(&self, feed: &str, ticks: u64) {
        if ticks > 0 {
            self.merged.with_label_values(&[feed]).inc_by(ticks);
        }
    }

    pub(super) fn set_history(&self, history: &History) {
        self.history_ticks.set(history.ticks() as i64);
        self.history_bytes.set(history.bytes() as i64);
        let Evicted { count, age, bytes } = history.evicted();
        for (counter, total) in self.history_evicted.iter().zip([count, age, bytes]) {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }

    pub(super) fn set_topics(&self, feed: &str, topics: usize) {
        self.topics.with_label_values(&[feed]).set(topics as i64);
    }

    pub(super) fn set_stale(&self, feed: &str, topics: usize) {
        self.stale.with_label_values(&[feed]).set(topics as i64);
    }
}
