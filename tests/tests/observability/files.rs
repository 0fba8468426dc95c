//! The files that operators get: dashboards, alerts, and the list of metrics.

use std::path::PathBuf;

use tickerd_tests::Value;

/// The guide with the table of metrics.
pub const TABLE: &str = include_str!("../../../dashboards/prometheus/README.md");

const DASHBOARDS: [(&str, &str); 4] = [
    ("overview", include_str!("../../../dashboards/grafana/dashboards/tickerd-overview.json")),
    ("feeds", include_str!("../../../dashboards/grafana/dashboards/tickerd-feeds.json")),
    ("clients", include_str!("../../../dashboards/grafana/dashboards/tickerd-clients.json")),
    ("cluster", include_str!("../../../dashboards/grafana/dashboards/tickerd-cluster.json")),
];

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Each expression of each panel of these dashboards, as Grafana would ask for it, with its place.
pub fn exprs(of: &[&str]) -> Vec<(String, String)> {
    let mut exprs = Vec::new();
    for (name, text) in DASHBOARDS.into_iter().filter(|(name, _)| of.contains(name)) {
        let dashboard: Value = serde_json::from_str(text).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let place = format!("{name}, {}", panel["title"].as_str().unwrap());
                let expr = target["expr"].as_str().unwrap();
                exprs.push((place, expr.replace("$__rate_interval", "1m").replace("$instance", ".*")));
            }
        }
    }
    exprs
}

/// The metrics that an expression names.
pub fn names(expr: &str) -> Vec<&str> {
    let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("tickerd_") || word.starts_with("process_")).collect()
}

/// The same with what stands in braces behind them.
pub fn selectors(expr: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = expr;
    for name in names(expr) {
        let at = rest.find(name).unwrap();
        let behind = &rest[at + name.len()..];
        let braces = if behind.starts_with('{') { behind.find('}').unwrap() + 1 } else { 0 };
        found.push(&rest[at..at + name.len() + braces]);
        rest = &behind[braces..];
    }
    found
}

#[test]
fn what_an_expression_asks_for_is_found() {
    let expr = "rate(tickerd_a_total{x=\"tickerd y\"}[1m]) / (process_b > 1) and up";
    assert_eq!(selectors(expr), ["tickerd_a_total{x=\"tickerd y\"}", "process_b"]);
}

/// A dashboard is for any Grafana: it names no data source, has no number of another's database, and says what it shows.
#[test]
fn dashboards_are_for_any_grafana() {
    fn sources<'a>(of: &'a Value, found: &mut Vec<&'a Value>) {
        match of {
            Value::Object(fields) => {
                found.extend(fields.get("datasource"));
                fields.values().for_each(|field| sources(field, found));
            }
            Value::Array(all) => all.iter().for_each(|one| sources(one, found)),
            _ => {}
        }
    }
    for (name, text) in DASHBOARDS {
        let dashboard: Value = serde_json::from_str(text).unwrap();
        assert_eq!(dashboard["uid"], format!("tickerd-{name}"));
        assert!(dashboard.get("id").is_none() && !dashboard["description"].as_str().unwrap().is_empty());
        let mut found = Vec::new();
        sources(&dashboard, &mut found);
        for source in found {
            assert_eq!(source["uid"], "${DS_PROMETHEUS}", "{name}");
        }
        assert_eq!(dashboard["templating"]["list"][0]["name"], "DS_PROMETHEUS");
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            assert!(panel.get("id").is_none(), "{name}, {title}");
            let is_row = panel["type"] == "row";
            assert!(is_row || panel["fieldConfig"]["defaults"]["unit"].is_string(), "{name}, {title}");
        }
    }
}
