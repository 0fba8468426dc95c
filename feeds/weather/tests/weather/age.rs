//! Old observations: one that is older than its kind allows, or is dated ahead, is marked as such.

use serde_json::{Value, json};
use tickerd_sdk::Health;
use tickerd_test_providers::metar::{Metar, report};
use tickerd_test_providers::nws::Nws;
use tickerd_test_providers::open_meteo::OpenMeteo;
use tickerd_test_providers::{Reply, open_weather_map};

use crate::{Asked, HOUR_MS, MINUTE_MS, NOW_MS};

/// 22:53, 17 minutes ago, as the mock has it.
const OBSERVED_MS: u64 = 1_795_474_380_000;
const THREE_DAYS_AGO: &str = "2026-11-20T22:53:00+00:00";
const FIVE_HOURS_AGO: &str = "2026-11-23T18:00:00+00:00";
const TOMORROW: &str = "2026-11-24T22:53:00+00:00";
const IN_ONE_HOUR: &str = "2026-11-24T00:15:00+00:00";

/// A place near KBFI, KSEA and KRNT, which were observed at these times.
fn home(times: [&str; 3]) -> (Nws, Asked) {
    let provider = Nws::start(&["KBFI", "KSEA", "KRNT"], 0);
    for (station, time) in ["KBFI", "KSEA", "KRNT"].into_iter().zip(times) {
        provider.observe(station, "timestamp", json!(time));
    }
    let place = json!({"name": "home", "latitude": 47.61, "longitude": -122.33});
    let feed = Asked::new(json!({"provider": "nws", "base_url": provider.url(), "places": [place]}));
    (provider, feed)
}

#[test]
fn an_old_observation_makes_way_for_the_next_stations() {
    for not_current in [THREE_DAYS_AGO, IN_ONE_HOUR, "yesterday", ""] {
        let (_provider, mut feed) = home([not_current, "2026-11-23T22:53:00+00:00", THREE_DAYS_AGO]);
        let samples = feed.ask().unwrap();
        assert_eq!((&samples[0].value["station"], samples[0].value.get("stale")), (&json!("KSEA"), None));
        assert_eq!(samples[0].source_time_ms, Some(OBSERVED_MS), "{not_current}");
        assert_eq!(feed.health(), (Health::Up, String::new()), "{not_current}");
    }
}

#[test]
fn where_all_are_old_the_newest_is_told_as_stale_with_its_age() {
    let (provider, mut feed) = home([THREE_DAYS_AGO, FIVE_HOURS_AGO, TOMORROW]);
    let samples = feed.ask().unwrap();
    assert_eq!((&samples[0].value["station"], &samples[0].value["stale"]), (&json!("KSEA"), &json!(true)));
    assert_eq!(samples[0].source_time_ms, Some(OBSERVED_MS - 293 * MINUTE_MS));
    let reason =
        |age| format!("1 of 1 places have no current weather: home: the observation of KSEA is {age} old");
    assert_eq!(feed.health(), (Health::Stale, reason("5 h")));
    feed.test.advance_ms(HOUR_MS);
    feed.ask().unwrap();
    assert_eq!(feed.health(), (Health::Stale, reason("6 h")));
    assert_eq!(feed.texts().iter().filter(|line| line.starts_with("home has no current weather")).count(), 1);

    provider.observe("KBFI", "timestamp", json!("2026-11-24T00:00:00+00:00"));
    assert_eq!(feed.ask().unwrap()[0].value["station"], "KBFI");
    assert_eq!(feed.health(), (Health::Up, String::new()));
    assert!(feed.texts().iter().any(|line| line == "home has weather again"), "{:?}", feed.texts());
}

/// An impossible time is not passed on, and the right one that follows is told.
#[test]
fn an_observation_that_is_dated_ahead_does_not_freeze_what_follows() {
    let (provider, mut feed) = home([IN_ONE_HOUR; 3]);
    let samples = feed.ask().unwrap();
    assert_eq!((samples[0].source_time_ms, &samples[0].value["stale"]), (None, &json!(true)));
    let (health, reason) = feed.health();
    assert_eq!(health, Health::Stale);
    assert!(
        reason.ends_with("the observation of KBFI is dated 1 h ahead of this machine's clock"),
        "{reason}"
    );

    provider.observe("KBFI", "timestamp", json!("2026-11-23T23:05:00+00:00"));
    let samples = feed.ask().unwrap();
    assert_eq!(samples[0].source_time_ms, Some(NOW_MS - 5 * MINUTE_MS));
    assert_eq!(feed.health(), (Health::Up, String::new()));
}

/// Airports write the full hour some minutes early. Such a time is accepted.
#[test]
fn a_few_minutes_ahead_are_nothing() {
    let (_provider, mut feed) = home(["2026-11-23T23:19:00+00:00", THREE_DAYS_AGO, THREE_DAYS_AGO]);
    let samples = feed.ask().unwrap();
    assert_eq!((&samples[0].value["station"], samples[0].value.get("stale")), (&json!("KBFI"), None));
    assert_eq!(feed.health(), (Health::Up, String::new()));
}

/// Caches of a source may answer in turns. A source that stays behind has begun anew, and is followed.
#[test]
fn an_older_observation_does_not_replace_a_newer_one() {
    let (provider, mut feed) = home(["2026-11-23T23:00:00+00:00", THREE_DAYS_AGO, THREE_DAYS_AGO]);
    let first = feed.ask().unwrap();
    provider.observe("KBFI", "timestamp", json!("2026-11-23T22:00:00+00:00"));
    provider.observe("KBFI", "temperature", json!({"unitCode": "wmoUnit:degC", "value": 3}));
    assert_eq!(feed.ask().unwrap()[0].json, first[0].json);
    assert!(
        feed.texts().iter().any(|line| line.contains("a newer one was told before")),
        "{:?}",
        feed.texts()
    );
    // The same time with another value is a correction.
    provider.observe("KBFI", "timestamp", json!("2026-11-23T23:00:00+00:00"));
    let corrected = feed.ask().unwrap();
    assert_eq!(corrected[0].value["temperature_c"], 3);

    provider.observe("KBFI", "timestamp", json!("2026-11-23T22:45:00+00:00"));
    assert_eq!(feed.ask().unwrap()[0].json, corrected[0].json);
    feed.test.advance_ms(10 * MINUTE_MS);
    assert_eq!(feed.ask().unwrap()[0].source_time_ms, Some(NOW_MS - 25 * MINUTE_MS));
}

/// An observation that was told and is still current is better than another station's from yesterday.
#[test]
fn a_current_observation_stays_where_only_old_ones_follow() {
    let (provider, mut feed) = home(["2026-11-23T22:53:00+00:00", THREE_DAYS_AGO, FIVE_HOURS_AGO]);
    let first = feed.ask().unwrap();
    provider.close("KBFI");
    for _ in 0..2 {
        feed.test.advance_ms(30 * MINUTE_MS);
        assert_eq!(feed.ask().unwrap()[0].json, first[0].json);
        assert_eq!(feed.health(), (Health::Up, String::new()));
    }
    for _ in 0..2 {
        feed.test.advance_ms(HOUR_MS);
        let samples = feed.ask().unwrap();
        assert_eq!(
            (&samples[0].value["station"], &samples[0].value["stale"]),
            (&json!("KBFI"), &json!(true))
        );
        assert_eq!(feed.health().0, Health::Stale);
    }
    provider.observe("KRNT", "timestamp", json!("2026-11-23T23:30:00+00:00"));
    assert_eq!(feed.ask().unwrap()[0].value["station"], "KRNT", "a newer one, old as it is");
}

/// An unchanged answer ages like any other.
#[test]
fn an_observation_that_stays_the_same_grows_old() {
    let provider = Nws::start(&["KSEA", "KBFI"], 0);
    let config = json!({"provider": "nws", "base_url": provider.url(), "stations": ["KSEA", "KBFI"]});
    let mut feed = Asked::new(config);
    feed.ask().unwrap();
    assert_eq!(feed.health(), (Health::Up, String::new()));
    feed.test.advance_ms(2 * HOUR_MS);
    provider.observe("KBFI", "timestamp", json!("2026-11-24T01:00:00+00:00"));
    let samples = feed.ask().unwrap();
    assert_eq!((samples[0].topic.as_str(), &samples[0].value["stale"]), ("KSEA", &json!(true)));
    assert_eq!((samples[1].topic.as_str(), samples[1].value.get("stale")), ("KBFI", None));
    let reason = "1 of 2 places have no current weather: KSEA: the observation of KSEA is 2 h old";
    assert_eq!(feed.health(), (Health::Degraded, reason.to_owned()));
}

/// A Cache-Control of a day does not keep an observation current for a day.
#[test]
fn an_answer_holds_no_longer_than_an_observation_may_be_old() {
    let provider = Nws::start(&["KSEA"], 86_400);
    let config = json!({"provider": "nws", "base_url": provider.url(), "stations": ["KSEA"]});
    let mut feed = Asked::new(config);
    feed.ask().unwrap();
    feed.test.advance_ms(HOUR_MS);
    feed.ask().unwrap();
    assert_eq!(provider.requests().len(), 1);
    feed.test.advance_ms(HOUR_MS);
    feed.ask().unwrap();
    assert_eq!(provider.requests().len(), 2);
    assert_eq!(feed.health().0, Health::Stale);
}

/// What a feed says about observations that are `age_s` seconds old: whether they are stale, and its health.
fn said(feed: &mut Asked) -> (bool, Health, String) {
    let samples = feed.ask().expect("it is told");
    let (health, reason) = feed.health();
    (samples[0].value.get("stale") == Some(&json!(true)), health, reason)
}

#[test]
fn each_provider_has_its_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "c0ffee1234").unwrap();
    for (minutes, open_meteo_is_stale, others_are) in
        [(59, false, false), (61, true, false), (121, true, true)]
    {
        let at_s = NOW_MS / 1000 - minutes * 60;

        let provider = OpenMeteo::start();
        provider.set("time", json!(at_s));
        let mut feed = Asked::new(json!({"base_url": provider.url()}));
        let (stale, health, reason) = said(&mut feed);
        assert_eq!((stale, health == Health::Stale), (open_meteo_is_stale, open_meteo_is_stale), "{minutes}");
        assert!(!stale || reason.contains("oslo: the observation of open-meteo is "), "{reason}");

        let provider = Metar::start(&["KJFK"]);
        let mut told = report("KJFK");
        told["obsTime"] = json!(at_s);
        provider.set("KJFK", told);
        let config = |more: Value| {
            let mut config = json!({"provider": "metar", "base_url": provider.url(), "stations": ["KJFK"]});
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            config
        };
        let (stale, health, _) = said(&mut Asked::new(config(json!({}))));
        assert_eq!((stale, health == Health::Stale), (others_are, others_are), "{minutes}");
        let (stale, health, _) = said(&mut Asked::new(config(json!({"oldest": "3h"}))));
        assert_eq!((stale, health), (false, Health::Up), "as configured");

        let provider = open_weather_map::start("c0ffee1234");
        provider.script().then(Reply::json(&json!({"main": {"temp": 3.5}, "dt": at_s, "cod": 200})));
        let mut feed = Asked::new(json!({
            "provider": "openweathermap", "base_url": provider.url(), "key": {"file": file},
            "places": [{"name": "paris", "latitude": 48.85, "longitude": 2.35}],
        }));
        let (stale, health, _) = said(&mut feed);
        assert_eq!((stale, health == Health::Stale), (others_are, others_are), "{minutes}");
    }
}

/// Of several reports of one station, the newest with a possible time counts.
#[test]
fn a_report_that_is_dated_ahead_does_not_hide_the_others() {
    let provider = Metar::start(&[]);
    let dated = |ahead_s: i64, receipt: &str, temperature: f64| {
        let mut told = report("KJFK");
        told["obsTime"] = json!((NOW_MS / 1000).checked_add_signed(ahead_s));
        told["receiptTime"] = json!(receipt);
        told["temp"] = json!(temperature);
        told
    };
    let mut without = dated(-60, "2026-11-23 23:09:30", 0.0);
    without["temp"] = json!(null);
    provider.script().then(Reply::json(&json!([
        dated(86_400, "2026-11-23 22:55:04", 1.0),
        dated(-1200, "2026-11-23 22:55:04", 2.0),
        dated(-1200, "2026-11-23 22:58:04", 3.0),
        dated(-4800, "2026-11-23 23:00:00", 4.0),
        without,
    ])));
    let config = json!({"provider": "metar", "base_url": provider.url(), "stations": ["KJFK"]});
    let mut feed = Asked::new(config);
    let samples = feed.ask().unwrap();
    assert_eq!(samples[0].value["temperature_c"], 3.0, "the corrected one");
    assert_eq!(samples[0].source_time_ms, Some(NOW_MS - 20 * MINUTE_MS));
    assert_eq!(feed.health(), (Health::Up, String::new()));
}
