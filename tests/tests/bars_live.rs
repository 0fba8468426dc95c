//! Bars as topics: `tickerd.bars.1s.s.a` with each bar that closes, `tickerd.bar.1s.s.a` with the open one.

use tickerd_tests::*;

use crate::bars::{SHORT, bars, text};

fn fast() -> Builder {
    daemon().feed(sim(7).set("interval = \"20ms\"").set("poll = \"20ms\"")).config(SHORT)
}

/// Each closed bar once, in order, with the number of its period, and as HTTP tells it.
#[tokio::test]
async fn each_bar_that_closes_comes_once_and_in_order() {
    let daemon = fast().server("shards = 2").run().await;
    let mut clients = Vec::new();
    for topics in [
        json!(["tickerd.bars.1s.sim.AAPL"]),
        json!(["tickerd.bars.1s.*.AAPL"]),
        json!(["tickerd.bars.*.sim.AAPL"]),
    ] {
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": topics})).await;
        clients.push(client);
    }
    for client in &mut clients {
        let mut told: Vec<(u64, Value)> = Vec::new();
        while told.len() < 4 {
            let tick = client.tick().await;
            assert_eq!(tick.name, "bar");
            if tick.topic() == "tickerd.bars.1s.sim.AAPL" {
                told.push((tick.seq(), tick.value().clone()));
            }
        }
        for (at, (seq, bar)) in told.iter().enumerate() {
            assert_eq!((bar["start"].as_u64(), *seq), (Some(seq * 1_000), told[0].0 + at as u64), "{told:?}");
        }
        let kept = bars(&daemon, "/v1/topics/sim.AAPL/bars?period=1s").await;
        for (_, bar) in &told {
            assert!(kept["bars"].as_array().unwrap().contains(bar), "{bar} {kept}");
        }
    }
}

#[tokio::test]
async fn the_open_bar_moves_and_is_the_newest_value() {
    let daemon = fast().run().await;
    let mut client = daemon.connected().await;
    let grant = client.subscribe(json!({"topics": ["tickerd.bar.1m.sim.AAPL"]})).await;
    assert_eq!((&grant["topics"][0]["mode"], &grant["failed"]), (&json!("latest"), &json!([])));
    let first = client.tick().await;
    let mut later = client.tick().await;
    assert_eq!(first.name, "bar");
    while later.value()["start"] != first.value()["start"] && later.value()["count"] == json!(1) {
        later = client.tick().await;
    }
    if later.value()["start"] == first.value()["start"] {
        assert_eq!(later.value()["open"], first.value()["open"]);
        assert!(later.value()["count"].as_u64() > first.value()["count"].as_u64(), "{later:?}");
    }
    // The next one who comes has it at once; another shard may be a beat behind.
    let mut other = daemon.connected().await;
    other.subscribe(json!({"topics": ["tickerd.bar.1m.sim.AAPL"]})).await;
    while other.tick().await.seq() < later.seq() {}
}

/// Goal: bars that nobody watches make no ticks. Method: the list of the server's own topics before, while and after someone asks.
#[tokio::test]
async fn they_are_there_for_who_asks() {
    let daemon = fast().run().await;
    let listed = async || {
        let list = text(&daemon, "/v1/topics?match=tickerd.**").await.1;
        let list: Value = serde_json::from_str(&list).unwrap();
        list["topics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["topic"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["tickerd.bar.1s.sim.AAPL"]})).await;
    client.tick().await;
    let watched = listed().await;
    assert!(watched.contains(&"tickerd.bar.1s.sim.AAPL".to_owned()), "{watched:?}");
    assert!(
        watched.iter().all(|name| name == "tickerd.stats" || name == "tickerd.bar.1s.sim.AAPL"),
        "{watched:?}"
    );
    client.send(json!({"event": "unsubscribe", "data": {"topics": ["tickerd.bar.1s.sim.AAPL"]}})).await;
    let gone = async {
        while listed().await != ["tickerd.stats"] {
            tokio::task::yield_now().await;
        }
    };
    within("the topic to go", gone).await;
}

/// Goal: who was away gets the bars it missed, also where nobody watched meanwhile, once each.
#[tokio::test]
async fn who_was_away_gets_the_bars_it_missed() {
    let daemon = fast().run().await;
    let topic = "tickerd.bars.1s.sim.AAPL";
    let mut client = daemon.client("/ws").await;
    let epoch = client.expect("connected").await.data["epoch"].clone();
    client.subscribe(json!({"topics": [topic]})).await;
    let had = client.tick().await.seq();
    client.close(1000).await;
    // Bars close while nobody watches them; the open bar of another topic tells the time.
    let mut clock = daemon.connected().await;
    clock.subscribe(json!({"topics": ["tickerd.bars.1s.sim.MSFT"]})).await;
    while clock.tick().await.seq() < had + 3 {}
    let mut client = daemon.connected().await;
    let grant =
        client.subscribe(json!({"topics": [topic], "since": {"epoch": epoch, "seq": {topic: had}}})).await;
    assert_eq!(grant["topics"][0]["recovered"], json!(true), "{grant}");
    let mut seqs = Vec::new();
    while seqs.len() < 6 {
        seqs.push(client.tick().await.seq());
    }
    assert_eq!(seqs, (had + 1..=had + 6).collect::<Vec<_>>());
    let grant =
        clock.subscribe(json!({"topics": [topic], "since": {"epoch": epoch, "seq": {topic: 7}}})).await;
    assert_eq!(grant["topics"][0]["recovered"], json!(false), "that long ago nothing is known: {grant}");
}

#[tokio::test]
async fn an_event_stream_and_msgpack_have_them_too() {
    let daemon = fast().run().await;
    let mut raw = daemon.raw().await;
    let path = "/v1/sse?topics=tickerd.bars.1s.sim.AAPL";
    raw.say(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", daemon.address())).await;
    let mut block = raw.head().await;
    while !block.contains("\"event\":\"bar\"") {
        block = raw.block().await;
    }
    assert!(
        block.contains("\"topic\":\"tickerd.bars.1s.sim.AAPL\"") && block.contains("\"start\":"),
        "{block}"
    );
    let mut raw = daemon.raw().await;
    let head = "\r\nSec-WebSocket-Protocol: tickerd.v1.msgpack\r\n\r\n";
    raw.say(Raw::handshake("/ws?topics=tickerd.bar.1s.sim.AAPL").replace("\r\n\r\n", head)).await;
    raw.head().await;
    let is_bar = |payload: &[u8]| payload.windows(4).any(|word| word == b"open");
    while !is_bar(&raw.frame().await.expect("a frame").payload) {}
}

#[tokio::test]
async fn what_there_are_no_bars_of_is_said() {
    let daemon = fast().run().await;
    let mut client = daemon.connected().await;
    for (topic, says) in [
        ("tickerd.bars.5m.sim.AAPL", "the periods are 1s, 1m"),
        ("tickerd.bars.1m.nofeed.X", "nofeed"),
        ("tickerd.bars.1m.tickerd.stats", "periods 1s, 1m"),
        ("tickerd.bars.1m", "periods 1s, 1m"),
    ] {
        client.send(json!({"event": "subscribe", "data": {"id": 1, "topics": [topic]}})).await;
        let failed = client.until("subscribed").await.data["failed"][0].clone();
        assert!(failed["message"].as_str().unwrap().contains(says), "{topic}: {failed}");
    }
    let (status, body) = text(&daemon, "/v1/topics/tickerd.bar.1m.sim.AAPL?wait=25").await;
    assert!(status == 404 && body.contains("/v1/topics/sim.AAPL/bars?period=1m"), "at once: {body}");
    let grant = client.subscribe(json!({"topics": ["tickerd.bars.1m.sim.NOSUCH"]})).await;
    assert_eq!(grant["topics"][0]["seq"], json!(0), "it may come");
}
