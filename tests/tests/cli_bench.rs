//! `tickerd bench` at a small size: what it counts, what it refuses, and what it says when something is wrong.

use tickerd_tests::cli::{begin, say, url};
use tickerd_tests::*;

use crate::tls::Authority;

/// Has a topic change while it runs, and gives what it printed.
async fn measured(daemon: &Daemon, script: &Script, url: &str, arguments: &[&str]) -> Value {
    let common = ["bench", "--json", "--clients", "20", "--duration", "500ms", "--topics", "s.*,s.a"];
    let mut bench = begin(url, &[&common, arguments].concat());
    let (mut n, mut ended) = (0, false);
    while !ended {
        n += 1;
        script.tick("a", json!(n)).await;
        let done = tokio::time::timeout(std::time::Duration::from_millis(20), bench.exit()).await;
        ended = done.is_ok_and(|status| status.success());
        assert!(n < 10_000, "it ends");
    }
    let text = bench.printed("ticks_per_s").await;
    assert_eq!(daemon.metric_until("tickerd_connections", |connections| connections == 0.0).await, 0.0);
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_crowd_is_served_and_counted_over_each_way_in() {
    let (script, authority) = (Script::new("s"), Authority::new());
    let folder = tempfile::TempDir::new().unwrap();
    let unix = format!("unix:{}", folder.path().join("t.sock").display());
    authority.renew();
    let listen =
        format!("{{ address = \"127.0.0.1:0\" }}, \"{unix}\", {{ address = \"127.0.0.1:0\", tls = true }}");
    let tls = authority.path("");
    let mut daemon = daemon()
        .listen(listen)
        .config(&format!(
            "[server.tls]\ncertificate = \"{0}/chain.pem\"\nkey = \"{0}/key.pem\"",
            tls.display()
        ))
        .feed(script.feed())
        .spawn();
    daemon.serves().await;
    let sealed = daemon.printed("listening on https://").await;
    let sealed = sealed.replace("listening on https://127.0.0.1", "wss://localhost");
    let ca = authority.path("clients.pem").display().to_string();
    for (url, more) in [(url(&daemon), vec![]), (unix, vec![]), (sealed, vec!["--ca", ca.as_str()])] {
        let figures = measured(&daemon, &script, &url, &more).await;
        assert_eq!((&figures["served"], &figures["lost"]), (&json!(20), &json!({})), "{figures}");
        assert!(
            figures["ticks"].as_u64() > Some(0) && figures["bytes"].as_u64() > figures["ticks"].as_u64(),
            "{figures}"
        );
        for spread in ["age_ms", "connect_ms"] {
            let at = |name: &str| figures[spread][name].as_f64().unwrap();
            assert!(at("p50") > 0.0 && at("p50") <= at("p99") && at("p99") <= at("p99.9"), "{figures}");
            assert!(at("p99.9") <= at("max"), "{figures}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_measured_is_said() {
    let (_script, daemon) = scripted().await;
    let url = url(&daemon);
    for (arguments, code, why) in [
        (vec!["ws://192.0.2.1:80"], 64, "write --yes-i-own-it if you may"),
        (vec!["ws://127.0.0.1:1"], 3, "no tickerd answers at ws://127.0.0.1:1"),
        (vec!["--topics", "nobody.x", "--clients", "3"], 4, "there is no feed \"nobody\""),
        (vec!["--topics", "s.x", "--clients", "3", "--duration", "100ms"], 4, "no tick came in that time"),
        (vec!["--clients", "0"], 64, "--clients"),
    ] {
        let said = say(&url, &[vec!["bench"], arguments.clone()].concat()).await;
        assert_eq!(said.code, Some(code), "{arguments:?}: {}", said.err);
        assert!(said.err.contains(why), "{arguments:?}: {}", said.err);
    }
}
