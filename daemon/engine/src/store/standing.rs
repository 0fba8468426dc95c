//! Whether the past is written to disk, and why not: for readiness, the log and the metrics.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tickerd_process::clock::now_unix_ms;

use prometheus::{IntCounter, IntGaugeVec, Opts, Registry};

/// What the store counts.
#[derive(Debug)]
pub struct Metrics {
    written: IntCounter,
    failed: IntCounter,
    state: IntGaugeVec,
}

/// The states that the metric has.
const STATES: [&str; 2] = ["ok", "degraded"];

impl Metrics {
    /// Makes and registers them.
    pub fn new(registry: &Registry) -> prometheus::Result<Metrics> {
        let written =
            IntCounter::new("tickerd_history_written_total", "Ticks of the past that were written to disk.")?;
        let failed = IntCounter::new(
            "tickerd_history_write_failures_total",
            "Times the past could not be written to disk; each is tried again.",
        )?;
        let state = IntGaugeVec::new(
            Opts::new(
                "tickerd_history_store_state",
                "1 for the state of the file of the past, 0 for the other; degraded: it cannot be written.",
            ),
            &["state"],
        )?;
        registry.register(Box::new(written.clone()))?;
        registry.register(Box::new(failed.clone()))?;
        registry.register(Box::new(state.clone()))?;
        Ok(Metrics { written, failed, state })
    }
}

/// Why the past is not written, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In words for an operator, with what to change.
    pub why: String,
    /// Unix milliseconds.
    pub since: u64,
}

/// How the file is now. The writer tells it, readiness asks it.
#[derive(Debug)]
pub struct Standing {
    path: PathBuf,
    metrics: Metrics,
    trouble: Mutex<Option<Trouble>>,
}

impl Standing {
    /// All is well, as far as is known.
    pub fn new(path: PathBuf, metrics: Metrics) -> Standing {
        let standing = Standing { path, metrics, trouble: Mutex::default() };
        standing.show(false);
        standing
    }

    /// Why the past is not written to disk now; none: it is.
    pub fn trouble(&self) -> Option<Trouble> {
        self.lock().clone()
    }

    /// So many ticks were written.
    pub(super) fn succeed(&self, ticks: u64) {
        self.metrics.written.inc_by(ticks);
        if self.lock().take().is_some() {
            tracing::info!(path = %self.path.display(), "the past is written to disk again");
            self.show(false);
        }
    }

    /// It could not be done. Told once, and again when the reason is another.
    pub(super) fn fail(&self, why: String) {
        self.metrics.failed.inc();
        let mut trouble = self.lock();
        if trouble.as_ref().is_some_and(|trouble| trouble.why == why) {
            return;
        }
        tracing::error!(
            path = %self.path.display(), why,
            "the past cannot be written to disk: it is kept in memory alone, and writing is tried again"
        );
        let since = trouble.as_ref().map_or_else(now_unix_ms, |trouble| trouble.since);
        *trouble = Some(Trouble { why, since });
        drop(trouble);
        self.show(true);
    }

    fn show(&self, is_degraded: bool) {
        for (state, is_it) in STATES.into_iter().zip([!is_degraded, is_degraded]) {
            self.metrics.state.with_label_values(&[state]).set(i64::from(is_it));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
