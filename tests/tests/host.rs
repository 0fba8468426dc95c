//! The host feed's figures are this machine's.

use tickerd_tests::{Feed, Value, daemon, json};

/// What the daemon says on a topic of the host feed.
async fn figures(topic: &str) -> Value {
    let feed = Feed::plugin("host", "tickerd_feed_host").set("interval = \"100ms\"").set("poll = \"100ms\"");
    let daemon = daemon().feed(feed).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": [topic]})).await;
    let tick = client.tick().await;
    assert_eq!(tick.topic(), topic);
    tick.value().clone()
}

fn number(figures: &Value, key: &str) -> f64 {
    figures[key].as_f64().unwrap_or_else(|| panic!("no {key} in {figures}"))
}

#[tokio::test]
async fn memory_is_what_the_kernel_says() {
    let memory = figures("host.memory").await;
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
    let total_kib: u64 = total.trim().trim_end_matches(" kB").parse().unwrap();
    assert_eq!(memory["total_bytes"], json!(total_kib * 1024));
    let [total, available, used] =
        ["total_bytes", "available_bytes", "used_bytes"].map(|key| number(&memory, key));
    assert!(available > 0.0 && available < total, "{memory}");
    assert_eq!(used, total - available);
    assert!((number(&memory, "used_pct") - 100.0 * used / total).abs() < 0.1, "{memory}");
}

#[tokio::test]
async fn processors_are_between_idle_and_busy() {
    let cpu = figures("host.cpu").await;
    let busy = number(&cpu, "busy_pct");
    assert!((0.0..=100.0).contains(&busy), "{cpu}");
}

#[tokio::test]
async fn uptime_is_the_kernels() {
    let before = uptime_s();
    let uptime = number(&figures("host.uptime").await, "uptime_s");
    assert!((before.floor()..=uptime_s().ceil()).contains(&uptime), "{before} s, {uptime} s");
}

fn uptime_s() -> f64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
