//! What happens to the NATS servers, and what the nodes make of it.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use tickerd_tests::{Nats, daemon, within};

use crate::checker::{Position, Watch};
use crate::nodes::{Cluster, STEADY, over, three, three_over_one};

/// Which server that node is connected to.
async fn server_of(cluster: &Cluster, node: &str) -> usize {
    within("the node's connection", async {
        loop {
            for at in 0..cluster.nats.count() {
                if cluster.nats.clients(at).await.contains(&format!("tickerd {node}")) {
                    return at;
                }
            }
        }
    })
    .await
}

/// The holder's clients see nothing. Others may miss beats while their node connects to another server; they get them then.
#[tokio::test]
async fn one_of_three_servers_dies() {
    let mut cluster = three().await;
    let mut clients = cluster.watched().await;
    let holder = cluster.holder(STEADY).await;
    let at = server_of(&cluster, holder).await;
    cluster.nats.kill(at).await;
    for client in clients.values_mut() {
        client.goes_on().await;
    }
    assert_eq!(cluster.holder(STEADY).await, holder, "who holds it and lives keeps it");
    cluster.nats.start(at).await;
    for (node, mut client) in clients {
        client.goes_on().await;
        let seen = client.end().await;
        assert_eq!((seen.resets.len(), seen.holes), (0, 0), "{node}: {seen:?}");
    }
}

/// The holder serves on, the others say that they are stale. When the servers are back all have what they missed.
#[tokio::test]
async fn all_servers_die_and_come_back() {
    let mut cluster = three().await;
    let mut clients = cluster.watched().await;
    let holder = cluster.holder(STEADY).await;
    cluster.nats.kill_all().await;
    for (node, client) in &mut clients {
        match *node == holder {
            true => client.goes_on().await,
            false => client.is_left().await,
        }
        cluster.node(node).metric_until("tickerd_cluster_connected", |connected| connected == 0.0).await;
        cluster.ready(node, "degraded: ").await;
    }
    cluster.nats.start_all().await;
    for (node, mut client) in clients {
        client.goes_on().await;
        let seen = client.end().await;
        assert_eq!((seen.resets.len(), seen.holes), (0, 0), "{node}: {seen:?}");
    }
    assert_eq!(cluster.holder(STEADY).await, holder);
}

/// The machine on which all was.
#[tokio::test]
async fn a_holder_dies_with_the_leader_of_the_records() {
    let mut cluster = three().await;
    let mut clients = cluster.watched().await;
    let holder = cluster.holder(STEADY).await;
    clients.remove(holder);
    let leader = cluster.nats.leader_of("KV_tickerd_t").await;
    cluster.nats.kill(leader).await;
    cluster.kill(holder).await;
    for client in clients.values_mut() {
        client.is_reset(0).await;
    }
    for (_, client) in clients {
        assert_eq!(client.end().await.resets.len(), 1);
    }
}

/// `nats stream rm KV_tickerd_t`: nothing is seen of it, and the next holder has an era that nobody had.
#[tokio::test]
async fn the_records_are_deleted() {
    let mut cluster = three_over_one().await;
    let mut clients = cluster.watched().await;
    crate::nats::by_hand(&cluster.nats, "$JS.API.STREAM.DELETE.KV_tickerd_t", &[], "").await;
    for client in clients.values_mut() {
        client.goes_on().await;
    }
    let holder = cluster.holder(STEADY).await;
    clients.remove(holder);
    cluster.kill(holder).await;
    for client in clients.values_mut() {
        client.is_reset(0).await;
    }
    for (_, client) in clients {
        assert_eq!(client.end().await.resets.len(), 1);
    }
}

/// It runs no feed until it can ask who does, serves what it has, and says so.
#[tokio::test]
async fn a_node_starts_before_the_servers() {
    let mut cluster = over(Nats::stopped(1));
    cluster.start("a").await;
    cluster.ready("a", "degraded: no NATS server can be used").await;
    assert_eq!(cluster.node("a").metric("tickerd_cluster_connected").await, Some(0.0));
    cluster.nats.start_all().await;
    assert_eq!(cluster.holder(STEADY).await, "a");
    let clients = cluster.watched().await;
    cluster.ready("a", "node a of t").await;
    for (_, client) in clients {
        client.end().await;
    }
}

/// Each tells an epoch of its own until it can have the cluster's. Who comes then is told that, on each node the same; who was there
/// is told whose numbers come, and positions mean what they meant.
#[tokio::test]
async fn all_nodes_start_before_the_servers() {
    let mut cluster = over(Nats::stopped(1));
    let start = |node| daemon().config(&cluster.toml(node, "")).run();
    let (a, b, c) = tokio::join!(start("a"), start("b"), start("c"));
    for (node, daemon) in [("a", a), ("b", b), ("c", c)] {
        cluster.take(node, daemon);
    }
    let (truth, mut early, mut own) = (Watch::truth(), Vec::new(), BTreeSet::new());
    for node in cluster.nodes() {
        early.push((node, Watch::begin(node, cluster.node(node), STEADY, &truth).await));
        own.insert(epoch_of(&cluster, node).await);
    }
    assert_eq!(own.len(), 3, "each has its own: {own:?}");
    cluster.nats.start_all().await;
    cluster.holder(STEADY).await;
    let one = within("one epoch", async {
        loop {
            let mut told = BTreeSet::new();
            for node in cluster.nodes() {
                told.insert(epoch_of(&cluster, node).await);
            }
            if told.len() == 1 {
                return told.pop_first().unwrap();
            }
        }
    })
    .await;
    assert!(own.contains(&one), "it is one of theirs: {own:?}, {one}");
    for node in cluster.nodes() {
        // What it shows is as of the last half second.
        let shown = format!("epoch    {one}");
        within(&shown, async { while !cluster.command(node, &["status"]).await.1.contains(&shown) {} }).await;
    }
    let clients = cluster.watched().await;
    for (_, client) in early.iter_mut() {
        client.goes_on().await;
    }
    for (node, client) in &clients {
        let was = client.position("steady.counter");
        assert_ne!(was.epoch, one, "a feed's numbers have an epoch of their own");
        for other in cluster.nodes() {
            assert!(client.returns(cluster.node(other), &was).await, "{node}, {other}: the ring holds it");
            let of_nobody = Position { epoch: one.clone(), ..was.clone() };
            assert!(!client.returns(cluster.node(other), &of_nobody).await, "{node}, {other}");
        }
    }
    for (node, client) in early.into_iter().chain(clients) {
        let seen = client.end().await;
        assert_eq!((seen.holes, seen.lags), (0, 0), "{node}: {seen:?}");
    }
}

/// What a client that comes now is told.
async fn epoch_of(cluster: &Cluster, node: &str) -> String {
    let connected = cluster.node(node).client("/ws").await.expect("connected").await;
    connected.data["epoch"].as_str().unwrap().to_owned()
}

/// Records that are edited to what is no epoch are written anew; another epoch counts, on all nodes.
#[tokio::test]
async fn the_record_of_the_epoch_is_edited_by_hand() {
    let cluster = three_over_one().await;
    let clients = cluster.watched().await;
    let before = epoch_of(&cluster, "a").await;
    let (link, _hearing) = cluster.stranger().await;
    for (edited, wanted) in [("no epoch!", before.as_str()), ("another", "another")] {
        crate::nats::by_hand(&cluster.nats, "$KV.tickerd_t.epoch", &[], edited).await;
        within("the record to be right", async {
            loop {
                let found = link.read("epoch").await.ok().flatten();
                let mut told = BTreeSet::new();
                for node in cluster.nodes() {
                    told.insert(epoch_of(&cluster, node).await);
                }
                if found.is_some_and(|(_, bytes)| bytes == wanted) && told == [wanted.to_owned()].into() {
                    return;
                }
            }
        })
        .await;
    }
    for node in cluster.nodes() {
        cluster.node(node).logged("the cluster has another epoch").await;
    }
    for (node, mut client) in clients {
        client.goes_on().await;
        let seen = client.end().await;
        assert_eq!((seen.resets.len(), seen.holes), (0, 0), "{node}: {seen:?}");
    }
}

/// The node says whom the servers refuse, and not with which password.
#[tokio::test]
async fn a_password_is_wrong() {
    let nats = Nats::with(1, "authorization { user: node, password: \"right-CANARY-1\" }").await;
    let mut cluster = over(nats);
    let lines = "user = \"node\"\npassword = { env = \"NATS_PASSWORD\" }";
    let wrong = daemon().config(&cluster.toml("a", lines)).env("NATS_PASSWORD", "wrong-CANARY-2").run().await;
    cluster.take("a", wrong);
    let said = cluster.ready("a", "it refuses the user \"node\"").await;
    let right = daemon().config(&cluster.toml("b", lines)).env("NATS_PASSWORD", "right-CANARY-1").run().await;
    cluster.take("b", right);
    assert_eq!(cluster.holder(STEADY).await, "b");
    for node in ["a", "b"] {
        assert!(
            !cluster.node(node).log().contains("CANARY") && !said.contains("CANARY"),
            "{}",
            cluster.node(node).log()
        );
    }
}

/// A server that hangs is left for another. Who follows does not take the feed for that; who holds it there may lose it, once.
#[tokio::test]
async fn a_server_hangs() {
    let cluster = three().await;
    let mut clients = cluster.watched().await;
    let holder = cluster.holder(STEADY).await;
    let follower = cluster.nodes().into_iter().find(|node| *node != holder).unwrap();
    let at = server_of(&cluster, follower).await;
    let most = usize::from(server_of(&cluster, holder).await == at);
    cluster.nats.signal(at, Signal::SIGSTOP);
    for client in clients.values_mut() {
        client.goes_on().await;
    }
    cluster.nats.signal(at, Signal::SIGCONT);
    for (node, mut client) in clients {
        client.goes_on().await;
        let seen = client.end().await;
        assert!(seen.resets.len() <= most, "{node}: {seen:?}");
    }
}
