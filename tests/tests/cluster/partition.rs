//! The network is cut in two: one node with one NATS server here, two with two there.

use std::collections::BTreeMap;
use std::sync::Arc;

use tickerd_tests::{Feed, Nats, Space, Spaces, daemon, within};

use crate::checker::Watch;
use crate::nodes::{Cluster, STEADY, over, steady};

/// A second feed, which another node holds.
const OTHER: &str = "other";
const NODES: [&str; 3] = ["a", "b", "c"];

/// A node in each namespace, beside a server. `a` holds the one feed, `b` the other.
async fn apart(spaces: &[Arc<Space>]) -> Cluster {
    let other = Feed::plugin(OTHER, "tickerd_feed_pusher").set("interval = \"50ms\"");
    let mut cluster = over(Nats::inside(spaces).await).with(&[steady(), other]);
    for (node, space) in NODES.into_iter().zip(spaces) {
        let started = daemon().config(&cluster.toml(node, "")).inside(space).run().await;
        cluster.take(node, started);
    }
    for (feed, node) in [(STEADY, "a"), (OTHER, "b")] {
        let holder = cluster.holder(feed).await;
        if holder != node {
            let (is_done, said) = cluster.command(holder, &["move", feed, node]).await;
            assert!(is_done, "{said}");
        }
        assert_eq!(cluster.holder(feed).await, node);
    }
    cluster
}

/// A client on each node, of that feed.
async fn watched(cluster: &Cluster, feed: &str) -> BTreeMap<&'static str, Watch> {
    let truth = Watch::truth();
    let mut all = BTreeMap::new();
    for node in NODES {
        all.insert(node, Watch::of(node, cluster.node(node), feed, &truth).await);
    }
    all
}

/// Waits until these have no trouble, and follow each feed.
async fn well(cluster: &Cluster, nodes: &[&str]) {
    for node in nodes {
        within("a node that is well", async { while !cluster.command(node, &["status"]).await.0 {} }).await;
    }
}

async fn holds(cluster: &Cluster, node: &str, feed: &str) -> bool {
    cluster.node(node).metric(&format!("tickerd_cluster_holder{{feed=\"{feed}\"}}")).await == Some(1.0)
}

/// The minority serves on: what it holds goes on for its own clients, what others hold is old there, and it takes none. The
/// majority takes over what the minority held. When the network is whole all have one holder's numbers, and each client was told.
#[tokio::test]
async fn the_network_is_cut_in_two() {
    let Some(spaces) = Spaces::make(3) else { return };
    let cluster = apart(&spaces.all).await;
    let (mut steady, mut other) = (watched(&cluster, STEADY).await, watched(&cluster, OTHER).await);
    spaces.cut(0);

    for node in ["b", "c"] {
        steady.get_mut(node).unwrap().is_reset(0).await;
        other.get_mut(node).unwrap().goes_on().await;
    }
    steady.get_mut("a").unwrap().goes_on().await;
    other.get_mut("a").unwrap().is_left().await;
    let said = cluster.ready("a", "no node is heard that holds it").await;
    assert!(said.contains("[-]feed other failed: degraded: no node is heard that holds it"), "{said}");
    // The majority is whole, and has taken what it may, so the minority has had time enough to try.
    well(&cluster, &["b", "c"]).await;
    assert!(!holds(&cluster, "a", OTHER).await, "the minority takes none");
    assert!(holds(&cluster, "a", STEADY).await, "and goes on with what it has");
    steady.get_mut("a").unwrap().goes_on().await;
    let was = steady["a"].position("steady.counter");

    spaces.join(0);
    steady.get_mut("a").unwrap().is_reset(0).await;
    let holder = cluster.holder(STEADY).await;
    assert_ne!(holder, "a", "of two the later era counts");
    assert_eq!(cluster.holder(OTHER).await, "b");
    well(&cluster, &NODES).await;
    for node in NODES {
        // Those numbers were of the minority alone: nobody has what followed.
        assert!(!steady["a"].returns(cluster.node(node), &was).await, "{node}");
    }
    for (node, mut client) in steady {
        client.goes_on().await;
        let seen = client.end().await;
        assert_eq!(seen.resets.len(), 1, "{node}: {seen:?}");
    }
    for (node, mut client) in other {
        client.goes_on().await;
        let seen = client.end().await;
        assert_eq!(seen.resets.len(), 0, "{node}: {seen:?}");
    }
}
