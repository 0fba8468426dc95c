//! What a follower has is what the holder has, whatever is between them.

use std::collections::BTreeSet;

use bytes::Bytes;
use nix::sys::signal::Signal;
use tickerd_tests::{Daemon, Feed, Nats, Value, daemon, exec, json, sim, within};

use crate::checker::Watch;
use crate::nodes::{Cluster, STEADY, over, steady, three_over_one};

/// More than the sockets between a server and a node take.
const BURST: usize = 48 * 1024 * 1024;
const PART: usize = 256 * 1024;

/// A server closes the connection of a node that does not read. The node comes back, asks for what it missed, and its clients miss
/// nothing.
#[tokio::test]
async fn a_follower_is_cut_off_for_being_slow() {
    let cluster = three_over_one().await;
    let mut clients = cluster.watched().await;
    let holder = cluster.holder(STEADY).await;
    let slow = cluster.nodes().into_iter().find(|node| *node != holder).unwrap();
    let (link, _hearing) = cluster.stranger().await;
    cluster.node(slow).signal(Signal::SIGSTOP);
    // Only that node listens there.
    let subject = format!("tickerd.t.answer.{slow}");
    for _ in 0..BURST / PART {
        while !link.publish(subject.clone(), Bytes::from(vec![0xc1; PART])).await {}
    }
    within("the server to close its connection", async {
        while !cluster.nats.log(0).contains("Slow Consumer") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    cluster.node(slow).signal(Signal::SIGCONT);
    cluster.node(slow).logged("the connection to NATS is lost").await;
    let newest = clients[holder].position("steady.counter").seq;
    let client = clients.get_mut(slow).unwrap();
    client.until("what was missed", |seen| seen.newest["steady.counter"].seq > newest).await;
    assert_eq!(cluster.holder(STEADY).await, holder);
    cluster.node(slow).metric_until("tickerd_cluster_connected", |connected| connected == 1.0).await;
    for (node, mut client) in clients {
        client.goes_on().await;
        let seen = client.end().await;
        assert_eq!(seen.resets.len(), 0, "{node}: {seen:?}");
    }
}

/// A feed that is pushed as it comes has no beats of its own: that a topic has ended is told all the same, though nothing follows.
#[tokio::test]
async fn a_topic_that_ended_last_ends_on_all_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let script = format!(
        r#"for topic in stays goes; do echo '{{"topic":"'$topic'","event":"e","data":1}}'; done
        until [ -e {} ]; do sleep 0.05; done; echo '{{"retire":"goes"}}'; sleep 1000"#,
        go.display()
    );
    let feed = exec("bids", ["/bin/sh", "-c", &script]).set("pace = \"arrival\"");
    let mut cluster = over(Nats::one().await).with(&[feed]);
    for node in ["a", "b"] {
        cluster.start(node).await;
    }
    cluster.holder("bids").await;
    let mut clients = Vec::new();
    for node in cluster.nodes() {
        let mut client = cluster.node(node).client("/ws?topics=bids.**").await;
        client.until_tick("bids.goes").await;
        clients.push(client);
    }
    std::fs::write(&go, "").unwrap();
    for client in &mut clients {
        within("the end of the topic", async {
            while client.until("notice").await.data["removed"] != json!(["bids.goes"]) {}
        })
        .await;
    }
}

async fn feeds_of(cluster: &Cluster, node: &str) -> BTreeSet<String> {
    let (_, said) = cluster.command(node, &["status", "--json"]).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    let feeds = said["cluster"]["feeds"].as_array().unwrap();
    feeds.iter().map(|feed| feed["feed"].as_str().unwrap().to_owned()).collect()
}

/// `feeds` narrows what an edge follows, and what the servers send to it.
#[tokio::test]
async fn an_edge_follows_only_what_it_is_to() {
    let other = Feed::plugin("other", "tickerd_feed_pusher").set("interval = \"50ms\"");
    let mut cluster = over(Nats::one().await).with(&[steady(), other]);
    cluster.start("a").await;
    let mut cluster = cluster.with(&[]);
    cluster.start_as("edge", "role = \"edge\"\nfeeds = [\"steady\"]").await;
    cluster.start_as("all", "role = \"edge\"").await;
    assert_eq!(cluster.holder("other").await, "a");
    // Until it has heard of a feed that it has no section of, there is none for its clients.
    for (node, feeds) in [("edge", &[STEADY][..]), ("all", &["other", STEADY])] {
        let wanted: BTreeSet<String> = feeds.iter().map(|feed| (*feed).to_owned()).collect();
        within("the feeds", async { while feeds_of(&cluster, node).await != wanted {} }).await;
    }
    let truth = Watch::truth();
    for (node, feed) in [("edge", STEADY), ("all", "other"), ("all", STEADY)] {
        Watch::of(node, cluster.node(node), feed, &truth).await.end().await;
    }
    assert_eq!(feeds_of(&cluster, "edge").await, [STEADY.to_owned()].into(), "and no other since");
    let mut client = cluster.node("edge").connected().await;
    let subscribed = client.subscribe(json!({"topics": ["other.counter"]})).await;
    assert_eq!(subscribed["failed"][0]["code"], 404, "there is no such feed here: {subscribed}");
    let subjects = cluster.nats.subjects(0, "tickerd edge").await;
    assert!(subjects.contains("tickerd.t.beat.steady"), "{subjects:?}");
    assert!(
        !subjects
            .iter()
            .any(|subject| subject.starts_with("tickerd.t.beat.") && !subject.ends_with(".steady"))
    );
}

pub const BARS: &str = "[bars]\nkeep = { \"1s\" = \"10m\" }\n";

/// A feed of prices, with bars.
pub fn priced() -> Feed {
    sim(7).set("interval = \"50ms\"").set("poll = \"50ms\"").set("bars = { field = \"price\" }")
}

/// The bars of a topic that are over, by when they began.
async fn bars(node: &Daemon) -> Vec<Value> {
    let (status, said) =
        tickerd_tests::daemon::http(node.address(), "/v1/topics/sim.AAPL/bars?period=1s").await;
    // The topic may not have come yet.
    if status == 404 {
        return Vec::new();
    }
    assert_eq!(status, 200, "{said}");
    let said: Value = serde_json::from_str(&said).unwrap();
    let mut bars = said["bars"].as_array().unwrap().clone();
    bars.pop();
    bars
}

/// Bars are made where ticks are numbered, and come with them: on all nodes the same figures, also after another node took over.
#[tokio::test]
async fn a_followers_bars_are_the_holders() {
    let mut cluster = over(Nats::one().await).with(&[priced()]);
    for node in ["a", "b", "c"] {
        let toml = cluster.toml(node, "") + BARS;
        cluster.take(node, daemon().config(&toml).run().await);
    }
    let holder = cluster.holder("sim").await;
    let mut nodes = cluster.nodes();
    same_bars(&cluster, &nodes, 3).await;
    cluster.kill(holder).await;
    nodes.retain(|node| *node != holder);
    cluster.holder("sim").await;
    same_bars(&cluster, &nodes, 6).await;
}

/// Waits until all of them have so many bars, and compares those that each has.
pub async fn same_bars(cluster: &Cluster, nodes: &[&'static str], count: usize) {
    within("bars", async {
        loop {
            let mut all = Vec::new();
            for node in nodes {
                all.push(bars(cluster.node(node)).await);
            }
            let starts = |bars: &Vec<Value>| -> BTreeSet<u64> {
                bars.iter().map(|bar| bar["start"].as_u64().unwrap()).collect()
            };
            let common = all.iter().map(starts).reduce(|one, two| &one & &two).unwrap();
            if common.len() >= count {
                let kept = |bars: &Vec<Value>| -> Vec<Value> {
                    let is_common = |bar: &&Value| common.contains(&bar["start"].as_u64().unwrap());
                    bars.iter().filter(is_common).cloned().collect()
                };
                for (node, bars) in nodes.iter().zip(&all) {
                    assert_eq!(kept(bars), kept(&all[0]), "{node}");
                }
                return;
            }
        }
    })
    .await;
}
