//! OpenWeatherMap.

use serde_json::{Value, json};
use tickerd_feed_provider::Fault;
use tickerd_sdk::Health;
use tickerd_test_providers::{Reply, Scripted, open_weather_map};

use crate::Asked;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A feed with `key` in a file of its own.
fn feed(provider: &Scripted, key: &str) -> (Asked, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let file = folder.path().join("key");
    std::fs::write(&file, key).expect("the key is written");
    let place = |name: &str, latitude: f64| json!({"name": name, "latitude": latitude, "longitude": 2.35});
    let feed = Asked::new(json!({
        "provider": "openweathermap", "base_url": provider.url(), "key": {"file": file},
        "places": [place("paris", 48.85), place("lyon", 45.76)],
    }));
    (feed, folder)
}

fn holds_key(feed: &Asked, fault: Option<&Fault>) -> bool {
    let fault = fault.map(|fault| format!("{fault} {fault:?}"));
    feed.texts().into_iter().chain(fault).any(|text| text.contains(KEY) || text.contains("wrong-key"))
}

#[test]
fn each_place_is_asked_for_in_metric_units() {
    let provider = open_weather_map::start(KEY);
    let (mut feed, _folder) = feed(&provider, KEY);
    let samples = feed.ask().unwrap();
    let of = |n: usize, key: &str| -> Value { samples[n].value[key].clone() };
    assert_eq!((samples[0].topic.as_str(), of(0, "temperature_c")), ("paris", json!(12.3)));
    assert_eq!((samples[1].topic.as_str(), of(1, "latitude")), ("lyon", json!(45.76)));
    assert_eq!((of(0, "visibility_over"), of(0, "wind_gust_ms")), (json!(true), json!(6.1)));
    assert_eq!(of(0, "attribution"), "Weather data provided by OpenWeather");
    assert_eq!(provider.requests()[0].query("units"), Some("metric"));
    assert!(!holds_key(&feed, None), "{:?}", feed.texts());
}

#[test]
fn a_refused_key_is_for_a_person_and_shows_nowhere() {
    let provider = open_weather_map::start(KEY);
    let (mut feed, _folder) = feed(&provider, "wrong-key");
    let fault = feed.ask().unwrap_err();
    assert!(matches!(fault, Fault::Refused { status: 401, .. }), "{fault:?}");
    assert!(fault.to_string().contains("Invalid API key ***"), "{fault}");
    assert!(!holds_key(&feed, Some(&fault)), "{fault} {:?}", feed.texts());
    assert_eq!(provider.requests().len(), 2, "the second place shows that it is the key");
}

#[test]
fn errors_under_status_200_are_seen_for_what_they_are() {
    let provider = open_weather_map::start(KEY);
    let (mut feed, _folder) = feed(&provider, KEY);
    let answered =
        |reply: serde_json::Value| (0..2).for_each(|_| provider.script().then(Reply::json(&reply)));
    answered(json!({"cod": 429, "message": "blocked"}));
    assert!(matches!(feed.ask(), Err(Fault::Limited { .. })));
    answered(json!({"cod": "401", "message": format!("Invalid API key {KEY}.")}));
    let fault = feed.ask().unwrap_err();
    assert!(matches!(fault, Fault::Refused { status: 401, .. }), "{fault:?}");
    assert!(!holds_key(&feed, Some(&fault)), "{fault}");
}

#[test]
fn a_place_it_does_not_know_is_named_and_the_other_comes() {
    let provider = open_weather_map::start(KEY);
    let (mut feed, _folder) = feed(&provider, KEY);
    provider
        .script()
        .then_to("48.85", Reply::json(&json!({"cod": "404", "message": "city not found"})).with_status(404));
    assert_eq!(feed.topics(), ["lyon"]);
    let (health, reason) = feed.health();
    assert_eq!(health, Health::Degraded);
    assert!(
        reason.contains("1 of 2 places") && reason.contains("paris: ") && reason.contains("city not found"),
        "{reason}"
    );
    assert!(!holds_key(&feed, None), "{reason}");
    assert_eq!(feed.topics(), ["paris", "lyon"]);
}

/// Its limit concerns the key. It does not say how long to wait, so the next place is asked before the limit is
/// believed.
#[test]
fn its_limit_is_told_when_no_place_comes() {
    let provider = open_weather_map::start(KEY);
    let (mut feed, _folder) = feed(&provider, KEY);
    (0..2).for_each(|_| provider.script().then(open_weather_map::limit_exceeded()));
    let fault = feed.ask().unwrap_err();
    assert!(
        matches!(fault, Fault::Limited { .. }) && fault.to_string().contains("temporary blocked"),
        "{fault}"
    );
    assert_eq!(provider.requests().len(), 2);
}
