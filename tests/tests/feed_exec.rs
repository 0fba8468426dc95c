//! Any program that prints lines is a feed.

use std::os::unix::fs::PermissionsExt;

use tickerd_tests::{Script, daemon, exec, json, scripted, within};

/// A minute is as good as for ever here; the daemon ends it sooner.
const TWO_LINES: &str = r#"#!/bin/sh
echo '{"topic":"AAPL","event":"quote","data":{"price":"189.30"}}'; exec sleep 60
"#;

#[tokio::test]
async fn two_lines_of_shell_are_a_feed() {
    let folder = tempfile::TempDir::new().unwrap();
    let program = folder.path().join("feed.sh");
    std::fs::write(&program, TWO_LINES).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let daemon = daemon().feed(exec("shell", [program.to_str().unwrap()])).run().await;
    let mut client = daemon.client("/ws?topics=shell.AAPL").await;
    let tick = client.until("quote").await;
    assert_eq!((tick.topic(), tick.seq(), tick.value()), ("shell.AAPL", 1, &json!({"price": "189.30"})));
    assert!(tick.text.contains(r#""value":{"price":"189.30"}"#), "digits stay as they are: {}", tick.text);
}

#[tokio::test]
async fn its_configuration_comes_on_stdin() {
    // The first line is JSON, so it can be sent back as a value.
    let echo = r#"read -r setup; printf '{"event":"setup","data":%s}\n' "$setup"; cat >&2"#;
    let feed = exec("echo", ["/bin/sh", "-c", echo])
        .set("interval = \"250ms\"")
        .set("topics_max = 7")
        .configured("symbols = [\"A\", \"B\"]");
    let daemon = daemon().feed(feed).run().await;
    let mut client = daemon.client("/ws?topics=echo").await;
    let setup = client.until("setup").await;
    assert_eq!(setup.topic(), "echo", "without a topic it is the feed's own");
    let said = setup.value();
    assert_eq!(said["tfp"], 1);
    assert_eq!(
        (&said["instance"], &said["interval_ms"], &said["topics_max"]),
        (&json!("echo"), &json!(250), &json!(7))
    );
    assert_eq!(said["config"], json!({"symbols": ["A", "B"]}));
}

#[tokio::test]
async fn lines_that_make_no_sense_are_skipped_and_counted() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.**"]})).await;
    let long = format!(r#"{{"topic":"long","event":"tick","data":"{}"}}"#, "x".repeat(300 * 1024));
    let (wide, reserved) = (
        format!(r#"{{"topic":"wide","event":"tick","data":"{}"}}"#, "x".repeat(48 * 1024)),
        r#"{"topic":"word","event":"heartbeat","data":1}"#.to_owned(),
    );
    let bad = ["", "hello", "{", r#"{"topic":"half"}"#, "[1,2]", "\u{7}\u{1b}[2J", "\"", "{\"data\":1}"];
    for (n, line) in bad.map(str::to_owned).iter().chain([&long, &wide, &reserved]).enumerate() {
        script.line(line).await;
        script.tick("good", json!({ "after": n })).await;
        let what = format!("the line after {:.40}", line.escape_debug());
        let tick = within(&what, client.until("tick")).await;
        assert_eq!((tick.topic(), tick.value()), ("s.good", &json!({ "after": n })));
    }
    let refused = |reason: &str| format!("tickerd_feed_rejects_total{{feed=\"s\",reason=\"{reason}\"}}");
    for (reason, count) in
        [("bad_line", 7.0), ("long_line", 1.0), ("too_large", 1.0), ("reserved_event", 1.0)]
    {
        assert_eq!(daemon.metric(&refused(reason)).await, Some(count), "{reason}");
    }
    let line = daemon.logged("bad_line 1; ").await;
    assert!(line.contains("write one JSON object") && line.contains("; the line: hello"), "{line}");
    assert_eq!(daemon.metric("tickerd_feed_restarts_total{feed=\"s\"}").await, Some(0.0));
}

#[tokio::test]
async fn a_hundred_senseless_lines_in_a_row_start_it_anew() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    assert_eq!(client.until("tick").await.seq(), 1);
    script.lines(&vec!["nonsense".to_owned(); 100]).await;
    loop {
        let notice = client.until("notice").await;
        if notice.data["state"] == "down"
            && notice.data["reason"].as_str().unwrap().contains("100 lines in a row")
        {
            break;
        }
    }
    daemon.metric_until("tickerd_feed_restarts_total{feed=\"s\"}", |count| count == 1.0).await;
    script.tick("a", json!(2)).await;
    assert_eq!(client.until("tick").await.seq(), 2);
}

#[tokio::test]
async fn class_and_time_of_the_source_come_through() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.**"]})).await;
    let trade =
        |n| format!(r#"{{"topic":"t","event":"trade","class":"event","ts":1767225600123,"data":{n}}}"#);
    script.lines(&(1..=50).map(trade).collect::<Vec<_>>()).await;
    for n in 1..=50 {
        let tick = client.until("trade").await;
        assert_eq!((tick.seq(), tick.value()), (n, &json!(n)), "each event matters");
        assert_eq!(tick.data["src_ts"], json!(1_767_225_600_123_u64));
    }
    // Once a class, always that class: the first sample fixed it.
    script.line(r#"{"topic":"t","event":"trade","data":51}"#).await;
    script.tick("a", json!(1)).await;
    let tick = client.until("tick").await;
    assert!(tick.data.get("src_ts").is_none(), "{}", tick.text);
    let changed = "tickerd_feed_rejects_total{feed=\"s\",reason=\"kind_changed\"}";
    assert_eq!(daemon.metric(changed).await, Some(1.0));
    client.send(json!({"event": "topics", "data": {"match": "s.*"}})).await;
    let topics = client.until("topics").await.data["topics"].clone();
    let classes: Vec<_> = topics.as_array().unwrap().iter().map(|t| t["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["state", "event"]);
}

#[tokio::test]
async fn a_program_that_is_missing_is_told_with_the_remedy() {
    let folder = tempfile::TempDir::new().unwrap();
    let plain = folder.path().join("plain.sh");
    std::fs::write(&plain, TWO_LINES).unwrap();
    let daemon =
        daemon().feed(exec("plain", [plain.to_str().unwrap()])).feed(exec("gone", ["./gone.sh"])).run().await;
    let line = daemon.logged("permission denied; make it executable (chmod +x)").await;
    assert!(line.contains("plain"), "{line}");
    let line = daemon.logged("gone.sh: there is no such file").await;
    assert!(line.contains("waits for a changed configuration"), "{line}");
}

/// Goal: what a program may do, and where it ends. Method: one that looks at itself.
#[tokio::test]
async fn it_runs_within_walls_and_with_little_of_the_daemons_environment() {
    let look = r#"say() { printf '{"topic":"%s","event":"look","data":"%s"}\n' "$1" "$2"; }
        say limits "$(awk '/core|open files|file size/ { print $(NF-2), $(NF-1), $NF }' /proc/self/limits | tr '\n' ' ')"
        say status "$(awk '/^(NoNewPrivs|SigBlk):/ { print $2 }' /proc/$$/status | tr '\n' ' ')"
        say group "$(awk -v own=$$ '{ print ($5 == own) }' /proc/$$/stat)"
        say environment "$SECRET|$CREDENTIALS_DIRECTORY|$SSL_CERT_FILE|$https_proxy|$NOTIFY_SOCKET|${PATH:+path}"
        say oom "$(cat /proc/self/oom_score_adj)"
        say nice "$(nice)"
        exec cat"#;
    let daemon = daemon()
        .feed(exec("look", ["/bin/sh", "-c", look]))
        .env("SECRET", "1")
        .env("CREDENTIALS_DIRECTORY", "/run/credentials/t")
        .env("SSL_CERT_FILE", "/ca.pem")
        .env("https_proxy", "http://proxy:1")
        .env("NOTIFY_SOCKET", "/nowhere")
        .run()
        .await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["look.*"]})).await;
    let mut seen = std::collections::BTreeMap::new();
    while seen.len() < 6 {
        let tick = client.until("look").await;
        seen.insert(tick.topic().to_owned(), tick.value().as_str().unwrap().to_owned());
    }
    assert_eq!(seen["look.limits"], "16777216 16777216 bytes 0 0 bytes 256 256 files ");
    assert_eq!(seen["look.status"], "0000000000000000 1 ", "no signal held off, no new rights");
    assert_eq!(seen["look.group"], "1");
    assert_eq!(seen["look.environment"], "|/run/credentials/t|/ca.pem|http://proxy:1||path");
    // What a container has set above it, not everyone may lower.
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().to_owned();
    let is_higher = own.parse::<i32>().unwrap() > 500;
    let nice = std::process::Command::new("nice").output().unwrap().stdout;
    let nice: i32 = String::from_utf8(nice).unwrap().trim().parse().unwrap();
    assert_eq!(seen["look.nice"], (nice + 5).min(19).to_string(), "the daemon comes first");
    assert!(seen["look.oom"] == "500" || is_higher && seen["look.oom"] == own, "{own}, {seen:?}");
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_told() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("log");
    let grow = "exec head -c 20000000 /dev/zero >\"$0\"";
    let daemon = daemon().feed(exec("grow", ["/bin/sh", "-c", grow, file.to_str().unwrap()])).run().await;
    daemon.logged("was killed by SIGXFSZ: it wrote a file of more than 16 MiB").await;
    assert_eq!(file.metadata().unwrap().len(), 16 * 1024 * 1024);
}

/// Goal: what editors, runtimes and other systems do to lines costs nothing, and what they cannot do is told.
#[tokio::test]
async fn lines_are_taken_as_they_come() {
    let lines = r#"printf '\357\273\277{"topic":"bom","event":"tick","data":1}\n'
        printf '{"topic":"crlf","event":"tick","data":1}\r\n\r\n\n'
        printf '{"topic":"early","event":"trade","data":1}\n'
        printf '{"tfp":1,"events":{"bid":"event"}}\n{"topic":"later","event":"bid","data":1}\n'
        printf '{\000"\000e\000\n'
        printf '{"topic":"last","event":"tick","data":1}'"#;
    let daemon = daemon().feed(exec("t", ["/bin/sh", "-c", lines])).run().await;
    let mut client = daemon.connected().await;
    client.send(json!({"event": "subscribe", "data": {"topics": ["t.*"]}})).await;
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 5 {
        seen.insert(client.tick().await.topic().to_owned());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["t.bom", "t.crlf", "t.early", "t.last", "t.later"]);
    client.send(json!({"event": "topics", "data": {"match": "t.*"}})).await;
    let topics = client.until("topics").await.data["topics"].clone();
    let events = topics.as_array().unwrap().iter().filter(|topic| topic["class"] == "event");
    assert_eq!(events.map(|topic| topic["topic"].as_str().unwrap()).collect::<Vec<_>>(), ["t.later"]);
    daemon.logged("this line is UTF-16; write UTF-8").await;
}

#[tokio::test]
async fn a_program_may_be_polled() {
    let polled = r#"read -r setup; echo '{"tfp":1,"mode":"poll","default_poll_ms":50}'
        while read -r order; do
          case $order in
            *stop*) exit 0;;
            *poll*) n=${order#*:}; n=${n%%,*}; printf '{"event":"tick","data":%s}\n{"done":%s}\n' "$n" "$n";;
          esac
        done"#;
    let daemon = daemon().feed(exec("p", ["/bin/sh", "-c", polled])).run().await;
    let mut client = daemon.client("/ws?topics=p").await;
    for _ in 0..3 {
        let tick = client.until("tick").await;
        assert_eq!(tick.value(), &json!(tick.seq()), "each poll is numbered and says one thing");
    }
    assert_eq!(daemon.metric("tickerd_feed_restarts_total{feed=\"p\"}").await, Some(0.0));
}

/// Goal: whoever forgets to say that a poll is done, or to flush, learns it where the feed is told as stale.
#[tokio::test]
async fn a_poll_that_is_never_done_is_told_with_what_may_be_missing() {
    let polled = |answer: &str| {
        let script = format!(
            r#"echo '{{"tfp":1,"mode":"poll","default_poll_ms":50}}'; while read -r order; do {answer}; done"#
        );
        ["/bin/sh".to_owned(), "-c".to_owned(), script]
    };
    let daemon = daemon()
        .feed(exec("undone", polled(r#"echo '{"event":"tick","data":1}'"#)))
        .feed(exec("unflushed", polled(":")))
        .run()
        .await;
    let line = daemon.logged_of("undone", "poll has not returned for 5.0 s").await;
    assert!(line.contains(r#"; did it say {"done":1}?"#), "{line}");
    let line = daemon.logged_of("unflushed", "poll has not returned for 5.0 s").await;
    assert!(line.contains(r#"; nothing came: did it flush its output, and say {"done":1}?"#), "{line}");
}

/// Goal: complaints cost the log a bounded rate, and nothing else. Method: a flood of them, one far too long, one later.
#[tokio::test]
async fn a_flood_on_standard_error_is_cut_and_counted() {
    let flood = r#"seq 1 50000 >&2; head -c 100000 /dev/zero | tr '\0' x >&2; echo >&2
        echo '{"event":"tick","data":1}'; while :; do sleep 0.2; echo later >&2; done"#;
    let daemon = daemon().feed(exec("loud", ["/bin/sh", "-c", flood])).run().await;
    assert_eq!(daemon.client("/ws?topics=loud").await.until("tick").await.seq(), 1);
    daemon.logged_of("loud", "lines of this feed were left out: too many").await;
    daemon.logged_of("loud", "later").await;
    let lines = daemon.log().lines().count();
    assert!(lines < 1_000, "{lines} of 50,000 lines");
    assert_eq!(daemon.metric("tickerd_feed_restarts_total{feed=\"loud\"}").await, Some(0.0));
}
