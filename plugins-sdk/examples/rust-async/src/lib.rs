//! A feed on an async runtime of its own: two gauges, each with its own pace, on one thread.
//!
//! The runtime is made in `run` and dropped there, so that it and its tasks live on the feed's thread and end with it. It
//! never meets tickerd's: two copies of tokio know nothing of each other. `interrupter` wakes it; what is awaited beside
//! that may take as long as it likes.

use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tickerd_sdk::schemars::{self, JsonSchema};
use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Host, Interrupter, PushFeed, Sample};
use tokio::runtime;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

pub struct Tide {
    config: Config,
    /// Told when `run` should look whether to stop. It remembers one call, so that none is lost between two waits.
    wake: Arc<Notify>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Metres between low and high water, above 0, at most 100.
    range_m: f64,
    /// Seconds from one high water to the next, 1 to 1,000,000.
    period_s: f64,
}

impl Default for Config {
    fn default() -> Self {
        Config { range_m: 2.0, period_s: 60.0 }
    }
}

#[derive(Serialize, JsonSchema)]
pub struct Level {
    /// Metres above the mean.
    #[schemars(extend("x-tickerd-main" = true, "x-tickerd-role" = "gauge", "x-tickerd-unit" = "m"))]
    level_m: f64,
}

impl Feed for Tide {
    const INFO: FeedInfo = FeedInfo::new("org.example.example-rust-async", "Tide")
        .description("A simulated tide at two places.")
        .events(&[EventInfo::state("tide", "How high the water is.").value::<Level>()]);
    type Config = Config;

    fn create(config: Config, _: Host) -> Result<Self, Error> {
        if !(config.range_m > 0.0 && config.range_m <= 100.0) {
            return Err(Error::config("range_m: write a number above 0, at most 100"));
        }
        if !(1.0..=1e6).contains(&config.period_s) {
            return Err(Error::config("period_s: write a number from 1 to 1000000"));
        }
        Ok(Tide { config, wake: Arc::default() })
    }

    fn interrupter(&self) -> Option<Interrupter> {
        let wake = self.wake.clone();
        Some(Box::new(move || wake.notify_one()))
    }
}

impl PushFeed for Tide {
    fn run(&mut self, host: &Host) -> Result<(), Error> {
        let runtime =
            runtime::Builder::new_current_thread().enable_time().build().map_err(Error::transient)?;
        runtime.block_on(self.watch(host))
    }
}

impl Tide {
    async fn watch(&self, host: &Host) -> Result<(), Error> {
        let (mut harbour, mut beach) =
            (interval(Duration::from_millis(250)), interval(Duration::from_secs(1)));
        for gauge in [&mut harbour, &mut beach] {
            gauge.set_missed_tick_behavior(MissedTickBehavior::Skip);
        }
        while !host.should_stop() {
            tokio::select! {
                _ = harbour.tick() => self.tell(host, "harbour", 0.0)?,
                _ = beach.tick() => self.tell(host, "beach", 0.1)?,
                () = self.wake.notified() => {}
            }
        }
        Ok(())
    }

    /// Emits the level at a place that the water reaches `late` turns after the first.
    fn tell(&self, host: &Host, place: &str, late: f64) -> Result<(), Error> {
        let Config { range_m, period_s } = self.config;
        let turns = host.now_ms() as f64 / 1000.0 / period_s - late;
        let level = range_m / 2.0 * (0.7 * (TAU * turns).sin() + 0.3 * (TAU * turns * 1.035).sin());
        host.emit(Sample::new(place, "tide", &Level { level_m: (level * 1000.0).round() / 1000.0 }))?;
        Ok(())
    }
}

tickerd_sdk::export!(push: [Tide]);
