//! What a node tells of its cluster: metrics, dashboard and alerts name the same things.

#[path = "../observability/files.rs"]
mod files;
#[path = "../observability/prometheus.rs"]
mod prometheus;

use std::collections::BTreeSet;

use self::files::{TABLE, exprs, names, selectors};
use self::prometheus::{Prometheus, promtool};

use crate::nodes::{STEADY, three_over_one};

const RULES: &str = include_str!("../../../dashboards/prometheus/tickerd-cluster.rules.yml");

/// The names of metrics of a cluster in a text.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("tickerd_cluster_"))
        .map(|word| word.replace("_bucket", ""))
        .collect()
}

#[tokio::test]
async fn the_table_has_each_metric_and_the_board_asks_for_no_other() {
    let cluster = three_over_one().await;
    let holder = cluster.holder(STEADY).await;
    let mut rows = BTreeSet::new();
    for node in cluster.nodes() {
        let said = cluster.node(node).metrics().await;
        for help in said.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
            let (name, help) = help.split_once(' ').unwrap();
            let kind = said.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
            rows.insert((name.to_owned(), kind.to_owned(), help.trim_end_matches('.').to_owned()));
        }
        let holds = cluster.node(node).metric(&format!("tickerd_cluster_holder{{feed=\"{STEADY}\"}}")).await;
        assert_eq!(holds, Some(if node == holder { 1.0 } else { 0.0 }), "{node}");
    }
    let ours: Vec<_> = rows.iter().filter(|(name, ..)| name.starts_with("tickerd_cluster_")).collect();
    let documented: Vec<&str> =
        TABLE.lines().filter(|line| line.starts_with("| `tickerd_cluster_")).collect();
    assert_eq!(documented.len(), ours.len(), "{ours:#?}");
    for ((name, kind, help), row) in ours.iter().zip(&documented) {
        let begins = format!("| `{name}` | {kind} | ");
        assert!(
            row.starts_with(&begins) && row.ends_with(&format!(" | {help} |")),
            "{begins}… {help}: {row}"
        );
    }
    let known = names_in(TABLE);
    let asked: BTreeSet<String> = exprs(&["cluster"]).iter().flat_map(|(_, expr)| names_in(expr)).collect();
    assert_eq!(asked.difference(&known).count(), 0, "{asked:?}");
    assert_eq!(names_in(RULES).difference(&known).count(), 0);
    assert_eq!(known.difference(&asked).count(), 0, "what nobody is shown");
}

#[tokio::test]
async fn rules_are_right_for_promtool() {
    promtool(&["check", "rules", "dashboards/prometheus/tickerd-cluster.rules.yml"]).await;
    promtool(&["test", "rules", "tests/observability/tickerd-cluster.rules.test.yml"]).await;
}

/// Each panel finds its series while all is well, and no alert does; when the servers are gone, the one that says so does.
#[tokio::test]
async fn a_prometheus_finds_what_the_board_and_the_alerts_ask_for() {
    let mut cluster = three_over_one().await;
    let _clients = cluster.watched().await;
    let admins: Vec<String> =
        cluster.nodes().into_iter().map(|node| cluster.node(node).admin().to_string()).collect();
    let prometheus = Prometheus::start("tickerd-cluster.rules.yml", &admins, None).await;
    // All that there is has two values by then, as a rate needs.
    prometheus
        .until("min(count_over_time(tickerd_cluster_connected[5m])) >= 4 and count(up == 1) == 3")
        .await;
    let series = prometheus.names().await;
    let mut wrong = Vec::new();
    for (place, expr) in exprs(&["cluster"]) {
        let unknown: Vec<_> =
            names(&expr).into_iter().filter(|name| !series.contains(&(*name).to_owned())).collect();
        if !unknown.is_empty() || prometheus.query(&expr).await.is_empty() {
            wrong.push(format!("{place}: nothing for {expr}, not there: {unknown:?}"));
        }
    }
    let rules = prometheus.rules().await;
    assert_eq!(rules.len(), 2);
    for (alert, expr) in &rules {
        for selector in selectors(expr) {
            if prometheus.query(selector).await.is_empty() {
                wrong.push(format!("{alert}: nothing for {selector}"));
            }
        }
        if !prometheus.query(expr).await.is_empty() {
            wrong.push(format!("{alert} fires though all is well"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    cluster.nats.kill_all().await;
    let (_, expr) = rules.iter().find(|(alert, _)| alert == "TickerdClusterDisconnected").unwrap();
    prometheus.until(&format!("count({expr}) == 3")).await;
}
