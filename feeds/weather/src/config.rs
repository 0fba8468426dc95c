//! What may be configured, and the checks that a schema cannot make.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tickerd_feed_provider::{Period, SecretSource};
use tickerd_sdk::Error;

use crate::provider::{Provider, Terms};

/// The places that are asked for if none is configured: those that the simulated feed has too.
const DEFAULT_PLACES: [(&str, f64, f64); 3] =
    [("oslo", 59.91, 10.75), ("lisbon", 38.72, -9.14), ("nairobi", -1.29, 36.82)];
/// Seconds in a day.
const DAY_S: f64 = 86_400.0;
/// A hundredth of a day's calls is for tries after failures.
const ROOM: f64 = 1.01;
/// The range of `oldest`. No source reports faster than the first value, and after the second the weather has
/// changed.
const OLDEST: (Period, Period) = (Period::secs(15 * 60), Period::secs(48 * 3600));

/// The weather feed's configuration.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who is asked: open-meteo (default), metar, nws or openweathermap.
    pub provider: Provider,
    /// Places by name, with where they are; for open-meteo, nws and openweathermap.
    pub places: Vec<Place>,
    /// Stations by their identifiers, such as KJFK; for metar and nws.
    pub stations: Vec<String>,
    /// How often to ask, such as "15m"; default and least are the provider's.
    pub every: Option<Period>,
    /// The oldest observation that is told as current, such as "3h"; default is the provider's.
    pub oldest: Option<Period>,
    /// Where the key is kept; for openweathermap.
    pub key: Option<SecretSource>,
    /// Where to ask instead of the provider's own address.
    pub base_url: Option<String>,
    /// Certificates to trust besides the machine's own, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// How the provider can reach you, such as a mail address; it goes into the User-Agent, as nws asks.
    pub contact: Option<String>,
}

/// A point on the Earth and its name.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its topic.
    pub name: String,
    /// Degrees north.
    #[schemars(range(min = -90.0, max = 90.0))]
    pub latitude: f64,
    /// Degrees east.
    #[schemars(range(min = -180.0, max = 180.0))]
    pub longitude: f64,
}

impl Config {
    /// The places to ask for: the configured ones, or three cities if neither places nor stations are configured.
    pub(crate) fn places(&self) -> Vec<Place> {
        if self.provider == Provider::OpenMeteo && self.places.is_empty() {
            return DEFAULT_PLACES
                .map(|(name, latitude, longitude)| Place { name: name.to_owned(), latitude, longitude })
                .into();
        }
        self.places.clone()
    }

    /// The stations to ask for, in capitals.
    pub(crate) fn stations(&self) -> Vec<String> {
        self.stations.iter().map(|station| station.to_ascii_uppercase()).collect()
    }

    /// How often to ask: as configured, or as seldom as the limit of a day demands.
    pub(crate) fn every(&self) -> Duration {
        self.wanted().max(self.bearable().unwrap_or_default())
    }

    fn wanted(&self) -> Duration {
        self.every.map_or(self.provider.terms().every, Period::duration)
    }

    /// The shortest time between two rounds that the limit of a day bears for ever. All calls of a round may come at
    /// once, which leaves as many fewer for the rest of any 24 hours.
    fn bearable(&self) -> Option<Duration> {
        let a_day = self.calls_a_day()?;
        let places = self.places().len() as f64;
        Some(Duration::from_secs((places * DAY_S * ROOM / (a_day + 1.0 - places)).ceil() as u64))
    }

    /// The calls that are counted. At another address (an own instance of the provider's software) none are.
    fn calls_a_day(&self) -> Option<f64> {
        self.provider.terms().calls_a_day.filter(|_| self.base_url.is_none())
    }

    /// What the operator should know if it is asked less often than configured.
    pub(crate) fn stretched(&self) -> Option<String> {
        let (wanted, every) = (Period::from(self.wanted()), self.every());
        let a_day = self.calls_a_day().filter(|_| every > wanted.duration())?;
        Some(format!(
            "every = \"{wanted}\" is stretched to {} s: {} counts each place as a call and allows {a_day} in any 24 hours, and all \
             {} come at once; name fewer places for less",
            every.as_secs(),
            self.provider,
            self.places().len()
        ))
    }

    /// The greatest age at which an observation is current.
    pub(crate) fn oldest(&self) -> Duration {
        self.oldest.map_or(self.provider.terms().oldest, Period::duration)
    }

    /// Checks what a schema cannot check, and what the provider's terms forbid. The error says what to change.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (provider, terms) = (self.provider, self.provider.terms());
        self.check_places(&terms)?;
        self.check_stations(&terms)?;
        if provider != Provider::OpenMeteo && self.places.is_empty() && self.stations.is_empty() {
            let remedy = match provider {
                Provider::Metar | Provider::Nws => "stations: name at least one, such as [\"KJFK\"]",
                _ => {
                    "places: name at least one, such as [{ name = \"oslo\", latitude = 59.91, longitude = 10.75 }]"
                }
            };
            return Err(Error::config(remedy));
        }
        match (provider, &self.key) {
            (Provider::OpenWeatherMap, None) => {
                return Err(Error::config(
                    "key: openweathermap needs one (free, from openweathermap.org); say where it is kept, as \
                     { file = \"/etc/tickerd/openweathermap.key\" }",
                ));
            }
            (Provider::OpenWeatherMap, Some(_)) | (_, None) => {}
            (other, Some(_)) => return Err(Error::config(format!("key: {other} takes none; remove it"))),
        }
        if self.wanted() < terms.every_min {
            let least = Period::from(terms.every_min);
            return Err(Error::config(format!(
                "every: {provider} may not be asked more often than each {least}, as {}; use \"{least}\" or more",
                terms.why
            )));
        }
        let (least, most) = OLDEST;
        if self.oldest.is_some_and(|oldest| !(least..=most).contains(&oldest)) {
            return Err(Error::config(format!("oldest: out of range; use \"{least}\" to \"{most}\"")));
        }
        if let (Some(a_day), Some(bearable)) = (self.calls_a_day(), self.bearable()) {
            let places = self.places().len() as f64;
            // What is only a little too short is stretched.
            if self.wanted().as_secs_f64() < (places * DAY_S / a_day).ceil() {
                let least = Period::secs(bearable.as_secs().div_ceil(60) * 60);
                return Err(Error::config(format!(
                    "every: {provider} counts each place as a call and allows {a_day} a day; with {places} places use \
                     \"{least}\" or more"
                )));
            }
        }
        Ok(())
    }

    fn check_places(&self, terms: &Terms) -> Result<(), Error> {
        if terms.places_max == 0 && !self.places.is_empty() {
            return Err(Error::config(format!(
                "places: {} knows stations alone; use stations = [\"KJFK\"]",
                self.provider
            )));
        }
        at_most("places", self.places.len(), terms.places_max)?;
        for place in &self.places {
            let name = &place.name;
            let good = (1..=64).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
            if !good {
                return Err(Error::config(format!(
                    "places: `{name}` cannot be a topic; use 1 to 64 of A-Z a-z 0-9 _ -"
                )));
            }
            within("latitude", place, place.latitude, 90.0)?;
            within("longitude", place, place.longitude, 180.0)?;
        }
        once("places", self.places.iter().map(|place| place.name.clone()))
    }

    fn check_stations(&self, terms: &Terms) -> Result<(), Error> {
        if terms.stations_max == 0 && !self.stations.is_empty() {
            return Err(Error::config(format!(
                "stations: {} knows places alone; use places = [{{ name = \"oslo\", latitude = 59.91, longitude = \
                 10.75 }}]",
                self.provider
            )));
        }
        at_most("stations", self.stations.len(), terms.stations_max)?;
        // An airport has four letters or digits; NWS has stations with more.
        let (least, most) = if self.provider == Provider::Metar { (4, 4) } else { (3, 12) };
        for station in &self.stations {
            if !(least..=most).contains(&station.len()) || !station.bytes().all(|b| b.is_ascii_alphanumeric())
            {
                let digits = if least == most { format!("{least}") } else { format!("{least} to {most}") };
                return Err(Error::config(format!(
                    "stations: `{station}` is no station's identifier; use {digits} letters or digits, as \"KJFK\""
                )));
            }
        }
        let places = self.places.iter().map(|place| place.name.clone());
        once("stations", places.chain(self.stations()))
    }
}

fn within(key: &str, place: &Place, value: f64, most: f64) -> Result<(), Error> {
    if (-most..=most).contains(&value) {
        Ok(())
    } else {
        Err(Error::config(format!(
            "places: {key} {value} of `{}` is out of range; use -{most} to {most}",
            place.name
        )))
    }
}

fn at_most(key: &str, count: usize, most: usize) -> Result<(), Error> {
    if count <= most {
        Ok(())
    } else {
        Err(Error::config(format!("{key}: {count} are too many for one feed; name {most} at most")))
    }
}

fn once(key: &str, names: impl Iterator<Item = String>) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for name in names {
        if seen.contains(&name) {
            return Err(Error::config(format!("{key}: `{name}` is there twice; remove one")));
        }
        seen.insert(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(json: serde_json::Value) -> Config {
        serde_json::from_value(json).unwrap()
    }

    fn refusal(json: serde_json::Value) -> String {
        match config(json).check() {
            Err(Error::Config(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    fn places(count: usize) -> Vec<serde_json::Value> {
        (0..count).map(|n| json!({"name": format!("p{n}"), "latitude": 1, "longitude": 2})).collect()
    }

    #[test]
    fn nothing_configured_is_three_cities_of_open_meteo() {
        let config = config(json!({}));
        config.check().unwrap();
        let names: Vec<_> = config.places().into_iter().map(|place| place.name).collect();
        assert_eq!(
            (config.provider, names),
            (Provider::OpenMeteo, vec!["oslo".into(), "lisbon".into(), "nairobi".into()])
        );
        assert_eq!(config.every(), Duration::from_secs(900));
    }

    #[test]
    fn each_provider_takes_what_it_serves() {
        for good in [
            json!({"provider": "metar", "stations": ["kjfk", "EHAM"], "every": "1m"}),
            json!({"provider": "nws", "stations": ["KSEA", "0007W"], "places": [{"name": "home", "latitude": 47.6, "longitude": -122.3}]}),
            json!({"provider": "openweathermap", "places": [{"name": "paris", "latitude": 48.85, "longitude": 2.35}], "key": {"env": "TICKERD_OWM"}}),
            json!({"places": places(104)}),
            json!({"places": places(500), "every": "72m"}),
            json!({"places": places(500), "base_url": "http://127.0.0.1:8080"}),
        ] {
            config(good.clone()).check().unwrap_or_else(|e| panic!("{good}: {e}"));
        }
        assert_eq!(config(json!({"stations": ["kjfk"]})).stations(), ["KJFK"]);
    }

    #[test]
    fn what_is_a_little_too_short_is_stretched_and_told() {
        for (places_count, every, is) in
            [(102, "15m", 900), (104, "15m", 917), (500, "72m", 4593), (500, "77m", 4620)]
        {
            let config = config(json!({"places": places(places_count), "every": every}));
            config.check().unwrap();
            assert_eq!(config.every(), Duration::from_secs(is), "{places_count} each {every}");
            let note = config.stretched().unwrap_or_default();
            let says = format!("every = \"{every}\" is stretched to {is} s: open-meteo counts");
            assert_eq!(note.contains(&says), !matches!(is, 900 | 4620), "{note}");
        }
    }

    #[test]
    fn refusals_name_the_key_and_the_remedy() {
        let place = json!([{"name": "oslo", "latitude": 59.9, "longitude": 10.7}]);
        for (json, says) in [
            (json!({"provider": "metar"}), "stations: name at least one, such as [\"KJFK\"]"),
            (json!({"provider": "nws"}), "stations: name at least one"),
            (json!({"provider": "openweathermap"}), "places: name at least one, such as [{ name = \"oslo\""),
            (
                json!({"provider": "metar", "places": place}),
                "places: metar knows stations alone; use stations =",
            ),
            (json!({"stations": ["KJFK"]}), "stations: open-meteo knows places alone; use places ="),
            (json!({"provider": "openweathermap", "places": place}), "key: openweathermap needs one"),
            (json!({"key": {"env": "TICKERD_X"}}), "key: open-meteo takes none; remove it"),
            (
                json!({"every": "5m"}),
                "not be asked more often than each 15m, as its data moves every 15 minutes; use \"15m\"",
            ),
            (
                json!({"provider": "metar", "stations": ["KJFK"], "every": "30s"}),
                "one such request a minute; use \"1m\"",
            ),
            (json!({"places": places(105)}), "allows 10000 a day; with 105 places use \"16m\" or more"),
            (json!({"places": places(500), "every": "71m"}), "with 500 places use \"77m\" or more"),
            (json!({"places": places(501)}), "places: 501 are too many for one feed; name 500 at most"),
            (
                json!({"provider": "metar", "stations": ["JFK"]}),
                "`JFK` is no station's identifier; use 4 letters",
            ),
            (json!({"provider": "nws", "stations": ["K/../"]}), "use 3 to 12 letters or digits"),
            (json!({"provider": "nws", "stations": ["KJFK", "kjfk"]}), "stations: `KJFK` is there twice"),
            (json!({"places": [{"name": "a b", "latitude": 1, "longitude": 2}]}), "`a b` cannot be a topic"),
            (json!({"oldest": "5m"}), "oldest: out of range; use \"15m\" to \"48h\""),
            (json!({"oldest": "49h"}), "oldest: out of range"),
            (
                json!({"places": [{"name": "a", "latitude": 91, "longitude": 2}]}),
                "latitude 91 of `a` is out of range; use -90 to 90",
            ),
            (
                json!({"places": [{"name": "a", "latitude": 9, "longitude": 2}, {"name": "a", "latitude": 9, "longitude": 2}]}),
                "places: `a` is there twice",
            ),
        ] {
            let text = refusal(json.clone());
            assert!(text.contains(says), "{json}: {text}");
        }
    }

    #[test]
    fn an_unknown_provider_is_refused_with_the_known_ones() {
        let text = serde_json::from_value::<Config>(json!({"provider": "yr"})).unwrap_err().to_string();
        assert!(text.contains("open-meteo") && text.contains("openweathermap"), "{text}");
    }
}
