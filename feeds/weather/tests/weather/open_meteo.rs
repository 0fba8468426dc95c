//! Open-Meteo.

use serde_json::json;
use tickerd_sdk::Health;
use tickerd_test_providers::Reply;
use tickerd_test_providers::open_meteo::OpenMeteo;

use crate::Asked;

#[test]
fn three_cities_come_with_one_request_and_no_configuration() {
    let provider = OpenMeteo::start();
    let mut feed = Asked::new(json!({"base_url": provider.url()}));
    let samples = feed.ask().unwrap();
    let topics: Vec<_> = samples.iter().map(|sample| sample.topic.as_str()).collect();
    assert_eq!(topics, ["oslo", "lisbon", "nairobi"]);
    let requests = provider.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].query("latitude"), Some("59.91,38.72,-1.29"));
    assert_eq!(requests[0].query("wind_speed_unit"), Some("ms"));
    assert!(requests[0].header("user-agent").unwrap().starts_with("tickerd/"));

    let oslo = &samples[0];
    assert_eq!((oslo.event.as_str(), oslo.source_time_ms), ("weather", Some(1_795_474_800_000)));
    let value = &oslo.value;
    assert_eq!((&value["temperature_c"], &value["wind_ms"]), (&json!(11.5), &json!(5.0)));
    assert_eq!((&value["condition"], &value["precipitation_s"]), (&json!("partly cloudy"), &json!(900)));
    assert!(oslo.json.contains("\"pressure_hpa\":1013.0,"), "the digits stay: {}", oslo.json);
    let attribution = value["attribution"].as_str().unwrap();
    assert!(attribution.contains("Open-Meteo.com") && attribution.contains("CC BY 4.0"));
    assert!(feed.texts().iter().any(|line| line.contains(attribution)), "{:?}", feed.texts());
}

#[test]
fn one_place_is_answered_by_an_object() {
    let provider = OpenMeteo::start();
    let places = json!([{"name": "home", "latitude": -33.9, "longitude": 151.2}]);
    let mut feed = Asked::new(json!({"base_url": provider.url(), "places": places}));
    let samples = feed.ask().unwrap();
    assert_eq!((samples[0].topic.as_str(), &samples[0].value["latitude"]), ("home", &json!(-33.9)));
}

/// A hundred places a request: 250 are three requests, in which none is lost and none comes twice.
#[test]
fn more_places_than_a_url_holds_are_split() {
    let provider = OpenMeteo::start();
    let places: Vec<_> =
        (0..250).map(|n| json!({"name": format!("p{n}"), "latitude": 1.5, "longitude": n - 125})).collect();
    let mut feed = Asked::new(json!({"base_url": provider.url(), "places": places}));
    let topics = feed.topics();
    assert_eq!(topics, (0..250).map(|n| format!("p{n}")).collect::<Vec<_>>());
    assert_eq!(provider.requests().len(), 3);
}

#[test]
fn an_absurd_value_is_left_out_and_told_once() {
    let provider = OpenMeteo::start();
    provider.set("apparent_temperature", json!(-300));
    provider.set("wind_speed_10m", json!("calm"));
    provider.set("cloud_cover", json!(null));
    let mut feed = Asked::new(json!({"base_url": provider.url()}));
    for _ in 0..2 {
        let samples = feed.ask().unwrap();
        assert_eq!(samples.len(), 3);
        for absent in ["feels_like_c", "wind_ms", "cloud_pct"] {
            assert_eq!(samples[0].value.get(absent), None, "{absent}");
        }
        assert_eq!(samples[0].value["humidity_pct"], 69);
    }
    let texts = feed.texts();
    let odd: Vec<_> = texts.iter().filter(|line| line.starts_with("oslo")).collect();
    assert_eq!(odd.len(), 2, "{texts:?}");
    assert!(odd[0].contains("-300 °C cannot be") && odd[1].contains("`calm` is no number"), "{odd:?}");
}

/// One location of the array is an error: it is named, and the two others come.
#[test]
fn a_place_that_fails_does_not_stop_the_others() {
    let provider = OpenMeteo::start();
    let location = json!({
        "current_units": {"temperature_2m": "°C"}, "current": {"time": 1_795_474_800, "temperature_2m": 3.0},
    });
    let error = json!({"error": true, "reason": "no data for this location"});
    provider.script().then(Reply::json(&json!([location, error, location])));
    let mut feed = Asked::new(json!({"base_url": provider.url()}));
    assert_eq!(feed.topics(), ["oslo", "nairobi"]);
    let reason = "1 of 3 places have no weather: lisbon: no data for this location";
    assert_eq!(feed.health(), (Health::Degraded, reason.to_owned()));
    assert_eq!(feed.topics(), ["oslo", "lisbon", "nairobi"]);
    assert_eq!(feed.health(), (Health::Up, String::new()));
    let texts = feed.texts();
    assert!(texts.iter().any(|line| line == "lisbon has weather again"), "{texts:?}");
}
