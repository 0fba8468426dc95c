//! A key that was written where it does not belong is shown nowhere: not to clients, not to operators.
//!
//! Method: canaries stand in every key of every bundled feed, as values of the wrong type, as texts and lists where those
//! fit, in tables, in unknown keys and in addresses. Then every output there is gets searched for them.

use std::fmt::Write;

use tempfile::TempDir;
use tickerd_tests::author::{plugin, program};
use tickerd_tests::daemon::command;
use tickerd_tests::*;

/// Fits no topic, so that it can be part of no value that a feed rightly sends.
const CANARY: &str = "CANARY/sk_live+4711";
/// What is searched for.
const FEATHER: &str = "CANARY";

/// The bundled feeds, and the keys without which they would not start, or would ask the network.
const BUNDLED: [(&str, &[&str]); 6] = [
    ("sim", &[]),
    ("host", &[]),
    ("crypto", &["base_url = \"ws://127.0.0.1:1\""]),
    (
        "stocks",
        &[
            "provider = \"finnhub\"",
            "symbols = [\"AAPL\"]",
            "base_url = \"http://127.0.0.1:1\"",
            "stream_url = \"ws://127.0.0.1:1\"",
        ],
    ),
    ("weather", &["base_url = \"http://127.0.0.1:1\""]),
    ("replay", &["file = \"/nowhere/day.ndjson\""]),
];

/// The top keys of a bundled feed's configuration.
async fn keys(feed: &str) -> Vec<String> {
    if feed == "replay" {
        // A program has no schema to ask for.
        return ["file", "speed", "loop", "from", "to", "only"].map(str::to_owned).into();
    }
    let answer = plugin(&["inspect", "--load", "--json", &format!("tickerd_feed_{feed}")]).await;
    let facts = answer.json();
    let schema =
        facts["described"]["feed_types"][0]["config_schema"].as_str().unwrap_or_else(|| panic!("{facts}"));
    let schema: Value = serde_json::from_str(schema).unwrap();
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

/// Each key with each kind of value that may hold a canary, beside what the feed needs.
async fn configurations(feed: &str, needs: &[&str]) -> Vec<String> {
    let url = format!("http://ann:{FEATHER}pass@127.0.0.1:1/{FEATHER}/hook?apikey={FEATHER}key");
    let values = [
        json!(CANARY).to_string(),
        json!([CANARY, CANARY]).to_string(),
        format!("{{ file = \"/nowhere/{CANARY}\" }}"),
        format!("{{ env = \"{CANARY}\" }}"),
        format!("[{{ name = \"{CANARY}\", latitude = \"{CANARY}\", longitude = 1, symbol = \"{CANARY}\" }}]"),
    ];
    let mut all = Vec::new();
    let mut keys = keys(feed).await;
    keys.push("no_such_key".into());
    for key in &keys {
        let is_url = key.ends_with("url");
        for value in values.iter().chain(is_url.then_some(&json!(url).to_string())) {
            let others = needs.iter().filter(|line| !line.starts_with(&format!("{key} = ")));
            all.push(others.fold(format!("{key} = {value}\n"), |text, line| text + line + "\n"));
        }
    }
    // All of them at once.
    all.push(keys.iter().fold(String::new(), |text, key| text + &format!("{key} = {}\n", values[0])));
    all
}

/// Fails when one of the outputs holds a canary.
fn search(what: &str, output: &str) {
    if let Some(at) = output.find(FEATHER) {
        let start = output[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = output[start..].lines().next().unwrap_or_default();
        panic!("{what} shows a value of a configuration: {line}");
    }
}

/// Waits until a feed's first state that is more than `starting` was logged.
async fn settle(daemon: &Daemon, feed: &str) {
    daemon.logged_of(feed, "tickerd::feed::state").await;
}

/// All that clients and operators of this daemon get to see.
async fn everything_is_searched(daemon: &Daemon, socket: &str) {
    let (_, readiness) = daemon.get("/readyz?verbose").await;
    search("/readyz?verbose", &readiness);
    search("/metrics", &daemon.metrics().await);
    let down = readiness.lines().filter_map(|line| line.strip_prefix("[-]feed ")?.split(' ').next());
    let down: Vec<String> = down.map(|feed| format!("\"feed\":\"{feed}\"")).collect();

    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["**"]})).await;
    let mut notices = String::new();
    let told = async {
        while !down.iter().all(|feed| notices.contains(feed)) {
            writeln!(notices, "{}", client.next().await.text).unwrap();
        }
    };
    within("a notice of each feed that is down", told).await;
    search("a WebSocket notice", &notices);
    assert!(notices.contains("its configuration is wrong; tickerd's log says what to change"), "{notices}");

    let mut raw = daemon.raw().await;
    raw.say(format!("GET /v1/sse?topics=** HTTP/1.1\r\nHost: {}\r\n\r\n", daemon.address())).await;
    raw.head().await;
    let mut stream = String::new();
    let told = async {
        while !down.iter().all(|feed| stream.contains(feed)) {
            stream += &raw.block().await;
        }
    };
    within("an event of each feed that is down", told).await;
    search("an SSE event", &stream);

    for path in ["/v1/topics", "/v1/openapi.json", "/v1/asyncapi.json", "/"] {
        search(path, &daemon::http(daemon.address(), path).await.1);
    }
    for arguments in
        [&["feed", "list", "--socket", socket][..], &["feed", "list", "--json", "--socket", socket]]
    {
        let output = within("the list", command().args(arguments).output()).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("down"), "{text}");
        search("feed list", &text);
    }
    search("the log", &daemon.log());
}

async fn no_output_shows_the_configuration_of(feed: &str, needs: &[&str]) {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("admin.sock");
    let socket = socket.to_str().unwrap();
    let configurations = configurations(feed, needs).await;
    let plugin_name = format!("tickerd_feed_{feed}");
    let names: Vec<String> = (0..configurations.len()).map(|n| format!("f{n}")).collect();
    let server = format!("admin_socket = \"unix:{socket}\"\nshards = 1");
    let builder = names
        .iter()
        .zip(&configurations)
        .fold(daemon().chatty().server(&server), |builder, (name, lines)| {
            builder.feed(Feed::plugin(name, &plugin_name).configured(lines))
        });
    // A check gets every feed ready; a few of each kind of mistake do.
    let some = names.iter().zip(&configurations).rev().step_by(4).take(12);
    let some = some.fold(daemon(), |builder, (name, lines)| {
        builder.feed(Feed::plugin(name, &plugin_name).configured(lines))
    });
    let file = folder.path().join("tickerd.toml");
    std::fs::write(&file, some.toml()).unwrap();
    let daemon = builder.env("TICKERD_LOG", "tickerd=trace").run().await;
    for name in &names {
        settle(&daemon, name).await;
    }
    everything_is_searched(&daemon, socket).await;
    drop(daemon);

    let output = within("the check", command().arg("check").arg(&file).output()).await.unwrap();
    search("check", &(String::from_utf8_lossy(&output.stdout) + &*String::from_utf8_lossy(&output.stderr)));

    // What authors use, with all keys wrong at once, and with one that only the plugin finds.
    let first = &configurations[0];
    for (n, lines) in [first, &configurations[configurations.len() - 1]].into_iter().enumerate() {
        let own = folder.path().join(format!("own{n}.toml"));
        std::fs::write(&own, lines).unwrap();
        let own = own.to_str().unwrap();
        for arguments in [
            &["run", &plugin_name, "--config-file", own, "--for", "500ms"][..],
            &["run", &plugin_name, "--config-file", own, "--for", "500ms", "--json"],
            &["doctor", &plugin_name, "--config-file", own],
            &["doctor", &plugin_name, "--config-file", own, "--json"],
            &["check", &plugin_name, "--config-file", own, "--only", "create"],
        ] {
            let answer = plugin(arguments).await;
            search(&format!("plugin {}", arguments[0]), &format!("{}{}", answer.out, answer.err));
        }
    }
}

#[tokio::test]
async fn sim_shows_no_value_of_its_configuration() {
    let (feed, needs) = BUNDLED[0];
    no_output_shows_the_configuration_of(feed, needs).await;
}

#[tokio::test]
async fn host_shows_no_value_of_its_configuration() {
    let (feed, needs) = BUNDLED[1];
    no_output_shows_the_configuration_of(feed, needs).await;
}

#[tokio::test]
async fn crypto_shows_no_value_of_its_configuration() {
    let (feed, needs) = BUNDLED[2];
    no_output_shows_the_configuration_of(feed, needs).await;
}

#[tokio::test]
async fn stocks_shows_no_value_of_its_configuration() {
    let (feed, needs) = BUNDLED[3];
    no_output_shows_the_configuration_of(feed, needs).await;
}

#[tokio::test]
async fn weather_shows_no_value_of_its_configuration() {
    let (feed, needs) = BUNDLED[4];
    no_output_shows_the_configuration_of(feed, needs).await;
}

#[tokio::test]
async fn replay_shows_no_value_of_its_configuration() {
    let (feed, needs) = BUNDLED[5];
    no_output_shows_the_configuration_of(feed, needs).await;
}

/// Every bundled feed is among those that are searched.
#[test]
fn no_bundled_feed_is_left_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../feeds");
    let all = std::fs::read_dir(folder).unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let is_feed = entry.path().is_dir() && entry.file_name() != "provider";
        is_feed.then(|| entry.file_name().into_string().unwrap())
    });
    for feed in all {
        assert!(BUNDLED.iter().any(|(known, _)| *known == feed), "{feed} is not searched");
    }
}

/// A program may repeat what it was given in each way it can speak, and it goes nowhere.
#[tokio::test]
async fn what_a_strange_program_repeats_is_hidden() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("admin.sock");
    let says = [
        format!("echo '{{\"health\":\"degraded\",\"msg\":\"no {CANARY} here\"}}'; exec cat >/dev/null"),
        format!(
            "echo '{{\"log\":\"warn\",\"msg\":\"{CANARY}\"}}'; echo '{{\"fail\":\"fatal\",\"msg\":\"{CANARY}\"}}'; exit 1"
        ),
        format!("echo '{{\"fail\":\"config\",\"msg\":\"bad key {CANARY}\"}}'; exit 78"),
        format!("echo 'Traceback {CANARY}' >&2; echo 'KeyError: {CANARY}' >&2; exit 3"),
        format!("echo 'KeyError: {CANARY}' >&2; exit 78"),
        format!("echo '{{\"health\":\"{CANARY}\"}}'; echo '{CANARY}'; exit 1"),
        format!("echo '{{\"tfp\":1,\"mode\":\"{CANARY}\"}}'; exit 1"),
        format!(
            "echo '{{\"reject\":\"bad_json\",\"msg\":\"{CANARY}\"}}'; echo '{{\"retire\":\"{CANARY}\"}}'; exit 1"
        ),
    ];
    let mut builder =
        daemon().chatty().server(&format!("admin_socket = \"unix:{}\"\nshards = 1", socket.display()));
    for (n, script) in says.iter().enumerate() {
        let script = program(folder.path(), &format!("p{n}"), &format!("#!/bin/sh\nread setup\n{script}\n"));
        builder = builder.feed(
            exec(&format!("p{n}"), [script.to_str().unwrap()]).configured(&format!("note = \"{CANARY}\"")),
        );
    }
    let daemon = builder.env("TICKERD_LOG", "tickerd=trace").run().await;
    for n in 0..says.len() {
        settle(&daemon, &format!("p{n}")).await;
    }
    daemon.logged_of("p0", "degraded: no <note> here").await;
    daemon.logged_of("p2", "down: bad key <note>; waits for a changed configuration").await;
    daemon.logged_of("p3", "exited with status 3: KeyError: <note>").await;
    everything_is_searched(&daemon, socket.to_str().unwrap()).await;
}
