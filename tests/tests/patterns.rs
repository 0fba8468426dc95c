//! What patterns cost: nobody can make the others wait with them.

use std::time::{Duration, Instant};

use tickerd_tests::raw::Frame;
use tickerd_tests::{Daemon, Raw, Script, daemon, json};

const TOPICS: usize = 2_000;

/// A feed with topics `s.x0.y0.n0` and so on.
async fn with_topics(limits: &str) -> (Script, Daemon) {
    let script = Script::new("s");
    let daemon = daemon().server("shards = 1").limits(limits).feed(script.feed()).run().await;
    let names: Vec<String> = (0..TOPICS).map(|n| format!("x{}.y{}.n{n}", n % 10, n % 33)).collect();
    for (at, names) in names.chunks(500).enumerate() {
        let lines: Vec<String> = names.iter().map(|name| Script::state(name, &json!(1))).collect();
        script.lines(&lines).await;
        let so_far = (at * 500 + names.len()) as f64;
        daemon.metric_until("tickerd_topics{feed=\"s\"}", |topics| topics >= so_far).await;
    }
    // The shards have all of them once they have something later.
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.fence"]})).await;
    let fence = script.fence("fence").await;
    client.fence("s.fence", fence).await;
    (script, daemon)
}

/// A connection that a proxy on this machine made for `address`, and what it is told when it subscribes.
async fn subscribe(daemon: &Daemon, address: &str, topics: &[&str]) -> (Raw, tickerd_tests::Event) {
    let mut raw = daemon.raw().await;
    let handshake = Raw::handshake("/ws");
    raw.say(handshake.replacen("\r\n", &format!("\r\nX-Forwarded-For: {address}\r\n"), 1)).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
    raw.until("connected").await;
    let command = json!({"event": "subscribe", "data": {"id": 1, "topics": topics, "snapshot": false}});
    raw.send(Frame::text(&command.to_string())).await;
    let answer = raw.until_any(&["subscribed", "error"]).await;
    (raw, answer)
}

/// Goal: a pattern costs what it may match, not what there is. Method: steps are counted, of clients that come again and again
/// with as many patterns as they may have.
#[tokio::test]
async fn patterns_that_match_nothing_cost_nothing() {
    let (script, daemon) = with_topics("").await;
    let steps = async || daemon.metric("tickerd_pattern_steps_total").await.unwrap();
    let before = steps().await;
    let patterns: Vec<String> = (0..32).map(|n| format!("*.*.*.none{n}")).collect();
    for _ in 0..20 {
        let mut client = daemon.connected().await;
        let granted = client.subscribe(json!({"topics": patterns})).await;
        assert_eq!(granted["patterns"].as_array().unwrap().len(), 32);
        assert!(granted["patterns"].as_array().unwrap().iter().all(|grant| grant["count"] == 0));
    }
    assert!(
        steps().await - before < TOPICS as f64,
        "640 patterns looked at less than one at all topics would"
    );
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["*.*.*.n7", "s.x1.**"]})).await;
    let looked_at = steps().await - before;
    assert!(looked_at < 2.0 * TOPICS as f64, "{looked_at}: s.x1 has a tenth of them");
    script.tick("x7.y7.n7", json!("seen")).await;
    client.until_tick("s.x7.y7.n7").await;
}

/// Goal: whoever owes for patterns does not get rid of the debt by connecting anew, and others do not pay for it.
#[tokio::test]
async fn an_address_takes_its_debt_along() {
    // Sixteen commands' worth for an address: 80,000 looks.
    let (_script, daemon) = with_topics("commands_per_s = 1\ncommands_burst = 2").await;
    let wide = ["**", "*.**", "*.*.**", "*.*.*.**", "s.**", "s.*.**", "s.*.*.**", "*.*.*.*"];
    let mut asked = 0;
    // Spends until it is refused; the answer, and when it was asked for.
    let mut spend = async || {
        let mut held = Vec::new();
        loop {
            // Every client asks for something else, so that none finds the cohort of another.
            asked += 1;
            let own = format!("s.none{asked}.*");
            let began = Instant::now();
            let (raw, answer) = subscribe(&daemon, "192.0.2.9", &[&wide[..], &[&own]].concat()).await;
            held.push(raw);
            if answer.name == "error" {
                return (answer, began, held.len());
            }
            assert!(held.len() < 100, "nobody is ever refused");
        }
    };
    let (refused, mut began, first) = spend().await;
    assert!(first > 1, "the first may");
    assert_eq!(refused.data["code"], 429, "{}", refused.text);
    assert!(refused.data["retry_after_ms"].as_u64().unwrap() > 0, "{}", refused.text);
    assert!(refused.data["message"].as_str().unwrap().contains("your address"), "{}", refused.text);
    // The connections are gone, the debt is not; whoever is let in has waited for as long as it was told to.
    let mut wait = Duration::from_millis(refused.data["retry_after_ms"].as_u64().unwrap());
    loop {
        let (_raw, answer) = subscribe(&daemon, "192.0.2.9", &["s.none.*"]).await;
        if answer.data["code"] == 429 {
            break;
        }
        assert!(began.elapsed() >= wait, "a new connection: {}", answer.text);
        let (refused, again, _) = spend().await;
        (began, wait) = (again, Duration::from_millis(refused.data["retry_after_ms"].as_u64().unwrap()));
    }
    for (address, topics) in
        [("192.0.2.9", &["s.x1.y1.n1"]), ("192.0.2.8", &["s.none.*"]), ("127.0.0.1", &["**"])]
    {
        let (_raw, answer) = subscribe(&daemon, address, topics).await;
        assert_eq!(answer.name, "subscribed", "{address} {topics:?}: {}", answer.text);
    }
}

/// Whatever is said behind a command that takes turns is done behind it.
#[tokio::test]
async fn a_command_in_turns_holds_up_only_its_own_client() {
    let (script, daemon) = with_topics("").await;
    let mut client = daemon.connected().await;
    let wide =
        json!(["**", "*.**", "*.*.**", "*.*.*.**", "s.**", "s.*.**", "s.*.*.**", "*.*.*.*", "s.*.*.*"]);
    client.send(json!({"event": "subscribe", "data": {"id": 1, "topics": wide, "snapshot": false}})).await;
    client.send(json!({"event": "subscriptions", "data": {"id": 2}})).await;
    client.send(json!({"event": "unsubscribe", "data": {"id": 3, "topics": wide}})).await;
    client.send(json!({"event": "subscriptions", "data": {"id": 4}})).await;
    let subscribed = client.until("subscribed").await;
    assert_eq!(subscribed.data["id"], 1);
    let counts = subscribed.data["patterns"].as_array().unwrap().iter().map(|grant| grant["count"].as_u64());
    // `s.fence` is one more, for those that it matches.
    assert!(counts.clone().all(|count| [2_000, 2_001].contains(&count.unwrap())), "{}", subscribed.text);
    let held = client.until("subscriptions").await;
    assert_eq!((held.data["id"].as_u64(), held.data["patterns"].as_array().unwrap().len()), (Some(2), 9));
    let ended = client.until("unsubscribed").await;
    assert_eq!((ended.data["id"].as_u64(), ended.data["patterns"].as_array().unwrap().len()), (Some(3), 9));
    assert_eq!(client.until("subscriptions").await.data["patterns"], json!([]));
    script.tick("x1.y1.n1", json!("nobody gets it")).await;
    assert!(client.sync().await.iter().all(|event| !event.is_tick()));
}
