//! What an operator sees of a daemon in Prometheus: a real one scrapes a daemon with all that it can do. Each panel of the dashboards
//! and each alert finds its series there, and the documented list of metrics is what it finds.

pub mod files;
mod prometheus;

use std::collections::{BTreeMap, BTreeSet};

use tempfile::TempDir;
use tickerd_tests::{Client, Daemon, Script, Value, json, sim};

use self::files::{TABLE, exprs, names, selectors};
use self::prometheus::{Prometheus, promtool};
use crate::tls::Authority;

const TOKEN: &str = "OPERATOR-CANARY-0123456789-0123456789";
const CONFIG: &str = r#"
[bars]
[[auth.token]]
name = "all"
token = { env = "ALL" }
groups = ["all"]
[[auth.group]]
name = "all"
subscribe = ["**"]
publish = ["rooms.*"]
presence = ["rooms.*"]
history = ["**"]
[[topic]]
name = "rooms.desk"
publish = true
presence = true
"#;

/// A daemon with all that has metrics, and what keeps it busy.
struct Scene {
    daemon: Daemon,
    _script: Script,
    clients: Vec<Client>,
    _past: TempDir,
}

async fn identified(mut client: Client) -> Client {
    client.send(json!({"event": "auth", "data": {"id": "me", "token": TOKEN}})).await;
    client.expect("authenticated").await;
    client
}

impl Scene {
    /// TLS for clients and the admin listener, tokens, two feeds, a room, bars, a past on disk; and clients of each kind.
    async fn begin(authority: &Authority) -> Scene {
        let (script, past) = (Script::new("s"), TempDir::new().unwrap());
        let builder = authority.daemon("admin = true");
        let mut daemon = builder
            .listen("{ address = \"127.0.0.1:0\" }, { address = \"127.0.0.1:0\", tls = true }")
            .feed(sim(7).set("interval = \"100ms\"").set("bars = { field = \"price\" }"))
            .feed(script.feed())
            .config(&format!("[history]\npath = \"{}/past\"\n{CONFIG}", past.path().display()))
            .env("ALL", TOKEN)
            .run()
            .await;
        let secure = daemon.printed("listening on https://").await;
        let secure = secure.rsplit('/').nth(1).unwrap().to_owned();
        let mut clients = Vec::new();
        for command in [
            json!({"topics": ["sim.**", "rooms.desk"]}),
            json!({"topics": ["sim.AAPL"], "rate": "1s"}),
            json!({"topics": ["s.a"], "mode": "all"}),
        ] {
            let mut client = identified(daemon.connected().await).await;
            client.subscribe(command).await;
            clients.push(client);
        }
        let stream = tokio::net::TcpStream::connect(&secure).await.unwrap();
        let stream = authority.over(stream).await.unwrap();
        let over_tls = Client::over(stream, &format!("wss://{secure}/ws")).await;
        clients.push(over_tls);
        let now_ms =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
        script
            .line(&json!({"topic": "a", "event": "tick", "data": 1, "src_ts": now_ms - 50}).to_string())
            .await;
        assert_eq!(clients[2].tick().await.topic(), "s.a");
        let publish = json!({"event": "publish", "data": {"id": 1, "topic": "rooms.desk", "value": "hello"}});
        clients[0].send(publish).await;
        clients[0].until("published").await;
        for path in ["/v1/topics", "/v1/feeds", "/nothing"] {
            tickerd_tests::daemon::http(daemon.address(), path).await;
        }
        Scene { daemon, _script: script, clients, _past: past }
    }
}

#[tokio::test]
async fn rules_and_the_example_are_right_for_promtool() {
    promtool(&["check", "rules", "dashboards/prometheus/tickerd.rules.yml"]).await;
    promtool(&["check", "config", "dashboards/prometheus/prometheus.yml"]).await;
    promtool(&["test", "rules", "tests/observability/tickerd.rules.test.yml"]).await;
}

/// Goal: a feed whose market is closed is well, and no board counts it among those that are not.
#[test]
fn a_closed_market_is_no_trouble() {
    let exprs = exprs(&["overview", "feeds"]);
    let others = |expr: &&String| expr.contains("tickerd_feed_state{") && expr.contains("state!");
    let counted: Vec<&String> = exprs.iter().map(|(_, expr)| expr).filter(others).collect();
    assert!(
        counted.len() == 2 && counted.iter().all(|expr| expr.contains("state!~\"up|closed\"")),
        "{counted:?}"
    );
}

#[tokio::test]
async fn a_prometheus_finds_all_that_is_promised() {
    let authority = Authority::new();
    let scene = Scene::begin(&authority).await;
    let prometheus = Prometheus::start(
        "tickerd.rules.yml",
        &[format!("localhost:{}", scene.daemon.admin().port())],
        Some(&authority.path("clients.pem")),
    )
    .await;
    // All that there is has two values by then, as a rate needs.
    prometheus.until("count_over_time(up{job=\"tickerd\"}[5m]) >= 4").await;
    assert_eq!(prometheus.query("up").await[0]["value"][1], "1", "{:?}", prometheus.get("targets").await);
    let known: BTreeSet<String> = prometheus.names().await.into_iter().collect();

    let mut wrong = Vec::new();
    for (place, expr) in exprs(&["overview", "feeds", "clients"]) {
        let unknown: Vec<_> = names(&expr).into_iter().filter(|name| !known.contains(*name)).collect();
        if !unknown.is_empty() {
            wrong.push(format!("{place}: no such metric: {unknown:?}"));
        } else if prometheus.query(&expr).await.is_empty() {
            wrong.push(format!("{place}: nothing for {expr}"));
        }
    }
    let rules = prometheus.rules().await;
    assert_eq!(rules.len(), 8);
    for (alert, expr) in rules {
        for selector in selectors(&expr) {
            if prometheus.query(selector).await.is_empty() {
                wrong.push(format!("{alert}: nothing for {selector}"));
            }
        }
        if !prometheus.query(&expr).await.is_empty() {
            wrong.push(format!("{alert} fires though all is well"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    hold_to_the_table(&prometheus).await;
    drop(scene.clients);
}

/// The table of metrics in the guide has each metric, with its type, labels and help.
async fn hold_to_the_table(prometheus: &Prometheus) {
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let series = prometheus.get("series?match[]=%7Bjob%3D%22tickerd%22%7D").await;
    for one in series.as_array().unwrap() {
        let one = one.as_object().unwrap();
        let own = one.keys().filter(|label| !["__name__", "instance", "job", "le"].contains(&label.as_str()));
        labels.entry(one["__name__"].as_str().unwrap().to_owned()).or_default().extend(own.cloned());
    }
    let metadata = prometheus.get("metadata").await;
    let is_ours = |name: &&String| name.starts_with("tickerd_") || name.starts_with("process_");
    let mut rows = Vec::new();
    for name in metadata.as_object().unwrap().keys().filter(is_ours) {
        let Value::Object(one) = &metadata[name][0] else { panic!("{metadata}") };
        let kind = one["type"].as_str().unwrap();
        let series = if kind == "histogram" { format!("{name}_count") } else { name.clone() };
        // Of Prometheus' own process.
        let Some(labels) = labels.get(&series) else { continue };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let unit = ["seconds", "bytes"].into_iter().find(|unit| name.contains(unit)).unwrap_or_default();
        let help = one["help"].as_str().unwrap().trim_end_matches('.');
        rows.push(format!("| `{name}` | {kind} | {unit} | {} | {help} |", labels.join(", ")));
    }
    // The suite of several nodes holds those of a cluster to the table.
    let is_row = |line: &&str| {
        let ours = line.starts_with("| `tickerd_") || line.starts_with("| `process_");
        ours && !line.starts_with("| `tickerd_cluster_")
    };
    let documented: Vec<&str> = TABLE.lines().filter(is_row).collect();
    let missing: Vec<_> = rows.iter().filter(|row| !documented.contains(&row.as_str())).collect();
    let gone: Vec<_> = documented.iter().filter(|row| !rows.iter().any(|have| have == *row)).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "dashboards/prometheus/README.md lists the metrics. Add these rows:\n{}\nThese are not so (a metric's name, type \
         and labels are promised, and stay):\n{}",
        missing.iter().map(|row| format!("{row}\n")).collect::<String>(),
        gone.iter().map(|row| format!("{row}\n")).collect::<String>(),
    );
    assert!(
        documented.is_sorted_by_key(|row| row.split('`').nth(1)),
        "the rows are in the order of the names"
    );
}
