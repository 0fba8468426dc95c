//! Declared topics: many to many, one to one, who is there, and what is refused. Clients sit on two shards.

use std::collections::BTreeSet;
use std::time::Instant;

use nix::sys::signal::Signal;
use tickerd_tests::{Client, Daemon, Value, daemon, json, sim};

pub const ROOMS: &str = "[[topic]]
name = \"rooms.lobby\"
publish = true
presence = true
history = 3

[[topic]]
name = \"rooms.desk\"
publish = true

[[topic]]
name = \"rooms.board\"
presence = true
";

pub async fn run() -> Daemon {
    daemon().server("shards = 2").config(ROOMS).run().await
}

/// A client by that name, and the name of its connection.
async fn person(daemon: &Daemon, name: &str) -> (Client, String) {
    let mut client = daemon.client(&format!("/ws?name={name}")).await;
    let conn = client.expect("connected").await.data["conn"].as_str().unwrap().to_owned();
    (client, conn)
}

pub async fn ask(client: &mut Client, event: &str, mut data: Value) -> tickerd_tests::Event {
    data["id"] = json!("ask");
    client.send(json!({"event": event, "data": data})).await;
    // What comes before the answer is still to be read.
    let mut before = Vec::new();
    loop {
        let event = client.next().await;
        if event.data["id"] == "ask" {
            client.put_back(before);
            return event;
        }
        before.push(event);
    }
}

async fn publish(client: &mut Client, data: Value) -> Value {
    let answer = ask(client, "publish", data).await;
    assert_eq!(answer.name, "published", "{}", answer.text);
    answer.data
}

async fn message(client: &mut Client) -> Value {
    client.until("message").await.data
}

#[tokio::test]
async fn everyone_in_a_room_gets_every_message_with_its_sender() {
    let daemon = run().await;
    let (mut ann, _) = person(&daemon, "ann").await;
    let (mut bob, _) = person(&daemon, "bob").await;
    let mut nobody = daemon.client("/ws").await;
    let conn = nobody.expect("connected").await.data["conn"].as_str().unwrap().to_owned();
    for client in [&mut ann, &mut bob, &mut nobody] {
        let granted = client.subscribe(json!({"topics": ["rooms.lobby"]})).await;
        assert_eq!(granted["topics"][0]["seq"], 0);
    }
    ann.send_text(
        r#"{"event":"publish","data":{"id":1,"topic":"rooms.lobby","value":{"price": 189.30,"t":"hé"}}}"#,
    )
    .await;
    let first = ann.until("published").await.data;
    assert_eq!(first, json!({"id": 1, "topic": "rooms.lobby", "seq": 1}));
    publish(&mut nobody, json!({"topic": "rooms.lobby", "value": "hi"})).await;
    for client in [&mut ann, &mut bob, &mut nobody] {
        let said = client.until("message").await;
        assert!(
            said.text.contains(r#""from":"user:ann","value":{"price":189.30,"t":"hé"}}"#),
            "{}",
            said.text
        );
        let data = message(client).await;
        assert_eq!((&data["seq"], &data["value"]), (&json!(2), &json!("hi")));
        assert_eq!(data["from"], format!("conn:{conn}"));
    }
}

#[tokio::test]
async fn a_letter_reaches_its_addressee_alone() {
    let daemon = run().await;
    let (mut ann, _) = person(&daemon, "ann").await;
    let (mut bob, conn) = person(&daemon, "bob").await;
    let (mut bobs_other, _) = person(&daemon, "bob").await;
    let (mut eve, _) = person(&daemon, "eve").await;
    for client in [&mut ann, &mut bob, &mut bobs_other, &mut eve] {
        client.subscribe(json!({"topics": ["rooms.*"]})).await;
    }
    let told = publish(&mut ann, json!({"topic": "rooms.desk", "value": 1, "to": "user:bob"})).await;
    assert_eq!(told, json!({"id": "ask", "topic": "rooms.desk", "seq": 1, "to": "user:bob", "delivered": 2}));
    let to_one = json!({"topic": "rooms.desk", "value": 2, "to": format!("conn:{conn}")});
    assert_eq!(publish(&mut ann, to_one).await["delivered"], 1);
    publish(&mut ann, json!({"topic": "rooms.desk", "value": "all"})).await;
    let got = message(&mut bob).await;
    assert!(got["ts"].as_u64().unwrap() > 0);
    assert_eq!(
        (&got["from"], &got["to"], &got["value"]),
        (&json!("user:ann"), &json!("user:bob"), &json!(1))
    );
    assert_eq!(message(&mut bob).await["value"], 2);
    assert_eq!(message(&mut bobs_other).await["value"], 1);
    for client in [&mut bob, &mut bobs_other, &mut eve, &mut ann] {
        let got = message(client).await;
        assert_eq!((&got["value"], &got["seq"], got.get("to")), (&json!("all"), &json!(1), None));
    }
}

#[tokio::test]
async fn letters_wait_for_a_user_and_for_nobody_else() {
    let daemon = run().await;
    let (mut ann, _) = person(&daemon, "ann").await;
    for n in 1..=5 {
        let told = publish(&mut ann, json!({"topic": "rooms.lobby", "value": n, "to": "user:bob"})).await;
        assert_eq!((&told["kept"], &told["delivered"]), (&json!(true), &json!(0)));
    }
    daemon.metric_until("tickerd_letters_lost_total", |lost| lost == 2.0).await;
    let (mut bob, _) = person(&daemon, "bob").await;
    bob.subscribe(json!({"topics": ["rooms.desk"]})).await;
    assert!(bob.sync().await.iter().all(|event| event.name != "message"), "not in that room");
    bob.subscribe(json!({"topics": ["rooms.lobby"]})).await;
    for n in 3..=5 {
        assert_eq!(message(&mut bob).await["value"], n, "the newest three were kept");
    }
    let (mut again, _) = person(&daemon, "bob").await;
    again.subscribe(json!({"topics": ["rooms.lobby"]})).await;
    publish(&mut ann, json!({"topic": "rooms.lobby", "value": "new", "to": "user:bob"})).await;
    assert_eq!(message(&mut again).await["value"], "new", "they are given once");
    let gone = json!({"topic": "rooms.lobby", "value": 1, "to": "conn:0-ffff"});
    let refused = ask(&mut ann, "publish", gone).await;
    assert_eq!((refused.name.as_str(), &refused.data["code"]), ("error", &json!(404)));
}

#[tokio::test]
async fn who_is_there_is_told_when_it_changes_and_when_asked() {
    let daemon = run().await;
    let (mut ann, anns) = person(&daemon, "ann").await;
    ann.subscribe(json!({"topics": ["rooms.board"]})).await;
    let first = ann.until("presence").await.data;
    assert_eq!(
        first,
        json!({"topic": "rooms.board", "count": 1, "joined": [{"conn": anns, "name": "ann"}], "left": []})
    );
    let (mut bob, bobs) = person(&daemon, "bob").await;
    // A pattern brings one there as well.
    bob.subscribe(json!({"topics": ["rooms.**"]})).await;
    let second = ann.until("presence").await.data;
    assert_eq!((&second["count"], &second["joined"][0]["conn"]), (&json!(2), &json!(bobs)));
    let members = ask(&mut ann, "presence", json!({"topic": "rooms.board"})).await.data;
    let conns: BTreeSet<_> =
        members["members"].as_array().unwrap().iter().map(|m| m["conn"].as_str().unwrap()).collect();
    assert_eq!((&members["count"], conns), (&json!(2), BTreeSet::from([anns.as_str(), bobs.as_str()])));
    bob.subscribe(json!({"topics": ["rooms.board"], "rate": "1s"})).await;
    bob.send(json!({"event": "unsubscribe", "data": {"topics": ["rooms.board"]}})).await;
    bob.sync().await;
    drop(bob);
    let third = ann.until("presence").await.data;
    assert_eq!((&third["count"], &third["left"]), (&json!(1), &json!([{"conn": bobs, "name": "bob"}])));
    ann.send(json!({"event": "unsubscribe", "data": {"topics": ["rooms.board"]}})).await;
    ann.sync().await;
    let members = ask(&mut ann, "presence", json!({"topic": "rooms.board"})).await.data;
    assert_eq!((&members["count"], &members["members"]), (&json!(0), &json!([])));
}

/// Goal: many who come at once cost those who are there few messages.
#[tokio::test]
async fn a_storm_of_arrivals_is_told_in_few_words() {
    const MANY: usize = 300;
    let daemon = run().await;
    let (mut ann, _) = person(&daemon, "ann").await;
    ann.subscribe(json!({"topics": ["rooms.board"]})).await;
    let began = Instant::now();
    let mut crowd = Vec::new();
    for n in 0..MANY {
        crowd.push(daemon.client(&format!("/ws?name=u{n}&topics=rooms.board")).await);
    }
    let (mut told, mut named, mut count) = (0, BTreeSet::new(), 0);
    while count <= MANY as u64 {
        let event = ann.until("presence").await.data;
        told += 1;
        count = event["count"].as_u64().unwrap();
        for member in event["joined"].as_array().unwrap() {
            assert!(named.insert(member["conn"].as_str().unwrap().to_owned()), "told twice");
        }
    }
    assert_eq!(named.len(), MANY + 1);
    // One a beat at most, and a beat of rooms is 50 ms.
    let beats = began.elapsed().as_millis() as usize / 50 + 2;
    assert!(told <= beats, "{told} messages in {beats} beats");
    drop(crowd);
    loop {
        if ann.until("presence").await.data["count"] == 1 {
            break;
        }
    }
    let members = ask(&mut ann, "presence", json!({"topic": "rooms.board"})).await.data;
    assert_eq!(members["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_published_says_what_to_change() {
    let daemon = daemon()
        .feed(sim(7))
        .config(ROOMS)
        .limits("commands_per_s = 10000\ncommands_burst = 10000")
        .run()
        .await;
    let long = "x".repeat(50_000);
    for (data, code, says) in [
        (json!({"topic": "sim.AAPL", "value": 1}), 404, "declared"),
        (json!({"topic": "rooms.none", "value": 1}), 404, "[[topic]]"),
        (json!({"topic": "nowhere.x", "value": 1}), 404, "no feed"),
        (json!({"topic": "rooms.board", "value": 1}), 403, "publish = true"),
        (json!({"topic": "rooms.*", "value": 1}), 422, "pattern"),
        (json!({"topic": "tickerd.stats", "value": 1}), 404, "declared"),
        (json!({"topic": "rooms.lobby", "value": 1, "to": "bob"}), 400, "user:NAME"),
        (json!({"topic": "rooms.lobby", "value": 1, "to": "user:tickerd"}), 400, "user:NAME"),
        (json!({"topic": "rooms.lobby", "value": long}), 413, "bytes"),
        (json!({"topic": "rooms.lobby"}), 400, "lacks \"value\""),
        (json!({"topic": "rooms.lobby", "value": 1, "from": "user:bob"}), 400, "has no key \"from\""),
    ] {
        let mut client = daemon.connected().await;
        let refused = ask(&mut client, "publish", data.clone()).await;
        assert_eq!((refused.name.as_str(), &refused.data["code"]), ("error", &json!(code)), "{data}");
        let message = refused.data["message"].as_str().unwrap();
        assert!(message.contains(says), "{data}: {message}");
    }
    for (topic, code) in [("sim.AAPL", 404), ("rooms.desk", 403)] {
        let mut client = daemon.connected().await;
        assert_eq!(ask(&mut client, "presence", json!({"topic": topic})).await.data["code"], code);
    }
    for name in ["a%20b", "tickerd", "", "ann&name=bob", &"x".repeat(65)] {
        let (status, body) = {
            let mut raw = daemon.raw().await;
            raw.say(tickerd_tests::Raw::handshake(&format!("/ws?name={name}"))).await;
            let head = raw.head().await;
            (head.split(' ').nth(1).unwrap().to_owned(), head)
        };
        assert_eq!(status, "400", "{name}: {body}");
    }
}

#[tokio::test]
async fn a_flood_of_messages_is_refused_and_hurts_nobody() {
    let daemon = daemon().config(ROOMS).limits("commands_per_s = 10000\ncommands_burst = 100000").run().await;
    let (mut ann, _) = person(&daemon, "ann").await;
    let (mut bob, _) = person(&daemon, "bob").await;
    bob.subscribe(json!({"topics": ["rooms.lobby"]})).await;
    // All at once: one by one, a slow machine sends no more than the room takes.
    let flood = 2_000;
    for n in 0..flood {
        let data = json!({"id": n, "topic": "rooms.lobby", "value": n});
        ann.send(json!({"event": "publish", "data": data})).await;
    }
    let (mut taken, mut refused) = (Vec::new(), None);
    for n in 0..flood {
        let answer = ann.next().await;
        assert_eq!(answer.data["id"], n, "{}", answer.text);
        match answer.name.as_str() {
            "published" => taken.push(n),
            _ => refused = Some(answer),
        }
    }
    let refused = refused.expect("the room has its limit").data;
    assert_eq!((&refused["code"], &refused["temporary"]), (&json!(429), &json!(true)));
    assert!(refused["retry_after_ms"].as_u64().unwrap() > 0);
    for n in taken {
        assert_eq!(message(&mut bob).await["value"], n, "what was taken has come, in order");
    }
    let elsewhere = publish(&mut ann, json!({"topic": "rooms.desk", "value": 1})).await;
    assert_eq!(elsewhere["seq"], 1, "another room has its own");
}

#[tokio::test]
async fn who_comes_back_gets_the_messages_that_were_missed() {
    let daemon = run().await;
    let (mut ann, _) = person(&daemon, "ann").await;
    let mut bob = daemon.client("/ws?name=bob").await;
    let epoch = bob.expect("connected").await.data["epoch"].clone();
    bob.subscribe(json!({"topics": ["rooms.lobby"]})).await;
    publish(&mut ann, json!({"topic": "rooms.lobby", "value": 1})).await;
    assert_eq!(message(&mut bob).await["seq"], 1);
    drop(bob);
    for n in 2..=4 {
        publish(&mut ann, json!({"topic": "rooms.lobby", "value": n})).await;
    }
    ann.subscribe(json!({"topics": ["rooms.lobby"]})).await;
    while message(&mut ann).await["seq"] != 4 {}
    let (mut bob, _) = person(&daemon, "bob").await;
    let since = json!({"epoch": epoch, "seq": {"rooms.lobby": 1}});
    let granted = bob.subscribe(json!({"topics": ["rooms.lobby"], "mode": "all", "since": since})).await;
    assert_eq!(granted["topics"][0]["recovered"], true);
    for n in 2..=4 {
        let missed = message(&mut bob).await;
        assert_eq!((&missed["value"], &missed["from"]), (&json!(n), &json!("user:ann")));
    }
}

#[tokio::test]
async fn the_server_says_how_many_are_on() {
    let daemon = run().await;
    let mut one = daemon.connected().await;
    one.subscribe(json!({"topics": ["tickerd.stats", "**"]})).await;
    let clients = async |client: &mut Client, wanted: u64| loop {
        let stats = client.until("stats").await;
        assert_eq!(stats.topic(), "tickerd.stats");
        if stats.value()["clients"] == wanted {
            return;
        }
    };
    clients(&mut one, 1).await;
    let mut everything = daemon.connected().await;
    let granted = everything.subscribe(json!({"topics": ["**"]})).await;
    assert_eq!(granted["patterns"][0]["count"], 3, "the rooms; the server's own are asked for by name");
    clients(&mut one, 2).await;
    drop(everything);
    clients(&mut one, 1).await;
}

#[tokio::test]
async fn messages_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let kept = format!("[history]\npath = {:?}\n{ROOMS}", folder.path().join("past.redb"));
    let mut first = daemon().config(&kept).run().await;
    let (mut ann, _) = person(&first, "ann").await;
    ann.subscribe(json!({"topics": ["rooms.lobby"]})).await;
    for n in 1..=2 {
        publish(&mut ann, json!({"topic": "rooms.lobby", "value": n})).await;
        assert_eq!(message(&mut ann).await["seq"], n);
    }
    first.signal(Signal::SIGTERM);
    assert!(first.exit().await.success());
    let second = daemon().config(&kept).run().await;
    let (mut bob, _) = person(&second, "bob").await;
    let history = ask(&mut bob, "history", json!({"topic": "rooms.lobby"})).await.data;
    let said: Vec<_> = history["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (&v["data"]["value"], &v["data"]["from"]))
        .collect();
    assert_eq!(said, [(&json!(1), &json!("user:ann")), (&json!(2), &json!("user:ann"))]);
    assert_eq!(publish(&mut bob, json!({"topic": "rooms.lobby", "value": 3})).await["seq"], 3);
}
