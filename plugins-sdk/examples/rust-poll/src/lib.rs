//! A simulated tide: the moon's pull, and the sun's, a little quicker, so that springs and neaps come and go.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};
use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Host, PollFeed, Sample, schemars, schemars::JsonSchema};

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
    const INFO: FeedInfo = FeedInfo::new("org.example.example-rust-poll", "Tide")
        .description("A simulated tide.")
        .events(&[EventInfo::state("tide", "How high the water is.").value::<Level>()]);
    type Config = Config;

    fn create(config: Config, _: Host) -> Result<Self, Error> {
        if config.range_m > 0.0 && config.range_m <= 100.0 && (1.0..=1e6).contains(&config.period_s) {
            return Ok(Tide(config));
        }
        Err(Error::config("range_m: above 0, at most 100; period_s: 1 to 1000000"))
    }
}

impl PollFeed for Tide {
    fn poll(&mut self, host: &Host) -> Result<(), Error> {
        let turn = TAU * host.now_ms() as f64 / 1000.0 / self.0.period_s;
        let level_mm = self.0.range_m * 500.0 * (0.7 * turn.sin() + 0.3 * (turn * 1.035).sin());
        host.emit(Sample::new("harbour", "tide", &Level { level_m: level_mm.round() / 1000.0 })).map(drop)
    }
}

tickerd_sdk::export!(poll: [Tide]);
