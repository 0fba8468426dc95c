//! What api.weather.gov answers (its OpenAPI, November 2026).

use serde::Deserialize;
use tickerd_feed_provider::time::rfc3339_ms;
use tickerd_feed_provider::{Measure, Observation};

use crate::config::Place;
use crate::quantity::{Quantity, Unit};
use crate::reading::{Oddities, Reader, Reading, settle_wind};
use crate::said::{Said, lenient};

/// Stations near a point that are tried in turn, since the nearest ones may be silent. Stations further away have
/// other weather.
pub(super) const STATIONS_MAX: usize = 6;
/// Seconds in the hour that `precipitationLastHour` is of.
const HOUR_S: u32 = 3600;

/// The part of the answer to `/points/{latitude},{longitude}` that matters here.
#[derive(Deserialize)]
pub(super) struct Point {
    properties: PointProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PointProperties {
    observation_stations: String,
}

/// The stations near a point, the nearest first.
#[derive(Deserialize)]
pub(super) struct Stations {
    features: Vec<Station>,
}

#[derive(Deserialize)]
struct Station {
    properties: StationProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StationProperties {
    station_identifier: Said,
}

/// A station's latest observation.
#[derive(Deserialize)]
pub(super) struct Feature {
    #[serde(default, deserialize_with = "lenient")]
    geometry: Option<Geometry>,
    properties: Properties,
}

/// Longitude, then latitude.
#[derive(Deserialize)]
struct Geometry {
    #[serde(default)]
    coordinates: Vec<Said>,
}

/// What was observed.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Properties {
    timestamp: Said,
    text_description: Said,
    raw_message: Said,
    #[serde(deserialize_with = "lenient")]
    temperature: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    dewpoint: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    wind_direction: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    wind_speed: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    wind_gust: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    barometric_pressure: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    sea_level_pressure: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    visibility: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    precipitation_last_hour: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    relative_humidity: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    wind_chill: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    heat_index: Option<Value>,
}

/// A value with its unit; it is often `null`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Value {
    #[serde(default)]
    unit_code: Said,
    #[serde(default)]
    value: Said,
    #[serde(default)]
    quality_control: Said,
}

/// The path that leads to the stations near `place`. With more than four decimals NWS would answer with a redirect.
pub(super) fn point_path(place: &Place) -> String {
    let degrees = |value: f64| (value * 10_000.0).round() / 10_000.0 + 0.0;
    format!("/points/{},{}", degrees(place.latitude), degrees(place.longitude))
}

/// The path of a station's latest observation.
pub(super) fn latest_path(station: &str) -> String {
    format!("/stations/{station}/observations/latest")
}

/// The path of the list of stations near a point. Its host is left out, since requests go to the configured host.
///
/// # Errors
/// What is wrong with the answer, as the rest of a sentence that begins with “answered GET …”.
pub(super) fn read_point(point: &Point) -> Result<String, String> {
    let url = &point.properties.observation_stations;
    let path = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    path.find('/')
        .and_then(|at| path.get(at..))
        .filter(|path| !path.contains(['?', '#']))
        .map(str::to_owned)
        .ok_or_else(|| "with a point that names no stations".to_owned())
}

/// The nearest stations, the nearest first. Empty if there are none.
pub(super) fn read_stations(stations: &Stations) -> Vec<String> {
    let is_station = |id: &&str| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let ids = stations.features.iter().filter_map(|station| station.properties.station_identifier.text());
    ids.filter(is_station).take(STATIONS_MAX).map(str::to_owned).collect()
}

/// Reads the latest observation of `station`.
///
/// # Errors
/// Why the answer is not an observation.
pub(super) fn read_latest(
    feature: &Feature,
    station: &str,
    oddities: &mut Oddities,
) -> Result<Reading, String> {
    let Feature { geometry, properties: said } = feature;
    let mut reader = Reader::new(station, oddities);
    let mut measure =
        |field: &str, value: &Option<Value>, quantity| measure(&mut reader, field, value.as_ref(), quantity);
    let coordinate = |at: usize, most: f64| {
        let value = geometry.as_ref()?.coordinates.get(at)?.number()?.value();
        (-most..=most).contains(&value).then_some(value)
    };
    // As with METAR, the altimeter setting comes first: every report has it.
    let setting = measure("barometricPressure", &said.barometric_pressure, Quantity::Pressure);
    let sea_level = measure("seaLevelPressure", &said.sea_level_pressure, Quantity::Pressure);
    // Only one of heat index and wind chill makes sense at a time, and NWS gives only that one.
    let heat = measure("heatIndex", &said.heat_index, Quantity::Temperature);
    let chill = measure("windChill", &said.wind_chill, Quantity::Temperature);
    let mut observation = Observation {
        place: station.to_owned(),
        station: Some(station.to_owned()),
        temperature_c: measure("temperature", &said.temperature, Quantity::Temperature),
        feels_like_c: heat.or(chill),
        dew_point_c: measure("dewpoint", &said.dewpoint, Quantity::Temperature),
        humidity_pct: measure("relativeHumidity", &said.relative_humidity, Quantity::Share),
        wind_ms: measure("windSpeed", &said.wind_speed, Quantity::Speed),
        wind_gust_ms: measure("windGust", &said.wind_gust, Quantity::Speed),
        wind_deg: measure("windDirection", &said.wind_direction, Quantity::Direction),
        pressure_hpa: setting.or(sea_level),
        visibility_m: measure("visibility", &said.visibility, Quantity::Distance),
        precipitation_mm: measure("precipitationLastHour", &said.precipitation_last_hour, Quantity::Rain),
        condition: said.text_description.text().map(str::to_lowercase),
        latitude: coordinate(1, 90.0),
        longitude: coordinate(0, 180.0),
        source: "nws",
        raw: said.raw_message.text().map(str::to_owned),
        ..Observation::default()
    };
    settle_wind(&mut observation);
    observation.precipitation_s = observation.precipitation_mm.is_some().then_some(HOUR_S);
    let at_ms = said.timestamp.text().and_then(rfc3339_ms);
    Reading::new(station, at_ms, observation)
}

/// A value that passed its quality control, converted by its own unit code.
fn measure(
    reader: &mut Reader<'_>,
    field: &str,
    value: Option<&Value>,
    quantity: Quantity,
) -> Option<Measure> {
    let value = value.filter(|value| !value.value.is_nothing())?;
    // MADIS's letters, in older answers as `qc:V`: Z was not checked yet, X and B were found wrong.
    let quality = value.quality_control.text().unwrap_or("");
    match quality.rsplit(':').next().unwrap_or("") {
        "Z" => return None,
        bad @ ("X" | "B") => {
            reader.note(field, format_args!("its quality control says {bad}"));
            return None;
        }
        _ => {}
    }
    let code = value.unit_code.text().unwrap_or("");
    reader.measure(field, &value.value, quantity, Unit::wmo(code).ok_or(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KSEA: &str = include_str!("../../fixtures/nws/ksea.json");
    const POINT: &str = include_str!("../../fixtures/nws/point.json");
    const STATIONS: &str = include_str!("../../fixtures/nws/stations.json");

    fn parsed<T: serde::de::DeserializeOwned>(body: &str) -> T {
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn every_value_is_converted_by_its_own_unit() {
        let mut oddities = Oddities::default();
        let reading = read_latest(&parsed(KSEA), "KSEA", &mut oddities).unwrap();
        let reading = reading.of("home");
        assert_eq!((reading.topic.as_str(), reading.at_ms), ("home", Some(1_795_474_380_000)));
        assert_eq!(
            serde_json::to_string(&reading.observation).unwrap(),
            r#"{"temperature_c":12.2,"condition":"mostly cloudy","feels_like_c":10,"wind_ms":4.1,"wind_gust_ms":8.5,"wind_deg":0,"humidity_pct":80.12,"pressure_hpa":1015.1,"precipitation_mm":0.3,"precipitation_s":3600,"visibility_m":16090,"dew_point_c":8.9,"place":"home","station":"KSEA","latitude":47.45,"longitude":-122.31,"source":"nws","raw":"KSEA 232253Z 36008KT 10SM BKN045 12/09 A2998"}"#
        );
        assert_eq!(oddities.total(), 0);
    }

    #[test]
    fn nulls_unchecked_values_and_unknown_units_are_left_out() {
        let body = r#"{"properties":{"timestamp":"2026-11-23T22:53:00+00:00","textDescription":"",
            "temperature":{"unitCode":"wmoUnit:degC","value":null,"qualityControl":"Z"},
            "dewpoint":{"unitCode":"wmoUnit:furlong","value":8},
            "windSpeed":{"unitCode":"wmoUnit:km_h-1","value":7.2,"qualityControl":"Z"},
            "windGust":{"unitCode":"wmoUnit:km_h-1","value":720,"qualityControl":"X"},
            "relativeHumidity":{"unitCode":"wmoUnit:degC","value":50},
            "visibility":null,"heatIndex":"none",
            "seaLevelPressure":{"unitCode":"wmoUnit:Pa","value":101540,"qualityControl":"V"}}}"#;
        let mut oddities = Oddities::default();
        let none = read_latest(&parsed(body), "KSEA", &mut oddities).unwrap_err();
        assert_eq!(none, "it tells no temperature");
        let body =
            body.replace(r#""value":null,"qualityControl":"Z""#, r#""value":8.0,"qualityControl":"C""#);
        let mut oddities = Oddities::default();
        let reading = read_latest(&parsed(&body), "KSEA", &mut oddities).unwrap();
        assert_eq!(
            serde_json::to_string(&reading.observation).unwrap(),
            r#"{"temperature_c":8.0,"pressure_hpa":1015.4,"place":"KSEA","station":"KSEA","source":"nws"}"#
        );
        assert_eq!(oddities.total(), 3, "an unknown unit, a failed check, a unit of something else");
        assert!(read_latest(&parsed(r#"{"properties":{}}"#), "KSEA", &mut oddities).is_err());
    }

    #[test]
    fn a_point_leads_to_its_stations_at_the_configured_host() {
        let place = |latitude, longitude| Place { name: "home".to_owned(), latitude, longitude };
        assert_eq!(point_path(&place(47.606_209_5, -122.33)), "/points/47.6062,-122.33");
        assert_eq!(point_path(&place(-0.000_01, 7.0)), "/points/0,7");
        assert_eq!(read_point(&parsed(POINT)).unwrap(), "/gridpoints/SEW/125,68/stations");
        assert_eq!(read_stations(&parsed(STATIONS)), ["KBFI", "KSEA", "KRNT", "KPAE"]);
        assert_eq!(latest_path("KBFI"), "/stations/KBFI/observations/latest");
        for evil in ["", "https://host", "/a?b", "x"] {
            let body = serde_json::json!({"properties": {"observationStations": evil}}).to_string();
            let path = read_point(&parsed(&body));
            assert!(path.is_err(), "{evil}: {path:?}");
        }
        assert!(read_stations(&parsed(r#"{"features":[]}"#)).is_empty());
    }
}
