//! Libraries that are no plugins, or are not wanted as they are configured: the daemon starts and serves the others, and
//! the reason is wherever someone looks for it.

use std::path::Path;

use tempfile::TempDir;
use tickerd_tests::daemon::target;
use tickerd_tests::{Daemon, Feed, Witness, broken, daemon, json, raw_c, steady, within};

/// A feed under its name, and the reason it gives. No two reasons are alike, so that each can be looked for in the log.
fn cases(folder: &Path) -> Vec<(&'static str, Feed, String)> {
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let c = |name: &str| raw_c(name).to_str().unwrap().to_owned();
    // ELF keeps the machine at byte 18; 0x7fff is none.
    let mut foreign = std::fs::read(raw_c("good")).unwrap();
    foreign[18..20].copy_from_slice(&[0xff, 0x7f]);
    let [text, empty, foreign] =
        [("text.so", &b"not a library\n"[..]), ("empty.so", b""), ("foreign.so", &foreign)]
            .map(|(name, bytes)| file(name, bytes));
    let nowhere = folder.join("nowhere.so").to_str().unwrap().to_owned();
    let zoo = |name: &str, line: &str| Feed::plugin(name, "tickerd_feed_zoo").configured(line);
    vec![
        ("missing", Feed::plugin("missing", &nowhere), format!("there is no plugin file {nowhere}")),
        ("text", Feed::plugin("text", &text), format!("{text} cannot be loaded: ")),
        ("empty", Feed::plugin("empty", &empty), format!("{empty} cannot be loaded: ")),
        ("foreign", Feed::plugin("foreign", &foreign), format!("{foreign} cannot be loaded: ")),
        ("no_entry", Feed::plugin("no_entry", &c("no_entry")), "does not export tickerd_plugin_v1".into()),
        (
            "future",
            Feed::plugin("future", &c("future_host")),
            format!(
                "{} 1.0.0 needs tickerd ABI 1.7, and this is tickerd {} with ABI 1.0: upgrade tickerd, or use an older version \
                 of the plugin",
                c("future_host"),
                env!("CARGO_PKG_VERSION")
            ),
        ),
        ("null", Feed::plugin("null", &c("null_descriptor")), "its entry function answered NULL".into()),
        ("no_feeds", Feed::plugin("no_feeds", &c("no_feeds")), "it offers 0 feed types".into()),
        ("no_id", Feed::plugin("no_id", &c("no_id")), "`id` is NULL".into()),
        ("no_create", Feed::plugin("no_create", &c("no_create")), "a poll feed without `poll`".into()),
        ("reserved", Feed::plugin("reserved", &c("reserved_event")), "is the server's own".into()),
        ("bad_key", zoo("bad_key", "behaves = \"ok\""), "behaves is no key; did you mean behave?".into()),
        (
            "bad_value",
            zoo("bad_value", "after = \"soon\""),
            "after: this is a text; allowed: a whole number of at least 0".into(),
        ),
        ("refused", zoo("refused", "behave = \"bad_config\""), "`bad_config` was asked for".into()),
    ]
}

/// Goal: one bad feed costs that feed alone, and is told everywhere. Method: all of them at once, beside a good one.
async fn each_is_told(isolation: &str) {
    let folder = TempDir::new().unwrap();
    let cases = cases(folder.path());
    // One shard, so that what one client has been told the next one knows as well.
    let builder = daemon().server("shards = 1").chatty().feed(steady());
    let isolated = |feed: &Feed| feed.clone().set(&format!("isolation = {}", json!(isolation)));
    let builder = cases.iter().fold(builder, |builder, (_, feed, _)| builder.feed(isolated(feed)));
    let daemon = builder.run().await;
    let mut witness = Witness::of(&daemon).await;
    for (name, _, reason) in &cases {
        let line = daemon.logged(reason).await;
        assert!(line.contains(name), "the log does not say whose fault it is: {line}");
        a_client_is_told(&daemon, name).await;
        daemon.metric_until(&state(name, "down"), |value| value == 1.0).await;
        assert_eq!(daemon.metric(&state(name, "up")).await, Some(0.0));
        let (status, body) = daemon.get("/readyz?verbose").await;
        let line = body.lines().find(|line| line.starts_with(&format!("[-]feed {name} failed: down: ")));
        assert!(line.is_some_and(|line| line.contains(reason)), "{body}");
        assert_eq!(status, 200, "one feed serves: {body}");
    }
    witness.is_undisturbed().await;
}

fn state(feed: &str, state: &str) -> String {
    format!("tickerd_feed_state{{feed=\"{feed}\",state=\"{state}\"}}")
}

/// Once one client was told while it was subscribed, the next one is told right behind its grant. What is wrong with the
/// configuration is for operators.
async fn a_client_is_told(daemon: &Daemon, feed: &str) {
    let topics = json!({"topics": [format!("{feed}.counter")]});
    let tells = |data: &tickerd_tests::Value| {
        data["type"] == "feed"
            && data["feed"] == feed
            && data["state"] == "down"
            && data["reason"] == "its configuration is wrong; tickerd's log says what to change"
    };
    let mut client = daemon.connected().await;
    client.subscribe(topics.clone()).await;
    within("the reason", async { while !tells(&client.until("notice").await.data) {} }).await;
    let mut client = daemon.connected().await;
    client.subscribe(topics).await;
    let notice = client.next().await;
    assert!(notice.name == "notice" && tells(&notice.data), "{feed}: {}", notice.text);
    assert!(notice.data["since"].as_u64().is_some_and(|since| since > 0), "{}", notice.text);
}

#[tokio::test]
async fn a_bad_library_is_told_and_the_others_go_on() {
    each_is_told("process").await;
}

#[tokio::test]
async fn a_bad_library_in_process_is_told_and_the_others_go_on() {
    each_is_told("in-process").await;
}

/// Goal: a schema that nobody can read is not held against the operator, and is told.
#[tokio::test]
async fn a_broken_schema_is_told_and_the_feed_runs() {
    for isolation in ["process", "in-process"] {
        let plugin = broken("config_schema");
        let feed = Feed::plugin("odd", plugin.to_str().unwrap())
            .set(&format!("isolation = {}", json!(isolation)))
            .configured("any = 1");
        let daemon = daemon().feed(feed).run().await;
        let line = daemon.logged("its config_schema is broken").await;
        assert!(line.contains("WARN") && line.contains("tell its author"), "{line}");
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": ["odd.counter"]})).await;
        client.until("count").await;
    }
}

#[tokio::test]
async fn a_mistyped_name_is_told_with_the_right_one() {
    let daemon = daemon().server("shards = 1").feed(Feed::plugin("sim", "tickerd_feed_simm")).run().await;
    let hint = "did you mean tickerd_feed_sim";
    daemon.logged(&format!("down: no plugin \"tickerd_feed_simm\"; looked in {}", target().display())).await;
    a_client_is_told(&daemon, "sim").await;
    let (status, body) = daemon.get("/readyz").await;
    assert_eq!(status, 503, "no feed serves: {body}");
    assert!(body.contains("[-]feed sim failed: down: ") && body.contains(hint), "{body}");
}
