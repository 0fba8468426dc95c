//! A room of several nodes: one order of messages, and everyone is seen by everyone.

use std::time::{Duration, Instant};

use tickerd_tests::{Client, Value, json};

use crate::nodes::{Cluster, over};

const ROOM: &str = "lobby.main";
pub const DECLARED: &str = "[[topic]]\nname = \"lobby.main\"\npublish = true\npresence = true\nhistory = 9\n";

/// Two nodes that have the room declared, and an edge that has not.
async fn three() -> Cluster {
    let mut cluster = over(tickerd_tests::Nats::one().await).with(&[]);
    for node in ["a", "b"] {
        let config = format!("{}\n{DECLARED}", cluster.toml(node, ""));
        let started = tickerd_tests::daemon().config(&config).run().await;
        cluster.take(node, started);
    }
    cluster.start_as("c", "role = \"edge\"").await;
    cluster.holder("lobby").await;
    cluster
}

/// A client of that node in the room, once the node knows of it.
pub async fn person(cluster: &Cluster, node: &str, name: &str) -> Client {
    let mut client = cluster.node(node).client(&format!("/ws?name={name}")).await;
    let connected = client.expect("connected").await;
    assert!(connected.data["conn"].as_str().unwrap().starts_with(&format!("{node}-")), "{}", connected.text);
    let until = Instant::now() + tickerd_tests::GUARD;
    loop {
        let granted = client.subscribe(json!({"topics": [ROOM]})).await;
        if granted["failed"].as_array().is_none_or(Vec::is_empty) {
            return client;
        }
        assert!(Instant::now() < until, "{node} never hears of the room: {granted}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Publishes until it is taken, as the protocol has clients do.
pub async fn publish(client: &mut Client, value: Value) -> u64 {
    let until = Instant::now() + tickerd_tests::GUARD;
    loop {
        client.send(json!({"event": "publish", "data": {"id": 1, "topic": ROOM, "value": value}})).await;
        let mut before = Vec::new();
        let answer = loop {
            let event = client.next().await;
            if event.data["id"] == 1 {
                break event;
            }
            before.push(event);
        };
        client.put_back(before);
        if answer.name == "published" {
            return answer.data["seq"].as_u64().unwrap();
        }
        assert_eq!(answer.data["code"], 503, "{}", answer.text);
        assert!(Instant::now() < until, "{}", answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub async fn heard(client: &mut Client, count: usize) -> Vec<(u64, Value)> {
    let mut all = Vec::new();
    while all.len() < count {
        let data = client.until("message").await.data;
        all.push((data["seq"].as_u64().unwrap(), data["value"].clone()));
    }
    all
}

/// Those who are there, as that client's node says, once they are these.
async fn sees(client: &mut Client, names: &[&str]) {
    let until = Instant::now() + tickerd_tests::GUARD;
    loop {
        client.send(json!({"event": "presence", "data": {"id": 2, "topic": ROOM}})).await;
        let mut before = Vec::new();
        let answer = loop {
            let event = client.next().await;
            if event.data["id"] == 2 {
                break event;
            }
            before.push(event);
        };
        client.put_back(before);
        // An edge knows of the room once it has heard of it.
        let members = answer.data["members"].as_array().into_iter().flatten();
        let mut found: Vec<&str> = members.filter_map(|person| person["name"].as_str()).collect();
        found.sort_unstable();
        if found == names {
            return;
        }
        assert!(Instant::now() < until, "{}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whoever publishes where: all get the same messages in one order. A letter goes to its addressee, wherever that is.
#[tokio::test]
async fn a_room_has_one_order_on_all_nodes() {
    let cluster = three().await;
    let mut people = Vec::new();
    for (node, name) in [("a", "ann"), ("b", "bob"), ("c", "cat")] {
        people.push(person(&cluster, node, name).await);
    }
    for client in &mut people {
        sees(client, &["ann", "bob", "cat"]).await;
    }
    let mut taken = Vec::new();
    for round in 0..3 {
        for (number, client) in people.iter_mut().enumerate() {
            let value = json!([round, number]);
            taken.push((publish(client, value.clone()).await, value));
        }
    }
    assert!(taken.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "{taken:?}");
    for client in &mut people {
        assert_eq!(heard(client, taken.len()).await, taken);
    }
    let letter = json!({"id": 1, "topic": ROOM, "value": "psst", "to": "user:cat"});
    people[0].send(json!({"event": "publish", "data": letter})).await;
    assert_eq!(people[0].until("published").await.data["delivered"], 1);
    let got = people[2].until("message").await.data;
    assert_eq!((&got["value"], &got["from"]), (&json!("psst"), &json!("user:ann")));
}

/// The next message is taken by another node, and who was there is gone.
#[tokio::test]
async fn the_holder_of_a_room_is_killed() {
    let mut cluster = three().await;
    let holder = cluster.holder("lobby").await;
    let other = if holder == "a" { "b" } else { "a" };
    let gone = person(&cluster, holder, "gone").await;
    let mut stays = person(&cluster, other, "stays").await;
    let mut edge = person(&cluster, "c", "edge").await;
    sees(&mut edge, &["edge", "gone", "stays"]).await;
    let first = publish(&mut stays, json!(1)).await;
    heard(&mut edge, 1).await;
    cluster.kill(holder).await;
    drop(gone);
    let killed = Instant::now();
    let second = publish(&mut edge, json!(2)).await;
    // Reported, not asserted: 6 s is the aim.
    eprintln!("a message is taken {:?} after kill -9 of the room's holder", killed.elapsed());
    assert!(second > first);
    for client in [&mut stays, &mut edge] {
        assert_eq!(heard(client, 1).await.len(), 1);
        sees(client, &["edge", "stays"]).await;
    }
}
