//! api.weather.gov as it behaves: points, the stations near them, their latest observations (its OpenAPI, November
//! 2026).

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::{Reply, Request, Scripted};

/// The stations near every point, the nearest first.
const NEAREST: [&str; 3] = ["KBFI", "KSEA", "KRNT"];
/// When every observation was made, and last changed.
const OBSERVED: (&str, &str) = ("2026-11-23T22:53:00+00:00", "Mon, 23 Nov 2026 22:57:00 GMT");

type Stations = BTreeMap<String, (u32, Value)>;

/// api.weather.gov on loopback.
pub struct Nws {
    mock: Scripted,
    stations: Arc<Mutex<Stations>>,
}

impl Nws {
    /// Starts it with the observations of those stations, each of which may be kept for `fresh_s` seconds.
    pub fn start(stations: &[&str], fresh_s: u32) -> Nws {
        let stations: Stations = stations.iter().map(|id| ((*id).to_owned(), (1, observation()))).collect();
        let stations = Arc::new(Mutex::new(stations));
        let mock = {
            let stations = stations.clone();
            Scripted::start(move |request| answer(request, &locked(&stations), fresh_s))
        };
        Nws { mock, stations }
    }

    /// Has a station observe something: `value` in place of one property.
    pub fn observe(&self, station: &str, property: &str, value: Value) {
        let mut stations = locked(&self.stations);
        let (version, properties) = stations.entry(station.to_owned()).or_insert_with(|| (0, observation()));
        *version += 1;
        properties[property] = value;
    }

    /// Has a station's observation be made at another time, in Unix seconds.
    pub fn observed(&self, station: &str, at_s: u64) {
        let at = i64::try_from(at_s).ok().and_then(|at_s| jiff::Timestamp::from_second(at_s).ok());
        let at = at.expect("it is a time of this century");
        self.observe(station, "timestamp", json!(at.to_string()));
    }

    /// Has a station observe no more.
    pub fn close(&self, station: &str) {
        locked(&self.stations).remove(station);
    }
}

impl Deref for Nws {
    type Target = Scripted;

    fn deref(&self) -> &Scripted {
        &self.mock
    }
}

fn locked(stations: &Mutex<Stations>) -> MutexGuard<'_, Stations> {
    stations.lock().unwrap_or_else(PoisonError::into_inner)
}

fn observation() -> Value {
    let value = |unit: &str, value: Value| json!({"unitCode": format!("wmoUnit:{unit}"), "value": value, "qualityControl": "V"});
    let nothing =
        |unit: &str| json!({"unitCode": format!("wmoUnit:{unit}"), "value": null, "qualityControl": "Z"});
    json!({
        "timestamp": OBSERVED.0, "textDescription": "Mostly Cloudy", "rawMessage": "",
        "temperature": value("degC", json!(12.2)), "dewpoint": value("degC", json!(8.9)),
        "windDirection": value("degree_(angle)", json!(210)), "windSpeed": value("km_h-1", json!(14.76)),
        "windGust": nothing("km_h-1"), "barometricPressure": value("Pa", json!(101_510)),
        "seaLevelPressure": nothing("Pa"), "visibility": value("m", json!(16_090)),
        "precipitationLastHour": nothing("mm"), "relativeHumidity": value("percent", json!(80.123_456_789)),
        "windChill": nothing("degC"), "heatIndex": nothing("degC"),
    })
}

fn answer(request: &Request, stations: &Stations, fresh_s: u32) -> Reply {
    if !request.header("user-agent").is_some_and(|agent| agent.contains("+http")) {
        return problem(403, "Forbidden", "Please identify your application by its User-Agent");
    }
    let path: Vec<&str> = request.path.split('/').skip(1).collect();
    match path[..] {
        ["points", point] => near(point, request),
        ["gridpoints", _, _, "stations"] => {
            let feature = |id: &str| json!({"type": "Feature", "properties": {"stationIdentifier": id}});
            kept(
                json!({"type": "FeatureCollection", "features": NEAREST.map(feature)}),
                "stations",
                3600,
                request,
            )
        }
        ["stations", station, "observations", "latest"] => match stations.get(station) {
            Some((version, properties)) => {
                let feature = json!({
                    "type": "Feature", "geometry": {"type": "Point", "coordinates": [-122.31, 47.45]},
                    "properties": properties,
                });
                kept(feature, &format!("{station}-{version}"), fresh_s, request)
            }
            None => problem(404, "Not Found", &format!("Unable to find observations of {station}")),
        },
        _ => problem(404, "Not Found", "No such endpoint"),
    }
}

fn near(point: &str, request: &Request) -> Reply {
    let degrees: Option<Vec<f64>> = point.split(',').map(|text| text.parse().ok()).collect();
    let Some([latitude, longitude]) = degrees.as_deref() else {
        return problem(400, "Bad Request", "Parameter point is invalid");
    };
    let decimals = |text: &str| text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if point.split(',').any(|text| decimals(text) > 4) {
        return Reply::status(301).header("location", &format!("/points/{latitude:.4},{longitude:.4}"));
    }
    if !(17.0..72.0).contains(latitude) || !(-180.0..-64.0).contains(longitude) {
        return problem(
            404,
            "Data Unavailable For Requested Point",
            &format!("Unable to provide data for requested point {point}"),
        );
    }
    let point = json!({"type": "Feature", "properties": {
        "gridId": "SEW", "gridX": 125, "gridY": 68,
        "observationStations": "https://api.weather.gov/gridpoints/SEW/125,68/stations",
    }});
    kept(point, "point", 3600, request)
}

/// An answer with its marks, or that the one with these marks still holds.
fn kept(body: Value, mark: &str, fresh_s: u32, request: &Request) -> Reply {
    let mark = format!("\"{mark}\"");
    let reply = if request.header("if-none-match") == Some(&mark) {
        Reply::status(304)
    } else {
        Reply::new("application/geo+json", body.to_string())
    };
    reply
        .header("etag", &mark)
        .header("last-modified", OBSERVED.1)
        .header("cache-control", &format!("public, max-age={fresh_s}, s-maxage={fresh_s}"))
}

fn problem(status: u16, title: &str, detail: &str) -> Reply {
    let body = json!({
        "correlationId": "1a2b3c", "title": title, "type": "https://api.weather.gov/problems/Problem",
        "status": status, "detail": detail, "instance": "https://api.weather.gov/requests/1a2b3c",
    });
    Reply::new("application/problem+json", body.to_string()).with_status(status)
}
