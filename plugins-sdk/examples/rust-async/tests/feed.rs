//! The feed through its C entry, as tickerd calls it.

use std::thread;

use tickerd_sdk::abi::TKR_ERR_CONFIG;
use tickerd_sdk::testing::TestHost;
use tickerd_sdk::{Error, Feed, PushFeed};

const ID: &str = "org.example.example-rust-async";

#[test]
fn both_places_are_told() {
    let test = TestHost::of::<example_rust_async::Tide>();
    let mut feed = test.load(example_rust_async::tickerd_plugin_v1, ID, "{}").unwrap();
    test.stop_after(3); // both at once, and the harbour again
    feed.run().unwrap();
    let mut topics: Vec<String> = test.samples().into_iter().map(|sample| sample.topic).collect();
    topics.sort();
    assert_eq!(topics, ["beach", "harbour", "harbour"]);
}

#[test]
fn the_interrupter_ends_a_wait() -> Result<(), Error> {
    let test = TestHost::new();
    let mut feed = example_rust_async::Tide::create(Default::default(), test.host())?;
    let interrupt = feed.interrupter().unwrap();
    let host = test.host();
    let running = thread::spawn(move || feed.run(&host));
    test.stop();
    interrupt();
    assert!(matches!(running.join().unwrap(), Ok(()) | Err(Error::Stopping)));
    Ok(())
}

#[test]
fn a_wrong_configuration_is_told() {
    let test = TestHost::new();
    for wrong in [r#"{"range_m":-1}"#, r#"{"rang":1}"#, r#"{"period_s":0}"#] {
        let (status, text) = test.load(example_rust_async::tickerd_plugin_v1, ID, wrong).err().unwrap();
        assert_eq!(status, TKR_ERR_CONFIG, "{wrong}");
        assert!(!text.is_empty(), "{wrong}");
    }
}
