//! METAR.

use serde_json::json;
use tickerd_sdk::Health;
use tickerd_test_providers::Reply;
use tickerd_test_providers::metar::{Metar, report};

use crate::Asked;

fn feed(provider: &Metar, stations: &[&str]) -> Asked {
    Asked::new(json!({"provider": "metar", "base_url": provider.url(), "stations": stations}))
}

#[test]
fn all_stations_come_with_one_request() {
    let provider = Metar::start(&["KJFK", "EHAM", "LEJR"]);
    let mut feed = feed(&provider, &["kjfk", "EHAM", "LEJR"]);
    let samples = feed.ask().unwrap();
    let topics: Vec<_> = samples.iter().map(|sample| sample.topic.as_str()).collect();
    assert_eq!(topics, ["KJFK", "EHAM", "LEJR"]);
    let requests = provider.requests();
    assert_eq!((requests.len(), requests[0].query("ids")), (1, Some("KJFK,EHAM,LEJR")));
    let value = &samples[0].value;
    assert_eq!((&value["wind_ms"], &value["wind_deg"]), (&json!(4.63), &json!(150)));
    assert_eq!((&value["visibility_m"], &value["visibility_over"]), (&json!(16093.44), &json!(true)));
    assert!(value["raw"].as_str().unwrap().starts_with("METAR KJFK"));
    assert_eq!(samples[0].source_time_ms, Some(1_795_474_260_000));
}

#[test]
fn a_station_that_closes_is_named_and_the_others_go_on() {
    let provider = Metar::start(&["KJFK", "EHAM"]);
    let mut feed = feed(&provider, &["KJFK", "EHAM"]);
    feed.topics();
    provider.close("EHAM");
    assert_eq!(feed.topics(), ["KJFK"]);
    let reason = "1 of 2 places have no weather: EHAM: there is no report; is it a station, and open?";
    assert_eq!(feed.health(), (Health::Degraded, reason.to_owned()));
    assert_eq!(feed.texts().iter().filter(|line| line.starts_with("EHAM has no weather")).count(), 1);
    provider.set("EHAM", report("EHAM"));
    assert_eq!(feed.topics(), ["KJFK", "EHAM"]);
    assert_eq!(feed.health(), (Health::Up, String::new()));
}

#[test]
fn no_report_at_all_is_down_and_no_fault() {
    let provider = Metar::start(&[]);
    let mut feed = feed(&provider, &["KJFK"]);
    for empty in [None, Some(Reply::json_text("[]")), Some(Reply::json_text(""))] {
        empty.into_iter().for_each(|reply| provider.script().then(reply));
        assert_eq!(feed.topics(), Vec::<String>::new());
        assert_eq!(feed.health().0, Health::Down);
    }
}

#[test]
fn variable_winds_nulls_and_numbers_in_strings_are_read() {
    let provider = Metar::start(&["EHAM"]);
    let mut variable = report("EHAM");
    variable["wdir"] = json!("VRB");
    variable["wspd"] = json!("2");
    variable["fltCat"] = json!(null);
    variable["dewp"] = json!(null);
    provider.set("EHAM", variable);
    let value = &feed(&provider, &["EHAM"]).ask().unwrap()[0].value;
    assert_eq!((&value["wind_variable"], value.get("wind_deg")), (&json!(true), None));
    assert_eq!((&value["wind_ms"], value.get("dew_point_c")), (&json!(1.03), None));
}
