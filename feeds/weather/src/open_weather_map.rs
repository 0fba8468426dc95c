//! OpenWeatherMap's current weather, `/data/2.5/weather` (openweathermap.org/current, November 2026).

use serde::Deserialize;
use tickerd_feed_provider::{Fault, Measure, Observation};

use crate::config::Place;
use crate::quantity::{Quantity, Unit};
use crate::reading::{Oddities, Reader, Reading, settle_wind, shown, unix_ms};
use crate::said::Said;

/// What its licence (ODbL, CC BY-SA 4.0) asks to show beside the values.
pub(crate) const ATTRIBUTION: &str = "Weather data provided by OpenWeather";
/// The most that it tells of visibility, in metres.
const VISIBILITY_MAX_M: f64 = 10_000.0;
/// Seconds in the hour that `1h` is of.
const HOUR_S: u32 = 3600;

/// An answer, in metric units.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Weather {
    main: Main,
    wind: Wind,
    clouds: Clouds,
    rain: Fallen,
    snow: Fallen,
    weather: Vec<Condition>,
    visibility: Said,
    dt: Said,
    cod: Said,
    message: Said,
}

/// Temperatures in °C, pressure in hPa, at sea level where `sea_level` is absent.
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
pub(crate) fn query(place: &Place) -> [(&'static str, String); 4] {
    [
        ("lat", place.latitude.to_string()),
        ("lon", place.longitude.to_string()),
        ("units", "metric".to_owned()),
        ("lang", "en".to_owned()),
    ]
}

/// Reads the answer for `place`.
///
/// # Errors
/// It is not such an answer, or an error under status 200.
pub(crate) fn read(body: &str, place: &Place, oddities: &mut Oddities) -> Result<Reading, Fault> {
    let weather: Weather = serde_json::from_str(body)
        .map_err(|e| Fault::Nonsense { message: format!("openweathermap answered with something else: {e}") })?;
    if let Some(cod) = weather.cod.whole().filter(|cod| *cod != 200) {
        return Err(fault(u16::try_from(cod).unwrap_or(0), weather.message.text().unwrap_or("")));
    }
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
    let [temperature_c, feels_like_c, humidity_pct, wind_ms, wind_gust_ms, wind_deg, sea_level, pressure, visibility_m, cloud_pct, rain, snow] =
        metric.map(|(field, said, quantity, unit)| reader.measure(field, said, quantity, Ok(unit)));
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
    if !observation.says_something() {
        return Err(Fault::Nonsense { message: "openweathermap answered without values".to_owned() });
    }
    Ok(Reading { topic: place.name.clone(), at_ms: weather.dt.whole().and_then(unix_ms), observation })
}

/// What an error under status 200 means: its `cod` is the status, a number or a string of one.
fn fault(status: u16, message: &str) -> Fault {
    let message = format!("openweathermap answered {status}: {}", shown(message));
    match status {
        401 | 403 | 451 => Fault::Refused { status, message },
        429 => Fault::Limited { wait: None, message },
        400 | 404 => Fault::Unknown { message },
        500..=599 => Fault::Unavailable { message },
        _ => Fault::Nonsense { message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARIS: &str = include_str!("../fixtures/open_weather_map/paris.json");

    fn place() -> Place {
        Place { name: "paris".to_owned(), latitude: 48.85, longitude: 2.35 }
    }

    #[test]
    fn an_answer_keeps_its_digits_and_what_fell_is_added_up() {
        let mut oddities = Oddities::default();
        let reading = read(PARIS, &place(), &mut oddities).unwrap();
        assert_eq!((reading.at_ms, oddities.total()), (Some(1_795_474_800_000), 0));
        assert_eq!(
            serde_json::to_string(&reading.observation).unwrap(),
            r#"{"place":"paris","temperature_c":2.30,"feels_like_c":-0.9,"humidity_pct":71,"wind_ms":3.6,"wind_gust_ms":6.1,"wind_deg":220,"pressure_hpa":1016,"visibility_m":10000,"visibility_over":true,"cloud_pct":75,"precipitation_mm":0.55,"precipitation_s":3600,"condition":"light rain and snow","latitude":48.85,"longitude":2.35,"source":"openweathermap","attribution":"Weather data provided by OpenWeather"}"#
        );
    }

    #[test]
    fn missing_fields_are_left_out_and_absurd_ones_counted() {
        let body = r#"{"main":{"temp":-300,"pressure":"1012.0"},"wind":{},"visibility":null,"cod":"200"}"#;
        let mut oddities = Oddities::default();
        let reading = read(body, &place(), &mut oddities).unwrap();
        let value = serde_json::to_value(&reading.observation).unwrap();
        assert_eq!((&value["pressure_hpa"], value.get("temperature_c")), (&1012.0.into(), None));
        assert_eq!((reading.at_ms, oddities.total()), (None, 1));
    }

    #[test]
    fn an_error_under_status_200_is_seen_whatever_type_its_code_has() {
        let fault = |body: &str| read(body, &place(), &mut Oddities::default()).unwrap_err();
        assert!(matches!(fault(r#"{"cod":401,"message":"Invalid API key."}"#), Fault::Refused { status: 401, .. }));
        assert!(matches!(fault(r#"{"cod":"404","message":"city not found"}"#), Fault::Unknown { .. }));
        assert!(matches!(fault(r#"{"cod":"429","message":"slow down"}"#), Fault::Limited { .. }));
        assert!(matches!(fault(r#"{"cod":502}"#), Fault::Unavailable { .. }));
        for nonsense in ["<html>", "[]", "{}", r#"{"cod":299}"#, &PARIS[..90]] {
            assert!(matches!(fault(nonsense), Fault::Nonsense { .. }), "{nonsense}");
        }
        assert!(fault(r#"{"cod":"404","message":"city not found"}"#).to_string().contains("city not found"));
    }
}
