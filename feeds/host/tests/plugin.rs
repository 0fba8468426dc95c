//! The host feed through its C entry, on this very machine.

use tickerd_feed_host::{HostFeed, tickerd_plugin_v1};
use tickerd_sdk::testing::TestHost;

#[test]
fn this_machine_has_memory_and_a_load() {
    let test = TestHost::of::<HostFeed>();
    let mut feed = test.load(tickerd_plugin_v1, "org.tickerd.host", "{}").unwrap();
    feed.poll().unwrap();
    assert_eq!(test.rejects(), Vec::<String>::new());
    let samples = test.samples();
    let memory = samples.iter().find(|s| s.topic == "memory").expect("memory");
    let of = |key: &str| memory.value[key].as_u64().expect("a number");
    assert!(of("total_bytes") > 1 << 20 && of("available_bytes") <= of("total_bytes"));
    assert!(samples.iter().any(|s| s.topic == "load"));
}

#[test]
fn only_what_is_asked_for_is_read() {
    let test = TestHost::of::<HostFeed>();
    let mut feed = test.load(tickerd_plugin_v1, "org.tickerd.host", r#"{"read": ["uptime"]}"#).unwrap();
    feed.poll().unwrap();
    assert!(test.samples().iter().all(|s| s.topic == "uptime"));
    let (_, text) =
        test.load(tickerd_plugin_v1, "org.tickerd.host", r#"{"reed": []}"#).err().expect("refused");
    assert!(text.contains("unknown field `reed`"), "{text}");
}
