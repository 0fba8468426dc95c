//! The feed through its C entry, as tickerd calls it; the clock moves when the feed sleeps.

use tickerd_sdk::abi::{TKR_ERR_CONFIG, TKR_ERR_STOPPING};
use tickerd_sdk::testing::TestHost;

const ID: &str = "org.example.example-rust-push";

#[test]
fn the_water_rises_and_falls_until_told_to_stop() {
    let test = TestHost::of::<example_rust_push::Tide>();
    let config = r#"{"range_m":4,"period_s":60}"#;
    let mut feed = test.load(example_rust_push::tickerd_plugin_v1, ID, config).unwrap();
    test.stop_after(240);
    assert_eq!(feed.run().unwrap_err().0, TKR_ERR_STOPPING);
    let levels: Vec<f64> = test.samples().iter().map(|s| s.value["level_m"].as_f64().unwrap()).collect();
    assert_eq!(levels.len(), 240);
    assert!(levels.iter().all(|level| level.abs() <= 2.0), "{levels:?}");
    assert!(
        levels.iter().any(|level| *level > 0.5) && levels.iter().any(|level| *level < -0.5),
        "{levels:?}"
    );
}

#[test]
fn a_wrong_configuration_is_told() {
    let test = TestHost::new();
    for wrong in [r#"{"range_m":-1}"#, r#"{"rang":1}"#, r#"{"period_s":0}"#] {
        let (status, text) = test.load(example_rust_push::tickerd_plugin_v1, ID, wrong).err().unwrap();
        assert_eq!(status, TKR_ERR_CONFIG, "{wrong}");
        assert!(!text.is_empty(), "{wrong}");
    }
}
