//! The feed through its C entry, as tickerd calls it, on a clock that moves when the test says so.

use tickerd_sdk::abi::TKR_ERR_CONFIG;
use tickerd_sdk::testing::TestHost;

const ID: &str = "org.example.example-rust-poll";

#[test]
fn the_water_rises_and_falls() {
    let test = TestHost::of::<example_rust_poll::Tide>();
    let mut feed =
        test.load(example_rust_poll::tickerd_plugin_v1, ID, r#"{"range_m":4,"period_s":60}"#).unwrap();
    for _ in 0..60 {
        feed.poll().unwrap();
        test.advance_ms(1_000);
    }
    let levels: Vec<f64> = test.samples().iter().map(|s| s.value["level_m"].as_f64().unwrap()).collect();
    assert_eq!(levels.len(), 60);
    assert!(levels.iter().all(|level| level.abs() <= 2.0), "{levels:?}");
    assert!(
        levels.iter().any(|level| *level > 0.5) && levels.iter().any(|level| *level < -0.5),
        "{levels:?}"
    );
}

#[test]
fn a_wrong_configuration_is_told() {
    let test = TestHost::new();
    for wrong in [r#"{"range_m":-1}"#, r#"{"rang":1}"#, r#"{"period_s":"long"}"#] {
        let (status, text) = test.load(example_rust_poll::tickerd_plugin_v1, ID, wrong).err().unwrap();
        assert_eq!(status, TKR_ERR_CONFIG, "{wrong}");
        assert!(!text.is_empty(), "{wrong}");
    }
}
