//! The providers, and what each allows.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Open-Meteo: models' weather for any point, without a key.
    #[default]
    #[serde(rename = "open-meteo")]
    OpenMeteo,
    /// Airports' reports from aviationweather.gov, without a key.
    Metar,
    /// The United States' National Weather Service, without a key.
    Nws,
    /// OpenWeatherMap, with a key.
    OpenWeatherMap,
}

/// What a provider allows and what it serves.
pub(crate) struct Terms {
    pub every: Duration,
    pub every_min: Duration,
    /// The greatest age at which an observation is current.
    pub oldest: Duration,
    pub places_max: usize,
    pub stations_max: usize,
    /// Calls a day that are free of charge. Each place of each round is a call.
    pub calls_a_day: Option<f64>,
    /// Why the provider may not be asked more often.
    pub why: &'static str,
}

impl Provider {
    /// Its name, as configured and in observations.
    pub fn name(self) -> &'static str {
        match self {
            Provider::OpenMeteo => "open-meteo",
            Provider::Metar => "metar",
            Provider::Nws => "nws",
            Provider::OpenWeatherMap => "openweathermap",
        }
    }

    /// Its own address.
    pub fn base_url(self) -> &'static str {
        match self {
            Provider::OpenMeteo => "https://api.open-meteo.com",
            Provider::Metar => "https://aviationweather.gov",
            Provider::Nws => "https://api.weather.gov",
            Provider::OpenWeatherMap => "https://api.openweathermap.org",
        }
    }

    pub(crate) fn terms(self) -> Terms {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        match self {
            Provider::OpenMeteo => Terms {
                every: minutes(15),
                every_min: minutes(15),
                // Open-Meteo's values are those of the last quarter of an hour.
                oldest: minutes(60),
                places_max: 500,
                stations_max: 0,
                calls_a_day: Some(10_000.0),
                why: "its data moves every 15 minutes",
            },
            Provider::Metar => Terms {
                every: minutes(5),
                every_min: minutes(1),
                // Airports report each hour or half hour, and a report takes minutes to arrive.
                oldest: minutes(120),
                places_max: 0,
                stations_max: 400,
                calls_a_day: None,
                why: "it allows one such request a minute",
            },
            Provider::Nws => Terms {
                every: minutes(10),
                every_min: minutes(1),
                // Stations report at least each hour, and a report takes up to 20 minutes to arrive.
                oldest: minutes(120),
                places_max: 100,
                stations_max: 100,
                calls_a_day: None,
                why: "its stations report every 5 minutes at most",
            },
            Provider::OpenWeatherMap => Terms {
                every: minutes(10),
                every_min: minutes(10),
                // Its free plan promises values of the last two hours.
                oldest: minutes(120),
                places_max: 200,
                stations_max: 0,
                calls_a_day: None,
                why: "its data moves every 10 minutes",
            },
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
