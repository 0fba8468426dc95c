//! The feeds' counters. Labels are bounded: configured feed names, a fixed set of reasons, five states.

use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use crate::log::trace;
use crate::report::Failure;
use tickerd_model::health::FeedState;
use tickerd_model::normalise::Reject;

/// Reasons of the plugin host, besides those of the normaliser.
const REASONS: [&str; 5] = ["bad_argument", "undeclared_event", "bad_line", "long_line", "other"];

/// Every reason to refuse something that a feed said.
pub fn reasons() -> impl Iterator<Item = &'static str> {
    Reject::CODES.into_iter().chain(REASONS)
}

/// Counters of all feeds; cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    samples: IntCounterVec,
    rejects: IntCounterVec,
    dropped: IntCounterVec,
    restarts: IntCounterVec,
    reloads: IntCounterVec,
    state: IntGaugeVec,
    resident: IntGaugeVec,
    poll_seconds: HistogramVec,
    polls_failed: IntCounterVec,
    source_lag: HistogramVec,
}

/// Upper bounds, in seconds: a poll is a request over the network, or a look at this machine.
const POLL_SECONDS: [f64; 9] = [0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];
/// Upper bounds, in seconds: a stream of an exchange lags by milliseconds, a delayed quote by a quarter of an hour.
const LAG_SECONDS: [f64; 11] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 900.0, 3600.0];

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// All at zero, and in no registry yet.
    pub fn new() -> Metrics {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels).expect("name and labels are valid constants")
        };
        let seconds = |name: &str, help: &str, bounds: &[f64]| {
            let opts = HistogramOpts::new(name, help).buckets(bounds.to_vec());
            HistogramVec::new(opts, &["feed"]).expect("name, bounds and labels are valid constants")
        };
        Metrics {
            samples: counter("tickerd_feed_samples_total", "Samples accepted from feeds", &["feed"]),
            rejects: counter("tickerd_feed_rejects_total", "Samples refused, by reason", &["feed", "reason"]),
            dropped: counter(
                "tickerd_lane_dropped_total",
                "Samples merged or dropped before the pulse saw them",
                &["feed"],
            ),
            restarts: counter("tickerd_feed_restarts_total", "Times a feed was started again", &["feed"]),
            reloads: counter(
                "tickerd_feed_reloads_total",
                "Times a feed's file was read again on request, by whether it runs now",
                &["feed", "result"],
            ),
            state: IntGaugeVec::new(
                Opts::new("tickerd_feed_state", "1 for the state a feed is in, 0 for the others"),
                &["feed", "state"],
            )
            .expect("name and labels are valid constants"),
            resident: IntGaugeVec::new(
                Opts::new(
                    "tickerd_feed_resident_bytes",
                    "Resident memory of a feed's process; 0 without one",
                ),
                &["feed"],
            )
            .expect("name and labels are valid constants"),
            poll_seconds: seconds(
                "tickerd_feed_poll_seconds",
                "Time from when a poll of a feed was asked for until it had returned",
                &POLL_SECONDS,
            ),
            polls_failed: counter(
                "tickerd_feed_polls_failed_total",
                "Polls of a feed that returned an error",
                &["feed"],
            ),
            source_lag: seconds(
                "tickerd_feed_source_lag_seconds",
                "Time from a sample's source time until it was accepted; only of samples that have one",
                &LAG_SECONDS,
            ),
        }
    }

    /// Adds the counters to a registry.
    ///
    /// # Errors
    /// They are there already.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.samples.clone()))?;
        registry.register(Box::new(self.rejects.clone()))?;
        registry.register(Box::new(self.dropped.clone()))?;
        registry.register(Box::new(self.restarts.clone()))?;
        registry.register(Box::new(self.reloads.clone()))?;
        registry.register(Box::new(self.state.clone()))?;
        registry.register(Box::new(self.poll_seconds.clone()))?;
        registry.register(Box::new(self.polls_failed.clone()))?;
        registry.register(Box::new(self.source_lag.clone()))?;
        registry.register(Box::new(self.resident.clone()))
    }

    /// Makes all of a feed's series at zero. A series that appears with its first increase looks as if it had not increased.
    pub fn watch(&self, feed: &str) {
        self.samples(feed);
        self.dropped(feed);
        self.restarts(feed);
        for swapped in [true, false] {
            self.reloads(feed, swapped);
        }
        self.set_resident(feed, 0);
        self.source_lag(feed);
        self.polls(feed);
        for reason in reasons() {
            self.rejects(feed, reason);
        }
    }

    /// A feed is gone: its series end.
    pub fn forget(&self, feed: &str) {
        let feeds = [&self.samples, &self.dropped, &self.restarts, &self.polls_failed];
        let spans = [&self.poll_seconds, &self.source_lag];
        // An error says that there was no such series.
        spans.into_iter().for_each(|span| _ = span.remove_label_values(&[feed]));
        feeds.into_iter().for_each(|counter| _ = counter.remove_label_values(&[feed]));
        let _ = self.resident.remove_label_values(&[feed]);
        ["swapped", "failed"].iter().for_each(|how| _ = self.reloads.remove_label_values(&[feed, how]));
        reasons().for_each(|reason| _ = self.rejects.remove_label_values(&[feed, reason]));
        FeedState::ALL.iter().for_each(|state| _ = self.state.remove_label_values(&[feed, state.as_str()]));
    }

    /// Samples of `feed` that were accepted.
    pub fn samples(&self, feed: &str) -> IntCounter {
        self.samples.with_label_values(&[feed])
    }

    /// Samples of `feed` that were merged or dropped on their way.
    pub fn dropped(&self, feed: &str) -> IntCounter {
        self.dropped.with_label_values(&[feed])
    }

    /// Times `feed` was started again.
    pub fn restarts(&self, feed: &str) -> IntCounter {
        self.restarts.with_label_values(&[feed])
    }

    /// Times a new process of `feed` took over on request (`swapped`), or failed to.
    pub fn reloads(&self, feed: &str, swapped: bool) -> IntCounter {
        self.reloads.with_label_values(&[feed, if swapped { "swapped" } else { "failed" }])
    }

    /// How long after their source time samples of `feed` were accepted.
    pub fn source_lag(&self, feed: &str) -> Histogram {
        self.source_lag.with_label_values(&[feed])
    }

    /// What is counted of the polls of `feed`.
    pub fn polls(&self, feed: &str) -> Polls {
        Polls {
            feed: feed.to_owned(),
            seconds: self.poll_seconds.with_label_values(&[feed]),
            failed: self.polls_failed.with_label_values(&[feed]),
        }
    }

    /// Samples of `feed` that were refused for `reason`.
    pub fn rejects(&self, feed: &str, reason: &'static str) -> IntCounter {
        self.rejects.with_label_values(&[feed, reason])
    }

    /// Sets how much memory the process of `feed` has, in bytes.
    pub fn set_resident(&self, feed: &str, bytes: u64) {
        self.resident.with_label_values(&[feed]).set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Samples of `feed` that were refused, for any reason.
    pub fn refused(&self, feed: &str) -> u64 {
        reasons().map(|reason| self.rejects(feed, reason).get()).sum()
    }

    /// Sets the state that `feed` is in.
    pub fn set_state(&self, feed: &str, state: FeedState) {
        for each in FeedState::ALL {
            self.state.with_label_values(&[feed, each.as_str()]).set(i64::from(each == state));
        }
    }
}

/// What is counted of one feed's polls.
#[derive(Debug, Clone)]
pub struct Polls {
    feed: String,
    seconds: Histogram,
    failed: IntCounter,
}

impl Polls {
    /// A poll of this number has returned.
    pub fn count(&self, poll: u64, took: Duration, result: &Result<(), Failure>) {
        trace::poll(&self.feed, poll, took, result);
        self.seconds.observe(took.as_secs_f64());
        self.failed.inc_by(u64::from(result.is_err()));
    }
}
