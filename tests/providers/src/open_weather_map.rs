//! OpenWeatherMap as it behaves: `/data/2.5/weather` (openweathermap.org/current, November 2026).

use serde_json::json;

use crate::{Reply, Request, Scripted};

/// Starts it on loopback; it serves those who send `key`.
pub fn start(key: &str) -> Scripted {
    let key = key.to_owned();
    Scripted::start(move |request| answer(request, &key))
}

/// Its answer to who asks for more than the plan covers.
pub fn limit_exceeded() -> Reply {
    Reply::json(&json!({
        "cod": 429,
        "message": "Your account is temporary blocked due to exceeding of requests limitation of your subscription type.",
    }))
    .with_status(429)
}

fn answer(request: &Request, key: &str) -> Reply {
    if request.path != "/data/2.5/weather" {
        return Reply::json(&json!({"cod": "404", "message": "Internal error"})).with_status(404);
    }
    if request.query("appid") != Some(key) {
        // It repeats the key, as some do.
        let sent = request.query("appid").unwrap_or("none");
        let message = format!(
            "Invalid API key {sent}. Please see https://openweathermap.org/faq#error401 for more info."
        );
        return Reply::json(&json!({"cod": 401, "message": message})).with_status(401);
    }
    let degrees =
        |name: &str, most: f64| request.query(name)?.parse().ok().filter(|value: &f64| value.abs() <= most);
    let (Some(latitude), Some(longitude)) = (degrees("lat", 90.0), degrees("lon", 180.0)) else {
        return Reply::json(&json!({"cod": "400", "message": "wrong latitude"})).with_status(400);
    };
    // Without units it answers in kelvins.
    let temperature = if request.query("units") == Some("metric") { json!(12.3) } else { json!(285.45) };
    Reply::json(&json!({
        "coord": {"lon": longitude, "lat": latitude},
        "weather": [{"id": 800, "main": "Clear", "description": "clear sky", "icon": "01d"}],
        "main": {"temp": temperature, "feels_like": 11.5, "pressure": 1016, "humidity": 71},
        "visibility": 10_000, "wind": {"speed": 3.6, "deg": 220, "gust": 6.1}, "clouds": {"all": 0},
        "dt": 1_795_474_800, "sys": {"country": "FR"}, "timezone": 3600, "id": 2_988_507, "name": "Somewhere", "cod": 200,
    }))
}
