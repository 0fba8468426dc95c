//! Rooms keep as many messages, and for as long, as they say themselves: less or more than `[history]`.

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tickerd_tests::daemon::http;
use tickerd_tests::{Client, Daemon, Event, daemon, json, within};

const ROOMS: &str = "[[topic]]
name = \"rooms.wide\"
publish = true
history = { count = 500, age = \"24h\" }

[[topic]]
name = \"rooms.few\"
publish = true
history = 2

[[topic]]
name = \"rooms.long\"
publish = true
[topic.history]
age = \"1h\"

[[topic]]
name = \"rooms.plain\"
publish = true

[history]
count = 4
age = \"1s\"
";
const NAMES: [&str; 4] = ["wide", "few", "long", "plain"];
const SAID: u64 = 12;

async fn run(folder: &TempDir) -> Daemon {
    let path = folder.path().join("past").display().to_string();
    let config = format!("{ROOMS}path = {path:?}\n");
    daemon().server("shards = 2").limits("commands_burst = 1000").config(&config).run().await
}

/// The kept numbers of a room.
async fn kept(client: &mut Client, room: &str) -> Vec<u64> {
    client.send(json!({"event": "history", "data": {"topic": format!("rooms.{room}")}})).await;
    let answer = client.until("history").await;
    answer.data["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tick| tick["data"]["seq"].as_u64().unwrap())
        .collect()
}

async fn all_kept(client: &mut Client) -> [Vec<u64>; 4] {
    let mut all = Vec::new();
    for name in NAMES {
        all.push(kept(client, name).await);
    }
    all.try_into().unwrap()
}

/// What somebody gets who saw nothing of the room yet, and whether that is all.
async fn joined(daemon: &Daemon, epoch: &str, room: &str) -> (bool, Vec<u64>) {
    let mut client = daemon.connected().await;
    let topic = format!("rooms.{room}");
    let since = json!({"epoch": epoch, "seq": {(&topic): 0}});
    let grant = client.subscribe(json!({"topics": [topic], "since": since})).await;
    let ticks = client.sync().await;
    let seqs = ticks.iter().filter(|event| event.is_tick()).map(Event::seq).collect();
    (grant["topics"][0]["recovered"] == true, seqs)
}

#[tokio::test]
async fn a_room_keeps_what_it_says_and_keeps_it_over_a_restart() {
    let folder = TempDir::new().unwrap();
    let mut first = run(&folder).await;
    let mut client = first.client("/ws").await;
    let epoch = client.expect("connected").await.data["epoch"].as_str().unwrap().to_owned();
    client.subscribe(json!({"topics": ["rooms.plain"]})).await;
    for value in 1..=SAID {
        for name in NAMES {
            let data = json!({"id": value, "topic": format!("rooms.{name}"), "value": value});
            client.send(json!({"event": "publish", "data": data})).await;
        }
    }
    while client.until("message").await.seq() < SAID {}
    // What is older than [history] allows has gone: only that of rooms with an age of their own is left.
    for room in ["few", "plain"] {
        let gone = async {
            let path = format!("/v1/topics/rooms.{room}/history");
            while http(first.address(), &path).await.1.contains("\"seq\"") {}
        };
        within("what is too old to go", gone).await;
    }
    let all: Vec<u64> = (1..=SAID).collect();
    let expected = [all.clone(), vec![], vec![9, 10, 11, 12], vec![]];
    assert_eq!(all_kept(&mut client).await, expected);
    assert_eq!(joined(&first, &epoch, "wide").await, (true, all.clone()));
    assert!(!joined(&first, &epoch, "long").await.0 && !joined(&first, &epoch, "plain").await.0);

    first.signal(Signal::SIGTERM);
    assert!(first.exit().await.success());
    let second = run(&folder).await;
    let mut client = second.connected().await;
    assert_eq!(all_kept(&mut client).await, expected);
    assert_eq!(joined(&second, &epoch, "wide").await, (true, all));
}

/// A smaller number holds for what everyone can have, not for letters alone.
#[tokio::test]
async fn a_small_number_holds_for_all() {
    let config = ROOMS.replace("age = \"1s\"", "age = \"1h\"");
    let daemon = daemon().limits("commands_burst = 1000").config(&config).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["rooms.few"]})).await;
    for value in 1..=SAID {
        let data = json!({"topic": "rooms.few", "value": value});
        client.send(json!({"event": "publish", "data": data})).await;
    }
    while client.until("message").await.seq() < SAID {}
    assert_eq!(kept(&mut client, "few").await, [11, 12]);
}
