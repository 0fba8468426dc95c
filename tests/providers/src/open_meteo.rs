//! Open-Meteo as it behaves: `/v1/forecast` with `current`, for one place or many (open-meteo.com/en/docs, November
//! 2026).

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::{Reply, Request, Scripted};

/// The variables of `current`, their units and their values at every place, unless told otherwise.
const VARIABLES: [(&str, &str, &str); 12] = [
    ("temperature_2m", "°C", "11.50"),
    ("apparent_temperature", "°C", "9.8"),
    ("dew_point_2m", "°C", "6.1"),
    ("relative_humidity_2m", "%", "69"),
    ("wind_speed_10m", "km/h", "18.0"),
    ("wind_gusts_10m", "km/h", "36.0"),
    ("wind_direction_10m", "°", "241"),
    ("pressure_msl", "hPa", "1013.0"),
    ("visibility", "m", "24140.00"),
    ("cloud_cover", "%", "75"),
    ("precipitation", "mm", "0.00"),
    ("weather_code", "wmo code", "2"),
];

/// Open-Meteo on loopback.
pub struct OpenMeteo {
    mock: Scripted,
    values: Arc<Mutex<Map<String, Value>>>,
}

impl OpenMeteo {
    /// Starts it, with the same weather everywhere.
    pub fn start() -> OpenMeteo {
        let values = Arc::<Mutex<Map<String, Value>>>::default();
        let mock = {
            let values = values.clone();
            Scripted::start(move |request| {
                answer(request, &values.lock().unwrap_or_else(PoisonError::into_inner))
            })
        };
        OpenMeteo { mock, values }
    }

    /// Sets a variable everywhere; `time` is when it is, in Unix seconds.
    pub fn set(&self, variable: &str, value: Value) {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).insert(variable.to_owned(), value);
    }

    /// Its answer to more than it allows in that window: `Minutely`, `Hourly`, `Daily`.
    pub fn limit_exceeded(window: &str) -> Reply {
        let reason = format!("{window} API request limit exceeded. Please try again later.");
        error(&reason).with_status(429)
    }
}

impl Deref for OpenMeteo {
    type Target = Scripted;

    fn deref(&self) -> &Scripted {
        &self.mock
    }
}

fn answer(request: &Request, values: &Map<String, Value>) -> Reply {
    if request.path != "/v1/forecast" {
        return Reply::json(&json!({"error": true, "reason": "Not Found"})).with_status(404);
    }
    match forecast(request, values) {
        Ok(locations) => match &locations[..] {
            [one] => Reply::json(one),
            several => Reply::json(&json!(several)),
        },
        Err(reason) => error(&reason).with_status(400),
    }
}

fn error(reason: &str) -> Reply {
    Reply::json(&json!({"error": true, "reason": reason}))
}

fn forecast(request: &Request, values: &Map<String, Value>) -> Result<Vec<Value>, String> {
    let (latitudes, longitudes) =
        (degrees(request, "latitude", 90.0)?, degrees(request, "longitude", 180.0)?);
    if latitudes.len() != longitudes.len() {
        return Err("Parameter 'latitude' and 'longitude' must have the same number of elements".to_owned());
    }
    let is_metric = request.query("wind_speed_unit") == Some("ms");
    let mut units =
        Map::from_iter([("time".to_owned(), json!("unixtime")), ("interval".to_owned(), json!("seconds"))]);
    let mut current = Map::from_iter([("interval".to_owned(), json!(900))]);
    current.insert(
        "time".to_owned(),
        match request.query("timeformat") {
            Some("unixtime") => values.get("time").cloned().unwrap_or_else(|| json!(1_795_474_800)),
            _ => json!("2026-11-23T23:00"),
        },
    );
    for name in request.query("current").unwrap_or("").split(',') {
        let known = VARIABLES.iter().find(|(known, ..)| *known == name);
        let Some((_, unit, value)) = known else {
            return Err(format!(
                "Data corrupted at path ''. Cannot initialize VariableAndPreset from invalid String value {name}."
            ));
        };
        let unit = if is_metric { unit.replace("km/h", "m/s") } else { (*unit).to_owned() };
        let number: Value = serde_json::from_str(value).map_err(|e| e.to_string())?;
        let number = match number.as_f64() {
            Some(kmh) if unit == "m/s" => json!(kmh / 3.6),
            _ => number,
        };
        units.insert(name.to_owned(), json!(unit));
        current.insert(name.to_owned(), values.get(name).cloned().unwrap_or(number));
    }
    let location = |(at, (latitude, longitude)): (usize, (f64, f64))| {
        let mut location = json!({
            "latitude": latitude, "longitude": longitude, "generationtime_ms": 0.2, "utc_offset_seconds": 0,
            "timezone": "GMT", "timezone_abbreviation": "GMT", "elevation": 38.0,
            "current_units": units, "current": current,
        });
        if at > 0 {
            location["location_id"] = json!(at);
        }
        location
    };
    Ok(latitudes.into_iter().zip(longitudes).enumerate().map(location).collect())
}

fn degrees(request: &Request, name: &str, most: f64) -> Result<Vec<f64>, String> {
    let list = request.query(name).ok_or_else(|| format!("Parameter '{name}' is required"))?;
    let parse = |text: &str| {
        text.parse()
            .ok()
            .filter(|value: &f64| value.abs() <= most)
            .ok_or_else(|| format!("Cannot initialize Float from invalid String value {text} for key {name}"))
    };
    list.split(',').map(parse).collect()
}
