//! Many clients of a node that dies.

use std::time::Instant;

use tickerd_tests::{Feed, Incoming, Nats, json};

use crate::nodes::{Cluster, over};

const CLIENTS: usize = 1_000;

async fn slow() -> Cluster {
    let feed =
        Feed::plugin("slow", "tickerd_feed_pusher").set("interval = \"500ms\"").configured("every_ms = 500");
    over(Nats::one().await).with(&[feed])
}

/// They go to another node and have missed nothing: the ring there is that of any node.
#[tokio::test]
async fn an_edge_with_a_thousand_clients_is_killed() {
    let mut cluster = slow().await;
    cluster.start("a").await;
    cluster.start("b").await;
    cluster.start_as("edge", "role = \"edge\"").await;
    cluster.holder("slow").await;
    let (address, other) = (cluster.node("edge").address(), cluster.node("b").address());
    let mut tasks = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = cluster.node("edge").connected().await;
        let granted = client.subscribe(json!({"topics": ["slow.counter"], "mode": "all"})).await;
        let grant = &granted["topics"][0];
        let epoch = grant["epoch"].as_str().map(str::to_owned);
        let mut seq = grant["seq"].as_u64().unwrap();
        tasks.push(tokio::spawn(async move {
            loop {
                match client.incoming().await {
                    Incoming::Event(event) if event.is_tick() => seq = event.seq(),
                    Incoming::Close(..) | Incoming::End => return (epoch, seq),
                    _ => {}
                }
            }
        }));
    }
    let killed = Instant::now();
    cluster.kill("edge").await;
    let mut recovered = 0;
    for task in tasks {
        let (epoch, seq) = task.await.unwrap();
        let epoch = epoch.unwrap_or_else(|| panic!("{address}: whose numbers?"));
        let mut client = cluster.node("b").connected().await;
        let since = json!({"epoch": {"slow.counter": epoch}, "seq": {"slow.counter": seq}});
        let grant = client.subscribe(json!({"topics": ["slow.counter"], "since": since})).await;
        recovered += usize::from(grant["topics"][0]["recovered"] == true);
        assert_eq!(client.tick().await.seq(), seq + 1, "{other}");
    }
    eprintln!("{CLIENTS} clients recovered elsewhere within {:?}", killed.elapsed());
    assert_eq!(recovered, CLIENTS);
}
