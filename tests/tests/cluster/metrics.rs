//! What a node tells of its cluster: metrics, dashboard and alerts name the same things.

use std::collections::BTreeSet;

use tickerd_tests::Value;

use crate::nodes::{STEADY, three_over_one};

const TABLE: &str = include_str!("../../../dashboards/prometheus/README.md");
const RULES: &str = include_str!("../../../dashboards/prometheus/tickerd-cluster.rules.yml");
const BOARD: &str = include_str!("../../../dashboards/grafana/dashboards/tickerd-cluster.json");

/// The names of metrics of a cluster in a text.
fn names(text: &str) -> BTreeSet<String> {
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
    let known = names(TABLE);
    let board: Value = serde_json::from_str(BOARD).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let asked = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let asked: BTreeSet<String> = asked.flat_map(|target| names(target["expr"].as_str().unwrap())).collect();
    assert_eq!(asked.difference(&known).count(), 0, "{asked:?}");
    assert_eq!(names(RULES).difference(&known).count(), 0);
    assert_eq!(known.difference(&asked).count(), 0, "what nobody is shown");
}
