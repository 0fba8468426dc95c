//! Simulated quotes, trades, weather and a sine: data for a first look, for demos without a network, and for load.
//!
//! What step `n` emits depends on the seed, the rest of the configuration and `n`, never on the clock. So a seed
//! replays its sequence. If no seed is configured, a random one is used at each start. Every value says that it is
//! simulated.
#![deny(missing_docs)]

mod config;
mod decimal;
mod market;
mod noise;
mod origin;
mod sine;
mod weather;

use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Host, Level, PollFeed};

pub use config::{Config, Symbols};
pub use decimal::{Hundredths, Whole};
pub use market::{Instrument, Quote, Side, Trade};
pub use origin::Origin;
pub use sine::Sine;
pub use weather::Weather;

use market::Market;
use sine::Wave;
use weather::Station;

/// Random seeds are below this: short enough to copy by hand, and any of them can be written in a TOML file.
const SEEDS: u64 = 1_000_000_000;

/// The simulated feed.
pub struct Sim {
    market: Market,
    stations: Vec<Station>,
    wave: Option<Wave>,
}

impl Feed for Sim {
    const INFO: FeedInfo = FeedInfo::new("org.tickerd.sim", "Simulator")
        .description(
            "Simulated quotes, trades, weather and a sine, none of them real; the same seed gives the same values.",
        )
        .vendor("tickerd")
        .license("MIT OR Apache-2.0")
        .events(&[
            EventInfo::state("quote", "A symbol's last price, simulated.").value::<Quote<'_>>(),
            EventInfo::event("trade", "One trade, simulated.").value::<Trade<'_>>(),
            EventInfo::state("weather", "A station's weather, simulated.").value::<Weather<'_>>(),
            EventInfo::state("sine", "A sine over the steps.").value::<Sine>(),
        ])
        .poll_ms(1_000, 10);
    type Config = Config;

    fn create(config: Config, host: Host) -> Result<Self, Error> {
        config.check()?;
        let seed = config.seed.unwrap_or_else(|| {
            let seed = rand::random_range(0..SEEDS);
            host.log(Level::Info, format_args!("these values come again with seed = {seed}"));
            seed
        });
        Ok(Sim {
            market: Market::new(&config, seed),
            stations: config.weather.iter().map(|name| Station::new(seed, name)).collect(),
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
