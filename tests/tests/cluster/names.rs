//! Names that are there twice: of a node, and of a cluster. Each is seen, named, and survived.

use tempfile::TempDir;
use tickerd_tests::{Feed, Nats, daemon, within};

use crate::checker::Watch;
use crate::nodes::{Cluster, STEADY, over};

/// Waits until the node's command says this of its cluster, and gives all that it said.
async fn status(cluster: &Cluster, node: &str, text: &str) -> String {
    within(text, async {
        loop {
            let (_, said) = cluster.command(node, &["status"]).await;
            if said.contains(text) {
                return said;
            }
        }
    })
    .await
}

/// Two processes with one name say so. Their lives tell them apart for the others, so each number still means one value, and when
/// the one that holds the feed dies the other may take it.
#[tokio::test]
async fn a_node_name_is_there_twice() {
    let mut cluster = over(Nats::one().await);
    cluster.start("a").await;
    cluster.holder(STEADY).await;
    cluster.start("b").await;
    let twin = daemon().config(&cluster.toml("a", "")).run().await;
    for node in [cluster.node("a"), &twin] {
        node.logged("another process of this cluster has the same node name").await;
    }
    status(&cluster, "a", "another process has the name of this node, \"a\"; give each node its own").await;
    let said = cluster.ready("a", "another process has the name").await;
    assert!(said.contains("[-]cluster failed: degraded: another process"), "{said}");
    let truth = Watch::truth();
    let mut clients = vec![
        Watch::of("b", cluster.node("b"), STEADY, &truth).await,
        Watch::of("twin", &twin, STEADY, &truth).await,
    ];
    cluster.kill("a").await;
    for client in &mut clients {
        client.is_reset(0).await;
    }
    for client in clients {
        assert_eq!(client.end().await.resets.len(), 1);
    }
    // Who is alone with its name has no trouble.
    within("no trouble", async { while twin.get("/readyz?verbose").await.1.contains("another process") {} })
        .await;
}

/// Who uses one name on the same servers is one cluster: each follows the other's feeds. It is seen at feeds that nobody configured
/// there, and at configurations that differ.
#[tokio::test]
async fn two_use_one_name_on_the_same_servers() {
    let mut cluster = over(Nats::one().await);
    cluster.start("a").await;
    cluster.holder(STEADY).await;
    let foreign = Feed::plugin("foreign", "tickerd_feed_pusher").set("interval = \"50ms\"");
    let mut cluster = cluster.with(&[foreign]);
    cluster.start("x").await;
    assert_eq!(cluster.holder("foreign").await, "x");
    assert_eq!(cluster.holder(STEADY).await, "a");
    for node in ["a", "x"] {
        for text in ["differs", "steady", "foreign"] {
            status(&cluster, node, text).await;
        }
    }
    let truth = Watch::truth();
    for (node, feed) in [("a", "foreign"), ("x", STEADY)] {
        let client = Watch::of(node, cluster.node(node), feed, &truth).await;
        let seen = client.end().await;
        assert_eq!((seen.resets.len(), seen.holes), (0, 0), "{node}: {seen:?}");
    }
}

/// Two clusters of one name, each with records of its own, begin to hear each other: two sites whose NATS servers are joined as leaf
/// nodes, each with its own JetStream. Both say whose the other is. No number comes twice or means two values.
#[tokio::test]
async fn two_clusters_of_one_name_hear_each_other() {
    let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let leaf = tickerd_tests::nats::free_port();
    let domain = |name: &str, folder: &TempDir| {
        format!(
            "jetstream {{ domain: {name}, store_dir: {:?}, max_mem: 64M, max_file: 256M }}\n",
            folder.path()
        )
    };
    let hub = domain("here", &here) + &format!("leafnodes {{ listen: \"127.0.0.1:{leaf}\" }}");
    let site = domain("there", &there);
    let mut cluster = over(Nats::with(1, &hub).await);
    cluster.start("a").await;
    cluster.holder(STEADY).await;
    let mut other = over(Nats::with(1, &site).await);
    other.start("x").await;
    other.holder(STEADY).await;
    let joined = format!("leafnodes {{ remotes: [ {{ url: \"nats-leaf://127.0.0.1:{leaf}\" }} ] }}");
    // A server takes no other leaf nodes while it runs.
    other.nats.kill(0).await;
    other.nats.set(&(site + &joined));
    other.nats.start(0).await;
    let name = "another cluster that has the name \"t\" too";
    for (cluster, node, other) in [(&cluster, "a", "x"), (&other, "x", "a")] {
        let said = status(cluster, node, name).await;
        assert!(said.contains(&format!("the node \"{other}\" is of {name}")), "{said}");
        assert!(said.contains("OTHER CLUSTER") && said.contains("[cluster] name"), "{said}");
        cluster.ready(node, name).await;
        cluster.node(node).logged("two clusters have the name \"t\", and hear each other").await;
    }
    let truth = Watch::truth();
    let mut clients = vec![
        Watch::of("a", cluster.node("a"), STEADY, &truth).await,
        Watch::of("x", other.node("x"), STEADY, &truth).await,
    ];
    for client in &mut clients {
        client.goes_on().await;
    }
    for client in clients {
        client.end().await;
    }
}
