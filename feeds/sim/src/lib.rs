//! Simulated quotes, trades, weather and a sine: data for a first look, for demos without a network, and for load.
//!
//! What step `n` emits depends on the configuration and `n` alone, never on the clock, so a seed replays its sequence.
#![deny(missing_docs)]

mod config;
mod decimal;
mod market;
mod noise;
mod sine;
mod weather;

use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Host, PollFeed};

pub use config::{Config, Symbols};
pub use decimal::Hundredths;
pub use market::{Quote, Side, Trade};
pub use sine::Sine;
pub use weather::Weather;

use market::Market;
use sine::Wave;
use weather::Station;

/// The simulated feed.
pub struct Sim {
    market: Market,
    stations: Vec<Station>,
    wave: Option<Wave>,
}

impl Feed for Sim {
    const INFO: FeedInfo = FeedInfo::new("org.tickerd.sim", "Simulator")
        .description("Simulated quotes, trades, weather and a sine; the same seed gives the same values.")
        .vendor("tickerd")
        .license("MIT OR Apache-2.0")
        .events(&[
            EventInfo::state("quote", "A symbol's last price.").value::<Quote>(),
            EventInfo::event("trade", "One trade.").value::<Trade>(),
            EventInfo::state("weather", "A station's weather.").value::<Weather>(),
            EventInfo::state("sine", "A sine over the steps.").value::<Sine>(),
        ])
        .poll_ms(1_000, 10);
    type Config = Config;

    fn create(config: Config, _: Host) -> Result<Self, Error> {
        config.check()?;
        Ok(Sim {
            market: Market::new(&config),
            stations: config.weather.iter().map(|name| Station::new(config.seed, name)).collect(),
            wave: config.sine.then(|| Wave::new(config.sine_period_steps)),
        })
    }
}

impl PollFeed for Sim {
    fn poll(&mut self, host: &Host) -> Result<(), Error> {
        self.market.step(host)?;
        for station in &mut self.stations {
            station.step(host)?;
        }
        self.wave.as_mut().map_or(Ok(()), |wave| wave.step(host))
    }
}

tickerd_sdk::export!(poll: [Sim]);
