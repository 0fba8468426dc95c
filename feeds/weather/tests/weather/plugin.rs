//! The plugin through its C entry, as tickerd calls it. The clock advances by the time for which the feed sleeps.

use std::time::Instant;

use serde_json::json;
use tickerd_feed_weather::tickerd_plugin_v1;
use tickerd_sdk::Health;
use tickerd_sdk::abi::{TKR_ERR_CONFIG, TKR_ERR_STOPPING};
use tickerd_sdk::testing::TestHost;
use tickerd_test_providers::Reply;
use tickerd_test_providers::open_meteo::OpenMeteo;

use crate::{NOW_MS, host};

const ID: &str = "org.tickerd.weather";

/// Runs the feed until it has emitted this many samples. Returns when they came, in seconds.
fn run(test: &TestHost, config: &serde_json::Value, samples: u64) -> Vec<u64> {
    let mut feed = test.load(tickerd_plugin_v1, ID, &config.to_string()).expect("create");
    test.stop_after(samples);
    let (status, text) = feed.run().expect_err("it runs until it is stopped");
    assert_eq!(status, TKR_ERR_STOPPING, "{text}");
    test.take_samples().iter().map(|sample| (sample.at_ms - NOW_MS) / 1000).collect()
}

#[test]
fn it_asks_every_quarter_of_an_hour() {
    let provider = OpenMeteo::start();
    let test = host();
    let began = Instant::now();
    let came = run(&test, &json!({"base_url": provider.url()}), 9);
    let took = began.elapsed().as_secs() + 1;
    assert_eq!((came[0], came[2], provider.requests().len()), (0, 0, 3));
    for (at, planned) in [(came[3], 900), (came[6], 1800)] {
        // Asking takes some real time, and the wait is shorter by it.
        assert!((planned - took..=planned).contains(&at), "{came:?} in {took} s");
    }
    assert!(test.heartbeats() > 1800 / 5, "a long wait shows signs of life: {}", test.heartbeats());
}

#[test]
fn a_bad_start_is_told_and_over_with_the_first_answer() {
    let provider = OpenMeteo::start();
    provider.script().then(Reply::page("Log in"));
    provider.script().then(OpenMeteo::limit_exceeded("Concurrent"));
    let test = host();
    let came = run(&test, &json!({"base_url": provider.url()}), 3);
    assert!(came[0] >= 60 + 5, "a page rests for a minute, an unexplained limit for seconds: {came:?}");
    assert_eq!(test.health(), Some((Health::Up, String::new())));
}

#[test]
fn a_refusal_ends_it_as_a_matter_of_configuration() {
    let provider = OpenMeteo::start();
    provider.script().then(Reply::status(403));
    let test = host();
    let config = json!({"base_url": provider.url()}).to_string();
    let mut feed = test.load(tickerd_plugin_v1, ID, &config).expect("create");
    let (status, text) = feed.run().expect_err("it is refused");
    assert_eq!(status, TKR_ERR_CONFIG);
    assert!(text.contains("403"), "{text}");
    assert_eq!(provider.requests().len(), 1);
}

#[test]
fn a_wrong_configuration_says_what_to_change() {
    for (config, says) in [
        (json!({"provider": "yr"}), "open-meteo"),
        (json!({"place": []}), "unknown field `place`"),
        (json!({"every": "5m"}), "use \"15m\" or more"),
        (json!({"every": 15}), "lacks its unit"),
        (json!({"provider": "metar"}), "stations: name at least one"),
        (
            json!({"provider": "openweathermap", "places": [{"name": "a", "latitude": 1, "longitude": 2}]}),
            "key: ",
        ),
        (json!({"base_url": "ftp://x"}), "base_url: "),
        (json!({"contact": "a\r\nb"}), "contact"),
    ] {
        let test = TestHost::new();
        let (status, text) =
            test.load(tickerd_plugin_v1, ID, &config.to_string()).err().expect("create fails");
        assert_eq!(status, TKR_ERR_CONFIG, "{config}");
        assert!(text.contains(says), "{config}: {text}");
    }
}

/// The configurations that the README shows are valid.
#[test]
fn what_the_readme_shows_can_be_configured() {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once("\n## weather: ").expect("the README tells of this feed");
    let section = section.split("\n## ").next().unwrap_or(section);
    let blocks: Vec<_> =
        section.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 4, "one for each provider");
    for block in blocks {
        let file: toml::Table = block.parse().expect("it is TOML");
        let config = serde_json::to_value(&file["feed"][0]["config"]).expect("it is JSON too");
        let test = TestHost::new();
        match test.load(tickerd_plugin_v1, ID, &config.to_string()) {
            Ok(_) => {}
            // The key is not on this machine; everything else is right.
            Err((_, text)) => assert!(text.starts_with("file: `/etc/tickerd/openweathermap.key`"), "{text}"),
        }
    }
}
