//! The configuration of nodes is changed one node after the other, while they run.

use tickerd_tests::daemon::command;
use tickerd_tests::{Feed, Nats, Value, daemon, json, within};

use crate::checker::Watch;
use crate::nodes::{Cluster, STEADY, over, steady};
use crate::rooms::{DECLARED, heard, person, publish};

/// Whether this node holds the feed.
const HOLDS: &str = "tickerd_cluster_holder{feed=\"steady\"}";

/// Two nodes that know of these feeds.
async fn two(feeds: &[Feed]) -> Cluster {
    let mut cluster = over(Nats::one().await).with(feeds);
    for node in ["a", "b"] {
        cluster.start(node).await;
    }
    cluster
}

/// A node's configuration is what the cluster's is now, with these lines.
async fn reload(cluster: &Cluster, node: &str, lines: &str) -> Value {
    let folder = cluster.node(node).folder();
    let config = format!("{}\n{lines}", cluster.toml(node, ""));
    std::fs::write(folder.join("tickerd.toml"), daemon().config(&config).toml()).unwrap();
    let mut command = command();
    command.args(["reload", "--json", "--socket"]).arg(folder.join("tickerd/admin.sock"));
    let output = within("tickerd reload", command.output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap()
}

/// `tickerd cluster status` of a node, once it says that of a feed, or has no such feed; and whether all is well.
async fn status(cluster: &Cluster, node: &str, feed: &str, state: Option<&str>) -> (bool, Value) {
    within(&format!("{feed} to be {state:?} at {node}"), async {
        loop {
            let (is_well, said) = cluster.command(node, &["status", "--json"]).await;
            let said: Value = serde_json::from_str(&said).unwrap();
            let feeds = said["cluster"]["feeds"].as_array().unwrap();
            let of: Vec<&str> = feeds
                .iter()
                .filter(|row| row["feed"] == feed)
                .map(|row| row["state"].as_str().unwrap())
                .collect();
            assert!(of.len() <= 1, "{said}");
            if of.first().copied() == state {
                return (is_well, said["cluster"].clone());
            }
        }
    })
    .await
}

/// Waits until b's configuration is said to differ from a's, or not to.
async fn differs(cluster: &Cluster, wanted: bool) {
    within(&format!("CONFIG to differ: {wanted}"), async {
        loop {
            let (_, said) = cluster.command("a", &["status", "--json"]).await;
            let said: Value = serde_json::from_str(&said).unwrap();
            let nodes = said["cluster"]["nodes"].as_array().unwrap();
            if nodes
                .iter()
                .any(|row| row["node"] == "b" && row["config_differs"].as_bool().unwrap_or(false) == wanted)
            {
                return;
            }
        }
    })
    .await;
}

/// Moves the feed, as soon as that node is known to be able to hold it.
async fn moved(cluster: &Cluster, to: &str) {
    within("the feed to be moved", async {
        while let (false, said) = cluster.command("a", &["move", STEADY, to]).await {
            assert!(said.contains("may not hold"), "{said}");
        }
    })
    .await;
}

/// A node that follows the feed before it has a section of it may hold it once it has.
#[tokio::test]
async fn a_feed_comes_to_one_node_after_the_other() {
    let mut cluster = two(&[]).await.with(&[steady()]);
    reload(&cluster, "a", "").await;
    assert_eq!(cluster.holder(STEADY).await, "a");
    status(&cluster, "b", STEADY, Some("follows")).await;
    let truth = Watch::truth();
    let mut client = Watch::of("b", cluster.node("b"), STEADY, &truth).await;
    differs(&cluster, true).await;
    reload(&cluster, "b", "").await;
    differs(&cluster, false).await;
    moved(&cluster, "b").await;
    client.goes_on().await;
    assert_eq!(client.seen().resets.len(), 0, "its numbers go on");
    moved_back(&cluster).await;
    cluster.kill("a").await;
    assert_eq!(cluster.holder(STEADY).await, "b");
    client.is_reset(0).await;
    client.end().await;
}

/// From b to a.
async fn moved_back(cluster: &Cluster) {
    let (is_done, said) = cluster.command("b", &["move", STEADY, "a"]).await;
    assert!(is_done, "{said}");
}

/// The same of a room, in which people are meanwhile.
#[tokio::test]
async fn a_room_comes_to_one_node_after_the_other() {
    let mut cluster = two(&[]).await;
    reload(&cluster, "a", DECLARED).await;
    assert_eq!(cluster.holder("lobby").await, "a");
    status(&cluster, "b", "lobby", Some("follows")).await;
    let mut bob = person(&cluster, "b", "bob").await;
    let first = publish(&mut bob, json!(1)).await;
    reload(&cluster, "b", DECLARED).await;
    let second = publish(&mut bob, json!(2)).await;
    // What was taken and not told yet dies with its holder.
    assert_eq!(heard(&mut bob, 2).await, [(first, json!(1)), (second, json!(2))]);
    cluster.kill("a").await;
    assert_eq!(cluster.holder("lobby").await, "b");
    let third = publish(&mut bob, json!(3)).await;
    assert!(first < second && second < third);
    assert_eq!(heard(&mut bob, 1).await, [(third, json!(3))]);
}

/// `nodes` is another: who holds the feed and is not to hands it over as soon as somebody is heard who is.
#[tokio::test]
async fn other_nodes_may_hold_a_feed() {
    let cluster = two(&[steady().set("nodes = [\"a\"]")]).await;
    assert_eq!(cluster.holder(STEADY).await, "a");
    let truth = Watch::truth();
    let mut client = Watch::of("b", cluster.node("b"), STEADY, &truth).await;
    let cluster = cluster.with(&[steady().set("nodes = [\"b\"]")]);
    let said = reload(&cluster, "a", "").await;
    assert!(said.to_string().contains("feed.nodes"), "{said}");
    client.goes_on().await;
    assert_eq!(cluster.holder(STEADY).await, "a", "b was not told yet that it may");
    reload(&cluster, "b", "").await;
    cluster.node("b").metric_until(HOLDS, |holds| holds == 1.0).await;
    assert_eq!(cluster.holder(STEADY).await, "b");
    client.goes_on().await;
    assert_eq!(client.end().await.resets.len(), 0, "its numbers go on");
}

/// Once the last node has no section of a feed any more, no node has anything of it.
#[tokio::test]
async fn a_feed_goes_from_one_node_after_the_other() {
    let cluster = two(&[steady()]).await;
    cluster.holder(STEADY).await;
    let cluster = cluster.with(&[]);
    reload(&cluster, "a", "").await;
    cluster.node("b").metric_until(HOLDS, |holds| holds == 1.0).await;
    status(&cluster, "a", STEADY, Some("follows")).await;
    reload(&cluster, "b", "").await;
    for node in ["a", "b"] {
        let (is_well, said) = status(&cluster, node, STEADY, None).await;
        assert!(is_well, "{node}: {said}");
        let metrics = cluster.node(node).metrics().await;
        let of_feed =
            metrics.lines().find(|line| line.contains("feed=\"steady\"") && line.contains("cluster"));
        assert_eq!(of_feed, None, "{node}");
    }
}
