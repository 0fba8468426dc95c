//! What the admin listener shows: metrics by their promised names, liveness, readiness.

use std::collections::BTreeSet;
use std::process::Stdio;

use tickerd_tests::{Daemon, Feed, daemon, json, scripted, sim, steady, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::observability::files::TABLE;

/// What is promised and is not there without more in the configuration.
const NEEDS_MORE: [&str; 4] = [
    "tickerd_history_store_state",
    "tickerd_history_write_failures_total",
    "tickerd_history_written_total",
    "tickerd_tls_not_after_seconds",
];

/// The names and labels that are promised: the table of the guide, which `observability` holds to be whole.
fn promised() -> impl Iterator<Item = (String, BTreeSet<&'static str>)> {
    let rows =
        TABLE.lines().filter(|line| line.starts_with("| `tickerd_") || line.starts_with("| `process_"));
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, kind, _, labels, ..] = cells[..] else { return None };
        let (name, labels) =
            (name.trim_matches('`'), labels.split(", ").map(|label| label.trim_matches('`')));
        let name = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
        Some((name, labels.filter(|label| !label.is_empty()).collect()))
    })
}

/// Every series: its name and its labels, without its value.
fn series(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// A series' name and the names of its labels.
fn name_and_labels(series: &str) -> (&str, BTreeSet<&str>) {
    let Some((name, labels)) = series.split_once('{') else { return (series, BTreeSet::new()) };
    let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
    (name, labels.map(|label| label.split_once('=').unwrap().0).collect())
}

#[tokio::test]
async fn every_promised_metric_is_there_from_the_start() {
    let daemon = daemon().feed(sim(7)).run().await;
    // With the first tick all threads are at work; nothing was refused, dropped or started again by then.
    daemon.client("/ws?topics=sim.AAPL").await.until("quote").await;
    let text = daemon.metrics().await;
    let series = series(&text);
    let promised: Vec<_> = promised()
        .filter(|(name, _)| !NEEDS_MORE.contains(&name.as_str()) && !name.starts_with("tickerd_cluster_"))
        .collect();
    assert!(promised.len() > 60, "{promised:?}");
    for (name, labels) in promised {
        let found = series.iter().any(|series| name_and_labels(series) == (name.as_str(), labels.clone()));
        assert!(found, "{name}{labels:?} is missing in:\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.starts_with("tickerd_") || line.starts_with("process_"), "{line}");
    }
}

#[tokio::test]
async fn what_clients_ask_for_adds_no_series() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    script.tick("a", json!(1)).await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    client.until("tick").await;
    let before = series(&daemon.metrics().await);
    let unknown: Vec<String> = (0..200).map(|n| format!("s.unknown{n}")).collect();
    client.subscribe(json!({"topics": unknown})).await;
    client.subscribe(json!({"topics": ["nobody.x", "..", "s.**"], "rate": "5s"})).await;
    client.send_text("nonsense").await;
    client.send(json!({"event": "nonsense", "data": {}})).await;
    client.sync().await;
    for code in [1000, 3000, 4999] {
        daemon.connected().await.close(code).await;
    }
    for n in 0..20 {
        script.tick(&format!("new{n}"), json!(1)).await;
        script.line(&format!(r#"{{"topic":"b d","event":"e{n}","data":1}}"#)).await;
    }
    daemon.metric_until("tickerd_topics{feed=\"s\"}", |topics| topics == 21.0).await;
    let rejects = "tickerd_feed_rejects_total{feed=\"s\",reason=\"bad_topic\"}";
    daemon.metric_until(rejects, |count| count == 20.0).await;
    let after = series(&daemon.metrics().await);
    let added: Vec<_> = after.difference(&before).collect();
    assert!(added.is_empty(), "{added:#?}");
}

#[tokio::test]
async fn prometheus_finds_nothing_to_complain_about() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.**"]})).await;
    script.line("nonsense").await;
    script.tick("a", json!(1)).await;
    client.until("tick").await;
    let text = daemon.metrics().await;
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = match command.spawn() {
        Ok(promtool) => promtool,
        Err(e) => panic!("cannot run promtool ({e}): install it (Debian: apt-get install prometheus)"),
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    let output = within("promtool", promtool.wait_with_output()).await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.trim().is_empty(), "{said}\nabout:\n{text}");
}

/// A whole HTTP answer of the admin listener.
async fn answer(daemon: &Daemon, request: &str) -> String {
    let mut stream = within("a connection", tokio::net::TcpStream::connect(daemon.admin())).await.unwrap();
    let text = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    within("the request to go out", stream.write_all(text.as_bytes())).await.unwrap();
    let mut answer = String::new();
    within("the answer", stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn the_admin_listener_answers_as_probes_and_scrapers_expect() {
    let (script, daemon) = scripted().await;
    assert_eq!(daemon.get("/livez").await, (200, "ok".into()));
    let (status, body) = daemon.get("/readyz").await;
    assert_eq!(status, 503, "no feed has spoken: {body}");
    assert!(body.contains("[+]listeners ok") && body.contains("[-]feed s failed: "), "{body}");
    script.tick("a", json!(1)).await;
    daemon.metric_until("tickerd_feed_samples_total{feed=\"s\"}", |count| count == 1.0).await;
    assert_eq!(daemon.get("/readyz").await, (200, "ok".into()));
    let metrics = answer(&daemon, "GET /metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200 "), "{metrics}");
    assert!(metrics.contains("\r\ncontent-type: text/plain; version=0.0.4"), "{metrics}");
    assert!(answer(&daemon, "GET /ws").await.starts_with("HTTP/1.1 404 "), "clients are served elsewhere");
    assert!(answer(&daemon, "POST /metrics").await.starts_with("HTTP/1.1 405 "));
}

#[tokio::test]
async fn a_daemon_without_feeds_is_ready_at_once() {
    let daemon = daemon().run().await;
    assert_eq!(daemon.get("/readyz").await, (200, "ok".into()));
}

/// Goal: the operator can look however busy the daemon is. Method: a flood of samples in process, on as many topics as
/// make every beat long, with subscribers for all of them. The flood is the clock: it is slowed down by whatever else the
/// machine does, as the answers are.
#[tokio::test]
async fn the_admin_listener_answers_while_samples_flood_in() {
    let flood = Feed::plugin("flood", "tickerd_feed_zoo")
        .set("isolation = \"in-process\"")
        .set("interval = \"20ms\"")
        .set("poll = \"10ms\"")
        .configured("behave = \"flood\"\nburst = 1000000\ntopics = 1000");
    let daemon = daemon().feed(steady()).feed(flood).run().await;
    let mut reader = daemon.connected().await;
    reader.subscribe(json!({"topics": ["flood.**"]})).await;
    let reading = tokio::spawn(async move { while reader.next().await.name != "closing" {} });
    let samples = "tickerd_feed_samples_total{feed=\"flood\"}";
    let from = daemon.metric_until(samples, |count| count > 100_000.0).await;
    let (mut last, mut most) = (from, 0.0_f64);
    for _ in 0..20 {
        assert_eq!(daemon.get("/livez").await.0, 200);
        assert_eq!(daemon.get("/readyz").await.0, 200);
        let now = daemon.metric(samples).await.unwrap();
        most = most.max(now - last);
        last = now;
    }
    // What a flood says in five seconds when it has a core for itself.
    assert!(most < 5_000_000.0, "{most} samples during three answers");
    daemon.metric_until(samples, |count| count > from + 100_000.0).await;
    reading.abort();
}
