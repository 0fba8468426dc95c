//! `tickerd get`, `topics`, `history`, `bars` and `publish`: what they print, and the exit codes that scripts go by.

use std::process::Stdio;

use tickerd_tests::cli::{said, say, url};
use tickerd_tests::*;
use tokio::io::AsyncWriteExt;

/// A daemon with a room and some values that are there.
async fn filled() -> (Script, Daemon) {
    let script = Script::new("s");
    let room = "[[topic]]\nname = \"rooms.lobby\"\npublish = true";
    let feed = script.feed().set("bars = { field = \"p\" }");
    let daemon = daemon().feed(feed).config(room).run().await;
    let mut watching = daemon.connected().await;
    watching.subscribe(json!({"topics": ["s.a", "s.e"], "mode": "all"})).await;
    script.line(r#"{"topic":"a","event":"tick","data":{"p":1.50,"c":"USD"}}"#).await;
    for n in 1..=3 {
        script.event("e", json!({ "n": n })).await;
    }
    while watching.until_tick("s.e").await < 3 {}
    watching.sync().await;
    (script, daemon)
}

#[tokio::test]
async fn values_are_shown_and_failures_have_their_code() {
    let (_script, daemon) = filled().await;
    let url = url(&daemon);
    let got = say(&url, &["get", "s.a"]).await;
    assert_eq!((got.code, got.err.as_str()), (Some(0), ""));
    assert!(got.out.ends_with("  s.a  p=1.50 c=USD\n"), "the digits are the source's: {}", got.out);
    let json = say(&url, &["get", "s.*", "--json"]).await;
    assert_eq!(
        json.out.lines().map(|line| Event::read(line).topic().to_owned()).collect::<Vec<_>>(),
        ["s.a", "s.e"]
    );
    let part = say(&url, &["get", "s.a", "s.b", "nobody.x"]).await;
    assert_eq!((part.code, part.out.lines().count()), (Some(4), 1));
    assert!(
        part.err.contains("s.b: the topic has not spoken yet") && part.err.contains("nobody.x: "),
        "{}",
        part.err
    );
    for (arguments, code) in [
        (vec!["get", "s.nothing.*"], 4),
        (vec!["get", "s.b"], 4),
        (vec!["get", "a b"], 1),
        (vec!["get"], 64),
        (vec!["topics", "s.nothing.*"], 4),
        (vec!["topics", "s.**.x"], 1),
        (vec!["history", "s.b"], 4),
        (vec!["history", "s.a", "--limit", "0"], 64),
        (vec!["bars", "s.a", "--period", "7m"], 1),
    ] {
        let said = say(&url, &arguments).await;
        assert_eq!((said.code, said.out.as_str()), (Some(code), ""), "{arguments:?}: {}", said.err);
        assert!(!said.err.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn topics_history_and_bars_are_listed() {
    let (_script, daemon) = filled().await;
    let url = url(&daemon);
    let topics = say(&url, &["topics"]).await;
    let words: Vec<Vec<&str>> = topics.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["TOPIC", "KIND", "CLASS", "SEQ", "AGE", "INTERVAL"]);
    assert_eq!(words[1], ["rooms.lobby", "message", "event", "0", "-", "50ms"]);
    assert_eq!((words[2][0], words[2][3], words[3][0], words[3][2]), ("s.a", "1", "s.e", "event"));
    let json = say(&url, &["topics", "s.*", "--json"]).await;
    let listed: Vec<Value> = json.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((listed.len(), &listed[0]["topic"]), (2, &json!("s.a")));

    let past = say(&url, &["history", "s.e", "--limit", "2", "--json"]).await;
    assert_eq!(past.out.lines().map(|line| Event::read(line).seq()).collect::<Vec<_>>(), [2, 3]);
    let past = say(&url, &["history", "s.e", "--since", "1h"]).await;
    assert_eq!((past.code, past.out.lines().count()), (Some(0), 3));
    assert!(past.out.ends_with("  s.e  n=3\n"), "{}", past.out);

    let bars = say(&url, &["bars", "s.a"]).await;
    assert_eq!(bars.code, Some(0), "{}", bars.err);
    let words: Vec<Vec<&str>> = bars.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0][..3], ["START", "OPEN", "HIGH"]);
    assert_eq!(words[1][1..], ["1.50", "1.50", "1.50", "1.50", "1"]);
    let bars = say(&url, &["bars", "s.a", "--json"]).await;
    assert!(bars.out.contains(r#""open":1.50,"#), "{}", bars.out);
}

#[tokio::test]
async fn messages_are_published() {
    let (_script, daemon) = filled().await;
    let url = url(&daemon);
    let mut bob = daemon.client("/ws?name=bob").await;
    bob.expect("connected").await;
    bob.subscribe(json!({"topics": ["rooms.lobby"]})).await;
    let sent = say(&url, &["publish", "rooms.lobby", r#"{"n":1.50}"#, "--name", "ann"]).await;
    assert_eq!((sent.code, sent.out.as_str()), (Some(0), "published as 1\n"), "{}", sent.err);
    let message = bob.until("message").await;
    assert_eq!((&message.data["from"], message.value()), (&json!("user:ann"), &json!({"n": 1.50})));
    let direct = say(&url, &["publish", "rooms.lobby", "1", "--to", "user:bob"]).await;
    assert_eq!(direct.out, "delivered to 1 connections\n", "{}", direct.err);
    let json = say(&url, &["publish", "rooms.lobby", "[]", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json.out).unwrap()["seq"], json!(2));

    let mut command = tickerd_tests::daemon::command();
    command.args(["publish", "rooms.lobby", "-"]).env("TICKERD_URL", &url).stdin(Stdio::piped());
    let mut piped = command.spawn().unwrap();
    piped.stdin.take().unwrap().write_all(b"\"from a pipe\"\n").await.unwrap();
    let piped = said(within("its end", piped.wait_with_output()).await.unwrap());
    assert_eq!((piped.code, piped.out.as_str()), (Some(0), "published as 3\n"), "{}", piped.err);

    for (arguments, code, why) in [
        (vec!["publish", "rooms.lobby", "hello"], 64, "a text has quotes of its own: '\"hello\"'"),
        (vec!["publish", "rooms.lobby", "1", "--name", "a b"], 64, "--name"),
        (vec!["publish", "s.a", "1"], 4, "no topic that was declared"),
        (vec!["publish", "rooms.lobby", "1", "--to", "conn:0-ffff"], 4, "no such connection"),
    ] {
        let said = say(&url, &arguments).await;
        assert_eq!(said.code, Some(code), "{arguments:?}: {}", said.err);
        assert!(said.err.contains(why), "{arguments:?}: {}", said.err);
    }
}

/// Goal: with a configuration file of its own, a command finds the daemon without being told where.
#[tokio::test]
async fn the_daemon_on_this_machine_is_found() {
    let (script, daemon) = scripted().await;
    script.tick("a", json!(1)).await;
    let file = daemon.folder().join("elsewhere.toml");
    std::fs::write(&file, format!("[server]\nlisten = [\"{}\"]\n", daemon.address())).unwrap();
    let mut watching = daemon.connected().await;
    watching.subscribe(json!({"topics": ["s.a"]})).await;
    watching.tick().await;
    let mut command = tickerd_tests::daemon::command();
    command.args(["get", "s.a"]).env("TICKERD_CONFIG", &file);
    let got = said(within("its end", command.output()).await.unwrap());
    assert_eq!((got.code, got.err.as_str()), (Some(0), ""));
}
