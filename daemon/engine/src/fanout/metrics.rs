//! What the fan-out counts. Shards count for themselves and add here once a beat, so no atomic is touched per message.

pub mod clients;
pub mod compression;
pub mod feeds;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use self::clients::{Clients, Subscriptions};
use self::compression::{Compression, Tally};
use self::feeds::Feeds;
use tickerd_model::wire::close;

/// What a shard counted since it last added to the metrics.
#[derive(Debug, Default)]
pub struct Counts {
    pub frames: u64,
    pub bytes: u64,
    pub skipped: u64,
    /// Of beats, in streams that clients share.
    pub shared: Tally,
    /// Of beats, to the others with which compression was agreed on.
    pub alone: Tally,
}

impl Counts {
    /// Adds them to the metrics.
    pub fn flush(&mut self, metrics: &Metrics) {
        metrics.frames_sent.inc_by(std::mem::take(&mut self.frames));
        metrics.sent_bytes.inc_by(std::mem::take(&mut self.bytes));
        metrics.ticks_skipped.inc_by(std::mem::take(&mut self.skipped));
        metrics.compression.add(std::mem::take(&mut self.shared), std::mem::take(&mut self.alone));
    }
}

/// The fan-out's metrics.
#[derive(Debug)]
pub struct Metrics {
    pub frames_sent: IntCounter,
    pub sent_bytes: IntCounter,
    pub connections: IntGauge,
    pub clients: Clients,
    pub subscriptions: Subscriptions,
    pub feeds: Feeds,
    pub compression: Compression,
    pub connections_lagging: IntGauge,
    pub tasks: IntGauge,
    pub cohorts: IntGauge,
    pub ticks_skipped: IntCounter,
    pub beats_behind: IntCounter,
    pub client_errors: IntCounter,
    pub closes: IntCounterVec,
    pub write_seconds: Histogram,
    pub tick_age_seconds: Histogram,
    pub pattern_steps: IntCounter,
    pub pattern_turn_seconds: Histogram,
}

impl Metrics {
    /// Counts an end. Clients may close with any code, so those that are not the table's share a label.
    pub fn count_close(&self, code: u16) {
        let known = matches!(code, 1005 | 1006) || close::TABLE.iter().any(|row| row.code.code() == code);
        let code = if known { code.to_string() } else { "other".into() };
        self.closes.with_label_values(&[code.as_str()]).inc();
    }

    /// Makes and registers them.
    pub fn new(registry: &Registry) -> prometheus::Result<Metrics> {
        fn counter(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        }
        fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        }
        fn seconds(registry: &Registry, name: &str, help: &str) -> prometheus::Result<Histogram> {
            let buckets = prometheus::exponential_buckets(0.0001, 2.5, 13)?;
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        }
        let closes = IntCounterVec::new(
            Opts::new(
                "tickerd_closes_total",
                "Connections ended, by close code; 1006 is an end without one.",
            ),
            &["code"],
        )?;
        registry.register(Box::new(closes.clone()))?;
        for row in close::TABLE {
            closes.with_label_values(&[row.code.code().to_string().as_str()]);
        }
        for other in ["1005", "1006", "other"] {
            closes.with_label_values(&[other]);
        }
        Ok(Metrics {
            clients: Clients::new(registry)?,
            subscriptions: Subscriptions::new(registry)?,
            feeds: Feeds::new(registry)?,
            compression: Compression::new(registry)?,
            frames_sent: counter(registry, "tickerd_frames_sent_total", "Data frames written to clients.")?,
            sent_bytes: counter(registry, "tickerd_sent_bytes_total", "Bytes written to clients.")?,
            connections: gauge(
                registry,
                "tickerd_connections",
                "Open connections, WebSocket and event streams.",
            )?,
            connections_lagging: gauge(
                registry,
                "tickerd_connections_lagging",
                "Connections whose socket does not take bytes now.",
            )?,
            tasks: gauge(
                registry,
                "tickerd_connection_tasks",
                "Tasks that wait for clients: for their sockets, or for the judgement of a token. One or two for each connection.",
            )?,
            cohorts: gauge(
                registry,
                "tickerd_cohorts",
                "Sets of connections that asked for the same, over all shards.",
            )?,
            ticks_skipped: counter(
                registry,
                "tickerd_ticks_skipped_total",
                "Pushes passed over for connections or shards that were behind.",
            )?,
            beats_behind: counter(
                registry,
                "tickerd_shard_beats_behind_total",
                "Beats that found a shard still busy and were merged into its next.",
            )?,
            client_errors: counter(registry, "tickerd_client_errors_total", "Error events sent to clients.")?,
            closes,
            write_seconds: seconds(
                registry,
                "tickerd_write_seconds",
                "Time a shard took to write one beat to all its connections.",
            )?,
            tick_age_seconds: seconds(
                registry,
                "tickerd_tick_age_seconds",
                "Age of a beat's oldest tick when the shard had written it.",
            )?,
            pattern_steps: counter(
                registry,
                "tickerd_pattern_steps_total",
                "Looks at a topic on behalf of a pattern that someone subscribed to, left or listed.",
            )?,
            pattern_turn_seconds: seconds(
                registry,
                "tickerd_pattern_turn_seconds",
                "Time a shard took for commands about patterns before it looked at its beats again.",
            )?,
        })
    }
}
