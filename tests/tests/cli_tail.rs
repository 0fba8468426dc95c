//! `tickerd tail`, as who types it meets it: over every way in, through restarts of the daemon, and with readers that go or
//! dawdle.

use std::process::Stdio;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tickerd_tests::cli::{begin, say, url};
use tickerd_tests::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::tls::Authority;

/// Waits until it is subscribed to `s.*`: then it has this.
async fn ready(script: &Script, tail: &mut Daemon) {
    script.tick("ready", json!(true)).await;
    tail.printed("s.ready").await;
}

#[tokio::test]
async fn ticks_come_a_line_each_over_every_way_in() {
    let (script, authority) = (Script::new("s"), Authority::new());
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("t.sock");
    let listen = format!(
        "\"127.0.0.1:0\", \"unix:{}\", {{ address = \"127.0.0.1:0\", tls = true }}",
        socket.display()
    );
    authority.renew();
    let tls = authority.path("");
    let builder = daemon().listen(format!("{{ address = \"127.0.0.1:0\" }}, {listen}")).config(&format!(
        "[server.tls]\ncertificate = \"{0}/chain.pem\"\nkey = \"{0}/key.pem\"",
        tls.display()
    ));
    let mut daemon = builder.feed(script.feed()).spawn();
    daemon.serves().await;
    let sealed = daemon
        .printed("listening on https://")
        .await
        .replace("listening on https://127.0.0.1", "wss://localhost");
    script.line(r#"{"topic":"a","event":"tick","data":{"price":"1.50","currency":"USD"}}"#).await;
    let ca = authority.path("clients.pem").display().to_string();
    let unix = format!("unix:{}", socket.display());
    for (url, more) in [(url(&daemon), vec![]), (unix, vec![]), (sealed.clone(), vec!["--ca", &ca])] {
        let arguments = [vec!["tail", "s.a", "--count", "1"], more].concat();
        let said = say(&url, &arguments).await;
        assert_eq!(said.code, Some(0), "{url}: {}", said.err);
        let (time, rest) = said.out.split_once("  ").unwrap();
        assert_eq!((time.len(), rest), (12, "s.a  price=1.50 currency=USD\n"), "{url}");
    }
    let said = say(&sealed, &["tail", "s.a"]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(3), ""));
    assert!(
        said.err.contains("signed by nobody this machine trusts; name its authority with --ca FILE"),
        "{}",
        said.err
    );
}

#[tokio::test]
async fn what_changed_is_shown_and_json_is_as_it_came() {
    let (script, daemon) = scripted().await;
    let mut tail = begin(&url(&daemon), &["tail", "s.*", "--mode", "all"]);
    let mut json = begin(&url(&daemon), &["tail", "s.*", "--mode", "all", "--json"]);
    ready(&script, &mut tail).await;
    ready(&script, &mut json).await;
    script.tick("a", json!({"p": "1.0", "c": "USD"})).await;
    script.tick("a", json!({"p": "1.5", "c": "USD"})).await;
    tail.printed("  c=USD p=1.0").await;
    let line = tail.printed("  s.a      p=1.5").await;
    assert!(!line.contains('\x1b'), "no colour but on a terminal: {line}");
    let line = json.printed(r#""topic":"s.a","seq":2,"#).await;
    assert_eq!(Event::read(&line).value(), &json!({"c": "USD", "p": "1.5"}));
}

#[tokio::test]
async fn a_token_is_read_from_its_file_and_never_shown() {
    const SECRET: &str = "CANARY-0123456789-0123456789-0123456789";
    let script = Script::new("s");
    let daemon = daemon()
        .config("[auth]\n[[auth.token]]\nname = \"ann\"\ntoken = { env = \"ANN\" }\ngroups = [\"all\"]\n[[auth.group]]\nname = \"all\"\nsubscribe = [\"s.**\"]")
        .env("ANN", SECRET)
        .feed(script.feed())
        .run()
        .await;
    script.tick("a", json!(1)).await;
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (good, wrong) = (file("good", &format!("{SECRET}\n")), file("wrong", "CANARY-of-another-server\n"));
    let said = say(&url(&daemon), &["tail", "s.a", "--count", "1", "--token", &good]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    for (arguments, code, why) in [
        (vec!["--token", wrong.as_str()], 1, "token_unknown"),
        (vec![], 1, "a token is given with --token FILE"),
        (vec!["--token", SECRET], 64, "--token names a file"),
    ] {
        let said = say(&url(&daemon), &[vec!["tail", "s.a"], arguments].concat()).await;
        assert_eq!(said.code, Some(code), "{}", said.err);
        assert!(said.err.contains(why) && !said.err.contains("CANARY"), "{}", said.err);
    }
}

#[tokio::test]
async fn without_a_daemon_it_says_what_was_tried() {
    let nobody = say("ws://127.0.0.1:1", &["tail", "s.a"]).await;
    assert_eq!(nobody.code, Some(3));
    assert!(nobody.err.starts_with("tickerd: no tickerd answers at ws://127.0.0.1:1 (named with --url or TICKERD_URL): Connection refused; "), "{}", nobody.err);
    let missing = say("unix:/nowhere/t.sock", &["tail", "s.a"]).await;
    assert_eq!(missing.code, Some(3));
    for (url, arguments) in [
        ("127.0.0.1:8425", vec!["tail", "s.a"]),
        ("ws://127.0.0.1:1", vec!["tail"]),
        ("ws://127.0.0.1:1", vec!["tail", "s.*", "--since", "7"]),
        ("ws://127.0.0.1:1", vec!["tail", "s.*", "--since", "yesterday"]),
    ] {
        assert_eq!(say(url, &arguments).await.code, Some(64), "{arguments:?}");
    }
}

#[tokio::test]
async fn what_is_refused_has_its_reason_and_its_exit_code() {
    let (_script, daemon) = scripted().await;
    let unknown = say(&url(&daemon), &["tail", "nobody.x"]).await;
    assert_eq!(unknown.code, Some(4));
    assert!(unknown.err.contains("nobody.x: there is no feed \"nobody\""), "{}", unknown.err);
    let pattern = say(&url(&daemon), &["tail", "s.**.x"]).await;
    assert_eq!(pattern.code, Some(1), "{}", pattern.err);
}

/// Goal: a restart costs no event, and none comes twice.
#[tokio::test]
async fn a_restart_in_order_loses_nothing() {
    let (script, folder) = (Script::new("s"), TempDir::new().unwrap());
    let keeping = |listen: &str| {
        let path = folder.path().join("past").display().to_string();
        daemon().listen(listen).feed(script.feed()).config(&format!("[history]\npath = {path:?}"))
    };
    let mut first = keeping("127.0.0.1:0").run().await;
    let mut tail = begin(&url(&first), &["tail", "s.*", "--json"]);
    ready(&script, &mut tail).await;
    for n in 1..=3 {
        script.event("e", json!(n)).await;
    }
    tail.printed(r#""value":3}"#).await;
    let address = first.address();
    first.signal(Signal::SIGTERM);
    assert!(first.exit().await.success());
    tail.logged("connecting again").await;
    for n in 4..=6 {
        script.event("e", json!(n)).await;
    }
    let _second = keeping(&address.to_string()).run().await;
    tail.logged("connected again").await;
    script.event("e", json!(7)).await;
    tail.printed(r#""value":7}"#).await;
    tail.signal(Signal::SIGINT);
    let lines: Vec<String> = tail.all_printed().into_iter().filter(|line| line.contains("\"s.e\"")).collect();
    let values: Vec<i64> = lines.iter().map(|line| Event::read(line).value().as_i64().unwrap()).collect();
    assert_eq!(values, [1, 2, 3, 4, 5, 6, 7], "{lines:?}");
}

/// Goal: a crash is survived, and what is not known of it is said.
#[tokio::test]
async fn a_crash_is_told_as_a_gap() {
    let script = Script::new("s");
    let mut first = daemon().feed(script.feed()).run().await;
    let mut tail = begin(&url(&first), &["tail", "s.*"]);
    ready(&script, &mut tail).await;
    script.tick("a", json!("before")).await;
    tail.printed("  before").await;
    let address = first.address();
    first.signal(Signal::SIGKILL);
    first.exit().await;
    tail.logged("is lost: ").await;
    let _second = daemon().listen(address).feed(script.feed()).run().await;
    tail.logged("the daemon counts anew since its restart").await;
    script.tick("a", json!("after")).await;
    tail.printed("  after").await;
}

#[tokio::test]
async fn it_ends_when_its_reader_has_gone() {
    let (script, daemon) = scripted().await;
    let mut command = tickerd_tests::daemon::command();
    command.args(["tail", "s.*"]).env("TICKERD_URL", url(&daemon));
    let mut tail = command.spawn().unwrap();
    script.tick("a", json!(1)).await;
    let mut out = BufReader::new(tail.stdout.take().unwrap());
    let mut line = String::new();
    within("a line", out.read_line(&mut line)).await.unwrap();
    // No tick comes any more: it has to look.
    drop(out);
    let output = within("its end", tail.wait_with_output()).await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.lines().all(|line| line.starts_with("tickerd: feed s is ")), "{told}");
}

/// Goal: who reads slowly gets the newest in the end, and the daemon keeps nothing for it.
#[tokio::test]
async fn a_slow_reader_gets_the_newest() {
    let (script, daemon) = scripted().await;
    let mut command = tickerd_tests::daemon::command();
    command.args(["tail", "s.*", "--json"]).env("TICKERD_URL", url(&daemon)).stderr(Stdio::null());
    let mut tail = command.spawn().unwrap();
    daemon.metric_until("tickerd_connections", |connections| connections > 0.0).await;
    let mut watching = daemon.connected().await;
    watching.subscribe(json!({"topics": ["s.a"]})).await;
    let filler = "x".repeat(20_000);
    for n in 1..=400 {
        script.tick("a", json!({"n": n, "filler": filler})).await;
        if n % 50 == 0 {
            while watching.tick().await.value()["n"] != json!(n) {}
        }
    }
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut last = 0;
    while last < 400 {
        let line = within("a line", lines.next_line()).await.unwrap().unwrap();
        let n = Event::read(&line).value()["n"].as_u64().unwrap();
        assert!(n > last, "in order, and none twice");
        last = n;
    }
    tail.kill().await.unwrap();
}

/// Goal: no value can move the terminal of who looks at it.
#[tokio::test]
async fn odd_values_are_shown_and_never_raw() {
    let odd = [
        json!("\u{1b}[2J\u{1b}]0;title\u{7}"),
        json!({"\u{1b}[31m": "\u{9b}31m\u{7f}\r\n\u{202e}", "deep": {"a": [1, {"b": "\u{0}"}]}}),
        json!("\u{fffd}\u{10ffff} é 漢字 🙂"),
        json!(null),
        json!([[[[[[[[1]]]]]]]]),
        json!("x".repeat(30_000)),
    ];
    let count = odd.len().to_string();
    for format in [vec![], vec!["--json"]] {
        let (script, daemon) = scripted().await;
        let arguments = [vec!["tail", "s.*", "--mode", "all", "--count", &count], format.clone()].concat();
        let mut tail = begin(&url(&daemon), &arguments);
        for (n, value) in odd.iter().enumerate() {
            script.tick(&format!("t{n}"), value.clone()).await;
        }
        assert!(tail.exit().await.success());
        tail.printed("s.t5").await;
        let lines = tail.all_printed();
        assert_eq!(lines.len(), odd.len(), "{lines:?}");
        let is_raw = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(lines.iter().all(|line| !line.chars().any(is_raw)), "{lines:?}");
        if !format.is_empty() {
            let value = |line: &String| Event::read(line).value().clone();
            assert!(lines.iter().map(value).all(|value| odd.contains(&value)), "{lines:?}");
        }
    }
}

#[tokio::test]
async fn it_begins_in_the_past() {
    let (script, daemon) = scripted().await;
    let mut watching = daemon.connected().await;
    watching.subscribe(json!({"topics": ["s.e", "s.f"], "mode": "all"})).await;
    for n in 1..=4 {
        script.event("e", json!(n)).await;
    }
    script.event("f", json!(5)).await;
    watching.until_tick("s.f").await;
    let values = |said: &cli::Said| -> Vec<Value> {
        said.out.lines().map(|line| Event::read(line).value().clone()).collect()
    };
    let said = say(&url(&daemon), &["tail", "s.e", "--since", "2", "--json", "--count", "2"]).await;
    assert_eq!(values(&said), [3, 4]);
    let said = say(&url(&daemon), &["tail", "s.*", "--since", "1h", "--json", "--count", "5"]).await;
    let mut all = values(&said);
    all.sort_by_key(Value::as_u64);
    assert_eq!(all, [1, 2, 3, 4, 5], "{}", said.err);
    let said = say(&url(&daemon), &["tail", "s.e", "--since", "99", "--count", "1"]).await;
    assert_eq!(said.code, Some(0));
}

#[tokio::test]
async fn bars_are_followed() {
    let script = Script::new("s");
    let feed = script.feed().set("bars = { field = \"\" }");
    let daemon = daemon().feed(feed).config("[bars]\nkeep = { \"1s\" = \"1m\" }").run().await;
    script.tick("a", json!(7)).await;
    let mut watching = daemon.connected().await;
    watching.subscribe(json!({"topics": ["s.a"]})).await;
    watching.tick().await;
    let said = say(&url(&daemon), &["tail", "s.*", "--bars", "1s", "--since", "1m", "--count", "1"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.out.contains("  tickerd.bars.1s.s.a  start=") && said.out.contains("open=7 high=7 "),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn ten_thousand_topics_are_followed_and_listed() {
    const TOPICS: usize = 10_000;
    let (script, daemon) = scripted().await;
    let mut command = tickerd_tests::daemon::command();
    command.args(["tail", "**", "--count", &TOPICS.to_string()]).env("TICKERD_URL", url(&daemon));
    let mut tail = command.spawn().unwrap();
    daemon.metric_until("tickerd_connections", |connections| connections > 0.0).await;
    let mut out = tail.stdout.take().unwrap();
    let reading = tokio::spawn(async move {
        let mut text = String::new();
        out.read_to_string(&mut text).await.unwrap();
        text
    });
    let lines: Vec<String> = (0..TOPICS).map(|n| Script::state(&format!("t{n}"), &json!(n))).collect();
    for part in lines.chunks(500) {
        script.lines(part).await;
    }
    let text = within("the ticks", reading).await.unwrap();
    assert_eq!(text.lines().count(), TOPICS);
    assert_eq!(tail.wait().await.unwrap().code(), Some(0));
    let said = say(&url(&daemon), &["topics", "s.*"]).await;
    assert_eq!((said.code, said.out.lines().count()), (Some(0), TOPICS + 1), "{}", said.err);
    let said = say(&url(&daemon), &["get", "s.*", "--json"]).await;
    assert_eq!((said.code, said.out.lines().count()), (Some(0), TOPICS), "{}", said.err);
}
