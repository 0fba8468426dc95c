//! Nodes whose clocks are hours apart: order, numbers and take-over go by none of them, and what is new is not old elsewhere.

use std::path::PathBuf;

use tickerd_tests::{Nats, Value, daemon};

use crate::followers::{BARS, priced, same_bars};
use crate::nodes::{STEADY, over, steady};

/// What Debian's `faketime` loads into a program.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let files = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    files.into_iter().find(|file| file.is_file()).expect("faketime is not installed: run make test-tools")
}

#[tokio::test]
async fn clocks_are_hours_apart() {
    let library = library();
    let mut cluster = over(Nats::one().await).with(&[steady(), priced()]);
    for (node, hours) in [("a", "+0h"), ("b", "+7h"), ("c", "-5h")] {
        let daemon =
            daemon().config(&(cluster.toml(node, "") + BARS)).env("LD_PRELOAD", library.to_str().unwrap());
        let daemon = daemon.env("FAKETIME", hours).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let daemon = daemon.env("DONT_FAKE_MONOTONIC", "1").env("FAKETIME_DISABLE_SHM", "1");
        cluster.take(node, daemon.run().await);
    }
    let mut clients = cluster.watched().await;
    let (_, said) = cluster.command("a", &["status", "--json"]).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    let ahead = said["cluster"]["nodes"].as_array().unwrap().iter().map(|node| node["clock_ms"].as_f64());
    let ahead: Vec<f64> = ahead.map(|ms| (ms.unwrap_or_default() / 3_600_000.0).round()).collect();
    assert_eq!(ahead, [0.0, 7.0, -5.0], "the clocks are seen: {said}");
    // Each of them holds it once, so each has followed one that is ahead and one that is behind.
    for to in ["a", "b", "c", "a"] {
        let holder = cluster.holder(STEADY).await;
        if holder != to {
            let (is_done, said) = cluster.command(holder, &["move", STEADY, to]).await;
            assert!(is_done, "{said}");
        }
        assert_eq!(cluster.holder(STEADY).await, to);
        for client in clients.values_mut() {
            client.goes_on().await;
        }
        let was = clients[to].position("steady.counter");
        for client in clients.values_mut() {
            client.goes_on().await;
        }
        for node in cluster.nodes() {
            assert!(clients[to].returns(cluster.node(node), &was).await, "{to}, {node}: the ring holds it");
        }
    }
    for node in cluster.nodes() {
        let said = cluster.ready(node, "node ").await;
        assert!(!said.contains("stale"), "{node}: {said}");
    }
    same_bars(&cluster, &cluster.nodes(), 3).await;
    // And one that dies is taken over as ever.
    clients.remove("a");
    cluster.kill("a").await;
    for client in clients.values_mut() {
        client.is_reset(0).await;
    }
    for (node, client) in clients {
        let seen = client.end().await;
        assert_eq!((seen.resets.len(), seen.holes), (1, 0), "{node}: {seen:?}");
        assert!(!seen.states.contains(&"stale".to_owned()), "{node}: {seen:?}");
    }
}
