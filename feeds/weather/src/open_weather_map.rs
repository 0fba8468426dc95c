//! OpenWeatherMap's current weather, `/data/2.5/weather` (openweathermap.org/current, November 2026).

use serde::Deserialize;
use tickerd_feed_provider::time::{Epoch, epoch_ms};
use tickerd_feed_provider::{Fault, Measure, Observation, Reply, Request, Secret, redact};

use crate::config::Place;
use crate::quantity::{Quantity, Unit};
use crate::reading::{Oddities, Reader, Reading, settle_wind, shown};
use crate::round::{Round, Source};
use crate::said::{Said, lenient};

/// The text that its licence (ODbL, CC BY-SA 4.0) asks to show beside the values.
pub(crate) const ATTRIBUTION: &str = "Weather data provided by OpenWeather";
/// The greatest visibility that it tells, in metres.
const VISIBILITY_MAX_M: f64 = 10_000.0;
/// Seconds in the hour that `1h` is of.
const HOUR_S: u32 = 3600;

/// Asks OpenWeatherMap for one place after the other.
pub(crate) struct OpenWeatherMap {
    places: Vec<Place>,
    key: Secret,
}

impl OpenWeatherMap {
    pub fn new(places: Vec<Place>, key: Secret) -> OpenWeatherMap {
        OpenWeatherMap { places, key }
    }
}

impl Source for OpenWeatherMap {
    fn ask(&mut self, round: &mut Round<'_>) -> Result<(), Fault> {
        let key = &self.key;
        round.each(&mut self.places, |round, place| {
            ask_one(place, key, round).or_else(|fault| {
                round.missing(&place.name, &fault);
                round.stumble(&fault)
            })
        })
    }
}

fn ask_one(place: &Place, key: &Secret, round: &mut Round<'_>) -> Result<(), Fault> {
    let mut request = Request::new("/data/2.5/weather").secret_query("appid", key);
    for (name, value) in query(place) {
        request = request.query(name, value);
    }
    match round.get(&request)? {
        Reply::Unchanged { .. } => round.again([place.name.as_str()].into_iter()),
        Reply::Empty { .. } => {
            Err(Fault::Nonsense { message: "openweathermap answered with nothing".to_owned() })
        }
        Reply::Body(body) => {
            let weather: Weather = body.json()?;
            if let Some(fault) = fault(&weather, key) {
                return Err(fault);
            }
            let reading = read(&weather, place, &mut round.desk.oddities)
                .map_err(|how| body.nonsense(&format!("and {how}")))?;
            round.tell(reading)
        }
    }
}

/// An answer, in metric units.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Weather {
    #[serde(deserialize_with = "lenient")]
    main: Main,
    #[serde(deserialize_with = "lenient")]
    wind: Wind,
    #[serde(deserialize_with = "lenient")]
    clouds: Clouds,
    #[serde(deserialize_with = "lenient")]
    rain: Fallen,
    #[serde(deserialize_with = "lenient")]
    snow: Fallen,
    #[serde(deserialize_with = "lenient")]
    weather: Vec<Condition>,
    visibility: Said,
    dt: Said,
    cod: Said,
    message: Said,
}

/// Temperatures in °C, pressures in hPa. If `sea_level` is absent, `pressure` is the one at sea level.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Main {
    temp: Said,
    feels_like: Said,
    pressure: Said,
    sea_level: Said,
    humidity: Said,
}

/// In m/s.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Wind {
    speed: Said,
    deg: Said,
    gust: Said,
}

/// In percent.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Clouds {
    all: Said,
}

/// In millimetres.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Fallen {
    #[serde(rename = "1h")]
    hour: Said,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Condition {
    description: Said,
}

/// The query for `place`, without the key.
fn query(place: &Place) -> [(&'static str, String); 4] {
    [
        ("lat", place.latitude.to_string()),
        ("lon", place.longitude.to_string()),
        ("units", "metric".to_owned()),
        ("lang", "en".to_owned()),
    ]
}

/// The fault for an error under status 200. Its `cod` is the status, as a number or a string.
fn fault(weather: &Weather, key: &Secret) -> Option<Fault> {
    let status = weather.cod.whole().filter(|status| *status != 200)?;
    let status = u16::try_from(status).unwrap_or(0);
    // The message may repeat the key.
    let said = redact(weather.message.text().unwrap_or("nothing"), &[key]);
    let message = format!("openweathermap answered {status} under status 200: {}", shown(&said));
    Some(match status {
        401 | 403 | 451 => Fault::Refused {
            status,
            message: format!("{message}; check the key in the feed's configuration"),
        },
        429 => Fault::Limited { wait: None, message },
        400 | 404 => Fault::Unknown { message },
        500..=599 => Fault::Unavailable { message },
        _ => Fault::Nonsense { message },
    })
}

/// Reads the answer for `place`.
///
/// # Errors
/// Why the answer is not an observation.
fn read(weather: &Weather, place: &Place, oddities: &mut Oddities) -> Result<Reading, String> {
    let metric = [
        ("main.temp", &weather.main.temp, Quantity::Temperature, Unit::Celsius),
        ("main.feels_like", &weather.main.feels_like, Quantity::Temperature, Unit::Celsius),
        ("main.humidity", &weather.main.humidity, Quantity::Share, Unit::Percent),
        ("wind.speed", &weather.wind.speed, Quantity::Speed, Unit::MetrePerSecond),
        ("wind.gust", &weather.wind.gust, Quantity::Speed, Unit::MetrePerSecond),
        ("wind.deg", &weather.wind.deg, Quantity::Direction, Unit::Degree),
        ("main.sea_level", &weather.main.sea_level, Quantity::Pressure, Unit::Hectopascal),
        ("main.pressure", &weather.main.pressure, Quantity::Pressure, Unit::Hectopascal),
        ("visibility", &weather.visibility, Quantity::Distance, Unit::Metre),
        ("clouds.all", &weather.clouds.all, Quantity::Share, Unit::Percent),
        ("rain.1h", &weather.rain.hour, Quantity::Rain, Unit::Millimetre),
        ("snow.1h", &weather.snow.hour, Quantity::Rain, Unit::Millimetre),
    ];
    let mut reader = Reader::new(&place.name, oddities);
    let [
        temperature_c,
        feels_like_c,
        humidity_pct,
        wind_ms,
        wind_gust_ms,
        wind_deg,
        sea_level,
        pressure,
        visibility_m,
        cloud_pct,
        rain,
        snow,
    ] = metric.map(|(field, said, quantity, unit)| reader.measure(field, said, quantity, Ok(unit)));
    let mut observation = Observation {
        place: place.name.clone(),
        temperature_c,
        feels_like_c,
        humidity_pct,
        wind_ms,
        wind_gust_ms,
        wind_deg,
        pressure_hpa: sea_level.or(pressure),
        visibility_over: visibility_m.as_ref().is_some_and(|m| m.value() >= VISIBILITY_MAX_M),
        visibility_m,
        cloud_pct,
        latitude: Some(place.latitude),
        longitude: Some(place.longitude),
        source: "openweathermap",
        attribution: Some(ATTRIBUTION),
        condition: weather.weather.first().and_then(|said| said.description.text()).map(str::to_lowercase),
        ..Observation::default()
    };
    settle_wind(&mut observation);
    observation.precipitation_mm = match (rain, snow) {
        (Some(rain), Some(snow)) => Some(Measure::converted(rain.value() + snow.value())),
        (rain, snow) => rain.or(snow),
    };
    observation.precipitation_s = observation.precipitation_mm.is_some().then_some(HOUR_S);
    let at_ms = weather.dt.whole().and_then(|s| epoch_ms(s, Epoch::Seconds));
    Reading::new(&place.name, at_ms, observation)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARIS: &str = include_str!("../fixtures/open_weather_map/paris.json");

    fn place() -> Place {
        Place { name: "paris".to_owned(), latitude: 48.85, longitude: 2.35 }
    }

    fn weather(body: &str) -> Weather {
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn an_answer_keeps_its_digits_and_what_fell_is_added_up() {
        let mut oddities = Oddities::default();
        let reading = read(&weather(PARIS), &place(), &mut oddities).unwrap();
        assert_eq!((reading.at_ms, oddities.total()), (Some(1_795_474_800_000), 0));
        assert_eq!(
            serde_json::to_string(&reading.observation).unwrap(),
            r#"{"temperature_c":2.30,"condition":"light rain and snow","feels_like_c":-0.9,"wind_ms":3.6,"wind_gust_ms":6.1,"wind_deg":220,"humidity_pct":71,"pressure_hpa":1016,"cloud_pct":75,"precipitation_mm":0.55,"precipitation_s":3600,"visibility_m":10000,"visibility_over":true,"place":"paris","latitude":48.85,"longitude":2.35,"source":"openweathermap","attribution":"Weather data provided by OpenWeather"}"#
        );
    }

    #[test]
    fn missing_fields_are_left_out_and_absurd_ones_counted() {
        let body = r#"{"main":{"temp":7.5,"feels_like":-300,"pressure":"1012.0"},"wind":null,"rain":"no","visibility":null,"cod":"200"}"#;
        let mut oddities = Oddities::default();
        let reading = read(&weather(body), &place(), &mut oddities).unwrap();
        let value = serde_json::to_value(&reading.observation).unwrap();
        assert_eq!((&value["pressure_hpa"], value.get("feels_like_c")), (&1012.0.into(), None));
        assert_eq!((reading.at_ms, oddities.total()), (None, 1));
        let cold = weather(&body.replace("7.5", "-300"));
        assert_eq!(read(&cold, &place(), &mut oddities).unwrap_err(), "it tells no temperature");
    }

    #[test]
    fn an_error_under_status_200_is_seen_whatever_type_its_code_has() {
        let key = Secret::new("c0ffee1234").unwrap();
        let fault = |body: &str| fault(&weather(body), &key).unwrap();
        let invalid = fault(r#"{"cod":401,"message":"Invalid API key c0ffee1234."}"#);
        assert!(matches!(invalid, Fault::Refused { status: 401, .. }));
        assert!(invalid.to_string().contains("Invalid API key ***"), "{invalid}");
        assert!(matches!(fault(r#"{"cod":"404","message":"city not found"}"#), Fault::Unknown { .. }));
        assert!(matches!(fault(r#"{"cod":"429","message":"slow down"}"#), Fault::Limited { .. }));
        assert!(matches!(fault(r#"{"cod":502}"#), Fault::Unavailable { .. }));
        assert!(matches!(fault(r#"{"cod":299}"#), Fault::Nonsense { .. }));
        assert!(fault(r#"{"cod":"404","message":"city not found"}"#).to_string().contains("city not found"));
        for nonsense in ["<html>", "7", &PARIS[..90]] {
            assert!(serde_json::from_str::<Weather>(nonsense).is_err(), "{nonsense}");
        }
    }
}
