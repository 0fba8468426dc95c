//! `tickerd config`: what is shown counts, what is begun with runs, and the schema is true.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;
use tickerd_tests::daemon::command;
use tickerd_tests::*;

async fn tickerd(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = command();
    command.args(arguments).current_dir(folder).env("TICKERD_SERVER__DRAIN", "3s");
    let Output { status, stdout, stderr } = within("an exit", command.output()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Goal: a first file is made once, is right, and runs.
#[tokio::test]
async fn what_init_makes_is_right_and_runs() {
    let folder = TempDir::new().unwrap();
    let (code, out, err) = tickerd(folder.path(), &["config", "init", "t.toml"]).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("tickerd check t.toml") && out.contains("tickerd --config t.toml"), "{out}");
    let made = std::fs::read_to_string(folder.path().join("t.toml")).unwrap();
    assert_eq!(tickerd(folder.path(), &["config", "init"]).await, (0, made, String::new()));
    let (code, _, err) = tickerd(folder.path(), &["config", "init", "t.toml"]).await;
    assert!(code == 1 && err.contains("it exists"), "{code} {err}");

    // The usual ports may be taken here, and what is switched off is right too.
    let file = folder.path().join("t.toml");
    let made = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        made.replace("127.0.0.1:8425\"]", "127.0.0.1:0\"]").replace("127.0.0.1:8426", "127.0.0.1:0"),
    )
    .unwrap();
    let (code, out, err) = tickerd(folder.path(), &["check", "--deny-warnings", "t.toml"]).await;
    assert!(code == 0 && out.contains(": ok (2 feeds"), "{out}{err}");
    std::fs::write(folder.path().join("all.toml"), switched_on(&made)).unwrap();
    let (code, out, err) = tickerd(folder.path(), &["check", "--no-environment", "all.toml"]).await;
    assert!(code == 0 && out.contains(": ok (4 feeds"), "{out}{err}");

    let mut command = command();
    command.arg("--config").arg(&file);
    let mut running = Daemon::start(command, folder);
    running.serves().await;
    running.metric_until("tickerd_feed_state{feed=\"sim\",state=\"up\"}", |up| up == 1.0).await;
    running.metric_until("tickerd_feed_state{feed=\"host\",state=\"up\"}", |up| up == 1.0).await;
}

/// Goal: the configuration that counts is shown, with where each value is from, and a daemon obeys it.
#[tokio::test]
async fn conf_d_counts_and_is_shown_with_its_origin() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("conf.d")).unwrap();
    write("t.toml", "[server]\nheartbeat = \"20s\"\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n");
    write(
        "conf.d/10.toml",
        "[server]\nheartbeat = \"7s\"\n[[feed]]\nname = \"sim\"\nplugin = \"tickerd_feed_sim\"\n[feed.config]\nseed = 4711\n",
    );
    let (code, out, err) = tickerd(folder.path(), &["config", "show", "t.toml", "--origin"]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    let line =
        |key: &str| out.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key}: {out}"));
    for (key, origin) in [
        ("heartbeat = \"7s\"", "# conf.d/10.toml:2, in place of t.toml:2"),
        ("listen = [\"127.0.0.1:0\"]", "# t.toml:3"),
        ("drain = \"3s\"", "# TICKERD_SERVER__DRAIN"),
        ("ping = \"20s\"", "# default"),
        ("seed = \"…\"", "# conf.d/10.toml:7"),
    ] {
        assert!(line(key).ends_with(origin), "{}", line(key));
    }
    assert!(!out.contains("4711"), "{out}");
    let (code, out, err) = tickerd(folder.path(), &["config", "show", "none.toml"]).await;
    assert!(code == 78 && out.is_empty() && err.contains("[unreadable-file]"), "{err}");
    let (code, out, _) = tickerd(folder.path(), &["config", "show"]).await;
    assert!(code == 0 && out.contains("plugin = \"tickerd_feed_host\""), "{out}");

    let mut command = command();
    command.arg("--config").arg(folder.path().join("t.toml"));
    let mut running = Daemon::start(command, folder);
    running.serves().await;
    let mut client = running.client("/ws").await;
    assert_eq!(client.expect("connected").await.data["heartbeat_ms"], 7000);
    running.metric_until("tickerd_feed_state{feed=\"sim\",state=\"up\"}", |up| up == 1.0).await;
}

/// Goal: a program that prints the line which the starter shows is a feed that is up.
#[tokio::test]
async fn the_starters_line_is_a_line_of_a_feed() {
    let folder = TempDir::new().unwrap();
    let starter = tickerd(folder.path(), &["config", "init"]).await.1;
    let (_, shown) = starter.split_once("one JSON object a line: ").unwrap();
    let line = shown.lines().next().unwrap();
    let lines = exec("lines", ["/bin/sh", "-c", &format!("echo '{line}'; exec cat >/dev/null")]);
    let daemon = daemon().feed(lines).run().await;
    daemon.metric_until("tickerd_feed_state{feed=\"lines\",state=\"up\"}", |up| up == 1.0).await;
    assert_eq!(daemon.metric("tickerd_feed_samples_total{feed=\"lines\"}").await, Some(1.0));
}

/// Every setting that a `#` without a space behind it switches off.
fn switched_on(text: &str) -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with([' ', ':']) => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(on).collect()
}

/// Goal: an editor with the schema finds no fault with what tickerd takes, and finds what tickerd refuses.
#[tokio::test]
async fn the_schema_takes_what_tickerd_takes() {
    let folder = TempDir::new().unwrap();
    let (code, schema, _) = tickerd(folder.path(), &["config", "schema"]).await;
    assert_eq!(code, 0);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let json = |text: &str| toml::from_str::<Value>(text).unwrap();
    let shipped = include_str!("../../systemd/tickerd.toml");
    let starter = tickerd(folder.path(), &["config", "init"]).await.1;
    for text in [shipped.to_owned(), switched_on(shipped), starter.clone(), switched_on(&starter)] {
        let value = json(&text);
        let faults: Vec<String> =
            schema.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert_eq!(faults, Vec::<String>::new());
    }
    for wrong in [
        "[server]\nheartbeet = \"1s\"",
        "[server]\nheartbeat = 15",
        "[server]\nshards = 257",
        "[server.limits]\nmemory = \"9%\"",
        "[[feed]]\nname = \"a\"",
        "[[feed]]\nname = \"a.b\"\nplugin = \"p\"",
        "[[feed]]\nname = \"a\"\nplugin = \"p\"\nemit = \"on-change\"",
        "[[auth.token]]\nname = \"a\"\ntoken = \"secret\"",
        "[[topic]]\nname = \"rooms lobby\"",
        "[bars]\nkeep = { 1m = 3 }",
    ] {
        assert!(!schema.is_valid(&json(wrong)), "{wrong}");
        std::fs::write(folder.path().join("t.toml"), wrong).unwrap();
        assert_eq!(tickerd(folder.path(), &["check", "--no-environment", "t.toml"]).await.0, 78, "{wrong}");
    }
}
