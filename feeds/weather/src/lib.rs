//! Weather observations from Open-Meteo, METAR, NWS or OpenWeatherMap.
//!
//! Each provider's answers become one shape, [`Observation`]: metric units, the source's digits if nothing was
//! converted, and nothing that the source did not say. A place that fails is named and the others go on. An old
//! observation is marked as old.
#![deny(missing_docs)]

mod config;
mod desk;
mod doubt;
mod metar;
mod nws;
mod open_meteo;
mod open_weather_map;
mod patience;
mod provider;
mod quantity;
mod reading;
mod round;
mod said;
mod together;
mod words;

use std::time::Duration;

use tickerd_feed_provider::{Client, Fault, Limit, Observation, Settings, poll};
use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Host, Interrupter, Level, PushFeed};

pub use config::{Config, Place};
pub use provider::Provider;

use desk::Desk;
use round::{Round, Source};

/// How long a round waits for its turn by the limiter: hundreds of places are spread over minutes.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// The weather feed. It asks round by round, as [`poll::Ask`].
pub struct Weather {
    every: Duration,
    client: Client,
    source: Box<dyn Source>,
    desk: Desk,
    /// How many readings the last round had.
    came: usize,
}

impl Feed for Weather {
    const INFO: FeedInfo = FeedInfo::new("org.tickerd.weather", "Weather")
        .description("Weather observations from Open-Meteo, METAR, NWS or OpenWeatherMap.")
        .vendor("tickerd")
        .license("MIT OR Apache-2.0")
        .events(&[EventInfo::state("weather", "The weather at a place.").value::<Observation>()]);
    type Config = Config;

    fn create(config: Config, host: Host) -> Result<Self, Error> {
        config.check()?;
        let key = config.key.as_ref().map(|source| source.read()).transpose()?;
        let (provider, places, stations) = (config.provider, config.places(), config.stations());
        let base_url = config.base_url.clone().unwrap_or_else(|| provider.base_url().to_owned());
        let mut settings = Settings::new(provider.name(), base_url);
        // Another address belongs to another operator, whose limits are not known.
        if config.base_url.is_none() {
            settings.limits = limits(provider, places.len());
        }
        settings.secrets = key.iter().cloned().collect();
        settings.ca_file = config.ca_file.clone();
        settings.contact = config.contact.clone();
        settings.patience = PATIENCE;
        let client = Client::new(settings)?;
        let source: Box<dyn Source> = match (provider, key) {
            (Provider::OpenMeteo, _) => Box::new(open_meteo::OpenMeteo::new(places)),
            (Provider::Metar, _) => Box::new(metar::Metar::new(stations)),
            (Provider::Nws, _) => Box::new(nws::Nws::new(places, stations)),
            (Provider::OpenWeatherMap, Some(key)) => {
                Box::new(open_weather_map::OpenWeatherMap::new(places, key))
            }
            (Provider::OpenWeatherMap, None) => return Err(Error::config("key: openweathermap needs one")),
        };
        for line in terms(provider, config.contact.is_some()).into_iter().chain(config.stretched()) {
            host.log(Level::Info, line);
        }
        let desk = Desk::new(config.every(), config.oldest(), config.key.is_some());
        Ok(Weather { every: config.every(), client, source, desk, came: 0 })
    }

    fn interrupter(&self) -> Option<Interrupter> {
        Some(self.client.interrupter())
    }
}

impl PushFeed for Weather {
    fn run(&mut self, host: &Host) -> Result<(), Error> {
        poll::run(host, self.every, self)
    }
}

impl poll::Ask for Weather {
    fn ask(&mut self, host: &Host) -> Result<Option<Duration>, Fault> {
        let mut round = Round::new(host, &self.client, &mut self.desk);
        self.source.ask(&mut round)?;
        let came = round.end()?;
        self.came = came.places;
        Ok(came.holds)
    }

    fn recovered(&mut self, host: &Host) {
        self.desk.tell_health(host, self.came);
    }
}

/// The limits that the providers' terms set.
fn limits(provider: Provider, places: usize) -> Vec<Limit> {
    let round = u32::try_from(places).unwrap_or(u32::MAX);
    match provider {
        // Each place counts as a call. All calls of a round may come at once; `Config::every` makes up for that.
        Provider::OpenMeteo => [Limit::per_minute(600), Limit::per_hour(5_000), Limit::per_day(10_000)]
            .map(|limit| limit.burst(round))
            .into(),
        Provider::Metar => vec![Limit::per_minute(1)],
        // NWS names no number. These limits are those of a client that attracts no attention.
        Provider::Nws => vec![Limit::per_minute(60).burst(10)],
        Provider::OpenWeatherMap => vec![Limit::per_minute(60).burst(10)],
    }
}

/// What the operator should know about a provider's terms.
fn terms(provider: Provider, has_contact: bool) -> Vec<String> {
    let shown = |text: &str| format!("{provider}: wherever its values are shown, show also: {text}");
    match provider {
        Provider::OpenMeteo => vec![
            shown(open_meteo::ATTRIBUTION),
            "open-meteo: free for non-commercial use only (open-meteo.com/en/terms)".to_owned(),
        ],
        Provider::OpenWeatherMap => vec![shown(open_weather_map::ATTRIBUTION)],
        Provider::Nws if !has_contact => {
            vec!["nws: asks who its clients are; say contact = \"you@example.org\" in the feed's configuration".to_owned()]
        }
        Provider::Nws | Provider::Metar => Vec::new(),
    }
}

tickerd_sdk::export!(push: [Weather]);

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_feed_provider::{Period, Share, limiter::Limiter};

    /// Goal: at the shortest `every` that is allowed, rounds are waited for with patience for ever. Method: 72 hours of
    /// rounds by the limiter's own count. No more than 10,000 calls may come in any 24 hours.
    #[test]
    fn rounds_of_any_size_keep_pace_with_the_limits() {
        let day = Duration::from_secs(86_400);
        for count in [1, 3, 100, 101, 103, 104, 105, 125, 179, 180, 199, 200, 250, 333, 400, 499, 500] {
            let place = |n| Place { name: format!("p{n}"), latitude: 1.0, longitude: 2.0 };
            let places: Vec<Place> = (0..count).map(place).collect();
            let every = |minutes: u64| Some(Period::secs(minutes * 60));
            let of = |minutes| Config { places: places.clone(), every: every(minutes), ..Config::default() };
            let config =
                (15..).map(of).find(|config| config.check().is_ok()).expect("some time is long enough");
            let limiter = Limiter::open(&Share::Alone, "mock:443", &[], limits(Provider::OpenMeteo, count));
            let (start, mut calls) = (day, Vec::new());
            let mut round = start;
            while round < start + 3 * day {
                let mut now = round;
                for request in places.chunks(open_meteo::PLACES_PER_REQUEST) {
                    let cost = u32::try_from(request.len()).expect("it is small");
                    while let Err(wait) = limiter.try_take(cost, now) {
                        assert!(wait <= PATIENCE, "{count} places: {wait:?} after {:?}", now - start);
                        now += wait;
                    }
                    calls.push((now, request.len()));
                }
                assert!(now - round < Duration::from_secs(120), "{count} places took {:?}", now - round);
                round = now.max(round + config.every());
            }
            for (i, (from, _)) in calls.iter().enumerate() {
                let within = calls[i..].iter().take_while(|(at, _)| *at < *from + day);
                assert!(within.map(|(_, cost)| cost).sum::<usize>() <= 10_000, "{count} places");
            }
        }
    }
}
