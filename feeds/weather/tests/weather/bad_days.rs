//! Failures that any provider may have: each is told with its reason, and is over with the next good answer.

use std::time::Duration;

use serde_json::json;
use tickerd_feed_provider::Fault;
use tickerd_test_providers::metar::Metar;
use tickerd_test_providers::nws::Nws;
use tickerd_test_providers::open_meteo::OpenMeteo;
use tickerd_test_providers::{Reply, Script, open_weather_map};

use crate::Asked;

/// A failure, with the kind of fault and the words that tell it.
fn bad_days() -> Vec<(Reply, &'static str, &'static str)> {
    let json =
        || Reply::json(&json!({"current": {"time": 1, "temperature_2m": 1.0}, "filler": "x".repeat(500)}));
    vec![
        (Reply::status(429), "Limited", "429"),
        (Reply::status(429).header("retry-after", "30"), "Limited", "429"),
        (Reply::status(401), "Refused", "401"),
        (Reply::status(403), "Refused", "403"),
        (Reply::status(451), "Refused", "region"),
        (Reply::status(500), "Unavailable", "500"),
        (Reply::page("Bad gateway").with_status(502), "Unavailable", "502"),
        (Reply::status(503).header("retry-after", "5"), "Unavailable", "503"),
        (Reply::page("Log in to the hotel's network"), "Nonsense", "web page"),
        (Reply::json_text("{\"current\": {\"time\": 17"), "Nonsense", "JSON"),
        (Reply::json_text("maintenance"), "Nonsense", "JSON"),
        (Reply::json_text("null"), "Nonsense", "answered"),
        (json().truncated(100), "Unavailable", "broke off"),
        (json().reset(100), "Unavailable", ""),
        (Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"), "Unavailable", ""),
    ]
}

fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::Held { .. } => "Held",
        Fault::Limited { .. } => "Limited",
        Fault::Refused { .. } => "Refused",
        Fault::Unknown { .. } => "Unknown",
        Fault::Unavailable { .. } => "Unavailable",
        Fault::Nonsense { .. } => "Nonsense",
        Fault::Stopping => "Stopping",
    }
}

/// Each failure is tried with a new feed, since the feed keeps the wait that a provider asks for and does not ask a
/// provider that still blocks.
fn survives(script: &Script, feed: impl Fn() -> Asked) {
    for (reply, expected, says) in bad_days() {
        let mut feed = feed();
        script.then(reply.clone());
        let fault = feed.ask().expect_err("it is a bad day");
        assert_eq!(kind(&fault), expected, "{reply:?}: {fault}");
        assert!(fault.to_string().contains(says), "{reply:?}: {fault}");
        assert!(script.is_done());
    }
}

#[test]
fn open_meteo_has_bad_days() {
    let provider = OpenMeteo::start();
    survives(provider.script(), || Asked::new(json!({"base_url": provider.url()})));
}

#[test]
fn metar_has_bad_days() {
    let provider = Metar::start(&["KJFK"]);
    let config = json!({"provider": "metar", "base_url": provider.url(), "stations": ["KJFK"]});
    survives(provider.script(), || Asked::new(config.clone()));
}

#[test]
fn nws_has_bad_days() {
    let provider = Nws::start(&["KSEA"], 0);
    let config = json!({"provider": "nws", "base_url": provider.url(), "stations": ["KSEA"]});
    survives(provider.script(), || Asked::new(config.clone()));
}

#[test]
fn open_weather_map_has_bad_days() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let file = folder.path().join("key");
    std::fs::write(&file, "c0ffee1234").expect("the key is written");
    let provider = open_weather_map::start("c0ffee1234");
    let config = json!({
        "provider": "openweathermap", "base_url": provider.url(), "key": {"file": file},
        "places": [{"name": "paris", "latitude": 48.85, "longitude": 2.35}],
    });
    survives(provider.script(), || Asked::new(config.clone()));
}

#[test]
fn a_bad_day_is_over_with_the_next_answer() {
    let provider = OpenMeteo::start();
    let mut feed = Asked::new(json!({"base_url": provider.url()}));
    for bad in [Reply::status(500), Reply::page("portal"), Reply::json(&json!({"a": 1})).reset(3)] {
        provider.script().then(bad);
        feed.ask().expect_err("it is a bad day");
        assert_eq!(feed.topics(), ["oslo", "lisbon", "nairobi"]);
    }
}

/// Open-Meteo sends no Retry-After with its limits; the wait is in its words. Daily limits end at midnight UTC.
#[test]
fn open_meteos_limits_name_how_long_to_wait() {
    // The host's clock says ten past eleven in the evening.
    for (window, wait_s) in [("Minutely", 60), ("Hourly", 3600), ("Daily", 50 * 60)] {
        for status in [429, 400] {
            let provider = OpenMeteo::start();
            let mut feed = Asked::new(json!({"base_url": provider.url()}));
            provider.script().then(OpenMeteo::limit_exceeded(window).with_status(status));
            match feed.ask() {
                Err(Fault::Limited { wait, .. }) => assert_eq!(wait, Some(Duration::from_secs(wait_s))),
                other => panic!("{window} {status}: {other:?}"),
            }
            // All feeds are held back by it. A wait of up to ten minutes is slept, an hour is longer.
            if wait_s > 600 {
                match feed.ask() {
                    Err(Fault::Held { wait }) => assert!(wait > Duration::from_secs(wait_s - 60), "{wait:?}"),
                    other => panic!("{window} {status}: {other:?}"),
                }
                assert_eq!(provider.requests().len(), 1, "nothing is asked meanwhile");
            }
        }
    }
}
