//! Health says what a user wants to know: a feed that runs and brings nothing usable is not well.

use tempfile::TempDir;
use tickerd_tests::daemon::command;
use tickerd_tests::{Daemon, Script, Value, daemon, json, scripted, within};

const BAD: &str = r#"{"topic":"a","event":"Bad Kind","data":1}"#;

/// What `/v1/feeds` says of a feed.
async fn listed(daemon: &Daemon, feed: &str) -> Value {
    let (status, body) = tickerd_tests::daemon::http(daemon.address(), "/v1/feeds").await;
    assert_eq!(status, 200, "{body}");
    let list: Value = serde_json::from_str(&body).unwrap();
    list["feeds"].as_array().unwrap().iter().find(|entry| entry["feed"] == feed).unwrap().clone()
}

async fn is_in_state(daemon: &Daemon, state: &str) {
    let name = format!("tickerd_feed_state{{feed=\"s\",state=\"{state}\"}}");
    daemon.metric_until(&name, |is_it| is_it == 1.0).await;
}

async fn readiness(daemon: &Daemon) -> String {
    let (_, body) = daemon.get("/readyz?verbose").await;
    body.lines().find(|line| line.contains("feed s ")).unwrap().to_owned()
}

#[tokio::test]
async fn a_feed_all_of_whose_samples_are_refused_is_degraded_everywhere() {
    let (folder, script) = (TempDir::new().unwrap(), Script::new("s"));
    let socket = folder.path().join("admin.sock");
    let place = format!("admin_socket = \"unix:{}\"", socket.display());
    let daemon = daemon().server(&place).feed(script.feed()).run().await;
    let started = listed(&daemon, "s").await;
    assert_eq!((&started["state"], &started["reason"]), (&json!("down"), &json!("starting")), "{started}");
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.*"]})).await;
    assert_eq!(client.notice("feed").await.data["reason"], "starting");

    script.lines(&vec![BAD.to_owned(); 12]).await;
    let told = client.notice("feed").await.data;
    let reason = "all of the last 12 samples were refused: bad_event";
    assert_eq!((&told["state"], &told["reason"]), (&json!("degraded"), &json!(reason)), "{told}");
    let line = daemon.logged_of("s", "degraded: all of the last 12").await;
    assert!(line.contains("WARN"), "{line}");
    is_in_state(&daemon, "degraded").await;
    let line = readiness(&daemon).await;
    assert!(line.starts_with(&format!("[-]feed s failed: degraded: {reason}")), "{line}");
    assert!(line.contains("12 of 12 samples refused"), "{line}");
    let entry = listed(&daemon, "s").await;
    assert_eq!(entry["since"], told["since"]);
    let figures = ["state", "reason", "topics", "samples", "refused"].map(|key| entry[key].clone());
    assert_eq!(figures, [json!("degraded"), json!(reason), json!(0), json!(0), json!(12)]);
    assert_eq!(entry["refusals"], json!({"bad_event": 12}));
    let now = json!({"state": "degraded", "since": told["since"], "reason": reason});
    assert_eq!(entry["changes"][0], now, "{entry}");
    let mut list = command();
    list.args(["feed", "list", "--socket"]).arg(&socket);
    let list = String::from_utf8(within("feed list", list.output()).await.unwrap().stdout).unwrap();
    let row = list.lines().find(|line| line.starts_with("s ")).unwrap();
    assert!(row.contains("degraded") && row.contains("12 of 12") && row.contains(reason), "{list}");
    // Who comes later is told too, though the feed has no topic.
    let mut later = daemon.connected().await;
    later.subscribe(json!({"topics": ["**"]})).await;
    assert_eq!(later.notice("feed").await.data, told);

    // It is over once usable ones come.
    script.lines(&(0..3).map(|n| Script::state("a", &json!(n))).collect::<Vec<_>>()).await;
    assert_eq!(client.notice("feed").await.data["state"], "up");
    is_in_state(&daemon, "up").await;
    let line = readiness(&daemon).await;
    assert!(
        line.starts_with("[+]feed s ok: up since") && line.contains("12 of 15 samples refused"),
        "{line}"
    );
    let changes = listed(&daemon, "s").await["changes"].clone();
    assert_eq!((&changes[0]["state"], &changes[1]), (&json!("up"), &now), "{changes}");
}

#[tokio::test]
async fn a_feed_that_was_well_is_degraded_once_all_is_refused_for_a_while() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    client.until_tick("s.a").await;
    is_in_state(&daemon, "up").await;
    let until_degraded = is_in_state(&daemon, "degraded");
    let refusing = async {
        loop {
            script.line(BAD).await;
            // The feed's own pace.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = until_degraded => {}
        () = refusing => {}
    }
    let reason = loop {
        let told = client.notice("feed").await.data;
        if told["state"] == "degraded" {
            break told["reason"].as_str().unwrap().to_owned();
        }
    };
    assert!(reason.starts_with("all of the last ") && reason.ends_with(" refused: bad_event"), "{reason}");
}

/// One topic of ten is always refused: the feed is up, and its list says how many are.
#[tokio::test]
async fn some_refusals_among_good_samples_are_told_and_change_nothing() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.good9"]})).await;
    for n in 0..20 {
        let good = (0..10).map(|topic| Script::state(&format!("good{topic}"), &json!(n)));
        script.lines(&std::iter::once(BAD.to_owned()).chain(good).collect::<Vec<_>>()).await;
    }
    while client.until_tick("s.good9").await < 20 {}
    let entry = listed(&daemon, "s").await;
    let figures = ["state", "topics", "samples", "refused"].map(|key| entry[key].clone());
    assert_eq!(figures, [json!("up"), json!(10), json!(200), json!(20)], "{entry}");
    assert!(readiness(&daemon).await.contains("20 of 220 samples refused"));
}

/// What is wrong with a configuration is for operators: clients are listed what they are told.
#[tokio::test]
async fn the_list_tells_clients_no_more_than_the_notices_do() {
    let wrong = r#"read start; echo '{"fail":"config","msg":"no such key: hunter2"}'; exit 78"#;
    let daemon = daemon().feed(tickerd_tests::exec("s", ["/bin/sh", "-c", wrong])).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.*"]})).await;
    let told = loop {
        let told = client.notice("feed").await.data;
        if told["reason"] != "starting" {
            break told;
        }
    };
    let entry = listed(&daemon, "s").await;
    assert_eq!((&entry["state"], &entry["reason"]), (&told["state"], &told["reason"]));
    assert_eq!(
        entry["changes"][0],
        json!({"state": told["state"], "since": told["since"], "reason": told["reason"]})
    );
    assert!(!entry.to_string().contains("hunter2"), "{entry}");
    assert!(readiness(&daemon).await.contains("[-]feed s failed: down: "));
}
