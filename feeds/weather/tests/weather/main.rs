//! The weather feed against mocks of its providers, over real sockets.

mod age;
mod bad_days;
mod fallback;
mod metar;
mod nws;
mod open_meteo;
mod open_weather_map;
mod plugin;

use serde_json::Value;
use tickerd_feed_provider::Fault;
use tickerd_feed_provider::poll::Ask;
use tickerd_feed_weather::{Config, Weather};
use tickerd_sdk::testing::{Captured, START_MS, TestHost};
use tickerd_sdk::{Feed, Health};

/// When the tests begin: 2026-11-23T23:10:00Z, some minutes after the mocks' observations.
const NOW_MS: u64 = 1_795_475_400_000;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// A host at that time.
fn host() -> TestHost {
    let test = TestHost::of::<Weather>();
    test.advance_ms(NOW_MS - START_MS);
    test
}

/// A feed that is asked round by round, on a host whose clock moves when told.
struct Asked {
    test: TestHost,
    weather: Weather,
}

impl Asked {
    fn new(config: Value) -> Asked {
        let test = host();
        let config: Config = serde_json::from_value(config).expect("the configuration is of the right shape");
        let weather = Weather::create(config, test.host()).expect("the configuration is right");
        Asked { test, weather }
    }

    /// Asks once.
    fn ask(&mut self) -> Result<Vec<Captured>, Fault> {
        let answer = self.weather.ask(&self.test.host());
        let samples = self.test.take_samples();
        assert_eq!(self.test.rejects(), Vec::<String>::new());
        answer.map(|_| samples)
    }

    /// Asks once, successfully, for the topics that came.
    fn topics(&mut self) -> Vec<String> {
        self.ask().expect("the provider answers").into_iter().map(|sample| sample.topic).collect()
    }

    fn health(&self) -> (Health, String) {
        self.test.health().unwrap_or((Health::Up, String::new()))
    }

    /// Every text that a person could see.
    fn texts(&self) -> Vec<String> {
        let logs = self.test.logs().into_iter().map(|(_, line)| line);
        logs.chain(self.test.health().map(|(_, reason)| reason)).collect()
    }
}
