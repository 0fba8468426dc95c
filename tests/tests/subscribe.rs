//! Subscriptions: what is granted, what is refused, and what then comes.

use tickerd_tests::{daemon, json, scripted, sim};

#[tokio::test]
async fn connected_comes_first() {
    let daemon = daemon().feed(sim(7)).run().await;
    let mut client = daemon.client("/ws").await;
    let connected = client.expect("connected").await;
    assert_eq!(connected.data["v"], 1);
    client.send(json!({"event": "subscribe", "data": {"id": 1, "topics": ["sim.AAPL"]}})).await;
    let subscribed = client.expect("subscribed").await;
    assert_eq!(subscribed.data["topics"][0]["topic"], "sim.AAPL");
    assert_eq!(client.tick().await.topic(), "sim.AAPL");
}

#[tokio::test]
async fn a_tick_reaches_who_subscribed_before_it() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!({"price": "1.10"})).await;
    let tick = client.tick().await;
    assert_eq!((tick.topic(), tick.seq(), tick.value()), ("s.a", 1, &json!({"price": "1.10"})));
}
