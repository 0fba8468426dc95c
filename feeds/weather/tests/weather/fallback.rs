//! A place that fails does not keep the others from being asked and told.

use serde_json::{Value, json};
use tickerd_feed_provider::Fault;
use tickerd_sdk::Health;
use tickerd_test_providers::nws::Nws;
use tickerd_test_providers::open_meteo::OpenMeteo;
use tickerd_test_providers::{Reply, open_weather_map};

use crate::{Asked, HOUR_MS};

const KEY: &str = "c0ffee1234";

/// What can come instead of an observation.
fn failures() -> Vec<Reply> {
    let mut failures: Vec<_> =
        [400, 401, 402, 403, 404, 410, 418, 429, 500, 502, 503, 504, 599].map(Reply::status).into();
    failures.extend([
        Reply::status(204),
        Reply::json_text(""),
        Reply::json_text("null"),
        Reply::json_text("[]"),
        Reply::json_text("{\"properties\": {\"timesta"),
        Reply::json(&json!({"properties": {"temperature": {"unitCode": "wmoUnit:degC", "value": null}}})),
        Reply::json(&json!({"properties": {"temperature": 12.2}})),
        Reply::page("Service unavailable"),
        Reply::page("Bad gateway").with_status(502),
        Reply::json(&json!({"properties": {}})).reset(3),
        Reply::json(&json!({"properties": {}})).truncated(3),
        Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"),
    ]);
    failures
}

fn nws(provider: &Nws, stations: &[String]) -> Asked {
    Asked::new(json!({"provider": "nws", "base_url": provider.url(), "stations": stations}))
}

fn home(provider: &Nws) -> Asked {
    let place = json!({"name": "home", "latitude": 47.61, "longitude": -122.33});
    Asked::new(json!({"provider": "nws", "base_url": provider.url(), "places": [place]}))
}

/// Which stations were asked, in order.
fn stations_asked(provider: &Nws) -> Vec<String> {
    let station = |path: &str| Some(path.strip_prefix("/stations/")?.split('/').next()?.to_owned());
    provider.requests().iter().filter_map(|request| station(&request.path)).collect()
}

#[test]
fn whatever_a_station_answers_the_next_one_is_asked() {
    for failure in failures() {
        let provider = Nws::start(&["KBFI", "KSEA", "KRNT"], 0);
        for station in ["KBFI", "KSEA"] {
            provider.script().then_to(station, failure.clone());
        }
        let mut feed = home(&provider);
        let samples = feed.ask().unwrap_or_else(|fault| panic!("{failure:?}: {fault}"));
        assert_eq!(samples[0].value["station"], "KRNT", "{failure:?}");
        assert_eq!(stations_asked(&provider), ["KBFI", "KSEA", "KRNT"]);
        assert_eq!(feed.health(), (Health::Up, String::new()), "{failure:?}");
        feed.ask().unwrap();
        assert_eq!(stations_asked(&provider).len(), 4, "the one that talks is asked first from then on");
    }
}

#[test]
fn whatever_three_stations_answer_the_fourth_is_told_in_the_same_round() {
    for failure in failures() {
        // The limit is believed when it comes three times.
        let down = if matches!(&failure, reply if format!("{reply:?}").contains("429")) { 2 } else { 3 };
        let provider = Nws::start(&["K999"], 0);
        let mut stations: Vec<_> = (0..down).map(|n| format!("K{n:03}")).collect();
        for station in &stations {
            provider.script().then_to(station, failure.clone());
        }
        stations.push("K999".to_owned());
        let mut feed = nws(&provider, &stations);
        let samples = feed.ask().unwrap_or_else(|fault| panic!("{failure:?}: {fault}"));
        assert_eq!(samples[0].topic, "K999", "{failure:?}");
        let (health, reason) = feed.health();
        assert_eq!(health, Health::Degraded, "{failure:?}");
        assert!(
            reason.contains(&format!("{down} of {} places have no weather: K000: ", down + 1)),
            "{reason}"
        );
    }
}

/// Thirty stations are down for good, and one among them works: it is told after a few rounds, and then in each.
#[test]
fn a_station_behind_many_that_fail_is_told() {
    let provider = Nws::start(&["K025"], 0);
    let stations: Vec<_> = (0..30).map(|n| format!("K{n:03}")).collect();
    for _ in 0..10 {
        stations
            .iter()
            .filter(|id| *id != "K025")
            .for_each(|id| provider.script().then_to(id, Reply::status(500)));
    }
    let mut feed = nws(&provider, &stations);
    for _ in 0..2 {
        assert!(matches!(feed.ask(), Err(Fault::Unavailable { .. })), "nothing has come yet");
    }
    assert_eq!(feed.topics(), ["K025"]);
    assert_eq!(feed.health().0, Health::Degraded);
    let mut asked = stations_asked(&provider);
    asked.sort();
    asked.dedup();
    assert_eq!(asked, stations, "and so was everybody else");
}

/// A limit concerns the whole provider. With a time to wait, no other place is asked; without one, it is believed the
/// third time. The next round goes on with the places that were not asked.
#[test]
fn a_limit_ends_the_round_and_the_next_one_goes_on_behind_it() {
    let provider = Nws::start(&["K003"], 0);
    for station in ["K000", "K001", "K002"] {
        provider.script().then_to(station, Reply::status(429));
    }
    let stations: Vec<_> = (0..4).map(|n| format!("K{n:03}")).collect();
    let mut feed = nws(&provider, &stations);
    assert!(matches!(feed.ask(), Err(Fault::Limited { wait: None, .. })));
    assert_eq!(stations_asked(&provider), ["K000", "K001", "K002"]);
    provider.script().then_to("K000", Reply::status(429).header("retry-after", "600"));
    assert!(matches!(feed.ask(), Err(Fault::Limited { wait: Some(_), .. })));
    assert_eq!(stations_asked(&provider), ["K000", "K001", "K002", "K003", "K000"]);
}

#[test]
fn a_place_whose_stations_cannot_be_found_does_not_stop_the_others() {
    let provider = Nws::start(&["KBFI"], 0);
    provider.script().then_to("/points/47.61,", Reply::status(500));
    provider.script().then_to("/points/48.5,", Reply::page("Log in"));
    let place = |name: &str, latitude: f64| json!({"name": name, "latitude": latitude, "longitude": -122.33});
    let places = json!([place("a", 47.61), place("b", 48.5), place("c", 47.2)]);
    let config = json!({"provider": "nws", "base_url": provider.url(), "places": places});
    let mut feed = Asked::new(config);
    assert_eq!(feed.topics(), ["c"]);
    let reason = feed.health().1;
    assert!(reason.starts_with("2 of 3 places have no weather: a: ") && reason.contains("500"), "{reason}");
    assert_eq!(feed.topics(), ["a", "b", "c"]);
}

/// A second place near the same stations is answered by 304 where the first one was told.
#[test]
fn places_near_the_same_station_are_all_told() {
    let provider = Nws::start(&["KBFI"], 0);
    let place = |name: &str, latitude: f64| json!({"name": name, "latitude": latitude, "longitude": -122.33});
    let places = json!([place("a", 47.61), place("b", 47.61), place("c", 47.62)]);
    let mut feed = Asked::new(
        json!({"provider": "nws", "base_url": provider.url(), "places": places, "stations": ["KBFI"]}),
    );
    let samples = feed.ask().unwrap();
    let told: Vec<_> =
        samples.iter().map(|sample| (sample.topic.as_str(), sample.value["place"].clone())).collect();
    assert_eq!(told, ["a", "b", "c", "KBFI"].map(|name| (name, json!(name))));
    assert!(samples.iter().all(|sample| sample.value["station"] == "KBFI"));
}

#[test]
fn the_stations_of_yesterday_serve_where_those_of_today_are_not_told() {
    let provider = Nws::start(&["KBFI"], 0);
    let mut feed = home(&provider);
    assert_eq!(feed.topics(), ["home"]);
    feed.test.advance_ms(25 * HOUR_MS);
    provider.observe("KBFI", "timestamp", json!("2026-11-24T23:53:00+00:00"));
    provider.script().then_to("/points/", Reply::status(503));
    assert_eq!(feed.topics(), ["home"]);
    assert_eq!(feed.health(), (Health::Up, String::new()));
}

#[test]
fn whatever_comes_for_one_place_of_openweathermap_the_others_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, KEY).unwrap();
    for failure in failures() {
        let provider = open_weather_map::start(KEY);
        provider.script().then_to("lat=1.5&", failure.clone());
        let place = |n: usize| json!({"name": format!("p{n}"), "latitude": n as f64 + 0.5, "longitude": 2});
        let mut feed = Asked::new(json!({
            "provider": "openweathermap", "base_url": provider.url(), "key": {"file": file},
            "places": (0..4).map(place).collect::<Vec<_>>(),
        }));
        let samples = feed.ask().unwrap_or_else(|fault| panic!("{failure:?}: {fault}"));
        let topics: Vec<_> = samples.iter().map(|sample| sample.topic.as_str()).collect();
        assert_eq!(topics, ["p0", "p2", "p3"], "{failure:?}");
        assert!(feed.health().1.starts_with("1 of 4 places have no weather: p1: "), "{:?}", feed.health());
    }
}

/// Open-Meteo is asked for a hundred places at once. A request that fails costs its own places alone.
#[test]
fn a_request_that_fails_does_not_stop_the_other_requests() {
    let provider = OpenMeteo::start();
    provider.script().then(Reply::status(500));
    let mut feed = Asked::new(json!({"base_url": provider.url(), "places": many_places(250)}));
    assert_eq!(feed.topics().len(), 150);
    let (health, reason) = feed.health();
    assert_eq!(health, Health::Degraded);
    assert!(reason.starts_with("100 of 250 places have no weather: p0: "), "{reason}");
    assert!(reason.ends_with("; and 95 more"), "{reason}");
    assert_eq!(feed.topics().len(), 250);
}

/// One place among a hundred makes the whole request fail. It is found, named, and asked for by itself from then on.
#[test]
fn a_place_that_spoils_a_request_is_asked_for_alone() {
    let provider = OpenMeteo::start();
    let refused = || Reply::json(&json!({"error": true, "reason": "no data for p37"})).with_status(400);
    // All seven requests with this place, from a hundred places down to one.
    for _ in 0..7 {
        provider.script().then_to("29.00001", refused());
    }
    let mut feed = Asked::new(json!({"base_url": provider.url(), "places": many_places(100)}));
    let topics = feed.topics();
    assert!(provider.script().is_done());
    assert_eq!(topics.len(), 99);
    assert!(!topics.contains(&"p37".to_owned()));
    let (health, reason) = feed.health();
    assert_eq!(health, Health::Degraded);
    assert!(reason.starts_with("1 of 100 places have no weather: p37: "), "{reason}");
    assert!(reason.contains("no data for p37"), "{reason}");

    let before = provider.requests().len();
    assert_eq!(feed.topics().len(), 100, "it is known again");
    let asked: Vec<_> = provider.requests().split_off(before);
    assert_eq!(asked.len(), 2, "the others together, and the one alone");
    assert_eq!(asked[1].query("latitude"), Some("29.00001"));
    feed.topics();
    assert_eq!(provider.requests().len(), before + 3, "and then with the others");
}

fn many_places(count: usize) -> Vec<Value> {
    let latitude = |n: usize| if n == 37 { 29.000_01 } else { 1.5 };
    let place = |n: usize| json!({"name": format!("p{n}"), "latitude": latitude(n), "longitude": 1});
    (0..count).map(place).collect()
}

#[test]
fn nothing_at_all_is_told_where_nothing_is_usable() {
    let provider = Nws::start(&["KBFI", "KSEA", "KRNT"], 0);
    for station in ["KBFI", "KSEA", "KRNT"] {
        provider.observe(station, "temperature", json!({"unitCode": "wmoUnit:degC", "value": null}));
    }
    let mut feed = home(&provider);
    assert_eq!(feed.topics(), Vec::<String>::new());
    let reason = "1 of 1 places have no weather: home: KBFI tells no temperature";
    assert_eq!(feed.health(), (Health::Down, reason.to_owned()));
}
