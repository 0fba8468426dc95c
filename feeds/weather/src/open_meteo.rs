//! Open-Meteo's forecast endpoint and its `current` block (open-meteo.com/en/docs, November 2026).

use std::collections::HashMap;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer};
use serde_json::value::RawValue;
use tickerd_feed_provider::time::{Epoch, epoch_ms};
use tickerd_feed_provider::{Fault, Observation, Reply, Request};

use crate::config::Place;
use crate::quantity::{Quantity, Unit};
use crate::reading::{Answer, Oddities, Reader, Reading, settle_wind, shown};
use crate::round::{Round, Source};
use crate::said::{Said, lenient};
use crate::together::Together;
use crate::words;

/// The text that its licence (CC BY 4.0) asks to show beside the values.
pub(crate) const ATTRIBUTION: &str = "Weather data by Open-Meteo.com (CC BY 4.0)";
/// The values that are asked for of each place.
const CURRENT: &str = "temperature_2m,apparent_temperature,dew_point_2m,relative_humidity_2m,wind_speed_10m,\
    wind_gusts_10m,wind_direction_10m,pressure_msl,visibility,cloud_cover,precipitation,weather_code";
/// Most places in one request, so that its URL stays below the 8 KiB that servers take.
pub(crate) const PLACES_PER_REQUEST: usize = 100;
/// Seconds in a day.
const DAY_S: u64 = 86_400;

/// Asks Open-Meteo for all places at once.
pub(crate) struct OpenMeteo {
    places: Together,
}

impl OpenMeteo {
    pub fn new(places: Vec<Place>) -> OpenMeteo {
        OpenMeteo { places: Together::new(places, PLACES_PER_REQUEST) }
    }
}

impl Source for OpenMeteo {
    fn ask(&mut self, round: &mut Round<'_>) -> Result<(), Fault> {
        self.places.ask(round, ask_for)
    }
}

fn ask_for(round: &mut Round<'_>, places: &[Place]) -> Result<(), Fault> {
    let mut request = Request::new("/v1/forecast").cost(u32::try_from(places.len()).unwrap_or(u32::MAX));
    for (name, value) in query(places) {
        request = request.query(name, value);
    }
    let reply = round.get(&request).map_err(|fault| {
        let fault = limited(fault, round.host.now_ms());
        if let Fault::Limited { wait: Some(wait), .. } = fault {
            // Other feeds wait as well, and so does this one after a restart.
            round.client.hold_back(wait);
        }
        fault
    })?;
    round.hold(reply.fresh_for());
    match reply {
        Reply::Unchanged { .. } => round.again(places.iter().map(|place| place.name.as_str())),
        Reply::Empty { .. } => {
            Err(Fault::Nonsense { message: "open-meteo answered with nothing".to_owned() })
        }
        Reply::Body(body) => {
            let locations = body.json()?;
            let answer =
                read(&locations, places, &mut round.desk.oddities).map_err(|how| body.nonsense(&how))?;
            round.take(answer)
        }
    }
}

/// The fault, with how long to wait if it is about a limit. Open-Meteo used status 400 for that before it used 429.
fn limited(fault: Fault, now_ms: u64) -> Fault {
    match fault {
        Fault::Limited { wait: None, message } => Fault::Limited { wait: window(&message, now_ms), message },
        Fault::Unknown { message } => match window(&message, now_ms) {
            wait @ Some(_) => Fault::Limited { wait, message },
            None => Fault::Unknown { message },
        },
        other => other,
    }
}

/// One location of an answer.
#[derive(serde::Deserialize)]
struct Location {
    #[serde(default, deserialize_with = "lenient")]
    current_units: HashMap<String, Said>,
    #[serde(default, deserialize_with = "lenient")]
    current: HashMap<String, Said>,
    #[serde(default)]
    error: bool,
    #[serde(default)]
    reason: Said,
}

/// The query that asks for `places` at once.
fn query(places: &[Place]) -> [(&'static str, String); 5] {
    let list = |of: fn(&Place) -> f64| {
        places.iter().map(|place| of(place).to_string()).collect::<Vec<_>>().join(",")
    };
    [
        ("latitude", list(|place| place.latitude)),
        ("longitude", list(|place| place.longitude)),
        ("current", CURRENT.to_owned()),
        ("wind_speed_unit", "ms".to_owned()),
        ("timeformat", "unixtime".to_owned()),
    ]
}

/// An answer: one object for a single place, or an array in the order of several places.
#[derive(Debug)]
struct Locations(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Locations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Locations, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'[') => serde_json::from_str(raw.get()).map(Locations).map_err(de::Error::custom),
            Some(b'{') => Ok(Locations(vec![raw])),
            _ => Err(de::Error::custom("neither a location nor several")),
        }
    }
}

/// Reads the answer for `places`.
///
/// # Errors
/// What is wrong with the answer, as the rest of a sentence that begins with “answered GET …”. A place that cannot be
/// read does not fail the others; it is among the missing.
fn read(locations: &Locations, places: &[Place], oddities: &mut Oddities) -> Result<Answer, String> {
    let Locations(locations) = locations;
    if locations.len() != places.len() {
        return Err(format!("with {} locations where {} were asked for", locations.len(), places.len()));
    }
    let mut answer = Answer::default();
    for (place, raw) in places.iter().zip(locations) {
        let came = match serde_json::from_str::<Location>(raw.get()) {
            Ok(location) => read_location(&location, place, oddities),
            Err(e) => Err(format!("an unknown shape came: {e}")),
        };
        answer.add(&place.name, came);
    }
    Ok(answer)
}

fn read_location(location: &Location, place: &Place, oddities: &mut Oddities) -> Result<Reading, String> {
    if location.error {
        return Err(shown(location.reason.text().unwrap_or("an error without a reason")));
    }
    let nothing = Said::Nothing;
    let field = |name: &str| location.current.get(name).unwrap_or(&nothing);
    let mut reader = Reader::new(&place.name, oddities);
    let mut measure = |name: &str, quantity: Quantity| {
        let unit = location.current_units.get(name).and_then(Said::text).unwrap_or("");
        reader.measure(name, field(name), quantity, Unit::open_meteo(unit).ok_or(unit))
    };
    let mut observation = Observation {
        place: place.name.clone(),
        temperature_c: measure("temperature_2m", Quantity::Temperature),
        feels_like_c: measure("apparent_temperature", Quantity::Temperature),
        dew_point_c: measure("dew_point_2m", Quantity::Temperature),
        humidity_pct: measure("relative_humidity_2m", Quantity::Share),
        wind_ms: measure("wind_speed_10m", Quantity::Speed),
        wind_gust_ms: measure("wind_gusts_10m", Quantity::Speed),
        wind_deg: measure("wind_direction_10m", Quantity::Direction),
        pressure_hpa: measure("pressure_msl", Quantity::Pressure),
        visibility_m: measure("visibility", Quantity::Distance),
        cloud_pct: measure("cloud_cover", Quantity::Share),
        precipitation_mm: measure("precipitation", Quantity::Rain),
        condition: field("weather_code").whole().and_then(words::of_wmo_code).map(str::to_owned),
        latitude: Some(place.latitude),
        longitude: Some(place.longitude),
        source: "open-meteo",
        attribution: Some(ATTRIBUTION),
        ..Observation::default()
    };
    settle_wind(&mut observation);
    if observation.precipitation_mm.is_some() {
        // The precipitation is a sum over the interval of the other values.
        observation.precipitation_s = field("interval").whole().and_then(|s| u32::try_from(s).ok());
    }
    let at_ms = field("time").whole().and_then(|s| epoch_ms(s, Epoch::Seconds));
    Reading::new(&place.name, at_ms, observation)
}

/// How long to wait for a reason that Open-Meteo gives: if a limit is met, the reason names its window. `None` for
/// other reasons.
fn window(reason: &str, now_ms: u64) -> Option<Duration> {
    let reason = reason.to_ascii_lowercase();
    if !reason.contains("limit exceeded") {
        None
    } else if reason.contains("minutely") {
        Some(Duration::from_secs(60))
    } else if reason.contains("hourly") {
        Some(Duration::from_secs(3600))
    } else if reason.contains("daily") {
        // Days are counted in UTC.
        Some(Duration::from_secs(DAY_S - now_ms / 1000 % DAY_S))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVERAL: &str = include_str!("../fixtures/open_meteo/several.json");
    const ONE: &str = include_str!("../fixtures/open_meteo/one.json");

    fn places(names: &[&str]) -> Vec<Place> {
        names
            .iter()
            .map(|name| Place { name: (*name).to_owned(), latitude: 59.91, longitude: 10.75 })
            .collect()
    }

    fn read_all(body: &str, names: &[&str]) -> (Answer, u64) {
        let mut oddities = Oddities::default();
        let locations = serde_json::from_str(body).unwrap();
        let answer = read(&locations, &places(names), &mut oddities).unwrap();
        (answer, oddities.total())
    }

    #[test]
    fn all_places_are_asked_for_in_one_query() {
        let mut places = places(&["oslo", "lisbon"]);
        places[1].latitude = -38.5;
        let query = query(&places);
        assert_eq!(query[0], ("latitude", "59.91,-38.5".to_owned()));
        assert_eq!(query[1], ("longitude", "10.75,10.75".to_owned()));
        assert!(query[2].1.contains("temperature_2m,") && !query[2].1.contains(' '), "{}", query[2].1);
    }

    #[test]
    fn one_place_comes_as_an_object_with_its_digits() {
        let (answer, odd) = read_all(ONE, &["oslo"]);
        let [reading] = &answer.readings[..] else { panic!("{answer:?}") };
        assert_eq!((reading.topic.as_str(), reading.at_ms, odd), ("oslo", Some(1_795_474_800_000), 0));
        assert_eq!(
            serde_json::to_string(&reading.observation).unwrap(),
            r#"{"temperature_c":-2.0,"condition":"light snow","feels_like_c":-6.4,"wind_ms":3.10,"wind_gust_ms":7.5,"wind_deg":24,"humidity_pct":92,"pressure_hpa":1013.0,"cloud_pct":100,"precipitation_mm":0.10,"precipitation_s":900,"visibility_m":24140.00,"dew_point_c":-3.1,"place":"oslo","latitude":59.91,"longitude":10.75,"source":"open-meteo","attribution":"Weather data by Open-Meteo.com (CC BY 4.0)"}"#
        );
    }

    /// Several places: an array in order. The second has other units, the third lacks most values, the fourth is an
    /// error.
    #[test]
    fn several_places_come_as_an_array_in_order() {
        let (answer, odd) = read_all(SEVERAL, &["oslo", "lisbon", "nairobi", "nowhere"]);
        let topics: Vec<_> = answer.readings.iter().map(|reading| reading.topic.as_str()).collect();
        assert_eq!(topics, ["oslo", "lisbon", "nairobi"]);
        let lisbon = serde_json::to_value(&answer.readings[1].observation).unwrap();
        assert_eq!(lisbon["temperature_c"], 17.5, "63.5 °F");
        assert_eq!(lisbon["wind_ms"], 3.0, "10.8 km/h");
        assert_eq!(lisbon["precipitation_mm"], 1.27, "0.05 inch");
        assert_eq!(lisbon["condition"], "partly cloudy");
        let nairobi = serde_json::to_value(&answer.readings[2].observation).unwrap();
        assert_eq!(nairobi["temperature_c"], 19.4);
        for absent in
            ["visibility_m", "wind_deg", "humidity_pct", "condition", "precipitation_s", "dew_point_c"]
        {
            assert!(nairobi.get(absent).is_none(), "{absent}: {nairobi}");
        }
        assert_eq!(odd, 2, "humidity of 140 % and a dew point in an unknown unit");
        assert_eq!(answer.missing[0].to_string(), "nowhere: no data for this location");
    }

    #[test]
    fn what_is_no_such_answer_is_refused() {
        for bad in ["<html>", "7", "null", "\"x\"", &ONE[..200]] {
            assert!(serde_json::from_str::<Locations>(bad).is_err(), "{bad}");
        }
        let one = serde_json::from_str(ONE).unwrap();
        let how = read(&one, &places(&["a", "b"]), &mut Oddities::default()).unwrap_err();
        assert_eq!(how, "with 1 locations where 2 were asked for");
        let (answer, _) = read_all("{}", &["a"]);
        assert_eq!(answer.missing[0].to_string(), "a: it tells no temperature");
        let (answer, _) = read_all("[7]", &["a"]);
        assert!(answer.missing[0].why.starts_with("an unknown shape"), "{answer:?}");
    }

    #[test]
    fn the_reason_names_the_window_to_wait_for() {
        let ten_in_the_evening = 22 * 3_600_000 + 86_400_000 * 20_000;
        for (message, wait_s) in [
            ("with 429: “Minutely API request limit exceeded. Please try again in one minute.”", Some(60)),
            ("with 429: “Hourly API request limit exceeded. Please try again in the next hour.”", Some(3600)),
            ("with 429: “Daily API request limit exceeded. Please try again tomorrow.”", Some(7200)),
            ("with 429: “Too many concurrent requests”", None),
        ] {
            let wait = wait_s.map(Duration::from_secs);
            let told = Fault::Limited { wait: None, message: message.to_owned() };
            assert_eq!(
                limited(told, ten_in_the_evening),
                Fault::Limited { wait, message: message.to_owned() }
            );
            let unknown = Fault::Unknown { message: message.to_owned() };
            let is_limit = matches!(limited(unknown, ten_in_the_evening), Fault::Limited { .. });
            assert_eq!(is_limit, wait.is_some(), "{message}");
        }
        let own_wait = Fault::Limited { wait: Some(Duration::from_secs(5)), message: "Daily".to_owned() };
        assert_eq!(limited(own_wait.clone(), 0), own_wait);
    }
}
