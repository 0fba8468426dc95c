//! The United States' National Weather Service.

use serde_json::json;
use tickerd_feed_provider::Fault;
use tickerd_sdk::Health;
use tickerd_test_providers::Reply;
use tickerd_test_providers::nws::Nws;

use crate::{Asked, HOUR_MS, MINUTE_MS};

fn feed(provider: &Nws, config: serde_json::Value) -> Asked {
    let mut config = config;
    config["provider"] = json!("nws");
    config["base_url"] = json!(provider.url());
    Asked::new(config)
}

fn home() -> serde_json::Value {
    json!([{"name": "home", "latitude": 47.606_209, "longitude": -122.332}])
}

fn paths(provider: &Nws) -> Vec<String> {
    provider.requests().into_iter().map(|request| request.path).collect()
}

#[test]
fn a_place_is_found_once_and_then_its_station_is_asked() {
    let provider = Nws::start(&["KBFI"], 0);
    let mut feed = feed(&provider, json!({"places": home(), "contact": "ops@example.org"}));
    let sample = &feed.ask().unwrap()[0];
    assert_eq!((sample.topic.as_str(), &sample.value["station"]), ("home", &json!("KBFI")));
    assert_eq!((&sample.value["wind_ms"], &sample.value["pressure_hpa"]), (&json!(4.1), &json!(1015.1)));
    assert_eq!((&sample.value["humidity_pct"], sample.value.get("wind_gust_ms")), (&json!(80.12), None));
    assert_eq!(sample.source_time_ms, Some(1_795_474_380_000));
    feed.ask().unwrap();
    assert_eq!(
        paths(&provider),
        [
            "/points/47.6062,-122.332",
            "/gridpoints/SEW/125,68/stations",
            "/stations/KBFI/observations/latest",
            "/stations/KBFI/observations/latest",
        ]
    );
    let agent = provider.requests()[0].header("user-agent").unwrap().to_owned();
    assert!(agent.contains("ops@example.org"), "{agent}");
}

#[test]
fn an_unchanged_observation_is_asked_for_conditionally_and_counts_as_news() {
    let provider = Nws::start(&["KSEA"], 0);
    let mut feed = feed(&provider, json!({"stations": ["KSEA"]}));
    let first = feed.ask().unwrap();
    let second = feed.ask().unwrap();
    assert_eq!(first[0].json, second[0].json);
    let requests = provider.requests();
    assert_eq!(requests[0].header("if-none-match"), None);
    assert_eq!(requests[1].header("if-none-match"), Some("\"KSEA-1\""));
    assert_eq!(requests[1].header("if-modified-since"), Some("Mon, 23 Nov 2026 22:57:00 GMT"));

    provider.observe("KSEA", "temperature", json!({"unitCode": "wmoUnit:degF", "value": 50}));
    assert_eq!(feed.ask().unwrap()[0].value["temperature_c"], 10);
}

#[test]
fn an_observation_that_still_holds_is_not_asked_for() {
    let provider = Nws::start(&["KSEA"], 300);
    let mut feed = feed(&provider, json!({"stations": ["KSEA"]}));
    for (minutes, requests) in [(0, 1), (2, 1), (2, 1), (2, 2)] {
        feed.test.advance_ms(minutes * MINUTE_MS);
        assert_eq!(feed.topics(), ["KSEA"], "it is not stale meanwhile");
        assert_eq!(provider.requests().len(), requests);
    }
}

#[test]
fn the_stations_near_a_place_are_looked_up_again_after_a_day() {
    let provider = Nws::start(&["KBFI"], 0);
    let mut feed = feed(&provider, json!({"places": home()}));
    feed.topics();
    feed.test.advance_ms(25 * HOUR_MS);
    provider.observe("KBFI", "timestamp", json!("2026-11-24T23:53:00+00:00"));
    assert_eq!(feed.topics(), ["home"]);
    let requests = provider.requests();
    assert_eq!(requests.len(), 6);
    assert_eq!(requests[3].header("if-none-match"), Some("\"point\""));
    assert_eq!(requests[4].header("if-none-match"), Some("\"stations\""));
}

#[test]
fn a_place_it_does_not_serve_is_named_by_the_problems_detail() {
    let provider = Nws::start(&["KBFI"], 0);
    let oslo = json!({"name": "oslo", "latitude": 59.91, "longitude": 10.75});
    let mut feed = feed(&provider, json!({"places": [oslo, home()[0]], "stations": ["KXXX"]}));
    assert_eq!(feed.topics(), ["home"]);
    let (health, reason) = feed.health();
    assert_eq!(health, Health::Degraded);
    assert!(
        reason.contains("oslo: ")
            && reason.contains("Unable to provide data for requested point 59.91,10.75"),
        "{reason}"
    );
    assert!(reason.contains("Unable to find observations of KXXX"), "{reason}");
}

/// One station's connection breaks: it is named, the other comes; when it answers 304 next, its last value holds.
#[test]
fn a_station_that_breaks_off_does_not_stop_the_others() {
    let provider = Nws::start(&["KSEA", "KBFI"], 0);
    let mut feed = feed(&provider, json!({"stations": ["KSEA", "KBFI"]}));
    feed.topics();
    provider.script().then_to("KSEA", Reply::json(&json!({"properties": {}})).reset(5));
    assert_eq!(feed.topics(), ["KBFI"]);
    assert!(feed.health().1.starts_with("1 of 2 places have no weather: KSEA: "), "{:?}", feed.health());
    assert_eq!(feed.topics(), ["KSEA", "KBFI"]);
    assert_eq!(feed.health(), (Health::Up, String::new()));
}

/// A provider that tells nothing is not asked for all of fifty stations. The next round goes on where this one ended.
#[test]
fn a_provider_that_is_gone_is_not_asked_for_every_station() {
    let provider = Nws::start(&[], 0);
    let stations: Vec<_> = (0..50).map(|n| format!("K{n:03}")).collect();
    for _ in 0..20 {
        provider.script().then(Reply::status(503));
    }
    let mut feed = feed(&provider, json!({"stations": stations}));
    for _ in 0..2 {
        assert!(matches!(feed.ask(), Err(Fault::Unavailable { .. })));
    }
    let asked: Vec<_> =
        stations.iter().take(20).map(|id| format!("/stations/{id}/observations/latest")).collect();
    assert_eq!(paths(&provider), asked);
}
