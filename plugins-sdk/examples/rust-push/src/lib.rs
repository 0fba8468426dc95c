//! A simulated tide that speaks by itself: tickerd gives it a thread, and it emits until it is told to stop.

use std::f64::consts::TAU;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tickerd_sdk::schemars::{self, JsonSchema};
use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Host, PushFeed, Sample};

pub struct Tide(Config);

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
    const INFO: FeedInfo = FeedInfo::new("org.example.example-rust-push", "Tide")
        .description("A simulated tide.")
        .events(&[EventInfo::state("tide", "How high the water is.").value::<Level>()]);
    type Config = Config;

    fn create(c: Config, _: Host) -> Result<Self, Error> {
        if !(c.range_m > 0.0 && c.range_m <= 100.0) {
            return Err(Error::config("range_m: write a number above 0, at most 100"));
        }
        if !(1.0..=1e6).contains(&c.period_s) {
            return Err(Error::config("period_s: write a number from 1 to 1000000"));
        }
        Ok(Tide(c))
    }
}

impl PushFeed for Tide {
    fn run(&mut self, host: &Host) -> Result<(), Error> {
        let Config { range_m, period_s } = self.0;
        loop {
            let turns = host.now_ms() as f64 / 1000.0 / period_s;
            let level = range_m / 2.0 * (0.7 * (TAU * turns).sin() + 0.3 * (TAU * turns * 1.035).sin());
            let level_m = (level * 1000.0).round() / 1000.0;
            host.emit(Sample::new("harbour", "tide", &Level { level_m }))?;
            // Ends early, and `?` with it, when tickerd says stop; a feed that waits for a socket gives an interrupter.
            host.sleep(Duration::from_millis(250))?;
        }
    }
}

tickerd_sdk::export!(push: [Tide]);
