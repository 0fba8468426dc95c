//! Weather that wanders around a climate: each quantity is pulled back to its mean and pushed by chance.

use std::f64::consts::TAU;

use schemars::JsonSchema;
use serde::Serialize;
use tickerd_sdk::{Error, Host, Sample};

use crate::noise::Noise;
use crate::origin::Origin;

/// Steps of a simulated day. A day is short, so that a viewer sees it pass.
const DAY_STEPS: u64 = 1_440;

/// Mean temperatures of the default stations, in degrees Celsius, so that their weather is plausible.
const CLIMATES: [(&str, i64); 3] = [("lisbon", 17), ("nairobi", 19), ("oslo", 6)];

/// A station's weather, to one decimal.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(extend("x-tickerd-simulated" = true))]
pub struct Weather<'a> {
    /// Air temperature in degrees Celsius.
    #[schemars(extend(
        "x-tickerd-main" = true, "x-tickerd-role" = "gauge", "x-tickerd-unit" = "Cel",
        "x-tickerd-decimals" = 1
    ))]
    pub temperature_c: f64,
    /// Relative humidity in percent.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "%", "x-tickerd-decimals" = 1))]
    pub humidity_pct: f64,
    /// Wind speed in metres per second.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "m/s", "x-tickerd-decimals" = 1))]
    pub wind_ms: f64,
    /// Air pressure in hectopascal.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "hPa", "x-tickerd-decimals" = 1))]
    pub pressure_hpa: f64,
    /// The station as configured.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub place: &'a str,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// One quantity: an Ornstein-Uhlenbeck walk within bounds.
#[derive(Debug)]
struct Wander {
    mean: f64,
    value: f64,
    push: f64,
    min: f64,
    max: f64,
}

impl Wander {
    fn new(mean: f64, push: f64, min: f64, max: f64) -> Self {
        Wander { mean, value: mean, push, min, max }
    }

    fn step(&mut self, noise: &mut Noise) -> f64 {
        let pull = 0.01 * (self.mean - self.value);
        self.value = (self.value + pull + self.push * noise.normal()).clamp(self.min, self.max);
        self.value
    }
}

/// A station and its present weather.
#[derive(Debug)]
pub(crate) struct Station {
    name: String,
    topic: String,
    noise: Noise,
    temperature: Wander,
    humidity: Wander,
    wind: Wander,
    pressure: Wander,
    step: u64,
}

impl Station {
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let mut noise = Noise::new(seed, name);
        let known = CLIMATES.iter().find(|(known, _)| *known == name);
        let temperature_c = known.map_or_else(|| noise.between(-5, 28), |(_, mean)| *mean);
        Station {
            name: name.to_owned(),
            topic: format!("weather.{name}"),
            temperature: Wander::new(temperature_c as f64, 0.08, -40.0, 45.0),
            humidity: Wander::new(noise.between(40, 85) as f64, 0.4, 5.0, 100.0),
            wind: Wander::new(noise.between(2, 8) as f64, 0.15, 0.0, 35.0),
            pressure: Wander::new(1_013.0, 0.1, 960.0, 1_050.0),
            noise,
            step: 0,
        }
    }

    pub(crate) fn step(&mut self, host: &Host) -> Result<(), Error> {
        let day = ((self.step % DAY_STEPS) as f64 / DAY_STEPS as f64 * TAU).sin();
        self.step += 1;
        let weather = Weather {
            temperature_c: tenth(self.temperature.step(&mut self.noise) + 4.0 * day),
            humidity_pct: tenth(self.humidity.step(&mut self.noise)),
            wind_ms: tenth(self.wind.step(&mut self.noise)),
            pressure_hpa: tenth(self.pressure.step(&mut self.noise)),
            place: &self.name,
            origin: Origin::SIM,
        };
        host.emit(Sample::new(&self.topic, "weather", &weather)).map(drop)
    }
}

/// Rounded to one decimal, and never `-0.0`.
fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_sdk::testing::TestHost;

    #[test]
    fn weather_stays_on_earth() {
        let test = TestHost::new();
        let mut station = Station::new(3, "oslo");
        for _ in 0..5_000 {
            station.step(&test.host()).unwrap();
        }
        for sample in test.samples() {
            let of = |key: &str| sample.value[key].as_f64().unwrap();
            assert!((-44.0..=49.0).contains(&of("temperature_c")), "{}", sample.json);
            assert!((5.0..=100.0).contains(&of("humidity_pct")), "{}", sample.json);
            assert!((0.0..=35.0).contains(&of("wind_ms")), "{}", sample.json);
            assert!((960.0..=1_050.0).contains(&of("pressure_hpa")), "{}", sample.json);
        }
    }

    #[test]
    fn tenths_have_no_negative_zero() {
        assert_eq!(serde_json::to_string(&tenth(-0.04)).unwrap(), "0.0");
        assert_eq!(serde_json::to_string(&tenth(12.04)).unwrap(), "12.0");
    }
}
